/**
 * One end of a simulated TCP connection.
 *
 * @module
 */

import type { EventLoop, Link, LinkDownReason, LinkSink, Timer, WireMessage } from "../../pipeline/mod.ts";

/** What travels. `sequence` is 0 for a bare acknowledgement, else the segment's number from 1. */
export interface Packet {
  readonly isReset: boolean;
  readonly sequence: number;
  /** All segments below this number have arrived. */
  readonly acknowledged: number;
  /** Absent in a bare acknowledgement and in the last segment, which ends the stream. */
  readonly bytes: Uint8Array | undefined;
}

/** What an end needs of its connection. */
export interface Wire {
  readonly loop: EventLoop;
  readonly roundTripMs: number;
  /** Puts a packet on its way. */
  send(from: TcpEnd, packet: Packet): void;
  /** This end knows the connection no more. */
  ended(): void;
}

interface Segment {
  readonly sequence: number;
  readonly bytes: Uint8Array | undefined;
  readonly sentMs: number;
}

/** Linux: round trip plus at least 200 ms, doubled up to 120 s, given up after 15 doublings, about 15 min. */
const MIN_WAIT_MS = 200;
const MAX_WAIT_MS = 120_000;
const GIVE_UP_MS = 924_600;

// What timers call: one function for all ends. Assigned by the class, which alone reaches its parts.
// One function for all ends, instead of one for each timer.
let repeat: (end: TcpEnd) => void;
let settle: (end: TcpEnd) => void;

type State = "open" | "closing" | "gone";

/**
 * As much of TCP as idle links need: in order, reliable, with retransmission
 * and its backoff, immediate acknowledgements (they and the repeats are packets
 * like others, and keep a NAT's entry alive), resets. No windows, no congestion.
 */
export class TcpEnd implements Link {
  readonly localAddress = "";
  readonly remoteAddress = "";
  readonly isClient: boolean;
  readonly #wire: Wire;
  #sink: LinkSink | undefined = undefined;
  #state: State = "open";
  #reason: LinkDownReason | undefined = undefined;
  #isTold = false;
  #writes: Uint8Array[] = [];
  #unflushedBytes = 0;
  #unreportedBytes = 0;
  #settleTimer: Timer | undefined = undefined;
  #unacknowledged: Segment[] = [];
  #nextSequence = 1;
  #waitMs: number;
  #repeatTimer: Timer | undefined = undefined;
  #isRepeating = false;
  #expected = 1;
  #early: Map<number, Uint8Array | undefined> | undefined = undefined;
  #owesAcknowledgement = false;
  #unread: Uint8Array[] = [];
  #isAsked = false;

  constructor(wire: Wire, isClient: boolean) {
    this.#wire = wire;
    this.isClient = isClient;
    this.#waitMs = wire.roundTripMs + MIN_WAIT_MS;
  }

  /** Whether it still knows the connection. */
  get isUp(): boolean {
    return this.#state !== "gone";
  }

