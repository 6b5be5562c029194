import { assert, assertEquals, assertLessOrEqual, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { deadline, TimerWheel } from "../../pipeline/_timer_wheel.ts";

/** What the wheel and its model have in common. */
interface Queue {
  schedule(dueMs: number, task: () => void): { cancel(): void };
  takeDue(nowMs: number): { readonly dueMs: number; run(): void } | undefined;
  nextDueMs(): number | undefined;
  size(): number;
}

function wheelQueue(startMs: number): Queue {
  const wheel = new TimerWheel(startMs);
  return {
    schedule: (dueMs, task) => wheel.schedule(dueMs, task, undefined),
    takeDue: (nowMs) => wheel.takeDue(nowMs),
    nextDueMs() {
      const exactMs = wheel.nextDueMs(Infinity);
      if (exactMs !== undefined) assertLessOrEqual(wheel.nextDueMs(1)!, exactMs);
      return exactMs;
    },
    size: () => wheel.size,
  };
}

/** The obvious way: a list, sorted by deadline; sorting is stable. */
function sortedListQueue(): Queue {
  let list: { dueMs: number; run: () => void }[] = [];
  return {
    schedule(dueMs, run) {
      const entry = { dueMs, run };
      list = [...list, entry].sort((a, b) => a.dueMs - b.dueMs);
      return { cancel: () => void (list = list.filter((other) => other !== entry)) };
    },
    takeDue: (nowMs) => list.length > 0 && list[0]!.dueMs <= nowMs ? list.shift() : undefined,
    nextDueMs: () => list[0]?.dueMs,
    size: () => list.length,
  };
}

type Action =
  | { readonly kind: "schedule"; readonly delayMs: number; readonly inTask: readonly Action[] }
  | { readonly kind: "cancel"; readonly which: number }
  | { readonly kind: "advance"; readonly ms: number };

const delays = fc.oneof(
  { weight: 3, arbitrary: fc.nat(3) },
  { weight: 1, arbitrary: fc.nat(100) },
  { weight: 1, arbitrary: fc.nat(100_000) },
  { weight: 1, arbitrary: fc.nat(2 ** 31 - 1) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 4_000_000_000_000 }) },
);
const cancels = fc.record({ kind: fc.constant("cancel" as const), which: fc.nat(50) });
const schedules = (inTask: fc.Arbitrary<readonly Action[]>) =>
  fc.record({ kind: fc.constant("schedule" as const), delayMs: delays, inTask });
const advances = fc.record({ kind: fc.constant("advance" as const), ms: delays });
const child = fc.oneof(cancels, schedules(fc.constant([])));
const scripts: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: schedules(fc.array(child, { maxLength: 3 })) },
    { weight: 2, arbitrary: cancels },
    { weight: 1, arbitrary: advances },
  ),
  // Several timers have to meet in a slot, and cancels to meet them there.
  { maxLength: 80, size: "max" },
);
const starts = fc.constantFrom(0, 2 ** 30 - 5, 2 ** 31 - 3, 2 ** 32 - 70, 1_767_225_600_000);

/** Plays a script and returns all that can be seen. */
function play(queue: Queue, startMs: number, script: readonly Action[]): unknown[] {
  const log: unknown[] = [];
  const timers: { cancel(): void }[] = [];
  let nowMs = startMs;
  const act = (action: Action): void => {
    switch (action.kind) {
      case "schedule": {
        const id = timers.length;
        const task = () => {
          log.push([id, nowMs]);
          action.inTask.forEach(act);
        };
        timers.push(queue.schedule(nowMs + action.delayMs, task));
        break;
      }
      case "cancel":
        timers[action.which]?.cancel();
        break;
      case "advance": {
        const targetMs = nowMs + action.ms;
        for (let timer = queue.takeDue(targetMs); timer !== undefined; timer = queue.takeDue(targetMs)) {
          nowMs = timer.dueMs;
          timer.run();
        }
        nowMs = targetMs;
      }
    }
    log.push([queue.size(), queue.nextDueMs()]);
  };
  script.forEach(act);
  act({ kind: "advance", ms: 10_000_000_000_000 });
  return log;
}

Deno.test("TimerWheel behaves like a sorted list", () => {
  fc.assert(
    fc.property(starts, scripts, (startMs, script) => {
      assertEquals(play(wheelQueue(startMs), startMs, script), play(sortedListQueue(), startMs, script));
    }),
    { seed: 20260101, numRuns: 500 },
  );
});

Deno.test("TimerWheel.takeDue() keeps thousands of timers in order while time jumps", () => {
  const wheel = new TimerWheel(0);
  const due = Array.from({ length: 5000 }, (_, i) => (i * 7919 + 31) % 300_000);
  const ran: number[] = [];
  for (const dueMs of due) wheel.schedule(dueMs, () => ran.push(dueMs), undefined);
  for (let nowMs = 0; nowMs < 310_000; nowMs += 997.5) {
    for (let timer = wheel.takeDue(nowMs); timer !== undefined; timer = wheel.takeDue(nowMs)) {
      assertLessOrEqual(timer.dueMs, nowMs);
      timer.run();
    }
  }
  assertEquals(ran, due.toSorted((a, b) => a - b));
});

Deno.test("TimerWheel.nextDueMs() looks at no more timers than it was told", () => {
  const wheel = new TimerWheel(0);
  for (let i = 0; i < 10; i++) wheel.schedule(1030 + i, () => {}, undefined);
  assertEquals(wheel.nextDueMs(10), 1030);
  assertEquals(wheel.nextDueMs(9), 1024);
});

Deno.test("TimerWheel tells when cancelling has emptied it", () => {
  let emptied = 0;
  const wheel = new TimerWheel(0, () => emptied++);
  const first = wheel.schedule(10, () => {}, undefined);
  const second = wheel.schedule(10, () => {}, undefined);
  first.cancel();
  assertEquals(emptied, 0);
  second.cancel();
  second.cancel();
  assertEquals([emptied, wheel.size], [1, 0]);
});

Deno.test("WheelTimer lets go of its task and argument once spent", () => {
  const wheel = new TimerWheel(0);
  const argument = {};
  const cancelled = wheel.schedule(10, () => {}, argument);
  const ran = wheel.schedule(10, () => {}, argument);
  assertStrictEquals(ran.argument, argument);
  cancelled.cancel();
  wheel.takeDue(10)!.run();
  for (const timer of [cancelled, ran]) {
    assertStrictEquals(timer.argument, undefined);
    assert(!timer.pending);
  }
  assertStrictEquals(cancelled.task, ran.task);
});

Deno.test("deadline() rounds up and is bounded", () => {
  assertEquals(deadline(0.25, 10), 11);
  assertEquals(deadline(3, 0), 3);
  assertEquals(deadline(3, 1e300), Number.MAX_SAFE_INTEGER);
  assertThrows(() => deadline(0, -0.5), RangeError, "Cannot schedule a timer: delayMs is -0.5");
});
