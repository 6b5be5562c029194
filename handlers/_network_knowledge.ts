/**
 * What is known of the network in use.
 *
 * @module
 */

import type { IntervalSearch, IntervalStrategy, Verdict } from "./adaptive/interval_strategy.ts";
import { isIntervalRecord, type IntervalRecord, type IntervalStore } from "./stores/interval_store.ts";
import { MemoryIntervalStore } from "./stores/memory_interval_store.ts";

/** A clock may be a little wrong; a record from further in the future was not made by it. */
const CLOCK_TOLERANCE_MS = 86_400_000;

/** Who is told what becomes of the store. */
export interface KnowledgeOwner {
  /** A slow store has answered, and that has changed the search. */
  knowledgeLoaded(): void;
  /** The store failed; the search goes on without it. */
  storeFailed(error: unknown): void;
}

/** Keeps the search of the network in use, and puts it into the store. */
export class NetworkKnowledge {
  search: IntervalSearch;
  /** What the current link lets trials prove. */
  direction: "push" | "client" = "client";
  #network: string | undefined = undefined;
  #store: IntervalStore | undefined;
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
      if (this.search.bracket.loMs > 0) this.keep(nowMs);
      this.search = this.#strategy.search();
    }
    this.#network = network;
    try {
      const stored = this.#store?.get(network);
      if (stored instanceof Promise) {
        stored.then((record) => {
          if (this.#network === network && this.#continueFrom(record, nowMs)) this.#owner.knowledgeLoaded();
        }, (error) => this.#owner.storeFailed(error));
      } else {
        this.#continueFrom(stored, nowMs);
      }
    } catch (error) {
      this.#owner.storeFailed(error);
    }
  }

  /** Takes a verdict and keeps what it has changed. */
  judge(verdict: Verdict): void {
    this.search.judge(verdict);
    if (verdict.outcome !== "void") this.keep(verdict.atMs);
  }

  /** Puts what is known into the store, also that nothing is known any more. */
  keep(nowMs: number): void {
    const { loMs, hiMs } = this.search.bracket;
    if (this.#store === undefined || this.#network === undefined) return;
    const record: IntervalRecord = {
      strategy: this.#strategy.name,
      intervalMs: this.search.intervalMs,
      loMs,
      hiMs,
      isSettled: this.search.isSettled,
      atMs: nowMs,
      direction: this.direction,
      confirmations: this.search.confirmations ?? 0,
    };
    try {
      const kept = this.#store.set(this.#network, record);
      if (kept instanceof Promise) kept.catch((error) => this.#owner.storeFailed(error));
    } catch (error) {
      this.#owner.storeFailed(error);
    }
  }

  /** A damaged record, another strategy's, or one from the future is worth nothing. */
  #continueFrom(record: unknown, nowMs: number): boolean {
    if (!isIntervalRecord(record) || record.strategy !== this.#strategy.name) return false;
    if (record.atMs > nowMs + CLOCK_TOLERANCE_MS) return false;
    this.search = this.#strategy.search(record);
    return true;
  }
}
