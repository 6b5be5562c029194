import { Heartbeat, MessagePackExtension } from "../../../handlers/mod.ts";

/** One message, and what a MessagePackCodec makes of it: a value, or an error whose message has this in it. */
export type MessageCase =
  | { readonly what: string; readonly hex: string; readonly value: unknown }
  | { readonly what: string; readonly hex: string; readonly refused: string };

const LIES: readonly MessageCase[] = [
  { what: "nothing", hex: "", refused: "needs 1 more bytes" },
  {
    what: "a str 32 that lies",
    hex: "db ff ff ff ff 61",
    refused: "needs 4294967295 more bytes at byte 5 and has 1",
  },
  { what: "a str 16 that lies", hex: "da ff ff 61", refused: "needs 65535 more bytes" },
  { what: "a bin 32 that lies", hex: "c6 ff ff ff ff 00", refused: "needs 4294967295 more bytes" },
  { what: "an ext 32 that lies", hex: "c9 ff ff ff ff 05 00", refused: "needs 4294967296 more bytes" },
  { what: "an array 32 that lies", hex: "dd ff ff ff ff c0", refused: "needs 4294967295 more bytes" },
  { what: "an array 16 that lies", hex: "dc ff ff c0", refused: "needs 65535 more bytes" },
  { what: "a map 32 that lies", hex: "df ff ff ff ff 01 02", refused: "needs 8589934590 more bytes" },
  {
    what: "a map 32 with half of what it announces",
    hex: "df 00 00 00 02 01 02",
    refused: "needs 4 more bytes",
  },
  {
    what: "an array 32 in an array 32, each as long as the rest",
    hex: "dd 00 00 00 06 dd 00 00 00 01 c0",
    refused: "more bytes",
  },
  { what: "half a length", hex: "dd 00 00", refused: "needs 4 more bytes" },
  { what: "half a float 64", hex: "cb 7f f0", refused: "needs 8 more bytes" },
  { what: "half a 64-bit integer", hex: "d3 80 00", refused: "needs 8 more bytes" },
  { what: "an ext without its type", hex: "c7 00", refused: "needs 1 more bytes" },
  { what: "two values", hex: "c0 c0", refused: "1 bytes follow the value of 1 bytes" },
  { what: "0xc1", hex: "c1", refused: "0xc1 at byte 0 begins no value" },
  { what: "0xc1 within an array", hex: "92 01 c1", refused: "0xc1 at byte 2 begins no value" },
];

