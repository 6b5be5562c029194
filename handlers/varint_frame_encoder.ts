/**
 * Puts a frame's length in front of it, as a varint.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext, ChannelPromise } from "../pipeline/mod.ts";
import { checkMaxFrameBytes, DEFAULT_MAX_FRAME_BYTES, needsHeader } from "./_frame_checks.ts";

/**
 * Options of a {@linkcode VarintFrameEncoder}.
 *
 * @example What the peer would not take fails here
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { EmbeddedChannel, VarintFrameEncoder, type VarintFrameEncoderOptions } from "@longlink/pipeline";
 *
 * const options: VarintFrameEncoderOptions = { maxFrameBytes: 100 };
 * const channel = new EmbeddedChannel({ handlers: [new VarintFrameEncoder(options)] });
 * assertThrows(() => channel.writeOutbound(new Uint8Array(101)), RangeError);
 * ```
 */
export interface VarintFrameEncoderOptions {
  /** The longest frame that may be written, in bytes without its prefix, 1 to 2^32 - 1. Default: 1,048,576. */
  readonly maxFrameBytes?: number;
}

/**
 * Puts the length of each written `Uint8Array` in front of it, as an unsigned
 * LEB128 varint: the counterpart of `VarintFrameDecoder`, and what Netty's
 * `ProtobufVarint32LengthFieldPrepender` writes. On a transport that keeps
 * messages (WebSocket) nothing is put in front. Other messages pass through.
 *
 * A write above the limit fails with a `RangeError`, text on a byte stream
 * with a `TypeError`; both harm no other write.
 *
 * Prefix and frame leave as one message, for which the frame is copied once.
 * Two messages would spare the copy, but another write could get between
 * them: crossing a water mark runs handlers, and handlers write.
 *
 * @example A frame of two bytes
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, VarintFrameEncoder } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ handlers: [new VarintFrameEncoder()] });
 * channel.writeOutbound(new Uint8Array([10, 11]));
 * assertEquals(channel.readOutbound(), new Uint8Array([2, 10, 11]));
 * ```
 */
export class VarintFrameEncoder implements ChannelHandler {
  /** It has no state of a channel, so one instance serves any number. */
  readonly isSharable = true;
  /** The longest frame that may be written, in bytes. */
  readonly maxFrameBytes: number;

  /**
   * Makes an encoder.
   *
   * @param options Its limit.
   * @throws {RangeError} If the limit is out of range.
   */
  constructor(options: VarintFrameEncoderOptions = {}) {
    const { maxFrameBytes = DEFAULT_MAX_FRAME_BYTES } = options;
    checkMaxFrameBytes("make the VarintFrameEncoder", maxFrameBytes);
    this.maxFrameBytes = maxFrameBytes;
  }

  /** Passes the frame on with its length in front. */
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    const framed = needsHeader(message, context.channel.keepsMessages, this.maxFrameBytes)
      ? frame(message)
      : message;
    context.write(framed, promise);
  }
}

function frame(payload: Uint8Array): Uint8Array {
  let rest = payload.length;
  let prefix = 1;
  for (let limit = 0x80; rest >= limit; limit *= 0x80) prefix++;
  const framed = new Uint8Array(prefix + rest);
  for (let i = 0; i < prefix - 1; i++) {
    framed[i] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  framed[prefix - 1] = rest;
  framed.set(payload, prefix);
  return framed;
}
