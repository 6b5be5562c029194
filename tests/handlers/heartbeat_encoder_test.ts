import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import {
  Heartbeat,
  HeartbeatEncoder,
  messagePackFormat,
  rawFormat,
  VarintFrameEncoder,
} from "../../handlers/mod.ts";
import { EmbeddedChannel } from "../../pipeline/mod.ts";

Deno.test("HeartbeatEncoder.write() makes 10 bytes of any heartbeat on a byte stream", () => {
  const channel = new EmbeddedChannel({ handlers: [new VarintFrameEncoder(), new HeartbeatEncoder()] });
  const heartbeats = [
    new Heartbeat("ping"),
    new Heartbeat("ping", { timeMs: 13_107_100, sequence: 511, acknowledgement: 65_535 }),
    new Heartbeat("pong", { sequence: 300 }),
    new Heartbeat("hold", { timeMs: 118_500, sequence: 2 }),
    Heartbeat.void(2, "busy"),
    Heartbeat.hello({ longestHoldMs: 7_200_000, abilities: 31 }),
  ];
  channel.writeOutbound(...heartbeats);
  assertEquals(
    channel.drainOutbound().map((bytes) => (bytes as Uint8Array).length),
    heartbeats.map(() => 10),
  );
});

Deno.test("HeartbeatEncoder.write() passes everything else on untouched", () => {
  const channel = new EmbeddedChannel({ handlers: [new HeartbeatEncoder()] });
  const messages = [new Uint8Array([1]), "text", { kind: "ping" }, null, undefined, 7];
  channel.writeOutbound(...messages);
  const passed = channel.drainOutbound();
  assertEquals(passed, messages);
  assertStrictEquals(passed[0], messages[0]);
});

Deno.test("HeartbeatEncoder.write() fails the write of a kind that the format lacks, and no other", async () => {
  const channel = new EmbeddedChannel({
    handlers: [new HeartbeatEncoder({ format: rawFormat({ ping: "?" }) })],
  });
  const hold = channel.write(new Heartbeat("hold"));
  const ping = channel.writeAndFlush(new Heartbeat("ping"));
  const error = await hold.catch((error) => error);
  assertInstanceOf(error, TypeError);
  assertEquals(error.message, 'Cannot encode the heartbeat: the format "raw" has no hold');
  await ping;
  assertEquals(channel.drainOutbound(), ["?"]);
});

Deno.test("HeartbeatEncoder() serves many channels and tells its format", () => {
  const encoder = new HeartbeatEncoder();
  for (let i = 0; i < 2; i++) {
    const channel = new EmbeddedChannel({ handlers: [encoder] });
    channel.writeOutbound(new Heartbeat("ping", { sequence: i }));
    assertEquals(channel.readOutbound(), messagePackFormat().encode(new Heartbeat("ping", { sequence: i })));
  }
  assertStrictEquals(encoder.format, messagePackFormat());
});
