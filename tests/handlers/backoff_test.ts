import { assert, assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import fc from "fast-check";
import { backoffMs, type BackoffRule, type BackoffState } from "../../handlers/_backoff.ts";

const RULE: BackoffRule = { firstMs: 800, capMs: 5000, lateCapMs: 30_000, lateAfterMs: 120_000 };
const ALMOST_1 = 1 - 2 ** -32;

function bound(state: Partial<BackoffState>, rule = RULE): number {
  return Math.round(backoffMs(rule, { tries: 0, outageMs: 0, tryMs: 0, random: ALMOST_1, ...state }));
}

Deno.test("backoffMs() doubles its bound with each try up to the cap", () => {
  const bounds = [0, 1, 2, 3, 4, 50, 2000].map((tries) => bound({ tries }));
  assertEquals(bounds, [800, 1600, 3200, 5000, 5000, 5000, 5000]);
});

Deno.test("backoffMs() takes the late cap once an outage has lasted", () => {
  const bounds = [0, 119_999, 120_000].map((outageMs) => bound({ tries: 9, outageMs }));
  assertEquals(bounds, [5000, 5000, 30_000]);
  assertEquals(bound({ outageMs: 10 ** 9 }), 800);
});

Deno.test("backoffMs() begins at 0, at the cap too", () => {
  for (const tries of [0, 3, 100]) {
    for (const outageMs of [0, 10 ** 9]) assertEquals(bound({ tries, outageMs, random: 0 }), 0);
  }
});

Deno.test("backoffMs() grows even where the first try comes at once", () => {
  // Doubling 0 ms would ask a server that is down again and again without a pause.
  const rule = { ...RULE, firstMs: 0 };
  assertEquals(bound({ tries: 0, random: 0.5 }, rule), 0);
  assertEquals(bound({ tries: 5, random: 0.5 }, rule), 16);
  assertEquals(bound({ tries: 13, random: 0.5 }, rule), 2500);
});

Deno.test("backoffMs() takes off the cap what the last try took, and leaves 2 s of jitter", () => {
  const tookMs = [0, 1_000, 2_999, 3_001, 10_000];
  assertEquals(tookMs.map((tryMs) => bound({ tries: 9, tryMs })), [5000, 4000, 2001, 2000, 2000]);
  assertEquals(bound({ tries: 9, outageMs: 120_000, tryMs: 10_000 }), 20_000);
  assertEquals(bound({ tries: 1, tryMs: 10_000 }), 1600);
  assertEquals(bound({ tries: 9, tryMs: 10_000 }, { ...RULE, capMs: 1_000 }), 1_000);
});

Deno.test("backoffMs() is always a wait that a loop takes", () => {
  fc.assert(
    fc.property(
      fc.record({
        firstMs: fc.integer({ min: 0, max: 1e8 }),
        capMs: fc.integer({ min: 0, max: 1e8 }),
        lateCapMs: fc.integer({ min: 0, max: 1e8 }),
        lateAfterMs: fc.integer({ min: 0, max: 1e8 }),
      }),
      fc.integer({ min: 0, max: 1e6 }),
      fc.integer({ min: 0, max: 1e12 }),
      fc.integer({ min: 0, max: 1e8 }),
      fc.double({ min: 0, max: ALMOST_1, noNaN: true }),
      (rule, tries, outageMs, tryMs, random) => {
        const delayMs = backoffMs(rule, { tries, outageMs, tryMs, random });
        assert(Number.isFinite(delayMs));
        assertGreaterOrEqual(delayMs, 0);
        assertLess(delayMs, Math.max(rule.capMs, rule.lateCapMs) + 1);
      },
    ),
    { seed: 20_240, numRuns: 300 },
  );
});
