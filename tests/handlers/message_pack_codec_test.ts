import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import msgpack from "msgpack-lite";
import { DecodeError } from "../../handlers/errors.ts";
import { Heartbeat } from "../../handlers/heartbeat/heartbeat.ts";
import { MessagePackCodec, type MessagePackCodecOptions } from "../../handlers/message_pack_codec.ts";
import { MessagePackExtension } from "../../handlers/message_pack_extension.ts";
import { EmbeddedChannel, type LinkDownEvent } from "../../pipeline/mod.ts";

function coding(maxDepth?: number, others?: MessagePackCodecOptions) {
  const codec = new MessagePackCodec({ maxDepth, ...others });
  const errors: unknown[] = [];
  const downs: string[] = [];
  const channel = new EmbeddedChannel({
    handlers: [codec, {
      exceptionCaught: (_context, error) => errors.push(error),
      userEventTriggered: (_context, event) => {
        if ((event as LinkDownEvent).type === "linkDown") downs.push((event as LinkDownEvent).reason);
      },
    }],
  });
  channel.autoClose = false;
  return { channel, codec, errors, downs };
}

function encode(value: unknown): Uint8Array {
  const { channel } = coding();
  channel.writeOutbound(value);
  return channel.readOutbound() as Uint8Array;
}

function decode(bytes: Uint8Array): unknown {
  const { channel, errors } = coding();
  channel.writeInbound(bytes);
  if (errors.length > 0) throw errors[0];
  return channel.readInbound();
}

