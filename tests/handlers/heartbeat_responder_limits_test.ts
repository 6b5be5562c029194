import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  answerKeepAlive,
  Heartbeat,
  HeartbeatEncoder,
  HeartbeatResponder,
  type HeartbeatResponderOptions,
  IdleStateHandler,
  LimitError,
  rawFormat,
} from "../../handlers/mod.ts";
import { type DrainEvent, EmbeddedChannel } from "../../pipeline/mod.ts";
import { type RawClient, serving } from "./_door.ts";
import { Collector } from "./_rig.ts";

const ping = new Heartbeat("ping", { timeMs: 240_000, sequence: 1 });

/** Notes what it is told of links. */
class Application extends Collector {
  readonly told: string[] = [];

  channelActive(): void {
    this.told.push("active");
  }
  channelInactive(): void {
    this.told.push("inactive");
  }
}

async function responding(options: HeartbeatResponderOptions = {}) {
  const applications: Application[] = [];
  const responders: HeartbeatResponder[] = [];
  const made = await serving(() => {
    const application = new Application();
    const handlers = answerKeepAlive({ codec: null, ...options });
    applications.push(application);
    responders.push(handlers.find((handler) => handler instanceof HeartbeatResponder)!);
    return [...handlers, application];
  });
  return { ...made, applications, responders };
}

/** Lets a client send a byte a second, of a frame that it announces as a long one. */
function trickle(client: RawClient, loop: { advanceBy(ms: number): void }, seconds: number): void {
  client.send(0xff, 0x7f); // 16,383 bytes
  for (let second = 0; second < seconds && client.reason === undefined; second++) {
    loop.advanceBy(1_000);
    client.send(0);
  }
  loop.advanceBy(0);
}

Deno.test("HeartbeatResponder ends a link whose first frame trickles in for too long, and says why", async () => {
  const { door, loop, server, applications, responders } = await responding({ firstPingMs: 20_000 });
  const client = door.enter();
  trickle(client, loop, 19);
  assertEquals(client.reason, undefined);
  trickle(client, loop, 2);
  assertEquals(client.takeHeartbeats(), [Heartbeat.goAway("protocol")]);
  assertEquals([client.reason, server.channels.size], ["remoteClosed", 0]);
  const [{ errors, told }] = applications as [Application];
  const [error] = errors;
  assertInstanceOf(error, LimitError);
  assertEquals([error.limit, error.most, errors.length], ["firstPingMs", 20_000, 1]);
  assertEquals([told, responders[0]!.slowFrames], [["active", "inactive"], 1]);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("HeartbeatResponder never shows a link that it ends before its first word", async () => {
  const { door, loop, applications } = await responding({ firstPingMs: 700 });
  const client = door.enter();
  client.send(100);
  for (let i = 0; i < 9; i++) {
    loop.advanceBy(100);
    client.send(0);
  }
  // By now it would have shown it, if the link had not been ended.
  loop.advanceBy(2_000);
  assertEquals([applications[0]!.told, applications[0]!.events], [[], []]);
  assertEquals(client.reason, "remoteClosed");
});

Deno.test("HeartbeatResponder ends a link whose later frame trickles in for too long", async () => {
  const { door, loop, responders } = await responding({ frameMs: 30_000 });
  const client = door.enter();
  client.sendHeartbeat(ping);
  loop.advanceBy(10);
  client.takeHeartbeats();
  trickle(client, loop, 29);
  assertEquals(client.reason, undefined);
  trickle(client, loop, 3);
  assertEquals(client.takeHeartbeats(), [Heartbeat.goAway("protocol")]);
  assertEquals([client.reason, responders[0]!.slowFrames], ["remoteClosed", 1]);
});

Deno.test("HeartbeatResponder ends no link that gets its frames done", async () => {
  const { door, loop } = await responding({ firstPingMs: 20_000, frameMs: 20_000 });
  const client = door.enter();
  client.sendHeartbeat(ping);
  for (let i = 0; i < 20; i++) {
    // In four parts, over 15 s.
    const frame = [0x90, 1, ...new Array(144).fill(0)];
    for (let part = 0; part < 4; part++) {
      loop.advanceBy(5_000);
      client.send(...frame.splice(0, 40));
    }
  }
  assertEquals(client.reason, undefined);
});

Deno.test("HeartbeatResponder waits for frames for ever where it is told to", async () => {
  const { door, loop } = await responding({ firstPingMs: Infinity, frameMs: Infinity });
  const client = door.enter();
  trickle(client, loop, 1_000);
  client.sendHeartbeat(ping);
  assertEquals(client.reason, undefined);
});

Deno.test("HeartbeatResponder ends the link of a channel that outlives it, once", () => {
  const responder = new HeartbeatResponder({ frameMs: 1_000 });
  const end = new Collector();
  const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler(), responder, end] });
  channel.autoClose = false;
  channel.writeInbound(ping);
  for (let i = 0; i < 5; i++) {
    channel.writeInbound(); // bytes that make no frame
    channel.advanceBy(500);
  }
  assertEquals([channel.state, responder.slowFrames, end.errors.length], ["idle", 1, 1]);
  assertEquals(end.take("linkDown"), [{ type: "linkDown", reason: "closed", error: end.errors[0] }]);
});

