/** What became of every numbered message between a client and a fleet. */

import type { FleetEvent, FleetProcess } from "./_process.ts";

/** One direction. */
export interface Account {
  readonly sent: number;
  /** Handed over. */
  readonly arrived: number;
  readonly lost: readonly number[];
  readonly doubled: readonly number[];
  readonly reordered: readonly number[];
  /** Not handed over, and told of, or gone with their process: Redis had not got them. */
  readonly returned: readonly number[];
  /** Handed over once more at the next server, as the one before could not note that it had handled them. */
  readonly again: readonly number[];
}

/** An account of nothing. */
export const EMPTY: Account = {
  sent: 0,
  arrived: 0,
  lost: [],
  doubled: [],
  reordered: [],
  returned: [],
  again: [],
};

/** The client's messages, over all servers: their numbers are consecutive. */
export function upward(client: FleetProcess, servers: readonly FleetProcess[]): Account {
  const received = servers.flatMap((server) =>
    server.of("received").map((event) => ({ event, isKept: !server.isUnkept(event) }))
  ).sort((one, other) => one.event.cameMs - other.event.cameMs);
  const handled = new Set<number>();
  const again: number[] = [];
  const got: number[] = [];
  for (const { event, isKept } of received) {
    const n = event.n!;
    if (handled.has(n)) again.push(n);
    else if (isKept) got.push(n);
    else handled.add(n);
  }
  const once = account(numbersOf(client.of("sent")), [...got, ...handled], () => false);
  return { ...once, reordered: account([], got, () => false).reordered, again };
}

/** The pushes of one server, which numbers them on its own. */
export function downward(server: FleetProcess, client: FleetProcess): Account {
  const pushed = server.of("push");
  const numbers = new Set(numbersOf(pushed));
  const told = new Set([
    ...numbersOf(server.of("lost")),
    ...numbersOf(pushed.filter((event) => server.isUnkept(event))),
  ]);
  const got = numbersOf(client.of("push")).filter((n) => numbers.has(n));
  return account([...numbers], got, (n) => told.has(n));
}

/** Both accounts as one. */
export function sum(one: Account, other: Account): Account {
  return {
    sent: one.sent + other.sent,
    arrived: one.arrived + other.arrived,
    lost: [...one.lost, ...other.lost],
    doubled: [...one.doubled, ...other.doubled],
    reordered: [...one.reordered, ...other.reordered],
    returned: [...one.returned, ...other.returned],
    again: [...one.again, ...other.again],
  };
}

function account(sent: readonly number[], got: readonly number[], isTold: (n: number) => boolean): Account {
  const seen = new Set<number>();
  const doubled: number[] = [];
  const reordered: number[] = [];
  let highest = 0;
  for (const n of got) {
    if (seen.has(n)) doubled.push(n);
    else if (n < highest) reordered.push(n);
    seen.add(n);
    highest = Math.max(highest, n);
  }
  const missing = sent.filter((n) => !seen.has(n));
  return {
    sent: sent.length,
    arrived: seen.size,
    lost: missing.filter((n) => !isTold(n)),
    doubled,
    reordered,
    returned: missing.filter(isTold),
    again: [],
  };
}

function numbersOf(events: readonly FleetEvent[]): number[] {
  return events.map(({ n }) => n!);
}
