import { assertAlmostEquals, assertEquals, assertGreater, assertLess } from "@std/assert";
import { RoundTripEstimator } from "../../handlers/_round_trip_estimator.ts";

const LIMITS = { minMs: 1000, maxMs: 10_000 };
const NO_LIMITS = { minMs: 0, maxMs: Infinity };

Deno.test("RoundTripEstimator.sample() begins with the first sample and half of it as variation", () => {
  const estimator = new RoundTripEstimator();
  assertEquals(estimator.roundTripMs, undefined);
  estimator.sample(100);
  assertEquals(estimator.roundTripMs, 100);
  assertEquals(estimator.timeoutMs(0, NO_LIMITS), 300);
});

Deno.test("RoundTripEstimator.sample() weighs as RFC 6298 does", () => {
  const estimator = new RoundTripEstimator();
  estimator.sample(100);
  estimator.sample(200);
  // Variation first, with the old average: 3/4 * 50 + 1/4 * |100 - 200|.
  assertEquals(estimator.roundTripMs, 112.5);
  assertEquals(estimator.timeoutMs(0, NO_LIMITS), 112.5 + 4 * 62.5);
});

Deno.test("RoundTripEstimator.timeoutMs() stays within its limits", () => {
  const estimator = new RoundTripEstimator();
  assertEquals(estimator.timeoutMs(0, LIMITS), 1000);
  estimator.sample(0);
  assertEquals(estimator.timeoutMs(0, LIMITS), 1000);
  const slow = new RoundTripEstimator();
  slow.sample(600_000);
  assertEquals(slow.timeoutMs(0, LIMITS), 10_000);
  assertEquals(slow.timeoutMs(1000, LIMITS), 10_000);
});

Deno.test("RoundTripEstimator.sample() lets one answer that an outage held back count only so much", () => {
  for (const heldBackMs of [2_000, 7_000, 60_000]) {
    const estimator = new RoundTripEstimator();
    for (let i = 0; i < 10; i++) estimator.sample(20);
    estimator.sample(heldBackMs);
    const waits = [0, 1, 2, 3, 4].map((repeats) => estimator.timeoutMs(repeats, LIMITS));
    assertLess(waits.reduce((sum, wait) => sum + wait), 10_000);
  }
});

Deno.test("RoundTripEstimator.sample() forgets soon what was slow only at first, and comes to know what stays slow", () => {
  const quick = new RoundTripEstimator();
  quick.sample(7_000);
  for (let i = 0; i < 8; i++) quick.sample(20);
  assertLess(quick.timeoutMs(0, LIMITS), 1_300);
  const slow = new RoundTripEstimator();
  slow.sample(20);
  for (let i = 0; i < 40; i++) slow.sample(3_000);
  assertGreater(slow.timeoutMs(0, LIMITS), 3_000);
});

Deno.test("RoundTripEstimator.timeoutMs() grows gently with each repeat", () => {
  const waits = [0, 1, 2, 3, 4].map((repeats) => new RoundTripEstimator().timeoutMs(repeats, LIMITS));
  assertEquals(waits, [1000, 1250, 1562.5, 1953.125, 2441.40625]);
  assertLess(waits.reduce((sum, wait) => sum + wait) - waits[0]!, 10_000);
});

Deno.test("RoundTripEstimator comes to know a steady network", () => {
  const estimator = new RoundTripEstimator();
  estimator.sample(2000);
  for (let i = 0; i < 100; i++) estimator.sample(80);
  assertAlmostEquals(estimator.roundTripMs!, 80, 0.1);
  assertAlmostEquals(estimator.timeoutMs(0, NO_LIMITS), 80, 1);
});

Deno.test("RoundTripEstimator.timeoutMs() leaves an answer some slack on a network that is slow and steady", () => {
  const estimator = new RoundTripEstimator();
  for (let i = 0; i < 100; i++) estimator.sample(1600);
  assertAlmostEquals(estimator.timeoutMs(0, LIMITS), 1850, 1);
});
