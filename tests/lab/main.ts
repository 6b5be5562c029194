/**
 * The lab: what the probe measures, what links learn, and what an outage costs
 * behind real NATs, the kernel's own, each in namespaces of its own. All of
 * them at once, since they mostly wait. Traffic stays inside the namespaces.
 *
 * `--only NAME` runs one experiment: `learning`, `outage` or `pushes`.
 */

import { parseArgs } from "node:util";
import type { Experiment, Lab, Setup } from "./_lab.ts";
import { LabProcess, prepare } from "./_lab_process.ts";
import { LEARNING } from "./_learning.ts";
import { OUTAGE } from "./_outage.ts";
import { missing, RealNat } from "./_real_nat.ts";
import { SPARSE_PUSHES } from "./_sparse_pushes.ts";

// What a busy machine disturbs most is started first.
const EXPERIMENTS: readonly Experiment[] = [OUTAGE, SPARSE_PUSHES, LEARNING];

/** Everything that has to be taken down again. */
const processes: LabProcess[] = [];
const nats: RealNat[] = [];
let passed = 0;
let failed = 0;

async function runExperiment({ setups, summary }: Experiment): Promise<void> {
  await Promise.all(setups.map(runSetup));
  if (summary !== undefined) await report(summary.name, summary.run);
}

async function runSetup({ timeoutS, mode, serve, checks }: Setup): Promise<void> {
  const nat = new RealNat(`${nats.length}`, timeoutS, mode);
  nats.push(nat);
  const start = (side: "client" | "server", args: readonly string[]) => {
    const process = new LabProcess((command) => nat.at(side, command), args);
    processes.push(process);
    return process;
  };
  const ready = (async (): Promise<Omit<Lab, "progress">> => {
    await nat.open();
    const server = start("server", ["serve", "--listen", nat.serverUrl, ...serve, "--json"]);
    const isListening = () => server.errors.some(({ text }) => text.startsWith("listening"));
    await server.until("the server listens", isListening, 60_000);
    return { nat, server, client: (...args) => start("client", args) };
  })();
  await Promise.all(checks.map(({ name, run }) => {
    const title = `${mode} NAT, ${timeoutS} s: ${name}`;
    const progress = (text: string) => console.error(`${title}: ${text}`);
    return report(title, async () => run({ ...await ready, progress }));
  }));
}

/** Prints a check's line. */
async function report(title: string, run: () => string | Promise<string>): Promise<void> {
  try {
    const measured = await run();
    passed++;
    console.log(`${title} ... ok (${measured})`);
  } catch (error) {
    failed++;
    console.log(`${title} ... FAILED\n  ${(error as Error).message}`);
  }
}

/** Processes first: a namespace goes only when they have left it. */
async function cleanUp(): Promise<void> {
  await Promise.allSettled(processes.map((process) => process.stop()));
  await Promise.allSettled(nats.map((nat) => nat.close()));
}

async function main(args: string[]): Promise<number> {
  const { values: { only } } = parseArgs({ args, options: { only: { type: "string" } } });
  const experiments = EXPERIMENTS.filter(({ name }) => only === undefined || name === only);
  if (experiments.length === 0) {
    console.error(`--only takes one of ${EXPERIMENTS.map(({ name }) => name).join(", ")}`);
    return 2;
  }
  const checks = experiments.map(checkCount).reduce((sum, count) => sum + count);
  const lacks = await missing();
  if (lacks.length > 0) {
    console.log(`skipped: the lab needs ${lacks.join(", ")}`);
    console.log(`ok | 0 passed | 0 failed | ${checks} skipped`);
    return 0;
  }
  const startMs = performance.now();
  let interrupted: Promise<void> | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => interrupted ??= cleanUp().then(() => Deno.exit(130)));
  }
  try {
    await prepare();
    await Promise.all(experiments.map(runExperiment));
  } finally {
    await (interrupted ?? cleanUp());
  }
  const seconds = Math.round((performance.now() - startMs) / 1_000);
  console.log(
    `${failed === 0 ? "ok" : "FAILED"} | ${passed} passed | ${failed} failed | 0 skipped (${seconds} s)`,
  );
  return failed === 0 ? 0 : 1;
}

function checkCount({ setups, summary }: Experiment): number {
  return setups.flatMap(({ checks }) => checks).length + (summary === undefined ? 0 : 1);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
