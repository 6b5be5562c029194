/**
 * What is written while there is no link.
 *
 * @module
 */

import type { ChannelHandlerContext, ChannelPromise } from "../pipeline/mod.ts";
import { QueueFullError } from "./errors.ts";

/** How much may wait. */
export interface QueueLimits {
  /** The most messages, 0 or more; 0 lets nothing wait. Default: 1,000. */
  readonly maxMessages?: number;
  /** The most bytes, 0 or more; counts what is bytes or text by then. Default: 1 MiB. */
  readonly maxBytes?: number;
}

interface Waiting {
  readonly message: unknown;
  readonly bytes: number;
  readonly promise: ChannelPromise;
}

/** Messages that wait for a link, oldest first, bounded. */
export class OutboundQueue {
  #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(readonly limits: Required<QueueLimits>) {}

  get size(): number {
    return this.#waiting.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Lets a message wait.
   *
   * @throws {QueueFullError} If there would be too much.
   */
  add(message: unknown, promise: ChannelPromise): void {
    const { maxMessages, maxBytes } = this.limits;
    const messages = this.#waiting.length + 1;
    if (messages > maxMessages) throw new QueueFullError("messages", messages, maxMessages);
    const size = sizeOf(message);
    if (this.#bytes + size > maxBytes) throw new QueueFullError("bytes", this.#bytes + size, maxBytes);
    this.#waiting.push({ message, bytes: size, promise });
    this.#bytes += size;
  }

  /** Sends what waits, in order, until it is all gone or the link is. */
  sendTo(context: ChannelHandlerContext): void {
    let sent = 0;
    const waiting = this.#waiting;
    while (sent < waiting.length && context.channel.isActive) {
      const { message, promise, bytes } = waiting[sent++]!;
      this.#bytes -= bytes;
      context.write(message, promise);
    }
    this.#waiting = waiting.slice(sent);
    if (sent > 0) context.flush();
  }

  /** Gives up on what waits. */
  fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    for (const { promise } of waiting) promise.reject(error);
  }
}

function sizeOf(message: unknown): number {
  if (message instanceof Uint8Array) return message.byteLength;
  // An upper bound (UTF-8 has at most 3 bytes for a UTF-16 unit) that costs nothing.
  return typeof message === "string" ? message.length * 3 : 0;
}
