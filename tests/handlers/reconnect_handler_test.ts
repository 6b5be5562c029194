import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  Bootstrap,
  ChannelClosedError,
  type ChannelHandler,
  ConnectError,
  EmbeddedChannel,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { memory } from "../../pipeline/transports/memory.ts";
import { type QueuePolicy, ReconnectHandler } from "../../handlers/mod.ts";
import { connected, network, prove, type Reconnecting, reconnecting, STATES } from "./_reconnect_rig.ts";
import { Collector } from "./_rig.ts";

/** Whether values spread evenly from 0 to a bound: ten parts of it, each with about a tenth of them. */
function assertUniform(values: readonly number[], boundMs: number): void {
  const parts = Array.from({ length: 10 }, () => 0);
  for (const value of values) {
    assertGreaterOrEqual(value, 0);
    assertLess(value, boundMs);
    parts[Math.floor(value / boundMs * 10)]!++;
  }
  const tenth = values.length / 10;
  for (const part of parts) {
    assertGreater(part, tenth * 0.8);
    assertLess(part, tenth * 1.2);
  }
}

function delaysOf({ end }: Reconnecting): number[] {
  return end.take("reconnect").map(({ delayMs }) => delayMs);
}

Deno.test("ReconnectHandler makes the first try uniformly within 0.8 s", () => {
  const rig = connected();
  const delays: number[] = [];
  for (let i = 0; i < 3000; i++) {
    rig.channel.loseLink();
    rig.channel.advanceBy(800);
    assert(rig.channel.isActive);
    prove(rig);
    delays.push(...delaysOf(rig));
  }
  assertEquals(delays.length, 3000);
  assertUniform(delays, 800);
  assert(rig.tries.every(({ atMs }, i) => atMs === i * 800 + Math.ceil(delays[i]!)));
});

Deno.test("ReconnectHandler doubles the bound up to 5 s and keeps the jitter full there", () => {
  const byAttempt: number[][] = [];
  for (let seed = 1; seed <= 400; seed++) {
    const rig = connected({ seed });
    rig.server.is = "down";
    rig.channel.loseLink();
    rig.channel.advanceBy(60_000);
    for (const { attempt, delayMs } of rig.end.take("reconnect")) (byAttempt[attempt] ??= []).push(delayMs);
  }
  for (const [attempt, boundMs] of [[1, 800], [2, 1600], [3, 3200]] as const) {
    assertGreater(Math.max(...byAttempt[attempt]!), boundMs * 0.98);
    assertLess(Math.max(...byAttempt[attempt]!), boundMs);
    assertLess(Math.min(...byAttempt[attempt]!), boundMs * 0.02);
  }
  // Where others stand in step: socket.io waits exactly 5 s from its fifth try on.
  assertUniform(byAttempt.slice(4).flat(), 5000);
});

Deno.test("ReconnectHandler waits up to 30 s once an outage has lasted two minutes", () => {
  const early: number[] = [];
  const late: number[] = [];
  for (let seed = 1; seed <= 60; seed++) {
    const rig = connected({ seed });
    rig.server.is = "down";
    rig.channel.loseLink();
    rig.channel.advanceBy(119_999);
    early.push(...delaysOf(rig));
    rig.channel.advanceBy(30_000);
    rig.end.events.length = 0;
    rig.channel.advanceBy(1_200_000);
    late.push(...delaysOf(rig));
  }
  assertLess(Math.max(...early), 5000);
  assertGreater(late.length, 3000);
  assertUniform(late, 30_000);
});

Deno.test("ReconnectHandler has its timing as options", () => {
  const rig = connected({ firstMs: 10, capMs: 20, lateCapMs: 40, lateAfterMs: 1000 });
  rig.server.is = "down";
  rig.channel.loseLink();
  rig.channel.advanceBy(999);
  const early = delaysOf(rig);
  rig.channel.advanceBy(10_000);
  assert(early[0]! < 10 && early.every((delayMs) => delayMs < 20));
  assert(delaysOf(rig).slice(1).some((delayMs) => delayMs > 20 && delayMs < 40));
});

Deno.test("ReconnectHandler backs off also where the first try is to come at once", () => {
  const rig = connected({ firstMs: 0 });
  rig.server.is = "down";
  rig.channel.loseLink();
  rig.channel.advanceBy(60_000);
  assertEquals(rig.tries[0]!.atMs, 0);
  assertLess(rig.tries.length, 60);
});

