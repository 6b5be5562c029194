/**
 * Timers of idle links: `timers.ts FOLDER TIMERS ours|host`. All have the same
 * delay, which is the host's best case: Node has a list for each delay.
 *
 * `ours`: on one SystemEventLoop. A read on an idle link notes the time, as the
 * IdleStateHandler does. `host`: a `setTimeout` for each link, which a read
 * clears and sets anew; in Node also its `refresh()`.
 *
 * Prints CPU ns a timer: to set all, for a read on each, and from when all are
 * set until the last has expired. A smaller round warms up.
 */

import process from "node:process";
import type { Timer } from "../../pipeline/event_loop.ts";
import { SystemEventLoop } from "../../pipeline/system_event_loop.ts";

const IDLE_MS = 240_000;
const WARM_UP_TIMERS = 50_000;
/** A million expire within a second, after another one in which all are set. */
const EXPIRIES_A_MS = 1000;

interface Costs {
  set: number;
  touch: number;
  refresh?: number;
  expire: number;
}

interface Link {
  lastReadMs: number;
  expired: number;
}

const [, , , most, whose] = process.argv;
const links = Array.from(
  { length: Number(most) },
  (): Link => ({ lastReadMs: performance.now(), expired: 0 }),
);
const measure = whose === "ours" ? ours : host;
let timers = WARM_UP_TIMERS;
await measure();
timers = links.length;
console.log(JSON.stringify(await measure()));

async function ours(): Promise<Costs> {
  const loop = new SystemEventLoop();
  const expire = (link: Link) => void link.expired++;
  const set = new Array<Timer>(timers);
  const costs = {
    set: cpuNs((i) => set[i] = loop.schedule(IDLE_MS, expire, links[i]!)),
    touch: cpuNs((i) => links[i]!.lastReadMs = loop.now()),
  };
  for (let i = 0; i < timers; i++) set[i]!.cancel();
  return { ...costs, expire: await expireNs((ms, last) => void loop.schedule(ms, last)) };
}

async function host(): Promise<Costs> {
  const expire = (link: Link) => void link.expired++;
  const set = new Array<ReturnType<typeof setTimeout>>(timers);
  const costs: Omit<Costs, "expire"> = {
    set: cpuNs((i) => set[i] = setTimeout(expire, IDLE_MS, links[i]!)),
    touch: cpuNs((i) => {
      clearTimeout(set[i]);
      set[i] = setTimeout(expire, IDLE_MS, links[i]!);
    }),
  };
  const inNode = set as unknown as { refresh?: () => void }[];
  if (inNode[0]!.refresh !== undefined) costs.refresh = cpuNs((i) => inNode[i]!.refresh!());
  for (let i = 0; i < timers; i++) clearTimeout(set[i]);
  return { ...costs, expire: await expireNs((ms, last) => void setTimeout(last, ms)) };
}

function cpuNs(operation: (i: number) => void): number {
  const start = process.cpuUsage();
  for (let i = 0; i < timers; i++) operation(i);
  return nsSince(start);
}

/** All are set before the first is due, and the last one's task ends it. */
function expireNs(schedule: (ms: number, task: () => void) => void): Promise<number> {
  return new Promise((resolve) => {
    const expiryMs = timers / EXPIRIES_A_MS;
    let left = timers;
    let start = process.cpuUsage();
    const task = () => {
      if (--left === 0) resolve(nsSince(start));
    };
    for (let i = 0; i < timers; i++) schedule(expiryMs + i % expiryMs, task);
    start = process.cpuUsage();
  });
}

function nsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) * 1000 / timers;
}
