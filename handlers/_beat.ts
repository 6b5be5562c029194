/**
 * One heartbeat and its repeats: is the peer still there?
 *
 * @module
 */

import type { EventLoop, Timer } from "../pipeline/mod.ts";
import { HEARTBEAT_SEQUENCES } from "./heartbeat/heartbeat.ts";
import { type AnswerTimeouts, RoundTripEstimator } from "./_round_trip_estimator.ts";

/** The limits of a beat. */
export interface BeatLimits extends AnswerTimeouts {
  /** After how many unanswered heartbeats in a row the link is dead. */
  readonly maxUnanswered: number;
}

/** What a beat does and tells. */
export interface BeatOwner {
  /** Sends a heartbeat with this sequence number. */
  sendHeartbeat(sequence: number): void;
  /** When anything last came in, in the loop's time, ms. */
  readonly lastReadMs: number;
  /** One of the heartbeats was answered, after so many were not in time. */
  beatAnswered(roundTripMs: number, unanswered: number): void;
  /** One more heartbeat was not answered in time. */
  beatMissed(unanswered: number): void;
  /** None was answered: the link is dead. */
  beatDied(unanswered: number): void;
}

/** How an answer relates to what was asked. */
export type AnswerKind = "answer" | "late" | "stray";

interface Waiting {
  readonly kind: "waiting";
  /** The heartbeats so far: their numbers, and when each was sent in the loop's time. */
  readonly sequences: number[];
  readonly sentMs: number[];
  /** Since when nothing came in, as far as the current wait is concerned. */
  waitingFromMs: number;
  timer: Timer;
}

const NOT_WAITING = { kind: "quiet" } as const;

/**
 * Sends a heartbeat and, while no answer comes, quickly repeats it, timed by
 * the measured round trip. So a dead link is known within seconds and not
 * after as many intervals; and one lost packet is not yet a dead link. The
 * answer to any of the heartbeats counts.
 */
export class Beat {
  readonly roundTrip: RoundTripEstimator = new RoundTripEstimator();
  #state: typeof NOT_WAITING | Waiting = NOT_WAITING;
  /** The next heartbeat's number. */
  #nextSequence = 0;
  /** How many numbers back a late answer is still one that was asked for. */
  #asked = 0;

  constructor(readonly owner: BeatOwner, readonly limits: BeatLimits) {}

  /** Whether an answer is awaited. */
  get isWaiting(): boolean {
    return this.#state.kind === "waiting";
  }

  /** Sends the first heartbeat, unless one is on its way. */
  start(loop: EventLoop): void {
    if (this.#state.kind === "waiting") return;
    const state: Waiting = {
      kind: "waiting",
      sequences: [],
      sentMs: [],
      waitingFromMs: 0,
      timer: undefined as unknown as Timer,
    };
    this.#state = state;
    this.#send(loop, state);
  }

  /** The link is gone: nothing is awaited any more. */
  stop(): void {
    if (this.#state.kind === "waiting") this.#state.timer.cancel();
    this.#state = NOT_WAITING;
    this.#asked = 0;
  }

  /**
   * An answer came.
   *
   * @param sequence The heartbeat that it answers, or undefined where the format does not tell.
   */
  answered(loop: EventLoop, sequence: number | undefined): AnswerKind {
    const state = this.#state;
    if (state.kind === "waiting") {
      const index = sequence === undefined ? 0 : state.sequences.indexOf(sequence);
      if (index >= 0) {
        state.timer.cancel();
        this.#state = NOT_WAITING;
        const roundTripMs = loop.now() - state.sentMs[index]!;
        // Karn's rule: without sequence numbers a repeated question gives no sample.
        if (sequence !== undefined || state.sentMs.length === 1) this.roundTrip.sample(roundTripMs);
        this.owner.beatAnswered(roundTripMs, state.sentMs.length - 1);
        return "answer";
      }
    }
    const behind = sequence === undefined ? 1 : distance(sequence, this.#nextSequence);
    return behind >= 1 && behind <= this.#asked ? "late" : "stray";
  }

  /** The next number, for a heartbeat of another kind; its answer is one that was asked for. */
  takeSequence(): number {
    const sequence = this.#nextSequence;
    this.#nextSequence = (sequence + 1) % HEARTBEAT_SEQUENCES;
    this.#asked = Math.min(this.#asked + 1, HEARTBEAT_SEQUENCES / 2);
    return sequence;
  }

  #send(loop: EventLoop, state: Waiting): void {
    const sequence = this.takeSequence();
    const waitMs = this.roundTrip.timeoutMs(state.sentMs.length, this.limits);
    state.waitingFromMs = loop.now();
    state.sequences.push(sequence);
    state.sentMs.push(state.waitingFromMs);
    state.timer = loop.schedule(waitMs, () => this.#timedOut(loop, state));
    this.owner.sendHeartbeat(sequence);
  }

  #timedOut(loop: EventLoop, state: Waiting): void {
    if (this.#state !== state) return;
    const unanswered = state.sentMs.length;
    if (this.owner.lastReadMs > state.waitingFromMs) {
      // Something came in since: the peer lives and is busy (a large message
      // in front of its answer). Wait on, without counting.
      state.waitingFromMs = loop.now();
      state.timer = loop.schedule(this.roundTrip.timeoutMs(unanswered - 1, this.limits), () => this.#timedOut(loop, state));
      return;
    }
    this.owner.beatMissed(unanswered);
    if (this.#state !== state) return;
    if (unanswered < this.limits.maxUnanswered) {
      this.#send(loop, state);
    } else {
      this.#state = NOT_WAITING;
      this.owner.beatDied(unanswered);
    }
  }
}

/** How far `to` is ahead of `from`, counting around. */
function distance(from: number, to: number): number {
  return (to - from + HEARTBEAT_SEQUENCES) % HEARTBEAT_SEQUENCES;
}
