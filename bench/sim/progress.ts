const encoder = new TextEncoder();

/** Tells on stderr what is going on: one line that changes on a terminal, a line for each step elsewhere. */
export class Progress {
  readonly #isTerminal = Deno.stderr.isTerminal();
  #last = "";

  /** What is being done now; after a colon or comma, how far. */
  say(what: string): void {
    if (this.#isTerminal) {
      this.#write(`\r\x1b[K${what}`);
      return;
    }
    const step = what.split(/[,\d]/, 1)[0]!.trim();
    if (step !== this.#last) this.#write(`${step}\n`);
    this.#last = step;
  }

  /** Nothing more comes. */
  end(): void {
    if (this.#isTerminal) this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    Deno.stderr.writeSync(encoder.encode(text));
  }
}
