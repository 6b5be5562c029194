/**
 * Measures each part in a process of its own, so that no part warms up or
 * fills the heap of another.
 *
 * `deno task bench [--only hop,timers,memory] [--json]`: a table for each
 * question, ratios to the peers first, "to ws" 0.5 being half of what ws costs,
 * ± the median absolute deviation of the runs; all numbers are medians. With
 * `--json` the last line is one JSON object. Progress goes to stderr.
 */

import { parseArgs } from "node:util";
import type { Measurement } from "./_measurement.ts";
import { tableText } from "./_table.ts";

interface Part {
  /** Runs in the part's own process. */
  readonly measure: () => Promise<Measurement>;
  readonly v8Flags?: string;
}

const PARTS: Record<string, Part> = {
  hop: { measure: async () => await (await import("./hop.ts")).benchHop() },
  heartbeat: { measure: async () => await (await import("./heartbeat.ts")).benchHeartbeat() },
  codec: { measure: async () => await (await import("./codec.ts")).benchCodec() },
  timers: { measure: async () => await (await import("./timers.ts")).benchTimers() },
  coldStart: { measure: async () => await (await import("./cold_start.ts")).benchColdStart() },
  links: { measure: async () => await (await import("./links/links.ts")).benchLinks() },
  memory: {
    measure: async () => (await import("./memory.ts")).benchMemory(),
    v8Flags: "--expose-gc,--max-old-space-size=12000",
  },
};

const { values } = parseArgs({
  options: { only: { type: "string" }, json: { type: "boolean", default: false }, part: { type: "string" } },
});

if (values.part !== undefined) {
  console.log(JSON.stringify(await PARTS[values.part]!.measure()));
} else {
  await all(values.only?.split(",") ?? Object.keys(PARTS), values.json);
}

async function all(names: readonly string[], json: boolean): Promise<void> {
  const unknown = names.find((name) => PARTS[name] === undefined);
  if (unknown !== undefined) {
    console.error(`Cannot measure "${unknown}": the parts are ${Object.keys(PARTS).join(", ")}`);
    Deno.exit(2);
  }
  const found: Record<string, Measurement["numbers"]> = {};
  for (const name of names) {
    console.error(`${name} ...`);
    const { numbers, tables, notes } = await inOwnProcess(name);
    found[name] = numbers;
    if (tables === undefined) showNumbers(name, numbers);
    else for (const table of tables) console.log(`\n${tableText(table)}`);
    for (const note of notes) console.log(`  (${note})`);
  }
  if (json) console.log(JSON.stringify(found, rounded));
}

function showNumbers(name: string, numbers: Measurement["numbers"]): void {
  console.log(`\n${name}`);
  const width = Math.max(...Object.keys(numbers).map((key) => key.length));
  for (const [key, value] of Object.entries(numbers)) {
    console.log(`  ${key.padEnd(width)}  ${shown(value)}`);
  }
}

async function inOwnProcess(name: string): Promise<Measurement> {
  const { v8Flags } = PARTS[name]!;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      ...(v8Flags === undefined ? [] : [`--v8-flags=${v8Flags}`]),
      import.meta.filename!,
      "--part",
      name,
    ],
    stdin: "null",
    stderr: "inherit",
  });
  const { success, code, stdout } = await child.output();
  if (!success) {
    console.error(`Cannot measure ${name}: its process ended with status ${code}`);
    Deno.exit(1);
  }
  return JSON.parse(new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1)!);
}

/** More digits than this are noise. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 1_000) / 1_000 : value;
}

function shown(value: number | null): string {
  if (value === null) return "-".padStart(14);
  const text = Math.abs(value) >= 1_000 || Number.isInteger(value)
    ? Math.round(value).toLocaleString("en")
    : value.toFixed(2);
  return text.padStart(14);
}
