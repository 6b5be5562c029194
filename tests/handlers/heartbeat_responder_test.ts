import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  AdaptiveIntervalHandler,
  Heartbeat,
  HeartbeatDecoder,
  HeartbeatEncoder,
  HeartbeatError,
  HeartbeatResponder,
  type HeartbeatResponderOptions,
  IdleStateHandler,
  rawFormat,
} from "../../handlers/mod.ts";
import { EmbeddedChannel, PipelineError, type VirtualEventLoop } from "../../pipeline/mod.ts";
import { Collector } from "./_rig.ts";

function responding(options?: HeartbeatResponderOptions) {
  const responder = new HeartbeatResponder(options);
  const end = new Collector();
  const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler(), responder, end] });
  channel.autoClose = false;
  end.take("linkUp");
  return { channel, responder, end };
}

function ping(sequence: number, timeMs = 0): Heartbeat {
  return new Heartbeat("ping", { sequence, timeMs });
}

Deno.test("HeartbeatResponder answers a ping at once with its number", () => {
  const { channel, responder } = responding({ hello: false });
  channel.writeInbound(ping(511, 240_000), ping(0));
  assertEquals(channel.drainOutbound(), [
    new Heartbeat("pong", { sequence: 511 }),
    new Heartbeat("pong", { sequence: 0 }),
  ]);
  assertEquals(responder.pings, 2);
  assertEquals(channel.drainInbound(), []);
});

Deno.test("HeartbeatResponder says hello once per link, before its first answer and not sooner", () => {
  const { channel } = responding();
  assertEquals(channel.drainOutbound(), []);
  for (let link = 0; link < 2; link++) {
    channel.writeInbound(ping(1), ping(2));
    const kinds = channel.drainOutbound().map((heartbeat) => (heartbeat as Heartbeat).kind);
    assertEquals(kinds, ["hello", "pong", "pong"]);
    channel.loseLink();
    channel.reopen();
  }
});

Deno.test("HeartbeatResponder passes on what is no heartbeat", () => {
  const { channel } = responding();
  const others = [new Uint8Array([1]), "text", undefined];
  channel.writeInbound(...others);
  assertEquals(channel.drainInbound(), others);
  assertEquals(channel.drainOutbound(), []);
});

Deno.test("HeartbeatResponder lets no stray heartbeat through to the application", () => {
  const { channel, responder, end } = responding();
  for (const stray of [new Heartbeat("pong", { sequence: 7 }), Heartbeat.hello()]) {
    channel.writeInbound(stray);
  }
  for (const error of end.errors) assertInstanceOf(error, HeartbeatError);
  assertEquals(end.errors.length, 2);
  assertEquals([channel.drainInbound(), channel.isActive, responder.strays], [[], true, 2]);
});

Deno.test("HeartbeatResponder passes heartbeats on to a handler behind it that takes them", () => {
  const adaptive = new AdaptiveIntervalHandler();
  const channel = new EmbeddedChannel({
    handlers: [new IdleStateHandler(), new HeartbeatResponder(), adaptive],
  });
  const [ping] = channel.drainOutbound() as Heartbeat[];
  channel.writeInbound(new Heartbeat("pong", { sequence: ping!.sequence }));
  assertEquals(adaptive.snapshot()?.isValid, true);
});

function hold(sequence: number, timeMs: number): Heartbeat {
  return new Heartbeat("hold", { sequence, timeMs });
}

Deno.test("HeartbeatResponder answers a hold once the link has been silent for its time", () => {
  const { channel, responder } = responding({ hello: false });
  channel.writeInbound(hold(9, 100_000));
  channel.advanceBy(99_999);
  assertEquals(channel.drainOutbound(), []);
  channel.advanceBy(1);
  assertEquals(channel.drainOutbound(), [new Heartbeat("pong", { sequence: 9 })]);
  assertEquals(responder.holds, 1);
  channel.advanceBy(50_000);
  assertEquals(channel.drainOutbound(), []);
});

