import { assert, assertEquals, assertThrows } from "@std/assert";
import { fixedInterval } from "../../../handlers/mod.ts";
import { recordOf } from "../stores/_store_suite.ts";

Deno.test("fixedInterval() is four minutes, settled, whatever happens", () => {
  const search = fixedInterval().search();
  for (const outcome of ["passed", "failed", "failed", "failed", "failed", "failed", "void"] as const) {
    assert(search.isSettled);
    assertEquals(search.intervalMs, 240_000);
    assertEquals(search.bracket, { loMs: 0, hiMs: null });
    search.judge({ idleMs: 240_000, outcome, reason: "", atMs: 0 });
  }
});

Deno.test("fixedInterval() takes its own value rather than a stored one", () => {
  const stored = recordOf({ strategy: "fixed", intervalMs: 9, loMs: 9, hiMs: null });
  assertEquals(fixedInterval(50_000).search(stored).intervalMs, 50_000);
  assertEquals(fixedInterval().name, "fixed");
});

Deno.test("fixedInterval() refuses an interval out of range", () => {
  for (const intervalMs of [0, -1, NaN, Infinity, 13_107_101]) {
    assertThrows(
      () => fixedInterval(intervalMs),
      RangeError,
      `Cannot make the strategy: intervalMs must be from 1 to 13107100 ms, got ${intervalMs}`,
    );
  }
});
