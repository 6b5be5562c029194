/**
 * `longlink serve`: a chat server that pushes.
 *
 * @module
 */

import { answerKeepAlive, IntervalAdviceHandler, ServerBootstrap, SessionRegistry } from "../mod.ts";
import { pushNumber } from "./chat_message.ts";
import { ChatServer } from "./chat_server.ts";
import { type Command, type CommandIo, UsageError } from "./command.ts";
import { EventLog } from "./_event_log.ts";
import { milliseconds, millisecondsList, parseOptions, wholeNumber } from "./options.ts";
import { adviceStore, serveStore } from "./_serve_store.ts";
import { transportFor } from "./_transport_for.ts";

const HELP = `Usage: longlink serve --listen ADDRESS [options]

A chat server. It answers heartbeats, pushes numbered messages to its clients,
and keeps a session for each of them, so that no message is lost either way.

Options:
  --listen ADDRESS        tcp://HOST:PORT or ws://HOST:PORT; port 0: any
  --push-every SECONDS    push a message so often (never)
  --push-gaps S,S,...     or push after these gaps in turn, over and over
  --store FOLDER|URL      keep the sessions in this folder, so that they
                          outlive this process, also one that is killed (keep
                          nothing); or in a Redis (redis://HOST:PORT) that
                          several servers share, so that a client may go on
                          at any of them: then each numbers its pushes from
                          a billion of its own on
  --advise                tell each client what silence other clients of its
                          network (/24 of IPv4, /48 of IPv6) have survived, so
                          that it learns sooner; kept where --store says, with
                          a hash in place of the network's address, for 7 days
  --retention SECONDS     how long a session is kept without a link (600)
  --max-scouts N          how many second links a client may have for trials at
                          the same time, 0 to 16 (4)
  --drain SECONDS         how long the end may take once a signal has come:
                          clients are told to come back spread over 5 s, and
                          get what was written for them; 0: no time (10). A
                          second signal ends at once
  --json                  print one JSON object a line for each event:
                          {atMs, event, n?, reason?}
                          event: up (reason: resumed, if a session goes on),
                          down, push (given to the sessions of all clients),
                          received (a client's message), lost (n was never
                          confirmed, and the session is gone); n is the number
                          that the sender gave the message
  --help                  print this

Examples:
  longlink serve --listen tcp://127.0.0.1:7000
  longlink serve --listen ws://0.0.0.0:7000 --push-every 30 --json
  longlink serve --listen tcp://127.0.0.1:7000 --store /var/lib/longlink
  longlink serve --listen tcp://0.0.0.0:7000 --store redis://10.0.0.5 --advise

Exit status: 0 ended by SIGINT or SIGTERM (it goes on until then), 1 cannot
listen or cannot use the store, 2 wrong arguments.`;

const MAX_DRAIN_S = 3_600;

/** The command. */
export const serve: Command = { summary: "a chat server that pushes", run };

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    "listen": { type: "string" },
    "push-every": { type: "string" },
    "push-gaps": { type: "string" },
    "store": { type: "string" },
    "advise": { type: "boolean", default: false },
    "retention": { type: "string", default: "600" },
    "max-scouts": { type: "string", default: "4" },
    "drain": { type: "string", default: "10" },
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
  const drainMs = milliseconds("--drain", values.drain, { allowZero: true, max: MAX_DRAIN_S })!;
  const retentionMs = milliseconds("--retention", values.retention, { max: 30 * 24 * 3_600 })!;
  const transport = await transportFor("--listen", values.listen, ["tcp", "ws"]);

  const log = new EventLog(io, values.json);
  const kept = await serveStore(values.store, retentionMs, (text) => log.note(text));
  const learned = values.advise ? adviceStore(values.store) : undefined;
  const advice = learned && new IntervalAdviceHandler({ store: learned.store });
  const sessions = new SessionRegistry({ retentionMs, store: kept.store });
  const chat = new ChatServer({
    lastPush: kept.lastPush,
    onUp: (client, address, resumed) =>
      log.event(resumed ? { event: "up", reason: "resumed" } : { event: "up" }, `${client}, ${address}`),
    onDown: (reason, client) => log.event({ event: "down", reason }, client),
    onPush: (n) => {
      kept.pushed(n);
      log.event({ event: "push", n });
    },
    onMessage: (n, client) => log.event({ event: "received", n }, `from ${client}`),
    onLost: ({ reason, unconfirmed }, client) => {
      log.note(
        `session ${client} is gone (${reason}); pushes without confirmation: ${unconfirmed.length}`,
      );
      for (const value of unconfirmed) {
        log.event({ event: "lost", n: pushNumber(value), reason }, `to ${client}`);
      }
    },
    onTrouble: (text) => log.note(text),
  });
  const bootstrap = new ServerBootstrap({
    transport,
    loop: io.loop,
    pipeline: (p) => p.addLast(...answerKeepAlive({ maxScouts, sessions, advice }), chat.handler()),
    onAcceptError: (error) => log.note(error.message),
    onUnhandled: (report) =>
      log.note(report.kind === "error" ? String(report.error) : "a message was not understood"),
  });
  let server;
  try {
    server = await bootstrap.listen(values.listen);
  } catch (error) {
    await Promise.all([kept.close(), learned?.close()]);
    if (error instanceof TypeError) throw new UsageError(`--listen: ${error.message}`, { cause: error });
    throw error;
  }
  log.note(`listening on ${server.address}`);
  const stopPushing = repeat(io, everyMs === undefined ? gapsMs ?? [] : [everyMs], () => chat.push());
  await stopped(io.signal);
  stopPushing();
  if (drainMs > 0) {
    const clients = Array.from(server.channels).filter(({ isActive }) => isActive).length;
    if (clients > 0) {
      io.error(`Clients told when to come back: ${clients}; the end takes at most ${drainMs / 1_000} s`);
      io.error("Another signal ends it at once");
    }
  }
  await server.close(drainMs === 0 ? {} : { drain: { deadlineMs: drainMs } });
  await Promise.all([kept.close(), learned?.close()]);
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
