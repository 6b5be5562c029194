/** An outage: everything vanishes for a while, and nobody is told. */

import { type Deliveries, deliveries, type End } from "./_deliveries.ts";
import { type Experiment, type Lab, seconds, wait } from "./_lab.ts";

const RUNS = 5;
const OUTAGE_MS = 90_000;
/** Long enough to have measured the round trip. */
const STEADY_MS = 20_000;
const SEND_EVERY_S = 5;
/** What was sent until so long after the heal has to arrive, and so long after that at the latest. */
const COUNT_MS = 15_000;
const ARRIVE_MS = 10_000;
const MOST_DOWN_MS = 10_000;
const MOST_RECOVERY_MS = 7_000;
const MOST_MEDIAN_MS = 3_000;

/** From the heal to the first push after it, for each run. */
const recoveriesMs: number[] = [];

/** The NAT keeps its entry for longer than the outage lasts, so that TCP would go on where it was. */
export const OUTAGE: Experiment = {
  name: "outage",
  setups: Array.from({ length: RUNS }, (_, index) => ({
    timeoutS: 600,
    mode: index % 2 === 0 ? "loose" : "strict",
    serve: ["--push-every", "2"],
    checks: [{ name: `90 s of outage, run ${index + 1}`, run: (lab) => survives(lab, index) }],
  })),
  summary: { name: `first push after the outage, median of ${RUNS} runs`, run: medianRecovery },
};

async function survives({ nat, server, client, progress }: Lab, index: number): Promise<string> {
  const link = client("connect", nat.serverUrl, "--send-every", `${SEND_EVERY_S}`, "--json");
  const pushes = () => link.events.filter(({ event }) => event === "push");
  await link.until("a push", () => pushes().length > 0, 60_000);
  await wait(STEADY_MS);
  // Each run is cut at another moment between two messages: it matters for how long the link was silent by the next one.
  const messages = link.events.length;
  await link.until(
    "a message",
    () => link.events.slice(messages).some(({ event }) => event === "sent"),
    60_000,
  );
  await wait((index + 0.5) / RUNS * SEND_EVERY_S * 1_000);
  const cutMs = performance.now();
  await nat.cut();
  progress(`everything vanishes for ${OUTAGE_MS / 1_000} s`);
  await wait(OUTAGE_MS - (performance.now() - cutMs));
  await nat.heal();
  const healMs = performance.now();
  progress("the outage is over");
  await wait(COUNT_MS);
  const counts = { counts: ({ atMs }: { atMs: number }) => atMs < healMs + COUNT_MS };
  const given: End = { process: server, event: "push" };
  const own: End = { process: link, event: "sent" };
  const down = () => deliveries(given, { process: link, event: "push" }, counts);
  const up = () => deliveries(own, { process: server, event: "received" }, counts);
  // One that is lost is reported below, with all else.
  await link.until("the last messages", () => down().lost.length + up().lost.length === 0, ARRIVE_MS)
    .catch(() => {});

  const wrong: string[] = [];
  const first = (process: typeof link, event: string, fromMs: number) =>
    process.events.find((each) => each.event === event && each.atMs >= fromMs)?.atMs ?? Infinity;
  const unansweredMs = first(link, "sent", cutMs);
  const downMs = first(link, "down", cutMs) - unansweredMs;
  const recoveryMs = first(link, "push", healMs) - healMs;
  recoveriesMs.push(recoveryMs);
  if (first(link, "down", 0) < cutMs) wrong.push("the link was lost before the outage");
  if (!(downMs <= MOST_DOWN_MS)) wrong.push(`more than ${MOST_DOWN_MS / 1_000} s until the link was down`);
  if (!(recoveryMs <= MOST_RECOVERY_MS)) {
    wrong.push(`more than ${MOST_RECOVERY_MS / 1_000} s until a push came`);
  }
  const measured = [
    `down ${seconds(downMs)} after the first unanswered message`,
    `(on the server ${seconds(first(server, "down", cutMs) - unansweredMs)})`,
    `first push ${seconds(recoveryMs)} after the heal`,
    told("pushes", down(), wrong),
    told("messages", up(), wrong),
  ].join(", ").replace(", (", " (");
  if (wrong.length === 0) return measured;
  const trace = [
    "client, from the cut on:",
    ...link.between(cutMs, cutMs + 20_000),
    "client, from 20 s before the heal on:",
    ...link.between(healMs - 20_000, healMs + 10_000),
    "server, from the heal on:",
    ...server.between(healMs, healMs + 10_000),
  ];
  throw new Error([...wrong, measured, ...trace].join("\n  "));
}

/** Adds what is wrong with the messages of one direction to the list. */
function told(what: string, { sent, lost, doubled, reordered }: Deliveries, wrong: string[]): string {
  for (const [how, numbers] of Object.entries({ lost, doubled, reordered })) {
    if (numbers.length > 0) wrong.push(`${numbers.length} ${what} ${how}: ${numbers.join(", ")}`);
  }
  if (sent === 0) wrong.push(`there were no ${what}`);
  return `${sent - lost.length} of ${sent} ${what} arrived`;
}

function medianRecovery(): string {
  const sorted = [...recoveriesMs].sort((a, b) => a - b);
  const medianMs = sorted[Math.floor(sorted.length / 2)] ?? Infinity;
  const measured = `${seconds(medianMs)} of ${sorted.map(seconds).join(", ")}`;
  if (sorted.length < RUNS) throw new Error(`only ${sorted.length} of ${RUNS} runs came so far`);
  if (medianMs > MOST_MEDIAN_MS) throw new Error(`more than ${MOST_MEDIAN_MS / 1_000} s: ${measured}`);
  return measured;
}