const KEYS: readonly MessageCase[] = [
  { what: "the key __proto__", hex: "81 a9 5f 5f 70 72 6f 74 6f 5f 5f 80", refused: 'the key "__proto__"' },
  {
    what: "the key __proto__ as str 32",
    hex: "81 db 00 00 00 09 5f 5f 70 72 6f 74 6f 5f 5f 80",
    refused: 'the key "__proto__"',
  },
  {
    what: "the key __proto__ deep inside",
    hex: "91 81 a1 61 81 d9 09 5f 5f 70 72 6f 74 6f 5f 5f c0",
    refused: 'the key "__proto__"',
  },
  {
    what: "the key __proto__ in overlong UTF-8",
    hex: "81 aa c1 9f 5f 70 72 6f 74 6f 5f 5f c0",
    refused: "is no UTF-8",
  },
  {
    what: "the key __proto__ as a byte string",
    hex: "81 c4 09 5f 5f 70 72 6f 74 6f 5f 5f c0",
    refused: "a map's key must be",
  },
  {
    what: "the key [__proto__], whose text is the same",
    hex: "81 91 a9 5f 5f 70 72 6f 74 6f 5f 5f c0",
    refused: "a map's key must be",
  },
  {
    what: "the key constructor",
    hex: "81 ab 63 6f 6e 73 74 72 75 63 74 6f 72 07",
    value: { constructor: 7 },
  },
  {
    what: "the keys constructor.prototype",
    hex: "81 ab 63 6f 6e 73 74 72 75 63 74 6f 72 81 a9 70 72 6f 74 6f 74 79 70 65 01",
    value: { constructor: { prototype: 1 } },
  },
  { what: "the key toString", hex: "81 a8 74 6f 53 74 72 69 6e 67 c0", value: { toString: null } },
  {
    what: "the key length of an array's place",
    hex: "81 a6 6c 65 6e 67 74 68 ce ff ff ff ff",
    value: { length: 4294967295 },
  },
  { what: "a key twice: the last one counts", hex: "82 a1 61 01 a1 61 02", value: { a: 2 } },
  { what: "a string and an integer that are the same key", hex: "82 a1 31 01 01 02", value: { 1: 2 } },
  { what: "an integer key", hex: "82 01 c2 ff c3", value: { 1: false, "-1": true } },
  { what: "a 64-bit key", hex: "81 cf ff ff ff ff ff ff ff ff 01", value: { "18446744073709551615": 1 } },
  {
    what: "a negative 64-bit key",
    hex: "81 d3 80 00 00 00 00 00 00 00 01",
    value: { "-9223372036854775808": 1 },
  },
  { what: "an empty key", hex: "81 a0 01", value: { "": 1 } },
  { what: "a nil key", hex: "81 c0 01", refused: "a map's key must be a string or an integer, got 0xc0" },
  { what: "a boolean key", hex: "81 c3 01", refused: "got 0xc3" },
  { what: "a float key", hex: "81 cb 3f f0 00 00 00 00 00 00 01", refused: "got 0xcb" },
  { what: "a map as a key", hex: "81 80 01", refused: "got 0x80" },
  { what: "an ext as a key", hex: "81 d4 05 00 01", refused: "got 0xd4" },
  { what: "a key that is no UTF-8", hex: "81 a1 ff 01", refused: "is no UTF-8" },
  { what: "a map that ends after a key", hex: "81 a1 61", refused: "needs 1 more bytes at byte 3 and has 0" },
];

// What comes after a text that ends within a character belonged to the text, and took part in both.
const TEXT: readonly MessageCase[] = [
  { what: "a text that ends within a character, and a number", hex: "92 a1 f0 01", value: ["\uFFFD", 1] },
  {
    what: "a text that ends within a character, and a text",
    hex: "92 a2 61 e2 a2 82 ac",
    value: ["a\uFFFD", "\uFFFD\uFFFD"],
  },
  { what: "a text that ends within a character, at the end", hex: "a1 e2", value: "\uFFFD" },
  { what: "a lone continuation byte", hex: "a1 80", value: "\uFFFD" },
  { what: "overlong UTF-8", hex: "a2 c0 80", value: "\uFFFD\uFFFD" },
  { what: "half a surrogate pair in UTF-8", hex: "a3 ed a0 80", value: "\uFFFD\uFFFD\uFFFD" },
  { what: "beyond Unicode", hex: "a4 f7 bf bf bf", value: "\uFFFD\uFFFD\uFFFD\uFFFD" },
  { what: "a byte order mark", hex: "a4 ef bb bf 61", value: "\uFEFFa" },
  {
    what: "a byte order mark before a long text",
    hex: "b0 ef bb bf 61 61 61 61 61 61 61 61 61 61 61 61 61",
    value: "\uFEFFaaaaaaaaaaaaa",
  },
  { what: "a zero byte", hex: "a3 61 00 62", value: "a\0b" },
  { what: "four bytes a character", hex: "a4 f0 9f 98 80", value: "😀" },
  {
    what: "no UTF-8 late in a long text",
    hex: "ae 61 61 61 61 61 61 61 61 61 61 61 61 61 c3",
    value: "aaaaaaaaaaaaa\uFFFD",
  },
];

