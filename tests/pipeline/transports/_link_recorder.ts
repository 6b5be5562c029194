/**
 * Watches one link the way a channel would, and checks what every link promises.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type {
  EventLoop,
  LateNotice,
  Link,
  LinkDownReason,
  Timer,
  WireMessage,
} from "../../../pipeline/mod.ts";

/** A link's sink that remembers what it was told and lets a test wait for it. */
export class LinkRecorder {
  readonly link: Link;
  readonly messages: WireMessage[] = [];
  receivedBytes = 0;
  batches = 0;
  readonly flushes: number[] = [];
  flushedBytes = 0;
  /** Whether the peer was said to have ended its direction. */
  inputEnded = false;
  /** Whether the link is to go on then. */
  keepsHalf = false;
  closed: { reason: LinkDownReason; error: Error | undefined } | undefined = undefined;
  #autoRead: boolean;
  #inCall = false;
  readonly #waiting = new Set<() => void>();

  /** Opens the link. With autoRead it always asks for more, as a channel does by default. */
  constructor(link: Link, { autoRead = true }: { autoRead?: boolean } = {}) {
    this.link = link;
    this.#autoRead = autoRead;
    this.#call(() =>
      link.open({
        onRead: (message) => {
          this.messages.push(message);
          this.receivedBytes += message.length;
          this.#told();
        },
        onReadComplete: () => {
          this.batches++;
          this.#told();
          if (this.#autoRead) this.link.read();
        },
        onFlushed: (bytes) => {
          this.flushes.push(bytes);
          this.flushedBytes += bytes;
          this.#told();
        },
        onInputEnded: () => {
          assertEquals(this.inputEnded, false, "the sink was told twice of the peer's end");
          this.inputEnded = true;
          this.#told();
          return this.keepsHalf;
        },
        onClosed: (reason, error) => {
          this.#told();
          this.closed = { reason, error };
          this.#wake();
        },
      })
    );
    if (autoRead) this.read();
  }

  read(): void {
    this.#call(() => this.link.read());
  }

  /** Asks for one batch now, and for another after each. */
  readAll(): void {
    this.#autoRead = true;
    this.read();
  }

  send(...messages: WireMessage[]): void {
    this.#call(() => {
      for (const message of messages) this.link.write(message);
      this.link.flush();
    });
  }

  shutdownOutput(): void {
    this.#call(() => this.link.shutdownOutput!());
  }

  close(): void {
    this.#call(() => this.link.close());
  }

  abort(): void {
    this.#call(() => this.link.abort());
  }

  /** All bytes that came in. */
  get bytes(): Uint8Array {
    return concat(this.messages.map((message) => message as Uint8Array));
  }

  /** Waits until the condition holds; it is looked at after each event. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      assert(this.closed === undefined, `the link closed (${this.closed?.reason}) before: ${condition}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Waits for the end, and returns its reason. */
  async end(): Promise<LinkDownReason> {
    while (this.closed === undefined) await new Promise<void>((resolve) => this.#waiting.add(resolve));
    return this.closed.reason;
  }

  #call(action: () => void): void {
    this.#inCall = true;
    action();
    this.#inCall = false;
  }

  #told(): void {
    assert(!this.#inCall, "the sink was called from inside a method of the link");
    assertEquals(this.closed, undefined, "the sink was called after onClosed");
    this.#wake();
  }

  #wake(): void {
    // Later, so that what is told together is seen together.
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    queueMicrotask(() => waiting.forEach((resolve) => resolve()));
  }
}

/**
 * A loop whose long timers fire only when told, so that a limit of seconds is
 * tested without waiting, and one left behind is seen.
 */
export class HeldLoop implements EventLoop {
  readonly #loop: EventLoop;
  readonly #held = new Set<{ task: () => void; delayMs: number }>();

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  /** Delays of the timers that wait, ms. */
  get heldMs(): number[] {
    return [...this.#held].map(({ delayMs }) => delayMs);
  }

  /** Runs what waits. */
  fireHeld(): void {
    const held = [...this.#held];
    this.#held.clear();
    for (const { task } of held) task();
  }

  schedule<T = undefined>(delayMs: number, task: (argument: T) => void, argument?: T): Timer {
    if (delayMs < 1000) return this.#loop.schedule(delayMs, task, argument);
    const held = { task: () => task(argument as T), delayMs };
    const all = this.#held.add(held);
    return {
      dueMs: this.now() + delayMs,
      get pending() {
        return all.has(held);
      },
      cancel: () => void all.delete(held),
    };
  }

  now(): number {
    return this.#loop.now();
  }

  wallNow(): number {
    return this.#loop.wallNow();
  }

  random(): number {
    return this.#loop.random();
  }

  get lastLateMs(): number {
    return this.#loop.lastLateMs;
  }

  onLate(listener: (notice: LateNotice) => void): () => void {
    return this.#loop.onLate(listener);
  }
}

/** Waits until a number has not changed for five looks in a row. */
export async function steady(loop: EventLoop, look: () => number): Promise<void> {
  for (let same = 0, last = look(); same < 5;) {
    await new Promise<void>((resolve) => loop.schedule(10, resolve));
    same = look() === last ? same + 1 : 0;
    last = look();
  }
}

/** Joins byte arrays. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Bytes that differ from place to place, so that a lost, doubled or swapped part shows. */
export function pattern(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => (state = (state * 1103515245 + 12345) & 0x7fffffff) >> 16);
}
