import { assertEquals, assertThrows } from "@std/assert";
import {
  LengthFieldFrameEncoder,
  type LengthFieldFrameEncoderOptions,
} from "../../handlers/length_field_frame_encoder.ts";
import { EmbeddedChannel } from "../../pipeline/mod.ts";

const PAYLOAD = new Uint8Array(300).fill(7);

function header(options: LengthFieldFrameEncoderOptions, payload = PAYLOAD): number[] {
  const channel = new EmbeddedChannel({ handlers: [new LengthFieldFrameEncoder(options)] });
  channel.writeOutbound(payload);
  const framed = channel.readOutbound() as Uint8Array;
  const size = framed.length - payload.length;
  assertEquals(framed.subarray(size), payload);
  return [...framed.subarray(0, size)];
}

Deno.test("LengthFieldFrameEncoder.write() puts the length in front as Netty's LengthFieldPrepender does", () => {
  assertEquals(header({}), [0, 0, 1, 44]);
  assertEquals(header({ lengthFieldLength: 2 }), [1, 44]);
  assertEquals(header({ lengthFieldLength: 3 }), [0, 1, 44]);
  assertEquals(header({ lengthFieldLength: 8 }), [0, 0, 0, 0, 0, 0, 1, 44]);
  assertEquals(header({ littleEndian: true }), [44, 1, 0, 0]);
  assertEquals(header({ lengthIncludesLengthField: true }), [0, 0, 1, 48]);
  assertEquals(header({ lengthAdjustment: -44, lengthFieldLength: 2 }), [1, 0]);
  assertEquals(header({ lengthFieldLength: 1 }, new Uint8Array(255)), [255]);
});

Deno.test("LengthFieldFrameEncoder.write() refuses a length that does not fit", () => {
  assertThrows(
    () => header({ lengthFieldLength: 1 }),
    RangeError,
    "Cannot encode the frame: its length field would be 300, 1 bytes hold 0 to 255",
  );
  assertThrows(() => header({ lengthAdjustment: -301 }), RangeError, "would be -1");
  assertThrows(() => header({ maxFrameBytes: 299 }), RangeError, "its length 300 is above maxFrameBytes 299");
});

Deno.test("LengthFieldFrameEncoder() refuses options out of range", () => {
  for (const options of [{ maxFrameBytes: -1 }, { lengthFieldLength: 0 as 1 }, { lengthAdjustment: 0.5 }]) {
    assertThrows(
      () => new LengthFieldFrameEncoder(options),
      RangeError,
      "Cannot make the LengthFieldFrameEncoder",
    );
  }
});

Deno.test("LengthFieldFrameEncoder.write() passes messages through where the transport keeps them", () => {
  const channel = new EmbeddedChannel({ handlers: [new LengthFieldFrameEncoder()], keepsMessages: true });
  channel.writeOutbound(PAYLOAD, "text");
  assertEquals(channel.drainOutbound(), [PAYLOAD, "text"]);
});