const NUMBERS: readonly MessageCase[] = [
  { what: "2^53 - 1 as uint 64", hex: "cf 00 1f ff ff ff ff ff ff", value: 2 ** 53 - 1 },
  { what: "2^53 as uint 64", hex: "cf 00 20 00 00 00 00 00 00", value: 2n ** 53n },
  { what: "2^53 + 1 as uint 64", hex: "cf 00 20 00 00 00 00 00 01", value: 2n ** 53n + 1n },
  { what: "2^63 as uint 64", hex: "cf 80 00 00 00 00 00 00 00", value: 2n ** 63n },
  { what: "2^64 - 1 as uint 64", hex: "cf ff ff ff ff ff ff ff ff", value: 2n ** 64n - 1n },
  { what: "0 as uint 64", hex: "cf 00 00 00 00 00 00 00 00", value: 0 },
  { what: "0 as int 64", hex: "d3 00 00 00 00 00 00 00 00", value: 0 },
  { what: "2^32 as int 64", hex: "d3 00 00 00 01 00 00 00 00", value: 2 ** 32 },
  { what: "-2^32 as int 64", hex: "d3 ff ff ff ff 00 00 00 00", value: -(2 ** 32) },
  { what: "-1 as int 64", hex: "d3 ff ff ff ff ff ff ff ff", value: -1 },
  { what: "-2^53 + 1 as int 64", hex: "d3 ff e0 00 00 00 00 00 01", value: -(2 ** 53) + 1 },
  { what: "-2^53 as int 64", hex: "d3 ff e0 00 00 00 00 00 00", value: -(2n ** 53n) },
  { what: "-2^53 - 1 as int 64", hex: "d3 ff df ff ff ff ff ff ff", value: -(2n ** 53n) - 1n },
  { what: "2^63 - 1 as int 64", hex: "d3 7f ff ff ff ff ff ff ff", value: 2n ** 63n - 1n },
  { what: "-2^63 as int 64", hex: "d3 80 00 00 00 00 00 00 00", value: -(2n ** 63n) },
  {
    what: "64 bits in an array with bytes",
    hex: "92 cf ff ff ff ff ff ff ff fe c4 01 07",
    value: [2n ** 64n - 2n, Uint8Array.of(7)],
  },
  { what: "-2^31 as int 32", hex: "d2 80 00 00 00", value: -(2 ** 31) },
  { what: "2^32 - 1 as uint 32", hex: "ce ff ff ff ff", value: 2 ** 32 - 1 },
  { what: "-32 in one byte", hex: "e0", value: -32 },
  { what: "NaN", hex: "cb 7f f8 00 00 00 00 00 00", value: NaN },
  { what: "a NaN that signals, in 32 bits", hex: "ca 7f a0 00 00", value: NaN },
  { what: "-Infinity", hex: "cb ff f0 00 00 00 00 00 00", value: -Infinity },
  { what: "-0", hex: "cb 80 00 00 00 00 00 00 00", value: -0 },
  { what: "the smallest float 64", hex: "cb 00 00 00 00 00 00 00 01", value: 5e-324 },
  { what: "the smallest float 32", hex: "ca 00 00 00 01", value: 2 ** -149 },
];

