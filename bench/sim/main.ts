/**
 * Runs the library's own handlers over simulated networks, on virtual time.
 *
 * `deno task sim`: networks drawn from the data file, then what `edge()` is to
 * reach, next to other strategies. `--timeouts 47,300,1800` runs these alone.
 * Everything on stdout is a result; progress goes to stderr.
 */

import { parseArgs } from "node:util";
import { falls, rises } from "./changes.ts";
import type { ExpiryMode } from "./nat.ts";
import { draw, elsewhere, KINDS, knownTimeouts, LADDER_S } from "./population.ts";
import { Progress } from "./progress.ts";
import { type Conditions, type Outcome, outcomeOf, type Row } from "./row.ts";
import { quantile } from "./statistics.ts";
import { type Contestant, CONTESTANTS } from "./strategies.ts";
import { picture } from "./svg.ts";
import { type Measured, TARGETS } from "./targets.ts";
import { percent, shown, textTable } from "./text_table.ts";

const MODES: readonly ExpiryMode[] = ["strict", "loose", "reset"];
const DAY_MS = 86_400_000;
const HELP = `deno task sim [options]

  --timeouts 47,300,1800   idle timeouts in s (default: drawn from bench/data/idle_timeouts.csv)
  --modes strict,loose,reset
  --strategies ${CONTESTANTS.map(({ name }) => name).join(",")}
  --seed N                 of losses, outages, traffic and handlers (default 1)
  --days N                 how long each run lasts (default 7)
  --rtt MS                 round trip (default 100)
  --loss PART              of the packets, each way, 0 to 0.5 (default 0)
  --outages N              of 30 s each, an hour, at random (default 0)
  --pushes N, --messages N of the server and the client, an hour, at random (default 0)
  --draws N                networks drawn for each kind (default 6)
  --seeds N                runs with outages for the table of targets (default 200; 1000 take some minutes)
  --svg FILE               draws interval over time and the comparison
  --svg-timeout S          for which idle timeout (default 1800)
  --json                   the last line is one JSON object: {"rows": [...]}`;

const options = readOptions();
const chosen = pick("strategies", CONTESTANTS, ({ name }) => name, options.strategies);
const modes = pick("modes", MODES, (mode) => mode, options.modes);
const conditions: Conditions = {
  lengthMs: numberOf("days", 1e-3, 365) * DAY_MS,
  seed: numberOf("seed", 0, 2 ** 31),
  roundTripMs: Math.round(numberOf("rtt", 2, 10_000) / 2) * 2,
  loss: numberOf("loss", 0, 0.5),
  outages: { perHour: numberOf("outages", 0, 60), lengthMs: 30_000 },
  pushesPerHour: numberOf("pushes", 0, 36_000),
  messagesPerHour: numberOf("messages", 0, 36_000),
};
const draws = numberOf("draws", 1, 1_000);
const seeds = numberOf("seeds", 1, 100_000);
const svgTimeoutS = numberOf("svg-timeout", 10, 7_200);
const progress = new Progress();
/** Each network and strategy is run once, in however many tables it appears. */
const done = new Map<string, Outcome>();

const rows = options.timeouts === undefined ? await everything() : await these(timeoutsOf(options.timeouts));
if (options.svg !== undefined) {
  await Deno.writeTextFile(options.svg, await picture(chosen, svgTimeoutS, conditions, rows));
  console.error(`wrote ${options.svg}`);
}
if (options.json) console.log(JSON.stringify({ rows }));

/** The timeouts that were asked for. */
async function these(timeoutsS: readonly number[]): Promise<Row[]> {
  const found: Row[] = [];
  for (const contestant of chosen) {
    progress.say(contestant.name);
    for (const mode of modes) {
      for (const timeoutS of timeoutsS) found.push((await outcome(contestant, mode, timeoutS)).row);
    }
  }
  progress.end();
  console.log(rowTable(found));
  return found;
}

