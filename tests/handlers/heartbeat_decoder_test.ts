import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import {
  DecodeError,
  Heartbeat,
  HeartbeatDecoder,
  messagePackFormat,
  rawFormat,
} from "../../handlers/mod.ts";
import { EmbeddedChannel } from "../../pipeline/mod.ts";
import { Collector } from "./_rig.ts";

const SEED = 20_240;

function decoding(decoder: HeartbeatDecoder = new HeartbeatDecoder()) {
  const end = new Collector();
  const channel = new EmbeddedChannel({ handlers: [decoder, end] });
  channel.autoClose = false;
  end.take("linkUp");
  return { channel, decoder, end };
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

Deno.test("HeartbeatDecoder.channelRead() tells heartbeats from messages", () => {
  const { channel } = decoding();
  const ping = new Heartbeat("ping", { timeMs: 240_000, sequence: 300, acknowledgement: 7 });
  const message = bytes(0x93, 1, 2, 3);
  channel.writeInbound(message, messagePackFormat().encode(ping), "text", undefined);
  const passed = channel.drainInbound();
  assertEquals(passed, [message, ping, "text", undefined]);
  assertStrictEquals(passed[0], message);
});

const MALFORMED: readonly [name: string, bytes: Uint8Array][] = [
  ["one byte short", bytes(0xc7, 6, 0x4c, 0, 0, 0, 0, 0)],
  ["one byte long", bytes(0xc7, 6, 0x4c, 0, 0, 0, 0, 0, 0, 0)],
  ["header only", bytes(0xc7, 6, 0x4c)],
  ["announcing 5", bytes(0xc7, 5, 0x4c, 0, 0, 0, 0, 0)],
  ["announcing 0", bytes(0xc7, 0, 0x4c)],
  ["announcing 255", bytes(0xc7, 255, 0x4c, 0, 0, 0, 0, 0, 0)],
  ["fixext 4", bytes(0xd6, 0x4c, 0, 0, 0, 0)],
  ["ext16", bytes(0xc8, 0, 6, 0x4c, 0, 0, 0, 0, 0, 0)],
  ["ext32", bytes(0xc9, 0, 0, 0, 6, 0x4c, 0, 0, 0, 0, 0, 0)],
];

for (const [name, malformed] of MALFORMED) {
  Deno.test(`HeartbeatDecoder.channelRead() drops the link over a heartbeat that is ${name}`, () => {
    const { channel, decoder, end } = decoding();
    channel.writeInbound(malformed);
    assertEquals(channel.drainInbound(), []);
    assertEquals([decoder.errors, channel.isActive], [1, false]);
    const [error] = end.errors;
    assertInstanceOf(error, DecodeError);
    assertEquals(error.subject, "heartbeat");
    assertEquals(end.take("linkDown"), [{ type: "linkDown", reason: "protocol", error }]);
  });
}

Deno.test("HeartbeatDecoder.channelRead() goes on with the next link", () => {
  const { channel, decoder } = decoding();
  channel.writeInbound(bytes(0xc7, 6, 0x4c));
  channel.reopen();
  channel.writeInbound(messagePackFormat().encode(new Heartbeat("pong")));
  assertEquals((channel.readInbound() as Heartbeat).kind, "pong");
  assertEquals(decoder.errors, 1);
});

Deno.test("HeartbeatDecoder.channelRead() counts kinds of a later version and ignores them", () => {
  const { channel, decoder, end } = decoding();
  for (let code = 8; code < 16; code++) channel.writeInbound(messagePackFormat().encode(new Heartbeat(code)));
  assertEquals(channel.drainInbound(), []);
  assertEquals([decoder.unknownKinds, decoder.errors, channel.isActive], [8, 0, true]);
  assertEquals([end.errors, end.events], [[], []]);
});

Deno.test("HeartbeatDecoder.channelRead() hands on a go-away of any reason", () => {
  const { channel, decoder } = decoding();
  const farewells = [Heartbeat.goAway("tooFast", 30_000), new Heartbeat("goAway", { sequence: 400 })];
  channel.writeInbound(...farewells.map((farewell) => messagePackFormat().encode(farewell)));
  assertEquals(channel.drainInbound(), farewells);
  assertEquals([decoder.unknownKinds, decoder.errors], [0, 0]);
});

Deno.test("HeartbeatDecoder.channelRead() knows its format's heartbeats and no other", () => {
  const { channel } = decoding(new HeartbeatDecoder({ format: rawFormat({ ping: "?", pong: "!" }) }));
  const other = messagePackFormat().encode(new Heartbeat("ping"));
  channel.writeInbound("!", "?!", other);
  assertEquals(channel.drainInbound(), [new Heartbeat("pong"), "?!", other]);
});

Deno.test("HeartbeatDecoder.channelRead() never throws, whatever comes", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 20 }),
        fc.uint8Array({ maxLength: 12 }).map((data) => Uint8Array.of(0xc7, data.length, 0x4c, ...data)),
      ),
      (message) => {
        const { channel, decoder, end } = decoding();
        channel.writeInbound(message);
        const passed = channel.drainInbound();
        assertEquals(passed.length + decoder.errors + decoder.unknownKinds, 1);
        assert(end.errors.every((error) => error instanceof DecodeError));
        assertEquals(channel.isActive, decoder.errors === 0);
      },
    ),
    { seed: SEED, numRuns: 300 },
  );
});