const EXTS: readonly MessageCase[] = [
  { what: "an ext that nobody knows", hex: "d4 05 07", value: new MessagePackExtension(5, Uint8Array.of(7)) },
  {
    what: "an ext of MessagePack's own future",
    hex: "c7 00 80",
    value: new MessagePackExtension(-128, new Uint8Array()),
  },
  { what: "an ext 16", hex: "c8 00 01 7f 09", value: new MessagePackExtension(127, Uint8Array.of(9)) },
  // msgpack-lite's preset would make an error, a regular expression, a boxed value of these.
  {
    what: "msgpack-lite's error",
    hex: "d4 0e c0",
    value: new MessagePackExtension(0x0e, Uint8Array.of(0xc0)),
  },
  {
    what: "msgpack-lite's regular expression",
    hex: "d6 0a 92 a1 2e a0",
    value: new MessagePackExtension(0x0a, Uint8Array.of(0x92, 0xa1, 0x2e, 0xa0)),
  },
  {
    what: "an ext whose data are no MessagePack",
    hex: "d4 0b c1",
    value: new MessagePackExtension(0x0b, Uint8Array.of(0xc1)),
  },
  { what: "a date", hex: "c7 09 0d cb 42 78 bc fe 56 87 b0 00", value: new Date(1_700_000_000_123) },
  {
    what: "a date without a number",
    hex: "c7 00 0d",
    value: new MessagePackExtension(0x0d, new Uint8Array()),
  },
  {
    what: "a date with two numbers",
    hex: "d5 0d 01 01",
    value: new MessagePackExtension(0x0d, Uint8Array.of(1, 1)),
  },
  { what: "a date with a map", hex: "d4 0d 80", value: new MessagePackExtension(0x0d, Uint8Array.of(0x80)) },
  {
    what: "a date with half a number",
    hex: "d5 0d cd 01",
    value: new MessagePackExtension(0x0d, Uint8Array.of(0xcd, 1)),
  },
  {
    what: "a date of a 64-bit integer beyond all dates",
    hex: "c7 09 0d cf ff ff ff ff ff ff ff ff",
    value: new Date(NaN),
  },
  { what: "a date of NaN", hex: "c7 09 0d cb 7f f8 00 00 00 00 00 00", value: new Date(NaN) },
  { what: "the last date", hex: "c7 09 0d cb 43 3e b2 08 c2 dc 00 00", value: new Date(8.64e15) },
  { what: "a timestamp of 32 bits", hex: "d6 ff ff ff ff ff", value: new Date(4_294_967_295_000) },
  {
    what: "a timestamp of 64 bits, all ones",
    hex: "d7 ff ff ff ff ff ff ff ff ff",
    value: new Date((2 ** 34 - 1) * 1000 + 1073),
  },
  {
    what: "a timestamp of 96 bits beyond all dates",
    hex: "c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff",
    value: new Date(NaN),
  },
  {
    what: "a timestamp of 96 bits before 1970",
    hex: "c7 0c ff 00 0f 42 40 ff ff ff ff ff ff ff ff",
    value: new Date(-999),
  },
  {
    what: "a timestamp of 5 bytes",
    hex: "c7 05 ff 01 02 03 04 05",
    value: new MessagePackExtension(-1, Uint8Array.of(1, 2, 3, 4, 5)),
  },
  {
    what: "a heartbeat within a message",
    hex: "91 c7 06 4c 10 00 00 04 00 00",
    value: [new Heartbeat("pong", { sequence: 1 })],
  },
  {
    what: "a heartbeat of another length",
    hex: "91 d4 4c 00",
    refused: "its data must have 6 bytes, it has 1",
  },
  { what: "an empty heartbeat", hex: "c7 00 4c", refused: "its data must have 6 bytes, it has 0" },
];

const DEEP: readonly MessageCase[] = [
  {
    what: "64 arrays in each other",
    hex: "91".repeat(63) + "90",
    value: JSON.parse("[".repeat(64) + "]".repeat(64)),
  },
  { what: "65 arrays in each other", hex: "91".repeat(64) + "90", refused: "deeper than maxDepth 64" },
  {
    what: "100,000 arrays in each other",
    hex: "91".repeat(100_000) + "c0",
    refused: "deeper than maxDepth 64",
  },
  {
    what: "100,000 arrays 32 in each other",
    hex: "dd00000001".repeat(100_000) + "c0",
    refused: "deeper than maxDepth 64",
  },
  {
    what: "100,000 maps in each other",
    hex: "81a161".repeat(100_000) + "c0",
    refused: "deeper than maxDepth 64",
  },
  {
    what: "100,000 maps as keys of each other",
    hex: "81".repeat(100_000) + "c0",
    refused: "a map's key must be",
  },
  {
    what: "10,000 arrays side by side",
    hex: "dd00002710" + "90".repeat(10_000),
    value: Array.from({ length: 10_000 }, () => []),
  },
];

export const MESSAGES: readonly MessageCase[] = [...LIES, ...KEYS, ...TEXT, ...NUMBERS, ...EXTS, ...DEEP];
