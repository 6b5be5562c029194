/**
 * The server's half of authentication.
 *
 * @module
 */

import {
  type Channel,
  type ChannelHandler,
  type ChannelHandlerContext,
  type ChannelPromise,
  LinkDownError,
  type LinkDownEvent,
  type LinkUpEvent,
  type Timer,
} from "../pipeline/mod.ts";
import { checkedCount, checkedMs } from "./_checks.ts";
import { decodeCredentials, isCredentials } from "./_credentials_frame.ts";
import { type GoodbyeReason, turnAway } from "./_go_away.ts";
import { MAX_HEARTBEAT_TIME_MS } from "./heartbeat/heartbeat.ts";
import { LimitError } from "./limit_error.ts";
import { UnauthenticatedGuard } from "./_unauthenticated_guard.ts";

/**
 * What there is to know about a link besides its credentials.
 *
 * @example Letting go of a check that nobody waits for
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AuthenticationHandler, type AuthenticationRequest, CredentialsHandler, EmbeddedChannel } from "@longlink/pipeline";
 *
 * const givenUp: string[] = [];
 * const authenticate = (_credentials: unknown, { channel, signal }: AuthenticationRequest) =>
 *   new Promise(() => signal.addEventListener("abort", () => givenUp.push(channel.remoteAddress))); // fetch(url, { signal })
 * const client = new EmbeddedChannel({ handlers: [new CredentialsHandler({ credentials: () => "key" })] });
 * const server = new EmbeddedChannel({ handlers: [new AuthenticationHandler({ authenticate })] });
 * server.writeInbound(client.readOutbound());
 * assertEquals(givenUp, []);
 * server.loseLink();
 * assertEquals(givenUp.length, 1);
 * ```
 */
export interface AuthenticationRequest {
  /** The channel; `channel.remoteAddress` is the link's other end. Nothing may be written to it yet. */
  readonly channel: Channel;
  /** Aborted when the answer is not wanted any more: the link is gone, or time is up. */
  readonly signal: AbortSignal;
}

/**
 * Decides about one link.
 *
 * @param credentials What the peer sent: any value, as the peer likes; check it.
 * @param request What else there is to know.
 * @returns false, null or undefined refuses; true or anything else accepts,
 *   and is who the peer is ({@linkcode principalOf}).
 *   A throw or rejection refuses with the reason `overloaded`: the client may
 *   try again.
 *
 * @example By a table of tokens
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type Authenticate, AuthenticationHandler, CredentialsHandler } from "@longlink/pipeline";
 * import { EmbeddedChannel, principalOf } from "@longlink/pipeline";
 *
 * const users = new Map([["k3y", { name: "Ann" }]]);
 * const authenticate: Authenticate = (credentials) =>
 *   typeof credentials === "string" ? users.get(credentials) : undefined;
 * const client = new EmbeddedChannel({ handlers: [new CredentialsHandler({ credentials: () => "k3y" })] });
 * const server = new EmbeddedChannel({ handlers: [new AuthenticationHandler({ authenticate })] });
 * server.writeInbound(client.readOutbound());
 * assertEquals(principalOf(server), { name: "Ann" });
 * ```
 */
export type Authenticate = (credentials: unknown, request: AuthenticationRequest) => unknown;

/**
 * Options of {@linkcode AuthenticationHandler}.
 *
 * @example Five seconds to say who it is
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { AuthenticationHandler, type AuthenticationOptions, EmbeddedChannel, LimitError } from "@longlink/pipeline";
 *
 * const options: AuthenticationOptions = {
 *   authenticate: (credentials) => credentials === "key",
 *   deadlineMs: 5_000,
 *   maxUnauthenticatedBytes: 4_096,
 * };
 * const channel = new EmbeddedChannel({ handlers: [new AuthenticationHandler(options)] });
 * assertThrows(() => channel.advanceBy(5_000), LimitError, "deadlineMs is 5000");
 * assertEquals(channel.state, "closed");
 * ```
 */
export interface AuthenticationOptions {
  /** Decides about each link, at once or with a promise. */
  readonly authenticate: Authenticate;
  /** How long a new link may take until it is accepted, in ms, 1 to 13,107,100. Default: 15,000. */
  readonly deadlineMs?: number;
  /**
   * How many bytes a link may send until it is accepted, 64 or more; frames in
   * front of their payload and heartbeats count. What comes after the
   * credentials in the same batch counts too, so leave room for 64 KiB of it.
   * Default: 131,072.
   */
  readonly maxUnauthenticatedBytes?: number;
}

