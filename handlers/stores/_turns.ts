/**
 * Who may go next.
 *
 * @module
 */

/** Lets so many tasks run at once, the others in the order in which they came. */
export class Gate {
  #free: number;
  /** A set keeps the order of insertion, and gives up its first at no cost however many wait. */
  readonly #waiting = new Set<() => void>();

  constructor(size: number) {
    this.#free = size;
  }

  /** Runs a task when its turn has come. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((pass) => this.#waiting.add(pass));
    try {
      return await task();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#free++;
      else {
        this.#waiting.delete(next);
        next();
      }
    }
  }
}

/** Runs what is to be done for each key in the order in which it came, and for different keys side by side. */
export class Turns<Update> {
  readonly #lines = new Map<string, (Update | (() => Promise<void>))[]>();
  readonly #running = new Set<Promise<void>>();
  readonly #gate: Gate;
  readonly #apply: (key: string, updates: Update[]) => Promise<void>;

  /**
   * @param size How many keys are worked at at once.
   * @param apply Does all the updates of a key that have piled up. It must not reject.
   */
  constructor(size: number, apply: (key: string, updates: Update[]) => Promise<void>) {
    this.#gate = new Gate(size);
    this.#apply = apply;
  }

  /** Does a task in its key's turn. */
  run<T>(key: string, task: () => Promise<T>): Promise<T> {
    return new Promise<T>((pass, fail) => this.#add(key, () => task().then(pass, fail)));
  }

  /** Does an update in its key's turn, together with those before and after it. */
  update(key: string, update: Update): void {
    this.#add(key, update);
  }

  /** Passes when nothing is left to be done. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #add(key: string, work: Update | (() => Promise<void>)): void {
    const line = this.#lines.get(key);
    if (line !== undefined) {
      line.push(work);
      return;
    }
    const fresh = [work];
    this.#lines.set(key, fresh);
    const running = this.#work(key, fresh).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #work(key: string, line: (Update | (() => Promise<void>))[]): Promise<void> {
    while (line.length > 0) await this.#gate.run(() => this.#next(key, line));
    this.#lines.delete(key);
  }

  #next(key: string, line: (Update | (() => Promise<void>))[]): Promise<void> {
    const [first] = line;
    if (typeof first === "function") {
      line.shift();
      return (first as () => Promise<void>)();
    }
    const end = line.findIndex((work) => typeof work === "function");
    return this.#apply(key, line.splice(0, end < 0 ? line.length : end) as Update[]);
  }
}
