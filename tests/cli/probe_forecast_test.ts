import { assert, assertEquals } from "@std/assert";
import { forecast } from "../../cli/_probe_forecast.ts";

const PRECISION = { precisionMs: 0, precision: 0.02 };
const known = (loMs: number, hiMs: number | null, left: number[] = [], parallel = 1) =>
  forecast({
    bracket: { loMs, hiMs },
    parallel,
    running: left.map((leftMs) => ({ idleMs: 40_000, leftMs, isSuspect: false })),
  }, PRECISION);

Deno.test("forecast() says nothing while an end of the bracket is not known", () => {
  assertEquals([known(0, null), known(28_000, null), known(0, 28_000)], [undefined, undefined, undefined]);
});

Deno.test("forecast() halves the bracket until it is narrow enough", () => {
  const { trials, ms } = known(28_000, 55_600)!;
  assertEquals(trials, 6); // on a network that forgets after 45 s the search takes 7
  assert(ms > 6 * 28_000 && ms < 6 * 60_000);
  assertEquals(known(60_000, 61_200), { trials: 0, ms: 0 });
});

Deno.test("forecast() counts what runs as part of it, down to its end", () => {
  assertEquals(known(60_000, 62_400, [12_000]), { trials: 1, ms: 12_000 });
  assertEquals(known(60_000, 61_000, [5_000]), { trials: 1, ms: 5_000 });
});

Deno.test("forecast() with more trials at once takes fewer rounds", () => {
  const alone = known(28_000, 55_600)!;
  const three = known(28_000, 55_600, [], 3)!;
  assertEquals(three.trials, 9);
  assert(three.ms < alone.ms);
});
