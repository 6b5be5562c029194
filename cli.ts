/**
 * The command line: `longlink serve`, `longlink connect`, `longlink probe`,
 * `longlink demo`; `--help` tells the rest. To be run, not imported.
 *
 * @module
 */

import process from "node:process";
import { main } from "./cli/main.ts";
import { systemTerminal } from "./cli/_terminal.ts";
import { systemEventLoop } from "./mod.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

if (import.meta.main) {
  const stop = new AbortController();
  const onSignal = () => {
    // Whoever asks again, by either signal, does not want to wait for an orderly end: the system ends the process then.
    for (const signal of SIGNALS) process.off(signal, onSignal);
    stop.abort();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  // The reader of a pipe is gone (`longlink serve | head`): nobody is interested any more.
  process.stdout.on("error", () => stop.abort());
  process.exitCode = await main(process.argv.slice(2), {
    out: (line) => void process.stdout.write(`${line}\n`),
    error: (line) => void process.stderr.write(`${line}\n`),
    terminal: systemTerminal(),
    signal: stop.signal,
    loop: systemEventLoop(),
  });
}
