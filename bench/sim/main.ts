/**
 * Runs the library's own handlers over simulated networks, on virtual time.
 *
 * `deno task sim`: networks drawn from the data file, then what `edge()` is to
 * reach, next to other strategies. `--timeouts 47,300,1800` runs these alone.
 * Everything on stdout is a result; progress goes to stderr.
 *
 * @module
 */

import { type ChangeOutcome, falls, rises } from "./changes.ts";
import type { ExpiryMode } from "./nat.ts";
import { readOptions } from "./options.ts";
import { draw, elsewhere, KINDS, knownTimeouts, LADDER_S } from "./population.ts";
import { Progress } from "./progress.ts";
import { kindTable, referenceTable, rowTable, targetTable } from "./report.ts";
import { type Outcome, outcomeOf, type Row } from "./row.ts";
import type { Contestant } from "./strategies.ts";
import { picture } from "./svg.ts";
import type { Measured } from "./targets.ts";

const OUTAGES = { perHour: 1, lengthMs: 30_000 };
const ELSEWHERE_S = elsewhere(24);

const { timeoutsS, modes, contestants, conditions, draws, seeds, svg, svgTimeoutS, json } = readOptions();
const progress = new Progress();
/** Each strategy runs once on each network, in however many tables it appears. */
const done = new Map<string, Outcome>();

const rows = timeoutsS === undefined ? await everything() : await these(timeoutsS);
if (svg !== undefined) {
  await Deno.writeTextFile(svg, await picture(contestants, svgTimeoutS, conditions, rows));
  console.error(`wrote ${svg}`);
}
if (json) console.log(JSON.stringify({ rows }));

/** The timeouts that were asked for. */
async function these(asked: readonly number[]): Promise<Row[]> {
  const found: Row[] = [];
  for (const contestant of contestants) {
    found.push(...(await onEach(contestant, asked, "runs")).map(({ row }) => row));
  }
  progress.end();
  console.log(rowTable(found));
  return found;
}

/** Networks of the data file, then the targets. */
async function everything(): Promise<Row[]> {
  const known = await knownTimeouts();
  const measured: Measured[] = [];
  for (const contestant of contestants) {
    const { name, isOurs, learns } = contestant;
    const population = [];
    for (const [index, kind] of KINDS.entries()) {
      const drawn = draw(known, kind, draws, conditions.seed * 10 + index);
      for (const outcome of await onEach(contestant, drawn, `${kind} networks`)) {
        population.push({ kind, outcome });
      }
    }
    measured.push({
      name,
      isOurs,
      population,
      ladder: await onEach(contestant, LADDER_S, "timeouts on the ladder"),
      elsewhere: await onEach(contestant, ELSEWHERE_S, "timeouts elsewhere"),
      ...(learns ? await whatHappens(contestant) : undefined),
    });
  }
  progress.end();
  report(measured);
  return [...new Set(measured.flatMap(({ population }) => population.map(({ outcome }) => outcome.row)))];
}

function report(measured: readonly Measured[]): void {
  const { text, missed } = targetTable(measured);
  console.log(`Networks of the data file, ${draws} drawn of each kind: medians\n\n${kindTable(measured)}`);
  console.log(`\nWhat edge() is to reach\n\n${text}`);
  if (measured.some(({ isOurs }) => !isOurs)) console.log(`\nThe others\n\n${referenceTable(measured)}`);
  console.log(
    [
      "",
      `${LADDER_S.length} timeouts on the ladder, ${ELSEWHERE_S.length} elsewhere (30 s to 2 h), ${seeds} seeds with outages.`,
      "Medians are those of the expiry mode in which they are worst. T above 2 h counts as 2 h.",
      "Unreachable: besides trials on the main link, which are counted as links lost.",
      missed === 0 ? "All reached." : `${missed} missed.`,
    ].join("\n"),
  );
}

async function onEach(
  contestant: Contestant,
  timeouts: readonly number[],
  about: string,
): Promise<Outcome[]> {
  const found: Outcome[] = [];
  for (const [index, timeoutS] of timeouts.entries()) {
    progress.say(`${contestant.name}: ${about}`, index, timeouts.length);
    for (const mode of modes) found.push(await outcome(contestant, mode, timeoutS));
  }
  return found;
}

async function outcome(contestant: Contestant, mode: ExpiryMode, timeoutS: number): Promise<Outcome> {
  const key = `${contestant.name} ${mode} ${timeoutS}`;
  let found = done.get(key);
  if (found === undefined) done.set(key, found = await outcomeOf(contestant, mode, timeoutS, conditions));
  return found;
}

/** Outages, and networks that change. */
async function whatHappens(contestant: Contestant): Promise<{
  outages: Outcome[];
  falls: ChangeOutcome[];
  rises: ChangeOutcome[];
}> {
  const timeouts = [...LADDER_S, ...ELSEWHERE_S];
  const outages: Outcome[] = [];
  for (let index = 0; index < seeds; index++) {
    progress.say(`${contestant.name}: outages`, index, seeds);
    const mode = modes[Math.floor(index / timeouts.length) % modes.length]!;
    const seed = conditions.seed + index;
    outages.push(
      await outcomeOf(contestant, mode, timeouts[index % timeouts.length]!, {
        ...conditions,
        outages: OUTAGES,
        seed,
      }),
    );
  }
  progress.say(`${contestant.name}: timeouts that change`);
  return { outages, falls: await falls(contestant, modes), rises: await rises(contestant, modes) };
}
