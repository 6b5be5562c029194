/**
 * `longlink probe`: measures the idle timeout of the network between here and
 * a server.
 *
 * @module
 */

import { type Command, type CommandIo, UsageError } from "./command.ts";
import { PROBE_HELP, probeArguments } from "./_probe_options.ts";
import { ProbeScreen } from "./_probe_screen.ts";
import { type ProbeReport, ProbeSession } from "./_probe_session.ts";
import { newsLine, resultText } from "./_probe_text.ts";
import { transportFor } from "./_transport_for.ts";

/** The command. */
export const probe: Command = { summary: "measure how long the network lets a link idle", run };

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const settings = probeArguments(args);
  if (settings === undefined) {
    io.out(PROBE_HELP);
    return 0;
  }
  const transport = transportFor("URL", settings.url, ["tcp", "tls", "ws", "wss"]);
  let session: ProbeSession;
  const screen = new ProbeScreen(io, () => session.snapshot);
  try {
    session = new ProbeSession({
      ...settings,
      transport,
      loop: io.loop,
      onNews: (news) => screen.say(newsLine(news, session.snapshot)),
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

function statusOf({ outcome }: ProbeReport): number {
  return outcome === "stopped" ? 130 : outcome === "gaveUp" ? 1 : 0;
}