Deno.test("HeartbeatResponder counts what it refuses", async () => {
  const { door, loop, responders } = await responding({ longestHoldMs: 60_000, maxScouts: 1 });
  const client = door.enter();
  for (const sequence of [1, 2]) client.sendHeartbeat(new Heartbeat("hold", { timeMs: 60_000, sequence }));
  client.sendHeartbeat(new Heartbeat("hold", { timeMs: 61_000, sequence: 3 }));
  for (const sequence of [4, 5]) client.sendHeartbeat(new Heartbeat("scout", { sequence }));
  loop.advanceBy(10);
  assertEquals(responders[0]!.refused, 3);
});

/** The event of a server that drains, and what was put off. */
function drain(channel: EmbeddedChannel, comeBackMs: number) {
  const waited: PromiseLike<unknown>[] = [];
  const event: DrainEvent = {
    type: "drain",
    comeBackMs,
    deadlineMs: 10_000,
    waitUntil: (promise) => void waited.push(promise),
  };
  channel.pipeline.fireUserEventTriggered(event);
  return waited;
}

Deno.test("HeartbeatResponder says when to come back when the server drains, after the application's last word", async () => {
  const channel = new EmbeddedChannel({
    handlers: [new IdleStateHandler(), new HeartbeatResponder(), {
      userEventTriggered: (context, event) => {
        if ((event as { type: string }).type === "drain") context.writeAndFlush("farewell");
      },
    }],
  });
  const waited = drain(channel, 2_345);
  assertEquals(channel.drainOutbound(), ["farewell", Heartbeat.goAway("shutdown", 2_400)]);
  assertEquals(waited.length, 1);
  await waited[0];
});

Deno.test("HeartbeatResponder gives up the hold it serves when the server drains", () => {
  const channel = new EmbeddedChannel({
    handlers: [new IdleStateHandler(), new HeartbeatResponder({ hello: false })],
  });
  channel.writeInbound(new Heartbeat("hold", { timeMs: 60_000, sequence: 7 }));
  drain(channel, 1_000);
  assertEquals(channel.drainOutbound(), [Heartbeat.void(7, "givenUp"), Heartbeat.goAway("shutdown", 1_000)]);
  channel.advanceBy(60_000);
  assertEquals(channel.drainOutbound(), []);
});

Deno.test("HeartbeatResponder says nothing in a format that has no such word, and nothing without a link", () => {
  const format = rawFormat({ ping: "?", pong: "!" });
  const end = new Collector();
  const channel = new EmbeddedChannel({
    handlers: [new IdleStateHandler(), new HeartbeatEncoder({ format }), new HeartbeatResponder(), end],
  });
  channel.autoClose = false;
  drain(channel, 1_000);
  assertEquals([channel.drainOutbound(), end.errors, end.take("drain").length], [[], [], 1]);
  channel.loseLink();
  drain(channel, 1_000);
  channel.checkException();
  assertEquals([channel.drainOutbound(), end.take("drain").length], [[], 1]);
});

Deno.test("HeartbeatResponder() refuses a frame time out of range", () => {
  for (const frameMs of [0, -1, NaN, 13_107_101]) {
    assertThrows(() => new HeartbeatResponder({ frameMs }), RangeError, "frameMs");
  }
});
