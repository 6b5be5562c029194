import type {
  ClaimedSession,
  EventLoop,
  SessionChange,
  SessionOutline,
  SessionRecord,
  SessionStore,
} from "@longlink/pipeline";

/** A store that takes its time, and that a process which is killed has not told what it was about to. */
export class SlowStore implements SessionStore {
  /** Fails with this until it is taken away. */
  failure: Error | undefined = undefined;
  /** What it was asked, in order. */
  readonly asked: string[] = [];
  readonly #inner: SessionStore;
  readonly #loop: EventLoop;
  readonly #delayMs: number;

  constructor(inner: SessionStore, loop: EventLoop, delayMs: number) {
    this.#inner = inner;
    this.#loop = loop;
    this.#delayMs = delayMs;
  }

  create(key: string, record: SessionRecord): Promise<number> {
    return this.#later("create", () => this.#inner.create(key, record));
  }

  claim(
    key: string,
    accept?: (session: SessionOutline) => boolean,
  ): Promise<ClaimedSession | undefined> {
    return this.#later("claim", () => this.#inner.claim(key, accept));
  }

  update(key: string, claim: number, change: SessionChange): Promise<void> {
    return this.#later("update", () => this.#inner.update(key, claim, change));
  }

  remove(key: string, claim: number): Promise<void> {
    return this.#later("remove", () => this.#inner.remove(key, claim));
  }

  expire(beforeMs: number): Promise<number> {
    return this.#later("expire", () => this.#inner.expire(beforeMs));
  }

  #later<T>(what: string, task: () => T | Promise<T>): Promise<T> {
    this.asked.push(what);
    return new Promise((resolve, reject) => {
      this.#loop.schedule(this.#delayMs, () => {
        try {
          if (this.failure !== undefined) throw this.failure;
          resolve(task());
        } catch (error) {
          reject(error);
        }
      });
    });
  }
}
