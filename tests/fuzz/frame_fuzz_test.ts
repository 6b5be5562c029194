import { assert, assertEquals, assertGreaterOrEqual, assertInstanceOf, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import {
  DecodeError,
  LengthFieldFrameDecoder,
  type LengthFieldFrameDecoderOptions,
  LengthFieldFrameEncoder,
  VarintFrameDecoder,
  VarintFrameEncoder,
} from "../../handlers/mod.ts";
import { EmbeddedChannel } from "../../pipeline/mod.ts";
import { type FrameCase, LENGTH_FIELD_FRAMES, VARINT_FRAMES } from "./corpus/frames.ts";
import { countAllocations } from "./_allocations.ts";
import { anyCuts, anyDamage, bytesOf, cut, damaged, hexOf, join } from "./_wire.ts";
import { Collector } from "../handlers/_rig.ts";

type Decoder = VarintFrameDecoder | LengthFieldFrameDecoder;
type Outcome = Pick<FrameCase, "frames" | "end">;

/** What a decoder makes of a stream, after which the link ends. */
function outcomeOf(decoder: Decoder, chunks: readonly Uint8Array[]): Outcome {
  const end = new Collector();
  const channel = new EmbeddedChannel({ handlers: [decoder, end] });
  for (const chunk of chunks) channel.writeInbound(chunk);
  const wasRefused = !channel.isActive;
  if (!wasRefused) channel.loseLink();
  const frames = channel.drainInbound().map((frame) => hexOf(frame as Uint8Array));
  for (const error of end.errors) {
    assertInstanceOf(error, DecodeError);
    assertEquals(error.subject, "frame");
  }
  assertEquals([end.errors.length, decoder.errors], wasRefused ? [1, 1] : [0, 0]);
  assertEquals(end.take("linkDown").map(({ reason }) => reason), [wasRefused ? "protocol" : "reset"]);
  return { frames, end: wasRefused ? "refused" : decoder.truncated === 1 ? "half" : "clean" };
}

function checkCase(make: () => Decoder, { hex, frames, end }: FrameCase): void {
  const stream = bytesOf(hex);
  for (const lengths of [[stream.length], [1], [2], [3, 1]]) {
    assertEquals(outcomeOf(make(), cut(stream, lengths)), { frames, end });
  }
}

for (const { maxFrameBytes, ...entry } of VARINT_FRAMES) {
  Deno.test(`VarintFrameDecoder corpus: ${entry.what}`, () => {
    checkCase(() => new VarintFrameDecoder({ maxFrameBytes }), entry);
  });
}

for (const { options, ...entry } of LENGTH_FIELD_FRAMES) {
  Deno.test(`LengthFieldFrameDecoder corpus: ${entry.what}`, () => {
    checkCase(() => new LengthFieldFrameDecoder(options), entry);
  });
}

/** Says how long the frame at a place is, header included, and how many bytes to strip; undefined while that is not known. */
type Measure = (stream: Uint8Array, at: number) => { size: bigint; strip: number } | "refused" | undefined;

/** A slow decoder that sees the whole stream at once, in exact arithmetic. */
function expectedOf(stream: Uint8Array, measure: Measure): Outcome {
  const frames: string[] = [];
  for (let at = 0; at < stream.length;) {
    const measured = measure(stream, at);
    if (measured === "refused") return { frames, end: "refused" };
    if (measured === undefined || measured.size > stream.length - at) return { frames, end: "half" };
    const next = at + Number(measured.size);
    frames.push(hexOf(stream.subarray(at + measured.strip, next)));
    at = next;
  }
  return { frames, end: "clean" };
}

function varintMeasure(maxFrameBytes: number): Measure {
  return (stream, at) => {
    let length = 0n;
    for (let i = 0; at + i < stream.length; i++) {
      const byte = BigInt(stream[at + i]!);
      if (i === 4 && byte > 0xfn) return "refused";
      length |= (byte & 0x7fn) << BigInt(7 * i);
      if (byte >= 0x80n) continue;
      return length > maxFrameBytes ? "refused" : { size: length + BigInt(i + 1), strip: i + 1 };
    }
    return undefined;
  };
}

/** A prefix of any length, which may be longer than it need be and may lie. */
const varintPiece = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 20 }).map((frame) => join([[frame.length], frame])) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.uint8Array({ maxLength: 20 }), fc.integer({ min: 2, max: 5 })).map((
      [frame, size],
    ) =>
      join([
        Array.from({ length: size }, (_, i) => i === 0 ? frame.length | 0x80 : i < size - 1 ? 0x80 : 0),
        frame,
      ])
    ),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 8 }) },
);
const varintStream = fc.tuple(fc.array(varintPiece, { maxLength: 10 }), fc.option(anyDamage, { freq: 1 }))
  .map(
    ([pieces, damages]) => damages === null ? join(pieces) : damaged(join(pieces), damages),
  );

