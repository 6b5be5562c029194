import { assert, assertEquals } from "@std/assert";
import { TextLineStream } from "./_lines.ts";

interface Line {
  readonly atMs: number;
  readonly event: string;
  readonly n?: number;
  readonly reason?: string;
}

/** A command of longlink as users run it, and the events that it prints. */
class Command implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly seen: Line[] = [];

  constructor(...args: string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", new URL("../../cli.ts", import.meta.url).pathname, ...args],
      stdout: "piped",
      stderr: "null",
      stdin: "null",
    }).spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())
      .getReader();
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

  async end(signal: Deno.Signal): Promise<number> {
    this.#child.kill(signal);
    while (!(await this.#lines.read()).done);
    return (await this.#child.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      return;
    }
    await this.#lines.cancel();
    await this.#child.status;
  }
}

async function freePort(): Promise<number> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  await Promise.resolve(listener.close());
  return port;
}

for (const scheme of ["tcp", "ws"]) {
  Deno.test(`longlink serve and connect talk over ${scheme}, one line of JSON an event`, async () => {
    const url = `${scheme}://127.0.0.1:${await freePort()}`;
    await using server = new Command("serve", "--listen", url, "--push-every", "0.2", "--json");
    await using client = new Command("connect", url, "--send-every", "0.2", "--json");
    assertEquals((await client.event("push", 3)).n, 3);
    await client.event("sent", 1);
    await server.event("received", 1);
    const numbers = client.seen.filter(({ event }) => event === "push").map(({ n }) => n!);
    assertEquals(numbers, numbers.map((_, index) => numbers[0]! + index));
    assertEquals(client.seen.filter(({ event }) => event === "up").length, 1);
    for (const { atMs } of client.seen) assert(Number.isInteger(atMs) && atMs >= 0);

    assertEquals(await client.end("SIGTERM"), 0);
    assertEquals((await server.event("down")).reason, "remoteClosed");
    assertEquals(await server.end("SIGINT"), 0);
  });
}

Deno.test("longlink connect is back by itself when the server is, and takes its new numbers", async () => {
  const port = await freePort();
  const url = `tcp://127.0.0.1:${port}`;
  await using client = new Command("connect", url, "--json");
  {
    await using server = new Command("serve", "--listen", url, "--push-every", "0.1", "--json");
    await client.event("push", 2);
    await server.end("SIGTERM");
  }
  assertEquals((await client.event("down")).reason, "remoteClosed");
  await using server = new Command("serve", "--listen", url, "--push-every", "0.1", "--json");
  client.seen.length = 0;
  await client.event("up");
  // Another start of the server counts from 1 again.
  assertEquals((await client.event("push")).n, 1);
  await server.event("push", 1);
});
