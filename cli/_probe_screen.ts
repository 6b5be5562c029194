/**
 * Where `longlink probe` shows its progress.
 *
 * @module
 */

import type { Timer } from "../mod.ts";
import type { CommandIo } from "./command.ts";
import { type Colour, painted } from "./_terminal.ts";

const REDRAW_MS = 500;
const CLEAR_LINE = "\r\x1b[2K";

/** Lines of what happened; below them, on a terminal, one that is kept up to date. */
export class ProbeScreen {
  readonly #io: CommandIo;
  readonly #status: () => string;
  #timer: Timer | undefined = undefined;

  /** @param status What the last line says now. */
  constructor(io: CommandIo, status: () => string) {
    this.#io = io;
    this.#status = status;
  }

  start(): void {
    if (this.#io.terminal === undefined) return;
    this.#draw();
    this.#drawIn(REDRAW_MS);
  }

  /** Prints news, its first line in a colour. */
  say(text: string, colour?: Colour): void {
    this.#clear();
    const [first = "", ...others] = text.split("\n");
    this.#io.out([painted(this.#io.terminal, colour, first), ...others].join("\n"));
    // Not now: news comes before what it tells of has been done, so the last line would show what was before.
    if (this.#timer !== undefined) this.#drawIn(0);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#clear();
  }

  #drawIn(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#io.loop.schedule(ms, () => this.start());
  }

  #draw(): void {
    const { terminal } = this.#io;
    const width = (terminal?.columns ?? 0) - 1;
    const status = this.#status();
    // A line that wraps could not be taken back.
    const cut = status.length > width ? `${status.slice(0, width - 1)}…` : status;
    terminal?.write(CLEAR_LINE + painted(terminal, "dim", cut));
  }

  #clear(): void {
    this.#io.terminal?.write(CLEAR_LINE);
  }
}
