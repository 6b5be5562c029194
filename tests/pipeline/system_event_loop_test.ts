import {
  assertEquals,
  assertGreaterOrEqual,
  assertNotStrictEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import type { LateNotice } from "../../pipeline/event_loop.ts";
import {
  SystemEventLoop,
  systemEventLoop,
  type SystemEventLoopOptions,
} from "../../pipeline/system_event_loop.ts";
import { eventLoopSuite } from "./_event_loop_suite.ts";
import { FakeHost } from "./_fake_host.ts";

function fakeLoop(options: SystemEventLoopOptions = {}) {
  const host = new FakeHost();
  const errors: unknown[] = [];
  const loop = new SystemEventLoop({ host, onError: (error) => errors.push(error), ...options });
  const notices: LateNotice[] = [];
  loop.onLate((notice) => notices.push(notice));
  return { host, loop, errors, notices };
}

const microtasks = async () => {
  for (let i = 0; i < 3; i++) await Promise.resolve();
};

eventLoopSuite("SystemEventLoop", () => {
  const { host, loop, errors } = fakeLoop();
  return {
    loop,
    errors,
    advance: (ms) => host.advance(ms),
    sleep(ms) {
      host.suspend(ms);
      loop.now();
      host.fire();
      return microtasks();
    },
    throttle(ms) {
      host.stall(ms);
      host.fire();
    },
    dispose: () => assertEquals(errors, []),
  };
});

Deno.test("SystemEventLoop arms the host only for an earlier deadline", () => {
  const { host, loop } = fakeLoop();
  for (const delayMs of [500, 600, 500, 400, 401]) loop.schedule(delayMs, () => {});
  assertEquals(host.arms, 2);
  host.advance(399);
  assertEquals(host.arms, 2);
  host.advance(1000);
  assertEquals([host.arms, host.timers.size], [5, 0]);
});

Deno.test("SystemEventLoop wakes up once for one long delay", () => {
  const { host, loop } = fakeLoop();
  loop.schedule(3_600_000, () => {});
  host.advance(3_600_512);
  assertEquals([host.arms, host.timers.size], [1, 0]);
});

Deno.test("SystemEventLoop lets timers of 10 s and more share wake-ups, up to 1/256 late", () => {
  const { host, loop } = fakeLoop();
  const ranAtMs: number[] = [];
  for (const delayMs of [9_999, 30_001, 30_017, 30_059, 290_001, 290_300]) {
    loop.schedule(delayMs, () => ranAtMs.push(loop.now()));
  }
  host.advance(300_000);
  assertEquals(ranAtMs, [9_999, 30_016, 30_080, 30_080, 290_304, 290_304]);
});

Deno.test("SystemEventLoop leaves the host timer alone while timers come and go, and clears it in the end", async () => {
  const { host, loop } = fakeLoop();
  for (let i = 0; i < 1000; i++) loop.schedule(500, () => {}).cancel();
  assertEquals([host.arms, host.timers.size], [1, 1]);
  await microtasks();
  assertEquals(host.timers.size, 0);
  let ran = 0;
  loop.schedule(500, () => ran++);
  host.advance(500);
  assertEquals([host.arms, ran, host.timers.size], [2, 1, 0]);
});

Deno.test("SystemEventLoop keeps the host timer if a timer came after the last was cancelled", async () => {
  const { host, loop } = fakeLoop();
  loop.schedule(500, () => {}).cancel();
  let ran = 0;
  loop.schedule(700, () => ran++);
  await microtasks();
  host.advance(700);
  assertEquals([ran, host.timers.size], [1, 0]);
});

Deno.test("SystemEventLoop ends its turn although a task schedules itself with delay 0", () => {
  const { host, loop } = fakeLoop();
  let ran = 0;
  const again = () => {
    ran++;
    loop.schedule(0, again);
  };
  loop.schedule(0, again);
  host.fire();
  assertEquals(ran, 1);
  host.advance(10);
  assertEquals(ran, 11);
});

Deno.test("SystemEventLoop copes with a host timer that fires early", () => {
  const { host, loop } = fakeLoop();
  let ran = 0;
  loop.schedule(10, () => ran++);
  host.stall(9.5);
  const early = [...host.timers.values()][0]!.callback;
  host.timers.clear();
  early();
  assertEquals(ran, 0);
  host.advance(1);
  assertEquals(ran, 1);
});

Deno.test("SystemEventLoop.now() counts a suspend, and no step of the wall clock back", async () => {
  const { host, loop, notices } = fakeLoop();
  host.stall(100);
  assertEquals(loop.now(), 100);
  host.wallMs -= 3_600_000;
  assertEquals(loop.now(), 100);
  host.stall(100);
  assertEquals(loop.now(), 200);
  host.suspend(60_000);
  assertEquals([loop.now(), loop.lastLateMs], [60_200, 60_200]);
  assertEquals(notices, []);
  await microtasks();
  assertEquals(notices, [{ kind: "slept", lateMs: 60_000 }]);
});

Deno.test("SystemEventLoop.now() takes no small step of the wall clock for a sleep", async () => {
  const { host, loop, notices } = fakeLoop();
  for (let i = 0; i < 100; i++) {
    host.suspend(999);
    host.stall(1);
    loop.now();
  }
  await microtasks();
  assertEquals([loop.now(), notices], [100, []]);
});

Deno.test("SystemEventLoop gives one notice when the host timer is the first to see a sleep", () => {
  const { host, loop, notices } = fakeLoop();
  const ranAtMs: number[] = [];
  loop.schedule(9_000, () => ranAtMs.push(loop.now()));
  host.advance(4_000);
  host.suspend(60_000);
  host.advance(5_000);
  assertEquals(ranAtMs, [69_000]);
  assertEquals(notices, [{ kind: "slept", lateMs: 60_000 }]);
});

Deno.test("SystemEventLoop gives one notice for a sleep that falls into a turn", async () => {
  const { host, loop, notices } = fakeLoop();
  const ran: string[] = [];
  loop.schedule(1_000, () => {
    host.suspend(60_000);
    loop.now();
  });
  loop.schedule(5_000, () => ran.push("overdue"));
  host.advance(1_000);
  await microtasks();
  host.fire();
  assertEquals(ran, ["overdue"]);
  assertEquals(notices, [{ kind: "slept", lateMs: 60_000 }]);
});

Deno.test("SystemEventLoop says how late a throttled host timer was", () => {
  const { host, loop, notices } = fakeLoop({ lateToleranceMs: 200 });
  loop.schedule(1000, () => {});
  host.stall(1200);
  host.fire();
  assertEquals([notices, loop.lastLateMs], [[], -Infinity]);
  loop.schedule(1000, () => {});
  host.stall(1201);
  host.fire();
  assertEquals([notices, loop.lastLateMs], [[{ kind: "throttled", lateMs: 201 }], 2401]);
});

Deno.test("SystemEventLoop finds itself late because of a task that blocked it", () => {
  const { host, loop, notices } = fakeLoop();
  loop.schedule(10, () => host.stall(5_000));
  loop.schedule(20, () => {});
  host.advance(10);
  host.fire();
  assertEquals(notices, [{ kind: "throttled", lateMs: 4_990 }]);
});

Deno.test("SystemEventLoop with a wake tick sees a sleep although nothing is due", () => {
  const { host, loop, notices } = fakeLoop({ wakeTickMs: 30_000 });
  const timer = loop.schedule(10_000_000, () => {});
  host.advance(100_000);
  assertEquals([host.timers.size, host.arms], [1, 4]);
  host.suspend(600_000);
  host.advance(20_000);
  assertEquals(notices, [{ kind: "slept", lateMs: 600_000 }]);
  host.advance(30_000);
  assertEquals(notices.length, 1);
  timer.cancel();
});

Deno.test("SystemEventLoop without a wake tick sees a sleep at its next timer, or when anybody looks at the clock", async () => {
  const timed = fakeLoop();
  timed.loop.schedule(1_228_800, () => {});
  timed.host.advance(200_000);
  timed.host.suspend(3_600_000);
  // The host's timers stood still as well: this one has as long to wait as before.
  timed.host.advance(1_028_799);
  assertEquals(timed.notices, []);
  timed.host.advance(1);
  assertEquals(timed.notices, [{ kind: "slept", lateMs: 3_600_000 }]);

  const looked = fakeLoop();
  looked.loop.schedule(1_200_000, () => {});
  looked.host.suspend(3_600_000);
  looked.loop.now();
  await microtasks();
  assertEquals(looked.notices, [{ kind: "slept", lateMs: 3_600_000 }]);
});

Deno.test("SystemEventLoop goes on when onError throws", () => {
  const host = new FakeHost();
  const failure = new Error("task");
  const loop = new SystemEventLoop({
    host,
    onError(error) {
      throw error;
    },
  });
  let ran = 0;
  loop.schedule(10, () => {
    throw failure;
  });
  loop.schedule(10, () => ran++);
  assertStrictEquals(assertThrows(() => host.advance(10)), failure);
  host.fire();
  assertEquals([ran, host.timers.size], [1, 0]);
});

Deno.test("SystemEventLoop rejects options out of range", () => {
  assertThrows(() => new SystemEventLoop({ lateToleranceMs: 9 }), RangeError, "lateToleranceMs is 9");
  assertThrows(() => new SystemEventLoop({ lateToleranceMs: NaN }), RangeError, "lateToleranceMs is NaN");
  assertThrows(() => new SystemEventLoop({ wakeTickMs: 0 }), RangeError, "wakeTickMs is 0");
});

Deno.test("systemEventLoop() is one loop", () => {
  assertStrictEquals(systemEventLoop(), systemEventLoop());
  assertNotStrictEquals(systemEventLoop(), new SystemEventLoop());
});

Deno.test("SystemEventLoop runs on the platform's own clocks", async () => {
  const loop = new SystemEventLoop();
  const ran: string[] = [];
  const done = new Promise<void>((resolve) => {
    const last = loop.schedule(6, () => {
      ran.push("last");
      assertGreaterOrEqual(loop.now(), last.dueMs);
      resolve();
    });
  });
  loop.schedule(2, (name: string) => ran.push(name), "first");
  loop.schedule(1, () => ran.push("never")).cancel();
  await done;
  assertEquals(ran, ["first", "last"]);
});

Deno.test("SystemEventLoop lets the process go once nothing is pending", async () => {
  const program = `
    import { SystemEventLoop } from "${import.meta.resolve("../../pipeline/system_event_loop.ts")}";
    const loop = new SystemEventLoop();
    const long = loop.schedule(3_600_000, () => console.log("never"));
    loop.schedule(5, () => {
      console.log("ran");
      long.cancel();
    });
  `;
  // The signal only bounds a failure: a process that stays would stay for an hour.
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    signal: AbortSignal.timeout(60_000),
  });
  const { success, stdout } = await child.output();
  assertEquals([success, new TextDecoder().decode(stdout)], [true, "ran\n"]);
});
