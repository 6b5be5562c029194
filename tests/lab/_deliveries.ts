/** What became of numbered messages between two processes. */

import type { LabEvent, LabProcess } from "./_lab_process.ts";

/** The sender's numbers, in order. */
export interface Deliveries {
  readonly sent: number;
  /** Never handed over. */
  readonly lost: readonly number[];
  /** Handed over more than once. */
  readonly doubled: readonly number[];
  /** Handed over after one with a higher number. */
  readonly reordered: readonly number[];
  /** Not handed over so soon after they were given to a link. */
  readonly late: readonly number[];
}

/** Which events of a process tell of a message. */
export interface End {
  readonly process: LabProcess;
  readonly event: "push" | "sent" | "received";
}

/**
 * Compares what one process sent with what the other one handed over. The
 * numbers are consecutive, so one that the sender never told of was lost too.
 *
 * @param counts Which of the sender's events to look at. Default: all.
 * @param lateMs From when on a message is late.
 */
export function deliveries(
  from: End,
  to: End,
  { counts = () => true, lateMs = Infinity }: { counts?: (sent: LabEvent) => boolean; lateMs?: number },
): Deliveries {
  const sentMs = new Map(numbered(from).filter(counts).map(({ n, atMs }) => [n, atMs]));
  const first = Math.min(...sentMs.keys());
  const last = Math.max(...sentMs.keys());
  const arrivals = Map.groupBy(numbered(to).filter(({ n }) => n >= first && n <= last), ({ n }) => n);
  const lost: number[] = [];
  const late: number[] = [];
  for (let n = first; n <= last; n++) {
    const atMs = arrivals.get(n)?.[0]?.atMs;
    if (atMs === undefined) lost.push(n);
    else if (atMs - (sentMs.get(n) ?? atMs) >= lateMs) late.push(n);
  }
  const order = [...arrivals.keys()];
  return {
    sent: sentMs.size === 0 ? 0 : last - first + 1,
    lost,
    doubled: order.filter((n) => arrivals.get(n)!.length > 1),
    reordered: order.filter((n, index) => n < (order[index - 1] ?? 0)),
    late,
  };
}

function numbered({ process, event }: End): (LabEvent & { readonly n: number })[] {
  return process.events.flatMap((each) =>
    each.event === event && each.n !== undefined ? [{ ...each, n: each.n }] : []
  );
}
