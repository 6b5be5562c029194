import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { type ProbeRange, ProbeSearch } from "../../handlers/_probe_search.ts";

const RANGE: ProbeRange = { startMs: 28_000, maxMs: 7_200_000, precisionMs: 0, precision: 0.02 };

/** Searches a network, one trial at a time. */
function searched(timeoutMs: number, range: ProbeRange): { search: ProbeSearch; trials: number[] } {
  const search = new ProbeSearch(range);
  const trials: number[] = [];
  for (;;) {
    const idleMs = search.next([], Infinity);
    if (idleMs === undefined) return { search, trials };
    trials.push(idleMs);
    assertLessOrEqual(trials.length, 60, "the search does not end");
    if (idleMs < timeoutMs) search.passed(idleMs);
    else search.failed(idleMs);
  }
}

Deno.test("ProbeSearch.next() closes the bracket around any timeout, as narrow as asked for", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1_100, max: 7_000_000 }),
      fc.integer({ min: 0, max: 5_000 }),
      fc.integer({ min: 5, max: 100 }),
      (timeoutMs, precisionMs, perMille) => {
        const { search } = searched(timeoutMs, { ...RANGE, precisionMs, precision: perMille / 1_000 });
        const { loMs, hiMs } = search.bracket;
        assert(loMs < timeoutMs && timeoutMs <= hiMs!, `${loMs} ${hiMs}`);
        if (loMs > 0) assertLessOrEqual(hiMs! - loMs, Math.max(200, precisionMs, loMs * perMille / 1_000));
      },
    ),
    { seed: 1, numRuns: 60 },
  );
});

Deno.test("ProbeSearch.next() begins with the first idle time and ends with the longest", () => {
  const { search, trials } = searched(Infinity, { ...RANGE, maxMs: 100_000 });
  assertEquals(trials[0], 28_000);
  assertEquals(trials.at(-1), 100_000);
  assertEquals(search.bracket, { loMs: 100_000, hiMs: null });
});

Deno.test("ProbeSearch.next() climbs as if the running trials were to pass, and no further than it can use", () => {
  const search = new ProbeSearch(RANGE);
  const running: number[] = [];
  for (let i = 0; i < 6; i++) running.push(search.next(running, Infinity)!);
  assertEquals(new Set(running).size, 6);
  assertEquals(running[0], 28_000);
  // One lies beyond the reach, the others fill the gaps below it.
  assertEquals(running.filter((ms) => ms > 3 * 28_000).length, 1);
});

Deno.test("ProbeSearch.next() splits below a trial that seems to have failed", () => {
  const search = new ProbeSearch(RANGE);
  search.passed(60_600);
  const idleMs = search.next([], 99_500)!;
  assert(idleMs > 60_600 && idleMs < 99_500);
  const other = search.next([idleMs, 150_000], 99_500)!;
  assert(other > 60_600 && other < 99_500 && other !== idleMs);
});

Deno.test("ProbeSearch.passed() above what has failed opens the bracket again", () => {
  const search = new ProbeSearch(RANGE);
  search.passed(28_000);
  search.failed(60_000);
  search.passed(61_000);
  assertEquals(search.bracket, { loMs: 61_000, hiMs: null });
});

Deno.test("ProbeSearch.intervalMs stays below what has survived", () => {
  const search = new ProbeSearch(RANGE);
  assertEquals(search.intervalMs, null);
  search.passed(60_000);
  assertEquals(search.intervalMs, 59_000);
  search.passed(600_000);
  assertEquals(search.intervalMs, 594_000);
});
