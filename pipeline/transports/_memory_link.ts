/**
 * One end of a pair of links in memory.
 *
 * @module
 */

import type { EventLoop, Timer } from "../event_loop.ts";
import type { Link, WireMessage } from "../transport.ts";
import { BaseLink } from "./_link.ts";
import { byteLength, outputEnded, WriteQueue } from "./_write_queue.ts";

/** How much a writer may have sent that its peer has not read, bytes; like a socket's buffers. */
const WINDOW_BYTES = 64 * 1024;

/**
 * A link in memory, which can be made to fail.
 *
 * @example Nobody is told of a cut, both ends of a reset
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { VirtualEventLoop } from "@longlink/pipeline";
 * import { type MemoryLink, memoryPair } from "@longlink/pipeline/transports/memory";
 *
 * const loop = new VirtualEventLoop();
 * const [one, other]: MemoryLink[] = memoryPair({ loop });
 * const told: string[] = [];
 * const sink = { onRead: () => told.push("read"), onReadComplete() {}, onFlushed() {} };
 * one!.open({ ...sink, onClosed: (reason) => told.push(reason) });
 * other!.open({ ...sink, onClosed: (reason) => told.push(reason) });
 * other!.read();
 * one!.cut();
 * one!.write(new Uint8Array([1]));
 * one!.flush();
 * loop.advanceBy(60_000);
 * assertEquals(told, []);
 * one!.reset();
 * loop.advanceBy(0);
 * assertEquals(told, ["reset", "reset"]);
 * ```
 */
export interface MemoryLink extends Link {
  /**
   * Cuts the wire: from now on nothing arrives in either direction and nobody
   * is told, as when a NAT has forgotten the link.
   */
  cut(): void;
  /** Resets the link: both ends go down with the reason `reset`. */
  reset(): void;
}

/** What both ends of a pair share. */
export interface Wire {
  /** How long everything takes from one end to the other, ms. */
  readonly latencyMs: number;
  /** Whether messages are kept whole. */
  readonly keepsMessages: boolean;
  /** Whether it was cut. */
  isCut: boolean;
}

type Packet =
  | { readonly kind: "data"; readonly message: WireMessage; readonly bytes: number }
  | { readonly kind: "end" }
  | { readonly kind: "reset" };

/** What is on its way to an end. */
interface Travelling {
  readonly packet: Packet;
  readonly timer: Timer;
}

type Data = Packet & { readonly kind: "data" };

/** One end of a pair. */
export class MemoryEnd extends BaseLink implements MemoryLink {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly #wire: Wire;
  #peer: MemoryEnd | undefined = undefined;
  readonly #queue: WriteQueue;
  /** Sent, and not read by the peer, bytes. */
  #unacknowledged = 0;
  /** Sent, and not reported as flushed, bytes; undefined while there is nothing to report. */
  #unreported: number | undefined = undefined;
  #settleTimer: Timer | undefined = undefined;
  readonly #travelling: Travelling[] = [];
  #unread: Data[] = [];
  #isAsked = false;
  /** Whether the peer's end has come, perhaps behind what is unread. */
  #hasEnded = false;
  /** Whether the link goes on after the peer's end. */
  #isKept = false;
  /** Whether this side's direction ends once all has left. */
  #isEnding = false;
  #hasSentEnd = false;
  #deliverTimer: Timer | undefined = undefined;

  constructor(wire: Wire, loop: EventLoop, localAddress: string, remoteAddress: string) {
    super(loop);
    this.#wire = wire;
    this.#queue = new WriteQueue(wire.keepsMessages);
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
  }

  /** Makes two ends each other's peer. */
  static join(one: MemoryEnd, other: MemoryEnd): void {
    one.#peer = other;
    other.#peer = one;
  }

