import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

/** Runs `deno task sim` as a user does. */
async function sim(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "bench/sim/main.ts", ...args],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("sim --json ends with one object of rows", async () => {
  const svg = await Deno.makeTempFile({ suffix: ".svg" });
  const { code, stdout } = await sim(
    "--timeouts",
    "47,9000",
    "--modes",
    "loose",
    "--strategies",
    "edge,fixed60",
    "--json",
    "--svg",
    svg,
  );
  assertEquals(code, 0);
  const { rows, ...rest } = JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
  assertEquals(rest, {});
  assertEquals(Object.keys(rows[0]), [
    "strategy",
    "mode",
    "timeoutS",
    "finalIntervalS",
    "fraction",
    "settledInT",
    "usableInT",
    "beatsPerIdeal",
    "unreachableShare",
    "mainDropsWhileLearning",
    "trials",
  ]);
  const [edge47, edge9000, fixed47] = rows;
  assertEquals([edge47.strategy, edge47.mode, edge47.timeoutS], ["edge", "loose", 47]);
  assert(edge47.fraction > 0.94 && edge47.fraction < 1);
  // The longest that is tried is 2 h.
  assertEquals(edge9000.fraction, edge9000.finalIntervalS / 7_200);
  assertEquals([fixed47.finalIntervalS, fixed47.settledInT, fixed47.usableInT], [60, 0, null]);
  const drawn = await Deno.readTextFile(svg);
  assertMatch(drawn, /^<svg [^]*<\/svg>\n$/);
  assertStringIncludes(drawn, "Compared on networks with 2 idle timeouts");
  await Deno.remove(svg);
});

Deno.test("sim says what is wrong with its options", async () => {
  for (
    const [args, message] of [
      [["--timeouts", "47,x"], "--timeouts must be numbers of seconds"],
      [["--modes", "odd"], "--modes knows strict, loose, reset"],
      [["--days", ""], "--days must be from"],
      [["--what"], "Unknown option"],
    ] as const
  ) {
    const { code, stdout, stderr } = await sim(...args);
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, message);
  }
});
