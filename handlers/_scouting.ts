/**
 * Trials on a scout, and whether a scout that died died of its silence.
 *
 * @module
 */

import type { ChannelHandlerContext } from "../pipeline/mod.ts";
import type { Outcome } from "./adaptive/interval_strategy.ts";
import type { AdaptiveSettings } from "./_adaptive_settings.ts";
import type { Heartbeat } from "./heartbeat/heartbeat.ts";
import type { TrialEvent } from "./keep_alive_event.ts";
import { Scout, type ScoutOwner, type ScoutReport } from "./_scout.ts";

/** Who wants to know. */
export interface ScoutingOwner {
  /** The idle time that is worth a trial now, ms; undefined if none is, or none may be. */
  nextScoutTrialMs(): number | undefined;
  /** How long the main link waits for an answer, as measured, ms. */
  readonly answerMs: number;
  /** The next number for a heartbeat on the main link. */
  takeSequence(): number;
  /** Asks the main link for an answer; {@linkcode Scouting.mainAnswered} is told what becomes of it. */
  askMain(): void;
  /** A trial has shown something, or nothing. */
  trialJudged(idleMs: number, outcome: Outcome, reason: string): void;
  /** A trial is over, and what follows from it was told. */
  trialOver(reason: string): void;
}

/** Whether the main link answers while a scout does not. */
interface Check {
  state: "pending" | "steady" | "unsteady";
  /** The scout's failure that waits for the answer. */
  failure: { readonly idleMs: number; readonly reason: string } | undefined;
}

/** After so many answers that came only after a ping, pushes do not get through by themselves. */
const MAX_LATE = 2;

/**
 * Keeps one scout at work while there is something to try. A scout that dies
 * counts as a failure only if the main link answers meanwhile, at the first
 * try: otherwise it was the network, and the trial is void.
 */
export class Scouting implements ScoutOwner {
  readonly #owner: ScoutingOwner;
  readonly #context: ChannelHandlerContext;
  readonly #settings: AdaptiveSettings;
  #scout: Scout | undefined = undefined;
  #check: Check | undefined = undefined;
  #lateTrials = 0;
  /** The idle time under test. */
  #triedMs = 0;

  constructor(owner: ScoutingOwner, context: ChannelHandlerContext, settings: AdaptiveSettings) {
    this.#owner = owner;
    this.#context = context;
    this.#settings = settings;
  }

  /** Whether a scout is out. */
  get isOut(): boolean {
    return this.#scout !== undefined;
  }

  /** Sends a scout out if there is something to try. */
  consider(): void {
    const { scoutHandlers } = this.#settings;
    if (this.#scout !== undefined || this.#check !== undefined || scoutHandlers === undefined) return;
    const idleMs = this.#owner.nextScoutTrialMs();
    if (idleMs === undefined) return;
    // A new link has measured no round trip yet; on a slow network its answers would all seem late.
    const limits = { ...this.#settings, minMs: this.#owner.answerMs };
    this.#scout = new Scout(this, this.#context, limits, scoutHandlers);
    this.#tellOfTrial(idleMs);
    // Whoever was told may have ended it all.
    this.#scout?.start(idleMs);
  }

  /**
   * Calls the scout back; its trial says nothing.
   *
   * @returns Whether there was one.
   */
  recall(): boolean {
    const wasOut = this.#scout !== undefined;
    this.#scout?.recall();
    this.#scout = undefined;
    this.#check = undefined;
    return wasOut;
  }

  /** The network is another one: what was late on the old one says nothing. */
  forget(): void {
    this.#lateTrials = 0;
  }

  /** @returns Whether the heartbeat was about the scout's ticket. */
  takeTicket(heartbeat: Heartbeat): boolean {
    return this.#scout?.takeTicket(heartbeat) ?? false;
  }

  /** The main link has answered: steadily at the first try, or not. */
  mainAnswered(state: "steady" | "unsteady"): void {
    const check = this.#check;
    if (check === undefined) return;
    if (check.state === "pending") check.state = state;
    const { failure } = check;
    if (failure === undefined) return;
    this.#check = undefined;
    const { idleMs, reason } = failure;
    if (check.state === "steady") this.#owner.trialJudged(idleMs, "failed", reason);
    else this.#owner.trialJudged(idleMs, "void", `${reason}, and the network was not steady`);
  }

  takeSequence(): number {
    return this.#owner.takeSequence();
  }

  scoutMissed(): void {
    this.#check = { state: "pending", failure: undefined };
    this.#owner.askMain();
  }

  scoutReports({ idleMs, outcome, reason }: ScoutReport): void {
    if (outcome === "passed") {
      this.#lateTrials = 0;
      this.#owner.trialJudged(idleMs, "passed", reason);
      this.#goOn();
      this.#owner.trialOver("trial passed");
      return;
    }
    this.#scout = undefined;
    if (outcome === "died" && idleMs < Math.min(this.#settings.warmUpIntervalMs, this.#triedMs)) {
      // No network forgets as fast as a server that restarts hangs up.
      this.#check = undefined;
      this.#owner.trialJudged(idleMs, "void", `${reason}, sooner than any network forgets`);
    } else if (outcome === "died") {
      const check = this.#check ??= { state: "pending", failure: undefined };
      check.failure = { idleMs, reason };
      if (check.state === "pending") this.#owner.askMain();
      else this.mainAnswered(check.state);
    } else {
      this.#check = undefined;
      // Once is a slow network. Twice is a network that lets pushes through only after the client has spoken.
      const isTrapped = outcome === "late" && ++this.#lateTrials >= MAX_LATE;
      if (isTrapped) this.#lateTrials = 0;
      this.#owner.trialJudged(idleMs, isTrapped ? "failed" : "void", reason);
    }
    this.#owner.trialOver("trial over");
  }

  #goOn(): void {
    const idleMs = this.#owner.nextScoutTrialMs();
    if (idleMs === undefined) {
      this.recall();
    } else {
      this.#tellOfTrial(idleMs);
      this.#scout?.continue(idleMs);
    }
  }

  #tellOfTrial(idleMs: number): void {
    this.#triedMs = idleMs;
    this.#context.fireUserEventTriggered({ type: "trial", idleMs, where: "scout" } satisfies TrialEvent);
  }
}
