import { assert, assertAlmostEquals, assertEquals, assertGreater, assertLess } from "@std/assert";
import type { IntervalSearch } from "../../handlers/mod.ts";
import { bisection } from "../../bench/sim/bisection.ts";
import { mars } from "../../bench/sim/mars.ts";
import { draw, elsewhere, knownTimeouts, LADDER_S } from "../../bench/sim/population.ts";
import { run, type RunOptions } from "../../bench/sim/run.ts";
import { quantile } from "../../bench/sim/statistics.ts";
import { CONTESTANTS } from "../../bench/sim/strategies.ts";
import { percent, textTable } from "../../bench/sim/text_table.ts";

const DAY_MS = 86_400_000;

/** Lets a search beat on a network until it settles. */
function settle(search: IntervalSearch, timeoutMs: number, linkUp = () => {}) {
  const intervals: number[] = [];
  let ms = 0;
  while (!search.isSettled && intervals.length < 1_000) {
    const idleMs = search.intervalMs;
    intervals.push(idleMs);
    ms += idleMs;
    const outcome = idleMs < timeoutMs ? "passed" : "failed";
    search.judge({ idleMs, outcome, reason: "", atMs: ms });
    if (outcome === "failed") linkUp();
  }
  return { intervals, ms };
}

Deno.test("mars() takes 3.8 hours to its cap, as its constants say", () => {
  const search = mars().search();
  const { intervals, ms } = settle(search, Infinity);
  assertEquals(search.intervalMs, 580_000);
  assertEquals(intervals.slice(0, 3), [210_000, 210_000, 210_000]);
  assertAlmostEquals(ms / 3_600_000, 3.8 + 600 / 3_600, 0.2);
});

Deno.test("mars() settles 80 s below after two failures, and starts over after two more", () => {
  const strategy = mars();
  const search = strategy.search();
  const { intervals } = settle(search, 400_000, () => strategy.linkUp());
  // Three short beats on the link after each failure.
  assertEquals(intervals.slice(-5), [450_000, 210_000, 210_000, 210_000, 450_000]);
  for (let i = 0; i < 3; i++) search.judge({ idleMs: 210_000, outcome: "passed", reason: "", atMs: 0 });
  assertEquals([search.isSettled, search.intervalMs], [true, 370_000]);
  for (let failure = 0; failure < 2; failure++) {
    assert(search.isSettled);
    search.judge({ idleMs: 370_000, outcome: "failed", reason: "", atMs: 0 });
    strategy.linkUp();
    for (let i = 0; i < 3; i++) search.judge({ idleMs: 210_000, outcome: "passed", reason: "", atMs: 0 });
  }
  assertEquals([search.isSettled, search.intervalMs], [false, 210_000]);
});

Deno.test("mars() learns nothing from failures at its shortest interval", () => {
  const search = mars().search();
  for (let i = 0; i < 20; i++) search.judge({ idleMs: 210_000, outcome: "failed", reason: "", atMs: 0 });
  assertEquals([search.isSettled, search.intervalMs], [false, 210_000]);
});

Deno.test("bisection() ends below the timeout, within its precision", () => {
  for (const timeoutMs of [47_000, 60_000, 300_000, 1_800_000, 7_000_000]) {
    const search = bisection().search();
    settle(search, timeoutMs);
    assertLess(search.intervalMs, timeoutMs);
    assertGreater(search.intervalMs, Math.min(timeoutMs - 10_001, timeoutMs / 1.06));
  }
});

Deno.test("draw() takes the networks of a kind by their weights", async () => {
  const known = await knownTimeouts();
  assert(known.every(({ timeoutS, weight }) => timeoutS > 0 && weight > 0));
  const proxies = draw(known, "proxy", 1_000, 1);
  const share = proxies.filter((timeoutS) => timeoutS === 60).length / 1_000;
  const ofKind = known.filter(({ kind }) => kind === "proxy");
  const sum = ofKind.reduce((sum, { weight }) => sum + weight, 0);
  const wanted = ofKind.reduce((sum, one) => sum + (one.timeoutS === 60 ? one.weight : 0), 0) / sum;
  assertAlmostEquals(share, wanted, 0.01);
  assertEquals(draw(known, "home", 6, 3), draw(known, "home", 6, 3));
});

Deno.test("elsewhere() keeps away from the ladder", () => {
  for (const timeoutS of elsewhere(50)) {
    assert(LADDER_S.every((rung) => Math.abs(timeoutS / rung - 1) > 0.02));
    assert(timeoutS >= 30 && timeoutS <= 7_200);
  }
});

Deno.test("run() repeats exactly", async () => {
  const options = (): RunOptions => ({
    strategy: CONTESTANTS.find(({ name }) => name === "edge")!.strategy(),
    mode: "loose",
    timeouts: [{ fromMs: 0, timeoutMs: 120_000 }],
    lengthMs: DAY_MS,
    loss: 0.01,
    outages: { perHour: 1, lengthMs: 30_000 },
    pushesPerHour: 4,
    seed: 5,
  });
  const one = await run(options());
  assertEquals(await run(options()), one);
  assertGreater(one.lost, 0);
  assertEquals(one.errors, []);
});

Deno.test("run() sees what fixed intervals cost", async () => {
  const fixed240 = CONTESTANTS.find(({ name }) => name === "fixed240")!;
  const timeouts = [{ fromMs: 0, timeoutMs: 60_000 }];
  const loose = await run({
    strategy: fixed240.strategy(),
    mode: "loose",
    timeouts,
    lengthMs: DAY_MS,
    pushesPerHour: 10,
  });
  // A client's ping revives the entry: nothing is noticed, and pushes are lost for three quarters of the time.
  assertGreater(loose.unreachableShare, 0.5);
  assertLess(loose.pushes.received, loose.pushes.sent * 0.5);
  const strict = await run({ strategy: fixed240.strategy(), mode: "strict", timeouts, lengthMs: DAY_MS });
  assertAlmostEquals(strict.unreachableShare, (240 - 60 + 9) / (240 + 9), 0.01);
  assertAlmostEquals(strict.lostToExpiry, DAY_MS / 249_000, 5);
  const enough = await run({
    strategy: fixed240.strategy(),
    mode: "strict",
    timeouts: [{ fromMs: 0, timeoutMs: 300_000 }],
    lengthMs: DAY_MS,
  });
  assertEquals([enough.unreachableShare, enough.lost, enough.settledMs], [0, 0, 0]);
});

Deno.test("quantile() takes null for never", () => {
  assertEquals(quantile([3, 1, null, 2], 0.5), 2);
  assertEquals(quantile([3, 1, null, 2], 1), Infinity);
  assertEquals(quantile([], 0.5), NaN);
});

Deno.test("percent() shows nothing as nothing, and little as little", () => {
  assertEquals([percent(0), percent(1e-6), percent(0.5)], ["0", "<0.1 %", "50.0 %"]);
  assertEquals(textTable([["a", "b"], ["cc", "1"]]), "a   b\n--  -\ncc  1");
});
