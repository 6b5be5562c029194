import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertLessOrEqual,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
// Another implementation, to compare with; nothing else needs it.
// deno-lint-ignore no-import-prefix
import { decode as decodeElsewhere, ExtensionCodec } from "npm:@msgpack/msgpack@3.1.2";
import { decodeMessagePack } from "../../handlers/_msgpack_decode.ts";
import { encodeMessagePack } from "../../handlers/_msgpack_encode.ts";
import { DecodeError, Heartbeat, MessagePackCodec, MessagePackExtension } from "../../handlers/mod.ts";
import { EmbeddedChannel } from "../../pipeline/mod.ts";
import { Collector } from "../handlers/_rig.ts";
import { countAllocations } from "./_allocations.ts";
import { MESSAGES } from "./corpus/message_pack.ts";
import { anyValue, anyWritten, checkSame } from "./_message_pack_values.ts";
import { anyDamage, bytesOf, damaged, join } from "./_wire.ts";

const MAX_DEPTH = 64;
const PROTOTYPE_KEYS = Reflect.ownKeys(Object.prototype);

/** What a codec hands on, or the error with which it drops the link. */
function outcomeOf(bytes: Uint8Array): { readonly value: unknown } | { readonly error: DecodeError } {
  const codec = new MessagePackCodec();
  const end = new Collector();
  const channel = new EmbeddedChannel({ handlers: [codec, end] });
  channel.writeInbound(bytes);
  const passed = channel.drainInbound();
  assertEquals(passed.length + codec.errors, 1);
  assertEquals(end.take("linkDown").map(({ reason }) => reason), codec.errors === 1 ? ["protocol"] : []);
  if (codec.errors === 0) return { value: passed[0] };
  const [error] = end.errors;
  assertInstanceOf(error, DecodeError);
  return { error };
}

/** The value, or undefined where the bytes are refused; anything but a DecodeError goes on. */
function decoded(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return { value: decodeMessagePack(bytes, MAX_DEPTH) };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** What was decoded is written, read and written again as the same. */
function checkStable(value: unknown): void {
  const bytes = encodeMessagePack(value, MAX_DEPTH);
  const again = decodeMessagePack(bytes, MAX_DEPTH);
  checkSame(again, value);
  assertEquals(encodeMessagePack(again, MAX_DEPTH), bytes);
}

/** Objects are plain, with properties of their own only, and nobody else's have changed. */
function checkUnpolluted(value: unknown): void {
  assertEquals(Reflect.ownKeys(Object.prototype), PROTOTYPE_KEYS);
  if (Array.isArray(value)) return value.forEach(checkUnpolluted);
  if (typeof value !== "object" || value === null) return;
  if (value instanceof Uint8Array) {
    assertStrictEquals(Object.getPrototypeOf(value), Uint8Array.prototype);
  } else if (
    !(value instanceof Date || value instanceof MessagePackExtension || value instanceof Heartbeat)
  ) {
    assertStrictEquals(Object.getPrototypeOf(value), Object.prototype);
    Object.values(value).forEach(checkUnpolluted);
  }
}

for (const entry of MESSAGES) {
  Deno.test(`MessagePackCodec corpus: ${entry.what}`, () => {
    const outcome = outcomeOf(bytesOf(entry.hex));
    if ("refused" in entry) {
      assert("error" in outcome);
      assertStringIncludes(outcome.error.message, entry.refused);
      return;
    }
    assert("value" in outcome);
    checkSame(outcome.value, entry.value);
    if (entry.value === 0) assert(Object.is(outcome.value, entry.value)); // which sign it has
    checkUnpolluted(outcome.value);
    checkStable(outcome.value);
  });
}

Deno.test("MessagePackCodec.channelRead() makes properties of an object's own of names that all objects have", () => {
  for (const name of Object.getOwnPropertyNames(Object.prototype)) {
    const key = encodeMessagePack(name, MAX_DEPTH);
    const outcome = decoded(join([[0x81], key, [0x81], key, [7]]));
    if (name === "__proto__") {
      assertEquals(outcome, undefined);
      continue;
    }
    const value = outcome!.value as Record<string, Record<string, unknown>>;
    assertEquals([Object.hasOwn(value, name), Object.hasOwn(value[name]!, name)], [true, true]);
    assertEquals(value[name]![name], 7);
    checkUnpolluted(value);
    checkStable(value);
  }
});

Deno.test("MessagePackCodec.channelRead() decodes or refuses any first byte, whatever follows", () => {
  const seconds = [0x00, 0x01, 0x02, 0x05, 0x0d, 0x4c, 0x7f, 0x80, 0x90, 0xa1, 0xc0, 0xc1, 0xdd, 0xff];
  const rests = [[], [0], [0xff, 0xff, 0xff], new Array(20).fill(0)];
  for (let first = 0; first < 256; first++) {
    let accepted = 0;
    for (const second of seconds) {
      for (const rest of rests) {
        const outcome = decoded(Uint8Array.of(first, second, ...rest));
        if (outcome === undefined) continue;
        accepted++;
        checkStable(outcome.value);
      }
    }
    if (first === 0xc1) assertEquals(accepted, 0);
    assertEquals(decoded(Uint8Array.of(first)) !== undefined, isWhole(first));
  }
});

/** Whether this byte is a value by itself. */
function isWhole(byte: number): boolean {
  return byte <= 0x80 || byte === 0x90 || byte === 0xa0 || byte >= 0xe0 || [0xc0, 0xc2, 0xc3].includes(byte);
}

Deno.test("MessagePackCodec.channelRead() reads a value in whatever way it was written", () => {
  fc.assert(
    fc.property(anyWritten, ({ value, bytes }) => {
      const outcome = decoded(bytes);
      checkSame(outcome?.value, value);
      checkUnpolluted(outcome?.value);
      checkStable(value);
    }),
    { seed: 601, numRuns: 1500 },
  );
});

Deno.test("MessagePackCodec.channelRead() hands on nothing that is part of the bytes that came", () => {
  fc.assert(
    fc.property(anyWritten, ({ value, bytes }) => {
      const chunk = join([[1, 2, 3], bytes, [0xc0]]);
      const view = chunk.subarray(3, 3 + bytes.length);
      const received = decodeMessagePack(view, MAX_DEPTH);
      chunk.fill(0xc1);
      checkSame(received, value);
    }),
    { seed: 602, numRuns: 300 },
  );
});

Deno.test("MessagePackCodec() carries what an application writes", () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const channel = new EmbeddedChannel({ handlers: [new MessagePackCodec()] });
      channel.writeOutbound(value);
      const bytes = channel.readOutbound() as Uint8Array;
      channel.writeInbound(bytes);
      checkSame(channel.readInbound(), value);
      checkStable(value);
    }),
    { seed: 603, numRuns: 700 },
  );
});

