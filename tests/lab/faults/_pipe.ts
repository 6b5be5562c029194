/**
 * One direction of a link in the fault network.
 *
 * @module
 */

import type { EventLoop, Timer } from "../../../pipeline/mod.ts";
import { type Conditions, Line } from "./conditions.ts";

/** What travels. `open` is the first: the link as the server comes to know it. */
export type Packet =
  | { readonly kind: "open" | "end" | "reset" }
  | { readonly kind: "data"; readonly bytes: Uint8Array };

/** What a pipe needs of its link. */
export interface PipeOptions {
  readonly loop: EventLoop;
  readonly random: () => number;
  readonly conditions: () => Conditions;
  readonly arrive: (packet: Packet) => void;
  /** A write was cut off, and so many bytes of it are under way. */
  readonly onCut: (afterwards: AfterCut) => void;
  /** Nothing of what was sent is going to arrive. */
  readonly onLost: () => void;
  /** The other direction's writer may send so many bytes more. */
  readonly acknowledge: (bytes: number) => void;
}

/** What comes after a write of which only a part arrived. */
export type AfterCut = "reset" | "silence";

interface Travelling {
  readonly packet: Packet;
  readonly dueMs: number;
}

/** One function for all pipes, instead of one for each timer. Assigned by the class, which alone reaches its parts. */
let arrived: (pipe: Pipe) => void;

/**
 * Carries packets in order, as TCP does, until a fault stops it: for a while
 * (what was sent meanwhile is repeated by the sender afterwards, unless that
 * has given up) or for good.
 */
export class Pipe {
  readonly #options: PipeOptions;
  readonly #line = new Line();
  #queue: Travelling[] = [];
  #timer: Timer | undefined = undefined;
  #isDead = false;
  #isHeld = false;
  #isParked = false;
  #heldAcknowledgements = 0;
  #cutNext: AfterCut | undefined = undefined;

  constructor(options: PipeOptions) {
    this.#options = options;
  }

  /** Puts a packet on its way. */
  send(packet: Packet): void {
    if (this.#isDead) return;
    // Whoever holds a parked link knows nothing of its end, and passes on what it has.
    if (this.#isParked && packet.kind !== "data" && packet.kind !== "open") return;
    if (packet.kind === "data" && this.#cutNext !== undefined) return this.#cut(packet.bytes);
    if (this.#isHeld || this.#isParked) this.#queue.push({ packet, dueMs: 0 });
    else this.#put(packet);
  }

  /** The reader of this direction's other one has read so many bytes: tells that end of it, if it can. */
  acknowledge(bytes: number): void {
    if (this.#isDead) return;
    if (this.#isHeld || this.#isParked) this.#heldAcknowledgements += bytes;
    else this.#options.acknowledge(bytes);
  }

  /** From now on nothing arrives, also of what is under way. */
  die(): void {
    this.#isDead = true;
    this.#queue = [];
    this.#stop();
    this.#options.onLost();
  }

  /** Of the next write only the first bytes arrive. */
  cutNext(afterwards: AfterCut): void {
    this.#cutNext = afterwards;
  }

  /** Nothing arrives before {@linkcode release}. */
  hold(): void {
    this.#isHeld = true;
    this.#stop();
  }

  /** What was held arrives now. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#restart();
  }

  /** Somebody between the ends keeps what was sent, until {@linkcode unpark}, even if its sender is long gone. */
  park(): void {
    this.#isParked = true;
    this.#stop();
  }

  /** What was parked arrives now. */
  unpark(): void {
    if (!this.#isParked) return;
    this.#isParked = false;
    this.#restart();
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #restart(): void {
    if (this.#isHeld || this.#isParked || this.#isDead) return;
    const held = this.#queue;
    this.#queue = [];
    this.#line.clear();
    // A sender that has reset its link repeats nothing, neither data nor the reset.
    if (held.at(-1)?.packet.kind === "reset") this.#options.onLost();
    else for (const { packet } of held) this.#put(packet);
    const bytes = this.#heldAcknowledgements;
    this.#heldAcknowledgements = 0;
    if (bytes > 0) this.#options.acknowledge(bytes);
  }

  #cut(bytes: Uint8Array): void {
    const afterwards = this.#cutNext!;
    this.#cutNext = undefined;
    const kept = Math.floor(this.#options.random() * bytes.length);
    if (kept > 0) this.send({ kind: "data", bytes: bytes.subarray(0, kept) });
    this.#options.onCut(afterwards);
    if (afterwards === "reset") this.send({ kind: "reset" });
    // What is under way still arrives.
    this.#isDead = true;
  }

  #put(packet: Packet): void {
    const { loop, random, conditions } = this.#options;
    const bytes = packet.kind === "data" ? packet.bytes.length : 0;
    const dueMs = this.#line.put(conditions(), loop.now(), bytes, random());
    this.#queue.push({ packet, dueMs });
    this.#timer ??= loop.schedule(Math.max(0, dueMs - loop.now()), arrived, this);
  }

  #arrived(): void {
    const { loop, arrive } = this.#options;
    this.#timer = undefined;
    const { packet } = this.#queue.shift()!;
    const next = this.#queue[0];
    // Before the arrival: what that sends in answer must not overtake.
    if (next !== undefined) this.#timer = loop.schedule(Math.max(0, next.dueMs - loop.now()), arrived, this);
    arrive(packet);
  }

  static {
    arrived = (pipe) => pipe.#arrived();
  }
}
