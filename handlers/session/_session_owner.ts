/**
 * A session's way to its pipeline.
 *
 * @module
 */

import type {
  ChannelHandlerContext,
  ChannelPipeline,
  ChannelPromise,
  EventLoop,
} from "../../pipeline/mod.ts";
import { AdaptiveIntervalHandler } from "../adaptive_interval_handler.ts";
import { checkSessionFrames, DEFAULT_MAX_FRAME_BYTES } from "../_frame_checks.ts";
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

/**
 * The owner of a session whose handler has this context.
 *
 * @throws {RangeError} If the framing in front of it lets only very short frames through.
 */
export function sessionOwner(context: ChannelHandlerContext, hooks: SessionOwnerHooks): SessionOwner {
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
    maxMessageBytes: maxFrameBytes(pipeline) - MAX_MESSAGE_HEADER_BYTES,
  };
}

/**
 * The longest frame that may be written in this pipeline. A message that is
 * taken and then is too long for its frame would fail on each link anew.
 */
function maxFrameBytes(pipeline: ChannelPipeline): number {
  let max = DEFAULT_MAX_FRAME_BYTES;
  for (const name of pipeline.names()) {
    max = (pipeline.get(name) as { maxFrameBytes?: number }).maxFrameBytes ?? max;
  }
  checkSessionFrames(max);
  return max;
}
