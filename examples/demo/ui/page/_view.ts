/**
 * Writes what the client knows into the page.
 *
 * @module
 */

import type { WorkerTimerHost } from "../../../../pipeline/worker_timers.ts";
import { IntervalChart, PushChart } from "./_charts.ts";
import type { DemoClient, Verdict } from "./_client.ts";
import type { Recovery } from "./_recoveries.ts";

/** Which is which, in words. */
const PHASES: Readonly<Record<string, string>> = {
  down: "waiting",
  warmUp: "warming up",
  foreground: "paused",
  searching: "searching",
  settled: "found",
};
const OUTCOMES = { passed: "survived", failed: "failed", void: "does not count" } as const;
const CAUSES: Readonly<Record<string, string>> = {
  cut: "cut here",
  unanswered: "no answer",
  remoteClosed: "closed by the other side",
  reset: "broken off",
  networkChanged: "another network",
};

/** The figures and charts of the page. */
export class View {
  readonly #client: DemoClient;
  readonly #timers: WorkerTimerHost;
  readonly #intervals = new IntervalChart(byId("interval-chart"));
  readonly #pushes = new PushChart(byId("pushes-chart"));
  #shownVerdicts: readonly Verdict[] | undefined = undefined;
  #shownRecoveries: readonly Recovery[] | undefined = undefined;

  constructor(client: DemoClient, timers: WorkerTimerHost) {
    this.#client = client;
    this.#timers = timers;
  }

  /** A verdict gets a mark. */
  mark({ outcome, idleMs }: Verdict): void {
    if (outcome === "void") return;
    this.#sample({ [outcome === "passed" ? "trialSurvived" : "trialFailed"]: idleMs / 1000 });
  }

  /** The numbers. */
  write(): void {
    const { state, snapshot, pushes, recoveries } = this.#client;
    const isProven = state === "up" && snapshot?.isValid === true;
    document.querySelector<HTMLElement>(".state")!.dataset.state = isProven
      ? "up"
      : state === "up"
      ? "open"
      : state;
    text("state", isProven ? "up, the server answers" : state === "up" ? "open, no answer yet" : state);
    text(
      "round-trip",
      snapshot?.roundTripMs === undefined ? "–" : `${Math.max(1, Math.round(snapshot.roundTripMs))} ms`,
    );
    text("reconnects", times(recoveries.count));
    text("interval", seconds(snapshot?.intervalMs));
    text("survived", seconds(snapshot?.bracket.loMs || undefined));
    text("failed", seconds(snapshot?.bracket.hiMs ?? undefined));
    text("phase", PHASES[snapshot?.phase ?? "down"]!);
    text("beats-sent", String(snapshot?.heartbeats ?? 0));
    text("beats-missed", String(snapshot?.missed ?? 0));
    text("timers", this.#timers.isWorkerRunning ? "on time (worker)" : "may be late");
    text("pushes-sent", String(pushes.sent));
    text("pushes-on-time", String(pushes.onTime));
    text("pushes-late", String(pushes.late));
    text("pushes-under-way", String(pushes.underWay));
    this.#writeTrial();
    if (this.#shownVerdicts !== this.#client.verdicts) {
      this.#shownVerdicts = this.#client.verdicts;
      byId("trials").replaceChildren(...this.#shownVerdicts.map(verdictRow));
    }
    if (this.#shownRecoveries !== recoveries.list) {
      this.#shownRecoveries = recoveries.list;
      byId("recoveries").replaceChildren(...this.#shownRecoveries.map(recoveryRow));
    }
  }

  /** The charts, one sample further. */
  draw(): void {
    this.#sample({});
    this.#intervals.draw();
    this.#pushes.draw(this.#client.atMs / 1000, this.#client.pushes.arrivals);
  }

  /** What the charts show, for those who do not see them. */
  describe(): void {
    const { snapshot, settings, pushes } = this.#client;
    label(
      "interval-chart",
      `Chart of the interval over time: now ${seconds(snapshot?.intervalMs)}; the box forgets after ${
        seconds(settings.natTimeoutMs)
      }`,
    );
    const took = pushes.arrivals.map(({ tookMs }) => tookMs);
    label(
      "pushes-chart",
      `Chart of how long pushes took: ${took.length} arrived, the slowest took ${
        seconds(Math.max(0, ...took))
      }`,
    );
  }

  #sample(trial: { readonly trialSurvived?: number; readonly trialFailed?: number }): void {
    const { snapshot, settings, atMs } = this.#client;
    const { loMs = 0, hiMs = null } = snapshot?.bracket ?? {};
    this.#intervals.add({
      at: atMs / 1000,
      interval: snapshot === undefined ? null : snapshot.intervalMs / 1000,
      survived: loMs / 1000,
      failed: hiMs === null ? null : hiMs / 1000,
      nat: settings.natTimeoutMs / 1000,
      ...trial,
    });
  }

  #writeTrial(): void {
    const { trial, atMs, snapshot } = this.#client;
    const progress = byId<HTMLProgressElement>("trial");
    if (trial === undefined) {
      progress.value = 0;
      return text(
        "trial-text",
        snapshot?.isSettled ? "No trial just now: the answer is found" : "No trial just now",
      );
    }
    const silentMs = Math.min(trial.idleMs, atMs - trial.atMs);
    progress.value = silentMs / trial.idleMs;
    text("trial-text", `Silent for ${seconds(silentMs)} of ${seconds(trial.idleMs)}`);
  }
}

function verdictRow({ atMs, idleMs, outcome, reason }: Verdict): HTMLElement {
  const verdict = document.createElement("td");
  const word = document.createElement("span");
  word.textContent = OUTCOMES[outcome];
  word.className = outcome === "passed" ? "survived" : outcome;
  verdict.append(word);
  if (outcome !== "passed") {
    const why = document.createElement("span");
    why.className = "why";
    why.textContent = reason;
    verdict.append(why);
  }
  return row(cell(clock(atMs)), cell(idleMs === 0 ? "–" : seconds(idleMs)), verdict);
}

function recoveryRow({ atMs, cause, noticedMs, backMs }: Recovery): HTMLElement {
  return row(
    cell(clock(atMs)),
    cell(CAUSES[cause] ?? cause),
    cell(short(noticedMs)),
    cell(backMs === undefined ? "not yet" : `+ ${short(backMs)}`),
  );
}

function row(...cells: HTMLElement[]): HTMLElement {
  const row = document.createElement("tr");
  row.append(...cells);
  return row;
}

function cell(text: string): HTMLElement {
  const cell = document.createElement("td");
  cell.textContent = text;
  return cell;
}

/** Only what differs: a screen reader that is at this place would be thrown off it. */
function text(id: string, value: string): void {
  const element = byId(id);
  if (element.textContent !== value) element.textContent = value;
}

function label(id: string, value: string): void {
  byId(id).setAttribute("aria-label", value);
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? "–" : `${(ms / 1000).toFixed(1)} s`;
}

/** Where a tenth of a second is much. */
function short(ms: number): string {
  return ms < 950 ? `${Math.round(ms)} ms` : seconds(ms);
}

function clock(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

/** An element that the page has. */
export function byId<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}