function roundTrip(value: unknown): unknown {
  return decode(encode(value));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

Deno.test("MessagePackCodec() carries every kind of value", () => {
  const values = [
    null,
    true,
    false,
    0,
    -1,
    127,
    -33,
    65_536,
    4_294_967_295,
    -2_147_483_648,
    Number.MAX_SAFE_INTEGER,
    1.5,
    -Infinity,
    "",
    "héllo 你好 😀",
    "x".repeat(70_000),
    [],
    [1, [2, [3]]],
    {},
    { a: { b: [null, { c: "d" }] } },
    new Uint8Array([1, 2, 3]),
    { big: new Uint8Array(5000).fill(9), list: [new Uint8Array(0)] },
    new Date(1_700_000_000_123),
    new Date(5),
    new Date(-1),
    new MessagePackExtension(-128, new Uint8Array([1])),
    new MessagePackExtension(127, new Uint8Array(300)),
    [new MessagePackExtension(1, new Uint8Array(0))],
    new Heartbeat("hold", { timeMs: 300, sequence: 4 }),
    [new Heartbeat("ping")],
  ];
  for (const value of values) assertEquals(roundTrip(value), value);
});

Deno.test("MessagePackCodec() carries what msgpack-lite itself would change", () => {
  // An own property of that name misleads comparisons of objects as well.
  const named = { constructor: { name: "valueOf" }, n: 1 };
  assertEquals(JSON.stringify(roundTrip(named)), JSON.stringify(named));
  assertEquals(roundTrip({ _isUint64BE: true }), { _isUint64BE: true });
  assertEquals(roundTrip("\ud83dabc\udc00"), "\ufffdabc\ufffd");
  assertEquals(roundTrip({ "\ud83da": 1 }), { "\ufffda": 1 });
  assertEquals(roundTrip([undefined, { a: undefined }]), [null, { a: null }]);
  assertEquals(hex(encode(new Uint8Array([1, 2]))), "c4 02 01 02");
  assertEquals(hex(encode([new Uint8Array(16).subarray(3, 4)])), "91 c4 01 00");
});

Deno.test("MessagePackCodec() hands on byte strings as plain Uint8Array of their own", () => {
  const bytes = roundTrip([new Uint8Array([1, 2])]) as [Uint8Array];
  assertEquals(Object.getPrototypeOf(bytes[0]), Uint8Array.prototype);
  assertEquals(bytes[0].buffer.byteLength, 2);
});

Deno.test("MessagePackCodec.write() makes bytes of their exact size", () => {
  const bytes = encode({ text: "hi" });
  assertEquals(hex(bytes), "81 a4 74 65 78 74 a2 68 69");
  assertEquals(bytes.buffer.byteLength, bytes.length);
});

Deno.test("MessagePackCodec() hands on integers beyond 2^53 - 1 as bigint and others as number", () => {
  const wide = [2n ** 53n, -(2n ** 53n), 2n ** 64n - 1n, -(2n ** 63n)];
  assertEquals(roundTrip(wide), wide);
  assertEquals(roundTrip([5n, -5n, 2n ** 53n - 1n]), [5, -5, Number.MAX_SAFE_INTEGER]);
  assertEquals(roundTrip({ id: 2n ** 60n, n: [7n], when: new Date(3), blob: new Uint8Array([1]) }), {
    id: 2n ** 60n,
    n: [7],
    when: new Date(3),
    blob: new Uint8Array([1]),
  });
  for (const value of [2n ** 64n, -(2n ** 63n) - 1n]) {
    assertThrows(() => encode(value), RangeError, String(value));
  }
});

Deno.test("MessagePackCodec() reads MessagePack's own timestamps as dates", () => {
  assertEquals(decode(Uint8Array.of(0xd6, 0xff, 0, 0, 0, 2)), new Date(2000));
  // 500 ms in nanoseconds, shifted by the two bits that belong to the seconds.
  assertEquals(decode(Uint8Array.of(0xd7, 0xff, 0x77, 0x35, 0x94, 0, 0, 0, 0, 2)), new Date(2500));
  const before1970 = [0xc7, 12, 0xff, 0x1d, 0xcd, 0x65, 0, 255, 255, 255, 255, 255, 255, 255, 255];
  assertEquals(decode(Uint8Array.from(before1970)), new Date(-500));
  assertEquals(decode(Uint8Array.of(0xd4, 0xff, 1)), new MessagePackExtension(-1, new Uint8Array([1])));
  assertEquals(decode(Uint8Array.of(0xd4, 0x0d, 0xc0)), new MessagePackExtension(13, new Uint8Array([0xc0])));
});

Deno.test("MessagePackCodec.write() fails only the write of a value that cannot be encoded", () => {
  const circle: unknown[] = [];
  circle.push({ circle });
  const parsed = JSON.parse('{"__proto__": 1}');
  const values = [
    () => 1,
    [Symbol("s")],
    { f() {} },
    circle,
    parsed,
    new Map(),
    new Set(),
    /x/,
    new Error("x"),
  ];
  for (const value of [...values, new Float32Array(1)]) {
    const { channel } = coding();
    const failed = channel.write(value);
    assertInstanceOf(failed.error, TypeError);
    assertStringIncludes(failed.error.message, "Cannot encode the message: ");
    failed.onSettled(() => {});
    channel.writeOutbound(1);
    assertEquals(channel.drainOutbound(), [Uint8Array.of(1)]);
    assert(channel.isActive);
  }
});

const malformed: Record<string, [number[], string]> = {
  "an empty message": [[], "it needs 1 more bytes at byte 0 and has 0"],
  "what begins no value": [[0xc1], "0xc1 at byte 0 begins no value"],
  "bytes after the value": [[1, 2, 3], "2 bytes follow the value of 1 bytes"],
  "a string that is cut off": [[0xa3, 0x61], "it needs 3 more bytes at byte 1 and has 1"],
  "an array that cannot be there": [[0xdd, 255, 255, 255, 255], "it needs 4294967295 more bytes at byte 5"],
  "a map that cannot be there": [[0xdf, 255, 255, 255, 255], "it needs 8589934590 more bytes at byte 5"],
  "bytes that cannot be there": [[0xc6, 255, 255, 255, 255], "it needs 4294967295 more bytes at byte 5"],
  "an ext that cannot be there": [[0xc9, 255, 255, 255, 255, 1], "it needs 4294967296 more bytes at byte 5"],
  "the key __proto__": [
    [0x81, 0xa9, ...new TextEncoder().encode("__proto__"), 0x80],
    'a map has the key "__proto__" at byte 2',
  ],
  "the key __proto__ in a longer form": [
    [0x91, 0x81, 0xd9, 9, ...new TextEncoder().encode("__proto__"), 0x80],
    'a map has the key "__proto__" at byte 4',
  ],
  "the key __proto__ in overlong UTF-8": [
    [0x81, 0xaa, 0xc1, 0x9f, ...new TextEncoder().encode("_proto__"), 0x80],
    "a map's key at byte 2 is no UTF-8",
  ],
  "a byte string as a key": [
    [0x81, 0xc4, 9, ...new TextEncoder().encode("__proto__"), 0x80],
    "a map's key must be a string or an integer, got 0xc4 at byte 1",
  ],
  "an array as a key": [[0x81, 0x91, 0xa1, 0x61, 1], "a map's key must be a string or an integer, got 0x91"],
  "a nested key that is cut off": [[0x82, 1, 0xa2, 0x61, 0x62], "it needs 1 more bytes at byte 5 and has 0"],
  "a heartbeat of another length": [[0xd4, 0x4c, 1], "its data must have 6 bytes, it has 1"],
};

for (const [name, [bytes, detail]] of Object.entries(malformed)) {
  Deno.test(`MessagePackCodec.channelRead() drops the link over ${name}`, () => {
    const { channel, codec, errors, downs } = coding();
    channel.writeInbound(Uint8Array.from(bytes));
    assertEquals(channel.readInbound(), undefined);
    assertInstanceOf(errors[0], DecodeError);
    assertStringIncludes(errors[0].message, detail);
    assertEquals(codec.errors, 1);
    assertEquals(downs, ["protocol"]);
  });
}

Deno.test("MessagePackCodec.channelRead() drops the link over text", () => {
  const { channel, codec, errors, downs } = coding();
  channel.writeInbound("hello");
  assertEquals((errors[0] as Error).message, "Cannot decode the message: text came where bytes are due");
  assertEquals(codec.errors, 1);
  assertEquals(downs, ["protocol"]);
});

Deno.test("MessagePackCodec.channelRead() passes other messages through", () => {
  const { channel } = coding();
  const heartbeat = new Heartbeat("ping");
  channel.writeInbound(heartbeat, 7);
  assertEquals(channel.drainInbound(), [heartbeat, 7]);
});

Deno.test("MessagePackCodec() holds to maxDepth both ways", () => {
  const nested = (depth: number) => Uint8Array.from([...new Array(depth).fill(0x91), 1]);
  assertEquals(decode(nested(64)), JSON.parse("[".repeat(64) + 1 + "]".repeat(64)));
  assertThrows(() => decode(nested(65)), DecodeError, "it is nested deeper than maxDepth 64");
  assertThrows(() => decode(nested(100_000)), DecodeError, "it is nested deeper than maxDepth 64");
  assertEquals(encode(JSON.parse("[".repeat(64) + 1 + "]".repeat(64))), nested(64));
  assertThrows(
    () => encode(JSON.parse("[".repeat(65) + "]".repeat(65))),
    TypeError,
    "nested deeper than maxDepth",
  );
  const { channel } = coding(1);
  channel.writeInbound(nested(1));
  assertEquals(channel.readInbound(), [1]);
  for (const maxDepth of [0, 513, NaN, 1.5]) {
    assertThrows(() => new MessagePackCodec({ maxDepth }), RangeError);
  }
});

Deno.test("MessagePackCodec.channelRead() delivers heartbeats and writes them as 9 bytes", () => {
  const heartbeat = new Heartbeat("ping", { timeMs: 240_000, sequence: 1 });
  assertEquals(hex(encode(heartbeat)), "c7 06 4c 00 4b 00 04 00 00");
  assertInstanceOf(roundTrip(heartbeat), Heartbeat);
});

Deno.test("MessagePackCodec.channelRead() agrees with msgpack-lite on what msgpack-lite writes", () => {
  const value = fc.jsonValue({ maxDepth: 4 }).filter((json) => !JSON.stringify(json).includes("__proto__"));
  fc.assert(
    fc.property(value, (json) => {
      const bytes = new Uint8Array(msgpack.encode(json));
      assertEquals(decode(bytes), msgpack.decode(bytes));
      assertEquals(msgpack.decode(encode(json)), msgpack.decode(bytes));
    }),
    { seed: 3, numRuns: 300 },
  );
});

Deno.test("MessagePackCodec.channelRead() meets any bytes with a value or a DecodeError", () => {
  const token = fc.oneof(
    fc.nat(255),
    fc.integer({ min: 0xc0, max: 0xdf }),
    fc.integer({ min: 0x80, max: 0xbf }),
    fc.nat(4),
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 40 }), (bytes) => {
      const { channel, errors } = coding();
      channel.writeInbound(Uint8Array.from(bytes));
      assertEquals(errors.length + channel.drainInbound().length, 1);
      for (const error of errors) assertInstanceOf(error, DecodeError);
      assertEquals(({} as Record<string, unknown>).polluted, undefined);
    }),
    { seed: 4, numRuns: 3000 },
  );
});

