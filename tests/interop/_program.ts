/**
 * A program that a test starts and stops, such as another project's server.
 *
 * @module
 */

import { Lines } from "./_lines.ts";

const STOP_AFTER_MS = 5_000;
const READY_AFTER_MS = 20_000;

/** What to start. */
export interface ProgramOptions {
  /** Names its log. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** What it prints once it is ready, on stdout or stderr. */
  readonly ready: RegExp;
  readonly env?: Record<string, string>;
}

/** It runs. At the end of the block it is stopped; what it printed is shown only if the test has failed. */
export class Program implements AsyncDisposable {
  /** What it prints, on stdout and on stderr. */
  readonly output: Lines;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(child: Deno.ChildProcess, output: Lines) {
    this.#child = child;
    this.output = output;
    this.#input = child.stdin.getWriter();
  }

  /**
   * Starts it, and waits until it is ready.
   *
   * @throws {Error} If it ends before, or takes too long; with what it printed.
   */
  static async start({ name, command, args, ready, env }: ProgramOptions): Promise<Program> {
    const child = new Deno.Command(command, {
      args: [...args],
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const program = new Program(child, new Lines(name, [child.stdout, child.stderr]));
    try {
      await program.output.until(ready, READY_AFTER_MS);
      return program;
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** One line to its stdin. */
  async say(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Stops it as an operator would: it may say farewell. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {}); // it may be gone
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), STOP_AFTER_MS);
    await this.#child.status;
    clearTimeout(timer);
    await this.output.ended;
  }

  /** Sends it a signal; nothing happens if it is gone. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }
}

/** A port that nobody listens on, for servers that cannot choose one themselves. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A temporary folder that goes with the block. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "longlink-interop-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