Deno.test("MessagePackCodec.channelRead() decodes or refuses what was damaged", () => {
  let [read, refused] = [0, 0];
  fc.assert(
    fc.property(anyWritten, anyDamage, ({ bytes }, damages) => {
      const outcome = decoded(damaged(bytes, damages));
      if (outcome === undefined) {
        refused++;
        return;
      }
      read++;
      checkUnpolluted(outcome.value);
      checkStable(outcome.value);
    }),
    { seed: 604, numRuns: 5000 },
  );
  // Both were tried.
  assertLess(500, Math.min(read, refused));
});

Deno.test("MessagePackCodec.channelRead() refuses every beginning of a value", () => {
  fc.assert(
    fc.property(anyWritten, ({ bytes }) => {
      for (let to = 0; to < bytes.length; to++) assertEquals(decoded(bytes.subarray(0, to)), undefined);
      assertEquals(decoded(join([bytes, [0xc0]])), undefined);
    }),
    { seed: 605, numRuns: 100 },
  );
});

Deno.test("MessagePackCodec.channelRead() allocates for what is there and not for what is announced", () => {
  const liar = fc.tuple(
    fc.constantFrom("db", "c6", "c9", "dd", "df", "da", "c5", "c8", "dc", "de"),
    fc.constantFrom("ff ff ff ff", "7f ff ff ff", "00 10 00 00", "00 00 01 00"),
    fc.uint8Array({ maxLength: 40 }),
  ).map(([token, length, rest]) => join([bytesOf(token + length), rest]));
  const nested = fc.array(liar, { minLength: 1, maxLength: 4 }).map((liars) =>
    join([[0x90 + liars.length], ...liars])
  );
  const bytes = fc.oneof(
    liar,
    nested,
    fc.tuple(anyWritten, anyDamage).map(([{ bytes }, damages]) => damaged(bytes, damages)),
    anyWritten.map(({ bytes }) => bytes),
  );
  fc.assert(
    fc.property(bytes, (message) => {
      const { bytes, largest, slots } = countAllocations(() => decoded(message));
      assertLessOrEqual(largest, message.length);
      // Each byte is copied once, and into the data of an ext once more; a heartbeat's or date's parts are few.
      assertLessOrEqual(bytes, 2 * message.length);
      // A map has a list of its keys and one of its values.
      assertLessOrEqual(slots, 2 * message.length);
    }),
    { seed: 606, numRuns: 1500 },
  );
});

Deno.test("MessagePackCodec.channelRead() keeps a long text in about its own size", () => {
  // Added up character by character, a text kept 32 bytes for each of its own until somebody looked at it.
  const message = join([bytesOf("db 00 0f fe 00"), new Uint8Array(0xffe00).fill(0x61)]);
  const before = Deno.memoryUsage().heapUsed;
  const texts = Array.from({ length: 16 }, () => decodeMessagePack(message, MAX_DEPTH));
  const grown = Deno.memoryUsage().heapUsed - before;
  assertLess(grown, 4 * texts.length * message.length);
  assertEquals(texts.map((text) => (text as string).length), texts.map(() => 0xffe00));
});

