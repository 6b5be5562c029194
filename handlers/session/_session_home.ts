/**
 * A session in its own channel, on a server.
 *
 * @module
 */

import {
  ChannelClosedError,
  type ChannelHandlerContext,
  type ChannelPromise,
  type DrainEvent,
  type Link,
  type Timer,
} from "../../pipeline/mod.ts";
import { type AcknowledgementSource, acknowledgeWith } from "./_acknowledgements.ts";
import type { HeldWrites } from "./_held_writes.ts";
import type { ResponderPlace } from "./_responder_place.ts";
import { Session, sessionGone } from "./_session.ts";
import { SessionClosing } from "./_session_closing.ts";
import type { ResumeFrame } from "./_session_frame.ts";
import { sessionOwner } from "./_session_owner.ts";
import type { Keeping } from "./_session_saver.ts";
import { sendSessionFrame } from "./_session_wire.ts";
import type { SessionLostEvent, SessionLostReason } from "./session_event.ts";
import type { RegistryAccess } from "./session_registry.ts";

/** In use, a session is told to its store so many times per time that it is kept without a link. */
const TOUCHES = 4;

/**
 * What the channel is on which a client opened its session, or came back to it
 * after the server's restart: it outlives its links, and ends with the session.
 */
export class SessionHome {
  readonly kind = "home";
  readonly session: Session;
  /** What heartbeats have to do with it, on whichever link. */
  readonly acknowledgements: AcknowledgementSource;
  readonly #place: ResponderPlace;
  /** `new`: the store, or the client, does not know of it yet. */
  #state: "new" | "settled" | "over" = "new";
  /** While the client is away. */
  #retention: Timer | undefined = undefined;
  /** What the client that comes back has said, until its link stands here. */
  #resume: ResumeFrame | undefined = undefined;
  #closing: SessionClosing | undefined = undefined;
  #isCut = false;

  constructor(place: ResponderPlace, id: string, token: string) {
    this.#place = place;
    const { context, registry } = place;
    const owner = sessionOwner(context, {
      sessionTaken: (error) => {
        context.fireExceptionCaught(error);
        this.lose("taken");
      },
      retained: (deltaBytes) => registry.retained(deltaBytes),
      makeRoomFor: (bytes) => registry.makeRoomFor(bytes),
    });
    const session = this.session = new Session(owner, registry.settings, id, token);
    this.acknowledgements = {
      takeAcknowledgement: () => session.inbox.takeAcknowledgement(),
      acknowledged: (lowBits) => session.heartbeatAcknowledged(lowBits),
    };
  }

  get context(): ChannelHandlerContext {
    return this.#place.context;
  }

  get registry(): RegistryAccess {
    return this.#place.registry;
  }

  /** The close of the channel, once it has begun. */
  get closing(): SessionClosing | undefined {
    return this.#closing;
  }

  /** Whether the session lives here: neither before {@linkcode settle} nor after its end. */
  get isSettled(): boolean {
    return this.#state === "settled";
  }

  /** How the session is kept in the store, which the registry must have. */
  keeping(claim: number): Keeping {
    const { store, retentionMs } = this.registry.settings;
    return { store: store!, key: this.session.id, claim, touchEveryMs: retentionMs / TOUCHES };
  }

  // --- it begins, and goes on ---

  /** From now on this is the session's channel. */
  settle(how: "opened" | "resumed"): void {
    const { channel, pipeline } = this.context;
    channel.autoClose = false;
    this.#state = "settled";
    this.#place.become(this);
    this.registry.add(this.session.id, this, how);
    acknowledgeWith(pipeline, this.acknowledgements);
  }

  /** Messages flow on the first link, which the client was told of. */
  begin(held: HeldWrites, resumed: boolean): void {
    if (this.session.isLinked) this.#place.show(resumed);
    // From here and not from the tail: they have been through the codec.
    held.writeTo((message, promise) => this.write(message, promise));
    this.session.begin();
  }

  /** The client goes on here, on another channel's link. */
  attach(carried: () => Link, frame: ResumeFrame): void {
    this.#cut();
    this.registry.resumed();
    this.#resume = frame;
    this.context.channel.attach(carried());
  }

