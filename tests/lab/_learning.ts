/** What the probe measures behind a NAT, and what links learn there. */

import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess } from "@std/assert";
import { deliveries } from "./_deliveries.ts";
import { type Experiment, type Lab, type Setup, wait } from "./_lab.ts";
import type { LabProcess } from "./_lab_process.ts";
import type { RealNat } from "./_real_nat.ts";

const LEAST_FRACTION = 0.88;
const MOST_FRACTION = 0.99;
/** A push that takes longer was not delivered, but repeated after a reconnect. */
const LATE_MS = 1_000;
const LEARN_WITHIN_MS = 240_000;

// Pushes come rarer than the timeout, so that some of them meet a silence as long as the interval.
const SETUPS: readonly Setup[] = [
  ...([[12, 4, 17], [25, 8, 27]] as const).flatMap(([timeoutS, startS, pushEveryS]) =>
    (["loose", "strict"] as const).map((mode): Setup => ({
      timeoutS,
      mode,
      serve: ["--push-every", `${pushEveryS}`],
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
    serve: ["--push-every", "60"],
    checks: [{ name: "stepwise() learns above the timeout and loses a push", run: stepwiseIsTrapped }],
  },
];

/** Learning, on one NAT for each timeout and way to treat what it has forgotten. */
export const LEARNING: Experiment = { name: "learning", setups: SETUPS };

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
  await wait(LATE_MS);
  checkFraction(intervalMs(), nat);
  assertEquals(link.events.filter(({ event }) => event === "down"), [], "the main link was lost");
  const { pushes, late } = pushesOf(server, link);
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
  const { late } = pushesOf(server, link);
  assertGreaterOrEqual(late.length, 1, "no push was late");
  return `interval ${longestMs()} ms = ${fraction(longestMs(), nat)} T, push ${late.join(", ")} not on time`;
}

/** How many pushes the server gave to links, and which of them the client did not hand over soon. */
function pushesOf(
  server: LabProcess,
  link: LabProcess,
): { readonly pushes: number; readonly late: number[] } {
  const from = { process: server, event: "push" } as const;
  const { sent, lost, late } = deliveries(from, { process: link, event: "push" }, { lateMs: LATE_MS });
  return { pushes: sent, late: [...lost, ...late] };
}

function checkFraction(intervalMs: number, { timeoutS }: RealNat): void {
  const share = intervalMs / 1_000 / timeoutS;
  assert(share >= LEAST_FRACTION && share <= MOST_FRACTION, `interval is ${share} of the timeout`);
}

function fraction(intervalMs: number, { timeoutS }: RealNat): string {
  return (intervalMs / 1_000 / timeoutS).toFixed(3);
}