Deno.test("ReconnectHandler counts tries until the link proved valid, not until it stands", () => {
  const rig = connected();
  rig.channel.loseLink();
  rig.channel.advanceBy(800);
  // A server that accepts and drops at once.
  const attempts: number[] = [];
  for (let i = 0; i < 20; i++) {
    while (!rig.channel.isActive) rig.channel.advanceBy(100);
    attempts.push(rig.handler.attempts);
    rig.channel.loseLink("remoteClosed");
  }
  assertEquals(attempts, Array.from({ length: 20 }, (_, i) => i + 1));
  assertEquals(rig.end.take("reconnect").at(-1)!.attempt, 21);
  // A connect a second at most: it does not hammer.
  assertGreater(rig.tries.at(-1)!.atMs, 20_000);
});

Deno.test("ReconnectHandler takes no message for a proof that the handlers behind it drop the link over", () => {
  const refuse: ChannelHandler = { channelRead: ({ channel }) => channel.drop("protocol") };
  const rig = reconnecting({ after: [refuse] });
  rig.channel.connect("embedded://peer");
  for (let i = 0; i < 20; i++) {
    while (!rig.channel.isActive) rig.channel.advanceBy(100);
    rig.channel.pipeline.fireChannelRead("<html>Please log in</html>");
    assertFalse(rig.channel.isActive);
  }
  assertEquals(rig.end.take("reconnect").at(-1)!.attempt, 21);
  assertGreater(rig.tries.at(-1)!.atMs, 20_000);
});

Deno.test("ReconnectHandler starts the count over at an answered heartbeat or a message", () => {
  const proofs = [prove, (rig: Reconnecting) => rig.channel.pipeline.fireChannelRead("hello")];
  for (const proof of proofs) {
    const rig = connected();
    for (let i = 0; i < 5; i++) {
      rig.channel.loseLink();
      while (!rig.channel.isActive) rig.channel.advanceBy(100);
    }
    assertEquals(rig.handler.attempts, 5);
    proof(rig);
    assertEquals(rig.handler.attempts, 0);
    rig.channel.loseLink();
    const [event] = rig.end.take("reconnect").slice(-1);
    assertEquals(event!.attempt, 1);
    assertLess(event!.delayMs, 800);
  }
});

Deno.test("ReconnectHandler tells what each try failed with", () => {
  const rig = connected();
  rig.server.is = "down";
  rig.channel.loseLink();
  rig.channel.advanceBy(2400);
  const [first, second] = rig.end.events.filter(({ type }) => type === "reconnect");
  assertEquals([first!.attempt, "error" in first!], [1, false]);
  assertEquals(second!.attempt, 2);
  assertInstanceOf(second!.error, ConnectError);
});

Deno.test("ReconnectHandler tries the first connect again like any other", async () => {
  const rig = reconnecting();
  rig.server.is = "down";
  const connect = rig.channel.connect("embedded://peer");
  rig.channel.advanceBy(20_000);
  assertGreater(rig.tries.length, 3);
  assertFalse(connect.isDone);
  rig.server.is = "up";
  rig.channel.advanceBy(5000);
  await connect;
  assertEquals(rig.handler.state, "up");
});

Deno.test("ReconnectHandler lets a try take as long as the connect timeout, then tries again", () => {
  const rig = reconnecting({ connectTimeoutMs: 2000 });
  rig.server.is = "silent";
  rig.channel.connect("embedded://peer").onSettled(() => {});
  rig.channel.advanceBy(2000);
  assert(rig.tries[0]!.signal.aborted);
  assertEquals(rig.handler.state, "waiting");
  rig.channel.advanceBy(1600);
  assertEquals(rig.tries.length, 2);
});

Deno.test("ReconnectHandler does not try an address again that cannot be parsed", async () => {
  const connect = new Bootstrap({
    transport: memory(),
    loop: new VirtualEventLoop(),
    pipeline: (p) => p.addLast(new ReconnectHandler(), new Collector()),
  }).connect("nonsense");
  await assertRejects(() => connect, TypeError, 'Cannot parse the address "nonsense"');
});

Deno.test("ReconnectHandler asks for address and credentials anew for each try", () => {
  const rig = reconnecting();
  rig.server.is = "down";
  let asked = 0;
  const source = () => ({ address: `embedded://peer${++asked}`, credentials: `ticket ${asked}` });
  rig.channel.connect(source).onSettled(() => {});
  rig.channel.advanceBy(10_000);
  rig.server.is = "up";
  rig.channel.advanceBy(5000);
  assertGreater(asked, 3);
  assertEquals(
    rig.tries.map(({ remote }) => remote.credentials),
    Array.from({ length: asked }, (_, i) => `ticket ${i + 1}`),
  );
  assertEquals(rig.channel.remote, { address: `embedded://peer${asked}`, credentials: `ticket ${asked}` });
});