/** Networks of the data file, then the targets. */
async function everything(): Promise<Row[]> {
  const known = await knownTimeouts();
  const drawn = KINDS.flatMap((kind, index) =>
    draw(known, kind, draws, conditions.seed! * 10 + index).map((timeoutS) => ({ kind, timeoutS }))
  );
  const off = elsewhere(24);
  const measured: Measured[] = [];
  for (const contestant of chosen) {
    const { name } = contestant;
    const all = async (timeoutsS: readonly number[], about: string) => {
      const found: Outcome[] = [];
      for (const [index, timeoutS] of timeoutsS.entries()) {
        progress.say(`${name}: ${about}, ${index + 1} of ${timeoutsS.length}`);
        for (const mode of modes) found.push(await outcome(contestant, mode, timeoutS));
      }
      return found;
    };
    const learns = !name.startsWith("fixed");
    const population = [];
    for (const { kind, timeoutS } of drawn) {
      for (const one of await all([timeoutS], `${kind} networks`)) population.push({ kind, outcome: one });
    }
    measured.push({
      name,
      population,
      ladder: await all(LADDER_S, "timeouts on the ladder"),
      elsewhere: await all(off, "timeouts elsewhere"),
      outages: learns ? await withOutages(contestant, [...LADDER_S, ...off]) : undefined,
      falls: learns ? await (progress.say(`${name}: T falls`), falls(contestant, modes)) : undefined,
      rises: learns ? await (progress.say(`${name}: T rises`), rises(contestant, modes)) : undefined,
    });
  }
  progress.end();
  console.log(kindTable(measured));
  console.log(`\n${targetTable(measured)}`);
  return measured.flatMap(({ population }) => [...new Set(population.map(({ outcome }) => outcome.row))]);
}

async function outcome(contestant: Contestant, mode: ExpiryMode, timeoutS: number): Promise<Outcome> {
  const key = `${contestant.name} ${mode} ${timeoutS}`;
  let found = done.get(key);
  if (found === undefined) done.set(key, found = await outcomeOf(contestant, mode, timeoutS, conditions));
  return found;
}

/** Each seed with the next timeout and mode. */
async function withOutages(contestant: Contestant, timeoutsS: readonly number[]): Promise<Outcome[]> {
  const found: Outcome[] = [];
  const outages = { perHour: 1, lengthMs: 30_000 };
  for (let index = 0; index < seeds; index++) {
    if (index % 20 === 0) progress.say(`${contestant.name}: outages, ${index} of ${seeds}`);
    const mode = modes[Math.floor(index / timeoutsS.length) % modes.length]!;
    const timeoutS = timeoutsS[index % timeoutsS.length]!;
    found.push(
      await outcomeOf(contestant, mode, timeoutS, { ...conditions, outages, seed: conditions.seed! + index }),
    );
  }
  return found;
}

// --- tables ---

function rowTable(found: readonly Row[]): string {
  const head = [
    "strategy",
    "mode",
    "T s",
    "interval s",
    "/ T",
    "settled",
    "0.8 T",
    "beats",
    "unreachable",
    "lost",
    "trials",
  ];
  return textTable([
    head,
    ...found.map((row) => [
      row.strategy,
      row.mode,
      String(row.timeoutS),
      shown(row.finalIntervalS, 1),
      shown(row.fraction, 3),
      row.settledInT === null ? "never" : `${shown(row.settledInT, 1)} T`,
      row.usableInT === null ? "never" : `${shown(row.usableInT, 1)} T`,
      shown(row.beatsPerIdeal, 3),
      percent(row.unreachableShare),
      String(row.mainDropsWhileLearning),
      String(row.trials),
    ]),
  ]);
}

