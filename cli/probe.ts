/**
 * `longlink probe`: measures the idle timeout of the network between here and
 * a server.
 *
 * @module
 */

import { type Command, type CommandIo, UsageError } from "./command.ts";
import { PROBE_HELP, probeArguments } from "./_probe_options.ts";
import { ProbeScreen } from "./_probe_screen.ts";
import { type ProbeNews, type ProbeReport, ProbeSession } from "./_probe_session.ts";
import { newsText, resultText, startLine, statusLine } from "./_probe_text.ts";
import type { Colour } from "./_terminal.ts";
import { transportFor } from "./_transport_for.ts";

/** The command. */
export const probe: Command = { summary: "measure how long the network lets a link idle", run };

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const settings = probeArguments(args);
  if (settings === undefined) {
    io.out(PROBE_HELP);
    return 0;
  }
  const transport = await transportFor("URL", settings.url, ["tcp", "tls", "ws", "wss"]);
  let session: ProbeSession;
  let isAnnounced = false;
  const screen = new ProbeScreen(io, () => statusLine(session.snapshot, settings, session.elapsedMs));
  try {
    session = new ProbeSession({
      ...settings,
      transport,
      loop: io.loop,
      onNews: (news) => {
        screen.say(newsText(news, session.snapshot, settings), colourOf(news));
        if (isAnnounced) return;
        // Not before there is a server: whoever has mistyped its address is not in for hours.
        isAnnounced = true;
        screen.say(startLine(settings));
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
  const stop = () => session.stop();
  if (io.signal.aborted) stop();
  io.signal.addEventListener("abort", stop, { once: true });
  screen.start();
  try {
    const report = await session.run();
    screen.stop();
    io.out(resultText(report));
    if (settings.json) io.out(JSON.stringify(report.result));
    return statusOf(report);
  } catch (error) {
    // The address cannot be parsed.
    if (error instanceof TypeError) throw new UsageError(error.message, { cause: error });
    throw error;
  } finally {
    screen.stop();
    io.signal.removeEventListener("abort", stop);
  }
}

function colourOf(news: ProbeNews): Colour | undefined {
  if (news.type === "verdict") return VERDICT_COLOURS[news.outcome];
  return news.type === "linkDown" ? "red" : undefined;
}

const VERDICT_COLOURS = { passed: "green", failed: "red", void: "dim" } as const;

function statusOf({ outcome }: ProbeReport): number {
  return outcome === "stopped" ? 130 : outcome === "gaveUp" ? 1 : 0;
}
