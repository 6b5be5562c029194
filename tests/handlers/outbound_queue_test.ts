import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type MessageDroppedError,
  OutboundQueue,
  type QueuedMessage,
  type QueueLimits,
  queueSettings,
} from "../../handlers/_outbound_queue.ts";
import { QueueFullError } from "../../handlers/errors.ts";
import { ChannelPromise, EmbeddedChannel } from "../../pipeline/mod.ts";

function queueOf(limits: QueueLimits = {}, onRoom?: (queued: QueuedMessage) => void) {
  const settings = queueSettings("make the queue", { maxMessages: Infinity, maxBytes: Infinity, ...limits });
  return new OutboundQueue(settings, onRoom);
}

/** Adds a message whose promise somebody looks after. */
function add(queue: OutboundQueue, message: unknown): ChannelPromise {
  const promise = new ChannelPromise();
  promise.onSettled(() => {});
  queue.add(message, promise);
  return promise;
}

/** Everything that is in a queue, taken out. */
function drain(queue: OutboundQueue): unknown[] {
  const messages = [];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) messages.push(next.message);
  return messages;
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

Deno.test("OutboundQueue.add() counts what it refuses", () => {
  const queue = queueOf({ maxMessages: 1 });
  assert(queue.isUnused);
  add(queue, "a");
  for (let i = 0; i < 3; i++) assertThrows(() => add(queue, "b"), QueueFullError);
  queue.fail(new Error("over"));
  assertEquals([queue.rejected, queue.dropped, queue.blocked, queue.size, queue.isUnused], [
    3,
    0,
    0,
    0,
    false,
  ]);
});

Deno.test("OutboundQueue.add() with dropOldest makes as much room as is needed", () => {
  const queue = queueOf({ maxMessages: 3, maxBytes: 10, policy: "dropOldest" });
  const promises = [4, 4, 2].map((length) => add(queue, new Uint8Array(length)));
  const last = add(queue, new Uint8Array(7));
  const errors = promises.map(({ error }) => error as MessageDroppedError | undefined);
  assertEquals(errors.map((error) => error?.unit), ["messages", "bytes", undefined]);
  assertInstanceOf(errors[0], QueueFullError);
  assertEquals(errors[1]!.name, "MessageDroppedError");
  assertEquals([last.isDone, queue.size, queue.bytes, queue.dropped], [false, 2, 9, 2]);
});

Deno.test("OutboundQueue.add() refuses what would not fit into an empty queue, whatever the policy", () => {
  for (const policy of ["dropOldest", "block"] as const) {
    const queue = queueOf({ maxBytes: 10, policy });
    const kept = add(queue, new Uint8Array(3));
    const error = assertThrows(() => add(queue, new Uint8Array(11)), QueueFullError);
    assertEquals([error.name, error.unit], ["QueueFullError", "bytes"]);
    assertEquals([kept.isDone, queue.size, queue.rejected, queue.dropped, queue.blocked], [
      false,
      1,
      1,
      0,
      0,
    ]);
    assertThrows(() => add(queueOf({ maxMessages: 0, policy }), ""), QueueFullError);
  }
});

Deno.test("OutboundQueue with dropOldest stands one who writes again what was dropped", () => {
  const queue = queueOf({ maxMessages: 2, policy: "dropOldest" });
  const first = new ChannelPromise();
  first.onSettled(() => add(queue, "again"));
  queue.add("a", first);
  add(queue, "b");
  add(queue, "c");
  assertEquals([queue.dropped, drain(queue)], [2, ["c", "again"]]);
});

Deno.test("OutboundQueue.add() with block lets in later what has no room, in order", () => {
  const letIn: unknown[] = [];
  const queue = queueOf({ maxBytes: 10, policy: "block" }, ({ message }) => void letIn.push(message));
  const [six, seven, one] = [6, 7, 1].map((length) => new Uint8Array(length));
  assert(queue.add(six, new ChannelPromise()));
  assert(!queue.add(seven, new ChannelPromise()));
  // It would fit, and must not overtake.
  assert(!queue.add(one, new ChannelPromise()));
  assertEquals([queue.size, queue.bytes, queue.blocked, letIn], [1, 6, 2, []]);
  assertEquals(queue.shift()!.message, six);
  assertEquals([queue.size, queue.bytes, queue.blocked, letIn], [2, 8, 2, [seven, one]]);
  assertEquals(drain(queue), [seven, one]);
});

