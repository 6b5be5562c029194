/**
 * What is known of the network in use.
 *
 * @module
 */

import type { IntervalSearch, IntervalStrategy, Verdict } from "./adaptive/interval_strategy.ts";
import { cannotUse, problemOf } from "./stores/_interval_record.ts";
import type { IntervalRecord, IntervalStore } from "./stores/interval_store.ts";
import { MemoryIntervalStore } from "./stores/memory_interval_store.ts";

/** A clock may be a little wrong; a record from further in the future was not made by it. */
const CLOCK_TOLERANCE_MS = 86_400_000;

/** Who is told what becomes of the store. */
export interface KnowledgeOwner {
  /** A slow store has answered, and that has changed the search. */
  knowledgeLoaded(): void;
  /** The store failed, or holds what cannot be used; the search goes on without it. */
  storeFailed(error: unknown): void;
}

/** Keeps the search of the network in use, and puts it into the store. */
export class NetworkKnowledge {
  search: IntervalSearch;
  /** What the current link lets trials prove. */
  direction: "push" | "client" = "client";
  #network: string | undefined = undefined;
  #store: IntervalStore | undefined;
  /** What the store holds of the network in use, as far as is known. */
  #kept: IntervalRecord | undefined = undefined;
  readonly #owner: KnowledgeOwner;
  readonly #strategy: IntervalStrategy;

  constructor(owner: KnowledgeOwner, strategy: IntervalStrategy, store: IntervalStore | undefined) {
    this.#owner = owner;
    this.#strategy = strategy;
    this.#store = store;
    this.search = strategy.search();
  }

  get network(): string | undefined {
    return this.#network;
  }

  /**
   * Starts over with what is stored for the network, unless it is the one in
   * use.
   *
   * @param nowMs The time, ms since 1970.
   */
  use(network: string, nowMs: number): void {
    const previous = this.#network;
    if (network === previous) return;
    if (previous !== undefined) {
      // Coming back to a network should find what was learned, with or without a store.
      this.#store ??= new MemoryIntervalStore();
      if (this.search.bracket.loMs > 0) this.#keep(this.#record(this.#kept?.atMs ?? nowMs));
      this.search = this.#strategy.search();
    }
    this.#network = network;
    this.#kept = undefined;
    try {
      const stored = this.#store?.get(network);
      if (stored instanceof Promise) {
        stored.then((record) => {
          if (this.#network === network && this.#continueFrom(record, network, nowMs)) {
            this.#owner.knowledgeLoaded();
          }
        }).catch((error) => this.#owner.storeFailed(error));
      } else {
        this.#continueFrom(stored, network, nowMs);
      }
    } catch (error) {
      this.#owner.storeFailed(error);
    }
  }

  /** Takes a verdict and keeps what it has changed, also that nothing is known any more. */
  judge(verdict: Verdict): void {
    this.search.judge(verdict);
    if (verdict.outcome === "void") return;
    const kept = this.#kept;
    const record = this.#record(verdict.atMs);
    if (kept === undefined || verdict.outcome === "failed" || !saysTheSame(kept, record)) {
      this.#keep(record);
    } else if (record.confirmations >= 2 * kept.confirmations && record.confirmations > 0) {
      // Each settled beat is a confirmation, and a disk is not to be written to as often as that.
      this.#keep({ ...record, atMs: kept.atMs });
    }
  }

  #record(atMs: number): IntervalRecord {
    const { intervalMs, bracket, isSettled, confirmations = 0 } = this.search;
    const { loMs, hiMs } = bracket;
    const { name: strategy } = this.#strategy;
    return { strategy, intervalMs, loMs, hiMs, isSettled, atMs, direction: this.direction, confirmations };
  }

  #keep(record: IntervalRecord): void {
    if (this.#store === undefined || this.#network === undefined) return;
    this.#kept = record;
    try {
      const done = this.#store.set(this.#network, record);
      if (done instanceof Promise) done.catch((error) => this.#owner.storeFailed(error));
    } catch (error) {
      this.#owner.storeFailed(error);
    }
  }

  /** A damaged record or one from the future is worth nothing, and whoever looks after the store should know. */
  #continueFrom(record: unknown, network: string, nowMs: number): boolean {
    if (record === undefined || record === null) return false;
    const problem = problemOf(record) ?? futureOf(record as IntervalRecord, nowMs);
    if (problem !== undefined) throw cannotUse(network, problem);
    const sound = record as IntervalRecord;
    // Another strategy's is sound, and means something else.
    if (sound.strategy !== this.#strategy.name) return false;
    this.search = this.#strategy.search(sound);
    this.#kept = sound;
    return true;
  }
}

function futureOf({ atMs }: IntervalRecord, nowMs: number): string | undefined {
  if (atMs <= nowMs + CLOCK_TOLERANCE_MS) return undefined;
  return `it is from the future, ${Math.round((atMs - nowMs) / 3_600_000)} h ahead`;
}

function saysTheSame(one: IntervalRecord, other: IntervalRecord): boolean {
  return one.intervalMs === other.intervalMs && one.loMs === other.loMs && one.hiMs === other.hiMs &&
    one.isSettled === other.isSettled && one.direction === other.direction;
}
