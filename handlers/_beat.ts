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
  /** Whether nobody reads, so that an answer may have come and lie there. Absent for who always reads. */
  readonly isPaused?: boolean;
  /** One of the heartbeats was answered, after so many were not in time. */
  beatAnswered(roundTripMs: number, unanswered: number): void;
  /** One more heartbeat was not answered in time. */
  beatMissed(unanswered: number): void;
  /** No answer was seen, but nobody reads: it says nothing of the link, and nothing is awaited any more. */
  beatUnread?(): void;
  /** None was answered: the link is dead. */
  beatDied(unanswered: number): void;
}

/** How an answer relates to what was asked. */
export type AnswerKind = "answer" | "late" | "stray";

/**
 * - `ordinary`: a few growing waits.
 * - `urgent`: to be decided soon, since the link may be gone, or the machine has slept.
 * - `busy`: as ordinary, but the answer or the question was behind a large message.
 */
type Pace = "ordinary" | "urgent" | "busy";

interface Waiting {
  readonly kind: "waiting";
  /** The heartbeats so far: for each its number (or {@linkcode VOID}), then when it was sent in the loop's time. */
  asked: readonly number[];
  /** How much in a row is unanswered; more than was asked if the beat began because something else was. */
  missed: number;
  pace: Pace;
  /** Whether a message came in whole during the current wait. */
  hasMessage: boolean;
  /** When the current wait began. */
  waitingFromMs: number;
  /** How much had left for the operating system by then, bytes. */
  flushedBytes: number;
  timer: Timer;
}

