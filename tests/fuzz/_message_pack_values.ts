import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Heartbeat, MAX_HEARTBEAT_TIME_MS, MessagePackExtension } from "../../handlers/mod.ts";
import { join } from "./_wire.ts";

/** A value, and bytes that mean it: of all the ways to write it, any. */
export interface Written {
  readonly value: unknown;
  readonly bytes: Uint8Array;
}

function bigEndian(value: bigint | number, size: number): number[] {
  return Array.from({ length: size }, (_, i) => Number(BigInt(value) >> BigInt(8 * (size - 1 - i)) & 0xffn));
}

/** A form of the family that is no shorter than it must be; `wish` picks which. */
function header(
  length: number,
  wish: number,
  fix: readonly [number, number] | undefined,
  tokens: readonly number[],
): number[] {
  const forms: number[][] = [];
  if (fix !== undefined && length < fix[1]) forms.push([fix[0] + length]);
  const sizes = tokens.length === 3 ? [1, 2, 4] : [2, 4];
  for (const [i, size] of sizes.entries()) {
    if (length < 2 ** (8 * size)) forms.push([tokens[i]!, ...bigEndian(length, size)]);
  }
  return forms[wish % forms.length]!;
}

const wish = fc.nat(3);
const utf8 = new TextEncoder();

function writtenText(text: string, wish: number): Written {
  const bytes = utf8.encode(text);
  return { value: text, bytes: join([header(bytes.length, wish, [0xa0, 32], [0xd9, 0xda, 0xdb]), bytes]) };
}

/** Text of whole characters, short and long, and names that an object inherits, but for the one that is refused. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    "constructor",
    "toString",
    "hasOwnProperty",
    "prototype",
    "_isUint64BE",
    "\uFEFF",
    "0",
    "-1",
    "length",
  ),
).filter((text) => text !== "__proto__");

const text = fc.tuple(anyText, wish).map(([value, wish]) => writtenText(value, wish));

const INTEGERS: readonly [token: number, size: number, isSigned: boolean][] = [
  [0xcc, 1, false],
  [0xcd, 2, false],
  [0xce, 4, false],
  [0xcf, 8, false],
  [0xd0, 1, true],
  [0xd1, 2, true],
  [0xd2, 4, true],
  [0xd3, 8, true],
];

const integer = fc.tuple(
  fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.bigInt({ min: -200n, max: 200n }),
    fc.tuple(
      fc.constantFrom(7n, 8n, 15n, 16n, 31n, 32n, 53n, 63n),
      fc.bigInt({ min: -2n, max: 2n }),
      fc.boolean(),
    ).map(
      ([bits, near, isNegative]) =>
        isNegative ? -(2n ** bits) + (near < 0n && bits === 63n ? 0n : near) : 2n ** bits + near,
    ),
  ),
  fc.nat(7),
).map(([exact, wish]): Written => {
  const forms = INTEGERS.filter(([, size, isSigned]) => {
    const bits = BigInt(8 * size);
    return isSigned
      ? exact >= -(2n ** (bits - 1n)) && exact < 2n ** (bits - 1n)
      : exact >= 0n && exact < 2n ** bits;
  }).map(([token, size]) => [token, ...bigEndian(exact, size)]);
  if (exact >= -32n && exact < 128n) forms.push([Number(exact & 0xffn)]);
  const value = exact >= Number.MIN_SAFE_INTEGER && exact <= Number.MAX_SAFE_INTEGER ? Number(exact) : exact;
  return { value, bytes: Uint8Array.from(forms[wish % forms.length]!) };
});

const float = fc.tuple(fc.double(), fc.boolean()).map(([value, isShort]): Written => {
  const view = new DataView(new ArrayBuffer(9));
  view.setUint8(0, isShort ? 0xca : 0xcb);
  if (isShort) view.setFloat32(1, value);
  else view.setFloat64(1, value);
  return {
    value: isShort ? Math.fround(value) : value,
    bytes: new Uint8Array(view.buffer).subarray(0, isShort ? 5 : 9),
  };
});

const constant = fc.constantFrom<Written>(
  { value: null, bytes: Uint8Array.of(0xc0) },
  { value: false, bytes: Uint8Array.of(0xc2) },
  { value: true, bytes: Uint8Array.of(0xc3) },
);

const binary = fc.tuple(fc.uint8Array({ maxLength: 300 }), wish).map(([value, wish]): Written => ({
  value,
  bytes: join([header(value.length, wish, undefined, [0xc4, 0xc5, 0xc6]), value]),
}));

/** The ways to write an ext of this length. */
function writtenExt(type: number, data: Uint8Array, wish: number): Uint8Array {
  const fixed = [1, 2, 4, 8, 16].indexOf(data.length);
  if (fixed >= 0 && wish === 3) return join([[0xd4 + fixed, type & 0xff], data]);
  return join([header(data.length, wish, undefined, [0xc7, 0xc8, 0xc9]), [type & 0xff], data]);
}

