/**
 * Real loopback links on one machine, a server of each kind in a process of
 * its own and one client program for all of them.
 */

import { numbersOf, type Row, type Table } from "../_table.ts";
import type { Measurement } from "../_measurement.ts";
import { type Contender, type Pairing, pairings } from "./_contenders.ts";
import { makeReady } from "./_peers.ts";
import { type Found, Session } from "./_session.ts";

/** What is run, and how long. */
interface Plan {
  /** Links, and in how many runs. */
  readonly sizes: ReadonlyMap<number, number>;
  readonly idleLinks: readonly number[];
  /** How long links are idle before CPU is counted, and for how long it is, ms: whole beats of the ping loops. */
  readonly settleMs: number;
  readonly windowMs: number;
}

const SHORT: Plan = {
  sizes: new Map([[1_000, 1], [5_000, 1], [15_000, 3]]),
  idleLinks: [15_000],
  settleMs: 35_000,
  windowMs: 60_000,
};
const LONG: Plan = {
  sizes: new Map([[1_000, 5], [5_000, 5], [15_000, 5]]),
  idleLinks: [1_000, 5_000, 15_000],
  settleMs: 90_000,
  windowMs: 600_000,
};

const BEAT_MS = 30_000;
const LEARNED_MS = 290_000;

const METRICS: { readonly [Key in keyof Found]: { readonly title: string; readonly unit: string } } = {
  residentBytes: { title: "Memory of an idle link, resident", unit: "bytes" },
  heapBytes: { title: "Memory of an idle link, heap", unit: "bytes" },
  pushUs: { title: "Push to all links", unit: "µs a link" },
  pushCpuUs: { title: "Push to all links, the server's CPU", unit: "µs a link" },
  connectMs: { title: "Connect storm", unit: "ms" },
  connectCpuUs: { title: "Connect storm, the server's CPU", unit: "µs a link" },
};

/** Measures all of it; with the environment's LONGLINK_BENCH=long more runs and a long idle window. */
export async function benchLinks(): Promise<Measurement> {
  if (Deno.build.os !== "linux") {
    return { numbers: {}, notes: ["links at scale: measured on Linux alone, by /proc and epoll"] };
  }
  const plan = Deno.env.get("LONGLINK_BENCH") === "long" ? LONG : SHORT;
  const load = Deno.loadavg()[0]!;
  const runtimes = await makeReady();
  try {
    const rows = pairings(runtimes);
    const found = await measureAll(rows, plan, runtimes.folder);
    const tables = [...tablesOf(rows, plan, found), ...await idle(rows, plan, runtimes.folder)];
    return {
      numbers: numbersOf(tables),
      tables,
      notes: [
        `loopback, server and client on the same ${navigator.hardwareConcurrency} cores, load ${
          load.toFixed(1)
        } at the start; less is better in all tables`,
        `runs: ${[...plan.sizes].map(([links, runs]) => `${runs} of ${links}`).join(", ")} links; medians`,
        "memory: anonymous pages of the server's process, and its heap with what it holds outside, per link, after three collections; the kernel's buffers are not counted",
        "bare: node:net that echoes, ws without pings, Deno.serve with Deno.upgradeWebSocket; Deno.listen is Deno's own TCP",
        "push: one message of 100 bytes to each link, from the first write until the last one has arrived; bytes for all but socket.io, which sends text with io.emit",
        "storm: at most 100 links on their way at once, up when the first answer came (socket.io: its connect packet)",
        "CPU: user and system time of the server's process; ws and socket.io ping every 30 s, Netty and bare TCP answer the client's pings, longlink serves holds; beats of links are spread, those of ws' loop are not",
        "the client speaks just enough of each protocol over the kernel's sockets; TLS, permessage-deflate, long polling, other kernels and real networks are not measured",
        ...(runtimes.netty === undefined
          ? ["no numbers for Netty: Debian's libnetty-java or a JDK is missing"]
          : []),
      ],
    };
  } finally {
    await Deno.remove(runtimes.folder, { recursive: true });
  }
}

/** By contender's name and number of links, run by run. */
type AllFound = Map<string, Found[]>;

