/**
 * Puts a frame's length in front of it, in a field of fixed size.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext, ChannelPromise } from "../pipeline/mod.ts";
import {
  checkLengthFieldLength,
  checkMaxFrameBytes,
  DEFAULT_MAX_FRAME_BYTES,
  needsHeader,
} from "./_frame_checks.ts";
import type { LengthFieldBytes } from "./length_field_frame_decoder.ts";

/**
 * Options of a {@linkcode LengthFieldFrameEncoder}; names and arithmetic are
 * Netty's.
 *
 * @example Four bytes, least significant first, that count themselves
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, LengthFieldFrameEncoder, type LengthFieldFrameEncoderOptions } from "@longlink/pipeline";
 *
 * const options: LengthFieldFrameEncoderOptions = { littleEndian: true, lengthIncludesLengthField: true };
 * const channel = new EmbeddedChannel({ handlers: [new LengthFieldFrameEncoder(options)] });
 * channel.writeOutbound(new Uint8Array([10, 11]));
 * assertEquals(channel.readOutbound(), new Uint8Array([6, 0, 0, 0, 10, 11]));
 * ```
 */
export interface LengthFieldFrameEncoderOptions {
  /** The longest frame that may be written, in bytes without its length field, 1 to 2^32 - 1. Default: 1,048,576. */
  readonly maxFrameBytes?: number;
  /** Size of the length field in bytes: 1, 2, 3, 4 or 8. Default: 4. */
  readonly lengthFieldLength?: LengthFieldBytes;
  /** Added to the frame's length to get the field's value; may be negative. Default: 0. */
  readonly lengthAdjustment?: number;
  /** Whether the field's value counts the field itself too. Default: false. */
  readonly lengthIncludesLengthField?: boolean;
  /** Whether the field's first byte is the least significant one. Default: false, network order. */
  readonly littleEndian?: boolean;
}

/**
 * Puts the length of each written `Uint8Array` in front of it, as Netty 4.1's
 * `LengthFieldPrepender` does. On a transport that keeps messages (WebSocket)
 * nothing is put in front. Other messages pass through.
 *
 * A write above the limit, or whose length does not fit into the field, fails
 * with a `RangeError`, text on a byte stream with a `TypeError`; both harm no
 * other write. Field and frame leave as one message.
 *
 * @example A length of two bytes
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, LengthFieldFrameEncoder } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ handlers: [new LengthFieldFrameEncoder({ lengthFieldLength: 2 })] });
 * channel.writeOutbound(new Uint8Array([10, 11, 12]));
 * assertEquals(channel.readOutbound(), new Uint8Array([0, 3, 10, 11, 12]));
 * ```
 */
export class LengthFieldFrameEncoder implements ChannelHandler {
  /** It has no state of a channel, so one instance serves any number. */
  readonly isSharable = true;
  /** The longest frame that may be written, in bytes. */
  readonly maxFrameBytes: number;
  readonly #fieldBytes: LengthFieldBytes;
  /** What is added to a frame's length to get the field's value. */
  readonly #addend: number;
  readonly #littleEndian: boolean;

  /**
   * Makes an encoder.
   *
   * @param options What the length counts, and how it is written.
   * @throws {RangeError} If an option is out of range.
   */
  constructor(options: LengthFieldFrameEncoderOptions = {}) {
    const {
      maxFrameBytes = DEFAULT_MAX_FRAME_BYTES,
      lengthFieldLength = 4,
      lengthAdjustment = 0,
      lengthIncludesLengthField = false,
      littleEndian = false,
    } = options;
    checkMaxFrameBytes(ACTION, maxFrameBytes);
    checkLengthFieldLength(ACTION, lengthFieldLength);
    if (!Number.isSafeInteger(lengthAdjustment)) {
      throw new RangeError(
        `Cannot ${ACTION}: lengthAdjustment must be a whole number, got ${lengthAdjustment}`,
      );
    }
    this.maxFrameBytes = maxFrameBytes;
    this.#fieldBytes = lengthFieldLength;
    this.#addend = lengthAdjustment + (lengthIncludesLengthField ? lengthFieldLength : 0);
    this.#littleEndian = littleEndian;
  }

  /** Passes the frame on with its length in front. */
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    const { keepsMessages } = context.channel;
    context.write(
      needsHeader(message, keepsMessages, this.maxFrameBytes) ? this.#frame(message) : message,
      promise,
    );
  }

  #frame(payload: Uint8Array): Uint8Array {
    const size = this.#fieldBytes;
    const value = payload.length + this.#addend;
    const largest = Math.min(2 ** (8 * size) - 1, Number.MAX_SAFE_INTEGER);
    if (value < 0 || value > largest) {
      throw new RangeError(
        `Cannot encode the frame: its length field would be ${value}, ${size} bytes hold 0 to ${largest}`,
      );
    }
    const framed = new Uint8Array(size + payload.length);
    let rest = value;
    for (let i = 0; i < size; i++) {
      framed[this.#littleEndian ? i : size - 1 - i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    framed.set(payload, size);
    return framed;
  }
}

const ACTION = "make the LengthFieldFrameEncoder";