Deno.test("HeartbeatResponder starts the silence of a hold anew with each traffic, either way", () => {
  const { channel } = responding({ hello: false });
  channel.writeInbound(hold(9, 100_000));
  for (let i = 0; i < 4; i++) {
    channel.advanceBy(90_000);
    if (i % 2 === 0) channel.writeOutbound("push");
    else channel.writeInbound("message");
  }
  channel.drainOutbound();
  channel.advanceBy(99_999);
  assertEquals(channel.drainOutbound(), []);
  channel.advanceBy(1);
  assertEquals(channel.drainOutbound(), [new Heartbeat("pong", { sequence: 9 })]);
});

Deno.test("HeartbeatResponder refuses holds that it does not serve, and says why", () => {
  const none = responding({ hello: false, longestHoldMs: 0 });
  none.channel.writeInbound(hold(1, 1000));
  assertEquals(none.channel.drainOutbound(), [Heartbeat.void(1, "notServed")]);
  const { channel } = responding({ hello: false, longestHoldMs: 60_000 });
  channel.writeInbound(hold(2, 60_100), hold(3, 60_000), hold(4, 1000));
  assertEquals(channel.drainOutbound(), [Heartbeat.void(2, "tooLong"), Heartbeat.void(4, "busy")]);
  channel.advanceBy(60_000);
  assertEquals(channel.drainOutbound(), [new Heartbeat("pong", { sequence: 3 })]);
});

Deno.test("HeartbeatResponder forgets the hold of a link that is gone", () => {
  const { channel } = responding({ hello: false });
  channel.writeInbound(hold(9, 10_000));
  channel.loseLink();
  assertEquals((channel.loop as VirtualEventLoop).pendingTimers, 0);
  channel.reopen();
  channel.advanceBy(30_000);
  assertEquals(channel.drainOutbound(), []);
});

Deno.test("HeartbeatResponder drops a peer that is silent for longer than announced and the grace", () => {
  const { channel, end } = responding({ graceMs: 5000 });
  channel.writeInbound(ping(1, 240_000));
  channel.advanceBy(244_999);
  assertEquals(channel.isActive, true);
  channel.advanceBy(1);
  assertEquals(end.take("linkDown"), [{ type: "linkDown", reason: "unanswered" }]);
});

Deno.test("HeartbeatResponder takes anything that comes in for life", () => {
  const { channel } = responding({ graceMs: 0 });
  channel.writeInbound(ping(1, 60_000));
  channel.advanceBy(59_000);
  channel.writeInbound(new Uint8Array([1]));
  channel.advanceBy(59_999);
  assertEquals(channel.isActive, true);
  channel.advanceBy(1);
  assertEquals(channel.isActive, false);
});

Deno.test("HeartbeatResponder follows each new announcement, longer or shorter", () => {
  const { channel } = responding({ graceMs: 0 });
  channel.writeInbound(ping(1, 10_000), ping(2, 600_000));
  channel.advanceBy(599_000);
  assertEquals(channel.isActive, true);
  channel.writeInbound(ping(3, 10_000));
  channel.advanceBy(10_000);
  assertEquals(channel.isActive, false);
});

Deno.test("HeartbeatResponder takes no writing of its own side for the peer's life", () => {
  const { channel } = responding({ graceMs: 0 });
  channel.writeInbound(ping(1, 10_000));
  for (let i = 0; i < 10; i++) {
    channel.advanceBy(1000);
    if (channel.isActive) channel.writeOutbound("push");
  }
  assertEquals(channel.isActive, false);
});

Deno.test("HeartbeatResponder waits for the first ping as long as it is told, on each link", () => {
  const { channel } = responding({ firstPingMs: 5000 });
  for (let link = 0; link < 2; link++) {
    channel.advanceBy(4999);
    assertEquals(channel.isActive, true);
    channel.advanceBy(1);
    assertEquals(channel.isActive, false);
    channel.reopen();
    // What an earlier link announced is not valid for this one.
    channel.writeInbound(ping(1, 600_000));
    channel.loseLink();
    channel.reopen();
  }
});

Deno.test("HeartbeatResponder waits for ever where firstPingMs is Infinity", () => {
  const { channel } = responding({ firstPingMs: Infinity });
  channel.advanceBy(30 * 24 * 3_600_000);
  assertEquals(channel.isActive, true);
});

