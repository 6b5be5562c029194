import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DecodeError } from "../../../handlers/errors.ts";
import { Heartbeat, MAX_HEARTBEAT_TIME_MS } from "../../../handlers/heartbeat/heartbeat.ts";
import { messagePackFormat } from "../../../handlers/heartbeat/message_pack_format.ts";
import { VarintFrameEncoder } from "../../../handlers/varint_frame_encoder.ts";
import { EmbeddedChannel } from "../../../pipeline/mod.ts";

const format = messagePackFormat();

Deno.test("messagePackFormat() carries any heartbeat there and back in 9 bytes", () => {
  const any = fc.record({
    code: fc.nat(15),
    timeMs: fc.integer({ min: 0, max: MAX_HEARTBEAT_TIME_MS }),
    sequence: fc.nat(511),
    acknowledgement: fc.nat(65_535),
    hasAcknowledgement: fc.boolean(),
  });
  fc.assert(
    fc.property(any, ({ code, ...fields }) => {
      const heartbeat = new Heartbeat(code, fields);
      const bytes = format.encode(heartbeat) as Uint8Array;
      assertEquals(bytes.length, 9);
      assertEquals(format.decode(bytes), heartbeat);
    }),
    { seed: 1, numRuns: 1000 },
  );
});

Deno.test("messagePackFormat() lays the bits out as kind 4, time 17, sequence 9, acknowledgement 16, is one 1, spare 1", () => {
  const fields = fc.tuple(fc.nat(15), fc.nat(2 ** 17 - 1), fc.nat(511), fc.nat(65_535), fc.boolean());
  fc.assert(
    fc.property(fields, ([code, tenths, sequence, acknowledgement, hasAcknowledgement]) => {
      const isOne = Number(hasAcknowledgement);
      const bits = [[code, 4], [tenths, 17], [sequence, 9], [acknowledgement, 16], [isOne, 1], [
        0,
        1,
      ]] as const;
      const data = bits.map(([value, width]) => value.toString(2).padStart(width, "0")).join("");
      const bytes = format.encode(
        new Heartbeat(code, { timeMs: tenths * 100, sequence, acknowledgement, hasAcknowledgement }),
      ) as Uint8Array;
      assertEquals([...bytes.subarray(0, 3)], [0xc7, 6, 0x4c]);
      assertEquals([...bytes.subarray(3)].map((byte) => byte.toString(2).padStart(8, "0")).join(""), data);
    }),
    { seed: 2 },
  );
});

Deno.test("messagePackFormat() agrees with the worked examples of docs/protocol.md", async () => {
  const page = await Deno.readTextFile(new URL("../../../docs/protocol.md", import.meta.url));
  const row =
    /^\| `(ping|pong|hold|void|hello|scout|goAway|advice|\d+)` +\| ([\d.]+) s +\| (\d+) +\| (\d+) +\| ([01]) +\| `([0-9a-f ]+)` +\|$/gm;
  const examples = [...page.matchAll(row)];
  const kinds = new Set(examples.map(([, kind]) => kind));
  for (const kind of ["ping", "pong", "hold", "void", "hello", "scout", "goAway", "advice"]) {
    assert(kinds.has(kind), kind);
  }
  assertEquals(new Set(format.kinds), new Set([...Array(16).keys()].map((code) => new Heartbeat(code).kind)));
  for (const [, kind, seconds, sequence, acknowledgement, isOne, hex] of examples) {
    const heartbeat = new Heartbeat(/^\d/.test(kind!) ? Number(kind) : kind as "ping", {
      timeMs: Math.round(Number(seconds) * 1000),
      sequence: Number(sequence),
      acknowledgement: Number(acknowledgement),
      hasAcknowledgement: isOne === "1",
    });
    const channel = new EmbeddedChannel({ handlers: [new VarintFrameEncoder()] });
    channel.writeOutbound(format.encode(heartbeat));
    const bytes = channel.readOutbound() as Uint8Array;
    assertEquals(Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" "), hex);
    assertEquals(format.decode(bytes.subarray(1)), heartbeat);
  }
});

