/**
 * A WebSocket of Bun's server with the interface that links use.
 *
 * @module
 */

import type { WireMessage } from "../transport.ts";
import type { WebSocketLike } from "./web_socket.ts";
import { byteLength } from "./_write_queue.ts";

/** `readyState` of a socket that is being closed. */
const CLOSING = 2;
/** Stands for a close frame without a code (RFC 6455, section 7.4.1); Bun's default is 1000. */
const NO_CODE = 1005;
/** No close frame came. */
const ABNORMAL = 1006;

/** The part of Bun's `ServerWebSocket` that is used. */
export interface ServerSocket {
  readonly data: BunSocket;
  binaryType?: string;
  readonly readyState: number;
  send(data: WireMessage): number;
  ping(data: Uint8Array): number;
  close(code?: number, reason?: string): void;
  terminate(): void;
  getBufferedAmount(): number;
  /** Absent in older versions of Bun (1.3.0). */
  pause?(): void;
  resume?(): void;
}

type Sent = () => void;

/** A send to be reported once so many bytes have left, counted from when Bun last held none. */
interface Waiting {
  readonly end: number;
  readonly sent: Sent;
}

// Shared by all sockets that wait for nothing, which is most of them most of the time.
const NONE: readonly Waiting[] = [];

/**
 * Bun's socket is no EventTarget: its server has one set of handlers for all
 * sockets, each of which has one field for whoever made it, and this is what is
 * in it. To a link it looks like a socket of npm's `ws`: sends are reported, it
 * can be paused and cut, and it can ping.
 */
export class BunSocket implements WebSocketLike {
  onopen: WebSocketLike["onopen"] = null;
  onmessage: WebSocketLike["onmessage"] = null;
  onerror: WebSocketLike["onerror"] = null;
  onclose: WebSocketLike["onclose"] = null;
  readonly protocol: string;
  /** The peer's end, as a URL; Bun tells it of the request alone. */
  readonly remoteAddress: string;
  #socket!: ServerSocket;
  #waiting: readonly Waiting[] = NONE;
  /** Given to Bun since it last held nothing, with the headers of frames, bytes. */
  #given = 0;
  #farewell: readonly [code: number, reason?: string] | undefined = undefined;
  #onPong: ((data: Uint8Array) => void) | undefined = undefined;

  constructor(protocol: string, remoteAddress: string) {
    this.protocol = protocol;
    this.remoteAddress = remoteAddress;
  }

  /** The handshake is done. Called first of all. */
  opened(socket: ServerSocket): void {
    this.#socket = socket;
  }

  get binaryType(): string {
    return this.#socket.binaryType ?? "";
  }

  set binaryType(type: string) {
    this.#socket.binaryType = type;
  }

  get readyState(): number {
    return this.#farewell === undefined ? this.#socket.readyState : CLOSING;
  }

  get bufferedAmount(): number {
    return this.#socket.getBufferedAmount();
  }

  /** Has three parameters, by which a link knows that sends are reported. */
  send(data: WireMessage, sent?: Sent, _unused?: undefined): void {
    this.#socket.send(data);
    this.#report(data, sent);
  }

  ping(data: Uint8Array, _mask?: boolean, sent?: Sent): void {
    this.#socket.ping(data);
    this.#report(data, sent);
  }

  on(_event: "pong", listener: (data: Uint8Array) => void): void {
    this.#onPong = listener;
  }

  off(): void {
    this.#onPong = undefined;
  }

  /** Undefined where this Bun cannot: then a link ends instead of letting its peer wait. */
  get pause(): (() => void) | undefined {
    return this.#socket.pause === undefined ? undefined : this.#pause;
  }

  resume(): void {
    this.#socket.resume?.();
  }

  /**
   * Closes once Bun holds nothing any more. Closed before, Bun tells nothing of
   * what is on its way, and a link would count as closed although data is left.
   */
  close(code: number = NO_CODE, reason?: string): void {
    this.#farewell ??= [code, reason];
    this.#closeIfDrained();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** A message came in. */
  received(data: string | ArrayBuffer): void {
    this.onmessage?.({ data });
  }

  /** A pong came in. */
  ponged(data: ArrayBuffer): void {
    this.#onPong?.(new Uint8Array(data));
  }

  /** Bun has got rid of some of what it held. */
  drained(): void {
    const held = this.bufferedAmount;
    const left = held === 0 ? Infinity : this.#given - held;
    const ready = this.#waiting.filter(({ end }) => end <= left);
    this.#waiting = held === 0 ? NONE : this.#waiting.filter(({ end }) => end > left);
    for (const { sent } of ready) sent();
    if (this.#farewell !== undefined) this.#closeIfDrained();
  }

  /**
   * It has ended. Told later, as Bun calls this from inside a close of ours, and
   * a link tells its channel of nothing from inside a method that it called.
   */
  closed(code: number, reason: string): void {
    queueMicrotask(() => {
      // So it is where Bun itself gave up on the peer, for example for a frame that makes no sense.
      if (code === ABNORMAL && reason !== "") this.onerror?.({ message: reason });
      this.onclose?.({ code, reason });
    });
  }

  #pause(): void {
    this.#socket.pause?.();
  }

  #report(message: WireMessage, sent: Sent | undefined): void {
    if (this.bufferedAmount === 0 && this.#waiting === NONE) {
      this.#given = 0;
      if (sent !== undefined) queueMicrotask(sent);
      return;
    }
    this.#given += frameLength(byteLength(message));
    if (sent !== undefined) this.#waiting = withOneMore(this.#waiting, { end: this.#given, sent });
  }

  #closeIfDrained(): void {
    if (this.bufferedAmount === 0) this.#socket.close(...this.#farewell!);
  }
}

/** The list itself, unless it is the shared empty one. */
function withOneMore(list: readonly Waiting[], waiting: Waiting): readonly Waiting[] {
  if (list === NONE) return [waiting];
  (list as Waiting[]).push(waiting);
  return list;
}

/** How long a frame of a server is (RFC 6455, section 5.2), which are not masked, bytes. */
function frameLength(payloadLength: number): number {
  if (payloadLength < 126) return 2 + payloadLength;
  return (payloadLength < 65_536 ? 4 : 10) + payloadLength;
}
