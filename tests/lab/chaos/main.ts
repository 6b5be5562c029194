/**
 * `deno task chaos`: nothing may be lost, whatever goes wrong.
 *
 * @module
 */

import { Progress } from "../../../bench/sim/progress.ts";
import { FAULT_KINDS } from "./fault_kind.ts";
import { type ChaosOptions, help, readOptions } from "./_options.ts";
import { RealField } from "./_real_field.ts";
import { type Pace, REAL_PACE, VIRTUAL_PACE } from "./_pace.ts";
import { run, type RunResult } from "./_run.ts";
import { Sums } from "./_summary.ts";
import { VirtualField } from "./_virtual_field.ts";

/** Runs over real sockets wait most of their time. */
const REAL_AT_ONCE = 4;
/** A run that fails in every way need not fill the screen. */
const MOST_PROBLEMS = 10;
const PROGRESS_RUNS = 100;

Deno.exitCode = await main();

async function main(): Promise<number> {
  let options: ChaosOptions | "help";
  try {
    options = readOptions(Deno.args);
  } catch (error) {
    console.error(`Cannot run chaos: ${(error as Error).message}`);
    return 2;
  }
  if (options === "help") {
    console.log(help());
    return 0;
  }
  const { seed, runs, json } = options;
  const sums = new Sums();
  const progress = new Progress();
  const startMs = performance.now();
  const results = options.real ? realRuns(options) : virtualRuns(options);
  for await (const result of results) {
    sums.add(result);
    if (result.problems.length > 0) {
      progress.end();
      console.error(reportOf(result, options));
    }
    const { runs: done } = sums.summary;
    if (options.real || done % PROGRESS_RUNS === 0) progress.say("chaos", done, runs);
  }
  progress.end();
  const { summary, failed, recoveries } = sums;
  if (!json) {
    const seconds = (performance.now() - startMs) / 1000;
    console.log(
      `${runs} runs from seed ${seed} in ${seconds.toFixed(1)} s, ` +
        `${Object.values(summary.faults).reduce((sum, count) => sum + count, 0)} faults, ` +
        `${recoveries} plain kills recovered from in ${summary.maxRecoveryMs} ms at most: ` +
        (failed === 0 ? "nothing is wrong" : `${failed} runs failed`),
    );
  }
  console.log(JSON.stringify(summary));
  return failed === 0 ? 0 : 1;
}

async function* virtualRuns(options: ChaosOptions): AsyncGenerator<RunResult> {
  const field = (seed: number, clients: number, dice: ConstructorParameters<typeof VirtualField>[2]) =>
    new VirtualField(seed, clients, dice);
  for (let i = 0; i < options.runs; i++) {
    yield await run({ ...common(options, options.seed + i, VIRTUAL_PACE), field });
  }
}

async function* realRuns(options: ChaosOptions): AsyncGenerator<RunResult> {
  const running = new Set<Promise<RunResult>>();
  for (let i = 0; i < options.runs || running.size > 0;) {
    while (running.size < REAL_AT_ONCE && i < options.runs) {
      running.add(run({ ...common(options, options.seed + i++, REAL_PACE), field: RealField.make }));
    }
    const [done, result] = await Promise.race(
      Array.from(running, async (one) => [one, await one] as const),
    );
    running.delete(done);
    yield result;
  }
}

function common({ clients, faults, stack, verbose }: ChaosOptions, seed: number, pace: Pace) {
  return { seed, clients, faults, stack, pace, ...(verbose && { log: print }) };
}

function print(line: string): void {
  console.error(line);
}

function reportOf({ seed, problems }: RunResult, { real, clients, faults, stack }: ChaosOptions): string {
  const again = [
    `--seed ${seed} --runs 1`,
    ...(clients === 3 ? [] : [`--clients ${clients}`]),
    ...(faults === FAULT_KINDS ? [] : [`--faults ${faults.join(",")}`]),
    ...(stack.hasSessions ? [] : [`--stack ${stack.name}`]),
    ...(real ? ["--real"] : []),
  ].join(" ");
  const more = problems.length - MOST_PROBLEMS;
  return [
    `FAILED ${again}`,
    ...problems.slice(0, MOST_PROBLEMS).map((problem) => `  ${problem}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ].join("\n");
}
