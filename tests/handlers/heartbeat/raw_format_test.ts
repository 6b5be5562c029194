import { assertEquals, assertThrows } from "@std/assert";
import { Heartbeat } from "../../../handlers/heartbeat/heartbeat.ts";
import { rawFormat } from "../../../handlers/heartbeat/raw_format.ts";

Deno.test("rawFormat() speaks the bytes that it was given", () => {
  const format = rawFormat({ ping: Uint8Array.of(0xc0, 0), pong: Uint8Array.of(0xd0, 0) });
  assertEquals(format.kinds, ["ping", "pong"]);
  assertEquals(format.encode(new Heartbeat("ping", { sequence: 5 })), Uint8Array.of(0xc0, 0));
  assertEquals(format.encode(new Heartbeat("pong")), Uint8Array.of(0xd0, 0));
  assertEquals(format.encode(new Heartbeat("hold")), undefined);
  assertEquals(format.decode(Uint8Array.of(0xc0, 0)), new Heartbeat("ping"));
  assertEquals(format.decode(Uint8Array.of(0xd0, 0)), new Heartbeat("pong"));
  for (
    const other of [Uint8Array.of(0xc0), Uint8Array.of(0xc0, 1), Uint8Array.of(0xc0, 0, 0), "text", undefined]
  ) {
    assertEquals(format.decode(other), undefined);
  }
});

Deno.test("rawFormat() speaks text, and may have no pong", () => {
  const format = rawFormat({ ping: " " });
  assertEquals(format.kinds, ["ping"]);
  assertEquals(format.encode(new Heartbeat("ping")), " ");
  assertEquals(format.encode(new Heartbeat("pong")), undefined);
  assertEquals(format.decode(" "), new Heartbeat("ping"));
  assertEquals(format.decode(Uint8Array.of(32)), undefined);
});

Deno.test("rawFormat() keeps its bytes whatever others do to theirs", () => {
  const ping = Uint8Array.of(1);
  const format = rawFormat({ ping });
  ping[0] = 2;
  (format.encode(new Heartbeat("ping")) as Uint8Array)[0] = 3;
  assertEquals(format.encode(new Heartbeat("ping")), Uint8Array.of(1));
});

Deno.test("rawFormat() refuses messages that are empty or the same", () => {
  assertThrows(() => rawFormat({ ping: "" }), TypeError, "ping must not be empty");
  assertThrows(() => rawFormat({ ping: "a", pong: new Uint8Array() }), TypeError, "pong must not be empty");
  assertThrows(() => rawFormat({ ping: Uint8Array.of(1), pong: Uint8Array.of(1) }), TypeError, "must differ");
});
