/**
 * One side of a session. The same on client and server.
 *
 * @module
 */

import { ChannelClosedError, ChannelPromise } from "../../pipeline/mod.ts";
import { DecodeError, SessionError } from "../errors.ts";
import type { SessionRecord } from "../stores/session_store.ts";
import { wholeAcknowledgement } from "./_acknowledgements.ts";
import { AcknowledgementWatch } from "./_acknowledgement_watch.ts";
import { Inbox } from "./_inbox.ts";
import { Outbox, type Remains, type Waiting } from "./_outbox.ts";
import { encodeSessionFrame, notDue, type SessionFrame } from "./_session_frame.ts";
import type { SessionOwner } from "./_session_owner.ts";
import { type Keeping, SessionSaver } from "./_session_saver.ts";
import type { SessionSettings } from "./_session_settings.ts";

/**
 * Keeps together what goes out and what comes in, the store that has to know
 * of both before the peer does, and the link that comes and goes.
 */
export class Session {
  /** How many links it has had. */
  links = 1;
  /** The own messages. Others look into it, and wait for it; only the session sends from it. */
  readonly outbox: Outbox;
  /** The peer's messages, likewise. */
  readonly inbox: Inbox;
  readonly #owner: SessionOwner;
  readonly #saver: SessionSaver;
  readonly #watch: AcknowledgementWatch;
  /** `starting`: it stands, and those who waited for messages that arrived on the last one are just being told. */
  #link: "down" | "starting" | "up" = "down";
  #hasPeerEnded = false;
  #isEnding = false;
  #isStopped = false;

  /** @param id "" where the server has given none yet; what is written meanwhile waits. */
  constructor(owner: SessionOwner, settings: SessionSettings, public id: string, public token: string) {
    this.#owner = owner;
    this.outbox = new Outbox(settings, (deltaBytes) => owner.retained(deltaBytes));
    this.#watch = new AcknowledgementWatch(owner, this.outbox);
    this.#saver = new SessionSaver({
      loop: owner.loop,
      saved: () => this.#saved(),
      failed: (error) => owner.storeFailed(error),
      taken: (error) => {
        // Its last words were too late; it is being given up already.
        if (!this.#isStopped) owner.sessionTaken(error);
      },
    });
    this.inbox = new Inbox(owner, this.#saver, settings.acknowledgeWithinMs);
  }

  get isLinked(): boolean {
    return this.#link !== "down";
  }

  /** Whether the peer ends the session: it takes no more messages, and what was not sent waits for another one. */
  get hasPeerEnded(): boolean {
    return this.#hasPeerEnded;
  }

  // --- keeping ---

  /** What a store is to keep of it from now on. */
  record(): SessionRecord {
    const { acknowledged } = this.outbox;
    return {
      id: this.id,
      token: this.token,
      links: this.links,
      received: this.inbox.received,
      acknowledged,
      messages: this.outbox.messagesAfter(acknowledged),
      atMs: this.#owner.loop.wallNow(),
    };
  }

  /** Goes on from what a store has kept. What was written meanwhile comes after. */
  restore({ links, received, acknowledged, messages }: SessionRecord): void {
    this.links = links;
    this.inbox.restore(received);
    this.outbox.restore(acknowledged, messages);
  }

