import { assert, assertEquals, assertFalse } from "@std/assert";
import { VirtualEventLoop } from "../../mod.ts";
import { NatEntry, type NatMode } from "./_nat_entry.ts";

function entryOf(mode: NatMode) {
  const loop = new VirtualEventLoop();
  const forgottenMs: number[] = [];
  const startMs = loop.now();
  const entry = new NatEntry({
    loop,
    timeoutMs: 1_000,
    mode,
    onForgotten: () => forgottenMs.push(loop.now() - startMs),
  });
  return { loop, entry, forgottenMs };
}

Deno.test("NatEntry.packet() forwards as long as no silence reaches the timeout", () => {
  const { loop, entry, forgottenMs } = entryOf("strict");
  for (let i = 0; i < 5; i++) {
    loop.advanceBy(999);
    assertEquals(entry.packet(i % 2 === 0 ? "client" : "server"), "forward");
  }
  assertEquals(forgottenMs, []);
  loop.advanceBy(1_000);
  assertEquals(forgottenMs, [5 * 999 + 1_000]);
  assertFalse(entry.isAlive);
});

Deno.test("NatEntry.packet() swallows packets of both sides for ever in strict mode", () => {
  const { loop, entry, forgottenMs } = entryOf("strict");
  loop.advanceBy(1_000);
  for (const from of ["client", "server", "client"] as const) assertEquals(entry.packet(from), "swallow");
  assertEquals(forgottenMs, [1_000]);
});

Deno.test("NatEntry.packet() lets a client revive the entry in loose mode, again and again", () => {
  const { loop, entry, forgottenMs } = entryOf("loose");
  loop.advanceBy(1_500);
  assertEquals(entry.packet("client"), "revive");
  assertEquals(entry.packet("server"), "forward");
  loop.advanceBy(1_000);
  assertEquals(forgottenMs, [1_000, 2_500]);
  assertEquals(entry.packet("client"), "revive");
});

Deno.test("NatEntry.packet() resets a server in loose mode, and the client with its next packet", () => {
  const { loop, entry } = entryOf("loose");
  loop.advanceBy(1_000);
  assertEquals(entry.packet("server"), "reset");
  assertEquals(entry.packet("client"), "reset");
});

Deno.test("NatEntry.packet() goes by the clock where the timer is late", () => {
  const loop = new VirtualEventLoop();
  let nowMs = 0;
  let forgotten = 0;
  const entry = new NatEntry({
    loop: {
      now: () => nowMs,
      wallNow: () => nowMs,
      random: () => 0,
      schedule: (delayMs, task, argument) => loop.schedule(delayMs, task, argument),
      lastLateMs: -Infinity,
      onLate: () => () => {},
    },
    timeoutMs: 1_000,
    mode: "strict",
    onForgotten: () => forgotten++,
  });
  nowMs = 1_000;
  assertEquals(entry.packet("server"), "swallow");
  assertEquals(forgotten, 1);
});

Deno.test("NatEntry.close() leaves no timer", () => {
  for (const mode of ["strict", "loose"] as const) {
    const { loop, entry, forgottenMs } = entryOf(mode);
    assert(entry.isAlive);
    entry.close();
    loop.advanceBy(10_000);
    assertEquals(forgottenMs, []);
    assertEquals(loop.pendingTimers, 0);
  }
});
