/**
 * One direction of a link through the relay.
 *
 * @module
 */

import type { Socket } from "node:net";
import type { EventLoop, Timer } from "../../../pipeline/mod.ts";
import { type Conditions, Line } from "./conditions.ts";
import type { AfterCut } from "./_pipe.ts";

/** So much may be under way before the sender has to wait, bytes. */
const MOST_BYTES = 256 * 1024;

type Chunk =
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  | { readonly kind: "reset" };

/** Options of a {@linkcode RelayStream}. */
export interface RelayStreamOptions {
  readonly loop: EventLoop;
  readonly random: () => number;
  readonly conditions: () => Conditions;
  readonly from: Socket;
  readonly to: Socket;
  /** A write was cut off. */
  readonly onCut: (afterwards: AfterCut) => void;
}

/** Takes what one socket sends to the other one, late or not at all. */
export class RelayStream {
  readonly #options: RelayStreamOptions;
  readonly #line = new Line();
  #queue: { readonly chunk: Chunk; readonly dueMs: number }[] = [];
  #bytes = 0;
  #timer: Timer | undefined = undefined;
  #isDead = false;
  #isHeld = false;
  #isBlocked = false;
  #cutNext: AfterCut | undefined = undefined;

  constructor(options: RelayStreamOptions) {
    this.#options = options;
    const { from, to } = options;
    from.on("data", (bytes) => this.#take(bytes as Uint8Array));
    from.on("end", () => this.#put({ kind: "end" }));
    from.on("error", () => this.#put({ kind: "reset" }));
    to.on("drain", () => {
      this.#isBlocked = false;
      this.#wait();
    });
  }

  /** From now on nothing arrives, also of what is under way. */
  die(): void {
    this.#isDead = true;
    this.#queue = [];
    this.#timer?.cancel();
    this.#timer = undefined;
    // What comes is read and thrown away: a sender whose window is full would notice something.
    this.#options.from.resume();
  }

  /** Of the next write only the first bytes arrive. */
  cutNext(afterwards: AfterCut): void {
    this.#cutNext = afterwards;
  }

  /** Nothing arrives before {@linkcode release}. */
  hold(): void {
    this.#isHeld = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** What was held arrives now. */
  release(): void {
    this.#isHeld = false;
    this.#wait();
  }

  #take(bytes: Uint8Array): void {
    const afterwards = this.#cutNext;
    if (afterwards === undefined || this.#isDead) return this.#put({ kind: "data", bytes });
    this.#cutNext = undefined;
    const kept = Math.floor(this.#options.random() * bytes.length);
    if (kept > 0) this.#put({ kind: "data", bytes: bytes.subarray(0, kept) });
    if (afterwards === "reset") this.#put({ kind: "reset" });
    // What is under way still arrives.
    this.#isDead = true;
    this.#options.onCut(afterwards);
  }

  #put(chunk: Chunk): void {
    if (this.#isDead) return;
    const { loop, random, conditions, from } = this.#options;
    const bytes = chunk.kind === "data" ? chunk.bytes.length : 0;
    this.#bytes += bytes;
    if (this.#bytes > MOST_BYTES) from.pause();
    this.#queue.push({ chunk, dueMs: this.#line.put(conditions(), loop.now(), bytes, random()) });
    this.#wait();
  }

  #wait(): void {
    const next = this.#queue[0];
    if (next === undefined || this.#timer !== undefined || this.#isHeld || this.#isBlocked) return;
    const { loop } = this.#options;
    this.#timer = loop.schedule(Math.max(0, next.dueMs - loop.now()), () => {
      this.#timer = undefined;
      this.#queue.shift();
      this.#pass(next.chunk);
      this.#wait();
    });
  }

  #pass(chunk: Chunk): void {
    const { from, to } = this.#options;
    if (to.destroyed) return;
    switch (chunk.kind) {
      case "reset":
        to.resetAndDestroy();
        break;
      case "end":
        to.end();
        break;
      case "data":
        this.#isBlocked = !to.write(chunk.bytes);
        this.#bytes -= chunk.bytes.length;
        if (this.#bytes <= MOST_BYTES && !from.destroyed) from.resume();
    }
  }
}