Deno.test("HeartbeatResponder holds a peer that announces nothing to no limit", () => {
  // A format without a time: the peer may well beat every four minutes.
  const format = rawFormat({ ping: "?", pong: "!" });
  const channel = new EmbeddedChannel({
    handlers: [
      new IdleStateHandler(),
      new HeartbeatDecoder({ format }),
      new HeartbeatEncoder({ format }),
      new HeartbeatResponder({ firstPingMs: 60_000, hello: false }),
    ],
  });
  for (let i = 0; i < 3; i++) {
    channel.writeInbound("?");
    assertEquals(channel.drainOutbound(), ["!"]);
    channel.advanceBy(240_000);
    assertEquals(channel.isActive, true);
  }
});

Deno.test("HeartbeatResponder keeps to the last announcement when a ping announces nothing", () => {
  const { channel } = responding({ graceMs: 0 });
  channel.writeInbound(ping(1, 10_000), ping(2));
  channel.advanceBy(10_000);
  assertEquals(channel.isActive, false);
});

Deno.test("HeartbeatResponder starts where a link stands when it is added", () => {
  const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler()] });
  channel.autoClose = false;
  channel.pipeline.addLast(new HeartbeatResponder({ firstPingMs: 5000 }));
  channel.advanceBy(5000);
  assertEquals(channel.isActive, false);
});

Deno.test("HeartbeatResponder needs an IdleStateHandler", () => {
  const errors: unknown[] = [];
  const channel = new EmbeddedChannel({
    handlers: [{ exceptionCaught: (_context, error) => errors.push(error) }, new HeartbeatResponder()],
  });
  const [error] = errors;
  assertInstanceOf(error, PipelineError);
  assertInstanceOf(error.cause, TypeError);
  assertEquals(
    error.cause.message,
    'Cannot use the handler "HeartbeatResponder#0": it needs an IdleStateHandler in the pipeline, nearer to the head',
  );
  assertEquals(channel.pipeline.get(HeartbeatResponder), undefined);
});

Deno.test("HeartbeatResponder passes other events on, even ones that are none", () => {
  const { channel, end } = responding();
  const events = [{ type: "idle", state: "writer", first: true }, "text", undefined, null, 7];
  for (const event of events) channel.pipeline.fireUserEventTriggered(event);
  assertEquals(end.events as unknown[], events);
  assertEquals(end.errors, []);
});

Deno.test("HeartbeatResponder stands a peer that is gone before its answer", () => {
  const { channel, end } = responding();
  channel.loseLink();
  channel.pipeline.fireChannelRead(ping(1));
  channel.checkException();
  assertEquals(end.errors, []);
});

Deno.test("HeartbeatResponder leaves no timer", async () => {
  const { channel } = responding();
  const loop = channel.loop as VirtualEventLoop;
  channel.writeInbound(ping(1, 10_000));
  channel.loseLink();
  assertEquals(loop.pendingTimers, 0);
  channel.reopen();
  await channel.close();
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("HeartbeatResponder() refuses times out of range", () => {
  for (const value of [-1, NaN, Infinity, 13_107_101]) {
    assertThrows(() => new HeartbeatResponder({ graceMs: value }), RangeError, "graceMs");
  }
  for (const value of [0, -1, NaN, 13_107_101]) {
    assertThrows(() => new HeartbeatResponder({ firstPingMs: value }), RangeError, "firstPingMs");
  }
});

Deno.test("HeartbeatResponder drops a hold that the client gives up, and serves the next one", () => {
  const channel = new EmbeddedChannel({
    handlers: [new IdleStateHandler(), new HeartbeatResponder({ hello: false })],
  });
  channel.writeInbound(new Heartbeat("hold", { timeMs: 60_000, sequence: 1 }));
  channel.writeInbound(Heartbeat.void(1, "givenUp"), new Heartbeat("hold", { timeMs: 20_000, sequence: 2 }));
  channel.advanceBy(19_999);
  assertEquals(channel.drainOutbound(), []);
  channel.advanceBy(1);
  assertEquals(channel.drainOutbound(), [new Heartbeat("pong", { sequence: 2 })]);
  channel.advanceBy(40_000);
  assertEquals(channel.drainOutbound(), []);
});
