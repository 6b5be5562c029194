/**
 * What is written and cannot be sent yet.
 *
 * @module
 */

import type { ChannelHandlerContext, ChannelPromise } from "../pipeline/mod.ts";
import { checkedCount } from "./_checks.ts";
import { QueueFullError } from "./errors.ts";

/**
 * What becomes of a write that finds the queue full.
 *
 * - `reject`: it fails with a `QueueFullError`.
 * - `dropOldest`: it is taken, and the oldest ones that wait fail with a
 *   {@linkcode MessageDroppedError}, as many as it needs room.
 * - `block`: it is taken once there is room, and its promise stays pending
 *   until then. Who awaits each write is slowed down and has one message of
 *   its own outside of the bounds; who does not await is stopped by
 *   `maxBlocked`. The order stays: what is written later waits behind it.
 *
 * A message that is larger than the whole queue fails whatever the policy.
 *
 * @example Only the newest position is worth sending
 * ```ts
 * import { assertEquals, assertInstanceOf } from "@std/assert";
 * import { EmbeddedChannel, MessageDroppedError, type QueuePolicy, ReconnectHandler } from "@longlink/pipeline";
 *
 * const policy: QueuePolicy = "dropOldest";
 * const reconnect = new ReconnectHandler({ queue: { maxMessages: 1, policy } });
 * const channel = new EmbeddedChannel({ active: false, handlers: [reconnect] });
 * channel.connect("embedded://peer");
 * channel.writeInbound("welcome"); // the link proved valid
 * channel.loseLink();
 * const older = channel.write("52.1 N");
 * channel.write("52.2 N");
 * assertInstanceOf(older.error, MessageDroppedError);
 * older.onSettled(() => {}); // seen to; otherwise it is reported
 * channel.advanceBy(800);
 * assertEquals(channel.drainOutbound(), ["52.2 N"]);
 * ```
 */
export type QueuePolicy = "reject" | "dropOldest" | "block";

/**
 * How much may wait, and what becomes of the rest.
 *
 * @example At most 8 bytes wait for a link
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { EmbeddedChannel, QueueFullError, type QueueLimits, ReconnectHandler } from "@longlink/pipeline";
 *
 * const queue: QueueLimits = { maxBytes: 8 };
 * const reconnect = new ReconnectHandler({ queue });
 * const channel = new EmbeddedChannel({ active: false, handlers: [reconnect] });
 * channel.connect("embedded://peer");
 * channel.loseLink();
 * channel.write(new Uint8Array(6));
 * await assertRejects(async () => await channel.write(new Uint8Array(3)), QueueFullError, "9 bytes");
 * assertEquals(reconnect.queuedBytes, 6);
 * ```
 */
export interface QueueLimits {
  /** The most messages, 0 or more; 0 lets nothing wait. Default: 1,000. */
  readonly maxMessages?: number;
  /** The most bytes, 0 or more; counts what is bytes or text by then. Default: 1 MiB. */
  readonly maxBytes?: number;
  /** What becomes of a write that finds the queue full. Default: `reject`. */
  readonly policy?: QueuePolicy;
  /** With `block`: how many writes may wait for room, 1 or more; the next one fails. Default: 1,000. */
  readonly maxBlocked?: number;
}

/**
 * A message waited in the outbound queue and had to make room for a newer one,
 * as the policy `dropOldest` asks for.
 *
 * @example It is one kind of a full queue
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { MessageDroppedError, QueueFullError } from "@longlink/pipeline";
 *
 * const error = new MessageDroppedError("messages", 1001, 1000);
 * assert(error instanceof QueueFullError);
 * assertEquals(error.message, "Cannot keep the message: 1001 messages would exceed the limit of 1000, and it is the oldest");
 * ```
 */