/** Medians over the networks of each kind. */
function kindTable(measured: readonly Measured[]): string {
  const lines = [[
    "networks",
    "strategy",
    "final / T",
    "settled",
    "0.8 T",
    "beats",
    "lost, most",
    ...modes.map((mode) => `unreachable, ${mode}`),
  ]];
  for (const kind of KINDS) {
    for (const { name, population } of measured) {
      const found = population.filter((one) => one.kind === kind).map(({ outcome }) => outcome.row);
      const median = (value: (row: Row) => number | null) => quantile(found.map(value), 0.5);
      const inT = (value: number) => value === Infinity ? "never" : `${shown(value, value < 20 ? 1 : 0)} T`;
      lines.push([
        kind,
        name,
        shown(median(({ fraction }) => fraction), 3),
        inT(median(({ settledInT }) => settledInT)),
        inT(median(({ usableInT }) => usableInT)),
        shown(median(({ beatsPerIdeal }) => beatsPerIdeal), 2),
        String(Math.max(...found.map(({ mainDropsWhileLearning }) => mainDropsWhileLearning))),
        ...modes.map((mode) =>
          percent(
            quantile(
              found.filter((row) => row.mode === mode).map(({ unreachableShare }) => unreachableShare),
              0.5,
            ),
          )
        ),
      ]);
    }
  }
  return `Networks of the data file, ${draws} drawn for each kind; medians\n\n${textTable(lines)}`;
}

function targetTable(measured: readonly Measured[]): string {
  const names = measured.map(({ name }) => name);
  const lines = [[
    "what",
    "wanted",
    ...names.filter((name) => name === "edge"),
    "wanted, main",
    ...names.filter((name) => name !== "edge"),
  ]];
  let missed = 0;
  for (const { what, wanted, figure } of TARGETS) {
    const cell = (one: Measured) => {
      const isMain = one.name === "edge-main";
      const found = figure(one, isMain);
      if (found === undefined) return "";
      if (one.name !== "edge" && !isMain) return found.text;
      if (!found.reached) missed++;
      return `${found.text} ${found.reached ? "ok" : "MISSED"}`;
    };
    lines.push([
      what,
      wanted[0],
      ...measured.filter(({ name }) => name === "edge").map(cell),
      wanted[1],
      ...measured.filter(({ name }) => name !== "edge").map(cell),
    ]);
  }
  return [
    "What edge() is to reach, on a scout and on the main link, and the others",
    "",
    textTable(lines),
    "",
    `${LADDER_S.length} timeouts on the ladder, ${
      elsewhere(24).length
    } elsewhere (30 s to 2 h), ${seeds} seeds with outages.`,
    "Medians are those of the expiry mode in which they are worst. T above 2 h counts as 2 h.",
    "Unreachable: without the trials that cost a main link, which are counted as links lost.",
    missed === 0 ? "All reached." : `${missed} missed.`,
  ].join("\n");
}

// --- options ---

function readOptions() {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      timeouts: text,
      modes: text,
      strategies: text,
      seed: { ...text, default: "1" },
      days: { ...text, default: "7" },
      rtt: { ...text, default: "100" },
      loss: { ...text, default: "0" },
      outages: { ...text, default: "0" },
      pushes: { ...text, default: "0" },
      messages: { ...text, default: "0" },
      draws: { ...text, default: "6" },
      seeds: { ...text, default: "200" },
      svg: text,
      "svg-timeout": { ...text, default: "1800" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    Deno.exit(0);
  }
  return values;
}

function numberOf(
  name:
    | "seed"
    | "days"
    | "rtt"
    | "loss"
    | "outages"
    | "pushes"
    | "messages"
    | "draws"
    | "seeds"
    | "svg-timeout",
  least: number,
  most: number,
): number {
  const value = Number(options[name]);
  if (!(value >= least && value <= most)) {
    fail(`--${name} must be from ${least} to ${most}, not ${options[name]}`);
  }
  return value;
}

function timeoutsOf(list: string): number[] {
  return list.split(",").map((text) => {
    const value = Number(text);
    if (!(value >= 1 && value <= 10_000_000)) {
      fail(`--timeouts must be numbers of seconds, 1 or more, not "${text}"`);
    }
    return value;
  });
}

function pick<T>(name: string, all: readonly T[], nameOf: (one: T) => string, list: string | undefined): T[] {
  return list === undefined
    ? [...all]
    : list.split(",").map((wanted) =>
      all.find((one) => nameOf(one) === wanted) ??
        fail(`--${name} knows ${all.map(nameOf).join(", ")}, not "${wanted}"`)
    );
}

function fail(message: string): never {
  console.error(`Cannot simulate: ${message}`);
  Deno.exit(2);
}
