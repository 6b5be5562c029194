/**
 * What the demo looks like.
 *
 * @module
 */

import { chart } from "./_chart.ts";
import { type Demo, type DemoResult, seconds } from "./_demo.ts";

const NEWS_LINES = 6;
const CHART_ROWS = 6;
const REDRAW_MS = 200;

/** Shows a running demo. */
export interface View {
  start(demo: Demo): void;
  news(text: string): void;
  stop(): void;
}

/** One line an event, for pipes and logs. */
export class PlainView implements View {
  #demo: Demo | undefined = undefined;

  start(demo: Demo): void {
    this.#demo = demo;
    console.log(headline(demo));
  }

  news(text: string): void {
    console.log(`${((this.#demo?.atMs ?? 0) / 1000).toFixed(1).padStart(6)} s  ${text}`);
  }

  stop(): void {}
}

/** A screen that is redrawn in place. */
export class LiveView implements View {
  readonly #news: string[] = [];
  readonly #colours: boolean;
  #demo: Demo | undefined = undefined;
  #timer: ReturnType<typeof setInterval> | undefined = undefined;

  constructor(colours: boolean) {
    this.#colours = colours;
  }

  start(demo: Demo): void {
    this.#demo = demo;
    // The alternate screen, without cursor: what was on the terminal comes back at the end.
    write("\x1b[?1049h\x1b[?25l");
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    this.#draw();
  }

  news(text: string): void {
    this.#news.push(`${((this.#demo?.atMs ?? 0) / 1000).toFixed(1).padStart(6)} s  ${text}`);
    if (this.#news.length > NEWS_LINES) this.#news.shift();
  }

  stop(): void {
    clearInterval(this.#timer);
    write("\x1b[?25h\x1b[?1049l");
  }

  #draw(): void {
    const { columns, rows } = sizeOfTerminal();
    const lines = screen(this.#demo!, this.#news, columns - 1, this.#colours).slice(0, rows - 1);
    // Each line is cleared to its end instead of the whole screen first: no flicker.
    write("\x1b[H" + lines.map((line) => `${line}\x1b[K`).join("\r\n") + "\x1b[J");
  }
}

/** The lines of the screen, cut to the width. */
export function screen(demo: Demo, news: readonly string[], width: number, colours: boolean): string[] {
  const { natTimeoutMs } = demo.options;
  const snapshot = demo.snapshot;
  const { loMs, hiMs } = snapshot?.bracket ?? { loMs: 0, hiMs: null };
  const intervalMs = snapshot?.intervalMs ?? 0;
  const share = Math.round(intervalMs / natTimeoutMs * 100);
  const state = demo.isUp ? (snapshot?.isValid ? "up, the peer answers" : "up, not proven yet") : "down";
  const trial = demo.trial === undefined
    ? snapshot?.isSettled ? "none, the answer is found" : "none just now"
    : `a silence of ${seconds(demo.trial.idleMs)}, ${
      seconds(Math.max(0, demo.trial.idleMs - (demo.atMs - demo.trial.atMs)))
    } left`;
  const rows: [string, string][] = [
    ["link", `${state}, reconnects ${Math.max(0, demo.reconnects)}`],
    [
      "interval",
      `${seconds(intervalMs)}, ${share} % of what the NAT allows (${snapshot?.phase ?? "starting"})`,
    ],
    [
      "bracket",
      `survived ${loMs === 0 ? "nothing yet" : seconds(loMs)}, failed ${
        hiMs === null ? "nothing yet" : seconds(hiMs)
      }`,
    ],
    ["trial", trial],
    ["beats", `${snapshot?.heartbeats ?? 0} sent, ${snapshot?.missed ?? 0} missed`],
    ["pushes", `${demo.pushesSent} sent, ${demo.pushesDelivered} delivered, ${demo.pushesLate} late`],
  ];
  const columns = Math.max(10, Math.min(72, width - 2));
  const drawn = chart({
    steps: demo.history,
    until: Math.max(demo.atMs, 1),
    mark: natTimeoutMs,
    columns,
    rows: CHART_ROWS,
  });
  const tint = (code: number, text: string) => colours ? `\x1b[${code}m${text}\x1b[0m` : text;
  const cut = (text: string) => text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text;
  return [
    tint(1, cut(headline(demo))),
    "",
    ...rows.map(([name, text]) => {
      const line = cut(`${name.padEnd(10)}${text}`);
      return tint(
        name === "link" && !demo.isUp ? 31 : name === "pushes" && demo.pushesLate > 0 ? 33 : 0,
        line,
      );
    }),
    "",
    cut(`interval over ${seconds(demo.atMs)} (dotted: the NAT forgets)`),
    ...drawn.map((row) => tint(36, row)),
    "",
    ...news.map((line) => tint(2, cut(line))),
  ];
}

/** The first line. */
export function headline(demo: Demo): string {
  const { natTimeoutMs, natMode, strategy } = demo.options;
  return `longlink demo: NAT timeout ${seconds(natTimeoutMs)} (${natMode}), strategy ${strategy}`;
}

/** What has come out, in words. */
export function summary(result: DemoResult): string[] {
  const { natTimeoutMs, learnedMs, fraction, heartbeats, pushesSent, pushesDelivered, pushesLate } = result;
  const lines = [
    `interval learned   ${seconds(learnedMs)}, ${Math.round(fraction * 100)} % of the NAT's ${
      seconds(natTimeoutMs)
    }`,
    `pushes             ${pushesSent} sent, ${pushesDelivered} delivered, ${pushesLate} late`,
    `heartbeats         ${heartbeats}`,
    `reconnects         ${result.reconnects}`,
    `took               ${seconds(result.durationMs)}`,
  ];
  if (fraction >= 1 && result.natMode === "loose") {
    lines.push(
      "The interval is longer than the NAT allows. This NAT lets the client's packet",
      "bring a forgotten link back, so the client's heartbeats are answered, while",
      "pushes of the server in between are lost or late.",
    );
  } else if (pushesLate > 0) {
    lines.push(
      "Late pushes met a link that the NAT had forgotten while the interval was being",
      "learned.",
    );
  }
  if (pushesDelivered < pushesSent) {
    lines.push(`${pushesSent - pushesDelivered} pushes did not arrive in time.`);
  }
  return lines;
}

function sizeOfTerminal(): { columns: number; rows: number } {
  try {
    return Deno.consoleSize();
  } catch {
    return { columns: 80, rows: 24 };
  }
}

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
