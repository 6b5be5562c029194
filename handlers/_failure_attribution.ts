/**
 * Whether a link that died, died of its silence.
 *
 * @module
 */

import type { EventLoop, LinkDownReason } from "../pipeline/mod.ts";
import type { Outcome } from "./adaptive/interval_strategy.ts";
import type { AdaptiveSettings } from "./_adaptive_settings.ts";

/** Who wants to know. */
export interface AttributionOwner {
  /** What is known of the round trip, ms. */
  readonly roundTripMs: number | undefined;
  /** Whether the strategy asks for proof that the network was up; the classic rule does not. */
  readonly wantsProof: boolean;
  /** A silence has shown something, or nothing. */
  silenceJudged(idleMs: number, outcome: Outcome, reason: string): void;
}

/** A link that was reset or closed by the other side while it was silent and nothing had been asked. */
export interface Cut {
  readonly reason: LinkDownReason;
  /** How long it was silent, whole ms. */
  readonly silentMs: number;
  /** How long it was to be silent, ms. */
  readonly wantedMs: number;
  /** When that began, in the loop's time. */
  readonly startMs: number;
  /** Whether a silence of that length may well be too long, for all that is known. */
  readonly isExpected: boolean;
}

/** A failure that counts only if it turns out that the network was up. */
interface Suspicion {
  readonly idleMs: number;
  readonly reason: string;
  readonly atMs: number;
}

/** Back within so many of the shortest waits for an answer is back at once. */
const SOON = 5;
/** After so many answers that came only after a ping, pushes do not get through by themselves. */
const MAX_LATE = 2;

/**
 * Tells what killed a link: a silence that was too long for the network, or
 * something else, such as an outage, another network, a server that restarts,
 * or a machine that slept. Only the first is a failure; the others are void.
 *
 * Made when a link is first lost or an answer late: most links never are.
 */
export class FailureAttribution {
  readonly #owner: AttributionOwner;
  readonly #settings: AdaptiveSettings;
  readonly #loop: EventLoop;
  #suspicion: Suspicion | undefined = undefined;
  /** When somebody last said that the network changed: it takes links along, whatever they survived until then. */
  #networkChangedMs = -1;
  /** How often a new link was tried since the last one was lost, and when it was tried last. */
  #tries = 0;
  #triedMs = 0;
  #lateHolds = 0;
  #lastCutMs = 0;

  constructor(owner: AttributionOwner, settings: AdaptiveSettings, loop: EventLoop) {
    this.#owner = owner;
    this.#settings = settings;
    this.#loop = loop;
  }

  /** A link is being tried. */
  connecting(): void {
    this.#tries++;
    this.#triedMs = this.#loop.now();
  }

  linkLost(): void {
    this.#tries = 0;
  }

  networkChanged(): void {
    this.#suspicion = undefined;
    this.#networkChangedMs = this.#loop.now();
  }

  /** What killed a link on another network says nothing about the one that is in use now. */
  forget(): void {
    this.#suspicion = undefined;
    this.#lateHolds = 0;
    this.#lastCutMs = 0;
  }

  /**
   * A link died after a silence.
   *
   * @param startMs When the silence began, in the loop's time.
   */
  suspect(idleMs: number, startMs: number, reason: string): void {
    const owner = this.#owner;
    if (this.#loop.lastLateMs > startMs) {
      owner.silenceJudged(idleMs, "void", `${reason}, but the timer was late`);
    } else if (this.#networkChangedMs >= startMs) {
      owner.silenceJudged(idleMs, "void", `${reason}, but the network changed`);
    } else if (!owner.wantsProof) {
      owner.silenceJudged(idleMs, "failed", reason);
    } else {
      this.#suspicion = { idleMs, reason, atMs: this.#loop.now() };
    }
  }

  /** Some networks cut a link when they forget it. A server that restarts does so too, at any moment. */
  cut({ reason, silentMs, wantedMs, startMs, isExpected }: Cut): void {
    // A network that forgets does it again before so long a silence is survived.
    const again = this.#lastCutMs > 0;
    this.#lastCutMs = silentMs;
    if (!isExpected && !again) return;
    this.suspect(Math.min(silentMs, wantedMs), startMs, `cut (${reason}) after ${silentMs} ms of silence`);
  }

  /** The peer has answered on a new link: if that came about at once, the network had been up. */
  linkValid(): void {
    const suspicion = this.#suspicion;
    if (suspicion === undefined) return;
    this.#suspicion = undefined;
    const { idleMs, reason } = suspicion;
    if (this.#isBackAtOnce(suspicion)) this.#owner.silenceJudged(idleMs, "failed", reason);
    else this.#owner.silenceJudged(idleMs, "void", `${reason}, and the network was down`);
  }

  /** A hold was answered in time: pushes get through, and a link survives so long a silence. */
  held(ms: number): void {
    this.#lateHolds = 0;
    if (ms >= this.#lastCutMs) this.#lastCutMs = 0;
  }

  /** A hold was answered, but only after a ping. Once is a slow network. */
  heldLate(ms: number): void {
    const isTrapped = ++this.#lateHolds >= MAX_LATE;
    if (isTrapped) this.#lateHolds = 0;
    this.#owner.silenceJudged(ms, isTrapped ? "failed" : "void", "answered only after a ping");
  }

  /**
   * Whether the network was up when the link died. An outage may end just
   * then, so it has to be the first try, and one of which nothing was lost: a
   * SYN is repeated after a second.
   */
  #isBackAtOnce({ atMs }: Suspicion): boolean {
    const nowMs = this.#loop.now();
    const { minMs } = this.#settings;
    const roundTripMs = this.#owner.roundTripMs ?? minMs;
    const isFirstTry = this.#tries === 0 ||
      (this.#tries === 1 && nowMs - this.#triedMs <= minMs / 2 + 4 * roundTripMs);
    return isFirstTry && nowMs - atMs <= SOON * minMs;
  }
}
