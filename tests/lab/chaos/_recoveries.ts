/**
 * How long it takes until messages arrive again.
 *
 * @module
 */

import type { EventLoop } from "../../../mod.ts";
import { nameOf } from "./_names.ts";

/**
 * After a time in which everything went wrong: a try that began before its end
 * (10 s) and a wait before the next (5 s), or a link that died unnoticed (10 s)
 * and the first wait (0.8 s); then the round trips of a new link.
 */
const HEAL_MS = 17_000;
/** The same in an outage of two minutes or more, with waits of up to 30 s. */
const LONG_HEAL_MS = 42_000;
const LONG_OUTAGE_MS = 120_000;

interface Awaited {
  readonly what: "kill" | "heal";
  readonly sinceMs: number;
  readonly boundMs: number;
}

/** Measures from a kill, or the end of all faults, to the first message that arrives. */
export class Recoveries {
  /** The slowest after a plain kill, ms. */
  maxKillMs = 0;
  /** How many plain kills were recovered from. */
  kills = 0;
  readonly #loop: EventLoop;
  readonly #problems: string[];
  readonly #awaited = new Map<number, Awaited>();
  readonly #lastArrivalMs = new Map<number, number>();

  /** @param problems Gets a sentence about each that took too long. */
  constructor(loop: EventLoop, problems: string[]) {
    this.#loop = loop;
    this.#problems = problems;
  }

  /** Whether a kill of this client is being measured, or, without one, of any. */
  isMeasuring(client: number | undefined): boolean {
    return client === undefined ? this.#awaited.size > 0 : this.#awaited.has(client);
  }

  /** A client's link was killed, with nothing else wrong. */
  killed(client: number, boundMs: number): void {
    this.#awaited.set(client, { what: "kill", sinceMs: this.#loop.now(), boundMs });
  }

  /** Nothing is wrong any more, and what was is noticed after so long at most. */
  healed(client: number, afterMs: number): void {
    const nowMs = this.#loop.now();
    const isLong = nowMs - (this.#lastArrivalMs.get(client) ?? 0) >= LONG_OUTAGE_MS;
    if (this.#awaited.has(client)) return;
    this.#awaited.set(client, {
      what: "heal",
      sinceMs: nowMs,
      boundMs: afterMs + (isLong ? LONG_HEAL_MS : HEAL_MS),
    });
  }

  /** A message of a client, or for it, has arrived. */
  arrived(client: number): void {
    const nowMs = this.#loop.now();
    this.#lastArrivalMs.set(client, nowMs);
    const awaited = this.#awaited.get(client);
    if (awaited === undefined) return;
    this.#awaited.delete(client);
    const { what, sinceMs, boundMs } = awaited;
    const tookMs = nowMs - sinceMs;
    if (what === "kill") {
      this.kills++;
      this.maxKillMs = Math.max(this.maxKillMs, tookMs);
    }
    if (tookMs <= boundMs) return;
    this.#problems.push(`${nameOf(client)} took ${tookMs} ms to recover from the ${what}, above ${boundMs}`);
  }

  /** Names those that never recovered. */
  end(): void {
    for (const [client, { what, sinceMs }] of this.#awaited) {
      this.#problems.push(`${nameOf(client)} has not recovered from the ${what} at ${sinceMs} ms`);
    }
  }
}
