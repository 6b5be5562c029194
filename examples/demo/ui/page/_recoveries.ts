/**
 * How long each loss of the link took to be noticed, and to heal.
 *
 * @module
 */

import type { LinkDownReason } from "../../../../mod.ts";

/** One loss. */
export interface Recovery {
  /** When it was noticed, ms since the start. */
  readonly atMs: number;
  readonly cause: "cut" | LinkDownReason;
  /** From the cut, or else from the first heartbeat without an answer, to the moment when the client knew. */
  readonly noticedMs: number;
  /** From then to the server's first answer; undefined: not yet. */
  readonly backMs: number | undefined;
}

/** Follows the link. */
export class Recoveries {
  /** The last ones, newest first. */
  list: readonly Recovery[] = [];
  /** How many have ended well. */
  count = 0;
  #cutMs: number | undefined = undefined;
  #missedMs: number | undefined = undefined;
  /** Until the first link there is nothing to recover. */
  #wasUp = false;

  wasCut(atMs: number): void {
    this.#cutMs ??= atMs;
  }

  /** A heartbeat was not answered in time, and it is the first in a row. */
  missed(atMs: number): void {
    this.#missedMs = atMs;
  }

  answered(): void {
    this.#missedMs = undefined;
  }

  down(atMs: number, reason: LinkDownReason): void {
    if (!this.#wasUp) return;
    const [latest] = this.list;
    // Lost again before the server had answered: still the same recovery.
    if (latest !== undefined && latest.backMs === undefined) return;
    const cause: Recovery["cause"] = this.#cutMs === undefined ? reason : "cut";
    const noticedMs = atMs - (this.#cutMs ?? this.#missedMs ?? atMs);
    this.list = [{ atMs, cause, noticedMs, backMs: undefined }, ...this.list].slice(0, 4);
    this.#cutMs = this.#missedMs = undefined;
  }

  /** The server has answered on a link. Returns the recovery that this ends, if it ends one. */
  back(atMs: number): Recovery | undefined {
    this.#wasUp = true;
    this.#missedMs = undefined;
    const [latest, ...older] = this.list;
    if (latest === undefined || latest.backMs !== undefined) return undefined;
    this.count++;
    const done = { ...latest, backMs: atMs - latest.atMs };
    this.list = [done, ...older];
    return done;
  }
}