Deno.test("MessagePackCodec() nests as deep as 512 both ways, and no message makes it run out of stack", () => {
  for (const [open, close] of [["91", "c0"], ["81a161", "c0"], ["dd00000001", "90"]] as const) {
    for (const levels of [513, 10_000, 100_000]) {
      const bytes = bytesOf(open.repeat(levels) + close);
      assertThrows(() => decodeMessagePack(bytes, 512), DecodeError, "nested deeper than maxDepth 512");
    }
  }
  const deepest = decodeMessagePack(bytesOf("91".repeat(512) + "c0"), 512);
  assertEquals(encodeMessagePack(deepest, 512), bytesOf("91".repeat(512) + "c0"));
  let tower: unknown = [];
  for (let i = 0; i < 100_000; i++) tower = i % 2 === 0 ? [tower] : { a: tower };
  assertThrows(() => encodeMessagePack(tower, 512), TypeError, "nested deeper than maxDepth");
});

/** MessagePack as another library reads it, in our terms. */
function elsewhere(bytes: Uint8Array): unknown {
  return ours(
    decodeElsewhere(bytes, { useBigInt64: true, extensionCodec: EXTENSIONS, mapKeyConverter: keyOf }),
  );
}

/** Keys of 64 bits are refused there, and all that we refuse as well. */
function keyOf(key: unknown): string | number {
  if (typeof key === "string" || typeof key === "number") return key;
  if (typeof key === "bigint") return String(key);
  throw new TypeError(`Cannot take the key: ${key}`);
}

const EXTENSIONS = new ExtensionCodec();
for (let type = -128; type < 128; type++) {
  const decode = (data: Uint8Array) => new MessagePackExtension(type, data.slice());
  // The library's own timestamp stays, as that is what is to be compared.
  if (type !== -1) EXTENSIONS.register({ type, encode: () => null, decode });
}

function ours(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(ours);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, ours(item)]));
}

/** Dates and heartbeats are ours alone; of a text that is no UTF-8 the other library makes something else. */
function isComparable(value: unknown): boolean {
  if (typeof value === "string") return !value.includes("\uFFFD");
  if (Array.isArray(value)) return value.every(isComparable);
  if (typeof value !== "object" || value === null) return true;
  if (value instanceof Date || value instanceof Heartbeat) return false;
  // A timestamp of a length that is none stays as it is here, and is an error there.
  if (value instanceof MessagePackExtension) return value.type !== -1;
  return Object.getPrototypeOf(value) !== Object.prototype ||
    Object.entries(value).flat().every(isComparable);
}

Deno.test("MessagePackCodec.channelRead() reads what @msgpack/msgpack reads, from any bytes", () => {
  let compared = 0;
  const bytes = fc.oneof(
    anyWritten.map(({ bytes }) => bytes),
    fc.tuple(anyWritten, anyDamage).map(([{ bytes }, damages]) => damaged(bytes, damages)),
    fc.uint8Array({ maxLength: 12 }),
  );
  fc.assert(
    fc.property(bytes, (bytes) => {
      const outcome = decoded(bytes);
      if (outcome === undefined || !isComparable(outcome.value)) return;
      compared++;
      checkSame(outcome.value, elsewhere(bytes));
    }),
    { seed: 607, numRuns: 3000 },
  );
  assertLess(700, compared);
});

Deno.test("MessagePackCodec.channelRead() refuses what @msgpack/msgpack refuses, and more only for a reason of its own", () => {
  const reasons = /a map's key|maxDepth|a map has the key|its data must have/;
  fc.assert(
    fc.property(anyWritten, anyDamage, ({ bytes }, damages) => {
      const broken = damaged(bytes, damages);
      let refusal = "";
      try {
        decodeMessagePack(broken, MAX_DEPTH);
      } catch (error) {
        refusal = (error as Error).message;
      }
      if (refusal === "" || reasons.test(refusal)) return;
      assertThrows(() => elsewhere(broken));
    }),
    { seed: 608, numRuns: 3000 },
  );
});

Deno.test("MessagePackCodec() agrees with @msgpack/msgpack on timestamps", () => {
  const timestamp = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }).map((data) => join([[0xd6, 0xff], data])),
    fc.uint8Array({ minLength: 8, maxLength: 8 }).map((data) => join([[0xd7, 0xff], data])),
    fc.tuple(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.bigInt({ min: -(2n ** 43n), max: 2n ** 43n }))
      .map(
        ([nanoseconds, seconds]) => {
          const data = new DataView(new ArrayBuffer(8));
          data.setBigInt64(0, seconds);
          return join([[0xc7, 12, 0xff], nanoseconds, new Uint8Array(data.buffer)]);
        },
      ),
  );
  fc.assert(
    fc.property(timestamp, (bytes) => {
      const [mine, other] = [decodeMessagePack(bytes, MAX_DEPTH), elsewhere(bytes)];
      assertInstanceOf(mine, Date);
      assertInstanceOf(other, Date);
      // It rounds parts of a millisecond otherwise; a date that cannot be is NaN with both.
      const apart = Math.abs(mine.getTime() - other.getTime());
      assert(apart <= 1 || Number.isNaN(mine.getTime()) && Number.isNaN(other.getTime()));
    }),
    { seed: 609, numRuns: 500 },
  );
});
