/**
 * Notices that the peer does not acknowledge.
 *
 * @module
 */

import type { Timer } from "../../pipeline/mod.ts";
import type { Outbox } from "./_outbox.ts";
import type { SessionOwner } from "./_session_owner.ts";

/** How long a peer may put an acknowledgement off, ms: docs/protocol.md. */
const LONGEST_DELAY_MS = 200;
/** How often the link is asked whether it lives while an acknowledgement is late: in these multiples of the first wait. */
const MAX_PATIENCE = 32;

/**
 * - `down`: no link.
 * - `idle`: nothing is watched.
 * - `watching`: until the oldest message is late.
 */
type State =
  | { readonly kind: "down" | "idle" }
  | { readonly kind: "watching"; readonly timer: Timer };

const DOWN: State = { kind: "down" };
const IDLE: State = { kind: "idle" };

/**
 * Asks whether the link lives when a message is not acknowledged in time: for
 * a link that is dead in silence, that is sooner than the next heartbeat.
 */
export class AcknowledgementWatch {
  readonly #owner: SessionOwner;
  readonly #outbox: Outbox;
  #state: State = DOWN;
  /** By how much longer than the first time the peer may take. */
  #patience = 1;

  constructor(owner: SessionOwner, outbox: Outbox) {
    this.#owner = owner;
    this.#outbox = outbox;
  }

  linkUp(): void {
    this.#become(IDLE);
    this.#patience = 1;
  }

  linkDown(): void {
    this.#become(DOWN);
  }

  /** Messages were written. */
  written(): void {
    // Called for each message, most of which find a watch; only then is the pipeline asked how long an answer may take.
    if (this.#state !== IDLE) return;
    const { answerTimeoutMs } = this.#owner;
    if (answerTimeoutMs !== undefined) this.#wait(this.#lateAfterMs(answerTimeoutMs));
  }

  /** A peer that took long has answered: the next message is watched as closely as ever. */
  acknowledged(): void {
    if (this.#patience === 1) return;
    this.#patience = 1;
    if (this.#state === DOWN) return;
    this.#become(IDLE);
    if (this.#outbox.unansweredSinceMs !== undefined) this.written();
  }

  /** The peer may take its time to acknowledge, on top of the way there and back. */
  #lateAfterMs(answerTimeoutMs: number): number {
    return (answerTimeoutMs + LONGEST_DELAY_MS) * this.#patience;
  }

  #wait(ms: number): void {
    this.#state = { kind: "watching", timer: this.#owner.loop.schedule(ms, () => this.#mayBeLate()) };
  }

  #mayBeLate(): void {
    this.#state = IDLE;
    const { answerTimeoutMs, loop } = this.#owner;
    const sinceMs = this.#outbox.unansweredSinceMs;
    if (sinceMs === undefined || answerTimeoutMs === undefined) return;
    const waitMs = sinceMs + this.#lateAfterMs(answerTimeoutMs) - loop.now();
    if (waitMs > 0) return this.#wait(waitMs);
    // A peer that lives and takes long to handle a message must not be asked all the time.
    this.#patience = Math.min(2 * this.#patience, MAX_PATIENCE);
    this.#owner.suspectLink();
    this.written();
  }

  #become(next: State): void {
    if (this.#state.kind === "watching") this.#state.timer.cancel();
    this.#state = next;
  }
}
