import { assert, assertEquals, assertInstanceOf, assertLessOrEqual, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  Heartbeat,
  HeartbeatEncoder,
  LimitError,
  RateLimitHandler,
  type RateLimitOptions,
} from "../../handlers/mod.ts";
import {
  Bootstrap,
  type ChannelHandlerContext,
  EmbeddedChannel,
  type EmbeddedChannelOptions,
  ServerBootstrap,
  type VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { tcp } from "../../pipeline/transports/tcp.ts";
import { Collector, CountingLoop } from "./_rig.ts";

/** A channel that counts how often its link is asked for data. */
function limited(options: RateLimitOptions, channelOptions: EmbeddedChannelOptions = {}) {
  const limit = new RateLimitHandler(options);
  const end = new Collector();
  const asked = { times: 0 };
  const head = { read: (context: ChannelHandlerContext) => (asked.times++, context.read()) };
  const channel = new EmbeddedChannel({
    handlers: [head, new HeartbeatEncoder(), limit, end],
    ...channelOptions,
  });
  asked.times = 0;
  return { channel, limit, end, asked, loop: channel.loop as VirtualEventLoop };
}

/** One batch of frames of one byte each, and the wish for more that follows one. */
function receive(channel: EmbeddedChannel, frames: number, bytes = 1): void {
  channel.writeInbound(...Array.from({ length: frames }, () => new Uint8Array(bytes)));
  channel.pipeline.read();
}

Deno.test("RateLimitHandler asks for data at once while a peer keeps within the limits", () => {
  const { channel, limit, asked, loop } = limited({ framesPerSecond: 10, burstFrames: 20 });
  receive(channel, 20);
  for (let i = 0; i < 10; i++) {
    channel.advanceBy(500);
    receive(channel, 5);
  }
  assertEquals([asked.times, limit.pauses, loop.pendingTimers], [11, 0, 0]);
  assertEquals(channel.drainInbound().length, 70);
});

Deno.test("RateLimitHandler reads no more before a peer's frames are within the limit again", () => {
  const { channel, limit, asked, loop } = limited({ framesPerSecond: 10, burstFrames: 20 });
  receive(channel, 25); // the batch passes
  assertEquals([channel.drainInbound().length, asked.times, limit.pauses], [25, 0, 1]);
  channel.pipeline.read(); // asking twice is the same as once
  channel.advanceBy(499);
  assertEquals(asked.times, 0);
  channel.advanceBy(1);
  assertEquals([asked.times, limit.pauses, loop.pendingTimers, channel.isActive], [1, 1, 0, true]);
});

Deno.test("RateLimitHandler reads no more before a peer's bytes are within the limit again", () => {
  const { channel, asked } = limited({ bytesPerSecond: 1_000, burstBytes: 2_000 });
  receive(channel, 1, 2_300);
  channel.advanceBy(299);
  assertEquals(asked.times, 0);
  channel.advanceBy(1);
  assertEquals(asked.times, 1);
});

Deno.test("RateLimitHandler counts heartbeats as frames", () => {
  const { channel, limit } = limited({ framesPerSecond: 10, burstFrames: 2 });
  channel.writeInbound(new Heartbeat("ping"), "text", new Heartbeat("ping"));
  channel.pipeline.read();
  assertEquals(limit.pauses, 1);
});

Deno.test("RateLimitHandler lets a peer send that has rested, and no more than two bursts", () => {
  const { channel, limit } = limited({ framesPerSecond: 10, burstFrames: 20 });
  channel.advanceBy(3_600_000);
  receive(channel, 20);
  receive(channel, 21);
  assertEquals(limit.pauses, 0);
  receive(channel, 1);
  assertEquals(limit.pauses, 1);
});

Deno.test("RateLimitHandler with the policy close says tooFast and when to come back, and closes", () => {
  const { channel, limit, end } = limited({ framesPerSecond: 10, burstFrames: 20, policy: "close" });
  channel.writeInbound(...Array.from({ length: 30 }, () => new Uint8Array(1)));
  assertEquals(channel.drainInbound().length, 20);
  const [error] = end.errors;
  assertInstanceOf(error, LimitError);
  assertEquals([error.limit, error.value, error.most, end.errors.length], ["burstFrames", 21, 20, 1]);
  const format = new HeartbeatEncoder().format;
  assertEquals(channel.drainOutbound(), [format.encode(Heartbeat.goAway("tooFast", 2_100))]);
  assertEquals([channel.state, limit.ended, limit.pauses], ["closed", 1, 0]);
});

Deno.test("RateLimitHandler ends the link of a channel that outlives it, and begins anew with the next", () => {
  const { channel, limit, end } = limited({ bytesPerSecond: 10, burstBytes: 20, policy: "close" });
  channel.autoClose = false;
  channel.writeInbound(new Uint8Array(21), new Uint8Array(1));
  const [error] = end.errors as LimitError[];
  assertEquals([error!.limit, error!.value, error!.most], ["burstBytes", 21, 20]);
  assertEquals(end.take("linkDown"), [{ type: "linkDown", reason: "closed", error }]);
  assertEquals([channel.state, channel.drainInbound(), limit.ended], ["idle", [], 1]);
  channel.reopen();
  channel.writeInbound(new Uint8Array(20));
  assertEquals([channel.drainInbound().length, channel.isActive], [1, true]);
  assertEquals((channel.loop as VirtualEventLoop).pendingTimers, 0);
});

Deno.test("RateLimitHandler looks at no clock and sets no timer within the limits", () => {
  const loop = new CountingLoop();
  const channel = new EmbeddedChannel({ loop, handlers: [new RateLimitHandler()] });
  const before = loop.clockReads;
  receive(channel, 4_000, 1_000);
  assertEquals([loop.clockReads - before, loop.scheduled], [0, 0]);
});

Deno.test("RateLimitHandler leaves no timer, and whoever waits gets data when it is taken out", () => {
  const { channel, limit, asked, loop } = limited({ framesPerSecond: 1, burstFrames: 1 });
  receive(channel, 10);
  assertEquals(loop.pendingTimers, 1);
  channel.pipeline.remove(limit);
  assertEquals([loop.pendingTimers, asked.times], [0, 1]);
  channel.pipeline.addAfter(HeartbeatEncoder, limit);
  receive(channel, 10);
  channel.close();
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("RateLimitHandler keeps every peer to its rate and two bursts", () => {
  const batch = fc.record({
    afterMs: fc.integer({ min: 0, max: 3_000 }),
    frames: fc.integer({ min: 1, max: 30 }),
  });
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 60 }), (batches) => {
      const rate = 10;
      const burst = 20;
      const { channel, asked, loop } = limited({ framesPerSecond: rate, burstFrames: burst });
      let frames = 0;
      let reads = 0;
      for (const { afterMs, frames: count } of batches) {
        channel.advanceBy(afterMs);
        if (asked.times < reads) continue; // the socket was not asked
        receive(channel, count);
        reads++;
        frames += count;
        // The last batch passes as a whole.
        assertLessOrEqual(frames - count, 2 * burst + rate * loop.now() / 1_000 + 1);
      }
      return true;
    }),
    { seed: 5, numRuns: 200 },
  );
});

