/**
 * What `longlink probe` says.
 *
 * @module
 */

import type { ProbeSnapshot } from "../mod.ts";
import { forecast, type Precision } from "./_probe_forecast.ts";
import type { ProbeNews, ProbeReport } from "./_probe_session.ts";

const HOUR_MS = 3_600_000;
/** Climbing to the longest idle time, and closing the bracket below it, takes up to so many times as long. */
const LONGEST_SEARCH = 8;

/** Says what the user is in for. */
export function startLine({ maxMs }: { readonly maxMs: number }): string {
  const unit = LONGEST_SEARCH * maxMs >= HOUR_MS ? "hours" : "minutes";
  return `This may take ${unit}; Ctrl-C prints what is known`;
}

/** Says what happened, in lines of at most 79 characters. */
export function newsText(news: ProbeNews, snapshot: ProbeSnapshot | undefined, precision: Precision): string {
  switch (news.type) {
    case "linkValid":
      return `connected, round trip ${Math.round(news.roundTripMs)} ms`;
    case "coverage":
      return news.direction === "push"
        ? "the server answers after a silence: testing how long pushes get through"
        : "the server does not answer after a silence: testing with pings from here";
    case "trial":
      return `trying ${seconds(news.idleMs)}`;
    case "verdict":
      return `${seconds(news.idleMs)} ${WORDS[news.outcome]}: ${news.reason}\n` +
        `  ${[bracketLine(snapshot), ...remainder(snapshot, precision)].join("; ")}`;
    case "linkDown":
      return `the main link is down (${news.reason})`;
    case "reconnect":
      return `connecting again in ${seconds(news.delayMs)}`;
  }
}

const WORDS = { passed: "survived", failed: "did not survive", void: "says nothing" } as const;

/** Says what is being tried, what is known, and how long all that takes; the end may be cut off, so in this order. */
export function statusLine(
  snapshot: ProbeSnapshot | undefined,
  precision: Precision,
  elapsedMs: number,
): string {
  if (snapshot === undefined || snapshot.direction === undefined) return "waiting for the server to answer";
  const running = snapshot.running.map(({ idleMs, leftMs, isSuspect }) =>
    isSuspect ? `${seconds(idleMs)} (seems to fail)` : `${seconds(idleMs)} (${clock(leftMs)} left)`
  );
  const left = forecast(snapshot, precision);
  const time = left === undefined
    ? `${clock(elapsedMs)} so far`
    : `about ${left.trials} more, ${span(left.ms)}`;
  return `trying ${running.join(", ") || "nothing just now"}; ${shortBracket(snapshot)}; ${time}`;
}

/** About how much is left, where that can be said. */
function remainder(snapshot: ProbeSnapshot | undefined, precision: Precision): string[] {
  const left = snapshot && forecast(snapshot, precision);
  if (left === undefined || left.trials === 0) return [];
  return [`about ${left.trials} more ${left.trials === 1 ? "trial" : "trials"}, ${span(left.ms)}`];
}

function shortBracket({ bracket: { loMs, hiMs } }: ProbeSnapshot): string {
  if (hiMs === null) return loMs === 0 ? "nothing known" : `above ${seconds(loMs)}`;
  return loMs === 0 ? `below ${seconds(hiMs)}` : `${seconds(loMs).slice(0, -2)} to ${seconds(hiMs)}`;
}

function bracketLine(snapshot: ProbeSnapshot | undefined): string {
  const { loMs, hiMs } = snapshot?.bracket ?? { loMs: 0, hiMs: null };
  if (hiMs === null) return loMs === 0 ? "nothing known" : `the timeout is above ${seconds(loMs)}`;
  return loMs === 0
    ? `the timeout is below ${seconds(hiMs)}`
    : `it is between ${seconds(loMs)} and ${seconds(hiMs)}`;
}

/** Says what was measured, and what that does not prove. */
export function resultText({ outcome, result }: ProbeReport): string {
  const { loMs, hiMs, intervalMs, direction, trials, durationMs } = result;
  const lines = ["", HEADINGS[outcome]];
  if (hiMs !== null && loMs > 0) lines.push(`idle timeout:  between ${seconds(loMs)} and ${seconds(hiMs)}`);
  else if (hiMs !== null) lines.push(`idle timeout:  below ${seconds(hiMs)}, and nothing shorter survived`);
  else if (loMs > 0) lines.push(`idle timeout:  above ${seconds(loMs)}`);
  else lines.push("idle timeout:  nothing known");
  if (intervalMs !== null) lines.push(`beat every:    ${seconds(intervalMs)}`);
  if (trials.length > 0) {
    lines.push(
      direction === "push"
        ? "direction:     pushes, from the server after a silence"
        : "direction:     packets from here after a silence. That pushes get through is not proven:\n" +
          "               many NATs, Linux by default, let a packet from here revive a link which\n" +
          "               they had forgotten for pushes. The timeout for pushes may be shorter.",
    );
  }
  lines.push(`trials:        ${trials.length} in ${clock(durationMs)}${durationMs < HOUR_MS ? " min" : ""}`);
  return lines.join("\n");
}

const HEADINGS = {
  bracketed: "The network forgets idle links.",
  neverFailed: "The network did not forget a link in the longest time that was to be tried.",
  gaveUp: "Gave up: too many trials in a row said nothing. Their reasons are above.",
  stopped: "Stopped. Known so far:",
} as const;

function seconds(ms: number): string {
  return `${(ms / 1_000).toLocaleString("en", { maximumFractionDigits: 1 })} s`;
}

/** Minutes and seconds, or hours and minutes with their unit. */
function clock(ms: number): string {
  const whole = Math.ceil(ms / (ms < HOUR_MS ? 1_000 : 60_000));
  const text = `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  return ms < HOUR_MS ? text : `${text} h`;
}

/** A time that is not known to the second. */
function span(ms: number): string {
  const minutes = Math.ceil(ms / 60_000);
  return minutes < 60 ? `${minutes} min` : clock(minutes * 60_000);
}
