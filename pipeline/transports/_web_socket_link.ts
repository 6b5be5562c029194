/**
 * A WebSocket as a link.
 *
 * @module
 */

import type { EventLoop, Timer } from "../event_loop.ts";
import type { LinkDownReason } from "../link_event.ts";
import type { WireMessage } from "../transport.ts";
import { BaseLink } from "./_link.ts";
import { byteLength } from "./_write_queue.ts";
import type { WebSocketLike } from "./web_socket.ts";

/** `readyState` of a socket that can send. */
const OPEN = 1;

/** How soon `bufferedAmount` is looked at again, ms: soon for small messages, then rarer and rarer. */
const FIRST_POLL_MS = 1;
const LONGEST_POLL_MS = 50;

/** What the class of npm's `ws` has beyond the standard. */
interface NodeSocket extends WebSocketLike {
  send(data: WireMessage, callback?: (error?: Error) => void): void;
  pause(): void;
  resume(): void;
  terminate(): void;
}

/** What a {@linkcode WebSocketLink} needs. */
export interface WebSocketLinkOptions {
  readonly loop: EventLoop;
  /** How much may wait for a reader, bytes. */
  readonly maxQueuedBytes: number;
  readonly localAddress: string;
  readonly remoteAddress: string;
}

/** Carries messages over a WebSocket that is open. */
export class WebSocketLink extends BaseLink {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly #socket: WebSocketLike;
  readonly #maxQueuedBytes: number;
  /** Came in and nobody asked for it: a WebSocket cannot be told to wait. */
  #unread: WireMessage[] = [];
  #unreadBytes = 0;
  #isAsked = false;
  #isPaused = false;
  #deliverTimer: Timer | undefined = undefined;
  #unsent: WireMessage[] = [];
  /** Given to the socket, and not reported as flushed, bytes. */
  #unreported = 0;
  #pollTimer: Timer | undefined = undefined;
  #pollMs = FIRST_POLL_MS;
  #error: Error | undefined = undefined;
  /** The peer's close, which is told after what came before it was read. */
  #end: Meaning | undefined = undefined;

  constructor(socket: WebSocketLike, options: WebSocketLinkOptions) {
    super(options.loop);
    this.#socket = socket;
    this.#maxQueuedBytes = options.maxQueuedBytes;
    this.localAddress = options.localAddress;
    this.remoteAddress = options.remoteAddress;
    socket.binaryType = "arraybuffer";
    socket.onopen = null;
    socket.onmessage = (event) => this.#received(event.data);
    socket.onerror = (event) => this.#error = errorOf(event);
    socket.onclose = (event) => this.#closed(event.code, event.reason);
  }

