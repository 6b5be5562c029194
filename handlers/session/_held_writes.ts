/**
 * What was written before it was clear to whom.
 *
 * @module
 */

import { type ChannelPromise, LinkDownError } from "../../pipeline/mod.ts";

/** How many writes wait while a link is undecided: who writes to all clients reaches it as well. */
const MAX_HELD = 1_000;

/** Keeps writes, in order, until it is known where they go. */
export class HeldWrites {
  readonly #writes: { readonly message: unknown; readonly promise: ChannelPromise }[] = [];

  /** @throws {LinkDownError} If there are too many. */
  add(message: unknown, promise: ChannelPromise): void {
    if (this.#writes.length >= MAX_HELD) throw new LinkDownError("write", "notConnected");
    this.#writes.push({ message, promise });
  }

  /** @returns Whether there were any. */
  writeTo(write: (message: unknown, promise: ChannelPromise) => void): boolean {
    for (const { message, promise } of this.#writes) {
      try {
        write(message, promise);
      } catch (error) {
        promise.reject(error);
      }
    }
    return this.#writes.length > 0;
  }

  reject(error: Error): void {
    for (const { promise } of this.#writes) promise.reject(error);
  }
}
