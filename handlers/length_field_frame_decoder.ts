/**
 * Frames of a byte stream that say their length in a field of fixed size.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext } from "../pipeline/mod.ts";
import { DecodeError } from "./errors.ts";
import { FrameDecoder } from "./_frame_decoder.ts";
import { checkLengthFieldLength, checkMaxFrameBytes, DEFAULT_MAX_FRAME_BYTES } from "./_frame_checks.ts";
import type { Framing } from "./_partial_frame.ts";

/**
 * How many bytes a length field may have.
 *
 * @example The same size at both ends
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, type LengthFieldBytes } from "@longlink/pipeline";
 * import { LengthFieldFrameDecoder, LengthFieldFrameEncoder } from "@longlink/pipeline";
 *
 * const lengthFieldLength: LengthFieldBytes = 2;
 * const channel = new EmbeddedChannel({
 *   handlers: [
 *     new LengthFieldFrameDecoder({ lengthFieldLength, initialBytesToStrip: lengthFieldLength }),
 *     new LengthFieldFrameEncoder({ lengthFieldLength }),
 *   ],
 * });
 * channel.writeOutbound(new Uint8Array([10, 11, 12]));
 * channel.writeInbound(channel.readOutbound());
 * assertEquals(channel.readInbound(), new Uint8Array([10, 11, 12]));
 * ```
 */
export type LengthFieldBytes = 1 | 2 | 3 | 4 | 8;

/**
 * Options of a {@linkcode LengthFieldFrameDecoder}; names and arithmetic are
 * Netty's.
 *
 * @example A header of type and length, where the length counts the header
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, LengthFieldFrameDecoder, type LengthFieldFrameDecoderOptions } from "@longlink/pipeline";
 *
 * const options: LengthFieldFrameDecoderOptions = {
 *   maxFrameBytes: 4_096,
 *   lengthFieldOffset: 1, // after the type
 *   lengthFieldLength: 2,
 *   lengthAdjustment: -3,
 * };
 * const channel = new EmbeddedChannel({ handlers: [new LengthFieldFrameDecoder(options)] });
 * channel.writeInbound(new Uint8Array([7, 0, 5, 10, 11, 7, 0]));
 * assertEquals(channel.drainInbound(), [new Uint8Array([7, 0, 5, 10, 11])]);
 * ```
 */
export interface LengthFieldFrameDecoderOptions {
  /**
   * The longest frame that is accepted, in bytes with its header, 1 to
   * 2^32 - 1 (Netty: `maxFrameLength`). Default: 1,048,576.
   */
  readonly maxFrameBytes?: number;
  /** Where in the frame the length field begins, in bytes, 0 or more. Default: 0. */
  readonly lengthFieldOffset?: number;
  /** Size of the length field in bytes: 1, 2, 3, 4 or 8. Default: 4. */
  readonly lengthFieldLength?: LengthFieldBytes;
  /**
   * Added to the field's value to get how many bytes follow the field; may be
   * negative, as where the value counts the header too. Default: 0.
   */
  readonly lengthAdjustment?: number;
  /**
   * How many bytes are taken off the front of each frame before it is handed
   * on, 0 or more. Default: 0, the frame arrives with its header.
   */
  readonly initialBytesToStrip?: number;
  /** Whether the field's first byte is the least significant one. Default: false, network order. */
  readonly littleEndian?: boolean;
}

/**
 * Cuts a byte stream into frames by a length field in their header, as Netty
 * 4.1's `LengthFieldBasedFrameDecoder` does: the whole frame has
 * `lengthFieldOffset + lengthFieldLength + value + lengthAdjustment` bytes. On
 * a transport that keeps messages (WebSocket) each message is a frame by
 * itself and passes through as it is.
 *
 * A length that is negative, shorter than the header or what is to be
 * stripped, or above the limit is a {@linkcode DecodeError}: it goes to
 * `exceptionCaught` and the link is dropped with the reason `protocol`, as
 * soon as the header is there (Netty's `failFast`; unlike Netty nothing is
 * skipped, since a peer that disagrees about lengths cannot be followed). All
 * else is as for `VarintFrameDecoder`.
 *
 * @example A two-byte length in front, not handed on
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, LengthFieldFrameDecoder } from "@longlink/pipeline";
 *
 * const decoder = new LengthFieldFrameDecoder({ lengthFieldLength: 2, initialBytesToStrip: 2 });
 * const channel = new EmbeddedChannel({ handlers: [decoder] });
 * channel.writeInbound(new Uint8Array([0, 3, 10, 11, 12]));
 * assertEquals(channel.readInbound(), new Uint8Array([10, 11, 12]));
 * ```
 */
