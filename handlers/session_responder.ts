/**
 * The server's half of sessions.
 *
 * @module
 */

import {
  ChannelClosedError,
  type ChannelHandler,
  type ChannelHandlerContext,
  type ChannelPromise,
  type DrainEvent,
  LinkDownError,
  type LinkDownEvent,
  type LinkUpEvent,
  type Timer,
  type WireMessage,
} from "../pipeline/mod.ts";
import { principalOf } from "./authentication_handler.ts";
import { DecodeError } from "./errors.ts";
import { acknowledgeWith, offerSessions } from "./session/_acknowledgements.ts";
import { CarriedLink } from "./session/_carried_link.ts";
import { Session, sessionGone } from "./session/_session.ts";
import { SessionClosing } from "./session/_session_closing.ts";
import {
  decodeSessionFrame,
  encodeSessionFrame,
  isSameToken,
  isSessionFrame,
  newSessionId,
  newSessionToken,
  type RefusalReason,
  SESSION_VERSION,
  type SessionFrame,
} from "./session/_session_frame.ts";
import { sessionOwner } from "./session/_session_owner.ts";
import type { SessionLostEvent, SessionLostReason, SessionPosition } from "./session/session_event.ts";
import {
  accessOf,
  type RegisteredSession,
  type RegistryAccess,
  type SessionRegistry,
} from "./session/session_registry.ts";
import type { ClaimedSession, SessionOutline } from "./stores/session_store.ts";

type Resume = SessionFrame & { readonly kind: "resume" };

/** Why a client does not get what it wants. */
interface Refusal {
  readonly reason: RefusalReason;
  readonly number: number;
}

const UNKNOWN: Refusal = { reason: "unknown", number: 0 };

/**
 * - `down`: no link, and no session.
 * - `undecided`: a link stands, and the client has not said what it wants; the application has not seen it.
 * - `plain`: a client without sessions.
 * - `preparing`: the store is being asked.
 * - `home`: this is the session's own channel, with a link or without.
 * - `carrying`: a later link of a session whose own channel is another one.
 * - `closed`: for good.
 */
type State =
  | { readonly kind: "down" | "plain" | "closed" }
  | { readonly kind: "undecided"; readonly timer: Timer; readonly held: Held[]; readonly isShown: boolean }
  | { readonly kind: "preparing"; readonly held: Held[]; readonly isShown: boolean }
  | { readonly kind: "home"; readonly session: Session; readonly registered: RegisteredSession }
  | { readonly kind: "carrying"; readonly link: CarriedLink; readonly home: SessionResponder };

/** Written before it was clear to whom. */
interface Held {
  readonly message: unknown;
  readonly promise: ChannelPromise;
}

const DOWN: State = { kind: "down" };
const PLAIN: State = { kind: "plain" };
const CLOSED: State = { kind: "closed" };
/** How many writes wait while a link is undecided: who writes to all clients reaches it as well. */
const MAX_HELD = 1_000;
/** How many links may wait for the same session while the store is asked for it; one that hangs must not gather them. */
const MAX_WAITING_CLAIMS = 8;
/** How long a client that is back may wait until the store has said that its session is still here, ms. */
const CONFIRM_MS = 5_000;
/** In use, a session is told to its store so many times per time that it is kept without a link. */
const TOUCHES = 4;

