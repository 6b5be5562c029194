import { assertEquals, assertInstanceOf, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { VirtualEventLoop } from "../../pipeline/virtual_event_loop.ts";
import { eventLoopSuite } from "./_event_loop_suite.ts";

eventLoopSuite("VirtualEventLoop", () => {
  const loop = new VirtualEventLoop();
  const errors: unknown[] = [];
  const caught = (move: () => void) => {
    try {
      move();
    } catch (error) {
      errors.push(error);
    }
  };
  return {
    loop,
    errors,
    advance: (ms) => caught(() => loop.advanceBy(ms)),
    sleep: (ms) => caught(() => loop.sleep(ms)),
    throttle: (ms) => caught(() => loop.throttle(ms)),
    dispose: () => assertEquals([loop.pendingTimers, errors], [0, []]),
  };
});

const delay = (loop: VirtualEventLoop, ms: number) =>
  new Promise<void>((resolve) => loop.schedule(ms, resolve));

Deno.test("VirtualEventLoop begins where it is told", () => {
  const loop = new VirtualEventLoop({ startMs: 500, wallStartMs: 1_000_000 });
  assertEquals([loop.now(), loop.wallNow()], [500, 1_000_000]);
  loop.advanceTo(750);
  assertEquals([loop.now(), loop.wallNow()], [750, 1_000_250]);
  assertEquals(new Date(new VirtualEventLoop().wallNow()).toISOString(), "2026-01-01T00:00:00.000Z");
});

Deno.test("VirtualEventLoop rejects options out of range", () => {
  assertThrows(() => new VirtualEventLoop({ startMs: -1 }), RangeError, "startMs is -1");
  assertThrows(() => new VirtualEventLoop({ wallStartMs: NaN }), RangeError, "wallStartMs is NaN");
  assertThrows(() => new VirtualEventLoop({ seed: 0.5 }), RangeError, "seed is 0.5");
});

Deno.test("VirtualEventLoop.random() repeats with its seed and is even", () => {
  const draw = (seed?: number) => {
    const loop = new VirtualEventLoop({ seed });
    return Array.from({ length: 10_000 }, () => loop.random());
  };
  assertEquals(draw(7), draw(7));
  assertEquals(draw(), draw(1));
  assertNotEquals(draw(7), draw(8));
  const tenths = new Array(10).fill(0);
  for (const number of draw(7)) tenths[Math.floor(number * 10)]++;
  // 1000 are expected in each; 6 standard deviations are 180.
  assertEquals(tenths.filter((count) => Math.abs(count - 1000) > 180), []);
});

Deno.test("VirtualEventLoop.advanceBy() steps to each deadline", () => {
  const loop = new VirtualEventLoop();
  const seen: number[][] = [];
  for (const ms of [70_000, 10, 2 ** 33]) {
    loop.schedule(ms, () => seen.push([loop.now(), loop.nextDueMs ?? -1]));
  }
  assertEquals([loop.pendingTimers, loop.nextDueMs], [3, 10]);
  loop.advanceBy(2 ** 33);
  assertEquals(seen, [[10, 70_000], [70_000, 2 ** 33], [2 ** 33, -1]]);
  assertEquals([loop.pendingTimers, loop.nextDueMs], [0, undefined]);
});

Deno.test("VirtualEventLoop.advanceTo() does not go back", () => {
  const loop = new VirtualEventLoop({ startMs: 10 });
  assertThrows(() => loop.advanceTo(9), RangeError, "Cannot advance: targetMs is 9");
  assertThrows(() => loop.advanceBy(-1), RangeError, "Cannot advance: ms is -1");
  assertThrows(() => loop.advanceBy(NaN), RangeError, "Cannot advance: ms is NaN");
  assertThrows(() => loop.advanceTo(2 ** 54), RangeError, "targetMs");
  assertThrows(() => loop.sleep(0), RangeError, "Cannot sleep: ms is 0");
  assertThrows(() => loop.throttle(NaN), RangeError, "Cannot throttle: ms is NaN");
  assertEquals(loop.now(), 10);
});

Deno.test("VirtualEventLoop.advanceBy() throws several failures together, at its end", () => {
  const loop = new VirtualEventLoop();
  for (const ms of [1, 2]) {
    loop.schedule(ms, () => {
      throw new Error(`task ${ms}`);
    });
  }
  const error = assertThrows(() => loop.advanceBy(10));
  assertInstanceOf(error, AggregateError);
  assertEquals(error.errors.map((each: Error) => each.message), ["task 1", "task 2"]);
  assertEquals(loop.now(), 10);
  loop.advanceBy(1);
});

Deno.test("VirtualEventLoop.advanceBy() from a task is an error", () => {
  const loop = new VirtualEventLoop();
  loop.schedule(1, () => loop.advanceBy(1));
  assertThrows(() => loop.advanceBy(5), Error, "the time is already being moved");
});

Deno.test("VirtualEventLoop.advanceBy() detects time that stands still", () => {
  const loop = new VirtualEventLoop();
  const again = () => void loop.schedule(0, again);
  loop.schedule(5, again);
  assertThrows(() => loop.advanceBy(10), Error, "over 1000000 timers ran at 5 ms");
});

Deno.test("VirtualEventLoop.advanceBy() runs any number of timers that were pending", () => {
  const loop = new VirtualEventLoop();
  let ran = 0;
  const count = () => void ran++;
  for (let i = 0; i < 1_100_000; i++) loop.schedule(5, count);
  loop.advanceBy(5);
  assertEquals(ran, 1_100_000);
});

Deno.test("VirtualEventLoop.advanceBy() runs any number of timers while time goes on", () => {
  const loop = new VirtualEventLoop();
  let ran = 0;
  const again = () => {
    ran++;
    loop.schedule(1, again);
  };
  loop.schedule(1, again);
  loop.advanceBy(1_000_100);
  assertEquals([ran, loop.pendingTimers], [1_000_100, 1]);
});

Deno.test("VirtualEventLoop.advanceByAsync() sees timers scheduled behind awaits", async () => {
  const loop = new VirtualEventLoop();
  const log: (number | string)[] = [];
  const chain = async () => {
    await delay(loop, 100);
    for (let i = 0; i < 500; i++) await Promise.resolve();
    await delay(loop, 50);
    log.push(loop.now());
  };
  const pending = chain();
  loop.schedule(160, () => log.push("later"));
  await loop.advanceByAsync(200);
  assertEquals(log, [150, "later"]);
  assertEquals(loop.now(), 200);
  await pending;
});

Deno.test("VirtualEventLoop.advanceByAsync() runs what waits before its first step", async () => {
  const loop = new VirtualEventLoop();
  let ranAtMs = -1;
  Promise.resolve().then(() => Promise.resolve()).then(() => loop.schedule(5, () => ranAtMs = loop.now()));
  await loop.advanceByAsync(10);
  assertEquals(ranAtMs, 5);
});

Deno.test("VirtualEventLoop.advanceByAsync() throws what a task threw, and excludes other moves", async () => {
  const loop = new VirtualEventLoop();
  loop.schedule(1, () => {
    throw new Error("task");
  });
  const moving = loop.advanceByAsync(10);
  assertThrows(() => loop.advanceBy(1), Error, "the time is already being moved");
  await assertRejects(() => moving, Error, "task");
  assertEquals(loop.now(), 10);
  await assertRejects(() => loop.advanceByAsync(-1), RangeError, "ms is -1");
});

Deno.test("VirtualEventLoop.runMicrotasks() moves no time", async () => {
  const loop = new VirtualEventLoop();
  let awaited = 0;
  (async () => {
    for (; awaited < 50; awaited++) await Promise.resolve();
  })();
  loop.schedule(0, () => awaited = -1);
  await loop.runMicrotasks();
  assertEquals([awaited, loop.now(), loop.pendingTimers], [50, 0, 1]);
});

Deno.test("VirtualEventLoop.sleep() moves the wall clock as well", () => {
  const loop = new VirtualEventLoop({ wallStartMs: 0 });
  loop.sleep(3_600_000);
  assertEquals([loop.now(), loop.wallNow(), loop.lastLateMs], [3_600_000, 3_600_000, 3_600_000]);
});
