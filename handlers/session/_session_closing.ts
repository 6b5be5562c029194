/**
 * The close of a channel that has a session.
 *
 * @module
 */

import type { EventLoop, Timer } from "../../pipeline/mod.ts";
import type { Session } from "./_session.ts";

/** What a close is made with. */
export interface SessionClosingOptions {
  readonly session: Session;
  readonly loop: EventLoop;
  /** Whether a store keeps the session for later; otherwise it ends here. */
  readonly isKept: boolean;
  /** How long to wait at most, ms. */
  readonly timeoutMs: number;
  /** All is done that can be done. */
  readonly done: () => void;
}

/**
 * Waits until the peer has acknowledged everything, or the store has it, the
 * link is lost, or the time is over. Owns its timer, and calls back once.
 */
export class SessionClosing {
  readonly #options: SessionClosingOptions;
  #timer: Timer | undefined = undefined;
  #isDone = false;
  readonly #callbacks: (() => void)[];

  constructor(options: SessionClosingOptions) {
    this.#options = options;
    this.#callbacks = [options.done];
  }

  /** Somebody else wants to close it as well: called back once all is done, at once if it is. */
  whenDone(callback: () => void): void {
    if (this.#isDone) callback();
    else this.#callbacks.push(callback);
  }

  start(): void {
    const { session, loop, isKept, timeoutMs } = this.#options;
    const finish = () => this.finish();
    if (isKept) {
      session.pumpAndFlush();
      session.whenSaved().then(finish);
    } else {
      if (!session.isLinked) return finish();
      session.pumpAndFlush();
      session.sendEnd();
      session.outbox.whenConfirmed().onSettled(finish);
    }
    if (!this.#isDone) this.#timer = loop.schedule(timeoutMs, finish);
  }

  /** Waits no longer. */
  finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#timer?.cancel();
    // Or the peer would take messages for lost that have been handled.
    this.#options.session.inbox.acknowledgeRest();
    for (const callback of this.#callbacks) callback();
  }

  /** The link is lost: nothing will be acknowledged any more. */
  linkDown(): void {
    if (!this.#options.isKept) this.finish();
  }
}
