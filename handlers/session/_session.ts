/**
 * One side of a session: what it has sent, what it has received, what its
 * store knows. The same on client and server.
 *
 * @module
 */

import { ChannelClosedError, ChannelPromise, type EventLoop, type Timer } from "../../pipeline/mod.ts";
import { DecodeError, QueueFullError, SessionError, type SessionTakenError } from "../errors.ts";
import type { SessionRecord } from "../stores/session_store.ts";
import { wholeAcknowledgement } from "./_acknowledgements.ts";
import { encodeSessionFrame, type SessionFrame } from "./_session_frame.ts";
import { type Keeping, SessionSaver } from "./_session_saver.ts";
import type { SessionSettings } from "./_session_settings.ts";

/** What a session does through its handler. */
export interface SessionOwner {
  readonly loop: EventLoop;
  /** Whether the link takes more without a pile growing in front of it. */
  readonly isWritable: boolean;
  /** Writes a frame to the link. */
  sendFrame(frame: Uint8Array, promise: ChannelPromise): void;
  flushFrames(): void;
  /** Hands a message to the application; the promise tells when it is done, undefined that it is already. */
  deliver(payload: Uint8Array): Promise<void> | undefined;
  /** How long an answer may take, ms, before something is wrong; undefined: nobody knows. */
  readonly answerTimeoutMs: number | undefined;
  /** A message was not acknowledged in time: does the link still live? */
  suspectLink(): void;
  /** The store failed; it is asked again. */
  storeFailed(error: unknown): void;
  /** Somebody else has claimed the session in the store. */
  sessionTaken(error: SessionTakenError): void;
  /** More or fewer bytes are kept for the peer. */
  retained(deltaBytes: number): void;
  /** @throws {QueueFullError} If all sessions together may not keep so many bytes more. */
  makeRoomFor(bytes: number): void;
  /** The longest message that the framing lets through, bytes. */
  readonly maxMessageBytes: number;
}

/** A message that the peer has not acknowledged. Its number follows from its place. */
interface Outgoing {
  readonly bytes: Uint8Array;
  /** Settled when it was written, or acknowledged, as the settings say. */
  readonly promise: ChannelPromise | undefined;
  /** When it was last written to a link. */
  writtenMs: number;
  /** Settled when this message and all before it are acknowledged; made when somebody asks. */
  confirmed: ChannelPromise | undefined;
}

/** A message that has no number yet. */
export interface Waiting {
  readonly bytes: Uint8Array;
  readonly promise: ChannelPromise | undefined;
  confirmed: ChannelPromise | undefined;
}

/** What is left of a session that is gone. */
export interface Remains {
  /** The messages that were sent, or may have been, and were not acknowledged. */
  readonly unconfirmed: readonly Uint8Array[];
  /** The messages that were never sent, with their promises. */
  readonly unsent: readonly Waiting[];
}

/** So many messages may be received and not acknowledged: heartbeats carry 16 bits of the number. */
const MAX_UNACKNOWLEDGED = 0xffff;
/** With so many, or so many bytes, the acknowledgement is not put off any more: the sender has a limit. */
const ACKNOWLEDGE_MESSAGES = 32;
const ACKNOWLEDGE_BYTES = 64 * 1024;
/** How long a peer may put an acknowledgement off, ms: docs/protocol.md. */
const LONGEST_DELAY_MS = 200;
/** How often the link is asked whether it lives while an acknowledgement is late: in these multiples of the first wait. */
const MAX_PATIENCE = 32;

/** One side of a session. */
export class Session {
  /** How many messages came twice, and were dropped. */
  duplicates = 0;
  /** How many links it has had. */
  links = 1;
  readonly #owner: SessionOwner;
  readonly #settings: SessionSettings;
  readonly #saver: SessionSaver;

