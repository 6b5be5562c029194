/**
 * `longlink connect`: a chat client whose link stays alive.
 *
 * @module
 */

import { join } from "node:path";
import { Channel, keepAlive, SessionHandler } from "../mod.ts";
import { FileIntervalStore, fileSessionStore } from "../handlers/stores/file.ts";
import { chatClient } from "./chat_client.ts";
import type { Message } from "./chat_message.ts";
import { type Command, type CommandIo, UsageError } from "./command.ts";
import { Counter } from "./_counter.ts";
import { EventLog } from "./_event_log.ts";
import { linkWatcher } from "./_link_watcher.ts";
import { milliseconds, parseOptions } from "./options.ts";
import { Patience } from "./_patience.ts";
import { repeat, stopped } from "./serve.ts";
import { STRATEGY_OPTIONS, strategyFor } from "./_strategies.ts";
import { transportFor } from "./_transport_for.ts";

const HELP = `Usage: longlink connect URL [options]

A chat client of the server at URL (tcp://HOST:PORT, tls://, ws:// or wss://).
Learns how long the network lets the link idle, brings the link back whenever
it is lost, and loses no message either way meanwhile.

Options:
  --send-every SECONDS    send a numbered message so often (never)
  --give-up SECONDS       end with status 1 after so long without a link
                          (never)
  --store FOLDER          keep the session, and what was learned, in this
                          folder: the next start goes on with both (keep
                          nothing)
  --strategy NAME         how the interval is found (edge):
                          edge      trials on a second link, answered by the
                                    server: just below what the network allows
                          stepwise  the classic rule: longer step by step,
                                    until a value has failed 5 times
                          fixed     always the same
  --where NAME            edge: trials on a second link (scout) or on the only
                          one (main), where a second one is unwelcome (scout)
  --interval SECONDS      fixed: the interval (240)
  --start SECONDS         edge, stepwise: the first value to try (28; 270)
  --step SECONDS          stepwise: how much longer each time (60)
  --margin SECONDS        stepwise: how far to stay below (10)
  --max SECONDS           edge, stepwise: the longest value to try (7200)
  --json                  print one JSON object a line for each event:
                          {atMs, event, n?, reason?, ms?}
                          event: up (reason: resumed, if the session goes on),
                          down, push (handed over), sent (an own message given
                          to the link), lost (n was never confirmed, and the
                          server no longer has the session), interval (ms:
                          another one is in use); n is the number that the
                          sender gave the message
  --help                  print this

Examples:
  longlink connect tcp://127.0.0.1:7000
  longlink connect ws://chat.example:7000 --send-every 60 --json
  longlink connect tcp://127.0.0.1:7000 --store ~/.longlink
  longlink connect tcp://127.0.0.1:7000 --strategy fixed --interval 55
  longlink connect tls://chat.example:7000 --give-up 60

Exit status: 0 ended by SIGINT or SIGTERM (it goes on until then), 1 given up
or cannot use the store, 2 wrong arguments.`;

/** The command. */
export const connect: Command = { summary: "a chat client whose link stays alive", run };

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    "send-every": { type: "string" },
    "give-up": { type: "string" },
    "store": { type: "string" },
    "strategy": { type: "string", default: "edge" },
    ...STRATEGY_OPTIONS,
    "json": { type: "boolean", default: false },
    "help": { type: "boolean", short: "h", default: false },
  });
  if (values.help) {
    io.out(HELP);
    return 0;
  }
  const [url, extra] = positionals;
  if (url === undefined) throw new UsageError("URL is missing");
  if (extra !== undefined) throw new UsageError(`Unexpected argument '${extra}'`);
  const sendEveryMs = milliseconds("--send-every", values["send-every"]);
  const giveUpMs = milliseconds("--give-up", values["give-up"]);
  const strategy = strategyFor(values);
  const transport = await transportFor("URL", url, ["tcp", "tls", "ws", "wss"]);

  const folder = values.store;
  // Before there is a link: a folder that cannot be used is no reason to bother the server.
  const counter = new Counter(folder, "last-message");
  const log = new EventLog(io, values.json);
  const stores = folder === undefined ? { session: new SessionHandler() } : {
    session: new SessionHandler({ store: fileSessionStore({ path: join(folder, "session") }) }),
    store: new FileIntervalStore({ path: join(folder, "intervals.json") }),
  };
  const patience = new Patience(io.loop, url, giveUpMs);
  const channel = new Channel({
    transport,
    loop: io.loop,
    pipeline: (p) =>
      p.addLast(
        ...keepAlive({ strategy, ...stores }),
        linkWatcher(log, patience),
        chatClient({ onPush: (n) => log.event({ event: "push", n }) }),
      ),
    onUnhandled: (report) =>
      log.note(report.kind === "error" ? String(report.error) : "a message was not understood"),
  });
  const stopSending = repeat(io, sendEveryMs === undefined ? [] : [sendEveryMs], () => {
    const n = counter.value + 1;
    counter.set(n);
    channel.writeAndFlush({ message: n } satisfies Message).onSettled((error) => {
      if (error === undefined) log.event({ event: "sent", n });
      else log.note(`message #${n} was not sent: ${error instanceof Error ? error.message : error}`);
    });
  });
  const failed = new Promise<Error>((resolve) => {
    channel.connect(url).onSettled((error) => {
      if (error !== undefined) resolve(error as Error);
    });
  });
  const error = await Promise.race([failed, patience.over, stopped(io.signal), channel.closed]);
  const isWanted = io.signal.aborted;
  stopSending();
  await channel.close();
  // Only now: the end of the link, too, makes it wait for another one.
  patience.end();
  if (error instanceof TypeError) throw new UsageError(error.message, { cause: error });
  if (isWanted) return 0;
  io.error(error?.message ?? `Cannot go on: the channel to ${url} was closed`);
  return 1;
}
