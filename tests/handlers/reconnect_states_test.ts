import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import {
  Bootstrap,
  ChannelClosedError,
  type ChannelHandler,
  ConnectError,
  LinkDownError,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { memory } from "../../pipeline/transports/memory.ts";
import { ReconnectHandler, type ReconnectState } from "../../handlers/mod.ts";
import { connected, network, prove, type Reconnecting, reconnecting, STATES } from "./_reconnect_rig.ts";
import { Collector } from "./_rig.ts";

/** The transitions so far, as `previous > state (reason)`; all events are taken out. */
function transitions({ end }: Pick<Reconnecting, "end">): string[] {
  return end.take("reconnectState").map(({ previous, state, reason }) =>
    `${previous} > ${state} (${reason})`
  );
}

function foreground({ channel }: Reconnecting): void {
  channel.pipeline.fireUserEventTriggered({ type: "appState", state: "foreground" });
}

Deno.test("ReconnectHandler tells each change of its state, and why", () => {
  const rig = reconnecting();
  rig.server.is = "down";
  rig.channel.connect("embedded://peer").onSettled(() => {});
  assertEquals(transitions(rig), ["idle > connecting (connect)", "connecting > waiting (tryFailed)"]);
  rig.server.is = "up";
  rig.channel.advanceBy(1600);
  assertEquals(transitions(rig), ["waiting > connecting (waitOver)", "connecting > up (linkUp)"]);
  rig.channel.loseLink();
  assertEquals(transitions(rig), ["up > waiting (linkLost)"]);
  network(rig, "offline");
  assertEquals(transitions(rig), ["waiting > offline (offline)"]);
  network(rig, "online");
  assertEquals(transitions(rig), ["offline > connecting (online)", "connecting > up (linkUp)"]);
  rig.channel.close();
  assertEquals(transitions(rig), ["up > stopped (closed)"]);
});

Deno.test("ReconnectHandler tells what made it try at once", () => {
  const causes: [(rig: Reconnecting) => void, string][] = [
    [(rig) => network(rig, "online"), "online"],
    [(rig) => network(rig, "changed"), "networkChanged"],
    [(rig) => rig.loop.sleep(1), "woke"],
    [foreground, "foreground"],
  ];
  for (const [cause, reason] of causes) {
    const rig = connected();
    rig.server.is = "silent";
    rig.channel.loseLink();
    transitions(rig);
    cause(rig);
    assertEquals(transitions(rig), [`waiting > connecting (${reason})`]);
    cause(rig);
    // One that hangs on a network that may be gone is made anew, except for a look at the screen.
    assertEquals(transitions(rig), reason === "foreground" ? [] : [`connecting > connecting (${reason})`]);
  }
});

Deno.test("ReconnectHandler tells that it is offline, from whatever it did", () => {
  const connecting = reconnecting();
  STATES.connecting!(connecting);
  transitions(connecting);
  network(connecting, "offline");
  assertEquals(transitions(connecting), ["connecting > offline (offline)"]);

  const first = reconnecting();
  network(first, "offline");
  first.channel.connect("embedded://peer").onSettled(() => {});
  assertEquals(transitions(first), ["idle > offline (connect)"]);

  const up = connected();
  network(up, "offline");
  assertEquals(transitions(up), []);
  up.channel.loseLink();
  assertEquals(transitions(up), ["up > offline (linkLost)"]);
});

Deno.test("ReconnectHandler tells nothing where nothing changes", () => {
  for (const [state, reach] of Object.entries(STATES)) {
    const rig = reconnecting();
    reach(rig);
    transitions(rig);
    prove(rig);
    rig.channel.pipeline.fireUserEventTriggered({ type: "appState", state: "background" });
    rig.loop.throttle(1);
    if (state === "offline") network(rig, "offline");
    if (state === "idle" || state === "up") network(rig, "online");
    if (state !== "waiting") foreground(rig);
    assertEquals(transitions(rig), [], state);
  }
});

Deno.test("ReconnectHandler tells of a link before the handlers hear of it, and of a wait after they heard of the loss", () => {
  const heard: string[] = [];
  const rig = reconnecting({
    after: [{
      channelActive: (context) => {
        heard.push("channelActive");
        context.fireChannelActive();
      },
      channelInactive: (context) => {
        heard.push("channelInactive");
        context.fireChannelInactive();
      },
      userEventTriggered: (_context, event) => void heard.push((event as { type: string }).type),
    }],
  });
  rig.channel.connect("embedded://peer");
  rig.channel.loseLink();
  assertEquals(heard, [
    "reconnectState",
    "reconnectState",
    "channelActive",
    "linkUp",
    "linkDown",
    "channelInactive",
    "reconnectState",
    "reconnect",
  ]);
});

Deno.test("ReconnectHandler lets an application close the channel from any change of its state", async () => {
  const states: ReconnectState[] = ["connecting", "waiting", "up", "offline"];
  for (const state of states) {
    const rig = reconnecting({
      after: [{
        userEventTriggered: (context, event) => {
          if ((event as { state?: string }).state === state) context.channel.close();
          context.fireUserEventTriggered(event);
        },
      }],
    });
    rig.channel.connect("embedded://peer").onSettled(() => {});
    rig.channel.loseLink();
    network(rig, "offline");
    await rig.channel.closed;
    assertEquals(rig.tries.length, state === "connecting" ? 0 : 1);
    assertEquals([rig.handler.state, rig.loop.pendingTimers, rig.loop.listeners], ["stopped", 0, 0], state);
    assertEquals(rig.end.take("reconnectFailed"), []);
  }
});

Deno.test("ReconnectHandler tells why it stopped, whoever stopped it", async () => {
  const removed = connected();
  removed.channel.pipeline.remove(removed.handler);
  assertEquals(transitions(removed), ["up > stopped (removed)"]);

  // A handler nearer to the head closes past it.
  const closed = connected();
  closed.channel.pipeline.addFirst("closing", {});
  closed.channel.pipeline.context("closing")!.close();
  await closed.channel.closed;
  closed.channel.advanceBy(3_600_000);
  assertEquals([closed.handler.state, closed.tries.length, closed.loop.pendingTimers], ["stopped", 0, 0]);
  assertEquals(closed.end.events.filter(({ type }) => type === "reconnect"), []);
});

Deno.test("ReconnectHandler gives up after maxAttempts with one event, then closes", async () => {
  const rig = reconnecting({ maxAttempts: 3 });
  rig.server.is = "down";
  const connect = rig.channel.connect("embedded://peer");
  const queued = rig.channel.write("queued");
  connect.onSettled(() => {});
  queued.onSettled(() => {});
  rig.channel.advanceBy(100_000);
  await rig.channel.closed;
  assertEquals(rig.tries.length, 3);
  const failed = rig.end.take("reconnectFailed");
  assertEquals(failed.map(({ attempts }) => attempts), [3]);
  assertInstanceOf(failed[0]!.error, ConnectError);
  assertStrictEquals(connect.error, failed[0]!.error);
  assertInstanceOf(queued.error, ChannelClosedError);
  assertEquals([rig.loop.pendingTimers, rig.loop.listeners], [0, 0]);
});

Deno.test("ReconnectHandler gives up on a server that accepts and drops", async () => {
  const rig = connected({ maxAttempts: 2 });
  for (let i = 0; i < 3; i++) {
    rig.channel.loseLink();
    rig.channel.advanceBy(10_000);
  }
  await rig.channel.closed;
  const [failed, ...more] = rig.end.take("reconnectFailed");
  assertEquals([failed!.attempts, more], [2, []]);
  assertInstanceOf(failed!.error, LinkDownError);
  assertEquals((failed!.error as LinkDownError).reason, "reset");
});

Deno.test("ReconnectHandler tells in one event why it gave up, and which state that is", async () => {
  const rig = reconnecting({ maxAttempts: 1 });
  rig.server.is = "down";
  rig.channel.connect("embedded://peer").onSettled(() => {});
  await rig.channel.closed;
  const told = rig.end.events.splice(0);
  assertEquals(told.map(({ type, state, reason }) => [type, state, reason]), [
    ["reconnectState", "connecting", "connect"],
    ["reconnectFailed", undefined, "maxAttempts"],
    ["reconnectState", "stopped", "gaveUp"],
  ]);
});

Deno.test("ReconnectHandler tells that an address is wrong for good", async () => {
  const end = new Collector();
  const connect = new Bootstrap({
    transport: memory(),
    loop: new VirtualEventLoop(),
    pipeline: (p) => p.addLast(new ReconnectHandler(), end),
  }).connect("nonsense");
  const error = await assertRejects(() => connect, TypeError, 'Cannot parse the address "nonsense"');
  assertEquals(end.take("reconnectFailed"), [{
    type: "reconnectFailed",
    attempts: 1,
    error,
    reason: "badAddress",
  }]);
});

for (const [state, reach] of Object.entries(STATES)) {
  Deno.test(`ReconnectHandler ends with its AbortSignal while ${state}, in one event`, async () => {
    const abort = new AbortController();
    const rig = reconnecting({ signal: abort.signal });
    reach(rig);
    assertEquals(rig.handler.state, state);
    const queued = state === "up" || state === "idle" ? undefined : rig.channel.write("queued");
    queued?.onSettled(() => {});
    rig.end.events.length = 0;
    const { length } = rig.tries;
    const why = new Error("no longer wanted");
    abort.abort(why);
    await rig.channel.closed;
    const told = rig.end.events.filter(({ type }) => type !== "linkDown");
    assertEquals(told.map(({ type }) => type), ["reconnectFailed", "reconnectState"]);
    assertStrictEquals(told[0]!.error, why);
    assertEquals([told[0]!.reason, told[1]!.reason, told[1]!.previous], ["aborted", "aborted", state]);
    if (queued !== undefined) assertInstanceOf(queued.error, ChannelClosedError);
    rig.server.is = "up";
    network(rig, "online");
    rig.channel.advanceBy(3_600_000);
    assertEquals([rig.tries.length, rig.loop.pendingTimers, rig.loop.listeners], [length, 0, 0]);
  });
}

Deno.test("ReconnectHandler tries nothing with a signal that was aborted beforehand", async () => {
  const rig = reconnecting({ signal: AbortSignal.abort(new Error("too late")) });
  const connect = rig.channel.connect("embedded://peer");
  await assertRejects(async () => await connect, Error, "too late");
  await rig.channel.closed;
  assertEquals([rig.tries.length, rig.end.take("reconnectFailed").length], [0, 1]);
});

Deno.test("ReconnectHandler leaves no listener on a signal that outlives it", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal), remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
  signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
  const rig = connected({ signal });
  assertEquals(listeners, 1);
  await rig.channel.close();
  assertEquals(listeners, 0);
});

