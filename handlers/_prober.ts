/**
 * Keeps a main link alive and runs trials beside it.
 *
 * @module
 */

import type { ChannelHandlerContext, Timer } from "../pipeline/mod.ts";
import type { Outcome } from "./adaptive/interval_strategy.ts";
import { Beat, type BeatLimits, type BeatOwner } from "./_beat.ts";
import { ClientTrial } from "./_client_trial.ts";
import { Heartbeat, SCOUTS } from "./heartbeat/heartbeat.ts";
import { idleStateOf } from "./_idle_state.ts";
import type { CoverageEvent, LinkValidEvent, TrialEvent, VerdictEvent } from "./keep_alive_event.ts";
import type { ProbeDoneEvent, ProbeOptions, ProbeOutcome, ProbeSnapshot } from "./probe_handler.ts";
import { ProbeSearch } from "./_probe_search.ts";
import { ProbeTrial, type ProbeTrialOwner, type TrialRunner } from "./_probe_trial.ts";
import { Scout, type ScoutOwner } from "./_scout.ts";
import { sendHeartbeat } from "./_send_heartbeat.ts";

const LIMITS: BeatLimits = { maxUnanswered: 5, minMs: 1_000, maxMs: 10_000 };
/** The main link is only there to tell whether the network is up: no network forgets it so soon. */
const KEEP_MS = 5_000;
/** And if one does, the main link beats twice as often, down to this. */
const SHORTEST_KEEP_MS = 500;
/** So many answered beats before the first trial: the network is stable, and its round trip known. */
const WARM_UP_BEATS = 3;
/** A silence answered only after a ping so often is one that pushes do not get through after. */
const MAX_LATE = 2;
/** After so many trials in a row that said nothing, more of them would not either. */
const MAX_VOID = 10;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/** Options, checked and complete. */
export type ProbeSettings = Required<ProbeOptions>;

/** The mind of a ProbeHandler, for one channel. */
export class Prober implements BeatOwner, ProbeTrialOwner {
  readonly #settings: ProbeSettings;
  readonly #context: ChannelHandlerContext;
  readonly #carriesFields: boolean;
  readonly #beat = new Beat(this, LIMITS);
  #keepMs: number;
  readonly #trials = new Set<ProbeTrial>();
  readonly #late = new Map<number, number>();
  #phase: "down" | "warmUp" | "probing" | "done" = "down";
  #hello: Heartbeat | undefined = undefined;
  #direction: "push" | "client" | undefined = undefined;
  #search: ProbeSearch | undefined = undefined;
  #answersLeft = 0;
  #isValid = false;
  #limit: number;
  #voids = 0;
  #pause: Timer | undefined = undefined;

  constructor(settings: ProbeSettings, context: ChannelHandlerContext, carriesFields: boolean) {
    this.#settings = settings;
    this.#context = context;
    this.#carriesFields = carriesFields;
    this.#limit = settings.parallel;
    this.#keepMs = Math.min(KEEP_MS, settings.startMs / 3);
  }

