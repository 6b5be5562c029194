import { assertEquals, assertFalse, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { type IntervalRecord, isIntervalRecord, MAX_HEARTBEAT_TIME_MS } from "../../../handlers/mod.ts";
import { problemOf } from "../../../handlers/stores/_interval_record.ts";
import { recordOf } from "./_store_suite.ts";

Deno.test("problemOf() names the field, what it must be and what it is", () => {
  const cases: [unknown, string][] = [
    [null, "it must be an object, got null"],
    ["text", 'it must be an object, got "text"'],
    [{}, "strategy must be text, got undefined"],
    [recordOf({ isSettled: 1 as unknown as boolean }), "isSettled must be true or false, got 1"],
    [recordOf({ direction: "up" as "push" }), 'direction must be "push" or "client", got "up"'],
    [recordOf({ confirmations: 0.5 }), "confirmations must be a whole number of 0 or more, got 0.5"],
    [recordOf({ atMs: Infinity }), "atMs must be from 0 to 8640000000000000, got Infinity"],
    [recordOf({ loMs: -1 }), "loMs must be from 0 to 13107100, got -1"],
    [recordOf({ loMs: 2 ** 40 }), "loMs must be from 0 to 13107100, got 1099511627776"],
    [recordOf({ intervalMs: 0 }), "intervalMs must be above 0 and up to 13107100, got 0"],
    [recordOf({ hiMs: "9" as unknown as number }), 'hiMs must be null or from 0 to 13107100, got "9"'],
    [recordOf({ loMs: 60_000, hiMs: 50_000, intervalMs: 1 }), "hiMs must be above loMs 60000, got 50000"],
    [recordOf({ intervalMs: 390_000 }), "intervalMs must be below hiMs 390000, got 390000"],
  ];
  for (const [value, problem] of cases) assertEquals(problemOf(value), problem);
  const long = problemOf(recordOf({ direction: "x".repeat(1_000) as "push" }))!;
  assertStringIncludes(long, "x".repeat(40));
  assertEquals(long.length < 100, true);
});

Deno.test("isIntervalRecord() takes no record with any one field swapped for garbage", () => {
  const fields = Object.keys(recordOf()) as (keyof IntervalRecord)[];
  const garbage = fc.constantFrom<unknown>(
    undefined,
    NaN,
    -1,
    Infinity,
    MAX_HEARTBEAT_TIME_MS * 1e9 + 0.5,
    [],
    {},
    "",
    Symbol("s"),
  );
  fc.assert(
    fc.property(fc.constantFrom(...fields), garbage, (field, value) => {
      // Any text can be the name of a strategy.
      fc.pre(!(field === "strategy" && value === ""));
      assertFalse(isIntervalRecord({ ...recordOf(), [field]: value }), `${field}: ${String(value)}`);
    }),
    { seed: 1, numRuns: 300 },
  );
});
