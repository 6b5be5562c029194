/** A `longlink` command, and what it prints. */

/** A process that is killed had so long to give Redis what it was just pushing. */
const UNKEPT_MS = 250;
const ROOT = new URL("../../", import.meta.url).pathname;

/** A line that is a JSON object with an event. */
export interface FleetEvent {
  readonly event: string;
  readonly n?: number;
  readonly reason?: string;
  /** When it came, in ms of performance.now(). */
  readonly cameMs: number;
}

/** Runs until it ends, is asked to, or is killed. */
export class FleetProcess {
  readonly events: FleetEvent[] = [];
  readonly errors: string[] = [];
  readonly status: Promise<Deno.CommandStatus>;
  /** When Redis may not have got what it did, in ms of performance.now(). */
  readonly unkept: { readonly fromMs: number; readonly toMs: number }[] = [];
  readonly #child: Deno.ChildProcess;
  #isOver = false;
  #changed = Promise.withResolvers<void>();

  constructor(readonly name: string, args: readonly string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "-q", "cli.ts", ...args],
      cwd: ROOT,
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.status = Promise.all([
      this.#child.status,
      this.#collect(this.#child.stdout, (text) => {
        this.events.push({ ...JSON.parse(text), cameMs: performance.now() });
      }),
      this.#collect(this.#child.stderr, (text) => void this.errors.push(text)),
    ]).then(([status]) => {
      this.#isOver = true;
      this.#change();
      return status;
    });
  }

  /** @throws {Error} If the process ends before, or it takes too long. */
  async until(what: string, isThere: () => boolean, withinMs: number): Promise<void> {
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, withinMs);
    const endMs = performance.now() + withinMs;
    const fail = (why: string) => {
      throw new Error(`${this.name}, ${what}: ${why}. ${this.errors.slice(-5).join(" / ")}`);
    };
    try {
      while (!isThere()) {
        if (this.#isOver) fail("the process has ended");
        if (performance.now() >= endMs) fail(`not within ${withinMs / 1_000} s`);
        await Promise.race([this.#changed.promise, deadline.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether Redis may not know of an event. */
  isUnkept({ cameMs }: FleetEvent): boolean {
    return this.unkept.some(({ fromMs, toMs }) => cameMs >= fromMs && cameMs < toMs);
  }

  /** The events of a kind. */
  of(event: string): FleetEvent[] {
    return this.events.filter((each) => each.event === event);
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (this.#isOver) return;
    if (signal === "SIGKILL") this.unkept.push({ fromMs: performance.now() - UNKEPT_MS, toMs: Infinity });
    try {
      this.#child.kill(signal);
    } catch { /* it has just ended by itself */ }
    await this.status;
  }

  async #collect(
    stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    take: (text: string) => void,
  ): Promise<void> {
    let rest = "";
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) take(line);
      this.#change();
    }
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