/** In place of the number of a heartbeat whose answer may have lain here, unread, while the machine slept. */
const VOID = -1;
/** So many heartbeats decide in a hurry, each with an equal wait; together less than three of the shortest waits. */
const URGENT_UNANSWERED = 3;
const URGENT_WAIT = 0.95;
/** The events of one waking come within so many shortest waits of each other, and one question is enough for them. */
const TOGETHER = 0.25;
/** While the link is busy the peer hears something every so many shortest waits, or it might take us for dead. */
const REMIND = 5;
/** So many of the latest heartbeats are remembered (two numbers each): behind hours of traffic there may be any number. */
const REMEMBERED = 2 * 16;
/** For so many shortest waits what comes in excuses that no answer does: time for 5 MB on a link of 50 kB/s. */
const EXCUSED = 120;

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
 *
 * Whatever else comes in, and a large message that is still leaving, shows
 * that the link lives, and the answer is waited for longer. Not for ever, once
 * whole messages come: one direction may be dead while the other is not. While
 * nobody reads, the silence is this side's own and decides nothing: heartbeats
 * go on at their interval, for the network's sake.
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

  /**
   * Sends the first heartbeat, unless one is on its way.
   *
   * @param unanswered How much else was not answered just before; it counts as so many heartbeats.
   */
  start(loop: EventLoop, unanswered = 0): void {
    if (this.#state.kind !== "quiet") return;
    this.#send(loop, [], Math.min(unanswered, this.limits.maxUnanswered - 1), "ordinary");
  }

  /**
   * Asks anew, and decides soon: after three equal waits instead of five
   * growing ones. What was asked before proves nothing any more: its answer may
   * have come in before the machine slept, and be read only now.
   */
  hurry(loop: EventLoop): void {
    const state = this.#state;
    if (state.kind === "quiet") return this.#send(loop, [], 0, "urgent");
    const nowMs = loop.now();
    // After another sleep none of the waits would be a fair one.
    if (state.pace === "urgent" && loop.lastLateMs <= state.asked[firstOf(state.asked) + 1]!) {
      if (nowMs - state.asked.at(-1)! < TOGETHER * this.limits.minMs) return;
      // More news of the same waking, such as that the network is there by now:
      // worth another question, but no later decision.
      return this.#askAlso(state, nowMs);
    }
    state.timer.cancel();
    const before = state.asked.slice(2 - REMEMBERED).map((value, i) => i % 2 === 0 ? VOID : value);
    this.#send(loop, before, 0, "urgent");
  }

  /** A message came in whole. */
  messageRead(): void {
    if (this.#state.kind === "waiting") this.#state.hasMessage = true;
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
      if (asked[index] === VOID) {
        // Without numbers: answers come in the order of the questions.
        state.asked = asked.slice(2);
      } else if (index < asked.length && !wasMissed(state, loop)) {
        state.timer.cancel();
        this.#state = NOT_WAITING;
        const roundTripMs = loop.now() - asked[index + 1]!;
        // Karn's rule: without sequence numbers a repeated question gives no sample.
        // Nor does one that had to wait for a large message, or a dead link would
        // be waited for as long.
        const isSample = (sequence !== undefined || asked.length === 2) && state.pace !== "busy";
        if (isSample) this.measured(roundTripMs);
        this.owner.beatAnswered(
          roundTripMs,
          asked.filter((value, i) => i % 2 === 0 && value !== VOID).length - 1,
        );
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

  #send(loop: EventLoop, before: readonly number[], missed: number, pace: Pace): void {
    const sequence = this.takeSequence();
    const nowMs = loop.now();
    // Most beats are answered at once, and a literal holds no more than it must.
    this.#state = {
      kind: "waiting",
      asked: before.length === 0 ? [sequence, nowMs] : followedBy(before, sequence, nowMs),
      missed,
      pace,
      hasMessage: false,
      waitingFromMs: nowMs,
      flushedBytes: this.owner.flushedBytes,
      timer: this.#wait(loop, missed, pace),
    };
    this.owner.sendHeartbeat(sequence);
  }

  /** One more question, with no wait of its own. */
  #askAlso(state: Waiting, nowMs: number): void {
    const sequence = this.takeSequence();
    state.asked = followedBy(state.asked, sequence, nowMs);
    this.owner.sendHeartbeat(sequence);
  }

  #wait(loop: EventLoop, missed: number, pace: Pace): Timer {
    this.#loop = loop;
    const { roundTrip, limits } = this;
    const waitMs = pace === "urgent"
      // The first heartbeat is waited for three times as long, so one and a half times as long as an ordinary one.
      ? Math.max(URGENT_WAIT * limits.minMs, roundTrip.timeoutMs(0, limits) / 2)
      : roundTrip.timeoutMs(missed, limits);
    return loop.schedule(waitMs, timedOut, this);
  }

  #timedOut(): void {
    const state = this.#state;
    const loop = this.#loop!;
    if (state.kind !== "waiting") return;
    if (this.owner.isPaused) {
      this.#state = NOT_WAITING;
      return this.owner.beatUnread?.();
    }
    const nowMs = loop.now();
    const life = this.#lifeSeen(state, nowMs);
    if (life !== "none") return this.#waitOn(loop, state, life, nowMs);
    const { maxUnanswered } = this.limits;
    const missed = state.missed + 1;
    this.owner.beatMissed(missed);
    if (this.#state !== state) return;
    if (missed < (state.pace === "urgent" ? Math.min(URGENT_UNANSWERED, maxUnanswered) : maxUnanswered)) {
      this.#send(loop, state.asked, missed, state.pace);
    } else {
      this.#state = NOT_WAITING;
      this.owner.beatDied(missed);
    }
  }

  /** The link lives, which is what was to be decided: waits on, without counting. */
  #waitOn(loop: EventLoop, state: Waiting, life: "busy" | "talking", nowMs: number): void {
    if (life === "busy") {
      state.missed = 0;
      state.pace = "busy";
    } else if (state.pace === "urgent") {
      state.pace = "ordinary";
    }
    state.hasMessage = false;
    state.waitingFromMs = nowMs;
    state.flushedBytes = this.owner.flushedBytes;
    state.timer = this.#wait(loop, state.missed, state.pace);
    if (nowMs - state.asked.at(-1)! >= REMIND * this.limits.minMs) this.#askAlso(state, nowMs);
  }

  /**
   * What was seen of the link during the wait. It is `busy` while the answer or
   * the question is behind one large message, and `talking` where whole
   * messages come in: then the answer may be behind more of them, or never come.
   */
  #lifeSeen(state: Waiting, nowMs: number): "none" | "busy" | "talking" {
    // Just after waking the system hands out what came before, and takes what it has room for.
    if (state.pace === "urgent" && state.missed === 0) return "none";
    const { lastReadMs, pendingBytes, flushedBytes } = this.owner;
    if (pendingBytes > 0 && flushedBytes > state.flushedBytes) return "busy";
    if (lastReadMs <= state.waitingFromMs) return "none";
    if (!state.hasMessage) return "busy";
    const askedMs = state.asked[firstOf(state.asked) + 1]!;
    return nowMs - askedMs < EXCUSED * this.limits.minMs ? "talking" : "none";
  }

  static {
    timedOut = (beat) => beat.#timedOut();
  }
}

/** How far `to` is ahead of `from`, counting around. */
function distance(from: number, to: number): number {
  return (to - from + HEARTBEAT_SEQUENCES) % HEARTBEAT_SEQUENCES;
}

function followedBy(asked: readonly number[], sequence: number, atMs: number): readonly number[] {
  if (asked.length < REMEMBERED) return [...asked, sequence, atMs];
  // The first says since when.
  const second = firstOf(asked) + 2;
  return [...asked.slice(0, second), ...asked.slice(second + 2), sequence, atMs];
}

/** Where the first of these heartbeats is that still counts. */
function firstOf(asked: readonly number[]): number {
  let index = 0;
  while (asked[index] === VOID) index += 2;
  return index;
}

/**
 * Whether the timer should have run out long ago. Then the machine was asleep
 * until just now: the answer may have lain here all the time, and it took no
 * such round trip.
 */
function wasMissed({ timer, waitingFromMs }: Waiting, loop: EventLoop): boolean {
  return loop.now() > timer.dueMs && loop.lastLateMs > waitingFromMs;
}
