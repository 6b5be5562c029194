/**
 * Where `longlink probe` shows its progress.
 *
 * @module
 */

import process from "node:process";
import type { ProbeSnapshot, Timer } from "../mod.ts";
import type { CommandIo } from "./command.ts";
import { statusLine } from "./_probe_text.ts";

const REDRAW_MS = 500;
const CLEAR_LINE = "\r\x1b[2K";

/** Lines of what happened; below them, on a terminal, one that is kept up to date. */
export class ProbeScreen {
  readonly #io: CommandIo;
  readonly #snapshot: () => ProbeSnapshot | undefined;
  readonly #isTerminal = process.stdout.isTTY === true;
  #timer: Timer | undefined = undefined;

  constructor(io: CommandIo, snapshot: () => ProbeSnapshot | undefined) {
    this.#io = io;
    this.#snapshot = snapshot;
  }

  start(): void {
    if (!this.#isTerminal) return;
    this.#draw();
    this.#timer = this.#io.loop.schedule(REDRAW_MS, () => this.start());
  }

  say(line: string): void {
    this.#clear();
    this.#io.out(line);
    if (this.#timer !== undefined) this.#draw();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#clear();
  }

  #draw(): void {
    // A line that wraps could not be taken back.
    process.stdout.write(
      CLEAR_LINE + statusLine(this.#snapshot()).slice(0, (process.stdout.columns || 80) - 1),
    );
  }

  #clear(): void {
    if (this.#isTerminal) process.stdout.write(CLEAR_LINE);
  }
}
