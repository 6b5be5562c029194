/**
 * The lab: what the probe measures and what links learn behind real NATs, the
 * kernel's own, each in namespaces of its own. All of them at once, since they
 * mostly wait. Traffic stays inside the namespaces.
 */

import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess } from "@std/assert";
import { LabProcess, prepare } from "./_lab_process.ts";
import { missing, type NatMode, RealNat } from "./_real_nat.ts";

const LEAST_FRACTION = 0.88;
const MOST_FRACTION = 0.99;
/** A push that takes longer was not delivered, but repeated after a reconnect. */
const LATE_MS = 1_000;
const LEARN_WITHIN_MS = 240_000;

/** A NAT with a server behind it, and what is to be seen there. */
interface Setup {
  readonly timeoutS: number;
  readonly mode: NatMode;
  readonly pushEveryS: number;
  readonly checks: readonly Check[];
}

interface Check {
  readonly name: string;
  /** Returns what was measured. */
  readonly run: (lab: Lab) => Promise<string>;
}

interface Lab {
  readonly nat: RealNat;
  readonly server: LabProcess;
  /** Starts a command on the client's side. */
  readonly client: (...args: string[]) => LabProcess;
}

// Pushes come rarer than the timeout, so that some of them meet a silence as long as the interval.
const SETUPS: readonly Setup[] = [
  ...([[12, 4, 17], [25, 8, 27]] as const).flatMap(([timeoutS, startS, pushEveryS]) =>
    (["loose", "strict"] as const).map((mode): Setup => ({
      timeoutS,
      mode,
      pushEveryS,
      checks: [
        { name: "longlink probe measures it", run: (lab) => probeMeasures(lab, startS) },
        {
          name: "edge() learns it and loses no push",
          run: (lab) => edgeLearns(lab, Math.round(timeoutS * 0.8)),
        },
      ],
    }))
  ),
  {
    timeoutS: 12,
    mode: "loose",
    pushEveryS: 60,
    checks: [{ name: "stepwise() learns above the timeout and loses a push", run: stepwiseIsTrapped }],
  },
];

async function probeMeasures({ nat, client }: Lab, startS: number): Promise<string> {
  const probe = client("probe", nat.serverUrl, "--start", `${startS}`, "--parallel", "4", "--json");
  assertEquals((await probe.status).code, 0);
  const last = probe.lines.at(-1)!.text;
  const { url, loMs, hiMs, intervalMs, direction, trials, durationMs, ...rest } = JSON.parse(last);
  assertEquals(rest, {});
  assertEquals([url, direction], [nat.serverUrl, "push"]);
  assertLess(loMs, hiMs);
  assertGreater(trials.length, 0);
  if (nat.timeoutS === 12) assertLess(durationMs, 60_000);
  checkFraction(intervalMs, nat);
  return `bracket ${loMs} to ${hiMs} ms, interval ${intervalMs} ms = ${fraction(intervalMs, nat)} T, ` +
    `${trials.length} trials in ${(durationMs / 1_000).toFixed(0)} s`;
}

async function edgeLearns({ nat, server, client }: Lab, startS: number): Promise<string> {
  const link = client("connect", nat.serverUrl, "--strategy", "edge", "--start", `${startS}`, "--json");
  const intervals = () => link.events.filter(({ event }) => event === "interval");
  const intervalMs = () => intervals().at(-1)?.ms ?? 0;
  const isLearned = () => intervalMs() >= LEAST_FRACTION * nat.timeoutS * 1_000;
  await link.until("an interval near the timeout", isLearned, LEARN_WITHIN_MS);
  const learnedMs = performance.now();
  const sent = () => server.events.filter(({ event, atMs }) => event === "push" && atMs > learnedMs);
  await server.until("two pushes after learning", () => sent().length >= 2, LEARN_WITHIN_MS);
  // The last one has its time to arrive.
  await new Promise((resolve) => setTimeout(resolve, LATE_MS));
  checkFraction(intervalMs(), nat);
  assertEquals(link.events.filter(({ event }) => event === "down"), [], "the main link was lost");
  const { pushes, late } = deliveries(server, link);
  assertEquals(late, [], "pushes were late or lost");
  return `interval ${intervalMs()} ms = ${
    fraction(intervalMs(), nat)
  } T, ${pushes} of ${pushes} pushes on time`;
}

