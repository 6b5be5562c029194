/**
 * What a server knows of the networks that its clients come from.
 *
 * @module
 */

import { cannotUse, problemOf } from "./stores/_interval_record.ts";
import type { IntervalRecord, IntervalStore } from "./stores/interval_store.ts";
import { textHash } from "./_text_hash.ts";

/** Who is told what becomes of a question or a record. */
export interface AdviceListener {
  /** The longest silence that links of the network survived lately, ms; not called if there is none. */
  known?(ms: number): void;
  /** A longer one is kept, or the same one for longer. */
  learned?(): void;
  /** The store failed, or holds what cannot be used. */
  storeFailed(error: unknown): void;
}

/** What the store has of a network, as far as is known here. */
interface Entry {
  /** The longest silence that was survived lately, ms; 0: none. */
  readonly ms: number;
  /** When that was last seen, ms since 1970. */
  readonly atMs: number;
  /** When the store was last asked, ms since 1970. */
  readonly askedMs: number;
  /** Whether it has answered: what others have written must not be overwritten unseen. */
  readonly isRead: boolean;
}

/** What records of this kind are marked with: a client's own record of a network means something else. */
const STRATEGY = "advice";
/** The store is asked no more often than this about one network, however many clients come from it, ms. */
const ASK_AGAIN_MS = 300_000;
/** So many networks are known without asking the store. */
const MOST_NETWORKS = 10_000;
/** A settled client beats a little below what it proved: that is the same. */
const SAME = 0.95;
/** So much longer is worth writing down. */
const LONGER = 1.01;
/** A record is written anew in this part of its life, or it would end while it holds. */
const REFRESH = 1 / 8;
const NOTHING: Entry = { ms: 0, atMs: 0, askedMs: -Infinity, isRead: false };

/** Keeps for each network the longest silence that its links survived lately, in a store that may be shared. */
export class NetworkAdvice {
  readonly #store: IntervalStore;
  readonly #maxAgeMs: number;
  /** In the order in which they were last asked for or written. */
  readonly #entries = new Map<string, Entry>();

  constructor(store: IntervalStore, maxAgeMs: number) {
    this.#store = store;
    this.#maxAgeMs = maxAgeMs;
  }

  /** Tells what is known of a network: at once, unless the store has to be asked and is slow. */
  ask(network: string, nowMs: number, listener: AdviceListener): void {
    this.#read(network, nowMs, listener, ({ ms }) => {
      if (ms > 0) listener.known?.(ms);
    });
  }

  /** A link of the network has survived a silence. */
  survived(network: string, ms: number, nowMs: number, listener: AdviceListener): void {
    this.#read(network, nowMs, listener, (entry) => {
      const isNews = ms > entry.ms * LONGER ||
        (ms >= entry.ms * SAME && nowMs - entry.atMs > this.#maxAgeMs * REFRESH);
      if (!entry.isRead || !isNews) return;
      this.#write(network, { ...entry, ms: Math.max(ms, entry.ms), atMs: nowMs }, listener);
    });
  }

  /**
   * Who comes while the store is asked goes on with what was known before, so
   * that nobody waits behind a store that never answers.
   */
  #read(network: string, nowMs: number, listener: AdviceListener, then: (entry: Entry) => void): void {
    const before = this.#entries.get(network) ?? NOTHING;
    // Also where the clock was set back.
    if (Math.abs(nowMs - before.askedMs) < ASK_AGAIN_MS) return then(this.#young(before, nowMs));
    this.#keep(network, { ...before, askedMs: nowMs, isRead: false });
    const answered = (record: unknown) => {
      let found: IntervalRecord | undefined;
      try {
        found = checked(network, record);
      } catch (error) {
        return failed(error);
      }
      const entry = { ms: found?.loMs ?? 0, atMs: found?.atMs ?? 0, askedMs: nowMs, isRead: true };
      this.#keep(network, entry);
      then(this.#young(entry, nowMs));
    };
    const failed = (error: unknown) => {
      // What is no record may be replaced; of one that cannot be reached nothing is known.
      const entry = error instanceof TypeError ? { ...NOTHING, isRead: true } : { ...before, isRead: false };
      this.#keep(network, { ...entry, askedMs: nowMs });
      listener.storeFailed(error);
      then(this.#young(entry, nowMs));
    };
    try {
      const record = this.#store.get(keyOf(network));
      if (record instanceof Promise) record.then(answered, failed);
      else answered(record);
    } catch (error) {
      failed(error);
    }
  }

  #write(network: string, entry: Entry, listener: AdviceListener): void {
    const before = this.#entries.get(network) ?? NOTHING;
    this.#keep(network, entry);
    const failed = (error: unknown) => {
      this.#keep(network, { ...before, isRead: false });
      listener.storeFailed(error);
    };
    const { ms, atMs } = entry;
    try {
      const done = this.#store.set(keyOf(network), {
        strategy: STRATEGY,
        intervalMs: ms,
        loMs: ms,
        hiMs: null,
        isSettled: false,
        atMs,
        direction: "push",
        confirmations: 0,
      });
      if (done instanceof Promise) done.then(() => listener.learned?.(), failed);
      else listener.learned?.();
    } catch (error) {
      failed(error);
    }
  }

  /** What is too old is not known any more, nor is what a clock that was ahead has dated. */
  #young(entry: Entry, nowMs: number): Entry {
    return Math.abs(nowMs - entry.atMs) <= this.#maxAgeMs ? entry : { ...entry, ms: 0 };
  }

  #keep(network: string, entry: Entry): void {
    this.#entries.delete(network);
    this.#entries.set(network, entry);
    if (this.#entries.size <= MOST_NETWORKS) return;
    const [oldest] = this.#entries.keys();
    this.#entries.delete(oldest!);
  }
}

/** @throws {TypeError} If it is no record of this kind. */
function checked(network: string, record: unknown): IntervalRecord | undefined {
  if (record === undefined || record === null) return undefined;
  const { strategy } = record as IntervalRecord;
  const problem = problemOf(record) ??
    (strategy === STRATEGY ? undefined : `strategy must be "${STRATEGY}", got "${strategy}"`);
  if (problem !== undefined) throw cannotUse(keyOf(network), problem);
  return record as IntervalRecord;
}

/** Under which name the store keeps it. */
function keyOf(network: string): string {
  return `advice-${textHash(network)}`;
}
