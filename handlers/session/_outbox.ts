/**
 * The own messages that the peer has not acknowledged.
 *
 * @module
 */

import { ChannelPromise } from "../../pipeline/mod.ts";
import { QueueFullError } from "../errors.ts";
import type { SessionSettings } from "./_session_settings.ts";

/** A message that has no number yet. */
export interface Waiting {
  readonly bytes: Uint8Array;
  /** Settled when it was written, or acknowledged, as the settings say. */
  readonly promise: ChannelPromise | undefined;
  /** Settled when this message and all before it are acknowledged; made when somebody asks. */
  confirmed: ChannelPromise | undefined;
}

/** A message that the peer has not acknowledged. Its number follows from its place. */
export interface Outgoing extends Waiting {
  /** When it was last written to a link. */
  writtenMs: number;
}

/** What is left of a session that is gone. */
export interface Remains {
  /** The messages that were sent, or may have been, and were not acknowledged. */
  readonly unconfirmed: readonly Uint8Array[];
  /** The messages that were never sent, with their promises. */
  readonly unsent: readonly Waiting[];
}

/**
 * Keeps the own messages, in order, until the peer has acknowledged them, and
 * behind them those for which there is no room. Numbers:
 * acknowledged <= written <= ever written <= sent.
 */
export class Outbox {
  readonly #settings: SessionSettings;
  readonly #retained: (deltaBytes: number) => void;
  #messages: Outgoing[] = [];
  #bytes = 0;
  #blocked: Waiting[] = [];
  #blockedBytes = 0;
  #acknowledged = 0;
  #written = 0;
  #everWritten = 0;
  /** After the end: those who wait for messages to be confirmed. */
  #unsettled: ChannelPromise[] = [];

  /** @param retained Told how many bytes more or fewer are kept. */
  constructor(settings: SessionSettings, retained: (deltaBytes: number) => void) {
    this.#settings = settings;
    this.#retained = retained;
  }

  /** The number of the last message that the peer has acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The number of the message that was last written to this link. */
  get written(): number {
    return this.#written;
  }

  /** The highest number that was ever written to a link. */
  get everWritten(): number {
    return this.#everWritten;
  }

  /** The number of the last message. */
  get sent(): number {
    return this.#acknowledged + this.#messages.length;
  }

  /** How many messages are not acknowledged, those included that wait for room. */
  get size(): number {
    return this.#messages.length + this.#blocked.length;
  }

  /** How many bytes the messages have that have a number. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When the oldest message was written that the peer should have acknowledged; undefined: there is none. */
  get unansweredSinceMs(): number | undefined {
    return this.#written === this.#acknowledged ? undefined : this.#messages[0]?.writtenMs;
  }

  /** The messages after the one of this number. */
  messagesAfter(number: number): Uint8Array[] {
    return this.#messages.slice(number - this.#acknowledged).map(({ bytes }) => bytes);
  }

  /** Goes on from what a store has kept. What was written meanwhile comes after. */
  restore(acknowledged: number, messages: readonly Uint8Array[]): void {
    this.#acknowledged = this.#written = acknowledged;
    this.#everWritten = acknowledged + messages.length;
    const restored = messages.map((bytes) => ({
      bytes,
      promise: undefined,
      writtenMs: 0,
      confirmed: undefined,
    }));
    this.#messages = [...restored, ...this.#messages];
    for (const { bytes } of restored) this.#keep(bytes.length);
  }

  // --- the application writes ---