  read(): void {
    if (this.receiver === undefined) return;
    this.#isAsked = true;
    if (this.#unread.length > 0) this.#deliverTimer ??= this.loop.schedule(0, WebSocketLink.#deliver, this);
  }

  write(message: WireMessage): void {
    if (this.receiver !== undefined) this.#unsent.push(message);
  }

  flush(): void {
    if (this.#unsent.length === 0 || !this.isUp || this.#socket.readyState !== OPEN) return;
    const messages = this.#unsent;
    this.#unsent = [];
    if (reportsSends(this.#socket)) return this.#sendReported(this.#socket, messages);
    for (const message of messages) {
      this.#unreported += byteLength(message);
      this.#socket.send(message);
    }
    this.#pollMs = FIRST_POLL_MS;
    this.#pollTimer ??= this.loop.schedule(0, WebSocketLink.#poll, this);
  }

  protected override shutdown(): void {
    this.#dropUnread();
    this.#socket.close(1000);
    if (this.#end !== undefined) this.#deliverTimer ??= this.loop.schedule(0, WebSocketLink.#deliver, this);
  }

  protected override release(): void {
    this.#unsent = [];
    this.#dropUnread();
    this.#deliverTimer?.cancel();
    this.#pollTimer?.cancel();
    const socket = this.#socket;
    socket.onmessage = null;
    socket.onclose = null;
    socket.onerror = ignore; // not null: in Node an error that nobody listens to ends the process
    if (isTerminable(socket)) socket.terminate();
    else socket.close();
  }

  #received(data: unknown): void {
    const sink = this.receiver;
    if (sink === undefined && this.isClosing) return;
    const message = typeof data === "string" ? data : asBytes(data);
    if (sink !== undefined && this.#isAsked && this.#unread.length === 0) {
      this.#isAsked = false;
      sink.onRead(message);
      if (this.receiver !== undefined) sink.onReadComplete();
      return;
    }
    this.#unread.push(message);
    this.#unreadBytes += byteLength(message);
    if (this.#unreadBytes > this.#maxQueuedBytes && !this.#isPaused) this.#hold();
  }

  /** More is waiting than may: lets the peer wait where the class can, else ends the link. */
  #hold(): void {
    if (isPausable(this.#socket)) {
      this.#isPaused = true;
      this.#socket.pause();
      return;
    }
    const error = new RangeError(
      `Cannot queue what the peer sends: ${this.#unreadBytes} bytes wait to be read, ` +
        `maxQueuedBytes is ${this.#maxQueuedBytes}`,
    );
    this.down("error", error);
  }

  static #deliver(link: WebSocketLink): void {
    link.#deliverTimer = undefined;
    const sink = link.receiver;
    if (sink !== undefined && link.#isAsked && link.#unread.length > 0) {
      const batch = link.#unread;
      link.#dropUnread();
      link.#isAsked = false;
      for (const message of batch) if (link.receiver !== undefined) sink.onRead(message);
      if (link.receiver !== undefined) sink.onReadComplete();
    }
    link.#endIfRead();
  }

  #dropUnread(): void {
    this.#unread = [];
    this.#unreadBytes = 0;
    if (!this.#isPaused || !isPausable(this.#socket)) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** The callback of the last message is enough: they leave in order. */
  #sendReported(socket: NodeSocket, messages: WireMessage[]): void {
    let bytes = 0;
    messages.forEach((message, index) => {
      bytes += byteLength(message);
      if (index < messages.length - 1) socket.send(message);
      else socket.send(message, (error) => error ?? this.flushed(bytes));
    });
  }

  /** Reports what `bufferedAmount` no longer holds. Runs only while something is unreported. */
  static #poll(link: WebSocketLink): void {
    link.#pollTimer = undefined;
    const held = link.#socket.bufferedAmount;
    const bytes = Math.max(0, link.#unreported - held);
    link.#unreported -= bytes;
    if (held > 0) {
      link.#pollTimer = link.loop.schedule(link.#pollMs, WebSocketLink.#poll, link);
      link.#pollMs = Math.min(2 * link.#pollMs, LONGEST_POLL_MS);
    }
    if (bytes > 0 || held === 0) link.flushed(bytes);
  }

  #closed(code: number, reason: string): void {
    const end = meaningOf(code, reason, this.#error);
    if (end[0] === "reset") return this.down(...end);
    this.#end = end;
    this.#endIfRead();
  }

  #endIfRead(): void {
    if (this.#end !== undefined && this.#unread.length === 0) this.down(...this.#end);
  }
}

type Meaning = [reason: LinkDownReason, error: Error | undefined];

/**
 * What a close code (RFC 6455, section 7.4) says. 1006 stands for "no close
 * frame came"; Deno gives 0 there.
 */
function meaningOf(
  code: number,
  reason: string,
  error: Error | undefined,
): [LinkDownReason, Error | undefined] {
  if (code === 1000 || code === 1001 || code === 1005) return ["remoteClosed", undefined];
  if (code === 1006 || code < 1000) return ["reset", error];
  return ["remoteClosed", new Error(`The peer closed with code ${code}${reason && `: ${reason}`}`)];
}

/** The error in an event, where the class tells one. Browsers tell nothing, lest a page scan the network. */
export function errorOf(event: unknown): Error | undefined {
  const { error, message } = event as { error?: unknown; message?: unknown };
  if (error instanceof Error) return error;
  return typeof message === "string" && message !== "" ? new Error(message) : undefined;
}

function asBytes(data: unknown): Uint8Array {
  if (data instanceof Uint8Array) return data;
  return new Uint8Array(data as ArrayBuffer);
}

/** Whether `send` takes a callback; the standard one has a single parameter. */
function reportsSends(socket: WebSocketLike): socket is NodeSocket {
  return socket.send.length >= 3;
}

function isPausable(socket: WebSocketLike): socket is NodeSocket {
  return typeof (socket as NodeSocket).pause === "function";
}

function isTerminable(socket: WebSocketLike): socket is NodeSocket {
  return typeof (socket as NodeSocket).terminate === "function";
}

function ignore(): void {}
