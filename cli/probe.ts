/**
 * `longlink probe URL`: measures the idle timeout of the network between here
 * and a server.
 *
 * @module
 */

import { systemEventLoop, type Timer, type Transport } from "../mod.ts";
import { tcp } from "../pipeline/transports/tcp.ts";
import { webSocket } from "../pipeline/transports/web_socket.ts";
import { PROBE_HELP, type ProbeArguments, probeArguments } from "./_probe_options.ts";
import { newsLine, resultText, statusLine } from "./_probe_screen.ts";
import { type ProbeReport, ProbeSession } from "./_probe_session.ts";

const REDRAW_MS = 500;
const CLEAR_LINE = "\r\x1b[2K";

/**
 * Runs the command.
 *
 * @param args What follows the command's name.
 * @returns The exit status: 0 measured, 1 not measured, 2 wrong arguments, 130 interrupted.
 */
export async function probe(args: readonly string[]): Promise<number> {
  let session: ProbeSession;
  let settings: ProbeArguments | undefined;
  const screen = new Screen(() => session?.snapshot);
  try {
    settings = probeArguments(args);
    if (settings === undefined) {
      console.log(PROBE_HELP.trimEnd());
      return 0;
    }
    session = new ProbeSession({
      ...settings,
      transport: transportFor(settings.url),
      loop: systemEventLoop(),
      onNews: (news) => screen.say(newsLine(news, session.snapshot)),
    });
  } catch (error) {
    return complain(error, 2);
  }
  const stop = () => session.stop();
  Deno.addSignalListener("SIGINT", stop);
  try {
    screen.start();
    const report = await session.run();
    screen.stop();
    print(report, settings.json);
    return statusOf(report);
  } catch (error) {
    screen.stop();
    return complain(error, 1);
  } finally {
    Deno.removeSignalListener("SIGINT", stop);
  }
}

/** Lines of what happened; below them, on a terminal, one that is kept up to date. */
class Screen {
  readonly #isTerminal = Deno.stdout.isTerminal();
  readonly #snapshot: () => ProbeSession["snapshot"];
  #timer: Timer | undefined = undefined;

  constructor(snapshot: () => ProbeSession["snapshot"]) {
    this.#snapshot = snapshot;
  }

  start(): void {
    if (this.#isTerminal) this.#redraw();
  }

  say(line: string | undefined): void {
    if (line === undefined) return;
    this.#write(this.#isTerminal ? `${CLEAR_LINE}${line}\n` : `${line}\n`);
    if (this.#isTerminal) this.#draw();
  }

  stop(): void {
    this.#timer?.cancel();
    if (this.#isTerminal) this.#write(CLEAR_LINE);
  }

  #redraw(): void {
    this.#draw();
    this.#timer = systemEventLoop().schedule(REDRAW_MS, () => this.#redraw());
  }

  #draw(): void {
    // A line that wraps could not be taken back.
    this.#write(CLEAR_LINE + statusLine(this.#snapshot()).slice(0, Deno.consoleSize().columns - 1));
  }

  #write(text: string): void {
    Deno.stdout.writeSync(new TextEncoder().encode(text));
  }
}

function print(report: ProbeReport, json: boolean): void {
  console.log(resultText(report));
  if (json) console.log(JSON.stringify(report.result));
}

function statusOf({ outcome }: ProbeReport): number {
  return outcome === "stopped" ? 130 : outcome === "gaveUp" ? 1 : 0;
}

function complain(error: unknown, status: number): number {
  console.error(error instanceof Error ? error.message : String(error));
  if (status === 2) console.error("longlink probe --help tells how it is used");
  return status;
}

function transportFor(url: string): Transport {
  if (/^(?:tcp|tls):/.test(url)) return tcp();
  if (/^wss?:/.test(url)) return webSocket();
  throw new TypeError(`Cannot probe ${url}: it must begin with tcp://, tls://, ws:// or wss://`);
}