  /**
   * @returns Whether a message of so many bytes has to wait for room.
   * @throws {QueueFullError} If there is no room and the policy is to reject, or none to wait in.
   */
  checkRoom(bytes: number): boolean {
    const { maxMessages, maxBytes, policy } = this.#settings.queue;
    const messages = this.#messages.length + 1;
    const size = this.#bytes + bytes;
    if (bytes > maxBytes) throw new QueueFullError("bytes", bytes, maxBytes);
    if (this.#blocked.length === 0 && messages <= maxMessages && size <= maxBytes) return false;
    if (policy === "reject") {
      if (messages > maxMessages) throw new QueueFullError("messages", messages, maxMessages);
      throw new QueueFullError("bytes", size, maxBytes);
    }
    // What waits is bounded as well, or a caller who does not wait would fill the memory.
    if (this.#blocked.length >= maxMessages) {
      throw new QueueFullError("messages", messages + this.#blocked.length, 2 * maxMessages);
    }
    if (this.#blockedBytes + bytes > maxBytes) {
      throw new QueueFullError("bytes", size + this.#blockedBytes, 2 * maxBytes);
    }
    return true;
  }

  /** Takes a message, and gives it the next number. */
  add({ bytes, promise, confirmed }: Waiting): void {
    this.#messages.push({ bytes, promise, confirmed, writtenMs: 0 });
    this.#keep(bytes.length);
  }

  /** Lets a message wait for room. */
  block(waiting: Waiting): void {
    this.#blocked.push(waiting);
    this.#keepBlocked(waiting.bytes.length);
  }

  /** Takes out the first message that waits for room, if there is room for it now. */
  unblock(): Waiting | undefined {
    const { maxMessages, maxBytes } = this.#settings.queue;
    const next = this.#blocked[0];
    if (next === undefined || this.#messages.length >= maxMessages) return undefined;
    if (this.#bytes + next.bytes.length > maxBytes) return undefined;
    this.#blocked.shift();
    this.#keepBlocked(-next.bytes.length);
    return next;
  }

  /** Resolves once all that was written until now is acknowledged; fails if the session is lost before. */
  whenConfirmed(): ChannelPromise {
    const last = this.#blocked.at(-1) ?? this.#messages.at(-1);
    // With the message and not by its number: that may still change, as long as no server has given a session.
    if (last !== undefined) return last.confirmed ??= new ChannelPromise();
    const promise = new ChannelPromise();
    promise.resolve();
    return promise;
  }

  // --- messages go out ---

  /** A new link: what is not acknowledged is written once more. */
  rewind(): void {
    this.#written = this.#acknowledged;
  }

  /** The next message to be written to the link; it has the number {@linkcode written} then. */
  next(nowMs: number): Outgoing {
    const outgoing = this.#messages[this.#written - this.#acknowledged]!;
    this.#written++;
    if (this.#written > this.#everWritten) this.#everWritten = this.#written;
    outgoing.writtenMs = nowMs;
    return outgoing;
  }

  /** The promise of one writing of the message to a link. */
  promiseFor({ promise }: Outgoing): ChannelPromise {
    const written = new ChannelPromise();
    if (promise !== undefined && this.#settings.writes === "written" && !promise.isDone) {
      written.onSettled((error) => {
        // Lost with its link is not lost: it is sent again on the next one.
        if (error === undefined) promise.resolve();
      });
    }
    return written;
  }

  /** Takes out the messages up to this number; undefined if that is no news. Their promises are the caller's. */
  acknowledge(received: number): readonly Outgoing[] | undefined {
    const count = received - this.#acknowledged;
    if (count <= 0) return undefined;
    const done = this.#messages.splice(0, count);
    this.#acknowledged = received;
    if (this.#written < received) this.#written = received;
    if (this.#everWritten < received) this.#everWritten = received;
    this.#keep(-bytesOf(done));
    return done;
  }

  // --- the end ---

  /** Takes out what was never written. */
  takeUnsent(): readonly Waiting[] {
    const unsent = this.#messages.splice(this.#everWritten - this.#acknowledged);
    this.#keep(-bytesOf(unsent));
    return [...unsent, ...this.#takeBlocked()];
  }

  /** Takes out everything. Who waits for it to be confirmed is told by {@linkcode fail}. */
  stop(): Remains {
    const sentBefore = this.#everWritten - this.#acknowledged;
    const sent = this.#messages.slice(0, sentBefore);
    const unsent = [...this.#messages.slice(sentBefore), ...this.#takeBlocked()];
    const confirmed = [...sent, ...unsent].flatMap(({ confirmed }) => confirmed ?? []);
    this.#unsettled = [...sent.flatMap(({ promise }) => promise ?? []), ...confirmed];
    this.#keep(-this.#bytes);
    this.#messages = [];
    return {
      unconfirmed: sent.map(({ bytes }) => bytes),
      unsent: unsent.map(({ bytes, promise }) => ({ bytes, promise, confirmed: undefined })),
    };
  }

  /** After {@linkcode stop}: fails what waited for messages to be confirmed, except for the writes of those never sent. */
  fail(error: Error): void {
    const unsettled = this.#unsettled;
    this.#unsettled = [];
    for (const promise of unsettled) promise.reject(error);
  }

  #takeBlocked(): Waiting[] {
    const blocked = this.#blocked;
    this.#blocked = [];
    this.#keepBlocked(-this.#blockedBytes);
    return blocked;
  }

  #keep(deltaBytes: number): void {
    this.#bytes += deltaBytes;
    if (deltaBytes !== 0) this.#retained(deltaBytes);
  }

  #keepBlocked(deltaBytes: number): void {
    this.#blockedBytes += deltaBytes;
    if (deltaBytes !== 0) this.#retained(deltaBytes);
  }
}

function bytesOf(messages: readonly Waiting[]): number {
  let bytes = 0;
  for (const message of messages) bytes += message.bytes.length;
  return bytes;
}
