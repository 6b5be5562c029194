/**
 * Chance for simulated networks, apart from the event loop's: the same seed
 * gives the same outages and losses whatever the strategy under test asks for.
 *
 * @param seed A whole number; its low 32 bits count.
 * @returns A function that gives numbers from 0 (included) to 1 (excluded): mulberry32.
 */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
