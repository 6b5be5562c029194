import { assertEquals } from "@std/assert";
import { TextLineStream } from "../cli/_lines.ts";

const FOLDER = new URL("../../examples/chat/", import.meta.url);

function run(file: string, ...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL(file, FOLDER).pathname, ...args],
    stdout: "piped",
    stderr: "null",
  }).spawn();
}

function linesOf({ stdout }: Deno.ChildProcess): ReadableStream<string> {
  return stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
}

/** Starts the server and waits until it listens. */
async function startServer(address: string, folder: string): Promise<Deno.ChildProcess> {
  const server = run("server.ts", address, folder);
  const reader = linesOf(server).getReader();
  await reader.read();
  reader.releaseLock();
  return server;
}

Deno.test("examples/chat survives kill -9 of its server: each number is heard once, in order", async () => {
  const folder = await Deno.makeTempDir();
  let server = await startServer("tcp://127.0.0.1:0", folder);
  await end(server);
  const port = freePort();
  const address = `tcp://127.0.0.1:${port}`;
  server = await startServer(address, folder);
  const client = run("client.ts", address, "40");
  const heard: number[] = [];
  for await (const line of linesOf(client)) {
    heard.push((JSON.parse(line) as { heard: { number: number } }).heard.number);
    if (heard.length === 10 || heard.length === 20 || heard.length === 30) {
      await end(server);
      server = await startServer(address, folder);
    }
    if (heard.length === 40) break;
  }
  assertEquals(heard, Array.from({ length: 40 }, (_, i) => i + 1));
  await Promise.all([end(client), end(server)]);
  await Deno.remove(folder, { recursive: true });
});

async function end(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  if (!child.stdout.locked) await child.stdout.cancel();
  await child.status;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}
