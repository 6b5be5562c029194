/** Pushes after silences that are longer than the NAT's memory, to a client that says nothing by itself. */

import { deliveries } from "./_deliveries.ts";
import { type Experiment, type Lab, wait } from "./_lab.ts";
import type { NatMode } from "./_real_nat.ts";

const GAPS_S = [5, 8, 15, 30, 50];
const RUN_MS = 240_000;
/** From then on every push has to be on time. */
const SETTLED_MS = 60_000;
/** A push that takes longer was not delivered, but repeated after a reconnect. */
const LATE_MS = 1_000;

/** The NAT is one of the shortest that there are. */
export const SPARSE_PUSHES: Experiment = {
  name: "pushes",
  setups: (["loose", "strict"] as const).map((mode: NatMode) => ({
    timeoutS: 10,
    mode,
    serve: ["--push-gaps", GAPS_S.join(",")],
    checks: [{ name: "every push after a longer silence is on time", run: allOnTime }],
  })),
};

async function allOnTime({ nat, server, client, progress }: Lab): Promise<string> {
  const link = client("connect", nat.serverUrl, "--start", "4", "--json");
  await link.until("the link", () => link.events.some(({ event }) => event === "up"), 60_000);
  const upMs = performance.now();
  progress(`watching pushes for ${RUN_MS / 1_000} s`);
  await wait(RUN_MS);
  const between = (fromMs: number, toMs: number) =>
    deliveries({ process: server, event: "push" }, { process: link, event: "push" }, {
      counts: ({ atMs }) => atMs >= upMs + fromMs && atMs < upMs + toMs,
      lateMs: LATE_MS,
    });
  const early = between(0, SETTLED_MS);
  const { sent, lost, late, doubled } = between(SETTLED_MS, RUN_MS - LATE_MS);
  const onTime = sent - lost.length - late.length;
  const downs = link.events.filter(({ event }) => event === "down");
  const intervalMs = link.events.findLast(({ event }) => event === "interval")?.ms ?? 4_000;
  const measured = `${onTime} of ${sent} on time, in the first minute ` +
    `${early.sent - early.lost.length - early.late.length} of ${early.sent}, interval ${intervalMs} ms`;
  if (sent > 0 && onTime === sent && doubled.length === 0 && downs.length === 0) return measured;
  throw new Error([
    `${measured}; late ${late.join(", ")}; lost ${lost.join(", ")}; doubled ${doubled.join(", ")}; ` +
    `link lost ${downs.length} times`,
    "--- client",
    ...link.between(upMs, upMs + RUN_MS),
    "--- server",
    ...server.between(upMs, upMs + RUN_MS),
  ].join("\n  "));
}
