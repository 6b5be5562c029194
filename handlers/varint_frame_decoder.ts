/**
 * Frames of a byte stream, each with its length in front as a varint.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext } from "../pipeline/mod.ts";
import { DecodeError } from "./errors.ts";
import { FrameDecoder } from "./_frame_decoder.ts";
import { checkMaxFrameBytes, DEFAULT_MAX_FRAME_BYTES } from "./_frame_checks.ts";
import type { Framing } from "./_partial_frame.ts";

/**
 * Options of a {@linkcode VarintFrameDecoder}.
 *
 * @example Commands are short
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { DecodeError, EmbeddedChannel, VarintFrameDecoder, type VarintFrameDecoderOptions } from "@longlink/pipeline";
 *
 * const options: VarintFrameDecoderOptions = { maxFrameBytes: 100 };
 * const channel = new EmbeddedChannel({ handlers: [new VarintFrameDecoder(options)] });
 * assertThrows(() => channel.writeInbound(new Uint8Array([101])), DecodeError, "101 is above maxFrameBytes 100");
 * ```
 */
export interface VarintFrameDecoderOptions {
  /** The longest frame that is accepted, in bytes without its prefix, 1 to 2^32 - 1. Default: 1,048,576. */
  readonly maxFrameBytes?: number;
}

/**
 * Cuts a byte stream into frames: each is an unsigned LEB128 varint (as in
 * Protocol Buffers, at most 5 bytes) that says how many bytes follow. Netty's
 * `ProtobufVarint32FrameDecoder` reads the same. On a transport that keeps
 * messages (WebSocket) each message is a frame by itself and has no prefix.
 *
 * A frame that lies within one chunk is a view of that chunk, not a copy.
 * Messages other than bytes pass through. A frame above the limit, or a
 * malformed length, is a {@linkcode DecodeError}: it goes to `exceptionCaught`
 * and the link is dropped with the reason `protocol`. A frame that the link
 * did not live to complete is forgotten and counted. A decoder that is removed
 * passes on what it holds as plain bytes.
 *
 * @example Two frames, the second one in two parts
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, VarintFrameDecoder } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ handlers: [new VarintFrameDecoder()] });
 * channel.writeInbound(new Uint8Array([2, 10, 11, 3, 20]));
 * assertEquals(channel.drainInbound(), [new Uint8Array([10, 11])]);
 * channel.writeInbound(new Uint8Array([21, 22]));
 * assertEquals(channel.drainInbound(), [new Uint8Array([20, 21, 22])]);
 * ```
 */
export class VarintFrameDecoder implements ChannelHandler {
  /** Whether it is in a pipeline now; kept by the pipeline. */
  isAdded = false;
  readonly #decoder: FrameDecoder;

  /**
   * Makes a decoder.
   *
   * @param options Its limit.
   * @throws {RangeError} If the limit is out of range.
   */
  constructor(options: VarintFrameDecoderOptions = {}) {
    const { maxFrameBytes = DEFAULT_MAX_FRAME_BYTES } = options;
    checkMaxFrameBytes("make the VarintFrameDecoder", maxFrameBytes);
    this.#decoder = new FrameDecoder(
      maxFrameBytes === DEFAULT_MAX_FRAME_BYTES ? DEFAULT_FRAMING : new VarintFraming(maxFrameBytes),
    );
  }

  /** How often a peer sent a malformed length or a frame above the limit. */
  get errors(): number {
    return this.#decoder.errors;
  }

  /** How often a link went down in the middle of a frame. */
  get truncated(): number {
    return this.#decoder.truncated;
  }

  /** Starts afresh: nothing of an earlier link counts. */
  channelActive(context: ChannelHandlerContext): void {
    this.#decoder.channelActive(context);
  }

  /** Forgets the half frame, if there is one. */
  channelInactive(context: ChannelHandlerContext): void {
    this.#decoder.channelInactive(context);
  }

  /** Takes bytes in, hands frames on. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    this.#decoder.channelRead(context, message);
  }

  /** Asks for more where `autoRead` is off and no frame came. */
  channelReadComplete(context: ChannelHandlerContext): void {
    this.#decoder.channelReadComplete(context);
  }

  /** Passes on what it holds as plain bytes. */
  handlerRemoved(context: ChannelHandlerContext): void {
    this.#decoder.handlerRemoved(context);
  }
}

/** 5 bytes of 7 bits hold 35; the fifth may fill up 32 and no more. */
const LARGEST_FIFTH_BYTE = 0x0f;

class VarintFraming implements Framing {
  constructor(readonly maxFrameBytes: number) {}

  frameBytes(bytes: Uint8Array, start: number, end: number): number {
    let length = 0;
    for (let i = 0; i < 5 && start + i < end; i++) {
      const byte = bytes[start + i]!;
      if (i === 4 && byte > LARGEST_FIFTH_BYTE) {
        throw new DecodeError("frame", "its length prefix is above 2^32 - 1 or longer than 5 bytes");
      }
      // No shift: from bit 31 on it would turn negative.
      length += (byte & 0x7f) * 2 ** (7 * i);
      if (length > this.maxFrameBytes && byte < 0x80) {
        throw new DecodeError("frame", `its length ${length} is above maxFrameBytes ${this.maxFrameBytes}`);
      }
      if (byte < 0x80) return i + 1 + length;
    }
    return 0;
  }

  strippedBytes(bytes: Uint8Array, start: number): number {
    let prefix = 1;
    while (bytes[start + prefix - 1]! >= 0x80) prefix++;
    return prefix;
  }
}

const DEFAULT_FRAMING = new VarintFraming(DEFAULT_MAX_FRAME_BYTES);
