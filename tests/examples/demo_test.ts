import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../cli/command.ts";
import { demoArguments } from "../../examples/demo/main.ts";
import { chart } from "../../examples/demo/_chart.ts";
import type { DemoResult } from "../../examples/demo/_demo.ts";
import { clientOptions, scaleOf, serverOptions, STRATEGIES } from "../../examples/demo/_scaled.ts";
import { summary } from "../../examples/demo/_view.ts";

Deno.test("chart() draws a step function as columns, with the mark across", () => {
  const rows = chart({ steps: [[0, 4], [50, 8]], until: 100, mark: 8, columns: 4, rows: 4 });
  assertEquals(rows.length, 4);
  assert(rows.every((row) => [...row].length === 4));
  assertEquals(rows[3], "████");
  assertEquals([...rows[1]!].slice(0, 1), [" "]);
  assertEquals([...rows[0]!].slice(0, 1), ["·"]);
  assertEquals(chart({ steps: [], until: 1, mark: 1, columns: 3, rows: 2 })[1], "   ");
});

Deno.test("clientOptions() scale every strategy below a NAT of seconds", () => {
  const scale = scaleOf(8_000);
  for (const strategy of Object.keys(STRATEGIES)) {
    assert(clientOptions(strategy, scale).strategy!.search().intervalMs < 8_000);
  }
  assert(serverOptions(scale).graceMs! >= 3_000);
});

Deno.test("summary() says why an interval above the timeout is no success", () => {
  const result: DemoResult = {
    natTimeoutMs: 8_000,
    natMode: "loose",
    strategy: "stepwise",
    learnedMs: 12_000,
    fraction: 1.5,
    heartbeats: 9,
    pushesSent: 8,
    pushesDelivered: 8,
    pushesLate: 3,
    reconnects: 3,
    durationMs: 60_000,
  };
  assert(summary(result).some((line) => line.includes("longer than the NAT allows")));
  assert(!summary({ ...result, fraction: 0.97, pushesLate: 0 }).some((line) => line.includes("longer than")));
  // A strict NAT does no such thing, so it must not be blamed for it.
  assert(!summary({ ...result, natMode: "strict" }).some((line) => line.includes("bring a forgotten link")));
  assert(summary({ ...result, pushesDelivered: 7 }).some((line) => line.includes("1 pushes did not arrive")));
});

Deno.test("demoArguments() has defaults, and limits that fit its 90 seconds", () => {
  assertEquals(demoArguments([]), {
    natTimeoutMs: 8_000,
    durationMs: 90_000,
    natMode: "strict",
    strategy: "edge",
    seed: 1,
    json: false,
    ui: false,
  });
  assertEquals(demoArguments(["--help"]), undefined);
  const wrong: [args: string[], message: string][] = [
    [["--nat-timeout", "61"], "--nat-timeout must be a number of seconds above 0 and at most 60"],
    [["--nat-timeout", "0.5"], "--nat-timeout must be 1 or more"],
    [["--ui", "--nat-timeout", "1"], "--nat-timeout must be 2 or more with --ui"],
    [["--ui", "--json"], "--json has no meaning with --ui"],
    [["--duration", "91"], "at most 90"],
    [["--nat-mode", "open"], "--nat-mode must be strict or loose"],
    [["--strategy", "guess"], "--strategy must be edge or stepwise or fixed"],
    [["--colour"], "--colour"],
  ];
  for (const [args, message] of wrong) assertThrows(() => demoArguments(args), UsageError, message);
});
