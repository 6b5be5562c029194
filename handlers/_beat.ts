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
  /** Bytes written that have not left for the operating system. */
  readonly pendingBytes: number;
  /** Bytes that have left for it, over all links. */
  readonly flushedBytes: number;
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
  /** The heartbeats so far: for each its number, then when it was sent in the loop's time. */
  readonly asked: readonly number[];
  /** Since when nothing came in, as far as the current wait is concerned. */
  waitingFromMs: number;
  /** How much had left for the operating system by then, bytes. */
  flushedBytes: number;
  timer: Timer;
}

/** What all links know before their first answer. */
const UNMEASURED = new RoundTripEstimator();

const NOT_WAITING = { kind: "quiet" } as const;

/** What the timer calls: one function for all links. Assigned by the class, which alone reaches it. */
let timedOut: (beat: Beat) => void;

/**
 * Sends a heartbeat and, while no answer comes, quickly repeats it, timed by
 * the measured round trip. So a dead link is known within seconds and not
 * after as many intervals; and one lost packet is not yet a dead link. The
 * answer to any of the heartbeats counts.
 */
export class Beat {
  #roundTrip: RoundTripEstimator | undefined = undefined;
  #state: typeof NOT_WAITING | Waiting = NOT_WAITING;
  #loop: EventLoop | undefined = undefined;
  /** The next heartbeat's number. */
  #nextSequence = 0;
  /** How many numbers back a late answer is still one that was asked for. */
  #asked = 0;

  constructor(readonly owner: BeatOwner, readonly limits: BeatLimits) {}

  /** What is known of the round trip. */
  get roundTrip(): Pick<RoundTripEstimator, "roundTripMs" | "timeoutMs"> {
    return this.#roundTrip ?? UNMEASURED;
  }

  /** Takes a measured round trip. */
  measured(roundTripMs: number): void {
    (this.#roundTrip ??= new RoundTripEstimator()).sample(roundTripMs);
  }

  /** Whether an answer is awaited. */
  get isWaiting(): boolean {
    return this.#state.kind === "waiting";
  }

  /** Sends the first heartbeat, unless one is on its way. */
  start(loop: EventLoop): void {
    if (this.#state.kind === "quiet") this.#send(loop, undefined);
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
      const { asked } = state;
      let index = 0;
      while (sequence !== undefined && index < asked.length && asked[index] !== sequence) index += 2;
      if (index < asked.length) {
        state.timer.cancel();
        this.#state = NOT_WAITING;
        const roundTripMs = loop.now() - asked[index + 1]!;
        // Karn's rule: without sequence numbers a repeated question gives no sample.
        if (sequence !== undefined || asked.length === 2) this.measured(roundTripMs);
        this.owner.beatAnswered(roundTripMs, asked.length / 2 - 1);
        return "answer";
      }
    }
    return this.hasAsked(sequence) ? "late" : "stray";
  }

  /** Whether a heartbeat with this number was sent on this link, or any at all where the format has no numbers. */
  hasAsked(sequence: number | undefined): boolean {
    const behind = sequence === undefined ? 1 : distance(sequence, this.#nextSequence);
    return behind >= 1 && behind <= this.#asked;
  }

  /** The next number, for a heartbeat of another kind; its answer is one that was asked for. */
  takeSequence(): number {
    const sequence = this.#nextSequence;
    this.#nextSequence = (sequence + 1) % HEARTBEAT_SEQUENCES;
    this.#asked = Math.min(this.#asked + 1, HEARTBEAT_SEQUENCES / 2);
    return sequence;
  }

  #send(loop: EventLoop, before: Waiting | undefined): void {
    const sequence = this.takeSequence();
    const nowMs = loop.now();
    // Most beats are answered at once, and a literal holds no more than it must.
    this.#state = {
      kind: "waiting",
      asked: before === undefined ? [sequence, nowMs] : [...before.asked, sequence, nowMs],
      waitingFromMs: nowMs,
      flushedBytes: this.owner.flushedBytes,
      timer: this.#wait(loop, before === undefined ? 0 : before.asked.length / 2),
    };
    this.owner.sendHeartbeat(sequence);
  }

  #wait(loop: EventLoop, repeats: number): Timer {
    this.#loop = loop;
    return loop.schedule(this.roundTrip.timeoutMs(repeats, this.limits), timedOut, this);
  }

  #timedOut(): void {
    const state = this.#state;
    const loop = this.#loop!;
    if (state.kind !== "waiting") return;
    const unanswered = state.asked.length / 2;
    const { lastReadMs, pendingBytes, flushedBytes } = this.owner;
    if (lastReadMs > state.waitingFromMs || (pendingBytes > 0 && flushedBytes > state.flushedBytes)) {
      // Something came in since, or is still going out: the link lives and is
      // busy with a large message in front of the answer or the question. Wait
      // on, without counting.
      state.waitingFromMs = loop.now();
      state.flushedBytes = flushedBytes;
      state.timer = this.#wait(loop, unanswered - 1);
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

  static {
    timedOut = (beat) => beat.#timedOut();
  }
}

/** How far `to` is ahead of `from`, counting around. */
function distance(from: number, to: number): number {
  return (to - from + HEARTBEAT_SEQUENCES) % HEARTBEAT_SEQUENCES;
}