/** The client's ping brings the entry back, so that nothing ever fails; a push finds it gone. */
async function stepwiseIsTrapped({ nat, server, client }: Lab): Promise<string> {
  const options = ["--strategy", "stepwise", "--start", "10", "--step", "8", "--margin", "1"];
  const link = client("connect", nat.serverUrl, ...options, "--json");
  const longestMs = () => Math.max(0, ...link.events.map(({ event, ms }) => event === "interval" ? ms! : 0));
  // The step after one that lies above the timeout: that one has passed.
  await link.until("an interval above the timeout", () => longestMs() >= 26_000, 120_000);
  await server.until("a push", () => server.events.some(({ event }) => event === "push"), 120_000);
  await link.until("the push", () => link.events.some(({ event }) => event === "push"), 60_000);
  const { late } = deliveries(server, link);
  assertGreaterOrEqual(late.length, 1, "no push was late");
  return `interval ${longestMs()} ms = ${fraction(longestMs(), nat)} T, push ${late.join(", ")} not on time`;
}

/** Compares what the server gave to links with what the client handed over. */
function deliveries(
  server: LabProcess,
  link: LabProcess,
): { readonly pushes: number; readonly late: number[] } {
  const pushes = server.events.filter(({ event }) => event === "push");
  const arrived = new Map(link.events.flatMap(({ event, n, atMs }) => event === "push" ? [[n!, atMs]] : []));
  const late = pushes.filter(({ n, atMs }) => !((arrived.get(n!) ?? Infinity) - atMs < LATE_MS)).map((
    { n },
  ) => n!);
  return { pushes: pushes.length, late };
}

function checkFraction(intervalMs: number, { timeoutS }: RealNat): void {
  const share = intervalMs / 1_000 / timeoutS;
  assert(share >= LEAST_FRACTION && share <= MOST_FRACTION, `interval is ${share} of the timeout`);
}

function fraction(intervalMs: number, { timeoutS }: RealNat): string {
  return (intervalMs / 1_000 / timeoutS).toFixed(3);
}

/** Everything that has to be taken down again. */
const processes: LabProcess[] = [];
const nats: RealNat[] = [];
let passed = 0;
let failed = 0;

async function runSetup({ timeoutS, mode, pushEveryS, checks }: Setup, index: number): Promise<void> {
  const nat = new RealNat(`${index}`, timeoutS, mode);
  nats.push(nat);
  const start = (side: "client" | "server", args: readonly string[]) => {
    const process = new LabProcess((command) => nat.at(side, command), args);
    processes.push(process);
    return process;
  };
  const ready = (async (): Promise<Lab> => {
    await nat.open();
    const server = start("server", [
      "serve",
      "--listen",
      nat.serverUrl,
      "--push-every",
      `${pushEveryS}`,
      "--json",
    ]);
    const isListening = () => server.errors.some(({ text }) => text.startsWith("listening"));
    await server.until("the server listens", isListening, 60_000);
    return { nat, server, client: (...args) => start("client", args) };
  })();
  await Promise.all(checks.map(async ({ name, run }) => {
    const title = `${mode} NAT, ${timeoutS} s: ${name}`;
    try {
      const measured = await run(await ready);
      passed++;
      console.log(`${title} ... ok (${measured})`);
    } catch (error) {
      failed++;
      console.log(`${title} ... FAILED\n  ${(error as Error).message}`);
    }
  }));
}

/** Processes first: a namespace goes only when they have left it. */
async function cleanUp(): Promise<void> {
  await Promise.allSettled(processes.map((process) => process.stop()));
  await Promise.allSettled(nats.map((nat) => nat.close()));
}

async function main(): Promise<number> {
  const checks = SETUPS.flatMap(({ checks }) => checks).length;
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
    await Promise.all(SETUPS.map(runSetup));
  } finally {
    await (interrupted ?? cleanUp());
  }
  const seconds = Math.round((performance.now() - startMs) / 1_000);
  console.log(
    `${failed === 0 ? "ok" : "FAILED"} | ${passed} passed | ${failed} failed | 0 skipped (${seconds} s)`,
  );
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
