/** What timers of a million idle links cost, next to the runtime's own and to Netty's. */

import type { Measurement } from "./_measurement.ts";
import { netty } from "./_netty.ts";
import { inDeno, inNode, removeBundles } from "./_programs.ts";
import { numbersOf, type Row, type Table } from "./_table.ts";

/** CPU ns a timer. */
type Costs = { set: number; touch: number; refresh?: number; expire: number };

const ROWS = { set: "set", touch: "a read on an idle link", expire: "expire" } as const;

/** How much is measured; less for a quick check. */
export interface TimersOptions {
  readonly runs: number;
  readonly timers?: number;
}

/** Sets timers of idle links, reads on each, and lets them expire. */
export async function benchTimers(options: TimersOptions = { runs: 3 }): Promise<Measurement> {
  const { runs, timers = 1_000_000 } = options;
  const java = await netty();
  const titles = { "timers in Deno": inDeno, "timers in Node": inNode };
  const found: Record<string, Record<string, Costs[]>> = {};
  for (let run = 1; run <= runs; run++) {
    console.error(`  timers: run ${run} of ${runs}`);
    const wheel = typeof java === "string" ? undefined : await java.run<Costs>("TimerBench", `${timers}`);
    for (const [title, start] of Object.entries(titles)) {
      const costs = (found[title] ??= {});
      (costs.longlink ??= []).push(await start("timers", `${timers}`, "ours"));
      (costs.setTimeout ??= []).push(await start("timers", `${timers}`, "host"));
      if (wheel !== undefined) (costs.HashedWheelTimer ??= []).push(wheel);
    }
  }
  await removeBundles();
  if (typeof java !== "string") await java[Symbol.asyncDispose]();
  const tables = Object.entries(found).map(([title, costs]): Table => ({
    title,
    unit: "ns",
    rows: (Object.keys(ROWS) as (keyof typeof ROWS)[]).map((operation) => rowOf(operation, costs)),
  }));
  return {
    numbers: numbersOf(tables),
    tables,
    notes: [
      `CPU ns a timer with ${
        timers.toLocaleString("en")
      } of them, all of 240 s, which is setTimeout's best case; to expire: 1,000 in each ms`,
      "a read: this library notes the time, setTimeout is cleared and set anew, or refreshed (refresh()), a Timeout of Netty's is cancelled and made anew",
      "expire: from when all are set until the last task has run; a task counts down",
      typeof java === "string"
        ? `no numbers for Netty: ${java}`
        : "Netty's wheel has its defaults, 512 slots of 100 ms, and does part of its work in a thread of its own, which is in its numbers; Java's collector is not",
    ],
  };
}

function rowOf(operation: keyof typeof ROWS, costs: Record<string, Costs[]>): Row {
  const runs: Record<string, number[]> = {};
  for (const [who, rounds] of Object.entries(costs)) {
    runs[who] = rounds.map((round) => round[operation]);
    if (operation === "touch" && rounds[0]!.refresh !== undefined) {
      runs["refresh()"] = rounds.map(({ refresh }) => refresh!);
    }
  }
  return { name: ROWS[operation], runs };
}
