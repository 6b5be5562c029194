/**
 * A box in the path that forgets idle connections.
 *
 * @module
 */

/**
 * What the box does once it has forgotten a connection.
 *
 * - `strict`: swallows everything on it, for ever.
 * - `loose`: takes a client's packet for the start of a connection (Linux with
 *   `nf_conntrack_tcp_loose=1`, its default); a server's packet meets a reset.
 * - `reset`: tells both ends at the moment of forgetting.
 */
export type ExpiryMode = "strict" | "loose" | "reset";

/** The idle timeout from some moment on. */
export interface TimeoutFrom {
  readonly fromMs: number;
  readonly timeoutMs: number;
}

/** What becomes of a packet: it passes, vanishes, or its sender gets a reset. */
export type Passage = "passes" | "vanishes" | "reset";

/** What a box remembers of one connection. */
export class NatEntry {
  readonly #mode: ExpiryMode;
  /** Ascending; the first from the beginning of time. */
  readonly #timeouts: readonly TimeoutFrom[];
  #lastMs: number;
  #isForgotten = false;

  constructor(mode: ExpiryMode, timeouts: readonly TimeoutFrom[], nowMs: number) {
    this.#mode = mode;
    this.#timeouts = timeouts;
    this.#lastMs = nowMs;
  }

  /** When a packet last passed. */
  get lastMs(): number {
    return this.#lastMs;
  }

  /** When the connection is forgotten (or was) unless a packet passes first. A fallen timeout counts at once. */
  get expiryMs(): number {
    const timeouts = this.#timeouts;
    for (let i = 0; i < timeouts.length; i++) {
      const { fromMs, timeoutMs } = timeouts[i]!;
      const atMs = Math.max(fromMs, this.#lastMs + timeoutMs);
      if (i + 1 === timeouts.length || atMs < timeouts[i + 1]!.fromMs) return atMs;
    }
    return Infinity;
  }

  /** A packet comes to the box. */
  pass(fromClient: boolean, nowMs: number): Passage {
    if (!this.#isForgotten && nowMs < this.expiryMs) {
      this.#lastMs = nowMs;
      return "passes";
    }
    if (this.#mode === "loose") {
      if (!fromClient) return "reset";
      this.#lastMs = nowMs;
      return "passes";
    }
    this.#isForgotten = true;
    return this.#mode === "reset" ? "reset" : "vanishes";
  }
}
