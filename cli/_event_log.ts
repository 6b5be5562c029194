/**
 * What `serve` and `connect` print.
 *
 * @module
 */

import type { CommandIo } from "./command.ts";
import { type Colour, painted } from "./_terminal.ts";

/** One line of `--json`, without its time. */
export interface LogEvent {
  /** What happened. */
  readonly event: "up" | "down" | "push" | "sent" | "received" | "lost" | "interval";
  /** The sender's own number of the message. */
  readonly n?: number;
  /** Why. */
  readonly reason?: string;
  /** The interval, ms. */
  readonly ms?: number;
}

const COLOURS: Readonly<Partial<Record<LogEvent["event"], Colour>>> = {
  up: "green",
  down: "red",
  lost: "red",
  interval: "cyan",
};

/** Prints one line an event: JSON, or text for people. */
export class EventLog {
  readonly #io: CommandIo;
  readonly #json: boolean;
  readonly #startMs: number;

  constructor(io: CommandIo, json: boolean) {
    this.#io = io;
    this.#json = json;
    this.#startMs = io.loop.now();
  }

  /**
   * Prints an event.
   *
   * @param event What both forms tell.
   * @param more What only people are told.
   */
  event({ event, n, reason, ms }: LogEvent, more = ""): void {
    if (this.#json) {
      this.#io.out(JSON.stringify({ atMs: Math.round(this.#elapsedMs), event, n, reason, ms }));
      return;
    }
    const words = [
      painted(this.#io.terminal, COLOURS[event], event.padEnd(8)),
      n === undefined ? "" : `#${n}`,
      ms === undefined ? "" : `${(ms / 1_000).toFixed(1)} s`,
      reason === undefined ? "" : `(${reason})`,
      more,
    ];
    this.#io.out(`${this.#time} ${words.filter((word) => word !== "").join(" ")}`);
  }

  /** Prints something that is no event: with `--json` where errors go, so that each line of the result is one. */
  note(text: string): void {
    if (this.#json) this.#io.error(text);
    else this.#io.out(`${this.#time} ${text}`);
  }

  get #elapsedMs(): number {
    return this.#io.loop.now() - this.#startMs;
  }

  get #time(): string {
    return painted(this.#io.terminal, "dim", `${(this.#elapsedMs / 1_000).toFixed(3).padStart(9)} s `);
  }
}
