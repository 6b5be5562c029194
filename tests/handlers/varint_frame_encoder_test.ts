import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { VarintFrameEncoder } from "../../handlers/varint_frame_encoder.ts";
import { EmbeddedChannel } from "../../pipeline/mod.ts";

function encoding(maxFrameBytes?: number, keepsMessages = false): EmbeddedChannel {
  return new EmbeddedChannel({ handlers: [new VarintFrameEncoder({ maxFrameBytes })], keepsMessages });
}

Deno.test("VarintFrameEncoder.write() puts the length in front as a varint", () => {
  const channel = encoding();
  const prefixes: [number, number[]][] = [
    [0, [0]],
    [1, [1]],
    [127, [127]],
    [128, [0x80, 1]],
    [300, [0xac, 2]],
    [16_383, [0xff, 0x7f]],
    [16_384, [0x80, 0x80, 1]],
    [1_048_576, [0x80, 0x80, 0x40]],
  ];
  for (const [length, prefix] of prefixes) {
    const payload = new Uint8Array(length).fill(9);
    channel.writeOutbound(payload);
    const framed = channel.readOutbound() as Uint8Array;
    assertEquals([...framed.subarray(0, prefix.length)], prefix);
    assertEquals(framed.subarray(prefix.length), payload);
  }
});

Deno.test("VarintFrameEncoder.write() fails a write above the limit and no other", async () => {
  const channel = encoding(3);
  const failed = channel.write(new Uint8Array(4));
  channel.writeOutbound(new Uint8Array(3));
  assertEquals(
    (failed.error as RangeError).message,
    "Cannot encode the frame: its length 4 is above maxFrameBytes 3",
  );
  await failed.catch(() => {});
  assertEquals(channel.drainOutbound(), [new Uint8Array([3, 0, 0, 0])]);
  assertThrows(() => encoding(3, true).writeOutbound(new Uint8Array(4)), RangeError);
});

Deno.test("VarintFrameEncoder.write() passes messages through where the transport keeps them", () => {
  const channel = encoding(10, true);
  const message = new Uint8Array([1, 2]);
  channel.writeOutbound(message, "text");
  assertStrictEquals(channel.readOutbound(), message);
  assertEquals(channel.readOutbound(), "text");
});

Deno.test("VarintFrameEncoder.write() refuses text on a byte stream and passes other messages on", () => {
  const channel = encoding();
  assertThrows(() => channel.writeOutbound("text"), TypeError, "got text where bytes are due");
  channel.writeOutbound(7);
  assertEquals(channel.readOutbound(), 7);
});

Deno.test("VarintFrameEncoder() serves many channels", () => {
  const encoder = new VarintFrameEncoder();
  for (const channel of [encoder, encoder].map((handler) => new EmbeddedChannel({ handlers: [handler] }))) {
    channel.writeOutbound(new Uint8Array([5]));
    assertEquals(channel.readOutbound(), new Uint8Array([1, 5]));
  }
});
