/**
 * What a server has for one client.
 *
 * @module
 */

import type { Channel } from "../mod.ts";
import type { Push } from "./chat_message.ts";

/** How many pushes wait for a client that is away; then the oldest are given up. */
const MAX_WAITING = 1_000;

/** The pushes that a client has not confirmed, in order, and the link to it. */
export class Mailbox {
  readonly #onGiven: (n: number) => void;
  #waiting: number[] = [];
  /** How many of them, from the front, were written to the current link. */
  #written = 0;
  #lastGiven = 0;
  #channel: Channel | undefined = undefined;

  /** @param onGiven Called when a push is given to a link for the first time. */
  constructor(onGiven: (n: number) => void) {
    this.#onGiven = onGiven;
  }

  /** The link to the client. */
  get channel(): Channel | undefined {
    return this.#channel;
  }

  /** How many pushes are not confirmed. */
  get size(): number {
    return this.#waiting.length;
  }

  /** The client is there, on this link: it gets again what it has not confirmed. */
  attach(channel: Channel): void {
    this.#channel = channel;
    this.#written = 0;
    this.deliver();
  }

  /** The client is away. */
  detach(): void {
    this.#channel = undefined;
    this.#written = 0;
  }

  /**
   * Adds a push.
   *
   * @returns Whether the oldest had to be given up for it.
   */
  add(n: number): boolean {
    this.#waiting.push(n);
    const isFull = this.#waiting.length > MAX_WAITING;
    if (isFull) this.#remove(1);
    this.deliver();
    return isFull;
  }

  /** The client has handed over all pushes up to this one. */
  confirm(n: number): void {
    // What was never written to this link cannot have been handed over.
    let count = 0;
    while (count < this.#written && this.#waiting[count]! <= n) count++;
    this.#remove(count);
  }

  /** Writes what was not written, as long as the link takes it: a client that does not read must not fill the memory. */
  deliver(): void {
    const channel = this.#channel;
    if (channel === undefined) return;
    const before = this.#written;
    while (this.#written < this.#waiting.length && channel.isWritable) {
      const n = this.#waiting[this.#written++]!;
      // A push that is lost with its link is still unconfirmed and will be repeated.
      channel.write({ push: n } satisfies Push).onSettled(() => {});
      if (n > this.#lastGiven) {
        this.#lastGiven = n;
        this.#onGiven(n);
      }
    }
    if (this.#written > before) channel.flush();
  }

  #remove(count: number): void {
    this.#waiting.splice(0, count);
    this.#written = Math.max(0, this.#written - count);
  }
}