Deno.test("ReconnectHandler tries again when the address could not be had", async () => {
  for (const isAsync of [true, false]) {
    const rig = reconnecting();
    let asked = 0;
    const connect = rig.channel.connect(() => {
      // fetch() fails with a TypeError as well, which is no wrong address.
      const error = new TypeError("fetch failed");
      if (++asked > 3) return "embedded://peer";
      if (isAsync) return Promise.reject(error);
      throw error;
    });
    await rig.channel.advanceByAsync(10_000);
    await connect;
    assertEquals(asked, 4);
    const [failed] = rig.end.take("reconnect");
    assertInstanceOf(failed!.error, ConnectError);
  }
});

Deno.test("ReconnectHandler makes no try while offline, and one at once when online", () => {
  const rig = connected();
  rig.server.is = "down";
  rig.channel.loseLink();
  rig.channel.advanceBy(5000);
  network(rig, "offline");
  assertEquals([rig.handler.state, rig.loop.pendingTimers, rig.loop.listeners], ["offline", 0, 0]);
  rig.tries.length = 0;
  rig.channel.advanceBy(3_600_000);
  assertEquals(rig.tries, []);
  rig.server.is = "up";
  network(rig, "online");
  assertEquals([rig.tries.length, rig.handler.state], [1, "up"]);
});

Deno.test("ReconnectHandler makes no try for a link that is lost while offline", () => {
  const rig = connected();
  network(rig, "offline");
  assertEquals(rig.handler.state, "up");
  rig.channel.loseLink();
  assertEquals(rig.handler.state, "offline");
  rig.channel.advanceBy(60_000);
  assertEquals(rig.tries, []);
  network(rig, "changed");
  assert(rig.channel.isActive);
});

Deno.test("ReconnectHandler waits for the network also with the first connect", async () => {
  const rig = reconnecting();
  network(rig, "offline");
  const connect = rig.channel.connect("embedded://peer");
  rig.channel.advanceBy(60_000);
  assertEquals([rig.tries.length, rig.handler.state], [0, "offline"]);
  network(rig, "online");
  await connect;
  assertEquals(rig.handler.state, "up");
});

Deno.test("ReconnectHandler ends a try that hangs on a network that is gone", () => {
  for (const events of [["changed"], ["online"], ["offline", "online"]] as const) {
    const rig = connected();
    rig.server.is = "silent";
    rig.channel.loseLink();
    rig.channel.advanceBy(1000);
    assertEquals([rig.tries.length, rig.handler.state], [1, "connecting"]);
    rig.server.is = "up";
    for (const event of events) network(rig, event);
    assertEquals([rig.tries.length, rig.handler.state, rig.tries[0]!.signal.aborted], [2, "up", true]);
    assertEquals(rig.loop.listeners, 0);
  }
});

Deno.test("ReconnectHandler tries at once when the machine wakes, whatever it was doing", () => {
  for (const before of ["down", "silent"] as const) {
    const rig = connected({ lateCapMs: 24 * 3_600_000, capMs: 24 * 3_600_000, firstMs: 3_600_000 });
    rig.server.is = before;
    rig.channel.loseLink();
    network(rig, "online");
    assertEquals(rig.handler.state, before === "down" ? "waiting" : "connecting");
    rig.server.is = "up";
    rig.tries.length = 0;
    rig.loop.sleep(1000);
    assertEquals([rig.handler.state, rig.tries.length, rig.tries[0]!.atMs], ["up", 1, 1000]);
    assertEquals([rig.loop.pendingTimers, rig.loop.listeners], [0, 0]);
  }
});

Deno.test("ReconnectHandler does not take a throttled timer for a sleep", () => {
  const rig = connected({ firstMs: 3_600_000, capMs: 3_600_000, lateCapMs: 3_600_000 });
  rig.server.is = "down";
  rig.channel.loseLink();
  rig.loop.throttle(10);
  assertEquals(rig.tries.length, 0);
});

Deno.test("ReconnectHandler tries at once when the application comes to the foreground", () => {
  const rig = connected({ firstMs: 3_600_000, capMs: 3_600_000, lateCapMs: 3_600_000 });
  rig.channel.loseLink();
  const tell = (state: string) => rig.channel.pipeline.fireUserEventTriggered({ type: "appState", state });
  tell("background");
  assertEquals(rig.tries.length, 0);
  tell("foreground");
  assertEquals([rig.tries.length, rig.handler.state], [1, "up"]);
  tell("foreground");
  assertEquals(rig.tries.length, 1);
});

