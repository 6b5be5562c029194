/**
 * What timers cost on the system event loop, with a million idle links.
 *
 * @module
 */

import type { Timer } from "../pipeline/event_loop.ts";
import { SystemEventLoop, type SystemHost } from "../pipeline/system_event_loop.ts";
import type { Measurement } from "./_measurement.ts";

/** The median of the runs; ns are per timer. */
type TimerNumbers = {
  /** How many timers were set, then cancelled. */
  readonly timers: number;
  /** A set and a cancel count one each. */
  readonly opsPerSecond: number;
  readonly setNs: number;
  readonly cancelNs: number;
  /** Noting a read on an idle link: one look at the clock. */
  readonly touchNs: number;
  /** Cancelling a timer and setting it anew, which a touch avoids. */
  readonly resetNs: number;
  /** The most host timers that existed at one time. */
  readonly hostTimers: number;
  /** How often a host timer was armed. */
  readonly hostTimerArms: number;
};

const TIMERS = 1_000_000;
const RUNS = 5;
const SHORTEST_MS = 1000;
const LONGEST_MS = 3_600_000;

/** Sets a million timers of 1 s to 1 h, touches their links, resets and cancels them. */
export function benchTimers(): Measurement<TimerNumbers> {
  const runs = Array.from({ length: RUNS }, run);
  const setNs = median(runs.map((numbers) => numbers.setNs));
  const cancelNs = median(runs.map((numbers) => numbers.cancelNs));
  return {
    numbers: {
      timers: TIMERS,
      opsPerSecond: Math.round(2e9 / (setNs + cancelNs)),
      setNs,
      cancelNs,
      touchNs: median(runs.map((numbers) => numbers.touchNs)),
      resetNs: median(runs.map((numbers) => numbers.resetNs)),
      hostTimers: Math.max(...runs.map((numbers) => numbers.hostTimers)),
      hostTimerArms: median(runs.map((numbers) => numbers.hostTimerArms)),
    },
    notes: [
      `median of ${RUNS} runs; all timers are set (1 s to 1 h), then touched, then reset, then cancelled`,
      "set, touch and reset include the look at the clock; expiry is not measured",
    ],
  };
}

function run(): Omit<TimerNumbers, "timers" | "opsPerSecond"> {
  const host = countingHost();
  const loop = new SystemEventLoop({ host });
  const delays = Array.from(
    { length: TIMERS },
    () => SHORTEST_MS + Math.random() * (LONGEST_MS - SHORTEST_MS),
  );
  const links = delays.map((_, id) => ({ id, lastReadMs: 0 }));
  const expire = (link: { id: number }) => void link.id;

  const timers = new Array<Timer>(TIMERS);
  const setNs = nsPerTimer((i) => timers[i] = loop.schedule(delays[i]!, expire, links[i]));
  const touchNs = nsPerTimer((i) => links[i]!.lastReadMs = loop.now());
  const resetNs = nsPerTimer((i) => {
    timers[i]!.cancel();
    timers[i] = loop.schedule(delays[i]!, expire, links[i]);
  });
  const cancelNs = nsPerTimer((i) => timers[i]!.cancel());
  return { setNs, cancelNs, touchNs, resetNs, hostTimers: host.most, hostTimerArms: host.arms };
}

function nsPerTimer(operation: (i: number) => void): number {
  const start = performance.now();
  for (let i = 0; i < TIMERS; i++) operation(i);
  return (performance.now() - start) * 1e6 / TIMERS;
}

/** The platform itself, with its timers counted. */
function countingHost(): SystemHost & { readonly most: number; readonly arms: number } {
  const live = new Set<unknown>();
  let most = 0;
  let arms = 0;
  return {
    monotonicNow: () => performance.now(),
    wallNow: () => Date.now(),
    random: () => Math.random(),
    setTimeout(callback, delayMs) {
      const handle: unknown = setTimeout(() => {
        live.delete(handle);
        callback();
      }, delayMs);
      live.add(handle);
      arms++;
      most = Math.max(most, live.size);
      return handle;
    },
    clearTimeout(handle) {
      live.delete(handle);
      clearTimeout(handle as number);
    },
    get most() {
      return most;
    },
    get arms() {
      return arms;
    },
  };
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
