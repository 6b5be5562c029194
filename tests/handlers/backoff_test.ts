import { assert, assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import fc from "fast-check";
import { backoffMs, type BackoffRule } from "../../handlers/_backoff.ts";

const RULE: BackoffRule = { firstMs: 800, capMs: 5000, lateCapMs: 30_000, lateAfterMs: 120_000 };
const ALMOST_1 = 1 - 2 ** -32;

Deno.test("backoffMs() doubles its bound with each try up to the cap", () => {
  const bounds = [0, 1, 2, 3, 4, 50, 2000].map((tries) => Math.round(backoffMs(RULE, tries, 0, ALMOST_1)));
  assertEquals(bounds, [800, 1600, 3200, 5000, 5000, 5000, 5000]);
});

Deno.test("backoffMs() takes the late cap once an outage has lasted", () => {
  const bounds = [0, 119_999, 120_000].map((outageMs) => Math.round(backoffMs(RULE, 9, outageMs, ALMOST_1)));
  assertEquals(bounds, [5000, 5000, 30_000]);
  assertEquals(Math.round(backoffMs(RULE, 0, 10 ** 9, ALMOST_1)), 800);
});

Deno.test("backoffMs() begins at 0, at the cap too", () => {
  for (const tries of [0, 3, 100]) {
    for (const outageMs of [0, 10 ** 9]) assertEquals(backoffMs(RULE, tries, outageMs, 0), 0);
  }
});

Deno.test("backoffMs() grows even where the first try comes at once", () => {
  // Doubling 0 ms would ask a server that is down again and again without a pause.
  const rule = { ...RULE, firstMs: 0 };
  assertEquals(backoffMs(rule, 0, 0, 0.5), 0);
  assertEquals(backoffMs(rule, 5, 0, 0.5), 16);
  assertEquals(backoffMs(rule, 13, 0, 0.5), 2500);
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
      fc.double({ min: 0, max: ALMOST_1, noNaN: true }),
      (rule, tries, outageMs, random) => {
        const delayMs = backoffMs(rule, tries, outageMs, random);
        assert(Number.isFinite(delayMs));
        assertGreaterOrEqual(delayMs, 0);
        assertLess(delayMs, Math.max(rule.capMs, rule.lateCapMs) + 1);
      },
    ),
    { seed: 20_240, numRuns: 300 },
  );
});