Deno.test("RateLimitHandler stops the sending of a real peer, and loses nothing of it", async () => {
  const TOTAL = 3_000_000;
  let received = 0;
  const limit = new RateLimitHandler({ bytesPerSecond: 8_000_000, burstBytes: 400_000 });
  const done = Promise.withResolvers<void>();
  await using server = await new ServerBootstrap({
    transport: tcp(),
    pipeline: (p) =>
      p.addLast(limit, {
        channelRead: (_context, message) => {
          received += (message as Uint8Array).length;
          if (received >= TOTAL) done.resolve();
        },
      }),
  }).listen("tcp://127.0.0.1:0");
  await using client = await new Bootstrap({ transport: tcp() }).connect(server.address);
  for (let sent = 0; sent < TOTAL; sent += 100_000) client.write(new Uint8Array(100_000));
  client.flush();
  await done.promise;
  assertEquals(received, TOTAL);
  assert(limit.pauses > 0);
});

Deno.test("RateLimitHandler() refuses numbers out of range", () => {
  for (const value of [0, -1, NaN]) {
    assertThrows(() => new RateLimitHandler({ framesPerSecond: value }), RangeError, "framesPerSecond");
    assertThrows(() => new RateLimitHandler({ bytesPerSecond: value }), RangeError, "bytesPerSecond");
    assertThrows(() => new RateLimitHandler({ burstFrames: value }), RangeError, "burstFrames");
    assertThrows(() => new RateLimitHandler({ burstBytes: value }), RangeError, "burstBytes");
  }
  assertThrows(() => new RateLimitHandler({ policy: "stop" as "slow" }), RangeError, "got stop");
  new RateLimitHandler({ framesPerSecond: Infinity, bytesPerSecond: Infinity });
});
