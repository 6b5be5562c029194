/**
 * The tickets that a server has given out for scouts.
 *
 * @module
 */

import type { Channel } from "../pipeline/mod.ts";

/** How long a ticket is good for: a connect and its first bytes, on a slow network. */
const TICKET_LIFE_MS = 30_000;
/** A ticket is 17 bits of time and 16 of acknowledgement; 0 asks for one. */
const TIMES = 2 ** 17;
const ACKNOWLEDGEMENTS = 2 ** 16;

/** A ticket as it travels. */
export interface Ticket {
  readonly timeMs: number;
  readonly acknowledgement: number;
}

interface Grant {
  readonly main: Channel;
  /** Under which number it was asked for. */
  readonly sequence: number;
  readonly untilMs: number;
}

const registries = new WeakMap<object, ScoutRegistry>();

/**
 * Which channels may have a scout, and which scouts they have. One for all
 * channels of a server: a scout comes in by the same door and shows its ticket.
 */
export class ScoutRegistry {
  readonly #grants = new Map<number, Grant>();
  readonly #tickets = new Map<Channel, number[]>();
  /** Each with the number under which its ticket was asked for. */
  readonly #scouts = new Map<Channel, Map<Channel, number>>();
  /** Whose each scout is: with very many clients a scout that leaves must not look through them all. */
  readonly #mains = new WeakMap<Channel, Channel>();

  /** The registry of a server. */
  static of(server: object): ScoutRegistry {
    let registry = registries.get(server);
    if (registry === undefined) registries.set(server, registry = new ScoutRegistry());
    return registry;
  }

  /** How many scouts a channel has, together with the tickets that may still become one. */
  count(main: Channel): number {
    this.#forgetOld(main);
    return (this.#scouts.get(main)?.size ?? 0) + (this.#tickets.get(main)?.length ?? 0);
  }

  /** Whether a ticket is out that a link from this one's host could still show. */
  expects({ remoteAddress, loop }: Channel): boolean {
    const host = hostOf(remoteAddress);
    const nowMs = loop.now();
    for (const { main, untilMs } of this.#grants.values()) {
      if (untilMs >= nowMs && hostOf(main.remoteAddress) === host) return true;
    }
    return false;
  }

  /** Gives out a ticket. */
  grant(main: Channel, sequence: number): Ticket {
    let key: number;
    do key = randomKey(); while (this.#grants.has(key));
    this.#grants.set(key, { main, sequence, untilMs: main.loop.now() + TICKET_LIFE_MS });
    const tickets = this.#tickets.get(main);
    if (tickets === undefined) this.#tickets.set(main, [key]);
    else tickets.push(key);
    return { timeMs: Math.floor(key / ACKNOWLEDGEMENTS) * 100, acknowledgement: key % ACKNOWLEDGEMENTS };
  }

  /**
   * Takes a ticket, which is good once.
   *
   * @returns Whether the channel is a scout now.
   */
  redeem({ timeMs, acknowledgement }: Ticket, scout: Channel): boolean {
    const key = Math.round(timeMs / 100) * ACKNOWLEDGEMENTS + acknowledgement;
    const grant = this.#grants.get(key);
    if (grant === undefined) return false;
    this.#forget(key, grant.main);
    if (grant.untilMs < scout.loop.now() || !grant.main.isActive) return false;
    const scouts = this.#scouts.get(grant.main);
    if (scouts === undefined) this.#scouts.set(grant.main, new Map([[scout, grant.sequence]]));
    else scouts.set(scout, grant.sequence);
    this.#mains.set(scout, grant.main);
    return true;
  }

  /**
   * The client has given up what it asked for under this number: a ticket, or
   * the scout that came with it. Its network may have forgotten the scout's
   * link, and the server would not hear of that for a quarter of an hour.
   */
  giveUp(main: Channel, sequence: number): void {
    for (const key of [...this.#tickets.get(main) ?? []]) {
      if (this.#grants.get(key)!.sequence === sequence) this.#forget(key, main);
    }
    for (const [scout, itsSequence] of [...this.#scouts.get(main) ?? []]) {
      if (itsSequence !== sequence) continue;
      this.leave(scout);
      scout.drop("closed");
    }
  }

  /** A scout is gone. */
  leave(scout: Channel): void {
    const main = this.#mains.get(scout);
    const scouts = main && this.#scouts.get(main);
    if (scouts?.delete(scout) && scouts.size === 0) this.#scouts.delete(main!);
  }

  /** A main link is gone: its scouts and tickets go with it. */
  dismiss(main: Channel): void {
    for (const key of this.#tickets.get(main) ?? []) this.#grants.delete(key);
    this.#tickets.delete(main);
    const scouts = this.#scouts.get(main);
    this.#scouts.delete(main);
    for (const scout of scouts?.keys() ?? []) scout.close().onSettled(ignore);
  }

  #forgetOld(main: Channel): void {
    const nowMs = main.loop.now();
    for (const key of [...this.#tickets.get(main) ?? []]) {
      if (this.#grants.get(key)!.untilMs < nowMs) this.#forget(key, main);
    }
  }

  #forget(key: number, main: Channel): void {
    this.#grants.delete(key);
    const tickets = this.#tickets.get(main)?.filter((ticket) => ticket !== key) ?? [];
    if (tickets.length === 0) this.#tickets.delete(main);
    else this.#tickets.set(main, tickets);
  }
}

/** From a cryptographic source: who guesses a ticket gets a scout, which can do nothing, but at others' cost. */
function randomKey(): number {
  const [time, acknowledgement] = crypto.getRandomValues(new Uint32Array(2));
  return (1 + time! % (TIMES - 1)) * ACKNOWLEDGEMENTS + acknowledgement! % ACKNOWLEDGEMENTS;
}

function hostOf(address: string): string {
  return address.replace(/:\d+$/, "");
}

function ignore(): void {}
