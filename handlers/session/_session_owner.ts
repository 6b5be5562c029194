/**
 * A session's way to its pipeline.
 *
 * @module
 */

import type { ChannelHandlerContext, ChannelPromise, EventLoop } from "../../pipeline/mod.ts";
import { AdaptiveIntervalHandler } from "../adaptive_interval_handler.ts";
import type { SessionTakenError } from "../errors.ts";
import { MAX_MESSAGE_HEADER_BYTES } from "./_session_frame.ts";

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

/** What the two sides do differently. */
export interface SessionOwnerHooks {
  sessionTaken(error: SessionTakenError): void;
  retained?(deltaBytes: number): void;
  makeRoomFor?(bytes: number): void;
}

/** The longest frame that the framing handlers let through unless they are told otherwise, bytes. */
const DEFAULT_MAX_FRAME_BYTES = 1024 * 1024;

/**
 * The owner of a session whose handler has this context.
 *
 * @param maxFrameBytes The longest frame that the framing handlers let through.
 */
export function sessionOwner(
  context: ChannelHandlerContext,
  maxFrameBytes: number = DEFAULT_MAX_FRAME_BYTES,
  hooks: SessionOwnerHooks,
): SessionOwner {
  const { channel, pipeline, loop } = context;
  return {
    loop,
    get isWritable() {
      return channel.isWritable;
    },
    sendFrame: (frame, promise) => context.write(frame, promise),
    flushFrames: () => context.flush(),
    deliver: (payload) => context.fireChannelReadTracked(payload),
    // On a server nobody asks peers: who is silent for too long is dropped, and its session waits.
    get answerTimeoutMs() {
      return pipeline.get(AdaptiveIntervalHandler)?.answerTimeoutMs;
    },
    suspectLink: () => pipeline.get(AdaptiveIntervalHandler)?.ask({ unanswered: 1 }),
    storeFailed: (error) => context.fireExceptionCaught(error),
    sessionTaken: (error) => hooks.sessionTaken(error),
    retained: (deltaBytes) => hooks.retained?.(deltaBytes),
    makeRoomFor: (bytes) => hooks.makeRoomFor?.(bytes),
    maxMessageBytes: maxFrameBytes - MAX_MESSAGE_HEADER_BYTES,
  };
}