Deno.test("VarintFrameDecoder.channelRead() finds what exact arithmetic finds, however the stream is cut", () => {
  fc.assert(
    fc.property(
      varintStream,
      fc.constantFrom(1, 15, 127, 1000, 2 ** 32 - 1),
      anyCuts,
      (stream, maxFrameBytes, cuts) => {
        const expected = expectedOf(stream, varintMeasure(maxFrameBytes));
        for (const lengths of [[Math.max(1, stream.length)], cuts]) {
          assertEquals(outcomeOf(new VarintFrameDecoder({ maxFrameBytes }), cut(stream, lengths)), expected);
        }
      },
    ),
    { seed: 501, numRuns: 2000 },
  );
});

/** Options that may be made, with limits small and large. */
const lengthFieldOptions = fc.record({
  maxFrameBytes: fc.constantFrom(16, 40, 300, 2 ** 32 - 1),
  lengthFieldOffset: fc.nat(5),
  lengthFieldLength: fc.constantFrom(1, 2, 3, 4, 8) as fc.Arbitrary<1 | 2 | 3 | 4 | 8>,
  lengthAdjustment: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: -14, max: 14 }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        2 ** 31,
        -(2 ** 31),
        2 ** 32,
        -(2 ** 32),
        2 ** 53 - 1,
        -(2 ** 53 - 1),
        -(2 ** 53 - 20),
      ),
    },
  ),
  initialBytesToStrip: fc.oneof(fc.nat(14), fc.constant(2 ** 40)),
  littleEndian: fc.boolean(),
});

function lengthFieldMeasure(options: Required<LengthFieldFrameDecoderOptions>): Measure {
  const { maxFrameBytes, lengthFieldOffset, lengthFieldLength, lengthAdjustment, initialBytesToStrip } =
    options;
  const header = lengthFieldOffset + lengthFieldLength;
  return (stream, at) => {
    if (stream.length - at < header) return undefined;
    const field = [...stream.subarray(at + lengthFieldOffset, at + header)];
    if (options.littleEndian) field.reverse();
    const value = field.reduce((sum, byte) => sum << 8n | BigInt(byte), 0n);
    const size = value + BigInt(lengthAdjustment) + BigInt(header);
    const cannotBe = value >= 2n ** 53n || size < header || size > maxFrameBytes ||
      size < initialBytesToStrip;
    return cannotBe ? "refused" : { size, strip: initialBytesToStrip };
  };
}

/** A frame that these options allow, where there is one; otherwise one whose field lies. */
function lengthFieldFrame(options: Required<LengthFieldFrameDecoderOptions>, body: Uint8Array): Uint8Array {
  const { lengthFieldOffset, lengthFieldLength, lengthAdjustment } = options;
  const bits = BigInt(8 * lengthFieldLength);
  let value = BigInt.asUintN(Number(bits), BigInt(body.length) - BigInt(lengthAdjustment));
  const field: number[] = [];
  for (let i = 0; i < lengthFieldLength; i++) {
    field.push(Number(value & 0xffn));
    value >>= 8n;
  }
  return join([
    new Uint8Array(lengthFieldOffset).fill(0xee),
    options.littleEndian ? field : field.reverse(),
    body,
  ]);
}

Deno.test("LengthFieldFrameDecoder.channelRead() finds what exact arithmetic finds, under any options", () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 24 }), { maxLength: 6 });
  fc.assert(
    fc.property(
      lengthFieldOptions,
      bodies,
      fc.option(anyDamage, { freq: 1 }),
      anyCuts,
      (options, bodies, damages, cuts) => {
        const whole = join(bodies.map((body) => lengthFieldFrame(options, body)));
        const stream = damages === null ? whole : damaged(whole, damages);
        const expected = expectedOf(stream, lengthFieldMeasure(options));
        for (const lengths of [[Math.max(1, stream.length)], cuts]) {
          assertEquals(outcomeOf(new LengthFieldFrameDecoder(options), cut(stream, lengths)), expected);
        }
      },
    ),
    { seed: 502, numRuns: 2500 },
  );
});

