/**
 * Whether something got slower, next to its peers.
 *
 * `deno task bench:check`: measures a short version of the parts that need no
 * sockets and compares the ratios to the peers with those of
 * bench/baseline.json. Prints what got worse by more than noise, twice in a
 * row, and what got better. Its status is 0 all the same: on a shared machine
 * this is a hint, not a verdict. `--write` makes what it finds the baseline.
 */

import { parseArgs } from "node:util";
import { type Change, changesOf, grew, isBetter, isWorse, type Ratios } from "./_changes.ts";
import { benchCodec } from "./codec.ts";
import { benchHeartbeat } from "./heartbeat.ts";
import { benchHop } from "./hop.ts";
import type { Measurement } from "./_measurement.ts";
import { shown, textTable } from "./sim/text_table.ts";
import { type Ratio, ratiosOf } from "./_table.ts";
import { benchTimers } from "./timers.ts";

const BASELINE = new URL("baseline.json", import.meta.url);
const RUNS = 3;
/** Of a baseline: it is compared with many times, so its noise should be known better. */
const BASELINE_RUNS = 5;
const PARTS: Record<string, (runs: number) => Promise<Measurement>> = {
  hop: (runs) => benchHop({ runs, shapes: [[10, 5, 0]], lengths: [10] }),
  heartbeat: (runs) => benchHeartbeat({ runs, short: true }),
  codec: (runs) => benchCodec({ runs, short: true }),
  timers: (runs) => benchTimers({ runs, timers: 100_000 }),
};

const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });
if (values.write) await write();
else await compare(JSON.parse(await Deno.readTextFile(BASELINE)));

async function write(): Promise<void> {
  const found: Record<string, Ratio> = {};
  for (const name of Object.keys(PARTS)) Object.assign(found, await ratios(name, BASELINE_RUNS));
  const rounded = (_key: string, value: unknown) =>
    typeof value === "number" ? Number(value.toPrecision(4)) : value;
  await Deno.writeTextFile(BASELINE, `${JSON.stringify(found, rounded, 2)}\n`);
  console.log(`wrote ${Object.keys(found).length} ratios`);
}

async function compare(baseline: Ratios): Promise<void> {
  const worse: Change[] = [];
  const better: Change[] = [];
  let compared = 0;
  for (const part of Object.keys(PARTS)) {
    const changes = changesOf(baseline, await ratios(part, RUNS));
    compared += changes.length;
    better.push(...changes.filter(isBetter));
    const suspects = changes.filter(isWorse);
    if (suspects.length > 0) worse.push(...await confirmed(part, suspects, baseline));
  }
  const missing = Object.keys(baseline).length - compared;
  console.log(
    `\n${compared} ratios to peers compared${missing > 0 ? `, ${missing} could not be measured` : ""}`,
  );
  show("got worse by more than noise", worse);
  show("got better by more than noise", better);
}

/** What is worse the second time as well: somebody else's work on the machine seldom comes twice in one place. */
async function confirmed(part: string, suspects: readonly Change[], baseline: Ratios): Promise<Change[]> {
  const again = new Set(
    changesOf(baseline, await ratios(part, RUNS)).filter(isWorse).map(({ name }) => name),
  );
  return suspects.filter(({ name }) => again.has(name));
}

async function ratios(part: string, runs: number): Promise<Ratios> {
  const { tables = [] } = await PARTS[part]!(runs);
  return ratiosOf(tables);
}

function show(what: string, changes: readonly Change[]): void {
  if (changes.length === 0) {
    console.log(`nothing ${what}`);
    return;
  }
  const rows = changes.map((change) => [
    change.name,
    `x ${shown(grew(change), 2)}`,
    shown(change.before.ratio, 3),
    shown(change.now.ratio, 3),
    `±${shown(change.now.deviation, 3)}`,
  ]);
  console.log(`\n${textTable([[what, "", "baseline", "now", ""], ...rows])}`);
}
