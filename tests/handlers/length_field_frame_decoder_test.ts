import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DecodeError } from "../../handlers/errors.ts";
import {
  LengthFieldFrameDecoder,
  type LengthFieldFrameDecoderOptions,
} from "../../handlers/length_field_frame_decoder.ts";
import { LengthFieldFrameEncoder } from "../../handlers/length_field_frame_encoder.ts";
import { EmbeddedChannel } from "../../pipeline/mod.ts";

function decoding(options: LengthFieldFrameDecoderOptions) {
  const decoder = new LengthFieldFrameDecoder(options);
  const errors: unknown[] = [];
  const handlers = [decoder, { exceptionCaught: (_context: unknown, error: unknown) => errors.push(error) }];
  return { channel: new EmbeddedChannel({ handlers }), decoder, errors };
}

const HELLO = [...new TextEncoder().encode("HELLO, WORLD")];

// The seven examples of Netty's LengthFieldBasedFrameDecoder.
const examples: Record<string, [LengthFieldFrameDecoderOptions, number[], number[]]> = {
  "header kept": [{ lengthFieldLength: 2 }, [0, 12, ...HELLO], [0, 12, ...HELLO]],
  "header stripped": [{ lengthFieldLength: 2, initialBytesToStrip: 2 }, [0, 12, ...HELLO], HELLO],
  "length of the whole frame": [
    { lengthFieldLength: 2, lengthAdjustment: -2 },
    [0, 14, ...HELLO],
    [0, 14, ...HELLO],
  ],
  "length after a header": [
    { lengthFieldOffset: 2, lengthFieldLength: 3 },
    [0xca, 0xfe, 0, 0, 12, ...HELLO],
    [0xca, 0xfe, 0, 0, 12, ...HELLO],
  ],
  "length before a header": [
    { lengthFieldLength: 3, lengthAdjustment: 2 },
    [0, 0, 12, 0xca, 0xfe, ...HELLO],
    [0, 0, 12, 0xca, 0xfe, ...HELLO],
  ],
  "length between two headers": [
    { lengthFieldOffset: 1, lengthFieldLength: 2, lengthAdjustment: 1, initialBytesToStrip: 3 },
    [0xca, 0, 12, 0xfe, ...HELLO],
    [0xfe, ...HELLO],
  ],
  "length of the whole frame between two headers": [
    { lengthFieldOffset: 1, lengthFieldLength: 2, lengthAdjustment: -3, initialBytesToStrip: 3 },
    [0xca, 0, 16, 0xfe, ...HELLO],
    [0xfe, ...HELLO],
  ],
  "eight bytes": [
    { lengthFieldLength: 8, initialBytesToStrip: 8 },
    [0, 0, 0, 0, 0, 0, 0, 12, ...HELLO],
    HELLO,
  ],
  "least significant byte first": [
    { lengthFieldLength: 4, initialBytesToStrip: 4, littleEndian: true },
    [12, 0, 0, 0, ...HELLO],
    HELLO,
  ],
};

for (const [name, [options, wire, frame]] of Object.entries(examples)) {
  Deno.test(`LengthFieldFrameDecoder.channelRead() decodes as Netty does: ${name}`, () => {
    const { channel } = decoding(options);
    channel.writeInbound(Uint8Array.from([...wire, ...wire]));
    for (const byte of wire) channel.writeInbound(Uint8Array.of(byte));
    assertEquals(channel.drainInbound(), [0, 1, 2].map(() => Uint8Array.from(frame)));
  });
}

const refused: Record<string, [LengthFieldFrameDecoderOptions, number[], string]> = {
  "a negative length": [
    { lengthFieldLength: 8 },
    [0x80, 0, 0, 0, 0, 0, 0, 0],
    "its length field is negative: -9223372036854775808",
  ],
  "a length of less than the header": [
    { lengthFieldLength: 1, lengthAdjustment: -2 },
    [1],
    "its length 0 is less than its header of 1 bytes",
  ],
  "a length of less than what is stripped": [
    { lengthFieldLength: 1, initialBytesToStrip: 3 },
    [1],
    "its length 2 is less than initialBytesToStrip 3",
  ],
  "a length above the limit": [
    { lengthFieldLength: 1, maxFrameBytes: 4 },
    [4],
    "its length 5 is above maxFrameBytes 4",
  ],
};