const extension = fc.tuple(
  fc.integer({ min: -128, max: 127 }).filter((type) => ![-1, 0x0d, 0x4c].includes(type)),
  fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(1, 2, 4, 8, 16).map((size) => new Uint8Array(size)),
  ),
  wish,
).map(([type, data, wish]): Written => ({
  value: new MessagePackExtension(type, data),
  bytes: writtenExt(type, data, wish),
}));

const date = fc.tuple(fc.oneof(integer, float), wish).map(([{ value, bytes }, wish]): Written => ({
  value: new Date(Number(value)),
  bytes: writtenExt(0x0d, bytes, wish),
}));

export const anyHeartbeat: fc.Arbitrary<Heartbeat> = fc.record({
  code: fc.nat(15),
  timeMs: fc.integer({ min: 0, max: MAX_HEARTBEAT_TIME_MS }),
  sequence: fc.nat(511),
  acknowledgement: fc.nat(65_535),
  hasAcknowledgement: fc.boolean(),
}).map(({ code, ...fields }) => new Heartbeat(code, fields));

/** Any message, in any of the ways in which it may be written. */
export const anyWritten: fc.Arbitrary<Written> = fc.letrec<{ value: Written }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    constant,
    integer,
    float,
    text,
    binary,
    extension,
    date,
    fc.tuple(fc.array(tie("value"), { maxLength: 5 }), wish).map(([items, wish]): Written => ({
      value: items.map(({ value }) => value),
      bytes: join([header(items.length, wish, [0x90, 16], [0xdc, 0xdd]), ...items.map(({ bytes }) => bytes)]),
    })),
    fc.tuple(fc.array(fc.tuple(fc.oneof(text, integer), tie("value")), { maxLength: 5 }), wish).map(
      ([entries, wish]): Written => {
        const value: Record<string, unknown> = {};
        for (const [key, item] of entries) value[String(key.value)] = item.value;
        const parts = entries.flatMap(([key, item]) => [key.bytes, item.bytes]);
        return { value, bytes: join([header(entries.length, wish, [0x80, 16], [0xde, 0xdf]), ...parts]) };
      },
    ),
  ),
})).value;

/** Anything that an application may write and that arrives as it was. */
export const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  anyWritten.map(({ value }) => value),
  fc.array(anyWritten.map(({ value }) => value), { maxLength: 20 }),
  anyHeartbeat,
  fc.dictionary(anyText, anyHeartbeat, { maxKeys: 3, noNullPrototype: true }),
);

/** Compares values whose own keys may be called `constructor`, which assertEquals() would take for their class. */
export function checkSame(actual: unknown, expected: unknown): void {
  assertEquals(withMaps(actual), withMaps(expected));
}

function withMaps(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withMaps);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    return value;
  }
  return new Map(Object.entries(value).map(([key, item]) => [key, withMaps(item)]));
}
