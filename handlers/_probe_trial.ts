/**
 * One trial of a probe, from its start to its verdict.
 *
 * @module
 */

import type { Heartbeat } from "./heartbeat/heartbeat.ts";
import type { ScoutOwner, ScoutReport } from "./_scout.ts";

/** What runs a trial: a scout, or a link of its own with a client-timed ping. */
export interface TrialRunner {
  start(idleMs: number): void;
  /** Another trial on the same link, after one that has passed. */
  continue(idleMs: number): void;
  takeTicket(heartbeat: Heartbeat): boolean;
  recall(): void;
}

/** Who runs the trials. */
export interface ProbeTrialOwner {
  takeSequence(): number;
  /** Finds out whether the main link answers; the answer is told with {@linkcode ProbeTrial.mainAnswered}. */
  askMain(): void;
  trialPassed(trial: ProbeTrial, reason: string): void;
  trialFailed(trial: ProbeTrial, idleMs: number, reason: string): void;
  /** It was answered, but only after a ping. */
  trialLate(trial: ProbeTrial, reason: string): void;
  trialVoid(trial: ProbeTrial, reason: string): void;
  /** The peer takes no more scouts just now. */
  trialRefused(trial: ProbeTrial): void;
}

/** Whether the main link answers while the trial's does not. */
type Check = "none" | "pending" | "steady" | "unsteady";

/** Keeps a trial's death until it is known whether the network was up at all. */
export class ProbeTrial implements ScoutOwner {
  idleMs = 0;
  startMs = 0;
  readonly #owner: ProbeTrialOwner;
  readonly #runner: TrialRunner;
  #check: Check = "none";
  #death: ScoutReport | undefined = undefined;
  #isRefused = false;

  constructor(owner: ProbeTrialOwner, runnerFor: (trial: ScoutOwner) => TrialRunner) {
    this.#owner = owner;
    this.#runner = runnerFor(this);
  }

  /** Whether it seems to have failed while the network was up: its own link is still being asked. */
  get isSuspect(): boolean {
    return this.#check === "steady";
  }

  start(idleMs: number, nowMs: number): void {
    this.idleMs = idleMs;
    this.startMs = nowMs;
    this.#runner.start(idleMs);
  }

  continue(idleMs: number, nowMs: number): void {
    this.idleMs = idleMs;
    this.startMs = nowMs;
    this.#check = "none";
    this.#runner.continue(idleMs);
  }

  recall(): void {
    this.#runner.recall();
  }

  takeTicket(heartbeat: Heartbeat): boolean {
    this.#isRefused = heartbeat.reason === "busy";
    return this.#runner.takeTicket(heartbeat);
  }

  mainAnswered(steady: boolean): void {
    if (this.#check !== "pending") return;
    this.#check = steady ? "steady" : "unsteady";
    if (this.#death !== undefined) this.#end(this.#death);
  }

  // --- what the runner tells ---

  takeSequence(): number {
    return this.#owner.takeSequence();
  }

  scoutMissed(): void {
    if (this.#check === "none") this.#askMain();
  }

  scoutReports(report: ScoutReport): void {
    switch (report.outcome) {
      case "passed":
        return this.#owner.trialPassed(this, report.reason);
      case "late":
        return this.#owner.trialLate(this, report.reason);
      case "void":
        return this.#isRefused ? this.#owner.trialRefused(this) : this.#owner.trialVoid(this, report.reason);
      case "died":
        this.#death = report;
        if (this.#check === "none") this.#askMain();
        else if (this.#check !== "pending") this.#end(report);
    }
  }

  #askMain(): void {
    this.#check = "pending";
    this.#owner.askMain();
  }

  #end({ idleMs, reason }: ScoutReport): void {
    if (this.#check === "steady") this.#owner.trialFailed(this, idleMs, reason);
    else this.#owner.trialVoid(this, `${reason}, and the network was not steady`);
  }
}