Deno.test("MessagePackCodec() takes another encoder, and keeps heartbeats for itself", () => {
  const asked: unknown[] = [];
  const { channel, errors } = coding(64, {
    encode: (value) => {
      asked.push(value);
      return new Uint8Array(msgpack.encode(value));
    },
    decode: (bytes) => {
      asked.push(bytes);
      return msgpack.decode(bytes);
    },
  });
  channel.writeOutbound({ text: "hi" });
  const bytes = channel.readOutbound();
  channel.writeInbound(bytes);
  assertEquals(channel.readInbound(), { text: "hi" });
  assertEquals(asked, [{ text: "hi" }, bytes]);

  const heartbeat = new Heartbeat("ping", { timeMs: 240_000, sequence: 1 });
  channel.writeOutbound(heartbeat);
  channel.writeInbound(channel.readOutbound());
  assertEquals(channel.readInbound(), heartbeat);
  assertEquals(asked.length, 2);
  assertEquals(errors, []);
});

Deno.test("MessagePackCodec.channelRead() checks the bytes before another decoder sees them", () => {
  const bad = [
    [0x91], // an array of one, and nothing
    [0x01, 0x02], // two values
    [0x81, 0xa9, ...new TextEncoder().encode("__proto__"), 0x80],
    [0x91, 0x91, 0x91, 0x01], // too deep
    [0xc7, 0x01, 0x4c, 0x00], // a heartbeat of one byte
  ];
  for (const bytes of bad) {
    const { channel, codec, errors, downs } = coding(2, { decode: () => assert(false, "it was asked") });
    channel.writeInbound(Uint8Array.from(bytes));
    assertInstanceOf(errors[0], DecodeError);
    assertEquals([codec.errors, downs], [1, ["protocol"]]);
  }
});

