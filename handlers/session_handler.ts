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
  type HalfCloseEvent,
  type LinkDownEvent,
  type LinkUpEvent,
} from "../pipeline/mod.ts";
import type { ReconnectFailedEvent } from "./_reconnect_event.ts";
import { DecodeError } from "./errors.ts";
import { acknowledgeWith } from "./session/_acknowledgements.ts";
import { ClientHandshake } from "./session/_client_handshake.ts";
import { type ClientSettings, clientSettings, type SessionOptions } from "./session/_client_settings.ts";
import { Session, sessionGone } from "./session/_session.ts";
import { SessionClosing } from "./session/_session_closing.ts";
import { decodeSessionFrame, isSessionFrame, type SessionFrame } from "./session/_session_frame.ts";
import { sessionOwner } from "./session/_session_owner.ts";
import { refuseBytes } from "./session/_session_wire.ts";
import type { SessionLostEvent, SessionLostReason, SessionPosition } from "./session/session_event.ts";

export type { SessionOptions } from "./session/_client_settings.ts";
export type { SessionLimits, SessionQueueLimits } from "./session/_session_settings.ts";

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
 * `keepAlive({ session: new SessionHandler() })` puts it there.
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
  readonly #settings: ClientSettings;
  #handshake: ClientHandshake | undefined = undefined;
  #session: Session | undefined = undefined;
  #closing: SessionClosing | undefined = undefined;
  /** Whether the application was told of this link. */
  #isShown = false;
  /** Whether the application wants the session to end with the channel. */
  #isEnding = false;
  #context: ChannelHandlerContext | undefined = undefined;
  #duplicatesBefore = 0;

  /**
   * Checks the options.
   *
   * @param options Limits, store.
   * @throws {RangeError} If a number is out of range.
   * @throws {TypeError} If the policy of the queue is one that drops messages, there is no such `writes`, or the name is empty.
   */
  constructor(options: SessionOptions = {}) {
    this.#settings = clientSettings(options);
  }

  /** The session's id; undefined before the first one is open. */
  get sessionId(): string | undefined {
    return this.#session?.id || undefined;
  }

  /** How many of the own messages are not acknowledged, those included that were not sent yet. */
  get unacknowledged(): number {
    return this.#session?.outbox.size ?? 0;
  }

  /** How many bytes these messages have; without those for which there is no room yet. */
  get unacknowledgedBytes(): number {
    return this.#session?.outbox.bytes ?? 0;
  }

  /** How many messages came twice, and were dropped. */
  get duplicates(): number {
    return this.#duplicatesBefore + (this.#session?.inbox.duplicates ?? 0);
  }

  /**
   * Where in the session the message is that `channelRead` is called with just
   * now; to be asked before the first `await`. An application that writes it
   * down together with what it does about the message can drop what comes
   * again after its process died in between.
   */
  get receiving(): SessionPosition | undefined {
    const session = this.#session;
    return session === undefined ? undefined : { sessionId: session.id, sequence: session.inbox.delivered };
  }

  /**
   * Waits until all messages that were written so far are acknowledged.
   *
   * @returns Done when they are. Fails with a `SessionError` if the session is
   *   lost before, with a `ChannelClosedError` if the channel is closed.
   */
  whenAcknowledged(): PromiseLike<void> {
    return this.#session?.outbox.whenConfirmed() ?? Promise.resolve();
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
    this.#closing = undefined;
    this.#isShown = this.#isEnding = false;
    this.#session = this.#newSession(context);
    const handshake = this.#handshake = this.#newHandshake(context);
    acknowledgeWith(context.pipeline, {
      takeAcknowledgement: () => this.#session?.inbox.takeAcknowledgement(),
      acknowledged: (lowBits) => {
        if (handshake.isDone) this.#session?.heartbeatAcknowledged(lowBits);
      },
    });
    handshake.load();
    if (context.channel.isActive) handshake.linkUp();
  }

  /** Lets go of everything. */
  handlerRemoved(context: ChannelHandlerContext): void {
    acknowledgeWith(context.pipeline, undefined);
    this.#giveUp(context);
    this.#context = undefined;
  }

  /** Asks for the session; the application is told of the link once it is there. */
  channelActive(_context: ChannelHandlerContext): void {
    this.#handshake!.linkUp();
  }

  /** Keeps what is not acknowledged for the next link. */
  channelInactive(context: ChannelHandlerContext): void {
    const isShown = this.#isShown;
    const unanswered = this.#handshake!.linkDown();
    this.#isShown = false;
    this.#session?.linkDown();
    if (unanswered !== undefined) context.fireExceptionCaught(unanswered);
    if (this.#session?.hasPeerEnded) this.#lose(context, "ended");
    if (isShown) context.fireChannelInactive();
    this.#closing?.linkDown();
    // Closed by a handler nearer to the head, or with its link: the application hears of it only now.
    const { autoClose, state } = context.channel;
    if (autoClose || state === "closed") this.#giveUp(context);
  }

  /** Takes the session's frames apart. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    try {
      if (!isSessionFrame(message)) {
        throw new DecodeError("session frame", "something else came; does the server keep sessions?");
      }
      const frame = decodeSessionFrame(message);
      if (frame !== undefined) this.#frameRead(frame);
    } catch (error) {
      refuseBytes(context, error);
    }
  }

  /** Sends what waited for room. */
  channelWritabilityChanged(context: ChannelHandlerContext): void {
    this.#session?.pumpAndFlush();
    context.fireChannelWritabilityChanged();
  }

  /** Tells the application of a link when the session is up on it, and not before. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const type = (event as HalfCloseEvent | LinkUpEvent | LinkDownEvent | ReconnectFailedEvent | undefined)
      ?.type;
    // A session's frames go both ways to its end: half a link is of no use to it.
    if (type === "linkUp" || type === "halfClose" || (type === "linkDown" && !this.#isShown)) return;
    context.fireUserEventTriggered(event);
    // No link will come any more, and the channel is closed from nearer to the head.
    if (type === "reconnectFailed") this.#giveUp(context);
  }

  /** Reads no more while the store is told of the session: what the server says waits. */
  read(context: ChannelHandlerContext): void {
    if (!this.#handshake!.holdsRead()) context.read();
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
    if (this.#handshake!.isOver || this.#closing !== undefined) throw new ChannelClosedError("write");
    this.#session!.write(message, promise);
  }

  /** Flushes where a link stands. */
  flush(context: ChannelHandlerContext): void {
    if (this.#handshake!.isDone) context.flush();
  }

  /** Ends the session, or leaves it to the store, and closes. */
  close(context: ChannelHandlerContext, promise: ChannelPromise): void {
    const session = this.#session;
    if (this.#closing !== undefined) {
      this.#closing.whenDone(() => context.close(promise));
      return;
    }
    if (this.#handshake!.isOver || session === undefined) {
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

  /** The peer speaks. */
  #frameRead(frame: SessionFrame): void {
    if (this.#handshake!.isDone) this.#session!.frameRead(frame);
    else this.#handshake!.frameRead(frame);
  }

  #newSession(context: ChannelHandlerContext): Session {
    const owner = sessionOwner(context, {
      sessionTaken: (error) => {
        context.fireExceptionCaught(error);
        this.#lose(context, "taken");
        // Another page or process has it now; to begin a new one would take it away again, and so on.
        context.channel.close().onSettled(ignore);
      },
    });
    return new Session(owner, this.#settings, "", "");
  }

  #newHandshake(context: ChannelHandlerContext): ClientHandshake {
    return new ClientHandshake(context, this.#settings, {
      session: () => this.#session!,
      up: (resumed) => this.#up(context, resumed),
      lost: () => this.#lose(context, "unknown"),
      frameRead: (frame) => {
        try {
          this.#frameRead(frame);
        } catch (error) {
          refuseBytes(context, error);
        }
      },
    });
  }

  #up(context: ChannelHandlerContext, resumed: boolean): void {
    this.#isShown = true;
    context.fireChannelActive();
    if (this.#handshake!.isDone) {
      context.fireUserEventTriggered({ type: "linkUp", resumed } satisfies LinkUpEvent);
    }
    if (resumed) this.#session!.begin();
  }

  /** The session is gone; the next one takes over what was never sent. */
  #lose(context: ChannelHandlerContext, reason: SessionLostReason): void {
    const lost = this.#session!;
    this.#duplicatesBefore += lost.inbox.duplicates;
    const { unconfirmed, unsent } = lost.stop(reason === "taken" ? "keep" : "forget");
    const session = this.#session = this.#newSession(context);
    if (reason !== "ended" || unconfirmed.length > 0) {
      const event: SessionLostEvent = { type: "sessionLost", reason, sessionId: lost.id, unconfirmed };
      context.fireUserEventTriggered(event);
    }
    lost.outbox.fail(sessionGone(reason));
    // After what the application has written on hearing of it.
    session.giveBack(unsent);
  }

  /** The channel ends, and nobody has closed it from here. */
  #giveUp(context: ChannelHandlerContext): void {
    this.#closing?.finish();
    if (this.#handshake?.isOver === false) this.#finish(context, this.#session!);
  }

  #finish(context: ChannelHandlerContext, session: Session): void {
    this.#handshake!.end();
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
    session.outbox.fail(error);
    for (const { promise } of unsent) promise?.reject(error);
  }
}

function ignore(): void {}
