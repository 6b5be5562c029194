/**
 * How long a client waits for a link.
 *
 * @module
 */

import { Deferred } from "./_deferred.ts";
import type { EventLoop, Timer } from "../mod.ts";

/** Ends after so long without a link, from the start or from its loss. */
export class Patience {
  readonly #loop: EventLoop;
  readonly #url: string;
  readonly #giveUpMs: number | undefined;
  readonly #over = new Deferred<Error>();
  #timer: Timer | undefined = undefined;

  /**
   * Begins to wait for the first link.
   *
   * @param url Where the link goes.
   * @param giveUpMs How long; undefined: for ever.
   */
  constructor(loop: EventLoop, url: string, giveUpMs: number | undefined) {
    this.#loop = loop;
    this.#url = url;
    this.#giveUpMs = giveUpMs;
    this.linkDown();
  }

  /** Passes with what to tell the user, once it is over. */
  get over(): Promise<Error> {
    return this.#over.promise;
  }

  linkUp(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  linkDown(): void {
    const ms = this.#giveUpMs;
    if (ms === undefined || this.#timer !== undefined) return;
    this.#timer = this.#loop.schedule(
      ms,
      () => this.#over.resolve(new Error(`Cannot go on: no link to ${this.#url} for ${ms / 1_000} s`)),
    );
  }

  /** Waits no longer: a timer that is left would keep the process. */
  end(): void {
    this.#timer?.cancel();
  }
}
