/**
 * A session store as one process sees it.
 *
 * @module
 */

import type {
  ClaimedSession,
  SessionChange,
  SessionOutline,
  SessionRecord,
  SessionStore,
} from "../../../mod.ts";
import type { ProcessLoop } from "../faults/process_loop.ts";

/** What a store says that fails. */
export class StoreFailure extends Error {
  /** Makes the error. */
  constructor() {
    super("Cannot keep the session: the disk is full");
    this.name = "StoreFailure";
  }
}

/** How a store behaves. */
export interface StoreBehaviour {
  /** How long a call takes, ms; 0: it answers at once. */
  readonly latencyMs: () => number;
  /** Whether it fails just now. */
  readonly isFailing: () => boolean;
}

/**
 * Takes a while to answer. A process that is killed meanwhile gets no answer,
 * and what it asked for was done or was not.
 */
export class ProcessStore implements SessionStore {
  readonly #store: SessionStore;
  readonly #loop: ProcessLoop;
  readonly #behaviour: StoreBehaviour;

  /**
   * @param store What outlives the process.
   * @param loop The process.
   * @param behaviour How it behaves.
   */
  constructor(store: SessionStore, loop: ProcessLoop, behaviour: StoreBehaviour) {
    this.#store = store;
    this.#loop = loop;
    this.#behaviour = behaviour;
  }

  create(key: string, record: SessionRecord): number | Promise<number> {
    return this.#ask(() => this.#store.create(key, record));
  }

  claim(
    key: string,
    accept?: (session: SessionOutline) => boolean,
  ): ClaimedSession | undefined | Promise<ClaimedSession | undefined> {
    return this.#ask(() => this.#store.claim(key, accept));
  }

  update(key: string, claim: number, change: SessionChange): void | Promise<void> {
    return this.#ask(() => this.#store.update(key, claim, change));
  }

  remove(key: string, claim: number): void | Promise<void> {
    return this.#ask(() => this.#store.remove(key, claim));
  }

  expire(beforeMs: number): number | Promise<number> {
    return this.#ask(() => this.#store.expire(beforeMs));
  }

  #ask<T>(action: () => T | Promise<T>): T | Promise<T> {
    if (this.#loop.isKilled) return new Promise(() => {});
    const latencyMs = this.#behaviour.latencyMs();
    const act = () => {
      if (this.#behaviour.isFailing()) throw new StoreFailure();
      return action();
    };
    if (latencyMs === 0) return act();
    return new Promise((resolve, reject) => {
      this.#loop.schedule(latencyMs / 2, () => {
        let done: T | Promise<T>;
        let failure: unknown;
        try {
          done = act();
        } catch (error) {
          failure = error;
        }
        this.#loop.schedule(latencyMs / 2, () => failure === undefined ? resolve(done) : reject(failure));
      });
    });
  }
}
