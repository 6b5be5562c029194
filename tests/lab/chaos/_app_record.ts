/**
 * What an application has done, kept where its sessions are kept.
 *
 * @module
 */

import type { SessionPosition } from "../../../mod.ts";

/**
 * The place of the last message of each session that an application is done
 * with; outlives its process. It is written down in one step with what the
 * application does about a message.
 */
export class AppRecord {
  readonly #done = new Map<string, number>();
  readonly #owners = new Map<string, number>();

  /** The record as a new process finds it. */
  open(): OpenRecord {
    return new OpenRecord(this.#done);
  }

  /** Which client a session belongs to. */
  ownerOf(sessionId: string): number | undefined {
    return this.#owners.get(sessionId);
  }

  /** Remembers it. */
  own(sessionId: string, client: number): void {
    this.#owners.set(sessionId, client);
  }
}

/** The record in the hands of one process. */
export class OpenRecord {
  readonly #done: Map<string, number>;
  readonly #before = new Map<string, number>();

  constructor(done: Map<string, number>) {
    this.#done = done;
  }

  /**
   * Writes down that the application does something about this message.
   *
   * @returns Whether a process before this one has done it already. Within one
   *   process no message may come twice, so that is not looked at.
   */
  take({ sessionId, sequence }: SessionPosition): boolean {
    let before = this.#before.get(sessionId);
    if (before === undefined) this.#before.set(sessionId, before = this.#done.get(sessionId) ?? 0);
    if (sequence <= before) return true;
    this.#done.set(sessionId, Math.max(sequence, this.#done.get(sessionId) ?? 0));
    return false;
  }
}
