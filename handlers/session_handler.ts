/**
 * The client's half of sessions.
 *
 * @module
 */

import {
  ChannelClosedError,
  type ChannelHandler,
  type ChannelHandlerContext,
  type ChannelPromise,
  type LinkDownEvent,
  type LinkUpEvent,
  type Timer,
} from "../pipeline/mod.ts";
import { checkedCount, checkedMs } from "./_checks.ts";
import type { ReconnectFailedEvent } from "./_reconnect_event.ts";
import { DecodeError, SessionError } from "./errors.ts";
import type { GoAwayEvent } from "./keep_alive_event.ts";
import { acknowledgeWith } from "./session/_acknowledgements.ts";
import { Session, sessionGone } from "./session/_session.ts";
import { SessionClosing } from "./session/_session_closing.ts";
import {
  decodeSessionFrame,
  encodeSessionFrame,
  isSessionFrame,
  SESSION_VERSION,
  type SessionFrame,
} from "./session/_session_frame.ts";
import { sessionOwner } from "./session/_session_owner.ts";
import { type SessionLimits, type SessionSettings, sessionSettings } from "./session/_session_settings.ts";
import type { SessionLostEvent, SessionLostReason, SessionPosition } from "./session/session_event.ts";
import type { ClaimedSession, SessionStore } from "./stores/session_store.ts";

export type { SessionLimits, SessionQueueLimits } from "./session/_session_settings.ts";

/** Options of {@linkcode SessionHandler}. */
export interface SessionOptions extends SessionLimits {
  /**
   * Where the session is kept, so that a process that was killed or a page that
   * was closed comes back to it. Default: it ends with its channel.
   */
  readonly store?: SessionStore;
  /** Under which key it is kept there, not empty. Two channels need two. Default: `default`. */
  readonly name?: string;
  /** How long the server may take to open a session or to go on with it, in ms, above 0. Default: 10,000. */
  readonly handshakeTimeoutMs?: number;
  /** How long `close()` waits for what is not acknowledged, in ms, 0 or more. Default: 2,000. */
  readonly closeTimeoutMs?: number;
  /**
   * The longest frame that the framing handlers let through, in bytes, 64 or
   * more: a message has to fit in one with up to 18 bytes of the session.
   * `keepAlive()` sets it to its own. Default: 1,048,576.
   */
  readonly maxFrameBytes?: number;
}

/**
 * - `down`: no link.
 * - `loading`: a link stands, and the store is still being read.
 * - `asking`: the server was asked for a session.
 * - `creating`: the session is open, and the store is being told.
 * - `up`: messages flow.
 * - `closed`: for good.
 */
type State =
  | { readonly kind: "down" | "loading" | "up" | "closed" }
  | { readonly kind: "asking"; readonly timer: Timer; readonly refusals: number }
  /** `early`: what the server says meanwhile. */
  | { readonly kind: "creating"; readonly early: SessionFrame[]; wantsRead: boolean };

const DOWN: State = { kind: "down" };
const LOADING: State = { kind: "loading" };
const UP: State = { kind: "up" };
const CLOSED: State = { kind: "closed" };

/** A server that goes on refusing is not one to go on asking. */
const MAX_REFUSALS = 4;
/** A client that was restored from an old copy of its store may be behind; a number far beyond would use up those that are left. */
const MOST_LINKS_BEHIND = 2 ** 32;
/** After so many links in a row that ended without an answer somebody should know. */
const MAX_UNANSWERED_LINKS = 3;

/**
 * Loses no message: gives each message a number, keeps it until the server's
 * application is done with it, and sends it again after a reconnect. What
 * comes twice is dropped. The same holds for the server's messages, with a
 * {@linkcode SessionResponder} there.
 *
 * Takes writes at any time, within a bound, also while there is no link. The
 * application sees `channelActive` and `linkUp` once the session is open on a
 * link, with `resumed: true` where it goes on. When the server no longer has
 * it, `sessionLost` says which messages were never confirmed, and a new one
 * begins. A message is acknowledged once the handlers that it reached have
 * returned, their promises are settled, and the store (if there is one) knows.
 *
 * `close()` ends the session: it waits a moment for what is not acknowledged.
 * With a store it is kept for the next time instead.
 *
 * Belongs after the {@linkcode ReconnectHandler} and before the codec;
 * `keepAlive({ session: {} })` puts it there.
 *
 * @example A message is sent again on the next link
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, SessionHandler } from "@longlink/pipeline";
 *
 * const session = new SessionHandler();
 * const channel = new EmbeddedChannel({ handlers: [session] });
 * channel.autoClose = false; // which a `ReconnectHandler` would see to
 * channel.pipeline.write(new Uint8Array([1, 2, 3])); // no server has opened the session yet
 * assertEquals(session.unacknowledged, 1);
 * channel.loseLink();
 * assertEquals(session.unacknowledged, 1);
 * ```
 */