/**
 * Why a link was not accepted, as {@linkcode AuthenticationError} tells it.
 *
 * @example Counting links that were not accepted
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AuthenticationError, type AuthenticationFailure, AuthenticationHandler } from "@longlink/pipeline";
 * import { EmbeddedChannel } from "@longlink/pipeline";
 *
 * const failures: Record<AuthenticationFailure, number> = { refused: 0, missing: 0, failed: 0 };
 * const count = {
 *   exceptionCaught: (_context: unknown, error: unknown) => {
 *     if (error instanceof AuthenticationError) failures[error.reason]++;
 *   },
 * };
 * const authentication = new AuthenticationHandler({ authenticate: () => true });
 * const channel = new EmbeddedChannel({ handlers: [authentication, count] });
 * channel.writeInbound("GET / HTTP/1.1");
 * assertEquals(failures, { refused: 0, missing: 1, failed: 0 });
 * ```
 */
export type AuthenticationFailure = "refused" | "missing" | "failed";

/**
 * A peer did not prove who it is. Goes to `exceptionCaught`, and the link is
 * ended.
 *
 * @example The reason is a field
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AuthenticationError } from "@longlink/pipeline";
 *
 * const error = new AuthenticationError("missing");
 * assertEquals(error.message, "Cannot accept the link: its first message is no credentials");
 * ```
 */
export class AuthenticationError extends Error {
  /**
   * - `refused`: `authenticate` did not accept the credentials.
   * - `missing`: the first message was something else, or malformed.
   * - `failed`: `authenticate` failed; `cause` tells how.
   */
  readonly reason: AuthenticationFailure;

  /**
   * Makes the error.
   *
   * @param reason Why the link was not accepted.
   * @param options Standard error options; `cause` is an error below it.
   */
  constructor(reason: AuthenticationFailure, options?: ErrorOptions) {
    super(`Cannot accept the link: ${DETAILS[reason]}`, options);
    this.name = "AuthenticationError";
    this.reason = reason;
  }
}

const DETAILS: Readonly<Record<AuthenticationFailure, string>> = {
  refused: "its credentials were refused",
  missing: "its first message is no credentials",
  failed: "its credentials could not be checked",
};

/**
 * What is known of the link.
 *
 * - `down`: there is none.
 * - `waiting`: nothing but heartbeats has come.
 * - `checking`: the credentials are being looked at. What came after them in
 *   the same batch waits, and no more is read.
 * - `accepted`: all passes, after the messages that waited.
 * - `refused`: it is being ended; nothing counts any more.
 */
type State =
  | { readonly kind: "down" | "refused" }
  | { readonly kind: "waiting"; readonly timer: Timer }
  | Checking
  | { readonly kind: "accepted"; backlog: unknown[] | undefined };

interface Checking {
  readonly kind: "checking";
  readonly timer: Timer;
  readonly abort: AbortController;
  readonly messages: unknown[];
  isReadWanted: boolean;
}

/** By channel and not in the handler: a session's channel goes on with other links, which have handlers of their own. */
const principals = new WeakMap<Channel, unknown>();

/**
 * Who the peer of a channel has proven to be.
 *
 * @param channel The channel. That of a session keeps who opened the session.
 * @returns What `authenticate` said of the last peer that was accepted on it;
 *   undefined if there was none.
 *
 * @example Nobody yet
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, principalOf } from "@longlink/pipeline";
 *
 * assertEquals(principalOf(new EmbeddedChannel()), undefined);
 * ```
 */
export function principalOf(channel: Channel): unknown {
  return principals.get(channel);
}

const DOWN: State = { kind: "down" };
const REFUSED: State = { kind: "refused" };