Deno.test("MessagePackCodec.channelRead() makes a DecodeError of what another decoder throws", () => {
  const cause = new Error("no");
  const { channel, errors, downs } = coding(64, {
    decode: () => {
      throw cause;
    },
  });
  channel.writeInbound(Uint8Array.of(1));
  assertInstanceOf(errors[0], DecodeError);
  assertEquals([errors[0].cause, downs], [cause, ["protocol"]]);
});

Deno.test("MessagePackCodec.write() fails a write whose encoder makes no bytes", async () => {
  const { channel } = coding(64, { encode: () => "text" as unknown as Uint8Array });
  await assertRejects(async () => await channel.write(1), TypeError, "encode must return a Uint8Array");
});

Deno.test("MessagePackCodec.write() encodes within an encode, and after one that failed", () => {
  const channel = new EmbeddedChannel({ handlers: [new MessagePackCodec()] });
  const nested = {
    get inner() {
      channel.writeOutbound("inner");
      return "outer";
    },
  };
  channel.writeOutbound(nested);
  const values = channel.drainOutbound().map((bytes) => msgpack.decode(bytes as Uint8Array));
  assertEquals(values[0], "inner");
  assertEquals(values.at(-1), { inner: "outer" });
  let asked = 0;
  const failing = {
    get text() {
      if (++asked > 2) throw new Error("no more");
      return "x".repeat(100_000);
    },
  };
  assertThrows(() => channel.writeOutbound(failing), Error);
  channel.writeOutbound("next");
  assertEquals(channel.readOutbound(), new Uint8Array([0xa4, 0x6e, 0x65, 0x78, 0x74]));
});
