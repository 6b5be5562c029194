import type { LateNotice } from "./event_loop.ts";

type LateListener = (notice: LateNotice) => void;

/** Who wants to know that an event loop ran late. */
export class LateListeners {
  // Wrapped, so that a function added twice is told twice and can be taken off once.
  readonly #entries = new Set<{ readonly listener: LateListener }>();

  /** Adds a listener; the returned function takes it off again. */
  add(listener: LateListener): () => void {
    const entry = { listener };
    this.#entries.add(entry);
    return () => void this.#entries.delete(entry);
  }

  /** Tells all; the throw of one goes to `onError` and keeps it from no other. */
  notify(notice: LateNotice, onError: (error: unknown) => void): void {
    // A copy: one that listens anew on hearing it would be told again and again, for ever.
    for (const entry of [...this.#entries]) {
      if (!this.#entries.has(entry)) continue;
      try {
        entry.listener(notice);
      } catch (error) {
        onError(error);
      }
    }
  }
}