export class SessionHandler implements ChannelHandler {
  /** Whether it is in a pipeline now; kept by the pipeline. */
  isAdded = false;
  readonly #settings: Settings;
  #state: State = DOWN;
  #session: Session | undefined = undefined;
  #closing: SessionClosing | undefined = undefined;
  /** Whether the store is being asked for a session, or told of a new one: until then none is asked for. */
  #isLoading = false;
  /** Whether the store can be told of a new session: not if it has one that could not be read. */
  #isStoreUsable = true;
  /** Whether the application was told of this link. */
  #isShown = false;
  /** Whether the server said that it ends the session. */
  #hasPeerEnded = false;
  /** Whether the application wants the session to end with the channel. */
  #isEnding = false;
  #context: ChannelHandlerContext | undefined = undefined;
  #unansweredLinks = 0;
  #duplicatesBefore = 0;

  /**
   * Checks the options.
   *
   * @param options Limits, store.
   * @throws {RangeError} If a number is out of range.
   * @throws {TypeError} If the policy of the queue is one that drops messages, or the name is empty.
   */
  constructor(options: SessionOptions = {}) {
    this.#settings = settingsOf(options);
  }

  /** The session's id; undefined before the first one is open. */
  get sessionId(): string | undefined {
    return this.#session?.id || undefined;
  }

  /** How many of the own messages are not acknowledged, those included that were not sent yet. */
  get unacknowledged(): number {
    return this.#session?.unacknowledged ?? 0;
  }

  /** How many bytes these messages have; without those for which there is no room yet. */
  get unacknowledgedBytes(): number {
    return this.#session?.unacknowledgedBytes ?? 0;
  }

  /** How many messages came twice, and were dropped. */
  get duplicates(): number {
    return this.#duplicatesBefore + (this.#session?.duplicates ?? 0);
  }

  /**
   * Where in the session the message is that `channelRead` is called with just
   * now; to be asked before the first `await`. An application that writes it
   * down together with what it does about the message can drop what comes
   * again after its process died in between.
   */
  get receiving(): SessionPosition | undefined {
    const session = this.#session;
    return session === undefined ? undefined : { sessionId: session.id, sequence: session.delivered };
  }

  /**
   * Waits until all messages that were written so far are acknowledged.
   *
   * @returns Done when they are. Fails with a `SessionError` if the session is
   *   lost before, with a `ChannelClosedError` if the channel is closed.
   */
  whenAcknowledged(): PromiseLike<void> {
    return this.#session?.whenConfirmed() ?? Promise.resolve();
  }