Deno.test("ReconnectHandler tells in one event that the signal of the connect ended it", async () => {
  const rig = reconnecting();
  rig.server.is = "down";
  const abort = new AbortController();
  const connect = rig.channel.connect("embedded://peer", { signal: abort.signal });
  rig.channel.advanceBy(3000);
  const { attempts } = rig.handler;
  rig.end.events.length = 0;
  abort.abort(new Error("no longer wanted"));
  await assertRejects(async () => await connect, Error, "no longer wanted");
  assertEquals(
    rig.end.events.map(({ type, reason, attempts, previous }) => ({ type, reason, attempts, previous })),
    [
      { type: "reconnectFailed", reason: "aborted", attempts, previous: undefined },
      { type: "reconnectState", reason: "aborted", attempts: undefined, previous: "waiting" },
    ],
  );
});

Deno.test("ReconnectHandler gives up in one event also where the application closes the channel over it", async () => {
  const closing: ChannelHandler = {
    userEventTriggered: (context, event) => {
      context.fireUserEventTriggered(event);
      if ((event as { type: string }).type === "reconnectFailed") context.channel.close();
    },
  };
  const rig = reconnecting({ maxAttempts: 2, after: [closing] });
  rig.server.is = "down";
  const connect = rig.channel.connect("embedded://peer");
  connect.onSettled(() => rig.channel.close());
  rig.channel.advanceBy(60_000);
  await rig.channel.closed;
  assertEquals(rig.end.take("reconnectFailed").length, 1);
  assertInstanceOf(connect.error, ConnectError);
  assertEquals([rig.tries.length, rig.loop.pendingTimers, rig.loop.listeners], [2, 0, 0]);
});

Deno.test("ReconnectHandler makes no try after a close, whatever comes", async () => {
  const rig = connected();
  rig.channel.loseLink();
  await rig.channel.close();
  for (const state of ["offline", "online", "changed"] as const) network(rig, state);
  foreground(rig);
  rig.loop.sleep(1000);
  rig.channel.pipeline.fireUserEventTriggered({ type: "goAway", reason: "shutdown", afterMs: 10 });
  rig.channel.advanceBy(3_600_000);
  assertEquals([rig.tries.length, rig.loop.pendingTimers], [0, 0]);
  assert(rig.end.events.every(({ type }) => type !== "reconnectFailed"));
});