  read(): void {
    if (this.receiver === undefined) return;
    this.#isAsked = true;
    if (this.#unread.length > 0) this.#deliverTimer ??= this.loop.schedule(0, MemoryEnd.#deliver, this);
  }

  get isPaused(): boolean {
    return !this.#isAsked;
  }

  write(message: WireMessage): void {
    if (this.receiver === undefined) return;
    if (this.#isEnding) throw outputEnded();
    this.#queue.add(message);
  }

  flush(): void {
    if (!this.#isEnding) this.#queue.flush();
    this.#pump();
  }

  shutdownOutput(): void {
    if (this.receiver === undefined) return;
    this.#isEnding = true;
    this.#pump();
  }

  cut(): void {
    this.#wire.isCut = true;
  }

  reset(): void {
    this.loop.schedule(0, MemoryEnd.#reset, this);
  }

  protected override shutdown(): void {
    this.#discardUnread();
    this.#settleTimer ??= this.loop.schedule(0, MemoryEnd.#settle, this);
  }

  protected override release(abort: boolean): void {
    const isTruncated = !this.#queue.isDrained;
    if (abort || isTruncated) this.#send({ kind: "reset" });
    // A peer that has ended its direction alone waits for this one.
    else if (!this.#hasSentEnd) this.#send({ kind: "end" });
    this.#queue.clear();
    this.#unread = [];
    this.#settleTimer?.cancel();
    this.#deliverTimer?.cancel();
    for (const { timer } of this.#travelling) timer.cancel();
    this.#travelling.length = 0;
  }

  /** Sends what fits into the window. */
  #pump(): void {
    for (
      let room = WINDOW_BYTES - this.#unacknowledged;
      room > 0;
      room = WINDOW_BYTES - this.#unacknowledged
    ) {
      const message = this.#queue.take(room);
      if (message === undefined) break;
      const bytes = byteLength(message);
      this.#unacknowledged += bytes;
      this.#unreported = (this.#unreported ?? 0) + bytes;
      // A copy: the reader owns what it gets, the writer may use its bytes again.
      this.#send({ kind: "data", message: typeof message === "string" ? message : message.slice(), bytes });
    }
    if (this.#unreported !== undefined || this.isClosing || this.#isEnding) {
      this.#settleTimer ??= this.loop.schedule(0, MemoryEnd.#settle, this);
    }
  }

  #send(packet: Packet): void {
    const peer = this.#peer!;
    if (this.#wire.isCut) return;
    if (!peer.isUp) {
      // Kept for a peer that has ended; by now it is gone, and says so.
      if (this.#isKept) this.loop.schedule(this.#wire.latencyMs, () => this.down("reset"));
      return;
    }
    const timer = peer.loop.schedule(this.#wire.latencyMs, MemoryEnd.#arrive, peer);
    peer.#travelling.push({ packet, timer });
  }

  /** Reports what was sent, and ends a close once all of it was. */
  static #settle(end: MemoryEnd): void {
    end.#settleTimer = undefined;
    const bytes = end.#unreported;
    end.#unreported = undefined;
    if (bytes !== undefined) end.flushed(bytes);
    if (!end.isClosing && !end.#isEnding) return;
    const isPeerGone = end.#hasEnded && !end.#peer!.isUp;
    if (!end.#queue.isDrained && !isPeerGone) return;
    if (!end.#hasSentEnd) {
      end.#hasSentEnd = true;
      end.#send({ kind: "end" });
    }
    if (end.isClosing || end.#isKept) end.down("remoteClosed");
  }

  /**
   * One timer per packet, but the packets in their own order: a loop promises
   * none among tasks that are due at the same time.
   */
  static #arrive(end: MemoryEnd): void {
    const { packet } = end.#travelling.shift()!;
    if (end.#wire.isCut) return;
    if (packet.kind === "reset") return end.down("reset");
    if (packet.kind === "end") end.#hasEnded = true;
    else end.#unread.push(packet);
    if (!end.isClosing) return MemoryEnd.#deliver(end);
    end.#discardUnread();
    if (end.#hasEnded) end.#settleTimer ??= end.loop.schedule(0, MemoryEnd.#settle, end);
  }

  /** Delivers one batch, if it was asked for, and the end of the stream after the last byte. */
  static #deliver(end: MemoryEnd): void {
    end.#deliverTimer = undefined;
    const sink = end.receiver;
    if (sink === undefined) return;
    if (end.#isAsked && end.#unread.length > 0) {
      const batch = end.#unread;
      end.#unread = [];
      end.#isAsked = false;
      for (const { message, bytes } of batch) {
        if (end.receiver !== undefined) sink.onRead(message);
        end.#acknowledge(bytes);
      }
      if (end.receiver !== undefined) sink.onReadComplete();
    }
    if (!end.#hasEnded || end.#isKept || end.#unread.length > 0 || end.receiver === undefined) return;
    end.#isKept = !end.#hasSentEnd && (sink.onInputEnded?.() ?? false);
    if (!end.#isKept) end.down("remoteClosed");
  }

  static #reset(end: MemoryEnd): void {
    const peer = end.#peer!;
    end.down("reset");
    peer.down("reset");
  }

  #discardUnread(): void {
    for (const { bytes } of this.#unread) this.#acknowledge(bytes);
    this.#unread = [];
  }

  #acknowledge(bytes: number): void {
    if (this.#wire.isCut) return;
    this.#peer!.#unacknowledged -= bytes;
    if (this.#peer!.isUp) this.#peer!.#pump();
  }
}
