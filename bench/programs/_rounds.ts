/** How a program times what is short. */

/**
 * Of about a millisecond: where other processes share the machine most rounds
 * of this length pass without an interruption, so their median is one of those.
 */
const ROUND_MS = 1;

/** How long to warm up, and how many rounds to time. */
export interface RoundOptions {
  readonly warmUpMs: number;
  readonly rounds: number;
}

/** Median ns of a call of each, in turns, so that all of them see the same machine. */
export function nsPerCall<K extends string>(
  calls: Readonly<Record<K, () => void>>,
  { warmUpMs, rounds }: RoundOptions,
): Record<K, number> {
  const timed = (Object.entries(calls) as [K, () => void][]).map(([name, call]) => {
    warmUp(call, warmUpMs);
    return { name, call, times: warmUp(call, 10 * ROUND_MS), nanos: [] as number[] };
  });
  for (let round = 0; round < rounds; round++) {
    for (const { call, times, nanos } of timed) {
      const start = performance.now();
      repeat(call, times);
      nanos.push((performance.now() - start) * 1e6 / times);
    }
  }
  const medians = timed.map(({ name, nanos }) => [name, nanos.sort((a, b) => a - b)[rounds >> 1]!]);
  return Object.fromEntries(medians) as Record<K, number>;
}

/** How many calls fill a round. */
function warmUp(call: () => void, ms: number): number {
  const start = performance.now();
  let times = 0;
  for (let batch = 1; performance.now() - start < ms; batch = Math.min(batch * 2, 1000)) {
    repeat(call, batch);
    times += batch;
  }
  return Math.max(1, Math.round(times * ROUND_MS / (performance.now() - start)));
}

function repeat(call: () => void, times: number): void {
  for (let i = 0; i < times; i++) call();
}