/**
 * Passes nothing of a link on before its peer has proven who it is: no
 * `channelActive`, no message, no event. The first message has to be
 * credentials (a `CredentialsHandler` sends them); `authenticate` decides, and
 * what came meanwhile follows in order. Nothing is read while it decides.
 * Who is refused is told `unauthenticated` and the link is ended, which is an
 * {@linkcode AuthenticationError}; who takes too long or sends too much before
 * that is ended with a {@linkcode LimitError}.
 *
 * Has its place after the `HeartbeatResponder`, so that heartbeats are answered
 * before and a scout, whose ticket is its proof, needs no credentials; and
 * before a `SessionHandler` and the codec, so that nobody touches a session
 * without credentials. It adds a handler at the head of the pipeline that
 * counts bytes, and takes it out again when the peer is accepted.
 *
 * Until then whatever the application writes to the channel fails with a
 * {@linkcode LinkDownError}: there is no link for it yet, and the channel is not
 * among the server's `channels`.
 *
 * @example Only who knows the word
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AuthenticationHandler, EmbeddedChannel, principalOf } from "@longlink/pipeline";
 *
 * const authentication = new AuthenticationHandler({
 *   authenticate: (credentials) => credentials === "key" && { name: "Ann" },
 * });
 * const channel = new EmbeddedChannel({ handlers: [authentication] });
 * channel.writeInbound(new Uint8Array([0xc1, 0, 0xa3, 0x6b, 0x65, 0x79]), "hello");
 * assertEquals(channel.readInbound(), "hello");
 * assertEquals(principalOf(channel), { name: "Ann" });
 * ```
 */
export class AuthenticationHandler implements ChannelHandler {
  /** Whether it is in a pipeline now; kept by the pipeline. */
  isAdded = false;
  /** How many links were accepted. */
  accepted = 0;
  /** How many links were not. */
  refused = 0;
  readonly #authenticate: Authenticate;
  readonly #deadlineMs: number;
  readonly #maxBytes: number;
  #state: State = DOWN;
  #linkUp: LinkUpEvent | undefined = undefined;
  #guard: UnauthenticatedGuard | undefined = undefined;

  /**
   * Makes a handler for one channel.
   *
   * @param options Who decides, and the limits.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(options: AuthenticationOptions) {
    const { authenticate, deadlineMs = 15_000, maxUnauthenticatedBytes = 131_072 } = options;
    const action = "make the handler";
    this.#authenticate = authenticate;
    this.#deadlineMs = checkedMs(action, "deadlineMs", deadlineMs, 1, MAX_HEARTBEAT_TIME_MS);
    this.#maxBytes = checkedCount(
      action,
      "maxUnauthenticatedBytes",
      maxUnauthenticatedBytes,
      64,
      Infinity,
    );
  }

  /** Watches from the first byte on. */
  handlerAdded(context: ChannelHandlerContext): void {
    this.#watch(context);
  }

  /** Lets go of everything. */
  handlerRemoved(context: ChannelHandlerContext): void {
    this.#leaveState(DOWN);
    this.#takeGuardOut(context);
  }

