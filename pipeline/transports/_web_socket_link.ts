/**
 * A WebSocket as a link.
 *
 * @module
 */

import { ControlFrame } from "../control_frame.ts";
import type { EventLoop, Timer } from "../event_loop.ts";
import type { LinkDownReason } from "../link_event.ts";
import { PeerError } from "../peer_error.ts";
import type { WireMessage } from "../transport.ts";
import { BaseLink } from "./_link.ts";
import { byteLength } from "./_write_queue.ts";
import type { WebSocketEnd, WebSocketLike, WebSocketLink } from "./web_socket.ts";

/** `readyState` of a socket that can send. */
const OPEN = 1;

/** How soon `bufferedAmount` is looked at again, ms: soon for small messages, then rarer and rarer. */
const FIRST_POLL_MS = 1;
const LONGEST_POLL_MS = 50;

/** What the class of npm's `ws` has beyond the standard. */
interface NodeSocket extends WebSocketLike {
  send(data: WireMessage, callback?: (error?: Error) => void): void;
  ping(data: Uint8Array, mask?: boolean, callback?: (error?: Error) => void): void;
  on(event: "pong", listener: (data: Uint8Array) => void): unknown;
  off(event: "pong", listener: (data: Uint8Array) => void): unknown;
  pause(): void;
  resume(): void;
  terminate(): void;
}

/** Where a socket's shared listeners find its link: a closure each would cost memory per link. */
export const LINK: unique symbol = Symbol("link");

/** A socket whose listeners find its link. */
export type LinkSocket = WebSocketLike & { [LINK]?: SocketLink };

// Shared by all links that have nothing to read or send, which is most of them most of the time.
const NONE: readonly WireMessage[] = [];
const FAREWELL: Farewell = [1000];

type Farewell = readonly [code?: number, reason?: string];

/** What a {@linkcode SocketLink} needs. */
export interface SocketLinkOptions {
  readonly loop: EventLoop;
  /** How much may wait for a reader, bytes. */
  readonly maxQueuedBytes: number;
  readonly localAddress: string;
  readonly remoteAddress: string;
}

/** Carries messages over a WebSocket that is open. */
export class SocketLink extends BaseLink implements WebSocketLink {
  readonly localAddress: string;
  readonly remoteAddress: string;
  end: WebSocketEnd | undefined = undefined;
  readonly #socket: LinkSocket;
  readonly #maxQueuedBytes: number;
  /** Came in and nobody asked for it: a WebSocket cannot be told to wait. */
  #unread = NONE;
  #unreadBytes = 0;
  #isAsked = false;
  #isPaused = false;
  #deliverTimer: Timer | undefined = undefined;
  #unsent = NONE;
  /** Given to the socket, and not reported as flushed, bytes. */
  #unreported = 0;
  #pollTimer: Timer | undefined = undefined;
  #pollMs = FIRST_POLL_MS;
  #error: Error | undefined = undefined;
  /** What the peer's close means, which is told after what came before it was read. */
  #meaning: Meaning | undefined = undefined;
  /** With which arguments the socket is closed. */
  #farewell = FAREWELL;
  /** Pings that were not answered; a pong that nobody asked for is nobody's message. */
  #pings = 0;
  #onPong: ((data: Uint8Array) => void) | undefined = undefined;

  constructor(socket: WebSocketLike, options: SocketLinkOptions) {
    super(options.loop);
    this.#socket = socket;
    this.#maxQueuedBytes = options.maxQueuedBytes;
    this.localAddress = options.localAddress;
    this.remoteAddress = options.remoteAddress;
    socket.binaryType = "arraybuffer";
    socket.onopen = null;
    this.#socket[LINK] = this;
    this.listen(socket);
  }

  /** Listens with functions that all links share. Called while the link is made. */
  protected listen(socket: WebSocketLike): void {
    socket.onmessage = onMessage;
    socket.onerror = onError;
    socket.onclose = onClose;
  }

  /** Listens no more. */
  protected forget(socket: WebSocketLike): void {
    socket.onmessage = null;
    socket.onclose = null;
    socket.onerror = ignore; // not null: in Node an error that nobody listens to ends the process
  }

  get protocol(): string {
    return this.#socket.protocol ?? "";
  }

  get extensions(): string {
    return this.#socket.extensions ?? "";
  }

  closeWith(code?: number, reason?: string): void {
    this.#farewell = code === undefined
      ? []
      : reason === undefined || reason === ""
      ? [code]
      : [code, reason];
    this.close();
  }

