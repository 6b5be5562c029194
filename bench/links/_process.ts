/** A program that answers commands with lines of JSON, and what Linux knows of it. */

/** One line of a program. */
export type Answer = Record<string, number>;

/** Clock ticks a second in /proc, the same on every Linux that Deno runs on. */
const TICKS = 100;

/** A server or a client. */
export class Program {
  readonly #child: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  /** Starts it with a limit of open files that lets it have very many links. */
  constructor(command: string, args: readonly string[], cwd?: string) {
    this.#child = new Deno.Command("sh", {
      args: [
        "-c",
        'ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"; exec "$0" "$@"',
        command,
        ...args,
      ],
      cwd,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = linesOf(this.#child.stdout);
    this.#input = this.#child.stdin.getWriter();
  }

  /** Its next line. */
  async hear(): Promise<Answer> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("Cannot measure: the program ended");
    const answer = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(`Cannot measure: ${answer.error}`);
    return answer;
  }

  /** Gives it a command; what it answers comes with {@linkcode hear}. */
  async tell(command: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(command + "\n"));
  }

  async ask(command: string): Promise<Answer> {
    await this.tell(command);
    return await this.hear();
  }

  /** Memory that is its own (without the files of its program), bytes. */
  residentBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.#child.pid}/status`);
    return 1024 * Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)![1]);
  }

  /** Time on a processor, in the program and in the kernel for it, ms. */
  cpuMs(): number {
    const stat = Deno.readTextFileSync(`/proc/${this.#child.pid}/stat`);
    // After the name, which may hold anything: field 14 is utime, 15 stime.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 1000 / TICKS;
  }

  async end(): Promise<void> {
    await this.#input.close().catch(() => {});
    const late = setTimeout(() => this.#child.kill("SIGKILL"), 3000);
    await this.#child.status;
    clearTimeout(late);
    await this.#lines.return?.();
  }
}

async function* linesOf(stdout: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