/**
 * Loses no message: the server's counterpart of a {@linkcode SessionHandler}.
 * Its sessions are in a {@linkcode SessionRegistry} that all channels share.
 *
 * The channel on which a client opened its session stays that session's
 * channel: it outlives its links, stays among the server's channels, and keeps
 * what is written to it while the client is away. When the client comes back
 * the application sees `channelActive` and `linkUp` with `resumed: true` there;
 * the new link's own channel only carries it, and is not shown. When the
 * session is gone (`sessionLost`) its channel closes. After a restart the
 * channel that the client resumes on becomes the session's.
 *
 * A message is acknowledged once the handlers that it reached have returned,
 * their promises are settled, and the store (if there is one) knows. Clients
 * without sessions are served as if this handler were not there.
 *
 * Belongs after the {@linkcode HeartbeatResponder} and before the codec;
 * `answerKeepAlive({ sessions })` puts it there. What is nearer to the head
 * belongs to a link, what is nearer to the tail to the session.
 *
 * @example In a server's pipeline
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, SessionRegistry, SessionResponder } from "@longlink/pipeline";
 *
 * const sessions = new SessionRegistry();
 * const channel = new EmbeddedChannel({ handlers: [new SessionResponder({ sessions })] });
 * channel.writeInbound(new Uint8Array([0xc1, 1, 1])); // open a session, version 1
 * assertEquals([sessions.size, sessions.away], [1, 0]);
 * channel.loseLink();
 * assertEquals([sessions.size, sessions.away], [1, 1]);
 * ```
 */
export class SessionResponder implements ChannelHandler {
  /** Whether it is in a pipeline now; kept by the pipeline. */
  isAdded = false;
  readonly #registry: RegistryAccess;
  readonly #maxFrameBytes: number | undefined;
  #state: State = DOWN;
  /** What the client that comes back has said, until its link stands here. */
  #resume: Resume | undefined = undefined;
  #retention: Timer | undefined = undefined;
  #closing: SessionClosing | undefined = undefined;
  #isShown = false;
  #hasPeerEnded = false;
  #isCut = false;
  #downEvent: LinkDownEvent | undefined = undefined;
  #context: ChannelHandlerContext | undefined = undefined;

  /**
   * Makes the handler for one channel.
   *
   * @param options `sessions`: the server's registry. `maxFrameBytes`: the
   *   longest frame that the framing handlers let through, in bytes;
   *   `answerKeepAlive()` sets it to its own. Default: 1,048,576.
   */
  constructor(options: { readonly sessions: SessionRegistry; readonly maxFrameBytes?: number }) {
    this.#registry = accessOf(options.sessions);
    this.#maxFrameBytes = options.maxFrameBytes;
  }

  /** The session's id; undefined where there is none. */
  get sessionId(): string | undefined {
    return this.#state.kind === "home" ? this.#state.session.id : undefined;
  }

  /** How many of the own messages are not acknowledged. */
  get unacknowledged(): number {
    return this.#state.kind === "home" ? this.#state.session.unacknowledged : 0;
  }

  /** How many messages came twice, and were dropped. */
  get duplicates(): number {
    return this.#state.kind === "home" ? this.#state.session.duplicates : 0;
  }

