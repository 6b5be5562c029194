/**
 * One end of a link in the fault network.
 *
 * @module
 */

import type { EventLoop, LinkDownReason, LinkSink, Timer, WireMessage } from "../../../pipeline/mod.ts";
import { BaseLink } from "../../../pipeline/transports/_link.ts";
import { WriteQueue } from "../../../pipeline/transports/_write_queue.ts";
import type { Packet } from "./_pipe.ts";

/** How much a writer may have sent that its peer has not read, bytes; like a socket's buffers. */
const WINDOW_BYTES = 64 * 1024;

/** What an end needs of its link. */
export interface EndOptions {
  readonly loop: EventLoop;
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly send: (packet: Packet) => void;
  /** It has read so many bytes. */
  readonly acknowledge: (bytes: number) => void;
  /** It knows the link no more. */
  readonly onGone: () => void;
}

const NOBODY: LinkSink = { onRead() {}, onReadComplete() {}, onFlushed() {}, onClosed() {} };

/** As `MemoryEnd`, with packets that take ways of their own, and a process that may be gone. */
export class FaultEnd extends BaseLink {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly #options: EndOptions;
  readonly #queue = new WriteQueue(false);
  /** Sent, and not read by the peer, bytes. */
  #unacknowledged = 0;
  /** Sent, and not reported as flushed, bytes; undefined while there is nothing to report. */
  #unreported: number | undefined = undefined;
  #settleTimer: Timer | undefined = undefined;
  #deliverTimer: Timer | undefined = undefined;
  #unread: Uint8Array[] = [];
  #isAsked = false;
  #hasEnded = false;
  #isSilent = false;
  #answersReset = true;

  constructor(options: EndOptions) {
    super(options.loop);
    this.#options = options;
    this.localAddress = options.localAddress;
    this.remoteAddress = options.remoteAddress;
  }

  /** Whether it still knows the link. */
  get knowsLink(): boolean {
    return this.isUp;
  }

  read(): void {
    if (this.receiver === undefined) return;
    this.#isAsked = true;
    if (this.#unread.length > 0) this.#deliverTimer ??= this.loop.schedule(0, FaultEnd.#deliver, this);
  }

  write(message: WireMessage): void {
    if (this.receiver !== undefined) this.#queue.add(message);
  }

  flush(): void {
    this.#queue.flush();
    this.#pump();
  }

  /** Ends it, told to its own side and to nobody else. */
  fail(reason: LinkDownReason, error?: Error): void {
    this.#isSilent = true;
    this.down(reason, error);
  }

  /** Its process is gone: nobody is told. */
  vanish(): void {
    this.#isSilent = true;
    super.open(NOBODY);
    this.down("error");
  }

  /** So many more bytes were read by the peer. */
  acknowledged(bytes: number): void {
    this.#unacknowledged -= bytes;
    if (this.isUp) this.#pump();
  }

  /** A packet came. */
  arrive(packet: Packet): void {
    if (!this.isUp) {
      // One that was closed in an orderly way still takes what the peer had sent before it knew.
      if (packet.kind === "data" && this.#answersReset) this.#options.send({ kind: "reset" });
      return;
    }
    if (packet.kind === "reset") return this.down("reset");
    if (packet.kind === "end") this.#hasEnded = true;
    else if (packet.kind === "data") this.#unread.push(packet.bytes);
    if (!this.isClosing) return FaultEnd.#deliver(this);
    this.#discardUnread();
    if (this.#hasEnded) this.#end("closed");
  }

  protected override shutdown(): void {
    this.#discardUnread();
    this.#settleTimer ??= this.loop.schedule(0, FaultEnd.#settle, this);
  }

  protected override release(abort: boolean): void {
    const isTruncated = !this.#queue.isDrained;
    if (!this.#isSilent && (abort || isTruncated)) this.#options.send({ kind: "reset" });
    this.#queue.clear();
    this.#unread = [];
    this.#settleTimer?.cancel();
    this.#deliverTimer?.cancel();
    this.#options.onGone();
  }

  /** Sends what fits into the window. */
  #pump(): void {
    for (
      let room = WINDOW_BYTES - this.#unacknowledged;
      room > 0;
      room = WINDOW_BYTES - this.#unacknowledged
    ) {
      const message = this.#queue.take(room) as Uint8Array | undefined;
      if (message === undefined) break;
      this.#unacknowledged += message.length;
      this.#unreported = (this.#unreported ?? 0) + message.length;
      // A copy: the reader owns what it gets, the writer may use its bytes again.
      this.#options.send({ kind: "data", bytes: message.slice() });
    }
    if (this.#unreported !== undefined || this.isClosing) {
      this.#settleTimer ??= this.loop.schedule(0, FaultEnd.#settle, this);
    }
  }

  /** Reports what was sent, and ends a close once all of it was. */
  static #settle(end: FaultEnd): void {
    end.#settleTimer = undefined;
    const bytes = end.#unreported;
    end.#unreported = undefined;
    if (bytes !== undefined) end.flushed(bytes);
    if (!end.isClosing || !(end.#queue.isDrained || end.#hasEnded)) return;
    end.#options.send({ kind: "end" });
    end.#end("closed");
  }

  /** Delivers one batch, if it was asked for, and the end of the stream after the last byte. */
  static #deliver(end: FaultEnd): void {
    end.#deliverTimer = undefined;
    const sink = end.receiver;
    if (sink === undefined) return;
    if (end.#isAsked && end.#unread.length > 0) {
      const batch = end.#unread;
      end.#unread = [];
      end.#isAsked = false;
      for (const bytes of batch) {
        if (end.receiver !== undefined) sink.onRead(bytes);
        end.#options.acknowledge(bytes.length);
      }
      if (end.receiver !== undefined) sink.onReadComplete();
    }
    if (end.#hasEnded && end.#unread.length === 0) end.#end("remoteClosed");
  }

  #end(reason: LinkDownReason): void {
    this.#answersReset = false;
    this.down(reason);
  }

  #discardUnread(): void {
    for (const { length } of this.#unread) this.#options.acknowledge(length);
    this.#unread = [];
  }
}