export class MessageDroppedError extends QueueFullError {
  /**
   * Makes the error.
   *
   * @param unit What there would have been too much of.
   * @param size How much there would have been.
   * @param limit How much there may be.
   */
  constructor(unit: "messages" | "bytes", size: number, limit: number) {
    super(unit, size, limit);
    this.name = "MessageDroppedError";
    this.message =
      `Cannot keep the message: ${size} ${unit} would exceed the limit of ${limit}, and it is the oldest`;
  }
}

/** {@linkcode QueueLimits} with nothing left open. */
export type QueueSettings = Required<QueueLimits>;

const POLICIES: readonly QueuePolicy[] = ["reject", "dropOldest", "block"];

/**
 * Checks limits and fills in what was left out.
 *
 * @throws {RangeError} If a number is out of range.
 * @throws {TypeError} If there is no such policy.
 */
export function queueSettings(action: string, limits: QueueLimits = {}): QueueSettings {
  const { maxMessages = 1_000, maxBytes = 1024 * 1024, policy = "reject", maxBlocked = 1_000 } = limits;
  if (!POLICIES.includes(policy)) {
    throw new TypeError(
      `Cannot ${action}: queue.policy must be one of ${POLICIES.join(", ")}, got ${policy}`,
    );
  }
  return {
    maxMessages: checkedCount(action, "queue.maxMessages", maxMessages, 0, Infinity),
    maxBytes: checkedCount(action, "queue.maxBytes", maxBytes, 0, Infinity),
    policy,
    maxBlocked: checkedCount(action, "queue.maxBlocked", maxBlocked, 1, Infinity),
  };
}

/** A message that waits, and whoever waits for it. */
export interface QueuedMessage {
  readonly message: unknown;
  readonly bytes: number;
  readonly promise: ChannelPromise;
}

/** Messages that wait, oldest first, bounded. */
export class OutboundQueue {
  readonly #settings: QueueSettings;
  readonly #onRoom: ((queued: QueuedMessage) => void) | undefined;
  readonly #queued = new Fifo();
  /** Those that the policy `block` lets wait for room. */
  readonly #blocked = new Fifo();
  #bytes = 0;
  #isSending = false;
  #rejected = 0;
  #dropped = 0;
  #blockedInAll = 0;

  /**
   * Makes an empty queue.
   *
   * @param settings Its bounds.
   * @param onRoom Told of each message that had to wait for room and is in the queue now.
   */
  constructor(settings: QueueSettings, onRoom?: (queued: QueuedMessage) => void) {
    this.#settings = settings;
    this.#onRoom = onRoom;
  }

  /** How many messages are in it; those that wait for room are not. */
  get size(): number {
    return this.#queued.size;
  }

  /** How many bytes they have. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether it sends just now: what is written meanwhile belongs behind it. */
  get isSending(): boolean {
    return this.#isSending;
  }

  /** How many were refused so far. */
  get rejected(): number {
    return this.#rejected;
  }

  /** How many had to make room for a newer one so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How many had to wait for room so far. */
  get blocked(): number {
    return this.#blockedInAll;
  }

  /** Whether nothing waits, and nothing is to be remembered. */
  get isUnused(): boolean {
    return this.size === 0 && this.#rejected === 0 && this.#dropped === 0 && this.#blockedInAll === 0;
  }

