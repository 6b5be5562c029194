import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { crc32 } from "../../../handlers/stores/_crc32.ts";
import { decodeLog, encodeChange, encodeSnapshot } from "../../../handlers/stores/_session_log.ts";
import { bytesOf, sessionOf } from "./_session_store_suite.ts";

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** The frame of a snapshot that says something else, with the right checksum. */
function snapshotWith(from: string, to: string): Uint8Array {
  const text = Array.from(encodeSnapshot("phone", sessionOf()), (byte) => String.fromCharCode(byte)).join("");
  assertEquals(from.length, to.length);
  const frame = Uint8Array.from(text.replace(from, to), (char) => char.charCodeAt(0));
  new DataView(frame.buffer).setUint32(4, crc32(frame.subarray(8)));
  return frame;
}

Deno.test("crc32() has the published check value", () => {
  assertEquals(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
  assertEquals(crc32(new Uint8Array(0)), 0);
});

Deno.test("decodeLog() reads what was written, the changes in order", () => {
  const record = sessionOf({ acknowledged: 2 ** 40, messages: bytesOf("a", "") });
  const log = joined(
    encodeSnapshot("key \ud800", record),
    encodeChange({ links: 2, received: 9, acknowledged: 2 ** 40 + 1, atMs: 5 }, bytesOf("c")),
    encodeChange({ links: 2, received: 9.0, acknowledged: 2 ** 40 + 4, atMs: 6.5 }, bytesOf("d", "e")),
  );
  const wanted = { links: 2, received: 9, acknowledged: 2 ** 40 + 4, messages: bytesOf("e"), atMs: 6.5 };
  assertEquals(decodeLog(log), { key: "key \ud800", record: sessionOf(wanted) });
});

Deno.test("decodeLog() says what is wrong", () => {
  const snapshot = encodeSnapshot("phone", sessionOf());
  const change = encodeChange({ links: 1, received: 0, acknowledged: 0, atMs: 1 }, []);
  const cases: [Uint8Array, string][] = [
    [new Uint8Array(0), "it does not begin with a session"],
    [change, "it does not begin with a session"],
    [joined(snapshot, snapshot), `at byte ${snapshot.length} is no change, but 1`],
    [
      joined(snapshot, change.with(20, 1), change),
      `bytes ${snapshot.length} to ${snapshot.length + change.length} are damaged`,
    ],
    [snapshotWith('"version":1', '"version":2'), "its version must be 1, got 2"],
    [snapshotWith('"id":"00', '"id":"xy'), "id must be 32 hexadecimal digits"],
    [
      joined(snapshot, encodeChange({ links: 1, received: 0, acknowledged: 2, atMs: 1 }, bytesOf("a"))),
      "acknowledged must be a whole number from 0 to 1, got 2",
    ],
  ];
  for (const [log, reason] of cases) assertThrows(() => decodeLog(log), Error, reason);
});

Deno.test("decodeLog() takes a log that was cut anywhere for what was whole, and no bent one for another", () => {
  const frames = [encodeSnapshot("phone", sessionOf())];
  for (let i = 1; i <= 5; i++) {
    frames.push(encodeChange({ links: 1, received: i, acknowledged: i - 1, atMs: i }, bytesOf(`LLS1 ${i}`)));
  }
  const log = joined(...frames);
  const states = frames.map((_, i) => decodeLog(joined(...frames.slice(0, i + 1))));
  const cut = fc.record({ at: fc.nat(log.length - 1), bit: fc.nat(7), isCut: fc.boolean() });
  fc.assert(
    fc.property(cut, ({ at, bit, isCut }) => {
      const bent = isCut ? log.subarray(0, at) : log.with(at, log[at]! ^ (1 << bit));
      let whole = 0;
      for (let end = 0; whole < frames.length && (end += frames[whole]!.length) <= at; whole++);
      // Of a bent frame it can be told that it is bent; the last one may be what a process left that died.
      if (whole > 0 && (isCut || whole === frames.length - 1)) {
        assertEquals(decodeLog(bent), states[whole - 1]);
      } else assertThrows(() => decodeLog(bent), TypeError);
    }),
    { seed: 5, numRuns: 500 },
  );
});

Deno.test("decodeLog() of anything ends, with a log or an error", () => {
  const magic = fc.constant(new TextEncoder().encode("LLS1"));
  const pieces = fc.array(fc.oneof(magic, fc.uint8Array({ maxLength: 40 }), fc.constant(new Uint8Array(9))));
  fc.assert(
    fc.property(pieces, fc.boolean(), (parts, hasStart) => {
      const start = hasStart ? [encodeSnapshot("phone", sessionOf())] : [];
      const log = joined(...start, ...parts);
      if (hasStart) assertEquals(decodeLog(log).record, sessionOf());
      else assertThrows(() => decodeLog(log), TypeError);
    }),
    { seed: 5, numRuns: 300 },
  );
});
