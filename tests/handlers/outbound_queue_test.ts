import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { OutboundQueue } from "../../handlers/_outbound_queue.ts";
import { QueueFullError } from "../../handlers/errors.ts";
import { ChannelPromise, EmbeddedChannel } from "../../pipeline/mod.ts";

function queueOf(limits: { maxMessages?: number; maxBytes?: number } = {}) {
  return new OutboundQueue({ maxMessages: Infinity, maxBytes: Infinity, ...limits });
}

/** A channel, and the context of its last handler. */
function sending() {
  const channel = new EmbeddedChannel();
  channel.autoClose = false;
  channel.pipeline.addLast("last", {});
  return { channel, context: channel.pipeline.context("last")! };
}

Deno.test("OutboundQueue.add() is bounded by messages", () => {
  const queue = queueOf({ maxMessages: 2 });
  queue.add("a", new ChannelPromise());
  queue.add({}, new ChannelPromise());
  const error = assertThrows(() => queue.add("b", new ChannelPromise()), QueueFullError);
  assertEquals([error.unit, error.size, error.limit], ["messages", 3, 2]);
  assertEquals(queue.size, 2);
});

Deno.test("OutboundQueue.add() is bounded by bytes, and takes text for the most that it can be", () => {
  const queue = queueOf({ maxBytes: 100 });
  queue.add(new Uint8Array(70), new ChannelPromise());
  queue.add("ten chars.", new ChannelPromise());
  assertEquals(queue.bytes, 100);
  const error = assertThrows(() => queue.add(new Uint8Array(1), new ChannelPromise()), QueueFullError);
  assertEquals([error.unit, error.size, error.limit], ["bytes", 101, 100]);
  // One that is refused takes no room.
  queue.add(new Uint8Array(0), new ChannelPromise());
  assertEquals([queue.size, queue.bytes], [3, 100]);
});

Deno.test("OutboundQueue.add() lets nothing wait where the limit is 0", () => {
  assertThrows(() => queueOf({ maxMessages: 0 }).add("", new ChannelPromise()), QueueFullError);
  const noBytes = queueOf({ maxBytes: 0 });
  assertThrows(() => noBytes.add("a", new ChannelPromise()), QueueFullError);
});

Deno.test("OutboundQueue.sendTo() sends in order, flushes once and gives room back", () => {
  const { channel, context } = sending();
  let flushes = 0;
  channel.pipeline.addFirst({
    flush: (context) => {
      flushes++;
      context.flush();
    },
  });
  const queue = queueOf();
  const promises = ["a", "b", "c"].map((message) => {
    const promise = new ChannelPromise();
    queue.add(message, promise);
    return promise;
  });
  queue.sendTo(context);
  assertEquals(channel.drainOutbound(), ["a", "b", "c"]);
  assert(promises.every((promise) => promise.isSuccess));
  assertEquals([queue.size, queue.bytes, flushes], [0, 0, 1]);
  queue.sendTo(context);
  assertEquals(flushes, 1);
});

Deno.test("OutboundQueue.sendTo() keeps what a link did not live to take", () => {
  const { channel, context } = sending();
  channel.pipeline.addFirst({
    write: (context, message, promise) => {
      context.write(message, promise);
      if (message === "b") (context.channel as EmbeddedChannel).loseLink();
    },
  });
  const queue = queueOf();
  const failed: unknown[] = [];
  for (const message of ["a", "b", "c", "d"]) {
    const promise = new ChannelPromise();
    promise.onSettled((error) => error === undefined || failed.push(message));
    queue.add(message, promise);
  }
  queue.sendTo(context);
  assertEquals(failed, ["a", "b"]);
  assertEquals([queue.size, queue.bytes], [2, 6]);
  channel.reopen();
  queue.sendTo(context);
  assertEquals(channel.drainOutbound(), ["c", "d"]);
});

Deno.test("OutboundQueue.fail() fails everything that waits, and is empty then", () => {
  const queue = queueOf();
  const promise = new ChannelPromise();
  promise.onSettled(() => {});
  queue.add("a", promise);
  queue.fail(new TypeError("no"));
  assertInstanceOf(promise.error, TypeError);
  assertEquals([queue.size, queue.bytes], [0, 0]);
});