Deno.test("OutboundQueue.add() with block bounds how many may wait for room", () => {
  const queue = queueOf({ maxMessages: 1, policy: "block", maxBlocked: 2 });
  for (const message of ["a", "b", "c"]) add(queue, message);
  const error = assertThrows(() => add(queue, "d"), QueueFullError);
  assertEquals([error.size, error.limit, queue.rejected, queue.blocked], [3, 2, 1, 2]);
  assertEquals(queue.shift()!.message, "a");
  add(queue, "e");
  assertEquals(drain(queue), ["b", "c", "e"]);
});

Deno.test("OutboundQueue.fail() fails also what waits for room", () => {
  const queue = queueOf({ maxMessages: 1, policy: "block" });
  const promises = ["a", "b"].map((message) => add(queue, message));
  queue.fail(new TypeError("no"));
  assert(promises.every(({ error }) => error instanceof TypeError));
  assertEquals(queue.shift(), undefined);
});

Deno.test("OutboundQueue.sendTo() sends what waits for room as well", () => {
  const { channel, context } = sending();
  const queue = queueOf({ maxMessages: 2, policy: "block" });
  const promises = ["a", "b", "c", "d", "e"].map((message) => add(queue, message));
  queue.sendTo(context);
  assertEquals([channel.drainOutbound(), queue.isSending], [["a", "b", "c", "d", "e"], false]);
  assert(promises.every(({ isSuccess }) => isSuccess));
});

Deno.test("OutboundQueue stays within its bounds and in order, and loses nobody's promise, whatever comes", () => {
  const limits = fc.record({
    maxMessages: fc.integer({ min: 0, max: 5 }),
    maxBytes: fc.integer({ min: 0, max: 20 }),
    policy: fc.constantFrom("reject" as const, "dropOldest" as const, "block" as const),
    maxBlocked: fc.integer({ min: 1, max: 4 }),
  });
  const steps = fc.array(fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constant("shift" as const)));
  fc.assert(
    fc.property(limits, steps, (limits, steps) => {
      const queue = queueOf(limits);
      const out: number[] = [];
      const pending = new Map<number, ChannelPromise>();
      let refused = 0;
      const shift = () => {
        const queued = queue.shift();
        if (queued === undefined) return false;
        const { id } = queued.message as { id: number };
        out.push(id);
        queued.promise.resolve();
        return true;
      };
      steps.forEach((step, id) => {
        if (step === "shift") return void shift();
        const promise = new ChannelPromise();
        promise.onSettled(() => pending.delete(id));
        pending.set(id, promise);
        try {
          queue.add(Object.assign(new Uint8Array(step), { id }), promise);
        } catch (error) {
          assertInstanceOf(error, QueueFullError);
          refused++;
          promise.reject(error);
        }
        assert(queue.size <= limits.maxMessages && queue.bytes <= limits.maxBytes);
        assert(pending.size - queue.size <= (limits.policy === "block" ? limits.maxBlocked : 0));
      });
      while (shift());
      assertEquals([queue.size, queue.bytes, pending.size, queue.rejected], [0, 0, 0, refused]);
      assertEquals(out, out.toSorted((a, b) => a - b));
      const added = steps.filter((step) => step !== "shift").length;
      assertEquals(out.length + queue.dropped + refused, added);
    }),
    { seed: 20_260, numRuns: 500 },
  );
});

Deno.test("OutboundQueue keeps its bound and its counts over very many messages", () => {
  const queue = queueOf({ maxMessages: 1_000, policy: "dropOldest" });
  for (let i = 0; i < 50_000; i++) add(queue, new Uint8Array(1));
  assertEquals([queue.size, queue.bytes, queue.dropped], [1_000, 1_000, 49_000]);
  assertEquals(drain(queue).length, 1_000);
});

Deno.test("queueSettings() fills in what is left out and refuses what makes no sense", () => {
  assertEquals(queueSettings("make the queue"), {
    maxMessages: 1_000,
    maxBytes: 1_048_576,
    policy: "reject",
    maxBlocked: 1_000,
  });
  assertThrows(() => queueSettings("make the queue", { maxBlocked: 0 }), RangeError, "queue.maxBlocked");
});
