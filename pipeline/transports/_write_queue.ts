/**
 * What a link was given to send and could not send yet.
 *
 * @module
 */

import type { WireMessage } from "../transport.ts";

/**
 * Largest part that is handed to the platform at once, bytes. Small enough
 * that a large message on a slow link shows progress, large enough that the
 * call costs nothing next to the bytes.
 */
export const PART_BYTES = 64 * 1024;

/** A message of at least this size is sent alone: copying it together with others would cost more than a call. */
const ALONE_BYTES = 16 * 1024;

const encoder = new TextEncoder();

/** Why a link takes no message once its own direction has ended. */
export function outputEnded(): TypeError {
  return new TypeError("Cannot write: the output of the link was shut down");
}

/** How many bytes a message has on the wire. */
export function byteLength(message: WireMessage): number {
  return typeof message === "string" ? encoder.encode(message).length : message.length;
}

/**
 * Messages in order, of which the flushed ones may be taken out. Either whole,
 * or, for a byte stream, in parts: large messages are cut, small ones gathered.
 */
export class WriteQueue {
  /** One that is empty and nobody's. */
  static #spare: WriteQueue | undefined = undefined;
  readonly #keepsMessages: boolean;
  #messages: WireMessage[] = [];
  /** First message that was not taken entirely. */
  #head = 0;
  /** How much of it was taken, bytes. */
  #taken = 0;
  /** First message that was not flushed. */
  #end = 0;

  /** @param keepsMessages Whether messages are taken whole. */
  constructor(keepsMessages: boolean) {
    this.#keepsMessages = keepsMessages;
  }

  /**
   * A queue for bytes, to be given back once it is empty. A link has something
   * to send for a moment only: one queue serves very many of them, where each
   * would keep 200 bytes for a queue of its own.
   */
  static borrow(): WriteQueue {
    const queue = WriteQueue.#spare ?? new WriteQueue(false);
    WriteQueue.#spare = undefined;
    return queue;
  }

  /** Lets another link have it. It must be empty. */
  giveBack(): void {
    WriteQueue.#spare = this;
  }

  /** Whether nothing is left in it. */
  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** Whether everything flushed was taken. */
  get isDrained(): boolean {
    return this.#head === this.#end;
  }

  /** Puts a message at the end. */
  add(message: WireMessage): void {
    const kept = typeof message === "string" && !this.#keepsMessages ? encoder.encode(message) : message;
    // A literal holds one; an array that is pushed to makes room for seventeen.
    if (this.#messages.length === 0) this.#messages = [kept];
    else this.#messages.push(kept);
  }

  /** Lets what was added so far be taken. */
  flush(): void {
    this.#end = this.#messages.length;
  }

  /**
   * Takes what is to be sent next: one message, or at most `limit` bytes of a stream.
   *
   * @returns undefined if nothing was flushed.
   */
  take(limit: number): WireMessage | undefined {
    if (this.#head === this.#end) return undefined;
    const head = this.#messages[this.#head]!;
    if (typeof head === "string" || this.#keepsMessages) {
      this.#advance(0);
      return head;
    }
    const left = head.length - this.#taken;
    if (left >= ALONE_BYTES || left >= limit || this.#head + 1 === this.#end) {
      const part = head.subarray(this.#taken, this.#taken + limit);
      this.#advance(part.length);
      return part;
    }
    return this.#gather(limit);
  }

  /** Drops everything. */
  clear(): void {
    this.#messages.length = 0;
    this.#head = this.#taken = this.#end = 0;
  }

  #gather(limit: number): Uint8Array {
    let size = -this.#taken;
    for (let i = this.#head; i < this.#end && size < limit; i++) size += this.#messages[i]!.length;
    const gathered = new Uint8Array(Math.min(size, limit));
    let at = 0;
    do { // at least once, or a queue of empty messages would never move
      const head = this.#messages[this.#head] as Uint8Array;
      const part = head.subarray(this.#taken, this.#taken + gathered.length - at);
      gathered.set(part, at);
      at += part.length;
      this.#advance(part.length);
    } while (at < gathered.length);
    return gathered;
  }

  #advance(bytes: number): void {
    this.#taken += bytes;
    if (!this.#keepsMessages && this.#taken < this.#messages[this.#head]!.length) return;
    this.#taken = 0;
    this.#head++;
    if (this.#head === this.#messages.length) this.clear();
    else if (this.#head >= 1024 && this.#head * 2 > this.#messages.length) {
      // A queue that never runs empty must not keep what it has sent.
      this.#messages = this.#messages.slice(this.#head);
      this.#end -= this.#head;
      this.#head = 0;
    }
  }
}
