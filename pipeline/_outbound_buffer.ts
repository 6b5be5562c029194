/**
 * What a channel has written and its link has not sent yet.
 *
 * @module
 */

import type { ChannelPromise } from "./channel_promise.ts";

/**
 * When a channel counts as unwritable, and when as writable again, in bytes.
 *
 * @example A sender that waits for room
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap, ServerBootstrap } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const transport = memory();
 * await using _server = await new ServerBootstrap({ transport, autoRead: false }).listen("memory://slow");
 * await using channel = await new Bootstrap({
 *   transport,
 *   waterMarks: { lowBytes: 100, highBytes: 1_000 },
 * }).connect("memory://slow");
 * channel.write(new Uint8Array(1_001)).catch(() => {});
 * assertEquals(channel.isWritable, false); // `channelWritabilityChanged` comes when it may go on
 * ```
 */
export interface WaterMarks {
  /** Below this many pending bytes, or at none, an unwritable channel is writable again. Default: 32 KiB. */
  readonly lowBytes: number;
  /** Above this many pending bytes a channel is unwritable. Default: 64 KiB. */
  readonly highBytes: number;
}

interface Pending {
  remainingBytes: number;
  readonly promise: ChannelPromise;
}

/** Counts pending bytes and settles each write's promise once its bytes left. */
export class OutboundBuffer {
  /** Bytes written and not yet handed to the operating system. */
  pendingBytes = 0;
  isWritable = true;
  /** Oldest first, from #first on. Undefined while idle: most links are, most of the time. */
  #pending: Pending[] | undefined = undefined;
  #first = 0;
  /** Flushed, and not yet taken off the pending writes, bytes. */
  #unsettled = 0;
  readonly #marks: WaterMarks;

  constructor(marks: WaterMarks) {
    this.#marks = marks;
  }

  /** Whether nothing is on its way out. */
  get isEmpty(): boolean {
    return this.#pending === undefined;
  }

  /** @returns Whether `isWritable` changed. */
  add(bytes: number, promise: ChannelPromise): boolean {
    // A literal holds one; an array that is pushed to makes room for seventeen.
    if (this.#pending === undefined) this.#pending = [{ remainingBytes: bytes, promise }];
    else this.#pending.push({ remainingBytes: bytes, promise });
    this.pendingBytes += bytes;
    if (!this.isWritable || this.pendingBytes <= this.#marks.highBytes) return false;
    this.isWritable = false;
    return true;
  }

  /**
   * So many more bytes left.
   *
   * @returns Whether `isWritable` changed.
   */
  flushed(bytes: number): boolean {
    this.pendingBytes -= bytes;
    // A field, because whoever listens to a promise may lose the link: what is
    // left must not count for the writes of the next one.
    this.#unsettled += bytes;
    while (this.#pending !== undefined) {
      const head = this.#pending[this.#first]!;
      const taken = Math.min(this.#unsettled, head.remainingBytes);
      head.remainingBytes -= taken;
      this.#unsettled -= taken;
      if (head.remainingBytes > 0) break;
      this.#shift();
      head.promise.resolve();
    }
    if (this.isWritable || (this.pendingBytes > 0 && this.pendingBytes >= this.#marks.lowBytes)) return false;
    this.isWritable = true;
    return true;
  }

  /** Fails everything pending: the link is gone. */
  fail(error: Error): void {
    const pending = this.#pending;
    const first = this.#first;
    this.#pending = undefined;
    this.#first = 0;
    this.#unsettled = 0;
    this.pendingBytes = 0;
    this.isWritable = true;
    for (let i = first; pending !== undefined && i < pending.length; i++) pending[i]!.promise.reject(error);
  }

  #shift(): void {
    this.#first++;
    if (this.#first === this.#pending!.length) {
      this.#pending = undefined;
      this.#first = 0;
    } else if (this.#first >= 1024) {
      // A buffer that never runs empty must not keep its settled past.
      this.#pending = this.#pending!.slice(this.#first);
      this.#first = 0;
    }
  }
}
