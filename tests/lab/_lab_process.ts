/** A `longlink` command that runs in a namespace, and what it prints. */

const ROOT = new URL("../../", import.meta.url).pathname;
const KILL_AFTER_MS = 5_000;
/** What came within this time came in one go. */
const ONE_GO_MS = 200;

/** One line of a process's output, and when it came, in ms of performance.now(). */
export interface Line {
  readonly atMs: number;
  readonly text: string;
}

/** A line that is a JSON object with an event. */
export interface LabEvent extends Line {
  readonly event: string;
  readonly n?: number;
  readonly ms?: number;
  readonly reason?: string;
}

/** Fetches what the commands need, while there is a network. */
export async function prepare(): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), { args: ["cache", "-q", "cli.ts"], cwd: ROOT })
    .output();
  if (!success) throw new Error("Cannot prepare the lab: deno cache cli.ts failed");
}

/** Runs until it ends or is stopped. */
export class LabProcess {
  readonly lines: Line[] = [];
  readonly errors: Line[] = [];
  readonly events: LabEvent[] = [];
  readonly status: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  #isOver = false;
  #changed = Promise.withResolvers<void>();

  /**
   * Starts it.
   *
   * @param wrap Makes the command line that runs a command in its namespace.
   * @param args What follows `longlink`.
   */
  constructor(wrap: (command: readonly string[]) => string[], args: readonly string[]) {
    const [command, ...rest] = wrap([Deno.execPath(), "run", "-A", "--cached-only", "-q", "cli.ts", ...args]);
    this.#child = new Deno.Command(command!, { args: rest, cwd: ROOT, stdout: "piped", stderr: "piped" })
      .spawn();
    this.status = Promise.all([
      this.#child.status,
      this.#collect(this.#child.stdout, this.lines),
      this.#collect(this.#child.stderr, this.errors),
    ]).then(([status]) => {
      this.#isOver = true;
      this.#change();
      return status;
    });
  }

  /**
   * Waits until something has been printed.
   *
   * @throws {Error} If the process ends before, or it takes too long.
   */
  async until(what: string, isThere: () => boolean, withinMs: number): Promise<void> {
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, withinMs);
    const endMs = performance.now() + withinMs;
    try {
      while (!isThere()) {
        if (this.#isOver) throw new Error(`${what}: the process has ended. ${this.#tail()}`);
        if (performance.now() >= endMs) {
          throw new Error(`${what}: not within ${withinMs / 1_000} s. ${this.#tail()}`);
        }
        await Promise.race([this.#changed.promise, deadline.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** What it printed in a span of time, for a message about what went wrong; messages that came in one go make one line. */
  between(fromMs: number, toMs: number): string[] {
    const told: { atMs: number; text: string; event?: string; n?: number; count: number }[] = [];
    for (const line of [...this.events, ...this.errors].sort((a, b) => a.atMs - b.atMs)) {
      if (line.atMs < fromMs || line.atMs >= toMs) continue;
      const last = told.at(-1);
      const { event, n } = line as Partial<LabEvent>;
      const goesOn = last?.n !== undefined && event === last.event && n === last.n + last.count &&
        line.atMs - last.atMs < ONE_GO_MS;
      if (goesOn) last.count++;
      else told.push({ atMs: line.atMs, text: line.text, event, n, count: 1 });
    }
    return told.map(({ atMs, text, event, n, count }) => {
      const time = ((atMs - fromMs) / 1_000).toFixed(3).padStart(8);
      return `${time} s  ${count === 1 ? text : `${event} ${n} to ${n! + count - 1}`}`;
    });
  }

  /** Asks it to end, and makes it end if it does not. */
  async stop(): Promise<void> {
    if (!this.#isOver) this.#signal("SIGTERM");
    const timer = setTimeout(() => this.#signal("SIGKILL"), KILL_AFTER_MS);
    await this.status;
    clearTimeout(timer);
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has just ended by itself.
    }
  }

  async #collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>, lines: Line[]): Promise<void> {
    let rest = "";
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop()!;
      for (const text of parts) {
        const line = { atMs: performance.now(), text };
        lines.push(line);
        const event = lines === this.lines && text.startsWith("{") ? JSON.parse(text) : {};
        if (event.event !== undefined) this.events.push({ ...event, ...line });
      }
      this.#change();
    }
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #tail(): string {
    return [...this.lines.slice(-5), ...this.errors.slice(-5)].map(({ text }) => text).join(" / ");
  }
}
