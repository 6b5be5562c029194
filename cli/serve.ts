/**
 * `longlink serve`: a chat server that pushes.
 *
 * @module
 */

import { answerKeepAlive, ServerBootstrap } from "../mod.ts";
import { ChatServer } from "./chat_server.ts";
import { type Command, type CommandIo, UsageError } from "./command.ts";
import { EventLog } from "./_event_log.ts";
import { milliseconds, millisecondsList, parseOptions, wholeNumber } from "./options.ts";
import { transportFor } from "./_transport_for.ts";

const HELP = `Usage: longlink serve --listen ADDRESS [options]

A chat server. It answers heartbeats, pushes numbered messages to the clients
that have joined, and repeats after a reconnect what a client has not confirmed.

Options:
  --listen ADDRESS        tcp://HOST:PORT or ws://HOST:PORT; port 0: any
  --push-every SECONDS    push a message so often (never)
  --push-gaps S,S,...     or push after these gaps in turn, over and over
  --max-scouts N          how many second links a client may have for trials at
                          the same time, 0 to 16 (4)
  --json                  print one JSON object a line for each event:
                          {atMs, event, n?, reason?}
                          event: up, down, push (given to a link for the first
                          time), received (a client's message); n is the number
                          that the sender gave the message
  --help                  print this

Examples:
  longlink serve --listen tcp://127.0.0.1:7000
  longlink serve --listen ws://0.0.0.0:7000 --push-every 30 --json

Exit status: 0 ended by SIGINT or SIGTERM, 1 cannot listen, 2 wrong arguments.`;

/** The command. */
export const serve: Command = { summary: "a chat server that pushes", run };

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    "listen": { type: "string" },
    "push-every": { type: "string" },
    "push-gaps": { type: "string" },
    "max-scouts": { type: "string", default: "4" },
    "json": { type: "boolean", default: false },
    "help": { type: "boolean", short: "h", default: false },
  });
  if (values.help) {
    io.out(HELP);
    return 0;
  }
  if (positionals[0] !== undefined) throw new UsageError(`Unexpected argument '${positionals[0]}'`);
  if (values.listen === undefined) throw new UsageError("--listen ADDRESS is missing");
  const everyMs = milliseconds("--push-every", values["push-every"]);
  const gapsMs = millisecondsList("--push-gaps", values["push-gaps"]);
  if (everyMs !== undefined && gapsMs !== undefined) {
    throw new UsageError("--push-every and --push-gaps exclude each other");
  }
  const maxScouts = wholeNumber("--max-scouts", values["max-scouts"], 16);
  const transport = transportFor("--listen", values.listen, ["tcp", "ws"]);

  const log = new EventLog(io, values.json);
  const chat = new ChatServer({
    onUp: (address) => log.event({ event: "up" }, address),
    onDown: (reason, address) => log.event({ event: "down", reason }, address),
    onGiven: (n, client) => log.event({ event: "push", n }, `to ${client}`),
    onMessage: (n, client) => log.event({ event: "received", n }, `from ${client}`),
    onTrouble: (text) => log.note(text),
  });
  const bootstrap = new ServerBootstrap({
    transport,
    loop: io.loop,
    pipeline: (p) => p.addLast(...answerKeepAlive({ maxScouts }), chat.handler()),
    onAcceptError: (error) => log.note(error.message),
    onUnhandled: (report) =>
      log.note(report.kind === "error" ? String(report.error) : "a message was not understood"),
  });
  let server;
  try {
    server = await bootstrap.listen(values.listen);
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`--listen: ${error.message}`, { cause: error });
    throw error;
  }
  log.note(`listening on ${server.address}`);
  const stopPushing = repeat(io, everyMs === undefined ? gapsMs ?? [] : [everyMs], () => chat.push());
  await stopped(io.signal);
  stopPushing();
  await server.close();
  return 0;
}

/**
 * Does something again and again.
 *
 * @param gapsMs How long after the time before, ms, in turn; never if there are none.
 * @returns A function that ends it.
 */
export function repeat({ loop }: CommandIo, gapsMs: readonly number[], task: () => void): () => void {
  if (gapsMs.length === 0) return () => {};
  let count = 0;
  const next = () =>
    loop.schedule(gapsMs[count++ % gapsMs.length]!, () => {
      timer = next();
      task();
    });
  let timer = next();
  return () => timer.cancel();
}

/** Waits until the user wants the end. */
export function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
