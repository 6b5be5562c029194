const encoder = new TextEncoder();

/** Tells on stderr what is going on: one line that changes on a terminal, a line for each step elsewhere. */
export class Progress {
  readonly #isTerminal = Deno.stderr.isTerminal();
  #last = "";

  /** What is being done now, and how far it is. */
  say(what: string, done?: number, all?: number): void {
    if (this.#isTerminal) this.#write(`\r\x1b[K${what}${all === undefined ? "" : `, ${done} of ${all}`}`);
    else if (what !== this.#last) this.#write(`${what}\n`);
    this.#last = what;
  }

  /** Nothing more comes. */
  end(): void {
    if (this.#isTerminal) this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    Deno.stderr.writeSync(encoder.encode(text));
  }
}
