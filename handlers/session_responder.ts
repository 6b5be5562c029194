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
  type HalfCloseEvent,
  LinkDownError,
  type LinkDownEvent,
  type LinkUpEvent,
  type WireMessage,
} from "../pipeline/mod.ts";
import { DecodeError } from "./errors.ts";
import { acknowledgeWith, offerSessions } from "./session/_acknowledgements.ts";
import { ArrivingLink } from "./session/_arriving_link.ts";
import { ResponderPlace, type ResponderState } from "./session/_responder_place.ts";
import type { Session } from "./session/_session.ts";
import { decodeSessionFrame, isSessionFrame, notDue, type SessionFrame } from "./session/_session_frame.ts";
import { refuseBytes } from "./session/_session_wire.ts";
import type { SessionPosition } from "./session/session_event.ts";
import { accessOf, type RegistryAccess, type SessionRegistry } from "./session/session_registry.ts";

const DOWN: ResponderState = { kind: "down" };

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
  #state: ResponderState = DOWN;
  #place: ResponderPlace | undefined = undefined;
  #downEvent: LinkDownEvent | undefined = undefined;

  /**
   * Makes the handler for one channel.
   *
   * @param options `sessions`: the server's registry.
   */
  constructor(options: { readonly sessions: SessionRegistry }) {
    this.#registry = accessOf(options.sessions);
  }

  /** The session's id; undefined where there is none. */
  get sessionId(): string | undefined {
    return this.#session?.id;
  }

  /** How many of the own messages are not acknowledged. */
  get unacknowledged(): number {
    return this.#session?.outbox.size ?? 0;
  }

  /** How many messages came twice, and were dropped. */
  get duplicates(): number {
    return this.#session?.inbox.duplicates ?? 0;
  }

  /** Where in the session the message is that `channelRead` is called with just now; see {@linkcode SessionHandler.receiving}. */
  get receiving(): SessionPosition | undefined {
    const session = this.#session;
    return session === undefined ? undefined : { sessionId: session.id, sequence: session.inbox.delivered };
  }

  /**
   * Waits until all messages that were written so far are acknowledged.
   *
   * @returns Done when they are, or where there is no session. Fails with a
   *   `SessionError` if the session is lost before.
   */
  whenAcknowledged(): PromiseLike<void> {
    return this.#session?.outbox.whenConfirmed() ?? Promise.resolve();
  }

  /** Begins where a link stands. */
  handlerAdded(context: ChannelHandlerContext): void {
    offerSessions(context.pipeline);
    // Set anew: an instance may come back after it was taken out.
    this.#state = DOWN;
    this.#place = new ResponderPlace(context, this.#registry, (next) => {
      this.#state = next;
    });
    if (context.channel.isActive) this.#state = new ArrivingLink(this.#place);
  }

  /** Lets go of everything. */
  handlerRemoved(context: ChannelHandlerContext): void {
    acknowledgeWith(context.pipeline, undefined);
    const state = this.#state;
    if (state.kind === "arriving") state.end(new ChannelClosedError("write"));
    else if (state.kind === "home") state.giveUp();
    else if (state.kind === "closed") state.closing?.finish();
    this.#state = { kind: "closed", closing: undefined };
  }

  /** Waits for the client's first word, or goes on where it has come back. */
  channelActive(_context: ChannelHandlerContext): void {
    if (this.#state.kind === "home") this.#state.linkUp();
    else if (this.#state === DOWN) this.#state = new ArrivingLink(this.#place!);
  }

  /** Keeps the session for a while, if there is one. */
  channelInactive(context: ChannelHandlerContext): void {
    const state = this.#state;
    if (state.kind === "home") return state.linkDown();
    const wasShown = this.#place!.hide();
    const { reason = "error", error } = this.#downEvent ?? {};
    if (state.kind === "carrying") {
      this.#state = { kind: "closed", closing: undefined };
      state.link.carrierDown(reason, error);
      return;
    }
    if (state.kind === "arriving") {
      state.end(new LinkDownError("write", reason));
      this.#state = DOWN;
    }
    if (wasShown) context.fireChannelInactive();
  }

  /** Takes the session's frames apart. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    const state = this.#state;
    if (state.kind === "carrying") return state.link.carrierRead(message as WireMessage);
    try {
      if (isSessionFrame(message)) {
        const frame = decodeSessionFrame(message);
        if (frame !== undefined) this.#frameRead(frame);
      } else if (state.kind === "arriving") state.messageRead(message);
      else throw new DecodeError("session frame", "something else came on a link with a session");
    } catch (error) {
      refuseBytes(context, error);
    }
  }

  /** The batch is over also for the channel that is carried. */
  channelReadComplete(context: ChannelHandlerContext): void {
    if (this.#state.kind === "carrying") this.#state.link.carrierReadComplete();
    else context.fireChannelReadComplete();
  }

  /** Sends what waited for room. */
  channelWritabilityChanged(context: ChannelHandlerContext): void {
    this.#session?.pumpAndFlush();
    context.fireChannelWritabilityChanged();
  }

  /** Tells the application of a link when it is its own, and not before. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const known = event as LinkUpEvent | LinkDownEvent | DrainEvent | HalfCloseEvent;
    const state = this.#state;
    switch (known?.type) {
      case "linkUp":
      case "halfClose": // a session's frames go both ways to its end
        return;
      case "linkDown":
        this.#downEvent = known;
        if (!this.#place!.isShown) return;
        break;
      case "drain":
        // The channel that is carried is told as well.
        if (state.kind === "carrying") return;
        if (state.kind === "home") state.drain(known);
    }
    if (state.kind === "carrying") state.listener?.fireUserEventTriggered(event);
    else context.fireUserEventTriggered(event);
  }

  /** An error of a link that carries goes to the channel that it carries. */
  exceptionCaught(context: ChannelHandlerContext, error: unknown): void {
    const listener = this.#state.kind === "carrying" ? this.#state.listener : undefined;
    (listener ?? context).fireExceptionCaught(error);
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
    if (state.kind === "home" || state.kind === "arriving") state.write(message, promise);
    else if (state.kind === "carrying") throw new LinkDownError("write", "replaced");
    else context.write(message, promise);
  }

  /** Flushes where the client listens. */
  flush(context: ChannelHandlerContext): void {
    if (this.#state.kind === "arriving") this.#state.flush();
    else if (context.channel.isActive) context.flush();
  }

  /** Ends the session, or leaves it to the store, and closes. */
  close(context: ChannelHandlerContext, promise: ChannelPromise): void {
    const state = this.#state;
    const closing = "closing" in state ? state.closing : undefined;
    if (closing !== undefined) closing.whenDone(() => context.close(promise));
    else if (state.kind === "home") state.close(promise);
    else context.close(promise);
  }

  get #session(): Session | undefined {
    return this.#state.kind === "home" ? this.#state.session : undefined;
  }

  #frameRead(frame: SessionFrame): void {
    const state = this.#state;
    if (state.kind === "home") state.session.frameRead(frame);
    else if (state.kind === "arriving") state.frameRead(frame);
    else throw notDue(frame);
  }
}