Deno.test("LengthFieldFrameDecoder.channelRead() finds the frames of every field size, byte order and place", () => {
  const bodies = [0, 1, 7, 100].map((length) => new Uint8Array(length).fill(length));
  for (const lengthFieldLength of [1, 2, 3, 4, 8] as const) {
    for (const lengthFieldOffset of [0, 1, 2, 5]) {
      for (const lengthAdjustment of [-lengthFieldOffset - lengthFieldLength, -1, 0, 2]) {
        for (const initialBytesToStrip of [0, 1, lengthFieldOffset + lengthFieldLength]) {
          for (const littleEndian of [false, true]) {
            const options = {
              maxFrameBytes: 200,
              lengthFieldOffset,
              lengthFieldLength,
              lengthAdjustment,
              initialBytesToStrip,
              littleEndian,
            };
            // The field's value cannot be below 0, so what is added to it is the shortest body.
            const possible = bodies.filter(({ length }) => length >= lengthAdjustment);
            const frames = possible.map((body) => lengthFieldFrame(options, body));
            const outcome = outcomeOf(new LengthFieldFrameDecoder(options), cut(join(frames), [13, 1, 50]));
            assertEquals(outcome, {
              frames: frames.map((frame) => hexOf(frame.subarray(initialBytesToStrip))),
              end: "clean",
            });
          }
        }
      }
    }
  }
});

Deno.test("VarintFrameEncoder.write() and LengthFieldFrameEncoder.write() write what their decoders read", () => {
  const lengths = fc.constantFrom(0, 1, 127, 128, 255, 256, 16_383, 16_384, 65_535, 65_536, 70_000);
  fc.assert(
    fc.property(fc.array(lengths, { maxLength: 4 }), anyCuts, fc.boolean(), (sizes, cuts, littleEndian) => {
      const frames = sizes.map((size) => new Uint8Array(size).fill(size));
      const field = { lengthFieldLength: 3, littleEndian } as const;
      const pairs: [VarintFrameEncoder | LengthFieldFrameEncoder, Decoder][] = [
        [new VarintFrameEncoder(), new VarintFrameDecoder()],
        [
          new LengthFieldFrameEncoder(field),
          new LengthFieldFrameDecoder({ ...field, initialBytesToStrip: 3 }),
        ],
      ];
      for (const [encoder, decoder] of pairs) {
        const sender = new EmbeddedChannel({ handlers: [encoder] });
        sender.writeOutbound(...frames);
        const receiver = new EmbeddedChannel({ handlers: [decoder] });
        const stream = join(sender.drainOutbound() as Uint8Array[]);
        for (const chunk of cut(stream, cuts.map((length) => length * 997))) receiver.writeInbound(chunk);
        const received = receiver.drainInbound() as Uint8Array[];
        assertEquals(received.map(({ length }) => length), sizes);
        assert(received.every((frame, i) => frame.every((byte) => byte === frames[i]![0])));
      }
    }),
    { seed: 503, numRuns: 60 },
  );
});

Deno.test("VarintFrameDecoder.channelRead() allocates for what came and not for what was announced", () => {
  // Each peer announces 4 GiB, which is allowed, and sends a little of it.
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), anyCuts, fc.boolean(), (sent, cuts, isVarint) => {
      const maxFrameBytes = 2 ** 32 - 1;
      const decoder = isVarint
        ? new VarintFrameDecoder({ maxFrameBytes })
        : new LengthFieldFrameDecoder({ maxFrameBytes, lengthAdjustment: -4 });
      const channel = new EmbeddedChannel({ handlers: [decoder] });
      const stream = join([
        isVarint ? bytesOf("ff ff ff ff 0f") : bytesOf("ff ff ff ff"),
        new Uint8Array(sent),
      ]);
      const chunks = cut(stream, cuts);
      const { largest, bytes } = countAllocations(() =>
        chunks.forEach((chunk) => channel.writeInbound(chunk))
      );
      assertGreaterOrEqual(largest, 32); // It is counted at all.
      assertLessOrEqual(largest, Math.max(32, 2 * stream.length));
      assertLessOrEqual(bytes, 32 + 4 * stream.length);
      assertEquals(channel.drainInbound(), []);
    }),
    { seed: 504, numRuns: 300 },
  );
});

Deno.test("VarintFrameDecoder.channelRead() allocates little for any stream, however it is cut", () => {
  fc.assert(
    fc.property(varintStream, anyCuts, (stream, cuts) => {
      const channel = new EmbeddedChannel({ handlers: [new VarintFrameDecoder(), new Collector()] });
      const chunks = cut(stream, cuts);
      const { bytes } = countAllocations(() => chunks.forEach((chunk) => channel.writeInbound(chunk)));
      // A chunk leaves at most one half frame behind, which begins with room for 32 bytes.
      assertLessOrEqual(bytes, 32 * chunks.length + 4 * stream.length);
    }),
    { seed: 505, numRuns: 500 },
  );
});