  // What goes out. Numbers: acknowledged <= written <= stored <= sent.
  #outbox: Outgoing[] = [];
  #outboxBytes = 0;
  #blocked: Waiting[] = [];
  #blockedBytes = 0;
  #acknowledged = 0;
  #written = 0;
  #everWritten = 0;
  #watch: Timer | undefined = undefined;
  #patience = 1;

  // What comes in. Numbers: told <= received <= completed <= delivered.
  #delivered = 0;
  #completed = 0;
  #received = 0;
  #told = 0;
  #untoldBytes = 0;
  /** Completed before one with a lower number. */
  #early: Set<number> | undefined = undefined;
  #acknowledgeTimer: Timer | undefined = undefined;
  /** An acknowledgement waits for the link to take more. */
  #isAcknowledgementOwed = false;

  #isLinked = false;
  /** The link stands, and those who waited for messages that arrived on the last one are just being told. */
  #isStarting = false;
  #isStopped = false;
  #isEnding = false;
  #isHeldBack = false;
  /** After the end: those who wait for messages to be confirmed. */
  #unsettled: ChannelPromise[] = [];

  /** @param id "" where the server has given none yet; what is written meanwhile waits. */
  constructor(owner: SessionOwner, settings: SessionSettings, public id: string, public token: string) {
    this.#owner = owner;
    this.#settings = settings;
    this.#saver = new SessionSaver({
      loop: owner.loop,
      saved: () => this.#saved(),
      failed: (error) => owner.storeFailed(error),
      taken: (error) => {
        // Its last words were too late; it is being given up already.
        if (!this.#isStopped) owner.sessionTaken(error);
      },
    });
  }

  /** The number of the last own message. */
  get sent(): number {
    return this.#acknowledged + this.#outbox.length;
  }

  /** The number of the peer's last message that is done with and kept. */
  get received(): number {
    return this.#received;
  }

  /** The number of the peer's message that was handed to the application last. */
  get delivered(): number {
    return this.#delivered;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** How many messages are not acknowledged, and how many bytes they have. */
  get unacknowledged(): number {
    return this.#outbox.length + this.#blocked.length;
  }

  get unacknowledgedBytes(): number {
    return this.#outboxBytes;
  }

  get blocked(): number {
    return this.#blocked.length;
  }

  get isLinked(): boolean {
    return this.#isLinked;
  }

  // --- keeping ---

  /** What a store is to keep of it from now on. */
  record(): SessionRecord {
    return {
      id: this.id,
      token: this.token,
      links: this.links,
      received: this.#received,
      acknowledged: this.#acknowledged,
      messages: this.#outbox.map(({ bytes }) => bytes),
      atMs: this.#owner.loop.wallNow(),
    };
  }

  /** Goes on from what a store has kept. What was written meanwhile comes after. */
  restore({ links, received, acknowledged, messages }: SessionRecord): void {
    this.links = links;
    this.#delivered =
      this.#completed =
      this.#received =
      this.#told =
        received;
    this.#acknowledged = this.#written = acknowledged;
    this.#everWritten = acknowledged + messages.length;
    const restored = messages.map((bytes) => ({
      bytes,
      promise: undefined,
      writtenMs: 0,
      confirmed: undefined,
    }));
    this.#outbox = [...restored, ...this.#outbox];
    for (const { bytes } of restored) this.#keep(bytes.length);
  }

  /**
   * From now on the store is told of changes. What was accepted since it got
   * the record is told at once.
   *
   * @param record What the store has.
   */
  keepIn(keeping: Keeping, record: SessionRecord): void {
    this.#saver.start(keeping, record);
    const known = record.acknowledged + record.messages.length - this.#acknowledged;
    this.#saver.addMessages(this.#outbox.slice(known).map(({ bytes }) => bytes));
    this.#saver.save();
  }

  /**
   * It has one more link; of two that say so the one with the higher number is the later.
   *
   * @param kept Called once the store knows of it, or the session is gone; at once if there is no store.
   */
  countLink(number: number, kept: () => void = () => {}): void {
    this.links = number;
    if (this.#saver.isKeeping) this.#saver.links(number, kept);
    else kept();
  }

  /** Resolves once the store has all there is. */
  whenSaved(): Promise<void> {
    return this.#saver.whenIdle();
  }

  // --- the application writes ---

  /**
   * Takes a message.
   *
   * @throws {QueueFullError} If there is no room and the policy is to reject.
   * @throws {RangeError} If no frame can hold it.
   * @throws {ChannelClosedError} If it is ending.
   */
  write(bytes: Uint8Array, promise: ChannelPromise | undefined): void {
    const { maxMessageBytes } = this.#owner;
    // Once it has a number it has to be sent, and one that cannot be would keep all later ones back for ever.
    if (bytes.length > maxMessageBytes) {
      throw new RangeError(
        `Cannot write: the message has ${bytes.length} bytes, and at most ${maxMessageBytes} fit in a frame`,
      );
    }
    if (this.#isStopped || this.#isEnding) throw new ChannelClosedError("write");
    const isFull = this.#checkRoom(bytes.length);
    this.#owner.makeRoomFor(bytes.length);
    // To make room this very session may have had to go.
    if (this.#isStopped) throw new ChannelClosedError("write");
    const waiting = { bytes: own(bytes), promise, confirmed: undefined };
    if (isFull) {
      this.#blocked.push(waiting);
      this.#keepBlocked(bytes.length);
    } else this.#accept(waiting);
  }

  /** Resolves once all that was written until now is acknowledged; fails if the session is lost before. */
  whenConfirmed(): ChannelPromise {
    const last = this.#blocked.at(-1) ?? this.#outbox.at(-1);
    // With the message and not by its number: that may still change, as long as no server has given a session.
    if (last !== undefined) return last.confirmed ??= new ChannelPromise();
    const promise = new ChannelPromise();
    promise.resolve();
    return promise;
  }

  // --- links ---

  /**
   * Whether the session can go on with a peer that is done with the messages up
   * to this one. Not if it wants some again that it has acknowledged, nor if it
   * knows of some that were never sent: then one of the two has lost what its
   * store had promised to keep.
   */
  canGoOn(peerReceived: number): boolean {
    return peerReceived >= this.#acknowledged && peerReceived <= this.#everWritten;
  }

  /**
   * The two sides have agreed to go on, on a new link. Those who waited for
   * what has arrived are told before this returns, and may do anything: see
   * {@linkcode isLinked} afterwards.
   *
   * @param peerReceived The number of the last own message that the peer is done with; see {@linkcode canGoOn}.
   */
  linkUp(peerReceived: number): void {
    this.#isLinked = true;
    this.#isStarting = true;
    this.#written = this.#acknowledged;
    this.#tell();
    this.#patience = 1;
    this.#acknowledgedTo(peerReceived);
    this.#isStarting = false;
  }

  linkDown(): void {
    this.#isLinked = false;
    this.#watch?.cancel();
    this.#watch = undefined;
    this.#acknowledgeTimer?.cancel();
    this.#acknowledgeTimer = undefined;
    this.#saver.save();
  }

  /** Sends what the link takes. @returns Whether something went out. */
  pump(): boolean {
    if (!this.#isLinked || this.#isStarting || this.#isHeldBack) return false;
    const until = this.#saver.isKeeping ? this.#saver.storedMessages : this.sent;
    const before = this.#written;
    const { loop } = this.#owner;
    // Every write may lead to the end of the link.
    while (this.#isLinked && this.#written < until && this.#owner.isWritable) {
      const outgoing = this.#outbox[this.#written - this.#acknowledged]!;
      const sequence = ++this.#written;
      if (sequence > this.#everWritten) this.#everWritten = sequence;
      outgoing.writtenMs = loop.now();
      this.#tell();
      const frame = encodeSessionFrame({
        kind: "message",
        sequence,
        received: this.#told,
        payload: outgoing.bytes,
      });
      this.#owner.sendFrame(frame, this.#promiseFor(outgoing));
    }
    if (this.#written === before) return false;
    this.#watchAcknowledgements();
    return true;
  }

  /** Sends and flushes. */
  pumpAndFlush(): void {
    if (this.pump()) this.#owner.flushFrames();
    if (this.#isAcknowledgementOwed) this.#acknowledgeNow();
  }

  /** Sends what there is on a new link, and flushes what was written to it while it was being told of. */
  begin(): void {
    this.pump();
    if (this.#isLinked) this.#owner.flushFrames();
  }

  /** The peer takes no more messages: what was not sent waits for another session. */
  holdBack(): void {
    this.#isHeldBack = true;
  }

  /** Takes out what was never sent. */
  takeUnsent(): readonly Waiting[] {
    const unsent = this.#outbox.splice(this.#everWritten - this.#acknowledged);
    let bytes = 0;
    for (const outgoing of unsent) bytes += outgoing.bytes.length;
    this.#keep(-bytes);
    return [...unsent, ...this.#takeBlocked()];
  }

  /** Takes messages of an earlier session, or those that were taken out; none is refused for lack of room. */
  giveBack(unsent: readonly Waiting[]): void {
    for (const waiting of unsent) {
      if (!this.#isStopped) this.#accept(waiting);
      else {
        const error = new ChannelClosedError("write");
        waiting.promise?.reject(error);
        waiting.confirmed?.reject(error);
      }
    }
  }

  /** Says that no more messages come, and asks for what is not acknowledged. */
  sendEnd(): void {
    this.#isEnding = true;
    if (!this.#isLinked) return;
    this.#tell();
    this.#send({ kind: "end", received: this.#told });
  }

  // --- the peer speaks ---

  /** @throws {DecodeError} If the frame makes no sense here. */
  frameRead(frame: Extract<SessionFrame, { readonly received: number }>): void {
    if (frame.received > this.#everWritten) {
      throw new DecodeError(
        "session frame",
        `it acknowledges message ${frame.received}, and ${this.#everWritten} were sent`,
      );
    }
    this.#acknowledgedTo(frame.received);
    // Those who waited for that may have ended the link; what it still brings comes again on the next one.
    if (!this.#isLinked) return;
    if (frame.kind === "message") this.#messageRead(frame.sequence, frame.payload);
    // The peer waits for this before it closes.
    else if (frame.kind === "end") this.#acknowledgeNow();
  }

  /** A heartbeat acknowledges. */
  heartbeatAcknowledged(lowBits: number): void {
    const received = wholeAcknowledgement(this.#acknowledged, lowBits);
    // One above what was written on this link is no acknowledgement at all.
    if (received <= this.#written) this.#acknowledgedTo(received);
  }

  /** The acknowledgement that a heartbeat is about to take along. */
  takeAcknowledgement(): number | undefined {
    if (!this.#isLinked) return undefined;
    this.#tell();
    return this.#told;
  }

  /** The last chance to tell what is done with. */
  acknowledgeRest(): void {
    if (this.#told < this.#received) this.#acknowledgeNow();
  }

  // --- the end ---

  /**
   * Lets go of all timers, and gives back what was not confirmed.
   *
   * @param store Whether the store keeps it or forgets it.
   */
  stop(store: "keep" | "forget"): Remains {
    if (this.#isStopped) return { unconfirmed: [], unsent: [] };
    this.#isStopped = true;
    this.linkDown();
    if (store === "forget") this.#saver.remove();
    else this.#saver.stop();
    const sentBefore = this.#everWritten - this.#acknowledged;
    const unconfirmed = this.#outbox.slice(0, sentBefore).map(({ bytes }) => bytes);
    const unsent = [...this.#outbox.slice(sentBefore), ...this.#takeBlocked()];
    const sentPromises = this.#outbox.slice(0, sentBefore).flatMap(({ promise }) => promise ?? []);
    const confirmed = [...this.#outbox.slice(0, sentBefore), ...unsent].flatMap(({ confirmed }) =>
      confirmed ?? []
    );
    this.#unsettled = [...sentPromises, ...confirmed];
    this.#keep(-this.#outboxBytes);
    this.#outbox = [];
    return {
      unconfirmed,
      unsent: unsent.map(({ bytes, promise }) => ({ bytes, promise, confirmed: undefined })),
    };
  }

  /** After {@linkcode stop}: fails what waited for messages to be confirmed, except for the writes of those never sent. */
  fail(error: Error): void {
    const unsettled = this.#unsettled;
    this.#unsettled = [];
    for (const promise of unsettled) promise.reject(error);
  }

  /** @returns Whether the message has to wait for room. */
  #checkRoom(bytes: number): boolean {
    const { maxMessages, maxBytes, policy } = this.#settings.queue;
    const messages = this.#outbox.length + 1;
    const size = this.#outboxBytes + bytes;
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

  #accept({ bytes, promise, confirmed }: Waiting): void {
    this.#outbox.push({ bytes, promise, confirmed, writtenMs: 0 });
    this.#keep(bytes.length);
    if (this.#saver.isKeeping) {
      this.#saver.addMessages([bytes]);
      this.#saver.save();
    }
    this.pump();
  }

  #takeBlocked(): Waiting[] {
    const blocked = this.#blocked;
    this.#blocked = [];
    this.#keepBlocked(-this.#blockedBytes);
    return blocked;
  }

  #keepBlocked(deltaBytes: number): void {
    this.#blockedBytes += deltaBytes;
    if (deltaBytes !== 0) this.#owner.retained(deltaBytes);
  }

  #keep(deltaBytes: number): void {
    this.#outboxBytes += deltaBytes;
    if (deltaBytes !== 0) this.#owner.retained(deltaBytes);
  }

  #promiseFor({ promise }: Outgoing): ChannelPromise {
    const written = new ChannelPromise();
    if (promise !== undefined && this.#settings.writes === "written" && !promise.isDone) {
      written.onSettled((error) => {
        // Lost with its link is not lost: it is sent again on the next one.
        if (error === undefined) promise.resolve();
      });
    }
    return written;
  }

  #acknowledgedTo(received: number): void {
    const count = received - this.#acknowledged;
    if (count <= 0) return;
    const done = this.#outbox.splice(0, count);
    this.#acknowledged = received;
    if (this.#written < received) this.#written = received;
    if (this.#everWritten < received) this.#everWritten = received;
    let bytes = 0;
    for (const outgoing of done) bytes += outgoing.bytes.length;
    this.#keep(-bytes);
    this.#endPatience();
    this.#saver.acknowledged(received);
    for (const { promise, confirmed } of done) {
      promise?.resolve();
      confirmed?.resolve();
    }
    this.#unblock();
  }

  #unblock(): void {
    const { maxMessages, maxBytes } = this.#settings.queue;
    let hasTaken = false;
    // Each leaves before it is taken: that may lead to here again, or to the end of the session.
    for (
      let next = this.#blocked[0];
      next !== undefined && this.#outbox.length < maxMessages &&
      this.#outboxBytes + next.bytes.length <= maxBytes;
      next = this.#blocked[0]
    ) {
      this.#blocked.shift();
      this.#keepBlocked(-next.bytes.length);
      this.#accept(next);
      hasTaken = true;
    }
    if (hasTaken && this.#isLinked) this.#owner.flushFrames();
  }

  #watchAcknowledgements(): void {
    const { answerTimeoutMs, loop } = this.#owner;
    if (!this.#isLinked || this.#watch !== undefined || answerTimeoutMs === undefined) return;
    this.#watch = loop.schedule(this.#lateAfterMs(answerTimeoutMs), () => this.#mayBeLate());
  }

  /** A peer that took long has answered: the next message is watched as closely as ever. */
  #endPatience(): void {
    if (this.#patience === 1) return;
    this.#patience = 1;
    this.#watch?.cancel();
    this.#watch = undefined;
    if (this.#written > this.#acknowledged) this.#watchAcknowledgements();
  }

  /** The peer may take its time to acknowledge, on top of the way there and back. */
  #lateAfterMs(answerTimeoutMs: number): number {
    return (answerTimeoutMs + LONGEST_DELAY_MS) * this.#patience;
  }

  #mayBeLate(): void {
    this.#watch = undefined;
    const { answerTimeoutMs, loop } = this.#owner;
    const oldest = this.#outbox[0];
    if (this.#written === this.#acknowledged || oldest === undefined || answerTimeoutMs === undefined) return;
    const waitMs = oldest.writtenMs + this.#lateAfterMs(answerTimeoutMs) - loop.now();
    if (waitMs > 0) {
      this.#watch = loop.schedule(waitMs, () => this.#mayBeLate());
      return;
    }
    // A peer that lives and takes long to handle a message must not be asked all the time.
    this.#patience = Math.min(2 * this.#patience, MAX_PATIENCE);
    this.#owner.suspectLink();
    if (this.#isLinked) this.#watchAcknowledgements();
  }

  #messageRead(sequence: number, payload: Uint8Array): void {
    if (sequence <= this.#delivered) {
      // It was sent again, so its acknowledgement has not arrived.
      this.duplicates++;
      if (sequence <= this.#received) this.#acknowledgeNow();
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

  #handled(sequence: number): void {
    if (sequence !== this.#completed + 1) {
      (this.#early ??= new Set()).add(sequence);
      return;
    }
    this.#completed = sequence;
    while (this.#early?.delete(this.#completed + 1)) this.#completed++;
    if (this.#isStopped) return;
    if (this.#saver.isKeeping) {
      this.#saver.received(this.#completed);
      this.#saver.save();
    } else {
      this.#received = this.#completed;
      this.#acknowledgeSoon();
    }
  }

  #saved(): void {
    if (this.#isStopped) return;
    if (this.#saver.storedReceived > this.#received) {
      this.#received = this.#saver.storedReceived;
      this.#acknowledgeSoon();
    }
    this.pumpAndFlush();
  }

  #acknowledgeSoon(): void {
    if (!this.#isLinked || this.#told === this.#received) return;
    if (this.#received - this.#told >= ACKNOWLEDGE_MESSAGES || this.#untoldBytes >= ACKNOWLEDGE_BYTES) {
      this.#acknowledgeNow();
    } else {
      this.#acknowledgeTimer ??= this.#owner.loop.schedule(this.#settings.acknowledgeWithinMs, () => {
        this.#acknowledgeTimer = undefined;
        if (this.#told < this.#received) this.#acknowledgeNow();
        // It rides on a message that nobody may have flushed.
        else this.#owner.flushFrames();
      });
    }
  }

  #acknowledgeNow(): void {
    if (!this.#isLinked) return;
    // A peer that sends and does not read would fill the memory with acknowledgements.
    if (!this.#owner.isWritable) {
      this.#isAcknowledgementOwed = true;
      return;
    }
    this.#tell();
    this.#send({ kind: "acknowledgement", received: this.#told });
  }

  /** What is sent next says how far things are. */
  #tell(): void {
    this.#told = this.#received;
    this.#untoldBytes = 0;
    this.#isAcknowledgementOwed = false;
  }

  #send(frame: SessionFrame): void {
    this.#owner.sendFrame(encodeSessionFrame(frame), new ChannelPromise());
    this.#owner.flushFrames();
  }
}

/** A view of a large buffer would keep all of that alive. */
function own(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength < bytes.buffer.byteLength ? bytes.slice() : bytes;
}

/** What a write fails with whose session is gone. */
export function sessionGone(reason: string): SessionError {
  return new SessionError("confirm the message", reason);
}
