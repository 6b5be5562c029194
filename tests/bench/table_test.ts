import { assert, assertAlmostEquals, assertEquals, assertFalse } from "@std/assert";
import { changesOf, isBetter, isWorse } from "../../bench/_changes.ts";
import { numbersOf, ratiosOf, type Table, tableText } from "../../bench/_table.ts";

const TABLE: Table = {
  title: "a hop",
  unit: "ns",
  rows: [{ name: "inbound", runs: { longlink: [5, 6, 50], Netty: [20, 20, 200] } }],
};

Deno.test("ratiosOf() compares run by run, and knows how much the runs differ", () => {
  const { ratio, deviation } = ratiosOf([TABLE])["a hop: inbound / Netty"]!;
  assertEquals(ratio, 0.25);
  assertAlmostEquals(deviation, 0);
  assertEquals(numbersOf([TABLE])["a hop: inbound, longlink, ns"], 6);
});

Deno.test("tableText() has a line for each peer", () => {
  assertEquals(
    tableText(TABLE).split("\n").map((line) => line.replace(/ +/g, " ")),
    [
      "a hop ratio ours, ns theirs, ns",
      "----------------- ----- ----- -------- ----------",
      "inbound, to Netty 0.25 ±0.00 6.00 20.0",
    ],
  );
});

Deno.test("isWorse() and isBetter() leave noise alone", () => {
  const change = (ratio: number, deviation: number) =>
    changesOf({ hop: { ratio: 0.3, deviation: 0.01 } }, { hop: { ratio, deviation } })[0]!;
  assert(isWorse(change(0.4, 0.01)));
  assertFalse(isBetter(change(0.4, 0.01)));
  assertFalse(isWorse(change(0.4, 0.03)), "the runs differ by more than that");
  assertFalse(isWorse(change(0.34, 0)), "less than 15 % of what it was");
  assert(isBetter(change(0.2, 0.01)));
  assertEquals(changesOf({ hop: { ratio: 1, deviation: 0 } }, {}), []);
});