  /** Keeps the link to itself. Its guard has seen it already, as handlers in between may hold this up. */
  channelActive(context: ChannelHandlerContext): void {
    context.channel.withdraw();
    if (this.#guard === undefined) this.#watch(context); // the channel has another link
    // Nobody else asks: those who would have not been told.
    if (this.#state.kind === "waiting" && !context.channel.autoRead) context.read();
  }

  /** Ends with the link; the application is told only if it knew of it. */
  channelInactive(context: ChannelHandlerContext): void {
    const { kind } = this.#state;
    this.#leaveState(DOWN);
    this.#linkUp = undefined;
    if (kind === "accepted") context.fireChannelInactive();
  }

  /** Takes the credentials, and lets nothing through before they are accepted. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    const state = this.#state;
    if (state.kind === "accepted" && state.backlog === undefined) context.fireChannelRead(message);
    else if (state.kind === "accepted") state.backlog!.push(message);
    else if (state.kind === "checking") state.messages.push(message);
    else if (state.kind === "waiting") this.#takeCredentials(context, message, state.timer);
  }

  /** Goes on reading until there are credentials. */
  channelReadComplete(context: ChannelHandlerContext): void {
    if (this.#state.kind === "accepted") context.fireChannelReadComplete();
    else if (this.#state.kind === "waiting" && !context.channel.autoRead) context.read();
  }

  /** Tells whoever knows of the link. */
  channelWritabilityChanged(context: ChannelHandlerContext): void {
    if (this.#state.kind === "accepted") context.fireChannelWritabilityChanged();
  }

  /** Keeps `linkUp` for later, and what else there is to tell of a link that nobody knows to itself. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const { kind } = this.#state;
    const known = event as LinkUpEvent | LinkDownEvent;
    if (kind === "accepted") context.fireUserEventTriggered(event);
    else if (known?.type === "linkUp") this.#linkUp = known;
    else if (kind === "down" && known?.type !== "linkDown") context.fireUserEventTriggered(event);
  }

  /**
   * Lets nothing out to a peer that nobody knows.
   *
   * @throws {LinkDownError} (as the write's failure) Until the peer is accepted.
   */
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    const { kind } = this.#state;
    if (kind === "accepted" || kind === "down") context.write(message, promise);
    else promise.reject(new LinkDownError("write", "notConnected"));
  }

  /** Lets no more come in while the credentials are being looked at. */
  read(context: ChannelHandlerContext): void {
    if (this.#state.kind === "checking") this.#state.isReadWanted = true;
    else context.read();
  }

  #watch(context: ChannelHandlerContext): void {
    this.#guard = new UnauthenticatedGuard(
      this.#maxBytes,
      () => this.#begin(context),
      (error) => this.#refuse(context, "tooFast", error),
    );
    context.pipeline.addFirst(this.#guard);
    if (context.channel.isActive) this.#begin(context);
  }

  /** A link stands. */
  #begin(context: ChannelHandlerContext): void {
    const { loop } = context;
    const deadlineMs = this.#deadlineMs;
    const startMs = loop.now();
    const timer = loop.schedule(deadlineMs, () => {
      const passedMs = loop.now() - startMs;
      this.#refuse(context, "unauthenticated", new LimitError("deadlineMs", passedMs, deadlineMs));
    });
    this.#leaveState({ kind: "waiting", timer });
  }

  #takeCredentials(context: ChannelHandlerContext, message: unknown, timer: Timer): void {
    if (!isCredentials(message)) {
      return this.#refuse(context, "unauthenticated", new AuthenticationError("missing"));
    }
    let credentials: unknown;
    try {
      credentials = decodeCredentials(message);
    } catch (cause) {
      return this.#refuse(context, "unauthenticated", new AuthenticationError("missing", { cause }));
    }
    const abort = new AbortController();
    const checking: Checking = { kind: "checking", timer, abort, messages: [], isReadWanted: false };
    this.#state = checking;
    const decided = (principal: unknown) => this.#decided(context, checking, principal);
    const failed = (cause: unknown) => {
      if (this.#state !== checking) return;
      this.#refuse(context, "overloaded", new AuthenticationError("failed", { cause }));
    };
    let answer: unknown;
    try {
      answer = this.#authenticate(credentials, { channel: context.channel, signal: abort.signal });
    } catch (error) {
      return failed(error);
    }
    if (typeof (answer as PromiseLike<unknown>)?.then !== "function") decided(answer);
    else (answer as PromiseLike<unknown>).then(decided, failed);
  }

  #decided(context: ChannelHandlerContext, checking: Checking, principal: unknown): void {
    if (this.#state !== checking) return; // too late
    if (principal === false || principal === null || principal === undefined) {
      return this.#refuse(context, "unauthenticated", new AuthenticationError("refused"));
    }
    checking.timer.cancel();
    this.accepted++;
    principals.set(context.channel, principal);
    const { messages, isReadWanted } = checking;
    const accepted: State = { kind: "accepted", backlog: messages };
    this.#state = accepted;
    this.#takeGuardOut(context);
    context.channel.present();
    context.fireChannelActive();
    if (this.#linkUp !== undefined && context.channel.isActive) context.fireUserEventTriggered(this.#linkUp);
    this.#deliver(context, accepted, messages);
    accepted.backlog = undefined;
    if (isReadWanted) context.read();
  }

  /** Hands on what waited, and what is added to it meanwhile. */
  #deliver(context: ChannelHandlerContext, accepted: State, messages: readonly unknown[]): void {
    for (const message of messages) {
      // A link that is gone has no messages; a handler that was taken out has no state.
      if (!context.channel.isActive || (this.#state !== accepted && !context.isRemoved)) return;
      context.fireChannelRead(message);
    }
    if (messages.length > 0) context.fireChannelReadComplete();
  }

  #refuse(context: ChannelHandlerContext, reason: GoodbyeReason, error: Error): void {
    if (this.#state.kind !== "waiting" && this.#state.kind !== "checking") return;
    this.refused++;
    this.#leaveState(REFUSED);
    context.fireExceptionCaught(error);
    // A handler may have ended the link over the error.
    if (context.channel.isActive) turnAway(context, reason);
  }

  #leaveState(next: State): void {
    const state = this.#state;
    this.#state = next;
    if (state.kind === "waiting" || state.kind === "checking") state.timer.cancel();
    if (state.kind === "checking") state.abort.abort();
  }

  #takeGuardOut({ pipeline }: ChannelHandlerContext): void {
    if (this.#guard?.isAdded) pipeline.remove(this.#guard);
    this.#guard = undefined;
  }
}
