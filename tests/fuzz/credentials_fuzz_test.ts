import { assert, assertEquals, assertFalse, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import { decodeCredentials, encodeCredentials, isCredentials } from "../../handlers/_credentials_frame.ts";
import { DecodeError } from "../../handlers/mod.ts";
import { isSessionFrame } from "../../handlers/session/_session_frame.ts";
import { anyWritten, checkSame } from "./_message_pack_values.ts";
import { anyDamage, damaged, join } from "./_wire.ts";

Deno.test("decodeCredentials() reads what encodeCredentials() writes", () => {
  fc.assert(
    fc.property(anyWritten, ({ value }) => {
      const frame = encodeCredentials(value);
      assertEquals([isCredentials(frame), isSessionFrame(frame)], [true, false]);
      checkSame(decodeCredentials(frame), value);
    }),
    { seed: 1001, numRuns: 200 },
  );
});

Deno.test("decodeCredentials() meets any bytes with a value or a DecodeError", () => {
  const rest = fc.oneof(
    fc.tuple(anyWritten, anyDamage).map(([{ bytes }, damages]) => damaged(bytes, damages)),
    fc.uint8Array({ maxLength: 20 }),
    fc.integer({ min: 1, max: 100_000 }).map((levels) => new Uint8Array(levels).fill(0x91)),
  );
  fc.assert(
    fc.property(rest, (rest) => {
      const frame = join([[0xc1, 0], rest]);
      assert(isCredentials(frame));
      try {
        decodeCredentials(frame);
      } catch (error) {
        assertInstanceOf(error, DecodeError);
      }
    }),
    { seed: 1002, numRuns: 500 },
  );
});

Deno.test("isCredentials() and isSessionFrame() never take the same bytes", () => {
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      const bytes = Uint8Array.of(first, second);
      assertFalse(isCredentials(bytes) && isSessionFrame(bytes));
      assertEquals(isCredentials(bytes) || isSessionFrame(bytes), first === 0xc1);
    }
  }
  for (const bytes of [new Uint8Array(), Uint8Array.of(0xc1)]) {
    assertEquals([isCredentials(bytes), isSessionFrame(bytes)], [false, false]);
  }
});
