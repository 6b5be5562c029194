import { assert } from "@std/assert";
import { TextLineStream } from "./_lines.ts";

/** An event as it is printed. */
export interface Line {
  readonly atMs: number;
  readonly event: string;
  readonly n?: number;
  readonly reason?: string;
}

/** A command of longlink as users run it, and the events that it prints. */
export class Command implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  /** What it prints where errors go, once it has ended. */
  readonly errors: Promise<string>;
  readonly seen: Line[] = [];

  constructor(...args: string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", new URL("../../cli.ts", import.meta.url).pathname, ...args],
      stdout: "piped",
      stderr: "piped",
      stdin: "null",
    }).spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())
      .getReader();
    this.errors = new Response(this.#child.stderr).text();
  }

  /** The next line. */
  async line(): Promise<string> {
    const { value } = await this.#lines.read();
    assert(value !== undefined, "the command has ended");
    return value;
  }

  /** Waits for an event, unless it has come already. */
  async event(name: string, n?: number): Promise<Line> {
    const isIt = (line: Line) => line.event === name && (n === undefined || line.n === n);
    for (;;) {
      const found = this.seen.find(isIt);
      if (found !== undefined) return found;
      this.seen.push(JSON.parse(await this.line()) as Line);
    }
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Sends a signal and waits for the end. @returns The exit status. */
  async end(signal: Deno.Signal): Promise<number> {
    this.kill(signal);
    return await this.ended();
  }

  /** Reads on to the end. @returns The exit status; 128 more than its number if a signal ended it. */
  async ended(): Promise<number> {
    for (let line = await this.#lines.read(); !line.done; line = await this.#lines.read()) {
      if (line.value.startsWith("{")) this.seen.push(JSON.parse(line.value) as Line);
    }
    await this.errors;
    return (await this.#child.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#lines.cancel();
    await this.errors;
    await this.#child.status;
  }
}

/** A port that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  await Promise.resolve(listener.close());
  return port;
}
