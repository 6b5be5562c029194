import type { LengthFieldFrameDecoderOptions } from "../../../handlers/mod.ts";

/** A stream, and what a frame decoder makes of it however it is cut. */
export interface FrameCase {
  readonly what: string;
  readonly hex: string;
  /** The frames that are handed on. */
  readonly frames: readonly string[];
  /** How it ends: between two frames, within one, or with an error and the link. */
  readonly end: "clean" | "half" | "refused";
}

/** A stream of varint frames. */
export interface VarintCase extends FrameCase {
  readonly maxFrameBytes?: number;
}

/** A stream of frames with a length field. */
export interface LengthFieldCase extends FrameCase {
  readonly options: LengthFieldFrameDecoderOptions;
}

export const VARINT_FRAMES: readonly VarintCase[] = [
  { what: "two frames", hex: "02 0a 0b 01 0c", frames: ["0a 0b", "0c"], end: "clean" },
  { what: "empty frames", hex: "00 00 01 05", frames: ["", "", "05"], end: "clean" },
  { what: "a prefix longer than it need be", hex: "81 80 80 80 00 07", frames: ["07"], end: "clean" },
  { what: "an empty frame with a prefix of 5 bytes", hex: "80 80 80 80 00", frames: [""], end: "clean" },
  { what: "half a prefix", hex: "01 05 ff ff ff ff", frames: ["05"], end: "half" },
  { what: "half a frame", hex: "03 05 06", frames: [], end: "half" },
  { what: "2^32 - 1 bytes announced", hex: "ff ff ff ff 0f 00", frames: [], end: "refused" },
  { what: "2^32 bytes announced", hex: "80 80 80 80 10", frames: [], end: "refused" },
  { what: "a prefix of 6 bytes", hex: "80 80 80 80 80 00", frames: [], end: "refused" },
  {
    what: "a negative number as protobuf writes it",
    hex: "ff ff ff ff ff ff ff ff ff 01",
    frames: [],
    end: "refused",
  },
  {
    what: "the limit exactly",
    hex: "04 01 02 03 04",
    maxFrameBytes: 4,
    frames: ["01 02 03 04"],
    end: "clean",
  },
  { what: "one byte above the limit", hex: "01 09 05", maxFrameBytes: 4, frames: ["09"], end: "refused" },
  {
    what: "what follows a refused frame",
    hex: "05 01 01 01 01 01 01 01",
    maxFrameBytes: 4,
    frames: [],
    end: "refused",
  },
  {
    what: "2^32 - 1 bytes announced and allowed",
    hex: "ff ff ff ff 0f 00 00",
    maxFrameBytes: 2 ** 32 - 1,
    frames: [],
    end: "half",
  },
];

export const LENGTH_FIELD_FRAMES: readonly LengthFieldCase[] = [
  {
    what: "a header on both sides of the length",
    options: { lengthFieldOffset: 1, lengthFieldLength: 2, lengthAdjustment: 1, initialBytesToStrip: 3 },
    hex: "ca 00 02 fe 0a 0b ca 00 00 fd",
    frames: ["fe 0a 0b", "fd"],
    end: "clean",
  },
  {
    what: "a length of 0 where it counts the header",
    options: { lengthFieldLength: 4, lengthAdjustment: -4 },
    hex: "00 00 00 04 00 00 00 00",
    frames: ["00 00 00 04"],
    end: "refused",
  },
  {
    what: "2^32 - 1 bytes announced",
    options: { lengthFieldLength: 4 },
    hex: "ff ff ff ff",
    frames: [],
    end: "refused",
  },
  {
    what: "a sum beyond 32 bits that would be small if it were cut to them",
    options: { lengthFieldLength: 4, lengthAdjustment: 4 },
    hex: "ff ff ff fe 00",
    frames: [],
    end: "refused",
  },
  {
    what: "a negative length of 8 bytes",
    options: { lengthFieldLength: 8 },
    hex: "ff ff ff ff ff ff ff ff",
    frames: [],
    end: "refused",
  },
  {
    what: "the largest length of 8 bytes",
    options: { lengthFieldLength: 8 },
    hex: "7f ff ff ff ff ff ff ff",
    frames: [],
    end: "refused",
  },
  {
    // A number has lost the last bit: the frame was taken for one byte shorter than it is.
    what: "2^53 + 1, which a number cannot hold, and an adjustment of nearly that",
    options: { lengthFieldLength: 8, lengthAdjustment: -(2 ** 53 - 1) },
    hex: "00 20 00 00 00 00 00 01 aa bb cc",
    frames: [],
    end: "refused",
  },
  {
    what: "2^53 - 1 and an adjustment of nearly that",
    options: { lengthFieldLength: 8, lengthAdjustment: -(2 ** 53 - 3), initialBytesToStrip: 8 },
    hex: "00 1f ff ff ff ff ff ff aa bb",
    frames: ["aa bb"],
    end: "clean",
  },
  {
    what: "more to strip than there is",
    options: { lengthFieldLength: 1, initialBytesToStrip: 4 },
    hex: "03 01 02 03 02 01 02",
    frames: [""],
    end: "refused",
  },
  {
    what: "least significant byte first, half a field",
    options: { lengthFieldLength: 3, littleEndian: true, initialBytesToStrip: 3 },
    hex: "02 00 00 0a 0b 01 00",
    frames: ["0a 0b"],
    end: "half",
  },
];
