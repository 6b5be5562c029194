import {
  assert,
  assertEquals,
  assertFalse,
  assertGreaterOrEqual,
  assertLess,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import {
  type IntervalRecord,
  type IntervalSearch,
  type Outcome,
  stepwise,
  type StepwiseOptions,
} from "../../../handlers/mod.ts";
import { recordOf } from "../stores/_store_suite.ts";

const SECOND = 1000;

function judge(search: IntervalSearch, outcome: Outcome, times = 1): void {
  for (let i = 0; i < times; i++) search.judge({ idleMs: search.intervalMs, outcome, reason: "", atMs: 0 });
}

/** Interval, longest that survived, shortest that did not (s), and whether that is the answer. */
function look({ intervalMs, bracket, isSettled }: IntervalSearch) {
  const hiS = bracket.hiMs === null ? null : bracket.hiMs / SECOND;
  return [intervalMs / SECOND, bracket.loMs / SECOND, hiS, isSettled];
}

function record(fields: Partial<IntervalRecord>): IntervalRecord {
  return recordOf({ intervalMs: 1, loMs: 0, hiMs: null, isSettled: false, ...fields });
}

Deno.test("stepwise() starts at 270 s and goes up by 60 s for each one that survived", () => {
  const search = stepwise().search();
  assertEquals(look(search), [270, 0, null, false]);
  judge(search, "passed");
  assertEquals(look(search), [330, 270, null, false]);
  judge(search, "passed");
  assertEquals(look(search), [390, 330, null, false]);
});

Deno.test("stepwise() gives up a value after 5 failures and settles 10 s below the last good one", () => {
  const search = stepwise().search();
  judge(search, "passed", 2);
  judge(search, "failed", 4);
  assertEquals(look(search), [390, 330, null, false]);
  judge(search, "failed");
  assertEquals(look(search), [320, 330, 390, true]);
});

Deno.test("stepwise() forgets earlier failures of a value that then survives", () => {
  const search = stepwise().search();
  judge(search, "passed");
  judge(search, "failed", 4);
  judge(search, "passed");
  assertEquals(look(search), [390, 330, null, false]);
  judge(search, "failed", 4);
  assertFalse(search.isSettled);
});

Deno.test("stepwise() starts over when the settled value fails 5 times in a row", () => {
  const search = stepwise().search();
  judge(search, "passed");
  judge(search, "failed", 5);
  assertEquals(look(search), [260, 270, 330, true]);
  for (let i = 0; i < 3; i++) {
    judge(search, "failed", 4);
    judge(search, "passed");
  }
  assertEquals(look(search), [260, 270, 330, true]);
  judge(search, "failed", 5);
  assertEquals(look(search), [270, 0, null, false]);
});

Deno.test("stepwise() learns nothing from what is void", () => {
  const search = stepwise().search();
  judge(search, "failed", 4);
  judge(search, "void", 100);
  assertEquals(look(search), [270, 0, null, false]);
  judge(search, "failed");
  assertEquals(look(search)[0], 210);
});

Deno.test("stepwise() goes down from a start that fails itself, and settles on the first that survives", () => {
  const search = stepwise().search();
  const tried: unknown[] = [];
  for (let i = 0; i < 5; i++) {
    tried.push(search.intervalMs / SECOND);
    judge(search, "failed", 5);
  }
  assertEquals(tried, [270, 210, 150, 90, 45]);
  assertEquals(look(search), [22.5, 0, 45, false]);
  judge(search, "passed");
  assertEquals(look(search), [12.5, 22.5, 45, true]);
});

Deno.test("stepwise() ends at the maximum, tried itself if it survives", () => {
  const search = stepwise({ maxMs: 300 * SECOND }).search();
  judge(search, "passed");
  assertEquals(look(search), [300, 270, null, false]);
  judge(search, "passed");
  assertEquals(look(search), [290, 300, null, true]);
  const atOnce = stepwise({ maxMs: 270 * SECOND }).search();
  judge(atOnce, "passed");
  assertEquals(look(atOnce), [260, 270, null, true]);
});

Deno.test("stepwise() has all its numbers as options", () => {
  const options: StepwiseOptions = { startMs: 4000, stepMs: 500, failures: 2, marginMs: 100, maxMs: 9000 };
  const search = stepwise(options).search();
  judge(search, "passed");
  judge(search, "failed", 2);
  assertEquals(look(search), [3.9, 4, 4.5, true]);
});

Deno.test("stepwise() leaves half of a value that is smaller than the margin", () => {
  const search = stepwise({ startMs: 4000, stepMs: 1000 }).search();
  judge(search, "passed");
  judge(search, "failed", 5);
  assertEquals(search.intervalMs, 2000);
});

Deno.test("stepwise() goes on with what is stored", () => {
  const settled = stepwise().search(record({ loMs: 330_000, hiMs: 390_000, isSettled: true }));
  assertEquals(look(settled), [320, 330, 390, true]);
  const raising = stepwise().search(record({ loMs: 450_000 }));
  assertEquals(look(raising), [510, 450, null, false]);
  const atMaximum = stepwise().search(record({ loMs: 7_200_000 }));
  assertEquals(look(atMaximum), [7190, 7200, null, true]);
});

Deno.test("stepwise() starts afresh where the stored value is beyond its maximum or nothing", () => {
  const options = { maxMs: 300_000 };
  assertEquals(look(stepwise(options).search(record({ loMs: 330_000, isSettled: true }))), [
    270,
    0,
    null,
    false,
  ]);
  assertEquals(look(stepwise().search(record({ loMs: 0, hiMs: 90_000 }))), [270, 0, null, false]);
});

Deno.test("stepwise() makes searches that know nothing of each other", () => {
  const strategy = stepwise();
  const [one, other] = [strategy.search(), strategy.search()];
  judge(one, "passed");
  assertEquals(look(other), [270, 0, null, false]);
});

Deno.test("stepwise() refuses numbers out of range", () => {
  for (const name of ["startMs", "stepMs", "marginMs", "maxMs", "failures"]) {
    for (const value of [-1, NaN, Infinity]) {
      assertThrows(() => stepwise({ [name]: value }), RangeError, "Cannot make the strategy: ");
    }
  }
  for (const options of [{ startMs: 0 }, { stepMs: 0 }, { failures: 0 }, { failures: 1.5 }]) {
    assertThrows(() => stepwise(options), RangeError);
  }
  const error = assertThrows(() => stepwise({ startMs: 300_000, maxMs: 299_999 }), RangeError);
  assertEquals(
    error.message,
    "Cannot make the strategy: maxMs must be from 300000 to 13107100 ms, got 299999",
  );
});

Deno.test("stepwise() settles below the timeout of any strict network, and within a step of it", () => {
  fc.assert(
    fc.property(fc.integer({ min: 20, max: 7000 }), (timeoutS) => {
      const search = stepwise().search();
      for (let i = 0; i < 1000 && !search.isSettled; i++) {
        judge(search, search.intervalMs < timeoutS * SECOND ? "passed" : "failed");
      }
      assert(search.isSettled);
      assertLess(search.intervalMs, timeoutS * SECOND);
      const stepsMs = timeoutS > 270 ? 60 * SECOND : timeoutS * SECOND;
      assertGreaterOrEqual(search.intervalMs, Math.max(timeoutS * SECOND - stepsMs - 10 * SECOND, 0));
    }),
    { seed: 20_240, numRuns: 100 },
  );
});

Deno.test("stepwise() stays within its limits whatever the verdicts", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom<Outcome>("passed", "failed", "void"), { maxLength: 300 }),
      fc.record({
        startMs: fc.integer({ min: 1, max: 600_000 }),
        stepMs: fc.integer({ min: 1, max: 600_000 }),
        failures: fc.integer({ min: 1, max: 6 }),
        marginMs: fc.integer({ min: 0, max: 600_000 }),
      }),
      (outcomes, options) => {
        const search = stepwise(options).search();
        for (const outcome of outcomes) {
          judge(search, outcome);
          const { intervalMs, bracket: { loMs, hiMs } } = search;
          assert(intervalMs > 0 && intervalMs <= 7_200_000);
          assert(hiMs === null || loMs < hiMs);
          assert(!search.isSettled || intervalMs <= loMs);
        }
      },
    ),
    { seed: 20_240, numRuns: 200 },
  );
});
