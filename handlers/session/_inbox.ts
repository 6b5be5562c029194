/**
 * The peer's messages, and when they are acknowledged.
 *
 * @module
 */

import { ChannelPromise, type Timer } from "../../pipeline/mod.ts";
import { DecodeError } from "../errors.ts";
import { encodeSessionFrame } from "./_session_frame.ts";
import type { SessionOwner } from "./_session_owner.ts";
import type { SessionSaver } from "./_session_saver.ts";

/** So many messages may be received and not acknowledged: heartbeats carry 16 bits of the number. */
const MAX_UNACKNOWLEDGED = 0xffff;
/** With so many, or so many bytes, the acknowledgement is not put off any more: the sender has a limit. */
const ACKNOWLEDGE_MESSAGES = 32;
const ACKNOWLEDGE_BYTES = 64 * 1024;

/**
 * Hands the peer's messages to the application, each once and in order, and
 * acknowledges those that are done with and kept: with what is sent next, and
 * soon anyway. Numbers: told <= received <= completed <= delivered.
 */
export class Inbox {
  /** How many messages came twice, and were dropped. */
  duplicates = 0;
  readonly #owner: SessionOwner;
  readonly #saver: SessionSaver;
  readonly #acknowledgeWithinMs: number;
  #isLinked = false;
  #delivered = 0;
  #completed = 0;
  #received = 0;
  #told = 0;
  #untoldBytes = 0;
  /** Completed before one with a lower number. */
  #early: Set<number> | undefined = undefined;
  #timer: Timer | undefined = undefined;
  /** An acknowledgement waits for the link to take more. */
  #isOwed = false;

  constructor(owner: SessionOwner, saver: SessionSaver, acknowledgeWithinMs: number) {
    this.#owner = owner;
    this.#saver = saver;
    this.#acknowledgeWithinMs = acknowledgeWithinMs;
  }

  /** The number of the message that was handed to the application last. */
  get delivered(): number {
    return this.#delivered;
  }

  /** The number of the last message that is done with and kept. */
  get received(): number {
    return this.#received;
  }

  /** Goes on from what a store has kept. */
  restore(received: number): void {
    this.#delivered =
      this.#completed =
      this.#received =
      this.#told =
        received;
  }

  /** The peer was told on the new link how far things are. */
  linkUp(): void {
    this.#isLinked = true;
    this.tell();
  }

  linkDown(): void {
    this.#isLinked = false;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  // --- a message comes, and is done with ---

  /**
   * A message has come.
   *
   * @throws {DecodeError} If it is not the next one, or too many are not done with.
   */
  messageRead(sequence: number, payload: Uint8Array): void {
    if (sequence <= this.#delivered) {
      // It was sent again, so its acknowledgement has not arrived.
      this.duplicates++;
      if (sequence <= this.#received) this.acknowledgeNow();
      return;
    }
    if (sequence !== this.#delivered + 1) {
      throw new DecodeError(
        "session frame",
        `its message has the number ${sequence}, and ${this.#delivered + 1} is due`,
      );
    }
    if (this.#delivered - this.#received >= MAX_UNACKNOWLEDGED) {
      throw new DecodeError("session frame", `${MAX_UNACKNOWLEDGED} messages are not done with yet`);
    }
    this.#delivered = sequence;
    this.#untoldBytes += payload.length;
    // What the application answers at once is kept together with the news that the message is done with: a process
    // that dies has then done both, or neither.
    this.#saver.hold();
    try {
      const done = this.#owner.deliver(payload);
      if (done === undefined) this.#handled(sequence);
      else done.then(() => this.#handled(sequence));
    } finally {
      this.#saver.release();
    }
  }

  /** The store knows of the messages up to this one: they need not be sent again. */
  saved(number: number): void {
    if (number > this.#received) this.#receivedTo(number);
  }

  #handled(sequence: number): void {
    if (sequence !== this.#completed + 1) {
      (this.#early ??= new Set()).add(sequence);
      return;
    }
    this.#completed = sequence;
    while (this.#early?.delete(this.#completed + 1)) this.#completed++;
    if (this.#saver.isKeeping) {
      this.#saver.received(this.#completed);
      this.#saver.save();
    } else this.#receivedTo(this.#completed);
  }

  #receivedTo(number: number): void {
    this.#received = number;
    this.#acknowledgeSoon();
  }

  // --- the peer is told ---

  /** Says how far things are, for what is sent next. */
  tell(): number {
    this.#untoldBytes = 0;
    this.#isOwed = false;
    return this.#told = this.#received;
  }

  /** The acknowledgement that a heartbeat is about to take along. */
  takeAcknowledgement(): number | undefined {
    return this.#isLinked ? this.tell() : undefined;
  }

  acknowledgeNow(): void {
    if (!this.#isLinked) return;
    // A peer that sends and does not read would fill the memory with acknowledgements.
    if (!this.#owner.isWritable) {
      this.#isOwed = true;
      return;
    }
    const frame = encodeSessionFrame({ kind: "acknowledgement", received: this.tell() });
    this.#owner.sendFrame(frame, new ChannelPromise());
    this.#owner.flushFrames();
  }

  /** The link takes more again. */
  acknowledgeOwed(): void {
    if (this.#isOwed) this.acknowledgeNow();
  }

  /** Tells what the peer does not know yet. */
  acknowledgeRest(): void {
    if (this.#told < this.#received) this.acknowledgeNow();
  }

  #acknowledgeSoon(): void {
    if (!this.#isLinked || this.#told === this.#received) return;
    if (this.#received - this.#told >= ACKNOWLEDGE_MESSAGES || this.#untoldBytes >= ACKNOWLEDGE_BYTES) {
      this.acknowledgeNow();
    } else {
      this.#timer ??= this.#owner.loop.schedule(this.#acknowledgeWithinMs, () => {
        this.#timer = undefined;
        if (this.#told < this.#received) this.acknowledgeNow();
        // It rides on a message that nobody may have flushed.
        else this.#owner.flushFrames();
      });
    }
  }
}
