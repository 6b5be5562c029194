/**
 * Changes of one session that wait for their turn, and what they come to
 * together.
 *
 * @module
 */

import { SessionTakenError } from "../errors.ts";
import { changed, type SessionCounts } from "./_session_record.ts";
import type { SessionChange } from "./session_store.ts";

/** A change that waits for its turn. */
export interface SessionUpdate {
  readonly claim: number;
  readonly change: SessionChange & { readonly messages: readonly Uint8Array[] };
  readonly pass: () => void;
  readonly fail: (error: unknown) => void;
}

/** What a store knows of a session that it holds. */
export interface HeldCounts {
  readonly claim: number;
  readonly counts: SessionCounts;
  /** How many messages wait. */
  readonly kept: number;
}

/** Several changes as one. */
export interface SessionUpdates {
  /** Those that can be done; the others have failed by now. */
  readonly good: readonly SessionUpdate[];
  /** The numbers after them. */
  readonly counts: SessionCounts;
  readonly kept: number;
  /** The new messages of all of them. */
  readonly messages: readonly Uint8Array[];
}

/**
 * Makes a change wait.
 *
 * @param wait Takes the change to its place.
 * @returns Passes, or fails, with the change.
 */
export function waiting(
  claim: number,
  change: SessionChange,
  wait: (update: SessionUpdate) => void,
): Promise<void> {
  // Of its own, as it may wait: the caller's list may grow meanwhile.
  const copy = { ...change, messages: [...change.messages ?? []] };
  return new Promise((pass, fail) => wait({ claim, change: copy, pass, fail }));
}

/**
 * Puts changes together, in order. One that cannot be done fails alone.
 *
 * @param held The session; undefined if this store does not hold it.
 * @returns undefined if none can be done.
 */
export function together(
  key: string,
  held: HeldCounts | undefined,
  updates: readonly SessionUpdate[],
): SessionUpdates | undefined {
  const good: SessionUpdate[] = [];
  const messages: Uint8Array[] = [];
  let counts = held?.counts;
  let kept = held?.kept ?? 0;
  for (const update of updates) {
    try {
      if (counts === undefined || update.claim !== held?.claim) throw new SessionTakenError(key);
      const next = changed(key, counts, kept, update.change);
      kept += update.change.messages.length - (next.acknowledged - counts.acknowledged);
      counts = next;
      for (const message of update.change.messages) messages.push(message);
      good.push(update);
    } catch (error) {
      update.fail(error);
    }
  }
  return counts === undefined || good.length === 0 ? undefined : { good, counts, kept, messages };
}