Deno.test("messagePackFormat().decode() takes the answers that docs/protocol.md tells a small server to make", () => {
  const asked = { timeMs: 240_000, sequence: 500, acknowledgement: 40_000, hasAcknowledgement: true };
  const ping = format.encode(new Heartbeat("ping", asked)) as Uint8Array;
  const pong = Uint8Array.of(0xc7, 6, 0x4c, 0x10, 0, ping[5]! & 0x07, ping[6]! & 0xfc, 0, 0);
  assertEquals(format.decode(pong), new Heartbeat("pong", { sequence: 500 }));
  const refusal = Uint8Array.of(0xc7, 6, 0x4c, 0x30, 0, ping[5]! & 0x07 | 0x18, ping[6]! & 0xfc, 0, 0);
  assertEquals(format.decode(refusal), Heartbeat.void(500, "notServed"));
});

Deno.test("messagePackFormat().decode() ignores the one spare bit", () => {
  const bytes = format.encode(new Heartbeat("pong", { sequence: 3 })) as Uint8Array;
  bytes[8]! |= 1;
  assertEquals(format.decode(bytes), new Heartbeat("pong", { sequence: 3 }));
  bytes[8]! |= 2;
  assertEquals(format.decode(bytes), new Heartbeat("pong", { sequence: 3, hasAcknowledgement: true }));
});

Deno.test("messagePackFormat().decode() passes on what is no heartbeat", () => {
  const others = [
    "text",
    7,
    null,
    undefined,
    {},
    new Uint8Array(),
    Uint8Array.of(0xc7),
    Uint8Array.of(0xc7, 6),
  ];
  const ext = Uint8Array.of(0xc7, 6, 0x4d, 0, 0, 0, 0, 0, 0);
  for (const message of [...others, ext, Uint8Array.of(0xd4, 1, 0x4c), new Uint8Array(9)]) {
    assertEquals(format.decode(message), undefined);
  }
  const decoded = new Heartbeat("ping");
  assertStrictEquals(format.decode(decoded), decoded);
});

Deno.test("messagePackFormat().decode() refuses a heartbeat of another length", () => {
  const wrong: [number[], string][] = [
    [[0xc7, 6, 0x4c, 0, 0, 0, 0, 0], "it announces 6 and has 5"],
    [[0xc7, 6, 0x4c, 0, 0, 0, 0, 0, 0, 0], "it announces 6 and has 7"],
    [[0xc7, 5, 0x4c, 0, 0, 0, 0, 0, 0], "it announces 5 and has 6"],
    [[0xd7, 0x4c, 0, 0, 0, 0, 0, 0, 0, 0], "it is an ext of kind 0xd7 with 8"],
    [[0xc8, 0, 6, 0x4c, 0, 0, 0, 0, 0, 0], "it is an ext of kind 0xc8 with 6"],
  ];
  for (const [bytes, detail] of wrong) {
    assertThrows(
      () => format.decode(Uint8Array.from(bytes)),
      DecodeError,
      `its data must have 6 bytes, ${detail}`,
    );
  }
});

Deno.test("messagePackFormat().decode() takes what is longer than any heartbeat for a message", () => {
  assertEquals(format.decode(Uint8Array.from([0xc7, 16, 0x4c, ...new Array(16).fill(0)])), undefined);
});

Deno.test("messagePackFormat().decode() meets any bytes with a heartbeat, undefined or a DecodeError", () => {
  const anything = fc.tuple(
    fc.constantFrom([], [0xc7], [0xc7, 6, 0x4c], [0xd4, 0x4c]),
    fc.array(fc.nat(255), { maxLength: 9 }),
  );
  fc.assert(
    fc.property(anything, ([start, rest]) => {
      try {
        const decoded = format.decode(Uint8Array.from([...start, ...rest]));
        if (decoded !== undefined) assertInstanceOf(decoded, Heartbeat);
      } catch (error) {
        assertInstanceOf(error, DecodeError);
      }
    }),
    { seed: 5, numRuns: 1000 },
  );
});