for (const [name, [options, wire, detail]] of Object.entries(refused)) {
  Deno.test(`LengthFieldFrameDecoder.channelRead() refuses ${name}`, () => {
    const { channel, decoder, errors } = decoding(options);
    channel.writeInbound(Uint8Array.from(wire));
    assertInstanceOf(errors[0], DecodeError);
    assertStringIncludes((errors[0] as Error).message, detail);
    assertEquals(decoder.errors, 1);
    assertEquals(channel.isActive, false);
  });
}

Deno.test("LengthFieldFrameDecoder.channelInactive() counts a half frame", () => {
  const { channel, decoder } = decoding({ lengthFieldLength: 1 });
  channel.writeInbound(Uint8Array.of(3, 1));
  channel.loseLink();
  assertEquals(decoder.truncated, 1);
});

Deno.test("LengthFieldFrameDecoder() refuses options out of range", () => {
  const wrong: LengthFieldFrameDecoderOptions[] = [
    { maxFrameBytes: 0 },
    { lengthFieldOffset: -1 },
    { lengthFieldOffset: 1.5 },
    { lengthFieldLength: 5 as 4 },
    { lengthAdjustment: NaN },
    { initialBytesToStrip: -1 },
    { maxFrameBytes: 7, lengthFieldOffset: 4 },
  ];
  for (const options of wrong) {
    assertThrows(
      () => new LengthFieldFrameDecoder(options),
      RangeError,
      "Cannot make the LengthFieldFrameDecoder",
    );
  }
});

Deno.test("LengthFieldFrameDecoder.channelRead() finds what LengthFieldFrameEncoder wrote, however split", () => {
  const options = fc.record({
    lengthFieldLength: fc.constantFrom(1, 2, 3, 4, 8) as fc.Arbitrary<1 | 2 | 3 | 4 | 8>,
    littleEndian: fc.boolean(),
    includes: fc.boolean(),
  });
  const frames = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 });
  fc.assert(
    fc.property(options, frames, fc.integer({ min: 1, max: 50 }), (setting, payloads, size) => {
      const { lengthFieldLength, littleEndian, includes } = setting;
      const sender = new EmbeddedChannel({
        handlers: [
          new LengthFieldFrameEncoder({
            lengthFieldLength,
            littleEndian,
            lengthIncludesLengthField: includes,
          }),
        ],
      });
      sender.writeOutbound(...payloads);
      const stream = Uint8Array.from(sender.drainOutbound().flatMap((part) => [...part as Uint8Array]));
      const { channel } = decoding({
        lengthFieldLength,
        littleEndian,
        lengthAdjustment: includes ? -lengthFieldLength : 0,
        initialBytesToStrip: lengthFieldLength,
      });
      for (let at = 0; at < stream.length; at += size) channel.writeInbound(stream.slice(at, at + size));
      assertEquals(channel.drainInbound(), payloads);
    }),
    { seed: 7 },
  );
});

Deno.test("LengthFieldFrameDecoder.channelRead() survives any bytes under any options", () => {
  const options = fc.record({
    maxFrameBytes: fc.integer({ min: 16, max: 64 }),
    lengthFieldOffset: fc.nat(8),
    lengthFieldLength: fc.constantFrom(1, 2, 3, 4, 8) as fc.Arbitrary<1 | 2 | 3 | 4 | 8>,
    lengthAdjustment: fc.integer({ min: -20, max: 20 }),
    initialBytesToStrip: fc.nat(10),
    littleEndian: fc.boolean(),
  });
  const byte = fc.oneof(fc.constant(0), fc.nat(20), fc.nat(255));
  fc.assert(
    fc.property(options, fc.array(fc.array(byte, { maxLength: 30 }), { maxLength: 8 }), (setting, chunks) => {
      const { channel, decoder, errors } = decoding(setting);
      for (const chunk of chunks) channel.writeInbound(Uint8Array.from(chunk));
      for (const frame of channel.drainInbound() as Uint8Array[]) {
        assert(frame.length <= setting.maxFrameBytes);
      }
      assertEquals(decoder.errors, errors.length);
      for (const error of errors) assertInstanceOf(error, DecodeError);
    }),
    { seed: 8, numRuns: 500 },
  );
});