  /**
   * Closes the channel and ends the session, also where a store would keep it:
   * for a logout.
   *
   * @returns Done when the channel is closed.
   */
  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#context?.channel.close();
  }

  /** Reads the store, and begins where a link stands. */
  handlerAdded(context: ChannelHandlerContext): void {
    this.#context = context;
    // Set anew: an instance may come back after it was taken out.
    this.#state = DOWN;
    this.#closing = undefined;
    this.#isShown = this.#hasPeerEnded = this.#isEnding = false;
    this.#isStoreUsable = true;
    this.#session = this.#newSession(context);
    acknowledgeWith(context.pipeline, {
      takeAcknowledgement: () => this.#session?.takeAcknowledgement(),
      acknowledged: (lowBits) => {
        if (this.#state === UP) this.#session?.heartbeatAcknowledged(lowBits);
      },
    });
    this.#load(context);
    if (context.channel.isActive) this.#linkUp(context);
  }

  /** Lets go of everything. */
  handlerRemoved(context: ChannelHandlerContext): void {
    acknowledgeWith(context.pipeline, undefined);
    this.#giveUp(context);
    this.#context = undefined;
  }

  /** Asks for the session; the application is told of the link once it is there. */
  channelActive(context: ChannelHandlerContext): void {
    this.#linkUp(context);
  }

  /** Keeps what is not acknowledged for the next link. */
  channelInactive(context: ChannelHandlerContext): void {
    const isShown = this.#isShown;
    const wasAsking = this.#state.kind === "asking";
    this.#leaveState();
    if (this.#state !== CLOSED) this.#state = DOWN;
    this.#isShown = false;
    this.#session?.linkDown();
    if (wasAsking && ++this.#unansweredLinks === MAX_UNANSWERED_LINKS) {
      context.fireExceptionCaught(new SessionError("open a session", "the server does not answer"));
    }
    if (this.#hasPeerEnded) this.#lose(context, "ended");
    if (isShown) context.fireChannelInactive();
    this.#closing?.linkDown();
    // Closed by a handler nearer to the head, or with its link: the application hears of it only now.
    const { autoClose, state } = context.channel;
    if (autoClose || state === "closed") this.#giveUp(context);
  }

  /** Takes the session's frames apart. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    this.#decoded(context, () => {
      if (!isSessionFrame(message)) {
        throw new DecodeError("session frame", "something else came; does the server keep sessions?");
      }
      const frame = decodeSessionFrame(message);
      if (frame !== undefined) this.#frameRead(context, frame);
    });
  }

  /** Sends what waited for room. */
  channelWritabilityChanged(context: ChannelHandlerContext): void {
    this.#session?.pumpAndFlush();
    context.fireChannelWritabilityChanged();
  }

  /** Tells the application of a link when the session is up on it, and not before. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const type = (event as LinkUpEvent | LinkDownEvent | ReconnectFailedEvent | undefined)?.type;
    if (type === "linkUp" || (type === "linkDown" && !this.#isShown)) return;
    context.fireUserEventTriggered(event);
    // No link will come any more, and the channel is closed from nearer to the head.
    if (type === "reconnectFailed") this.#giveUp(context);
  }

  /** Reads no more while the store is told of the session: what the server says waits. */
  read(context: ChannelHandlerContext): void {
    if (this.#state.kind === "creating") this.#state.wantsRead = true;
    else context.read();
  }

  /**
   * Takes a message.
   *
   * @throws {TypeError} (as the write's failure) If it is not bytes.
   * @throws {RangeError} (as the write's failure) If it is too long for a frame.
   * @throws {QueueFullError} (as the write's failure) If too much is unacknowledged.
   */
  write(_context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    if (!(message instanceof Uint8Array)) {
      throw new TypeError(
        `Cannot write: a session carries bytes, got ${typeof message}; is the codec after it?`,
      );
    }
    if (this.#state === CLOSED || this.#closing !== undefined) throw new ChannelClosedError("write");
    this.#session!.write(message, promise);
  }

  /** Flushes where a link stands. */
  flush(context: ChannelHandlerContext): void {
    if (this.#state === UP) context.flush();
  }

  /** Ends the session, or leaves it to the store, and closes. */
  close(context: ChannelHandlerContext, promise: ChannelPromise): void {
    const session = this.#session;
    if (this.#closing !== undefined) {
      this.#closing.whenDone(() => context.close(promise));
      return;
    }
    if (this.#state === CLOSED || session === undefined) {
      context.close(promise);
      return;
    }
    const { closeTimeoutMs } = this.#settings;
    this.#closing = new SessionClosing({
      session,
      loop: context.loop,
      isKept: this.#isKept,
      timeoutMs: closeTimeoutMs,
      done: () => {
        this.#finish(context, session);
        context.close(promise);
      },
    });
    this.#closing.start();
  }

  /** Whether the session outlives its channel. */
  get #isKept(): boolean {
    return this.#settings.store !== undefined && !this.#isEnding;
  }

  #decoded(context: ChannelHandlerContext, read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      context.fireExceptionCaught(error);
      context.channel.drop("protocol", error);
    }
  }

  #newSession(context: ChannelHandlerContext): Session {
    const owner = sessionOwner(context, this.#settings.maxFrameBytes, {
      sessionTaken: (error) => {
        context.fireExceptionCaught(error);
        this.#lose(context, "taken");
        // Another page or process has it now; to begin a new one would take it away again, and so on.
        context.channel.close().onSettled(ignore);
      },
    });
    return new Session(owner, this.#settings, "", "");
  }

  #load(context: ChannelHandlerContext): void {
    const { store, name } = this.#settings;
    if (store === undefined) return;
    const loaded = (claimed: ClaimedSession | undefined) => {
      this.#isLoading = false;
      const session = this.#session!;
      if (claimed !== undefined && this.#state !== CLOSED) {
        session.id = claimed.record.id;
        session.token = claimed.record.token;
        session.restore(claimed.record);
        session.keepIn({ store, key: name, claim: claimed.claim }, claimed.record);
      }
      if (this.#state === LOADING) this.#ask(context, 0);
    };
    const failed = (error: unknown) => {
      context.fireExceptionCaught(error);
      // What is there may be read next time, and must not be overwritten; unless it is no session at all.
      this.#isStoreUsable = error instanceof TypeError;
      loaded(undefined);
    };
    this.#isLoading = true;
    try {
      const claimed = store.claim(name);
      if (claimed instanceof Promise) claimed.then(loaded, failed);
      else loaded(claimed);
    } catch (error) {
      failed(error);
    }
  }

  #linkUp(context: ChannelHandlerContext): void {
    if (this.#state === CLOSED) return;
    if (this.#isLoading) this.#state = LOADING;
    else this.#ask(context, 0);
  }

  #ask(context: ChannelHandlerContext, refusals: number): void {
    this.#leaveState();
    const session = this.#session!;
    const timer = context.loop.schedule(this.#settings.handshakeTimeoutMs, () => {
      context.channel.drop("unanswered", new SessionError("open the session", "the server does not answer"));
    });
    this.#state = { kind: "asking", timer, refusals };
    if (session.id === "") {
      send(context, { kind: "open", version: SESSION_VERSION });
      return;
    }
    session.countLink(session.links + 1);
    const { id, token, links: link, received } = session;
    send(context, { kind: "resume", version: SESSION_VERSION, id, token, link, received });
  }

  #frameRead(context: ChannelHandlerContext, frame: SessionFrame): void {
    const session = this.#session!;
    if (this.#state.kind === "creating") {
      this.#state.early.push(frame);
      return;
    }
    if (this.#state.kind === "asking") {
      if (frame.kind === "opened" && session.id === "") return this.#opened(context, session, frame);
      if (frame.kind === "resumed" && session.id !== "") {
        return this.#resumed(context, session, frame.received);
      }
      if (frame.kind === "refused") return this.#refused(context, this.#state, frame);
    } else if (
      this.#state === UP && "received" in frame && frame.kind !== "resumed" && frame.kind !== "resume"
    ) {
      session.frameRead(frame);
      if (frame.kind === "end") {
        session.holdBack();
        this.#hasPeerEnded = true;
      }
      return;
    }
    throw new DecodeError("session frame", `"${frame.kind}" is not due`);
  }

  #resumed(context: ChannelHandlerContext, session: Session, received: number): void {
    if (!session.canGoOn(received)) {
      const { acknowledged, sent } = session;
      // One of the two has lost what its store had promised to keep; to go on would fail on each link.
      this.#lose(context, "unknown");
      throw new DecodeError(
        "session frame",
        `it says that ${received} messages arrived, which cannot be after ${acknowledged} of ${sent} were acknowledged`,
      );
    }
    this.#leaveState();
    this.#state = UP;
    session.linkUp(received);
    if (session.isLinked) this.#up(context, true);
  }

  #opened(context: ChannelHandlerContext, session: Session, frame: SessionFrame & { kind: "opened" }): void {
    const { store, name } = this.#settings;
    session.id = frame.id;
    session.token = frame.token;
    this.#leaveState();
    const creating: State = { kind: "creating", early: [], wantsRead: false };
    this.#state = creating;
    const begin = (claim: number | undefined) => {
      this.#isLoading = false;
      // What was written before goes out after the application's first words, such as a login.
      const waiting = session.takeUnsent();
      if (claim !== undefined && this.#session === session && this.#state !== CLOSED) {
        session.keepIn({ store: store!, key: name, claim }, record);
      }
      const isUp = this.#state === creating;
      if (isUp) {
        this.#state = UP;
        session.linkUp(0);
        this.#up(context, false);
      }
      session.giveBack(waiting);
      session.begin();
      if (isUp) this.#catchUp(context, creating);
      else if (this.#state === LOADING) this.#ask(context, 0);
    };
    if (store === undefined || !this.#isStoreUsable) return begin(undefined);
    // What waits has no numbers yet: the application's first words may come before it.
    const record = { ...session.record(), messages: [] };
    const failed = (error: unknown) => {
      // Goes on all the same: it is then a session that ends with its process.
      context.fireExceptionCaught(error);
      begin(undefined);
    };
    this.#isLoading = true;
    let claim: number | Promise<number>;
    try {
      claim = store.create(name, record);
    } catch (error) {
      return failed(error);
    }
    if (typeof claim === "number") begin(claim);
    else claim.then(begin, failed);
  }

  /** Takes what the server has said while the store was being told. */
  #catchUp(context: ChannelHandlerContext, { early, wantsRead }: State & { kind: "creating" }): void {
    for (const frame of early) {
      if (this.#state === UP) this.#decoded(context, () => this.#frameRead(context, frame));
    }
    if (wantsRead) context.read();
  }

  #refused(
    context: ChannelHandlerContext,
    { refusals }: State & { kind: "asking" },
    { reason, number }: SessionFrame & { kind: "refused" },
  ): void {
    const session = this.#session!;
    const error = new SessionError(session.id === "" ? "open a session" : "resume the session", reason);
    const isLie = reason === "stale" && number - session.links > MOST_LINKS_BEHIND;
    if (refusals + 1 >= MAX_REFUSALS || reason === "version" || isLie) {
      context.fireExceptionCaught(error);
      context.channel.drop("protocol", error);
    } else if (reason === "overloaded") {
      const goAway: GoAwayEvent = { type: "goAway", reason: "overloaded", afterMs: number };
      // From the head on: the handler that reconnects is nearer to it.
      context.pipeline.fireUserEventTriggered(goAway);
      context.channel.drop("error", error);
    } else if (reason === "stale") {
      session.links = Math.max(session.links, number);
      this.#ask(context, refusals + 1);
    } else {
      if (session.id !== "") this.#lose(context, "unknown");
      if (this.#state.kind === "asking") this.#ask(context, refusals + 1);
    }
  }

  #up(context: ChannelHandlerContext, resumed: boolean): void {
    this.#isShown = true;
    this.#unansweredLinks = 0;
    context.fireChannelActive();
    if (this.#state === UP) context.fireUserEventTriggered({ type: "linkUp", resumed } satisfies LinkUpEvent);
    if (resumed) this.#session!.begin();
  }

  /** The session is gone; the next one takes over what was never sent. */
  #lose(context: ChannelHandlerContext, reason: SessionLostReason): void {
    const lost = this.#session!;
    this.#hasPeerEnded = false;
    this.#duplicatesBefore += lost.duplicates;
    const { unconfirmed, unsent } = lost.stop(reason === "taken" ? "keep" : "forget");
    const session = this.#session = this.#newSession(context);
    if (reason !== "ended" || unconfirmed.length > 0) {
      const event: SessionLostEvent = { type: "sessionLost", reason, sessionId: lost.id, unconfirmed };
      context.fireUserEventTriggered(event);
    }
    lost.fail(sessionGone(reason));
    // After what the application has written on hearing of it.
    session.giveBack(unsent);
  }

  /** The channel ends, and nobody has closed it from here. */
  #giveUp(context: ChannelHandlerContext): void {
    this.#closing?.finish();
    if (this.#state !== CLOSED) this.#finish(context, this.#session!);
  }

  #finish(context: ChannelHandlerContext, session: Session): void {
    this.#leaveState();
    this.#state = CLOSED;
    const { unconfirmed, unsent } = session.stop(this.#isKept ? "keep" : "forget");
    const open = [...unconfirmed, ...unsent.map(({ bytes }) => bytes)];
    if (!this.#isKept && open.length > 0) {
      const event: SessionLostEvent = {
        type: "sessionLost",
        reason: "closed",
        sessionId: session.id,
        unconfirmed: open,
      };
      context.fireUserEventTriggered(event);
    }
    const error = new ChannelClosedError("confirm the message");
    session.fail(error);
    for (const { promise } of unsent) promise?.reject(error);
  }

  #leaveState(): void {
    if (this.#state.kind === "asking") this.#state.timer.cancel();
  }
}

type Settings = SessionSettings & {
  readonly store: SessionStore | undefined;
  readonly name: string;
  readonly handshakeTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly maxFrameBytes: number | undefined;
};

const MAX_MS = 3_600_000;

function settingsOf(options: SessionOptions): Settings {
  const action = "make the handler";
  const { store, name = "default", handshakeTimeoutMs = 10_000, closeTimeoutMs = 2_000, maxFrameBytes } =
    options;
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`Cannot ${action}: name must be a text that is not empty`);
  }
  return {
    ...sessionSettings(action, options),
    store,
    name,
    handshakeTimeoutMs: checkedMs(action, "handshakeTimeoutMs", handshakeTimeoutMs, 1, MAX_MS),
    closeTimeoutMs: checkedMs(action, "closeTimeoutMs", closeTimeoutMs, 0, MAX_MS),
    maxFrameBytes: maxFrameBytes === undefined
      ? undefined
      : checkedCount(action, "maxFrameBytes", maxFrameBytes, 64, 2 ** 32 - 1),
  };
}

function send(context: ChannelHandlerContext, frame: SessionFrame): void {
  context.writeAndFlush(encodeSessionFrame(frame)).onSettled(ignore);
}

function ignore(): void {}
