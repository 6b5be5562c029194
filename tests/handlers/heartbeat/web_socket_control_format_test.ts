import { assert, assertEquals, assertThrows } from "@std/assert";
import { ControlFrame, EmbeddedChannel } from "../../../pipeline/mod.ts";
import { Heartbeat, HeartbeatDecoder, webSocketControlFormat } from "../../../handlers/mod.ts";

const format = webSocketControlFormat();

Deno.test("webSocketControlFormat() puts the number of a ping into its frame, and finds it in the pong", () => {
  for (const sequence of [0, 1, 255, 256, 511]) {
    const frame = format.encode(new Heartbeat("ping", { sequence })) as ControlFrame;
    assert(frame instanceof ControlFrame);
    assertEquals([frame.kind, ...frame], ["ping", sequence >> 8, sequence & 0xff]);
    assertEquals(format.decode(new ControlFrame("pong", frame)), new Heartbeat("pong", { sequence }));
  }
  assertEquals(format.encode(new Heartbeat("hold")), undefined);
  assertEquals(format.decode(Uint8Array.of(0, 1)), undefined);
  assertEquals(format.decode(new ControlFrame("ping", Uint8Array.of(0, 1))), undefined);
});

Deno.test("webSocketControlFormat() lets no pong of another's ping pass for a message", () => {
  const decoder = new HeartbeatDecoder({ format });
  const channel = new EmbeddedChannel({ handlers: [decoder] });
  for (const payload of [[], [1], [2, 0], [1, 2, 3]]) {
    channel.writeInbound(new ControlFrame("pong", Uint8Array.from(payload)));
  }
  assertEquals([channel.drainInbound(), decoder.unknownKinds], [[], 4]);
});

Deno.test("ControlFrame is a copy of its payload, of at most 125 bytes, and its parts are plain", () => {
  const payload = Uint8Array.of(1, 2, 3);
  const frame = new ControlFrame("pong", payload);
  payload[0] = 9;
  assertEquals([...frame], [1, 2, 3]);
  assert(!(frame.slice(1) instanceof ControlFrame));
  assertThrows(() => new ControlFrame("ping", new Uint8Array(126)), RangeError, "at most 125 bytes, got 126");
});
