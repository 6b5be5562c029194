import {
  assert,
  assertEquals,
  assertFalse,
  assertGreaterOrEqual,
  assertLess,
  assertThrows,
} from "@std/assert";
import type { EventLoop, LateNotice, Timer } from "../../pipeline/event_loop.ts";

/** An event loop whose time the suite can move. */
export interface LoopHarness {
  readonly loop: EventLoop;
  /** What tasks and late listeners threw. */
  readonly errors: unknown[];
  /** Lets time pass, the host on time. */
  advance(ms: number): Promise<void> | void;
  /** Suspends the machine, then wakes it. */
  sleep(ms: number): Promise<void> | void;
  /** Lets time pass with the host running its timers only at the end. */
  throttle(ms: number): Promise<void> | void;
  /** Checks that nothing is left behind. */
  dispose(): void;
}

const CENTURY_MS = 100 * 365.25 * 24 * 3_600_000;

/** What every event loop has to do. */
export function eventLoopSuite(name: string, makeLoop: () => LoopHarness): void {
  const test = (behaviour: string, body: (harness: LoopHarness) => Promise<void> | void) =>
    Deno.test(`${name}.${behaviour}`, async () => {
      const harness = makeLoop();
      await body(harness);
      harness.dispose();
    });

  test("now() and wallNow() advance together", async ({ loop, advance }) => {
    const [nowMs, wallMs] = [loop.now(), loop.wallNow()];
    await advance(1500);
    assertEquals([loop.now() - nowMs, loop.wallNow() - wallMs], [1500, 1500]);
  });

  test("random() stays in its range", ({ loop }) => {
    for (let i = 0; i < 1000; i++) {
      const number = loop.random();
      assertGreaterOrEqual(number, 0);
      assertLess(number, 1);
    }
  });

  test("schedule() runs a task once, when it is due, with its argument", async ({ loop, advance }) => {
    const ran: unknown[] = [];
    const startMs = loop.now();
    const timer = loop.schedule(100, (argument: string) => ran.push(argument, loop.now() - startMs), "hello");
    assertEquals([timer.pending, timer.dueMs - startMs], [true, 100]);
    await advance(99);
    assertEquals(ran, []);
    await advance(1);
    assertEquals(ran, ["hello", 100]);
    assertFalse(timer.pending);
    await advance(1000);
    assertEquals(ran.length, 2);
  });

  test("schedule() passes undefined without an argument", async ({ loop, advance }) => {
    const ran: unknown[] = [];
    loop.schedule(1, (argument) => ran.push(argument));
    await advance(1);
    assertEquals(ran, [undefined]);
  });

  test("schedule() keeps the order of deadlines, then of scheduling", async ({ loop, advance }) => {
    const ran: number[] = [];
    const run = (id: number) => ran.push(id);
    // 1 and 2 reach their moment from different levels of the wheel.
    loop.schedule(5000, run, 1);
    await advance(4990);
    loop.schedule(10, run, 2);
    loop.schedule(9, run, 0);
    loop.schedule(10, run, 3);
    await advance(10);
    assertEquals(ran, [0, 1, 2, 3]);
  });

  test("schedule() rounds a fraction of a ms up", async ({ loop, advance }) => {
    let ran = 0;
    loop.schedule(0.25, () => ran++);
    loop.schedule(7.5, () => ran++);
    await advance(7);
    assertEquals(ran, 1);
    await advance(1);
    assertEquals(ran, 2);
  });

  test("schedule() with delay 0 runs later, not at once", async ({ loop, advance }) => {
    let ran = false;
    loop.schedule(0, () => ran = true);
    assertFalse(ran);
    await advance(1);
    assert(ran);
  });

  test("schedule() takes delays above 2^31 ms and of a century", async ({ loop, advance }) => {
    const ran: number[] = [];
    // Whole ticks, to which a loop may round long delays up.
    const long = 2 ** 31 + 512;
    for (const delayMs of [CENTURY_MS, long, 2 ** 32]) {
      loop.schedule(delayMs, (ms) => ran.push(ms), delayMs);
    }
    await advance(long - 1);
    assertEquals(ran, []);
    await advance(1);
    assertEquals(ran, [long]);
    await advance(CENTURY_MS - long - 1);
    assertEquals(ran, [long, 2 ** 32]);
    await advance(1);
    assertEquals(ran, [long, 2 ** 32, CENTURY_MS]);
  });

  test("schedule() takes the largest finite delay", ({ loop }) => {
    const timer = loop.schedule(Number.MAX_VALUE, () => {});
    assert(timer.pending);
    timer.cancel();
  });

  test("schedule() rejects a delay that is none", ({ loop }) => {
    for (const delayMs of [-1, NaN, Infinity]) {
      assertThrows(() => loop.schedule(delayMs, () => {}), RangeError, `delayMs is ${delayMs}`);
    }
  });

  test("schedule() from a running task is in time", async ({ loop, advance }) => {
    const ranAtMs: number[] = [];
    const startMs = loop.now();
    const repeat = () => {
      ranAtMs.push(loop.now() - startMs);
      if (ranAtMs.length < 5) loop.schedule(30, repeat);
    };
    loop.schedule(30, repeat);
    await advance(1000);
    assertEquals(ranAtMs, [30, 60, 90, 120, 150]);
  });

  test("schedule() with delay 0 from a running task runs after what is due already", async ({ loop, advance }) => {
    const ran: string[] = [];
    loop.schedule(10, () => {
      ran.push("first");
      loop.schedule(0, () => ran.push("child"));
    });
    loop.schedule(10, () => ran.push("second"));
    await advance(11);
    assertEquals(ran, ["first", "second", "child"]);
  });

  test("cancel() keeps a task from running; twice or late does nothing", async ({ loop, advance }) => {
    const ran: string[] = [];
    const cancelled = loop.schedule(10, () => ran.push("cancelled"));
    const kept = loop.schedule(10, () => ran.push("kept"));
    cancelled.cancel();
    cancelled.cancel();
    assertFalse(cancelled.pending);
    await advance(10);
    kept.cancel();
    loop.schedule(10, () => ran.push("next"));
    kept.cancel();
    await advance(10);
    assertEquals(ran, ["kept", "next"]);
  });

  test("cancel() from a running task reaches timers of the same moment and itself", async ({ loop, advance }) => {
    const ran: number[] = [];
    const timers: Timer[] = [];
    const run = (id: number) => {
      ran.push(id);
      if (id === 1) { for (const i of [0, 1, 2, 4]) timers[i]!.cancel(); }
    };
    for (const id of [0, 1, 2, 3]) timers.push(loop.schedule(10, run, id));
    timers.push(loop.schedule(20, run, 4));
    await advance(20);
    assertEquals(ran, [0, 1, 3]);
  });

  test("schedule() reports a throw, which harms no other timer", async ({ loop, advance, errors }) => {
    const failure = new Error("task");
    const ran: string[] = [];
    loop.schedule(10, () => {
      throw failure;
    });
    loop.schedule(10, () => ran.push("same moment"));
    loop.schedule(20, () => ran.push("later"));
    await advance(20);
    assertEquals(ran, ["same moment", "later"]);
    assertEquals(errors.splice(0), [failure]);
  });

  test("onLate() tells of a sleep, before overdue timers run in order", async ({ loop, advance, sleep }) => {
    const log: unknown[] = [];
    loop.onLate((notice) => log.push(notice));
    const startMs = loop.now();
    loop.schedule(30_000, () => log.push(["second", loop.now() - startMs]));
    loop.schedule(20_000, () => log.push(["first", loop.now() - startMs]));
    assertEquals(loop.lastLateMs, -Infinity);
    await advance(10_000);
    await sleep(3_600_000);
    assertEquals(log, [{ kind: "slept", lateMs: 3_600_000 }, ["first", 3_610_000], ["second", 3_610_000]]);
    assertEquals(loop.lastLateMs - startMs, 3_610_000);
    await advance(10_000);
    assertEquals(log.length, 3);
  });

  test("onLate() tells of a throttled host, before overdue timers run", async ({ loop, throttle }) => {
    const log: unknown[] = [];
    loop.onLate((notice: LateNotice) => log.push(notice.kind, notice.lateMs >= 5000));
    loop.schedule(1000, () => log.push("task"));
    await throttle(6000);
    assertEquals(log, ["throttled", true, "task"]);
    assertEquals(loop.lastLateMs, loop.now());
  });

  test("onLate() listeners are taken off one by one", async ({ loop, sleep }) => {
    let told = 0;
    const listener = () => void told++;
    const off = loop.onLate(listener);
    loop.onLate(listener);
    await sleep(10_000);
    assertEquals(told, 2);
    off();
    off();
    await sleep(10_000);
    assertEquals(told, 3);
  });

  test("onLate() keeps the throw of one listener from the others", async ({ loop, sleep, errors }) => {
    const failure = new Error("listener");
    let told = 0;
    loop.onLate(() => {
      throw failure;
    });
    loop.onLate(() => void told++);
    await sleep(10_000);
    assertEquals(told, 1);
    assertEquals(errors.splice(0), [failure]);
  });
}