Deno.test("ReconnectHandler leaves a try alone that is on its way when the application comes to the foreground", () => {
  const rig = connected();
  rig.server.is = "silent";
  rig.channel.loseLink();
  rig.channel.advanceBy(800);
  rig.end.events.length = 0;
  rig.channel.pipeline.fireUserEventTriggered({ type: "appState", state: "foreground" });
  assertEquals([rig.handler.state, rig.tries.length, rig.tries[0]!.signal.aborted], ["connecting", 1, false]);
  assertEquals(rig.end.events.map(({ type }) => type), ["appState"]);
});

Deno.test("ReconnectHandler does not come to the foreground while offline", () => {
  const rig = connected();
  network(rig, "offline");
  rig.channel.loseLink();
  rig.channel.pipeline.fireUserEventTriggered({ type: "appState", state: "foreground" });
  rig.loop.sleep(1000);
  assertEquals(rig.tries, []);
});

Deno.test("ReconnectHandler passes events and messages on, even ones that are none", () => {
  const rig = connected();
  const events = [{ type: "network", state: "online" }, { type: "mine" }, null, undefined, "text"];
  for (const event of events) rig.channel.pipeline.fireUserEventTriggered(event);
  assertEquals(rig.end.events as unknown[], events);
  rig.channel.writeInbound("message");
  assertEquals(rig.channel.readInbound(), "message");
});

for (const [state, reach] of Object.entries(STATES)) {
  Deno.test(`ReconnectHandler.close() wins while ${state}`, async () => {
    const rig = reconnecting();
    reach(rig);
    assertEquals(rig.handler.state, state);
    const queued = state === "up" || state === "idle" ? undefined : rig.channel.write("queued");
    queued?.onSettled(() => {});
    await rig.channel.close();
    assertEquals([rig.channel.state, rig.handler.state], ["closed", "stopped"]);
    assertEquals([rig.loop.pendingTimers, rig.loop.listeners], [0, 0]);
    if (queued !== undefined) assertInstanceOf(queued.error, ChannelClosedError);
    // A socket that its user closed stays closed.
    const { length } = rig.tries;
    rig.server.is = "up";
    network(rig, "online");
    rig.channel.pipeline.fireUserEventTriggered({ type: "appState", state: "foreground" });
    rig.loop.sleep(1000);
    rig.channel.advanceBy(3_600_000);
    assertEquals([rig.tries.length, rig.channel.state], [length, "closed"]);
    await assertRejects(async () => await rig.channel.connect("embedded://peer"), ChannelClosedError);
    await assertRejects(async () => await rig.channel.write("late"), ChannelClosedError);
  });
}

Deno.test("ReconnectHandler.close() fails the connect that it overtakes", async () => {
  for (const is of ["silent", "down"] as const) {
    const rig = reconnecting();
    rig.server.is = is;
    const connect = rig.channel.connect("embedded://peer");
    rig.channel.close();
    await assertRejects(
      async () => await connect,
      ChannelClosedError,
      "Cannot connect: the channel is closed",
    );
  }
});

Deno.test("ReconnectHandler lets an application close the channel from any event of its own", async () => {
  for (const type of ["reconnect", "linkDown", "linkUp"]) {
    const rig = reconnecting({
      after: [{
        userEventTriggered: (context, event) => {
          if ((event as { type: string }).type === type) context.close();
        },
      }],
    });
    rig.channel.connect("embedded://peer").onSettled(() => {});
    rig.channel.loseLink();
    rig.channel.advanceBy(60_000);
    await rig.channel.closed;
    assertEquals([rig.loop.pendingTimers, rig.loop.listeners], [0, 0], type);
  }
});

Deno.test("ReconnectHandler ends with the AbortSignal of its connect", async () => {
  for (const is of ["silent", "down"] as const) {
    const rig = reconnecting();
    rig.server.is = is;
    const abort = new AbortController();
    const connect = rig.channel.connect("embedded://peer", { signal: abort.signal });
    rig.channel.advanceBy(3000);
    abort.abort(new Error("no longer wanted"));
    await assertRejects(async () => await connect, Error, "no longer wanted");
    await rig.channel.closed;
    assertEquals([rig.loop.pendingTimers, rig.loop.listeners], [0, 0]);
  }
});

Deno.test("ReconnectHandler takes no AbortSignal any more once the link stands", async () => {
  const rig = reconnecting();
  const abort = new AbortController();
  await rig.channel.connect("embedded://peer", { signal: abort.signal });
  abort.abort();
  rig.channel.loseLink();
  rig.channel.advanceBy(1600);
  assert(rig.channel.isActive);
});

