/**
 * What a NAT remembers of one link.
 *
 * @module
 */

import type { EventLoop, Timer } from "../../mod.ts";

/** What becomes of packets after an entry has expired; see {@linkcode NatEntry.packet}. */
export type NatMode = "strict" | "loose";

/** Which end of the link a packet comes from. */
export type NatSide = "client" | "server";

/**
 * What happens to a packet.
 *
 * - `forward`: it gets through.
 * - `revive`: it gets through, and the forgotten entry is there again.
 * - `swallow`: it vanishes, and nobody is told.
 * - `reset`: it vanishes, and its sender is told with a RST.
 */
export type Passage = "forward" | "revive" | "swallow" | "reset";

/** Options of a {@linkcode NatEntry}. */
export interface NatEntryOptions {
  /** Clock and timers. */
  readonly loop: EventLoop;
  /** After how long without a packet the entry expires, ms, above 0. */
  readonly timeoutMs: number;
  /** What becomes of packets after that. */
  readonly mode: NatMode;
  /** Called each time the entry expires. */
  readonly onForgotten: () => void;
}

type State =
  | { readonly kind: "alive"; timer: Timer }
  | { readonly kind: "forgotten" }
  /** The server was told that there is no such link; the client learns of it with its next packet. */
  | { readonly kind: "cut" }
  | { readonly kind: "closed" };

/**
 * One entry of a NAT's table. It expires when no packet came from either side
 * for the timeout. `strict`: packets of both sides vanish from then on.
 * `loose`, as Linux does by default (`nf_conntrack_tcp_loose=1`): a client's
 * packet makes the entry anew; a server's packet has nowhere to go and is
 * answered with a RST.
 */
export class NatEntry {
  readonly #options: NatEntryOptions;
  #state: State;
  #lastMs: number;

  constructor(options: NatEntryOptions) {
    this.#options = options;
    this.#lastMs = options.loop.now();
    this.#state = this.#alive();
  }

  /** Whether the entry is there. */
  get isAlive(): boolean {
    return this.#state.kind === "alive";
  }

  /** A packet came: says what happens to it, and remembers that there was one. */
  packet(from: NatSide): Passage {
    const { loop, timeoutMs, mode } = this.#options;
    // A timer may run late; the clock decides.
    if (this.isAlive && loop.now() - this.#lastMs >= timeoutMs) this.#forget();
    switch (this.#state.kind) {
      case "alive":
        this.#lastMs = loop.now();
        return "forward";
      case "forgotten":
        if (mode === "strict") return "swallow";
        if (from === "server") {
          this.#state = { kind: "cut" };
          return "reset";
        }
        this.#lastMs = loop.now();
        this.#state = this.#alive();
        return "revive";
      case "cut":
        return "reset";
      case "closed":
        return "swallow";
    }
  }

  /** The link is over: no timer is left, and packets vanish. */
  close(): void {
    if (this.#state.kind === "alive") this.#state.timer.cancel();
    this.#state = { kind: "closed" };
  }

  #alive(): State {
    return { kind: "alive", timer: this.#options.loop.schedule(this.#options.timeoutMs, this.#look) };
  }

  /** Traffic does not touch the timer: when it runs, it works out what is left. */
  readonly #look = (): void => {
    if (this.#state.kind !== "alive") return;
    const { loop, timeoutMs } = this.#options;
    const leftMs = this.#lastMs + timeoutMs - loop.now();
    if (leftMs > 0) this.#state.timer = loop.schedule(leftMs, this.#look);
    else this.#forget();
  };

  #forget(): void {
    if (this.#state.kind === "alive") this.#state.timer.cancel();
    this.#state = { kind: "forgotten" };
    this.#options.onForgotten();
  }
}