  /**
   * From now on the store is told of changes. What was accepted since it got
   * the record is told at once.
   *
   * @param record What the store has.
   */
  keepIn(keeping: Keeping, record: SessionRecord): void {
    this.#saver.start(keeping, record);
    this.#saver.addMessages(this.outbox.messagesAfter(record.acknowledged + record.messages.length));
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
    const isFull = this.outbox.checkRoom(bytes.length);
    this.#owner.makeRoomFor(bytes.length);
    // To make room this very session may have had to go.
    if (this.#isStopped) throw new ChannelClosedError("write");
    const waiting = { bytes: own(bytes), promise, confirmed: undefined };
    if (isFull) this.outbox.block(waiting);
    else this.#accept(waiting);
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

  // --- links ---

  /**
   * Whether the session can go on with a peer that is done with the messages up
   * to this one. Not if it wants some again that it has acknowledged, nor if it
   * knows of some that were never sent: then one of the two has lost what its
   * store had promised to keep.
   */
  canGoOn(peerReceived: number): boolean {
    const { acknowledged, everWritten } = this.outbox;
    return peerReceived >= acknowledged && peerReceived <= everWritten;
  }

  /**
   * The two sides have agreed to go on, on a new link. Those who waited for
   * what has arrived are told before this returns, and may do anything: see
   * {@linkcode isLinked} afterwards.
   *
   * @param peerReceived The number of the last own message that the peer is done with; see {@linkcode canGoOn}.
   */
  linkUp(peerReceived: number): void {
    this.#link = "starting";
    this.outbox.rewind();
    this.inbox.linkUp();
    this.#watch.linkUp();
    this.#acknowledgedTo(peerReceived);
    if (this.isLinked) this.#link = "up";
  }

  linkDown(): void {
    this.#link = "down";
    this.#watch.linkDown();
    this.inbox.linkDown();
    this.#saver.save();
  }

  /** Sends what the link takes, and an acknowledgement that had to wait for that, and flushes. */
  pumpAndFlush(): void {
    if (this.#pump()) this.#owner.flushFrames();
    this.inbox.acknowledgeOwed();
  }

  /** Sends what there is on a new link, and flushes what was written to it while it was being told of. */
  begin(): void {
    this.#pump();
    if (this.isLinked) this.#owner.flushFrames();
  }

  /** Says that no more messages come, and asks for what is not acknowledged. */
  sendEnd(): void {
    this.#isEnding = true;
    if (!this.isLinked) return;
    const frame = encodeSessionFrame({ kind: "end", received: this.inbox.tell() });
    this.#owner.sendFrame(frame, new ChannelPromise());
    this.#owner.flushFrames();
  }

  // --- the peer speaks ---

  /** @throws {DecodeError} If the frame makes no sense here. */
  frameRead(frame: SessionFrame): void {
    if (!("received" in frame) || frame.kind === "resumed" || frame.kind === "resume") throw notDue(frame);
    const { everWritten } = this.outbox;
    if (frame.received > everWritten) {
      throw new DecodeError(
        "session frame",
        `it acknowledges message ${frame.received}, and ${everWritten} were sent`,
      );
    }
    this.#acknowledgedTo(frame.received);
    // Those who waited for that may have ended the link; what it still brings comes again on the next one.
    if (frame.kind === "message") {
      if (this.isLinked) this.inbox.messageRead(frame.sequence, frame.payload);
    } else if (frame.kind === "end") {
      // The peer waits for this before it closes.
      this.inbox.acknowledgeNow();
      this.#hasPeerEnded = true;
    }
  }

  /** A heartbeat acknowledges. */
  heartbeatAcknowledged(lowBits: number): void {
    const received = wholeAcknowledgement(this.outbox.acknowledged, lowBits);
    // One above what was written on this link is no acknowledgement at all.
    if (received <= this.outbox.written) this.#acknowledgedTo(received);
  }

  // --- the end ---

  /**
   * Lets go of all timers, and gives back what was not confirmed. Who waits for
   * that is told with `outbox.fail()`.
   *
   * @param store Whether the store keeps it or forgets it.
   */
  stop(store: "keep" | "forget"): Remains {
    if (this.#isStopped) return { unconfirmed: [], unsent: [] };
    this.#isStopped = true;
    this.linkDown();
    if (store === "forget") this.#saver.remove();
    else this.#saver.stop();
    return this.outbox.stop();
  }

  #accept(waiting: Waiting): void {
    this.outbox.add(waiting);
    if (this.#saver.isKeeping) {
      this.#saver.addMessages([waiting.bytes]);
      this.#saver.save();
    }
    this.#pump();
  }

  /** Sends what the link takes. @returns Whether something went out. */
  #pump(): boolean {
    if (this.#link !== "up" || this.#hasPeerEnded) return false;
    const outbox = this.outbox;
    const until = this.#saver.isKeeping ? this.#saver.storedMessages : outbox.sent;
    const before = outbox.written;
    // Every write may lead to the end of the link.
    while (this.isLinked && outbox.written < until && this.#owner.isWritable) {
      const outgoing = outbox.next(this.#owner.loop.now());
      const frame = encodeSessionFrame({
        kind: "message",
        sequence: outbox.written,
        received: this.inbox.tell(),
        payload: outgoing.bytes,
      });
      this.#owner.sendFrame(frame, outbox.promiseFor(outgoing));
    }
    if (outbox.written === before) return false;
    this.#watch.written();
    return true;
  }

  #acknowledgedTo(received: number): void {
    const done = this.outbox.acknowledge(received);
    if (done === undefined) return;
    this.#watch.acknowledged();
    this.#saver.acknowledged(received);
    for (const { promise, confirmed } of done) {
      promise?.resolve();
      confirmed?.resolve();
    }
    this.#unblock();
  }

  #unblock(): void {
    let hasTaken = false;
    // Each leaves before it is taken: that may lead to here again, or to the end of the session.
    for (let next = this.outbox.unblock(); next !== undefined; next = this.outbox.unblock()) {
      this.#accept(next);
      hasTaken = true;
    }
    if (hasTaken && this.isLinked) this.#owner.flushFrames();
  }

  #saved(): void {
    if (this.#isStopped) return;
    this.inbox.saved(this.#saver.storedReceived);
    this.pumpAndFlush();
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