export class LengthFieldFrameDecoder implements ChannelHandler {
  /** Whether it is in a pipeline now; kept by the pipeline. */
  isAdded = false;
  readonly #decoder: FrameDecoder;

  /**
   * Makes a decoder.
   *
   * @param options Where the length is and what it counts.
   * @throws {RangeError} If an option is out of range, or the length field lies beyond the longest frame.
   */
  constructor(options: LengthFieldFrameDecoderOptions = {}) {
    this.#decoder = new FrameDecoder(new LengthFieldFraming(options));
  }

  /** How often a peer sent a length that cannot be, or is above the limit. */
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

class LengthFieldFraming implements Framing {
  readonly maxFrameBytes: number;
  readonly #offset: number;
  readonly #fieldEnd: number;
  readonly #adjustment: number;
  readonly #strip: number;
  readonly #littleEndian: boolean;

  constructor(options: LengthFieldFrameDecoderOptions) {
    const {
      maxFrameBytes = DEFAULT_MAX_FRAME_BYTES,
      lengthFieldOffset = 0,
      lengthFieldLength = 4,
      lengthAdjustment = 0,
      initialBytesToStrip = 0,
      littleEndian = false,
    } = options;
    checkMaxFrameBytes(ACTION, maxFrameBytes);
    checkWhole("lengthFieldOffset", lengthFieldOffset, 0);
    checkLengthFieldLength(ACTION, lengthFieldLength);
    checkWhole("lengthAdjustment", lengthAdjustment, -Infinity);
    checkWhole("initialBytesToStrip", initialBytesToStrip, 0);
    if (lengthFieldOffset + lengthFieldLength > maxFrameBytes) {
      throw new RangeError(
        `Cannot ${ACTION}: the length field ends at byte ${lengthFieldOffset + lengthFieldLength}, ` +
          `beyond maxFrameBytes ${maxFrameBytes}`,
      );
    }
    this.maxFrameBytes = maxFrameBytes;
    this.#offset = lengthFieldOffset;
    this.#fieldEnd = lengthFieldOffset + lengthFieldLength;
    this.#adjustment = lengthAdjustment;
    this.#strip = initialBytesToStrip;
    this.#littleEndian = littleEndian;
  }

  frameBytes(bytes: Uint8Array, start: number, end: number): number {
    if (end - start < this.#fieldEnd) return 0;
    const value = this.#readField(bytes, start + this.#offset, start + this.#fieldEnd);
    const size = value + this.#adjustment + this.#fieldEnd;
    if (size < this.#fieldEnd) {
      throw new DecodeError("frame", `its length ${size} is less than its header of ${this.#fieldEnd} bytes`);
    }
    if (size > this.maxFrameBytes) {
      throw new DecodeError("frame", `its length ${size} is above maxFrameBytes ${this.maxFrameBytes}`);
    }
    if (size < this.#strip) {
      throw new DecodeError("frame", `its length ${size} is less than initialBytesToStrip ${this.#strip}`);
    }
    return size;
  }

  strippedBytes(): number {
    return this.#strip;
  }

  /** Arithmetic instead of shifts: a value may have more than 32 bits. */
  #readField(bytes: Uint8Array, from: number, to: number): number {
    let value = 0;
    if (this.#littleEndian) { for (let i = to - 1; i >= from; i--) value = value * 256 + bytes[i]!; }
    else for (let i = from; i < to; i++) value = value * 256 + bytes[i]!;
    if (value <= Number.MAX_SAFE_INTEGER) return value;
    // A number has lost digits by now, and a large negative adjustment would make a wrong length of the rest.
    // Eight bytes are a signed number in Netty; shorter fields are not.
    const exact = new DataView(bytes.buffer, bytes.byteOffset + from, 8).getBigInt64(0, this.#littleEndian);
    const wrong = exact < 0n ? "negative" : "above 2^53 - 1";
    throw new DecodeError("frame", `its length field is ${wrong}: ${exact}`);
  }
}

const ACTION = "make the LengthFieldFrameDecoder";

function checkWhole(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  const wanted = least === 0 ? "a whole number, 0 or more" : "a whole number";
  throw new RangeError(`Cannot ${ACTION}: ${name} must be ${wanted}, got ${value}`);
}
