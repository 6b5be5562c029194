import { assertEquals, assertThrows } from "@std/assert";
import {
  Heartbeat,
  HEARTBEAT_VERSION,
  MAX_HEARTBEAT_TIME_MS,
  SCOUTS,
  SESSIONS,
} from "../../../handlers/heartbeat/heartbeat.ts";

Deno.test("Heartbeat() knows its kinds by name and by number", () => {
  const kinds = ["ping", "pong", "hold", "void", "hello", "scout", "goAway", "advice"] as const;
  for (const [code, kind] of kinds.entries()) {
    assertEquals(new Heartbeat(kind), new Heartbeat(code));
    assertEquals(new Heartbeat(kind).code, code);
  }
  for (let code = kinds.length; code < 16; code++) {
    assertEquals([new Heartbeat(code).kind, new Heartbeat(code).code], ["unknown", code]);
  }
});

Deno.test("Heartbeat() rounds its time up to a tenth of a second", () => {
  const rounded = [0, 1, 100, 101, 239_999.5, MAX_HEARTBEAT_TIME_MS].map((timeMs) =>
    new Heartbeat("ping", { timeMs }).timeMs
  );
  assertEquals(rounded, [0, 100, 100, 200, 240_000, MAX_HEARTBEAT_TIME_MS]);
});

Deno.test("Heartbeat() refuses fields out of range", () => {
  const timesMs = [-1, NaN, MAX_HEARTBEAT_TIME_MS + 1, Infinity];
  for (const timeMs of timesMs) {
    assertThrows(
      () => new Heartbeat("ping", { timeMs }),
      RangeError,
      `timeMs must be from 0 to 13107100, got ${timeMs}`,
    );
  }
  for (const sequence of [-1, 512, 0.5, NaN]) {
    assertThrows(() => new Heartbeat("ping", { sequence }), RangeError);
  }
  for (const acknowledgement of [-1, 65_536, 0.5]) {
    assertThrows(() => new Heartbeat("ping", { acknowledgement }), RangeError);
  }
  for (const code of [-1, 16, 0.5]) assertThrows(() => new Heartbeat(code), RangeError);
  assertThrows(() => new Heartbeat("shout" as "ping"), RangeError);
});

Deno.test("Heartbeat.hello() carries version, abilities and the longest hold", () => {
  const hello = Heartbeat.hello({ longestHoldMs: 7_200_000, abilities: 0b10001 });
  assertEquals(
    [hello.kind, hello.version, hello.abilities, hello.longestHoldMs, hello.hasAcknowledgement],
    ["hello", HEARTBEAT_VERSION, 0b10001, 7_200_000, false],
  );
  assertEquals(Heartbeat.hello({ abilities: SCOUTS | SESSIONS }).abilities, 3);
  assertEquals([Heartbeat.hello().abilities, Heartbeat.hello().longestHoldMs], [0, 0]);
  assertThrows(() => Heartbeat.hello({ abilities: 32 }), RangeError);
  const ping = new Heartbeat("ping", { timeMs: 100 });
  for (const absent of [ping.version, ping.abilities, ping.longestHoldMs, ping.reason, ping.goAwayReason]) {
    assertEquals(absent, undefined);
  }
});

Deno.test("Heartbeat.void() carries the hold's number and a reason", () => {
  for (const reason of ["tooLong", "busy", "notServed", "givenUp"] as const) {
    const refusal = Heartbeat.void(17, reason);
    assertEquals([refusal.kind, refusal.sequence, refusal.reason], ["void", 17, reason]);
    assertEquals([refusal.goAwayReason, refusal.hasAcknowledgement], [undefined, false]);
  }
  assertEquals(new Heartbeat("void").reason, "unknown");
  assertEquals(new Heartbeat("void", { timeMs: 1000 }).reason, "unknown");
});

Deno.test("Heartbeat.goAway() carries a reason and how long to stay away", () => {
  const reasons = [
    "shutdown",
    "overloaded",
    "tooManyConnections",
    "tooFast",
    "unauthenticated",
    "protocol",
  ] as const;
  for (const [i, reason] of reasons.entries()) {
    const farewell = Heartbeat.goAway(reason, 4_950);
    assertEquals([farewell.kind, farewell.goAwayReason, farewell.timeMs], ["goAway", reason, 5_000]);
    assertEquals([farewell.sequence, farewell.reason, farewell.hasAcknowledgement], [
      i + 1,
      undefined,
      false,
    ]);
  }
  assertEquals(Heartbeat.goAway("shutdown").timeMs, 0);
  for (const sequence of [0, 7, 511]) {
    assertEquals(new Heartbeat("goAway", { sequence }).goAwayReason, "unknown");
  }
  assertThrows(() => Heartbeat.goAway("shutdown", MAX_HEARTBEAT_TIME_MS + 1), RangeError);
});

Deno.test("Heartbeat() knows an acknowledgement of 0 from none", () => {
  assertEquals(new Heartbeat("pong", { acknowledgement: 7 }).hasAcknowledgement, false);
  const first = new Heartbeat("pong", { acknowledgement: 0, hasAcknowledgement: true });
  assertEquals([first.acknowledgement, first.hasAcknowledgement], [0, true]);
});