Deno.test("ReconnectHandler refuses a second connect, which would get in its way", async () => {
  for (const state of ["connecting", "waiting", "offline"]) {
    const rig = reconnecting();
    STATES[state]!(rig);
    await assertRejects(
      async () => await rig.channel.connect("embedded://other"),
      TypeError,
      `Cannot connect: the channel brings its link back by itself (${state})`,
    );
    rig.server.is = "up";
    network(rig, "online");
    rig.channel.advanceBy(60_000);
    assertEquals([rig.handler.state, rig.channel.remote?.address], ["up", "embedded://peer"]);
    await assertRejects(
      async () => await rig.channel.connect("embedded://other"),
      TypeError,
      "the channel is active",
    );
  }
});

Deno.test("ReconnectHandler stands an application with a reconnect of its own", () => {
  const refused: unknown[] = [];
  const rig = connected({
    after: [{
      channelInactive: (context) => {
        context.channel.connect("embedded://own").onSettled((error) => refused.push(error));
        context.fireChannelInactive();
      },
    }],
  });
  rig.channel.loseLink();
  assertInstanceOf(refused[0], TypeError);
  rig.channel.advanceBy(800);
  assertEquals([rig.channel.isActive, rig.tries.length], [true, 1]);
});

Deno.test("ReconnectHandler closes the channel of a link that it cannot make again", async () => {
  const rig = reconnecting();
  rig.channel.reopen();
  assertEquals(rig.handler.state, "up");
  rig.channel.loseLink();
  await rig.channel.closed;
  assertEquals([rig.handler.state, rig.loop.pendingTimers], ["stopped", 0]);
});

Deno.test("ReconnectHandler takes a link that was attached while it waited", () => {
  const rig = connected();
  rig.server.is = "down";
  rig.channel.loseLink();
  rig.channel.write("queued");
  rig.channel.reopen();
  assertEquals([rig.handler.state, rig.channel.drainOutbound()], ["up", ["queued"]]);
  assertEquals([rig.loop.pendingTimers, rig.loop.listeners], [0, 0]);
});

Deno.test("ReconnectHandler leaves the channel its own ways when it is taken out", async () => {
  const waiting = connected();
  waiting.server.is = "down";
  waiting.channel.loseLink();
  const queued = waiting.channel.write("queued");
  queued.onSettled(() => {});
  waiting.channel.pipeline.remove(waiting.handler);
  assertEquals([waiting.loop.pendingTimers, waiting.loop.listeners], [0, 0]);
  assertInstanceOf(queued.error, ChannelClosedError);

  const up = connected();
  up.channel.pipeline.remove(up.handler);
  up.channel.loseLink();
  await up.channel.closed;

  // And works again where it is put back.
  const again = new EmbeddedChannel({ active: false, handlers: [waiting.handler] });
  again.connect("embedded://peer");
  again.loseLink();
  again.advanceBy(5000);
  assert(again.isActive);
});

Deno.test("ReconnectHandler() refuses numbers out of range", () => {
  for (const name of ["firstMs", "capMs", "lateCapMs", "lateAfterMs", "maxServerDelayMs", "raceDelayMs"]) {
    for (const value of [-1, NaN, Infinity, 86_400_001]) {
      assertThrows(() => new ReconnectHandler({ [name]: value }), RangeError, `got ${value}`);
    }
  }
  assertThrows(
    () => new ReconnectHandler({ firstMs: 100, capMs: 99 }),
    RangeError,
    "capMs must be from 100 to",
  );
  assertThrows(() => new ReconnectHandler({ capMs: 31_000 }), RangeError, "lateCapMs must be from 31000 to");
  for (const maxAttempts of [0, -1, 1.5, NaN]) {
    assertThrows(() => new ReconnectHandler({ maxAttempts }), RangeError, "maxAttempts");
  }
  for (const name of ["maxMessages", "maxBytes"]) {
    for (const value of [-1, 1.5, NaN]) {
      assertThrows(() => new ReconnectHandler({ queue: { [name]: value } }), RangeError, `queue.${name}`);
    }
  }
  for (const maxBlocked of [0, -1, 1.5, NaN]) {
    assertThrows(() => new ReconnectHandler({ queue: { maxBlocked } }), RangeError, "queue.maxBlocked");
  }
  assertThrows(
    () => new ReconnectHandler({ queue: { policy: "dropNewest" as QueuePolicy } }),
    TypeError,
    "queue.policy must be one of reject, dropOldest, block, got dropNewest",
  );
});
