/** What the runner asks of each server: one command a line on stdin, a line of JSON in answer. */

import process from "node:process";

/** A server under measurement. */
export interface LinkServer {
  readonly port: number;
  /** How many bytes a push has on the wire. */
  readonly pushBytes: number;
  /** Sends one message to each link. */
  push(): void;
  /** How many links stand. */
  count(): number;
}

/** Says where the server listens and obeys `push`, `count` and `memory`. */
export function control(server: LinkServer): void {
  say({ port: server.port, pushBytes: server.pushBytes });
  let line = "";
  process.stdin.on("data", (bytes: Uint8Array) => {
    const lines = (line + new TextDecoder().decode(bytes)).split("\n");
    line = lines.pop()!;
    for (const command of lines) obey(server, command);
  });
  process.stdin.on("end", () => process.exit());
}

function obey(server: LinkServer, command: string): void {
  if (command === "push") {
    const startedMs = performance.timeOrigin + performance.now();
    server.push();
    say({ startedMs });
  } else if (command === "count") {
    say({ links: server.count() });
  } else if (command === "memory") {
    collect(3);
  }
}

/** Several times with pauses: finalizers run in between, and the heap gives its pages back a step at a time. */
function collect(times: number): void {
  (globalThis as { gc?: () => void }).gc!();
  if (times > 1) {
    setTimeout(collect, 300, times - 1);
    return;
  }
  const { heapUsed, external } = process.memoryUsage();
  say({ heapBytes: heapUsed + external });
}

function say(what: object): void {
  process.stdout.write(JSON.stringify(what) + "\n");
}
