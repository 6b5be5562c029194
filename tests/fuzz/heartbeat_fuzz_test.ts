import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  DecodeError,
  Heartbeat,
  HeartbeatDecoder,
  HeartbeatEncoder,
  type HeartbeatFormat,
  messagePackFormat,
  rawFormat,
} from "../../handlers/mod.ts";
import { EmbeddedChannel } from "../../pipeline/mod.ts";
import { Collector } from "../handlers/_rig.ts";
import { countAllocations } from "./_allocations.ts";
import { HEARTBEATS } from "./corpus/heartbeats.ts";
import { anyHeartbeat } from "./_message_pack_values.ts";
import { anyDamage, bytesOf, damaged, join } from "./_wire.ts";

const format = messagePackFormat();

/** All formats, with a name for the test's. */
const FORMATS: Readonly<Record<string, HeartbeatFormat>> = {
  "messagePackFormat()": format,
  "rawFormat() of bytes": rawFormat({ ping: Uint8Array.of(0xc0, 0), pong: Uint8Array.of(0xd0, 0) }),
  "rawFormat() of text": rawFormat({ ping: "ping", pong: "pong" }),
  "rawFormat() without a pong": rawFormat({ ping: Uint8Array.of(0) }),
};

for (const entry of HEARTBEATS) {
  Deno.test(`messagePackFormat() corpus: ${entry.what}`, () => {
    const bytes = bytesOf(entry.hex);
    if ("refused" in entry) {
      assertThrows(() => format.decode(bytes), DecodeError, entry.refused);
      return;
    }
    const heartbeat = "heartbeat" in entry ? entry.heartbeat : undefined;
    assertEquals(format.decode(bytes), heartbeat);
    if (heartbeat !== undefined) assertEquals(format.decode(format.encode(heartbeat)), heartbeat);
  });
}

/** What looks like a heartbeat, or nearly. */
const anyMessage = fc.oneof(
  anyHeartbeat.map((heartbeat) => format.encode(heartbeat) as Uint8Array),
  fc.tuple(anyHeartbeat, anyDamage).map(([heartbeat, damages]) =>
    damaged(format.encode(heartbeat) as Uint8Array, damages)
  ),
  fc.tuple(fc.constantFrom("c7", "c8", "c9", "d4", "d8", "c0", "d0", "00"), fc.uint8Array({ maxLength: 12 }))
    .map(
      ([first, rest]) => join([bytesOf(first), rest]),
    ),
  fc.constantFrom("ping", "pong", "", "pin", "\u0000"),
  fc.constantFrom(null, undefined, 0, 76, {}, [], new ArrayBuffer(9), new Date(0), new Heartbeat("hold")),
);

for (const [name, format] of Object.entries(FORMATS)) {
  Deno.test(`${name} meets any message with a heartbeat, undefined or a DecodeError, and reads what it wrote`, () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const { result, bytes } = countAllocations(() => {
          try {
            return format.decode(message);
          } catch (error) {
            assertInstanceOf(error, DecodeError);
            assertEquals(error.subject, "heartbeat");
            return undefined;
          }
        });
        assertEquals(bytes, 0);
        if (result === undefined) return;
        assertInstanceOf(result, Heartbeat);
        assert(format.kinds.includes(result.kind));
        assertEquals(format.decode(format.encode(result)), result);
      }),
      { seed: 701, numRuns: 1000 },
    );
  });

  Deno.test(`${name} carries each kind that it names, and no other`, () => {
    fc.assert(
      fc.property(anyHeartbeat, (heartbeat) => {
        const message = format.encode(heartbeat);
        assertEquals(message !== undefined, format.kinds.includes(heartbeat.kind));
        if (message === undefined) return;
        const expected = format.carriesFields ? heartbeat : new Heartbeat(heartbeat.code);
        assertEquals(format.decode(message), expected);
      }),
      { seed: 702, numRuns: 300 },
    );
  });

  Deno.test(`HeartbeatDecoder.channelRead() passes on, decodes or refuses any message in ${name}`, () => {
    const encoder = new HeartbeatEncoder({ format });
    fc.assert(
      fc.property(anyMessage, (message) => {
        const decoder = new HeartbeatDecoder({ format });
        const end = new Collector();
        const channel = new EmbeddedChannel({ handlers: [decoder, encoder, end] });
        channel.writeInbound(message);
        const passed = channel.drainInbound();
        assertEquals(passed.length + decoder.errors + decoder.unknownKinds, 1);
        assertEquals(channel.isActive, decoder.errors === 0);
        assertEquals(
          end.errors.map((error) => error instanceof DecodeError),
          decoder.errors === 0 ? [] : [true],
        );
        if (passed.length === 1 && !(passed[0] instanceof Heartbeat)) assertEquals(passed[0], message);
      }),
      { seed: 703, numRuns: 500 },
    );
  });
}

Deno.test("messagePackFormat() means something else with every bit that is flipped, but for the spare one", () => {
  fc.assert(
    fc.property(anyHeartbeat, (heartbeat) => {
      const bytes = format.encode(heartbeat) as Uint8Array;
      for (let bit = 0; bit < 48; bit++) {
        const other = bytes.slice();
        other[3 + (bit >> 3)]! ^= 0x80 >> (bit & 7);
        const decoded = format.decode(other)!;
        const isSame = JSON.stringify(decoded) === JSON.stringify(heartbeat);
        assertEquals(isSame, bit === 47);
        assertEquals(format.encode(decoded), bit === 47 ? bytes : other);
      }
    }),
    { seed: 704, numRuns: 100 },
  );
});