async function measureAll(rows: readonly Pairing[], { sizes }: Plan, folder: string): Promise<AllFound> {
  const found: AllFound = new Map();
  const contenders = new Map(
    rows.flatMap(({ ours, peers }) => [ours, ...Object.values(peers)]).map((one) => [one.name, one]),
  );
  for (const [links, runs] of sizes) {
    // Run by run one after the other, as ratios are taken within a run.
    for (let run = 0; run < runs; run++) {
      for (const contender of contenders.values()) {
        const one = await Session.measure(contender, links, folder);
        const key = keyOf(contender, links);
        found.set(key, [...found.get(key) ?? [], one]);
        console.error(`  ${contender.name}, ${links} links: ${summary(one)}`);
      }
    }
  }
  return found;
}

function summary({ residentBytes, heapBytes, connectMs, pushUs, pushCpuUs }: Found): string {
  const [resident, heap, connect] = [residentBytes, heapBytes, connectMs].map(Math.round);
  return `${resident} bytes resident, ${heap} heap; up in ${connect} ms; a push ${
    pushUs.toFixed(1)
  } µs, CPU ${pushCpuUs.toFixed(1)}`;
}

function tablesOf(rows: readonly Pairing[], { sizes }: Plan, found: AllFound): Table[] {
  return (Object.keys(METRICS) as (keyof Found)[]).map((metric) => ({
    ...METRICS[metric],
    rows: rows.flatMap((row) =>
      [...sizes.keys()].map((links) =>
        rowOf(
          row,
          `${row.name}, ${links.toLocaleString("en")}`,
          (contender) => found.get(keyOf(contender, links))!.map((one) => one[metric]),
        )
      )
    ),
  }));
}

function rowOf({ ours, peers }: Pairing, name: string, runsOf: (contender: Contender) => number[]): Row {
  const runs: Record<string, number[]> = { longlink: runsOf(ours) };
  for (const [peer, contender] of Object.entries(peers)) runs[peer] = runsOf(contender);
  return { name, runs };
}

function keyOf({ name }: Contender, links: number): string {
  return `${name} ${links}`;
}

/** All servers idle at the same time: each uses a few per cent of a core, and only its own time is counted. */
async function idle(rows: readonly Pairing[], plan: Plan, folder: string): Promise<Table[]> {
  const started = new Map<string, { session: Session; beforeMs: number }>();
  const start = async (contender: Contender, links: number, beatMs: number) => {
    const key = `${keyOf(contender, links)} ${beatMs}`;
    if (started.has(key)) return;
    const session = await Session.start(contender, beatMs, folder);
    started.set(key, { session, beforeMs: 0 });
    await session.connect(links, beatMs, "spread");
  };
  try {
    for (const links of plan.idleLinks) {
      for (const { ours, peers } of rows) {
        for (const contender of [ours, ...Object.values(beating(peers))]) {
          await start(contender, links, BEAT_MS);
        }
        await start(ours, links, LEARNED_MS);
      }
    }
    console.error(`  ${started.size} servers idle for ${(plan.settleMs + plan.windowMs) / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, plan.settleMs));
    for (const one of started.values()) one.beforeMs = one.session.cpuMs();
    await new Promise((resolve) => setTimeout(resolve, plan.windowMs));
    const perMinute = new Map(
      [...started].map((
        [key, { session, beforeMs }],
      ) => [key, (session.cpuMs() - beforeMs) * 60_000 / plan.windowMs]),
    );
    const cpu = rows.flatMap((row) =>
      plan.idleLinks.flatMap((links) =>
        [BEAT_MS, LEARNED_MS].map((beatMs) =>
          rowOf(
            { ...row, peers: beating(row.peers) },
            `${row.name}, ${links.toLocaleString("en")}, beat ${beatMs / 1000} s`,
            (contender) => [
              perMinute.get(`${keyOf(contender, links)} ${contender === row.ours ? beatMs : BEAT_MS}`)!,
            ],
          )
        )
      )
    );
    return [{ title: "CPU of idle links, peers beat every 30 s", unit: "ms a minute", rows: cpu }];
  } finally {
    for (const { session } of started.values()) await session.end();
  }
}

/** Without those where nobody beats, which have nothing to do. */
function beating(peers: Readonly<Record<string, Contender>>): Record<string, Contender> {
  const isSilent = ({ dialect, name }: Contender) => dialect === "ws" && name !== "ws";
  return Object.fromEntries(Object.entries(peers).filter(([, peer]) => !isSilent(peer)));
}