  /**
   * Takes a message, or does with it what the policy says.
   *
   * @returns Whether it is in the queue; if not, it waits for room.
   * @throws {QueueFullError} If it is refused.
   */
  add(message: unknown, promise: ChannelPromise): boolean {
    const { policy, maxBlocked } = this.#settings;
    const queued = { message, bytes: sizeOf(message), promise };
    const room = this.#whyNoRoom(queued);
    // Never ahead of those that wait for room, even where it would fit and they do not.
    if (room === undefined && this.#blocked.size === 0) this.#take(queued);
    else if (policy === "dropOldest" && this.#canEverFit(queued)) this.#dropFor(queued);
    else if (policy === "block" && this.#canEverFit(queued)) {
      if (this.#blocked.size === maxBlocked) throw this.#refuse("messages", maxBlocked + 1, maxBlocked);
      this.#blockedInAll++;
      this.#blocked.push(queued);
      return false;
    } else throw this.#refuse(...room!);
    return true;
  }

  /** Takes the oldest message out, and lets in those that the room is enough for. */
  shift(): QueuedMessage | undefined {
    const queued = this.#remove();
    if (this.#blocked.size > 0) this.#letIn();
    return queued;
  }

  /** Sends what waits, in order, until it is all gone or the link is. */
  sendTo(context: ChannelHandlerContext): void {
    if (this.#queued.size === 0) return;
    this.#isSending = true;
    while (context.channel.isActive) {
      const queued = this.shift();
      if (queued === undefined) break;
      context.write(queued.message, queued.promise);
    }
    this.#isSending = false;
    context.flush();
  }

  /** Gives up on what waits. */
  fail(error: unknown): void {
    const given = [...this.#queued.clear(), ...this.#blocked.clear()];
    this.#bytes = 0;
    for (const { promise } of given) promise.reject(error);
  }

  #take(queued: QueuedMessage): void {
    this.#queued.push(queued);
    this.#bytes += queued.bytes;
  }

  #remove(): QueuedMessage | undefined {
    const queued = this.#queued.shift();
    if (queued !== undefined) this.#bytes -= queued.bytes;
    return queued;
  }

  #letIn(): void {
    for (let next = this.#blocked.first; next !== undefined; next = this.#blocked.first) {
      if (this.#whyNoRoom(next) !== undefined) return;
      this.#blocked.shift();
      this.#take(next);
      this.#onRoom?.(next);
    }
  }

  #dropFor(queued: QueuedMessage): void {
    const dropped: [QueuedMessage, Error][] = [];
    for (let why = this.#whyNoRoom(queued); why !== undefined; why = this.#whyNoRoom(queued)) {
      dropped.push([this.#remove()!, new MessageDroppedError(...why)]);
    }
    this.#take(queued);
    this.#dropped += dropped.length;
    // Once all is in order again: who listens may write.
    for (const [{ promise }, error] of dropped) promise.reject(error);
  }

  #canEverFit({ bytes }: QueuedMessage): boolean {
    return this.#settings.maxMessages > 0 && bytes <= this.#settings.maxBytes;
  }

  #whyNoRoom(
    { bytes }: QueuedMessage,
  ): [unit: "messages" | "bytes", size: number, limit: number] | undefined {
    const { maxMessages, maxBytes } = this.#settings;
    if (this.size >= maxMessages) return ["messages", this.size + 1, maxMessages];
    if (this.#bytes + bytes > maxBytes) return ["bytes", this.#bytes + bytes, maxBytes];
  }

  #refuse(unit: "messages" | "bytes", size: number, limit: number): QueueFullError {
    this.#rejected++;
    return new QueueFullError(unit, size, limit);
  }
}

/** First in, first out; taking out of a long array one by one would move all the others each time. */
class Fifo {
  #entries: (QueuedMessage | undefined)[] = [];
  #start = 0;

  get size(): number {
    return this.#entries.length - this.#start;
  }

  get first(): QueuedMessage | undefined {
    return this.#entries[this.#start];
  }

  push(entry: QueuedMessage): void {
    this.#entries.push(entry);
  }

  shift(): QueuedMessage | undefined {
    if (this.size === 0) return undefined;
    const first = this.#entries[this.#start];
    // Not later: the messages that are gone would add to what the bounds allow.
    this.#entries[this.#start++] = undefined;
    if (this.#start * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
    return first;
  }

  clear(): QueuedMessage[] {
    const entries = this.#entries.slice(this.#start);
    this.#entries = [];
    this.#start = 0;
    return entries as QueuedMessage[];
  }
}

function sizeOf(message: unknown): number {
  if (message instanceof Uint8Array) return message.byteLength;
  // An upper bound (UTF-8 has at most 3 bytes for a UTF-16 unit) that costs nothing.
  return typeof message === "string" ? message.length * 3 : 0;
}