  open(sink: LinkSink): void {
    this.#sink = sink;
    if (this.#reason !== undefined) this.#settle();
  }

  read(): void {
    this.#isAsked = true;
    if (this.#unread.length > 0) this.#settle();
  }

  write(message: WireMessage): void {
    if (this.#state !== "open") return;
    // A copy: the reader owns what it gets, the writer may use its bytes again.
    const bytes = (message as Uint8Array).slice();
    this.#writes.push(bytes);
    this.#unflushedBytes += bytes.length;
  }

  flush(): void {
    if (this.#writes.length === 0 || this.#state !== "open") return;
    const bytes = this.#writes.length === 1 ? this.#writes[0]! : joined(this.#writes, this.#unflushedBytes);
    this.#unreportedBytes += this.#unflushedBytes;
    this.#writes = [];
    this.#unflushedBytes = 0;
    this.#settle();
    this.#sendSegment(bytes);
  }

  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#sendSegment(undefined);
    this.#reason = "closed";
    this.#wire.ended();
    this.#settle();
  }

  abort(): void {
    if (this.#state === "gone") return;
    this.#wire.send(this, { isReset: true, sequence: 0, acknowledged: 0, bytes: undefined });
    this.#reason ??= "closed";
    this.#forget();
    this.#settle();
  }

  /** A packet came. */
  receive(packet: Packet): void {
    if (packet.isReset) return this.#end("reset");
    if (this.#state === "gone") {
      this.#wire.send(this, { isReset: true, sequence: 0, acknowledged: 0, bytes: undefined });
      return;
    }
    this.#takeAcknowledgement(packet.acknowledged);
    if (packet.sequence === 0) return;
    this.#owesAcknowledgement = true;
    if (packet.sequence > this.#expected) {
      (this.#early ??= new Map()).set(packet.sequence, packet.bytes);
    } else if (packet.sequence === this.#expected) {
      this.#accept(packet.bytes);
    }
    // An answer of the application has carried it already.
    if (this.#owesAcknowledgement && this.isUp) this.#send(0, undefined);
  }

  #accept(first: Uint8Array | undefined): void {
    let isEnd = false;
    let bytes = first;
    for (;;) {
      this.#expected++;
      if (bytes === undefined) isEnd = true;
      else this.#unread.push(bytes);
      if (this.#early === undefined || !this.#early.has(this.#expected)) break;
      bytes = this.#early.get(this.#expected);
      this.#early.delete(this.#expected);
    }
    this.#deliver();
    if (!isEnd || !this.isUp) return;
    this.#send(0, undefined);
    this.#end("remoteClosed");
  }

  #deliver(): void {
    if (!this.#isAsked || this.#unread.length === 0 || this.#state !== "open" || this.#sink === undefined) {
      return;
    }
    const batch = this.#unread;
    this.#unread = [];
    this.#isAsked = false;
    for (const bytes of batch) if (this.#state === "open") this.#sink.onRead(bytes);
    if (this.#state === "open") this.#sink.onReadComplete();
  }

  #sendSegment(bytes: Uint8Array | undefined): void {
    const segment = { sequence: this.#nextSequence++, bytes, sentMs: this.#wire.loop.now() };
    this.#unacknowledged.push(segment);
    this.#send(segment.sequence, bytes);
    this.#repeatTimer ??= this.#wire.loop.schedule(this.#waitMs, repeat, this);
  }

  #send(sequence: number, bytes: Uint8Array | undefined): void {
    this.#owesAcknowledgement = false;
    this.#wire.send(this, { isReset: false, sequence, acknowledged: this.#expected, bytes });
  }

  #takeAcknowledgement(below: number): void {
    const waiting = this.#unacknowledged;
    let count = 0;
    while (count < waiting.length && waiting[count]!.sequence < below) count++;
    if (count === 0) return;
    waiting.splice(0, count);
    this.#repeatTimer?.cancel();
    this.#repeatTimer = undefined;
    this.#waitMs = this.#wire.roundTripMs + MIN_WAIT_MS;
    if (waiting.length === 0) {
      this.#isRepeating = false;
      if (this.#state === "closing") this.#forget();
      return;
    }
    // What was lost together with the first is repeated without another wait.
    if (this.#isRepeating) this.#send(waiting[0]!.sequence, waiting[0]!.bytes);
    this.#repeatTimer = this.#wire.loop.schedule(this.#waitMs, repeat, this);
  }

  #repeat(): void {
    this.#repeatTimer = undefined;
    const first = this.#unacknowledged[0]!;
    if (this.#wire.loop.now() - first.sentMs >= GIVE_UP_MS) return this.#end("error");
    this.#isRepeating = true;
    this.#waitMs = Math.min(this.#waitMs * 2, MAX_WAIT_MS);
    this.#repeatTimer = this.#wire.loop.schedule(this.#waitMs, repeat, this);
    this.#send(first.sequence, first.bytes);
  }

  /** Tells the channel what it may not be told within its own calls. */
  #settle(): void {
    this.#settleTimer ??= this.#wire.loop.schedule(0, settle, this);
  }

  #settled(): void {
    this.#settleTimer = undefined;
    const bytes = this.#unreportedBytes;
    this.#unreportedBytes = 0;
    if (bytes > 0) this.#sink?.onFlushed(bytes);
    if (this.#reason === undefined) this.#deliver();
    else this.#tell();
  }

  #end(reason: LinkDownReason): void {
    if (this.#state === "gone") return;
    this.#reason ??= reason;
    this.#forget();
    this.#tell();
  }

  #tell(): void {
    if (this.#isTold || this.#sink === undefined) return;
    this.#isTold = true;
    this.#sink.onClosed(this.#reason!);
  }

  #forget(): void {
    this.#state = "gone";
    this.#repeatTimer?.cancel();
    this.#repeatTimer = undefined;
    this.#unacknowledged = [];
    this.#unread = [];
    this.#wire.ended();
  }

  static {
    repeat = (end) => end.#repeat();
    settle = (end) => end.#settled();
  }
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
