import fc from "fast-check";

/** The bytes of a text like `c7 06 4c`. */
export function bytesOf(hex: string): Uint8Array {
  const digits = hex.replaceAll(" ", "");
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

/** The reverse of {@linkcode bytesOf}, as the corpus writes it. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Joins parts to a stream. */
export function join(parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const stream = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    stream.set(part, at);
    at += part.length;
  }
  return stream;
}

/** The ways in which the network may cut a stream: lengths of chunks, used in turn. */
export const anyCuts: fc.Arbitrary<readonly number[]> = fc.oneof(
  fc.constant([1]),
  fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
);

/** Cuts a stream. Each chunk is a view of a larger one, as sockets make them. */
export function cut(stream: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, i = 0; at < stream.length; i++) {
    const to = Math.min(at + lengths[i % lengths.length]!, stream.length);
    chunks.push(join([[0xde, 0xad], stream.subarray(at, to), [0xbe, 0xef]]).subarray(2, 2 + to - at));
    at = to;
  }
  return chunks;
}

/** One thing that may happen to bytes; places are parts of the whole, from 0 to 1. */
export type Damage =
  | { readonly kind: "flip"; readonly at: number; readonly bit: number }
  | { readonly kind: "set"; readonly at: number; readonly byte: number }
  | { readonly kind: "truncate"; readonly at: number }
  | { readonly kind: "insert"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "copy"; readonly from: number; readonly to: number; readonly at: number };

const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
/** Bytes that mean something to some decoder. */
const telling = fc.constantFrom(
  ...[
    0x00,
    0x01,
    0x7f,
    0x80,
    0x8f,
    0x90,
    0x9f,
    0xa0,
    0xbf,
    0xc0,
    0xc1,
    0xc4,
    0xc7,
    0xc9,
    0xcf,
    0xd3,
    0xd4,
    0xdb,
  ],
  ...[0xdd, 0xdf, 0xe0, 0xff, 0x06, 0x0d, 0x4c],
);

/** Flipped bits, other bytes, truncation, insertions and splices, up to four of them. */
export const anyDamage: fc.Arbitrary<readonly Damage[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("flip" as const), at: place, bit: fc.nat(7) }),
    fc.record({ kind: fc.constant("set" as const), at: place, byte: fc.oneof(telling, fc.nat(255)) }),
    fc.record({ kind: fc.constant("truncate" as const), at: place }),
    fc.record({ kind: fc.constant("insert" as const), at: place, bytes: fc.uint8Array({ maxLength: 6 }) }),
    fc.record({ kind: fc.constant("copy" as const), from: place, to: place, at: place }),
  ),
  { minLength: 1, maxLength: 4 },
);

/** Damages a copy. */
export function damaged(bytes: Uint8Array, damages: readonly Damage[]): Uint8Array {
  let result: Uint8Array = bytes.slice();
  for (const damage of damages) {
    if (result.length === 0) break;
    const index = (part: number) => Math.floor(part * result.length);
    switch (damage.kind) {
      case "flip":
        result[index(damage.at)]! ^= 1 << damage.bit;
        break;
      case "set":
        result[index(damage.at)] = damage.byte;
        break;
      case "truncate":
        result = result.slice(0, index(damage.at));
        break;
      case "insert":
        result = join([result.slice(0, index(damage.at)), damage.bytes, result.slice(index(damage.at))]);
        break;
      case "copy": {
        const part = result.slice(index(damage.from), index(damage.to));
        result = join([result.slice(0, index(damage.at)), part, result.slice(index(damage.at))]);
      }
    }
  }
  return result;
}