  snapshot(): ProbeSnapshot {
    const nowMs = this.#context.loop.now();
    return {
      bracket: this.#search?.bracket ?? { loMs: 0, hiMs: null },
      intervalMs: this.#search?.intervalMs ?? null,
      direction: this.#direction,
      parallel: this.#limit,
      roundTripMs: this.#beat.roundTrip.roundTripMs,
      isDone: this.#phase === "done",
      running: [...this.#trials].map((trial) => ({
        idleMs: trial.idleMs,
        leftMs: Math.max(0, trial.startMs + trial.idleMs - nowMs),
        isSuspect: trial.isSuspect,
      })).sort((a, b) => a.idleMs - b.idleMs),
    };
  }

  // --- what the pipeline tells ---

  linkUp(): void {
    this.#isValid = false;
    this.#hello = undefined;
    this.#answersLeft = WARM_UP_BEATS;
    if (this.#phase === "down") this.#phase = "warmUp";
    idleStateOf(this.#context).setIdleTimes({ writerIdleMs: this.#keepMs, readerIdleMs: this.#keepMs });
    this.#beat.start(this.#context.loop);
  }

  linkDown(): void {
    // The peer lets go of a client's scouts with its main link, so none of them says anything any more.
    const lost = this.#callBack();
    for (const { idleMs } of lost) this.#tell(idleMs, "void", "the main link was lost");
    this.#stop();
    if (this.#phase === "done") return;
    this.#phase = "down";
    if (lost.length > 0 && ++this.#voids >= MAX_VOID) this.#end("gaveUp");
  }

  removed(): void {
    this.#callBack();
    this.#stop();
    this.#phase = "down";
  }

  heartbeatRead(heartbeat: Heartbeat): void {
    if (heartbeat.kind === "hello") this.#hello = heartbeat;
    else if (heartbeat.kind === "pong") {
      this.#beat.answered(this.#context.loop, this.#carriesFields ? heartbeat.sequence : undefined);
    } else {
      for (const trial of [...this.#trials]) if (trial.takeTicket(heartbeat)) return;
    }
  }

  idle(): void {
    if (this.#phase !== "down") this.#beat.start(this.#context.loop);
  }

  // --- what the beat of the main link tells ---

  get lastReadMs(): number {
    return idleStateOf(this.#context).lastReadMs;
  }

  // Nothing but heartbeats goes out here.
  get pendingBytes(): number {
    return 0;
  }

  get flushedBytes(): number {
    return 0;
  }

  sendHeartbeat(sequence: number): void {
    sendHeartbeat(this.#context, new Heartbeat("ping", { timeMs: 4 * this.#keepMs, sequence }));
  }

  beatAnswered(roundTripMs: number, unanswered: number): void {
    if (!this.#isValid) {
      this.#isValid = true;
      this.#fire({ type: "linkValid", roundTripMs } satisfies LinkValidEvent);
    }
    for (const trial of [...this.#trials]) trial.mainAnswered(unanswered === 0);
    if (this.#phase === "warmUp") {
      if (unanswered === 0) this.#answersLeft--;
      if (this.#answersLeft > 0) this.#beat.start(this.#context.loop);
      else this.#begin();
    }
    this.#fill();
  }

  beatMissed(): void {
    for (const trial of [...this.#trials]) trial.mainAnswered(false);
  }

  beatDied(): void {
    this.#keepMs = Math.max(this.#keepMs / 2, SHORTEST_KEEP_MS);
    this.#context.channel.drop("unanswered");
  }

  // --- what the trials tell ---

  takeSequence(): number {
    return this.#beat.takeSequence();
  }

  askMain(): void {
    this.#beat.start(this.#context.loop);
  }

  trialPassed(trial: ProbeTrial, reason: string): void {
    this.#voids = 0;
    this.#search!.passed(trial.idleMs);
    this.#trials.delete(trial);
    this.#tell(trial.idleMs, "passed", reason);
    if (this.#phase !== "probing") return trial.recall();
    this.#recallNeedless();
    const nextMs = this.#pause === undefined ? this.#next() : undefined;
    if (nextMs === undefined) {
      trial.recall();
    } else {
      this.#trials.add(trial);
      this.#fire({ type: "trial", idleMs: nextMs, where: "scout" } satisfies TrialEvent);
      trial.continue(nextMs, this.#context.loop.now());
    }
    this.#fill();
  }

  trialFailed(trial: ProbeTrial, idleMs: number, reason: string): void {
    // A longer silence than this one has been survived: it was not the silence.
    if (idleMs <= this.#search!.bracket.loMs) {
      return this.trialVoid(trial, `${reason}, less than what was survived`);
    }
    this.#trials.delete(trial);
    this.#voids = 0;
    this.#search!.failed(idleMs);
    this.#tell(idleMs, "failed", reason);
    this.#fill();
  }

  trialLate(trial: ProbeTrial, reason: string): void {
    const count = (this.#late.get(trial.idleMs) ?? 0) + 1;
    this.#late.set(trial.idleMs, count);
    if (count >= MAX_LATE) this.trialFailed(trial, trial.idleMs, reason);
    else this.trialVoid(trial, reason);
  }

  trialVoid(trial: ProbeTrial, reason: string): void {
    this.#trials.delete(trial);
    this.#tell(trial.idleMs, "void", reason);
    // A trial that says nothing is repeated, but not in a hurry.
    if (++this.#voids >= MAX_VOID) this.#end("gaveUp");
    else this.#wait(Math.min(FIRST_PAUSE_MS * 2 ** (this.#voids - 1), LONGEST_PAUSE_MS));
  }

  trialRefused(trial: ProbeTrial): void {
    this.#trials.delete(trial);
    // As many as run now are what the peer allows.
    if (this.#trials.size > 0) this.#limit = this.#trials.size;
    else this.trialVoid(trial, "the peer takes no scout (busy)");
  }

  // --- what to try ---

  #begin(): void {
    const { startMs } = this.#settings;
    const longestHoldMs = this.#carriesFields ? this.#hello?.longestHoldMs ?? 0 : 0;
    this.#phase = "probing";
    if (this.#direction !== undefined) return;
    // Pushes are proven by scouts' holds, and by nothing else.
    const takesScouts = ((this.#hello?.abilities ?? 0) & SCOUTS) !== 0;
    this.#direction = takesScouts && longestHoldMs > startMs ? "push" : "client";
    const maxMs = this.#direction === "push"
      ? Math.min(this.#settings.maxMs, longestHoldMs)
      : this.#settings.maxMs;
    this.#search = new ProbeSearch({ ...this.#settings, maxMs: Math.max(maxMs, startMs * 1.1) });
    this.#fire({ type: "coverage", direction: this.#direction } satisfies CoverageEvent);
  }

  #fill(): void {
    if (this.#phase !== "probing") return;
    this.#recallNeedless();
    while (this.#pause === undefined && this.#trials.size < this.#limit && this.#phase === "probing") {
      const idleMs = this.#next();
      if (idleMs === undefined) break;
      const trial = new ProbeTrial(this, (owner) => this.#runnerFor(owner));
      this.#trials.add(trial);
      this.#fire({ type: "trial", idleMs, where: "scout" } satisfies TrialEvent);
      trial.start(idleMs, this.#context.loop.now());
    }
    if (this.#trials.size === 0 && this.#pause === undefined && this.#next() === undefined) {
      this.#end(this.#search!.bracket.hiMs === null ? "neverFailed" : "bracketed");
    }
  }

  #next(): number | undefined {
    const running = [...this.#trials].filter((trial) => !trial.isSuspect).map(({ idleMs }) => idleMs);
    return this.#search!.next(running, this.#suspectMs);
  }

  get #suspectMs(): number {
    let suspectMs = Infinity;
    for (const { isSuspect, idleMs } of this.#trials) if (isSuspect) suspectMs = Math.min(suspectMs, idleMs);
    return suspectMs;
  }

  /** Ends trials whose outcome the others have made certain. */
  #recallNeedless(): void {
    const { loMs, hiMs } = this.#search!.bracket;
    const topMs = Math.min(hiMs ?? Infinity, this.#suspectMs);
    for (const trial of this.#trials) {
      if (trial.isSuspect ? trial.idleMs < (hiMs ?? Infinity) : trial.idleMs > loMs && trial.idleMs < topMs) {
        continue;
      }
      this.#trials.delete(trial);
      trial.recall();
    }
  }

  #runnerFor(owner: ScoutOwner): TrialRunner {
    const { scoutHandlers } = this.#settings;
    // A new link has measured no round trip yet; on a slow network its answers would all seem late.
    const limits = { ...LIMITS, minMs: this.#beat.roundTrip.timeoutMs(0, LIMITS) };
    return this.#direction === "push"
      ? new Scout(owner, this.#context, limits, scoutHandlers)
      : new ClientTrial(owner, this.#context, limits, scoutHandlers, this.#carriesFields);
  }

  #wait(ms: number): void {
    this.#pause?.cancel();
    this.#pause = this.#context.loop.schedule(ms, () => {
      this.#pause = undefined;
      this.#fill();
    });
  }

  #end(outcome: ProbeOutcome): void {
    this.#callBack();
    this.#pause?.cancel();
    this.#pause = undefined;
    this.#phase = "done";
    this.#fire({ type: "probeDone", outcome } satisfies ProbeDoneEvent);
  }

  #callBack(): ProbeTrial[] {
    const trials = [...this.#trials];
    this.#trials.clear();
    for (const trial of trials) trial.recall();
    return trials;
  }

  #stop(): void {
    this.#beat.stop();
    this.#pause?.cancel();
    this.#pause = undefined;
    idleStateOf(this.#context).setIdleTimes({});
  }

  #tell(idleMs: number, outcome: Outcome, reason: string): void {
    this.#fire({ type: "verdict", idleMs, outcome, reason } satisfies VerdictEvent);
  }

  #fire(event: unknown): void {
    this.#context.fireUserEventTriggered(event);
  }
}