  /** A link stands that resumes. */
  linkUp(): void {
    const { session } = this;
    const resume = this.#resume;
    this.#resume = undefined;
    if (resume === undefined) return;
    this.#retention?.cancel();
    this.#retention = undefined;
    this.registry.away(this, false);
    session.linkUp(resume.received);
    if (!session.isLinked) return;
    sendSessionFrame(this.context, { kind: "resumed", received: session.inbox.received });
    this.#place.show(true);
    session.begin();
  }

  /** Keeps the session for a while, unless it has ended with its link. */
  linkDown(): void {
    const wasShown = this.#place.hide();
    this.session.linkDown();
    if (wasShown) this.context.fireChannelInactive();
    if (this.session.hasPeerEnded) this.lose("ended");
    // Closed by a handler nearer to the head.
    else if (this.context.channel.state === "closed") this.giveUp();
    else this.#keep();
    this.#closing?.linkDown();
  }

  // --- the application ---

  /** See {@linkcode SessionResponder.write}. */
  write(message: unknown, promise: ChannelPromise): void {
    if (!(message instanceof Uint8Array)) {
      throw new TypeError(
        `Cannot write: a session carries bytes, got ${typeof message}; is the codec after it?`,
      );
    }
    if (this.#closing !== undefined) throw new ChannelClosedError("write");
    this.session.write(message, promise);
  }

  /** The server ends its links: the session waits until it is safe without this one. */
  drain(event: DrainEvent): void {
    const { session } = this;
    if (this.registry.settings.store !== undefined) event.waitUntil(session.whenSaved());
    else if (session.isLinked) event.waitUntil(session.outbox.whenConfirmed().catch(ignore));
  }

  /** Ends the session, or leaves it to the store, and closes. */
  close(promise: ChannelPromise): void {
    const { store, closeTimeoutMs } = this.registry.settings;
    this.#closing = new SessionClosing({
      session: this.session,
      loop: this.context.loop,
      isKept: store !== undefined,
      timeoutMs: closeTimeoutMs,
      done: () => {
        if (this.isSettled) this.#finish("closed", store !== undefined);
        this.context.close(promise);
      },
    });
    this.#closing.start();
  }

  // --- the end ---

  /** The channel ends, and nobody has closed it from here. */
  giveUp(): void {
    this.#closing?.finish();
    if (this.isSettled) this.#finish("closed", this.registry.settings.store !== undefined);
  }

  /** The session is gone, and its channel with it. */
  lose(reason: SessionLostReason): void {
    if (!this.isSettled) return;
    if (reason === "expired") this.registry.expired();
    this.#finish(reason, reason === "taken");
    this.context.channel.close().onSettled(ignore);
  }

  #keep(): void {
    if (!this.isSettled || this.#closing !== undefined) return;
    this.registry.away(this, true);
    const { retentionMs } = this.registry.settings;
    this.#retention = this.context.loop.schedule(retentionMs, () => this.lose("expired"));
  }

  /** From now on links come from carriers, which have handlers of their own for what belongs to a link. */
  #cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    const { pipeline, handler } = this.context;
    for (const entry of [...pipeline.iterate()]) {
      if (entry.handler === handler) break;
      pipeline.remove(entry.handler);
    }
  }

  #finish(reason: SessionLostReason, isKept: boolean): void {
    const { session } = this;
    this.#state = "over";
    this.#place.become({ kind: "closed", closing: this.#closing });
    this.#retention?.cancel();
    this.registry.remove(session.id, this);
    const { unconfirmed, unsent } = session.stop(isKept ? "keep" : "forget");
    const open = [...unconfirmed, ...unsent.map(({ bytes }) => bytes)];
    const isQuiet = (isKept && reason === "closed") ||
      (open.length === 0 && (reason === "ended" || reason === "closed"));
    if (!isQuiet) {
      const event: SessionLostEvent = {
        type: "sessionLost",
        reason,
        sessionId: session.id,
        unconfirmed: open,
      };
      this.context.fireUserEventTriggered(event);
    }
    const error = sessionGone(reason);
    session.outbox.fail(error);
    for (const { promise } of unsent) promise?.reject(error);
  }
}

function ignore(): void {}