  read(): void {
    if (this.receiver === undefined) return;
    this.#isAsked = true;
    if (this.#unread.length > 0) this.#deliverTimer ??= this.loop.schedule(0, SocketLink.#deliver, this);
  }

  get isPaused(): boolean {
    return !this.#isAsked;
  }

  write(message: WireMessage): void {
    if (message instanceof ControlFrame) this.#listenForPongs();
    if (this.receiver !== undefined) this.#unsent = withOneMore(this.#unsent, message);
  }

  flush(): void {
    if (this.#unsent.length === 0 || !this.isUp || this.#socket.readyState !== OPEN) return;
    const messages = this.#unsent;
    this.#unsent = NONE;
    if (reportsSends(this.#socket)) return this.#sendReported(this.#socket, messages);
    for (const message of messages) {
      this.#unreported += byteLength(message);
      if (message instanceof ControlFrame) this.#control(message);
      else this.#socket.send(message);
    }
    this.#pollMs = FIRST_POLL_MS;
    this.#pollTimer ??= this.loop.schedule(0, SocketLink.#poll, this);
  }

  protected override shutdown(): void {
    this.#dropUnread();
    this.#socket.close(...this.#farewell);
    if (this.#meaning !== undefined) this.#deliverTimer ??= this.loop.schedule(0, SocketLink.#deliver, this);
  }

  protected override release(): void {
    this.#unsent = NONE;
    this.#dropUnread();
    this.#deliverTimer?.cancel();
    this.#pollTimer?.cancel();
    const socket = this.#socket;
    if (this.#onPong !== undefined) (socket as NodeSocket).off("pong", this.#onPong);
    this.forget(socket);
    if (isTerminable(socket)) socket.terminate();
    else socket.close();
  }

  #received(data: unknown): void {
    const sink = this.receiver;
    if (sink === undefined && this.isClosing) return;
    const message = typeof data === "string" || data instanceof ControlFrame ? data : asBytes(data);
    if (sink !== undefined && this.#isAsked && this.#unread.length === 0) {
      this.#isAsked = false;
      sink.onRead(message);
      if (this.receiver !== undefined) sink.onReadComplete();
      return;
    }
    this.#unread = withOneMore(this.#unread, message);
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

  static #deliver(link: SocketLink): void {
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
    this.#unread = NONE;
    this.#unreadBytes = 0;
    if (!this.#isPaused || !isPausable(this.#socket)) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** The callback of the last message is enough: they leave in order. */
  #sendReported(socket: NodeSocket, messages: readonly WireMessage[]): void {
    let bytes = 0;
    messages.forEach((message, index) => {
      bytes += byteLength(message);
      const sent = (error?: Error) => error ?? this.flushed(bytes);
      if (message instanceof ControlFrame) {
        this.#control(message, index < messages.length - 1 ? undefined : sent);
      } else if (index < messages.length - 1) socket.send(message);
      else socket.send(message, sent);
    });
  }

  /** Only a ping can be sent: whoever gets one answers by itself. */
  #control(frame: ControlFrame, sent?: (error?: Error) => void): void {
    this.#pings++;
    // A plain view, as classes differ in what they make of a subclass.
    const payload = new Uint8Array(frame);
    if (sent === undefined) (this.#socket as NodeSocket).ping(payload);
    else (this.#socket as NodeSocket).ping(payload, undefined, sent);
  }

  #listenForPongs(): void {
    if (!isPinging(this.#socket)) {
      throw new TypeError("Cannot write: this WebSocket class cannot send control frames");
    }
    if (this.#onPong !== undefined) return;
    this.#onPong = (payload) => {
      if (this.#pings === 0 || !this.isUp) return;
      this.#pings--;
      this.#received(new ControlFrame("pong", payload));
    };
    this.#socket.on("pong", this.#onPong);
  }

  /** Reports what `bufferedAmount` no longer holds. Runs only while something is unreported. */
  static #poll(link: SocketLink): void {
    link.#pollTimer = undefined;
    // React Native's class declares it and never sets it.
    const held = link.#socket.bufferedAmount ?? 0;
    const bytes = Math.max(0, link.#unreported - held);
    link.#unreported -= bytes;
    if (held > 0) {
      link.#pollTimer = link.loop.schedule(link.#pollMs, SocketLink.#poll, link);
      link.#pollMs = Math.min(2 * link.#pollMs, LONGEST_POLL_MS);
    }
    if (bytes > 0 || held === 0) link.flushed(bytes);
  }

  #closed(code: number, reason: string, wasClean = code >= 1000 && code !== 1006): void {
    const meaning = meaningOf(code, reason, this.#error);
    // Deno gives 0 where the standard says 1006.
    this.end = { code: code < 1000 ? 1006 : code, reason, wasClean };
    if (meaning[0] === "reset") return this.down(...meaning);
    this.#meaning = meaning;
    this.#endIfRead();
  }

  #endIfRead(): void {
    if (this.#meaning !== undefined && this.#unread.length === 0) this.down(...this.#meaning);
  }

  /** For listeners alone, which are outside of the class so that all its sockets share them. */
  static readonly events = {
    message: (link: SocketLink, data: unknown): void => link.#received(data),
    error: (link: SocketLink, event: unknown): void => {
      link.#error = errorOf(event);
    },
    close: (link: SocketLink, { code, reason, wasClean }: WebSocketEndEvent): void =>
      link.#closed(code, reason, wasClean),
  };
}

const events = SocketLink.events;

type WebSocketEndEvent = Omit<WebSocketEnd, "wasClean"> & { readonly wasClean?: boolean };

// A listener is called with its socket as `this`, says the DOM standard.

function onMessage(this: LinkSocket, event: { readonly data: unknown }): void {
  events.message(this[LINK]!, event.data);
}

function onError(this: LinkSocket, event: unknown): void {
  events.error(this[LINK]!, event);
}

function onClose(this: LinkSocket, event: WebSocketEndEvent): void {
  events.close(this[LINK]!, event);
}

/** The list itself, unless it is the shared empty one. */
function withOneMore(messages: readonly WireMessage[], message: WireMessage): readonly WireMessage[] {
  if (messages === NONE) return [message];
  (messages as WireMessage[]).push(message);
  return messages;
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
  const message = `The peer closed with code ${code}${reason && `: ${reason}`}`;
  return ["remoteClosed", new PeerError(message, { protocol: "websocket", code, reason })];
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

function isPinging(socket: WebSocketLike): socket is NodeSocket {
  return typeof (socket as NodeSocket).ping === "function" && typeof (socket as NodeSocket).on === "function";
}

function isPausable(socket: WebSocketLike): socket is NodeSocket {
  return typeof (socket as NodeSocket).pause === "function";
}

function isTerminable(socket: WebSocketLike): socket is NodeSocket {
  return typeof (socket as NodeSocket).terminate === "function";
}

function ignore(): void {}