  /** Where in the session the message is that `channelRead` is called with just now; see {@linkcode SessionHandler.receiving}. */
  get receiving(): SessionPosition | undefined {
    if (this.#state.kind !== "home") return undefined;
    const { id, delivered } = this.#state.session;
    return { sessionId: id, sequence: delivered };
  }

  /**
   * Waits until all messages that were written so far are acknowledged.
   *
   * @returns Done when they are, or where there is no session. Fails with a
   *   `SessionError` if the session is lost before.
   */
  whenAcknowledged(): PromiseLike<void> {
    return this.#state.kind === "home" ? this.#state.session.whenConfirmed() : Promise.resolve();
  }

  /** Begins where a link stands. */
  handlerAdded(context: ChannelHandlerContext): void {
    this.#context = context;
    offerSessions(context.pipeline);
    if (context.channel.isActive) this.#wait(context, [], true);
  }

  /** Lets go of everything. */
  handlerRemoved(context: ChannelHandlerContext): void {
    acknowledgeWith(context.pipeline, undefined);
    this.#giveUpHeld(new ChannelClosedError("write"));
    this.#giveUp(context);
    this.#state = CLOSED;
    this.#context = undefined;
  }

  /** Waits for the client's first word, or goes on where it has come back. */
  channelActive(context: ChannelHandlerContext): void {
    if (this.#state.kind === "home") this.#linked(context, this.#state.session);
    else if (this.#state === DOWN) this.#wait(context, [], false);
  }

  /** Keeps the session for a while, if there is one. */
  channelInactive(context: ChannelHandlerContext): void {
    const state = this.#state;
    const isShown = this.#isShown;
    this.#isShown = false;
    switch (state.kind) {
      case "home":
        state.session.linkDown();
        if (isShown) context.fireChannelInactive();
        if (this.#hasPeerEnded) this.#lose(context, "ended");
        // Closed by a handler nearer to the head.
        else if (context.channel.state === "closed") this.#giveUp(context);
        else this.#keep(context, state.registered);
        this.#closing?.linkDown();
        return;
      case "carrying":
        this.#state = CLOSED;
        state.link.carrierDown(this.#downEvent?.reason ?? "error", this.#downEvent?.error);
        return;
      case "undecided":
      case "preparing":
        this.#giveUpHeld(new LinkDownError("write", this.#downEvent?.reason ?? "error"));
        if (state.kind === "undecided") state.timer.cancel();
        this.#state = DOWN;
        break;
      case "plain":
        this.#state = DOWN;
    }
    if (isShown) context.fireChannelInactive();
  }

  /** Takes the session's frames apart. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    const state = this.#state;
    if (state.kind === "carrying") {
      state.link.carrierRead(message as WireMessage);
      return;
    }
    if (!isSessionFrame(message)) {
      if (state.kind === "undecided") this.#becomePlain(context);
      if (this.#state === PLAIN) context.fireChannelRead(message);
      else {this.#refuseBytes(
          context,
          new DecodeError("session frame", "something else came on a link with a session"),
        );}
      return;
    }
    try {
      const frame = decodeSessionFrame(message);
      if (frame !== undefined) this.#frameRead(context, frame);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#refuseBytes(context, error);
    }
  }

  /** The batch is over also for the channel that is carried. */
  channelReadComplete(context: ChannelHandlerContext): void {
    if (this.#state.kind === "carrying") this.#state.link.carrierReadComplete();
    else context.fireChannelReadComplete();
  }

  /** Sends what waited for room. */
  channelWritabilityChanged(context: ChannelHandlerContext): void {
    if (this.#state.kind === "home") this.#state.session.pumpAndFlush();
    context.fireChannelWritabilityChanged();
  }

  /** Tells the application of a link when it is its own, and not before. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const known = event as LinkUpEvent | LinkDownEvent | DrainEvent;
    switch (known?.type) {
      case "linkUp":
        return;
      case "linkDown":
        this.#downEvent = known;
        if (!this.#isShown) return;
        break;
      case "drain":
        // The channel that is carried is told as well.
        if (this.#state.kind === "carrying") return;
        this.#drain(known);
    }
    if (this.#state.kind === "carrying") this.#state.home.#context?.fireUserEventTriggered(event);
    else context.fireUserEventTriggered(event);
  }

  /** An error of a link that carries goes to the channel that it carries. */
  exceptionCaught(context: ChannelHandlerContext, error: unknown): void {
    const home = this.#state.kind === "carrying" ? this.#state.home.#context : undefined;
    (home ?? context).fireExceptionCaught(error);
  }

  /**
   * Takes a message.
   *
   * @throws {TypeError} (as the write's failure) If it is not bytes.
   * @throws {RangeError} (as the write's failure) If it is too long for a frame.
   * @throws {QueueFullError} (as the write's failure) If too much is unacknowledged.
   */
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    const state = this.#state;
    switch (state.kind) {
      case "home":
        if (!(message instanceof Uint8Array)) {
          throw new TypeError(
            `Cannot write: a session carries bytes, got ${typeof message}; is the codec after it?`,
          );
        }
        if (this.#closing !== undefined) throw new ChannelClosedError("write");
        state.session.write(message, promise);
        return;
      case "undecided":
      case "preparing":
        if (state.held.length >= MAX_HELD) throw new LinkDownError("write", "notConnected");
        state.held.push({ message, promise });
        return;
      case "carrying":
        throw new LinkDownError("write", "replaced");
      default:
        context.write(message, promise);
    }
  }

  /** Flushes where the client listens. */
  flush(context: ChannelHandlerContext): void {
    const { kind } = this.#state;
    if (kind !== "undecided" && kind !== "preparing" && context.channel.isActive) context.flush();
  }

  /** Ends the session, or leaves it to the store, and closes. */
  close(context: ChannelHandlerContext, promise: ChannelPromise): void {
    const state = this.#state;
    // What a channel that closes has still to say goes over the one that carries it.
    const closing = state.kind === "carrying" && !state.link.isClosing ? state.home.#closing : this.#closing;
    if (closing !== undefined) {
      closing.whenDone(() => context.close(promise));
      return;
    }
    if (state.kind !== "home") {
      context.close(promise);
      return;
    }
    const { store, closeTimeoutMs } = this.#registry.settings;
    this.#closing = new SessionClosing({
      session: state.session,
      loop: context.loop,
      isKept: store !== undefined,
      timeoutMs: closeTimeoutMs,
      done: () => {
        if (this.#state === state) this.#finish(context, state, "closed", store !== undefined);
        context.close(promise);
      },
    });
    this.#closing.start();
  }

  // --- what the client wants ---

  #wait(context: ChannelHandlerContext, held: Held[], isShown: boolean): void {
    const timer = context.loop.schedule(this.#registry.settings.firstFrameMs, () => {
      if (this.#registry.settings.required) return;
      this.#becomePlain(context);
    });
    this.#state = { kind: "undecided", timer, held, isShown };
    this.#isShown = isShown;
    if (!isShown) context.channel.withdraw();
  }

  #becomePlain(context: ChannelHandlerContext): void {
    const state = this.#state;
    if (state.kind !== "undecided") return;
    state.timer.cancel();
    if (this.#registry.settings.required) {
      this.#refuseBytes(context, new DecodeError("session frame", "a client must have a session here"));
      return;
    }
    this.#state = PLAIN;
    this.#show(context, false);
    if (this.#state !== PLAIN) return this.#rejectAll(state.held, new LinkDownError("write", "closed"));
    for (const { message, promise } of state.held) context.write(message, promise);
    if (state.held.length > 0) context.flush();
  }

  #frameRead(context: ChannelHandlerContext, frame: SessionFrame): void {
    const state = this.#state;
    if (state.kind === "home") {
      if (!("received" in frame) || frame.kind === "resumed" || frame.kind === "resume") throw notDue(frame);
      state.session.frameRead(frame);
      if (frame.kind === "end") {
        state.session.holdBack();
        this.#hasPeerEnded = true;
      }
      return;
    }
    if (
      (frame.kind !== "open" && frame.kind !== "resume") || (state.kind !== "undecided" && state !== PLAIN)
    ) {
      throw notDue(frame);
    }
    this.#registry.sweep(context.loop, (error) => context.fireExceptionCaught(error));
    if (frame.version !== SESSION_VERSION) this.#refuse(context, "version", SESSION_VERSION);
    else if (frame.kind === "open") this.#open(context);
    else this.#resumeSession(context, frame);
  }

  #open(context: ChannelHandlerContext): void {
    const { settings } = this.#registry;
    if (!this.#registry.makeRoom()) return this.#refuse(context, "overloaded", settings.comeBackMs);
    const session = this.#newSession(context, newSessionId(), newSessionToken());
    const { store } = settings;
    const preparing = this.#prepare();
    const opened = () => {
      this.#becomeHome(context, session, preparing, "opened");
      const { id, token } = session;
      session.linkUp(0);
      send(context, { kind: "opened", id, token, retentionMs: settings.retentionMs });
      this.#begin(context, session, preparing, false);
    };
    if (store === undefined) return opened();
    const record = session.record();
    this.#ask(context, () => store.create(session.id, record), (claim) => {
      session.keepIn(this.#keeping(session, claim), record);
      if (this.#state === preparing && this.#registry.makeRoom()) return opened();
      // Its client is gone, or others were faster: nobody knows of it, and nobody would ask for it.
      session.stop("forget");
      if (this.#state === preparing) this.#refuse(context, "overloaded", settings.comeBackMs);
    }, preparing);
  }

  #resumeSession(context: ChannelHandlerContext, frame: Resume): void {
    const registered = this.#registry.get(frame.id);
    if (registered !== undefined) {
      const home = registered.channel.pipeline.get(SessionResponder);
      if (home?.isAdded) return home.#comeBack(this, context, frame);
    }
    const { store, comeBackMs } = this.#registry.settings;
    if (store === undefined) return this.#refuse(context, "unknown", 0);
    if (!this.#registry.makeRoom()) return this.#refuse(context, "overloaded", comeBackMs);
    const preparing = this.#prepare();
    const { claims } = this.#registry;
    const waiting = claims.get(frame.id);
    if (waiting !== undefined && waiting.length >= MAX_WAITING_CLAIMS) {
      return this.#refuse(context, "overloaded", comeBackMs);
    }
    if (waiting !== undefined) {
      // Of two that claim the same session at once each would deliver what the other has delivered.
      waiting.push(() => {
        if (this.#state === preparing) this.#resumeSession(context, frame);
      });
      return;
    }
    const others: (() => void)[] = [];
    claims.set(frame.id, others);
    let refusal: Refusal | undefined = UNKNOWN;
    // Before it is claimed: who has no right to it, or is late, must not take it away from where it lives.
    const accept = (session: SessionOutline) => {
      // Its client may have given up by now, and be at home again.
      if (this.#state !== preparing) return false;
      refusal = this.#refusalOf(context, session, frame);
      return refusal === undefined;
    };
    const claimed = (claimed: ClaimedSession | undefined) => {
      if (this.#state === preparing) this.#claimed(context, preparing, frame, claimed, refusal);
    };
    this.#ask(context, () => store.claim(frame.id, accept), claimed, preparing, () => {
      claims.delete(frame.id);
      for (const other of others) other();
    });
  }

  #claimed(
    context: ChannelHandlerContext,
    preparing: State & { kind: "preparing" },
    frame: Resume,
    claimed: ClaimedSession | undefined,
    refusal: Refusal | undefined,
  ): void {
    if (claimed === undefined) {
      const { reason, number } = refusal ?? UNKNOWN;
      return this.#refuse(context, reason, number);
    }
    // Once more: a store may not have asked, and its holder may have counted a link since.
    const { record } = claimed;
    const late = this.#refusalOf(
      context,
      { ...record, last: record.acknowledged + record.messages.length },
      frame,
    );
    if (late !== undefined) this.#refuse(context, late.reason, late.number);
    else if (!this.#registry.makeRoom()) {
      this.#refuse(context, "overloaded", this.#registry.settings.comeBackMs);
    } else this.#restore(context, preparing, claimed, frame);
  }

  /** Why a client cannot go on with what the store has; undefined: it can. */
  #refusalOf(context: ChannelHandlerContext, session: SessionOutline, frame: Resume): Refusal | undefined {
    const { id, token, links, acknowledged, last, atMs } = session;
    const isIts = id === frame.id && isSameToken(token, frame.token);
    const isFresh = atMs + this.#registry.settings.retentionMs >= context.loop.wallNow();
    // If it wants what it has acknowledged, or knows of more than was sent, one of the two has lost messages.
    const fits = frame.received >= acknowledged && frame.received <= last;
    if (!isIts || !isFresh) return UNKNOWN;
    if (frame.link <= links) return { reason: "stale", number: links };
    return fits ? undefined : UNKNOWN;
  }

  #restore(
    context: ChannelHandlerContext,
    preparing: State & { kind: "preparing" },
    { record, claim }: ClaimedSession,
    frame: Resume,
  ): void {
    const session = this.#newSession(context, record.id, record.token);
    session.restore(record);
    if (!session.canGoOn(frame.received)) {
      // One of the two has lost messages: to go on would give their numbers to others.
      session.stop("keep");
      return this.#refuse(context, "unknown", 0);
    }
    this.#becomeHome(context, session, preparing, "resumed");
    session.keepIn(this.#keeping(session, claim), record);
    session.countLink(frame.link);
    // Another server may have been faster.
    if (this.#state.kind !== "home") return this.#rejectAll(preparing.held, sessionGone("taken"));
    session.linkUp(frame.received);
    send(context, { kind: "resumed", received: session.received });
    this.#begin(context, session, preparing, true);
  }

  /** The client of this session is back on another channel's link. */
  #comeBack(carrier: SessionResponder, carrierContext: ChannelHandlerContext, frame: Resume): void {
    const state = this.#state;
    const context = this.#context;
    if (
      state.kind !== "home" || context === undefined || this.#hasPeerEnded ||
      !isSameToken(state.session.token, frame.token) ||
      !this.#registry.settings.isSameClient(principalOf(context.channel), principalOf(carrierContext.channel))
    ) {
      return carrier.#refuse(carrierContext, "unknown", 0);
    }
    if (this.#closing !== undefined) return this.#refuseWhileClosing(carrier, carrierContext);
    const { session } = state;
    const { store } = this.#registry.settings;
    if (store === undefined && !session.canGoOn(frame.received)) {
      return carrier.#refuse(carrierContext, "unknown", 0);
    }
    if (frame.link <= session.links) return carrier.#refuse(carrierContext, "stale", session.links);
    if (store === undefined) {
      session.countLink(frame.link);
      return this.#takeLink(context, state, carrier, carrierContext, frame);
    }
    const preparing = carrier.#prepare();
    const timer = carrierContext.loop.schedule(CONFIRM_MS, () => {
      // The store does not answer. What is here may be out of date, and the client must not go on with that.
      if (carrier.#state === preparing) carrier.#refuseForNow(carrierContext);
    });
    // Another process that shares the store may have gone on with the session: then the store says so now.
    session.countLink(frame.link, () => {
      timer.cancel();
      if (carrier.#state !== preparing) return;
      if (this.#state === state) this.#takeLink(context, state, carrier, carrierContext, frame);
      else carrier.#resumeSession(carrierContext, frame);
    });
  }

  /** The client goes on here, on the carrier's link. */
  #takeLink(
    context: ChannelHandlerContext,
    state: State & { kind: "home" },
    carrier: SessionResponder,
    carrierContext: ChannelHandlerContext,
    frame: Resume,
  ): void {
    const { session } = state;
    if (this.#closing !== undefined) return this.#refuseWhileClosing(carrier, carrierContext);
    if (this.#hasPeerEnded || !session.canGoOn(frame.received)) {
      return carrier.#refuse(carrierContext, "unknown", 0);
    }
    // Of two that waited for the store the one with the higher number is the later.
    if (frame.link < session.links) return carrier.#refuse(carrierContext, "stale", session.links);
    const { channel } = context;
    channel.drop("replaced");
    // The application, or the store, may have ended the session.
    if (this.#state !== state || this.#closing !== undefined || channel.state !== "idle") {
      return this.#refuseWhileClosing(carrier, carrierContext);
    }
    this.#cut(context);
    this.#registry.resumed();
    this.#resume = frame;
    channel.attach(carrier.#carry(carrierContext, this));
  }

  /** A session that its store keeps is there again in a moment: to call it unknown would make the client give it up. */
  #refuseWhileClosing(carrier: SessionResponder, context: ChannelHandlerContext): void {
    const isKept = this.#registry.settings.store !== undefined;
    carrier.#refuse(context, isKept ? "overloaded" : "unknown", 0);
  }

  /** From now on links come from carriers, which have handlers of their own for what belongs to a link. */
  #cut({ pipeline }: ChannelHandlerContext): void {
    if (this.#isCut) return;
    this.#isCut = true;
    for (const { handler } of [...pipeline.iterate()]) {
      if (handler === this) break;
      pipeline.remove(handler);
    }
  }

  /** This channel's link is another one's from now on. */
  #carry(context: ChannelHandlerContext, home: SessionResponder): CarriedLink {
    const { channel, pipeline } = context;
    if (this.#state.kind === "undecided") this.#state.timer.cancel();
    this.#giveUpHeld(new LinkDownError("write", "replaced"));
    if (this.#isShown) {
      // It said so late that the application took it for one without a session.
      this.#isShown = false;
      context.fireUserEventTriggered({ type: "linkDown", reason: "replaced" } satisfies LinkDownEvent);
      context.fireChannelInactive();
    }
    channel.withdraw();
    channel.autoRead = false;
    const link = new CarriedLink(context);
    this.#state = { kind: "carrying", link, home };
    let isBehind = false;
    for (const { handler } of [...pipeline.iterate()]) {
      if (isBehind) pipeline.remove(handler);
      if (handler === this) isBehind = true;
    }
    acknowledgeWith(pipeline, {
      takeAcknowledgement: () => home.#session?.takeAcknowledgement(),
      acknowledged: (lowBits) => home.#session?.heartbeatAcknowledged(lowBits),
    });
    return link;
  }

  /** A link stands that resumes. */
  #linked(context: ChannelHandlerContext, session: Session): void {
    const resume = this.#resume;
    this.#resume = undefined;
    if (resume === undefined) return;
    this.#retention?.cancel();
    this.#retention = undefined;
    this.#registry.away(this.#home.registered, false);
    session.linkUp(resume.received);
    if (!session.isLinked) return;
    send(context, { kind: "resumed", received: session.received });
    this.#show(context, true);
    session.begin();
  }

  // --- the session's own channel ---

  get #session(): Session | undefined {
    return this.#state.kind === "home" ? this.#state.session : undefined;
  }

  get #home(): State & { kind: "home" } {
    return this.#state as State & { kind: "home" };
  }

  #newSession(context: ChannelHandlerContext, id: string, token: string): Session {
    const owner = sessionOwner(context, this.#maxFrameBytes, {
      sessionTaken: (error) => {
        context.fireExceptionCaught(error);
        this.#lose(context, "taken");
      },
      retained: (deltaBytes) => this.#registry.retained(deltaBytes),
      makeRoomFor: (bytes) => this.#registry.makeRoomFor(bytes),
    });
    return new Session(owner, this.#registry.settings, id, token);
  }

  #keeping(session: Session, claim: number) {
    const { store, retentionMs } = this.#registry.settings;
    return { store: store!, key: session.id, claim, touchEveryMs: retentionMs / TOUCHES };
  }

  #prepare(): State & { kind: "preparing" } {
    const state = this.#state;
    if (state.kind === "undecided") state.timer.cancel();
    const held = state.kind === "undecided" || state.kind === "preparing" ? state.held : [];
    const preparing = { kind: "preparing", held, isShown: this.#isShown } as const;
    this.#state = preparing;
    return preparing;
  }

  /** Asks the store. */
  #ask<T>(
    context: ChannelHandlerContext,
    question: () => T | Promise<T>,
    answered: (answer: T) => void,
    preparing: State & { kind: "preparing" },
    finished: () => void = ignore,
  ): void {
    const go = (answer: T) => {
      try {
        answered(answer);
      } catch (error) {
        context.fireExceptionCaught(error);
      }
      finished();
    };
    const failed = (error: unknown) => {
      context.fireExceptionCaught(error);
      if (this.#state === preparing) {
        if ((error as Error)?.name === "UnusableSessionError") this.#refuse(context, "unknown", 0);
        else this.#refuseForNow(context);
      }
      finished();
    };
    let answer: T | Promise<T>;
    try {
      answer = question();
    } catch (error) {
      return failed(error);
    }
    if (answer instanceof Promise) answer.then(go, failed);
    else go(answer);
  }

  #becomeHome(
    context: ChannelHandlerContext,
    session: Session,
    { isShown }: State & { kind: "preparing" },
    how: "opened" | "resumed",
  ): void {
    const { channel, pipeline } = context;
    channel.autoClose = false;
    const registered = { channel, lose: (reason: SessionLostReason) => this.#lose(context, reason) };
    this.#state = { kind: "home", session, registered };
    this.#isShown = isShown;
    this.#registry.add(session.id, registered, how);
    acknowledgeWith(pipeline, {
      takeAcknowledgement: () => session.takeAcknowledgement(),
      acknowledged: (lowBits) => session.heartbeatAcknowledged(lowBits),
    });
  }

  #begin(
    context: ChannelHandlerContext,
    session: Session,
    { held }: State & { kind: "preparing" },
    resumed: boolean,
  ): void {
    if (session.isLinked) this.#show(context, resumed);
    for (const { message, promise } of held) {
      // From here and not from the tail: they have been through the codec.
      try {
        this.write(context, message, promise);
      } catch (error) {
        promise.reject(error);
      }
    }
    session.begin();
  }

