/**
 * What a program prints, line by line.
 *
 * @module
 */

const LAST_LINES = 40;

/** Collects lines, and waits for one that has not been asked for yet. */
export class Lines {
  readonly all: string[] = [];
  /** Settled once all streams have ended. */
  readonly ended: Promise<void>;
  readonly #name: string;
  #seen = 0;
  #isOver = false;
  #changed = Promise.withResolvers<void>();

  /**
   * Starts reading.
   *
   * @param name What the lines are called in an error.
   * @param streams Where they come from.
   */
  constructor(name: string, streams: readonly ReadableStream<Uint8Array>[]) {
    this.#name = name;
    this.ended = Promise.all(streams.map((stream) => this.#read(stream))).then(() => {
      this.#isOver = true;
      this.#change();
    });
  }

  /**
   * The first line since the last one found that matches.
   *
   * @throws {Error} If none comes; with the last lines that came.
   */
  async until(pattern: RegExp, withinMs: number): Promise<string> {
    const deadline = Promise.withResolvers<void>();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      deadline.resolve();
    }, withinMs);
    try {
      while (true) {
        const at = this.all.findIndex((line, i) => i >= this.#seen && pattern.test(line));
        if (at >= 0) {
          this.#seen = at + 1;
          return this.all[at]!;
        }
        if (this.#isOver || isLate) {
          const last = this.all.slice(-LAST_LINES).map((line) => `\n  ${this.#name}| ${line}`).join("");
          const why = this.#isOver ? "it has ended" : `not within ${withinMs / 1000} s`;
          throw new Error(`Cannot find ${pattern} in what ${this.#name} prints: ${why}${last}`);
        }
        await Promise.race([this.#changed.promise, deadline.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Waits until so many lines match, counted from the beginning.
   *
   * @throws {Error} If they do not come.
   */
  async times(pattern: RegExp, times: number, withinMs: number): Promise<void> {
    this.#seen = 0;
    for (let i = 0; i < times; i++) await this.until(pattern, withinMs);
  }

  /** As {@linkcode until}, for a line that is a JSON object with such an `event`. */
  async event(event: string, withinMs = 10_000): Promise<Record<string, number>> {
    return JSON.parse(await this.until(new RegExp(`^\\{"event":"${event}"`), withinMs));
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!;
      this.all.push(...lines);
      this.#change();
    }
    if (rest !== "") this.all.push(rest);
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