  #show(context: ChannelHandlerContext, resumed: boolean): void {
    if (this.#isShown) return;
    this.#isShown = true;
    context.channel.present();
    context.fireChannelActive();
    if (this.#isShown) context.fireUserEventTriggered({ type: "linkUp", resumed } satisfies LinkUpEvent);
  }

  #keep(context: ChannelHandlerContext, registered: RegisteredSession): void {
    if (this.#state.kind !== "home" || this.#closing !== undefined) return;
    this.#registry.away(registered, true);
    const { retentionMs } = this.#registry.settings;
    this.#retention = context.loop.schedule(retentionMs, () => this.#lose(context, "expired"));
  }

  #drain(event: DrainEvent): void {
    const session = this.#session;
    if (session === undefined) return;
    if (this.#registry.settings.store !== undefined) event.waitUntil(session.whenSaved());
    else if (session.isLinked) event.waitUntil(session.whenConfirmed().catch(ignore));
  }

  /** The channel ends, and nobody has closed it from here. */
  #giveUp(context: ChannelHandlerContext): void {
    this.#closing?.finish();
    const state = this.#state;
    if (state.kind === "home") {
      this.#finish(context, state, "closed", this.#registry.settings.store !== undefined);
    }
  }

  #lose(context: ChannelHandlerContext, reason: SessionLostReason): void {
    const state = this.#state;
    if (state.kind !== "home") return;
    if (reason === "expired") this.#registry.expired();
    this.#finish(context, state, reason, reason === "taken");
    context.channel.close().onSettled(ignore);
  }

  #finish(
    context: ChannelHandlerContext,
    { session, registered }: State & { kind: "home" },
    reason: SessionLostReason,
    isKept: boolean,
  ): void {
    this.#state = CLOSED;
    this.#retention?.cancel();
    this.#registry.remove(session.id, registered);
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
      context.fireUserEventTriggered(event);
    }
    const error = sessionGone(reason);
    session.fail(error);
    for (const { promise } of unsent) promise?.reject(error);
  }

  // --- refusals ---

  /** To say that it is unknown would make the client give up what it has; the store may be back soon. */
  #refuseForNow(context: ChannelHandlerContext): void {
    this.#refuse(context, "overloaded", this.#registry.settings.comeBackMs);
  }

  #refuse(context: ChannelHandlerContext, reason: RefusalReason, number: number): void {
    this.#registry.refused();
    const state = this.#state;
    const held = state.kind === "preparing" || state.kind === "undecided" ? state.held : [];
    if (state.kind === "undecided") state.timer.cancel();
    // The client may ask for another one on the same link.
    if (state !== PLAIN) this.#wait(context, held, this.#isShown);
    send(context, { kind: "refused", reason, number });
  }

  #refuseBytes(context: ChannelHandlerContext, error: DecodeError): void {
    context.fireExceptionCaught(error);
    context.channel.drop("protocol", error);
  }

  #giveUpHeld(error: Error): void {
    const state = this.#state;
    if (state.kind !== "undecided" && state.kind !== "preparing") return;
    if (state.kind === "undecided") state.timer.cancel();
    this.#rejectAll(state.held, error);
  }

  #rejectAll(held: readonly Held[], error: Error): void {
    for (const { promise } of held) promise.reject(error);
  }
}

function notDue(frame: SessionFrame): DecodeError {
  return new DecodeError("session frame", `"${frame.kind}" is not due`);
}

function send(context: ChannelHandlerContext, frame: SessionFrame): void {
  context.writeAndFlush(encodeSessionFrame(frame)).onSettled(ignore);
}

function ignore(): void {}
