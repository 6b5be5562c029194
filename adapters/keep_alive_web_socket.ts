/**
 * The pipeline under any client that takes a WebSocket class.
 *
 * @module
 */

import {
  BrowserEventsHandler,
  type HeartbeatFormat,
  keepAlive,
  type KeepAliveOptions,
  keepAliveUnder,
  type KeepAliveUnderOptions,
  MemoryIntervalStore,
  type ProtocolFormat,
  webSocketControlFormat,
} from "../handlers/mod.ts";
import {
  Channel,
  type ChannelHandler,
  type ChannelPipeline,
  type EventLoop,
  type Timer,
  type Transport,
  type WireMessage,
} from "../pipeline/mod.ts";
import { webSocket, type WebSocketClass, type WebSocketLink } from "../pipeline/transports/web_socket.ts";
import {
  checkedCode,
  checkedReason,
  messageOf,
  parsedProtocols,
  parsedUrl,
  shortened,
  sizeOf,
} from "./_web_socket_arguments.ts";
import { type Ending, WebSocketBridge } from "./_web_socket_bridge.ts";
import { closeEvent, errorEvent, HandlerProperties } from "./_web_socket_events.ts";

/**
 * Options of {@linkcode KeepAliveWebSocket.with}. Those of `keepAliveUnder()`
 * (strategy, limits, `longestSilenceMs`) are for a server that knows nothing of
 * this library; `store` is shared by all sockets of the class.
 *
 * @example What all sockets of an application share, and what one of its protocols adds
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { mqttFormat } from "@longlink/pipeline";
 * import { KeepAliveWebSocket, type KeepAliveWebSocketOptions } from "@longlink/pipeline/web-socket";
 *
 * const shared: KeepAliveWebSocketOptions = { connectTimeoutMs: 3_000, maxUnanswered: 3 };
 * const AppWebSocket = KeepAliveWebSocket.with(shared);
 * const MqttWebSocket = AppWebSocket.with({ format: mqttFormat() });
 * const { connectTimeoutMs, maxUnanswered, format } = MqttWebSocket.options;
 * assertEquals([connectTimeoutMs, maxUnanswered, format?.name], [3_000, 3, "mqtt"]);
 * assertEquals(AppWebSocket.options.format, undefined);
 * ```
 */
export interface KeepAliveWebSocketOptions extends KeepAliveUnderOptions {
  /** The class that connects. Default: the platform's own, which Node has from version 22 on. */
  readonly webSocket?: WebSocketClass;
  /**
   * How heartbeats look in the protocol that is spoken: `mqttFormat()`,
   * `natsFormat()`, `xmppFormat()`, `engineIoFormat()`, `rawFormat()` for pings of
   * your own. Default: `webSocketControlFormat()` where the class can send
   * control frames (npm's `ws`, Bun), else none: nobody is asked then, and only
   * what a `SilenceHandler` notices is noticed.
   */
  readonly format?: HeartbeatFormat | ProtocolFormat;
  /**
   * Whether the server is one of this library (`answerKeepAlive()` over
   * WebSocket), with the options of `keepAlive()` in place of those above: holds
   * and scouts, so that the interval can be learned. Text and bytes are
   * MessagePack values there. With `reconnect` and `session` the WebSocket
   * outlives its links, and what was sent is not lost; a session is one
   * socket's, so give a function then: it is called for each. Default: false.
   */
  readonly longlink?: boolean | KeepAliveOptions | (() => KeepAliveOptions);
  /** How long the handshake may take, in ms, above 0 and finite. Default: 10,000. */
  readonly connectTimeoutMs?: number;
  /** Clock, timers and randomness. Default: one loop that all channels share. */
  readonly loop?: EventLoop;
  /** Adds handlers of your own after those that keep the link alive, such as one that looks at their events. */
  readonly pipeline?: (pipeline: ChannelPipeline) => void;
}

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/** The class of before anybody put this one in its place. */
const PLATFORM = (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
/** A close waits for what is still to leave, while some of it leaves within this time, ms. */
const STALLED_MS = 10_000;
/** No close frame came. */
const ABNORMAL = 1006;

/**
 * A WebSocket with the pipeline underneath: the interface of the platform's
 * class, for any client that takes a WebSocket class (or finds it at
 * `globalThis.WebSocket`). One socket is one link: when it dies, `error` and
 * `close` are fired, and the client connects again as it always has. What is
 * gained is that it dies when the link is dead: heartbeats, in the client's own
 * protocol if need be, find that out within seconds, also after the machine
 * slept or the network changed.
 *
 * What differs from the platform's class, beyond that:
 *
 * - A link that this side gave up closes with code 1006, `wasClean` false and a
 *   reason in words (`unanswered`, `networkChanged`, `protocol`, ...), where
 *   the platform's reason is always empty.
 * - `error` is an `ErrorEvent` whose `error` tells more: a `PeerError` with the
 *   words of a peer that gave a reason, a `ConnectError` where no link came about.
 * - A handshake has a limit in time, and a closing handshake 2 s.
 * - A third argument of the constructor is handed on to a class that takes one
 *   (npm's `ws`); its `headers` also to Deno, Node and Bun.
 * - Events have `isTrusted` false.
 *
 * @example Under a client library
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { fixedInterval, natsFormat } from "@longlink/pipeline";
 * import { KeepAliveWebSocket } from "@longlink/pipeline/web-socket";
 *
 * const NatsWebSocket = KeepAliveWebSocket.with({ format: natsFormat(), strategy: fixedInterval(120_000) });
 * // For example: wsconnect({ wsFactory: (url) => ({ socket: new NatsWebSocket(url), encrypted: false }) })
 * const socket = new NatsWebSocket("ws://127.0.0.1:1");
 * assertEquals([socket.readyState, socket.url], [WebSocket.CONNECTING, "ws://127.0.0.1:1/"]);
 * const closed = await new Promise<CloseEvent>((resolve) => socket.onclose = resolve); // nobody is there
 * assertEquals([closed.code, closed.wasClean], [1006, false]);
 * ```
 */
export class KeepAliveWebSocket extends EventTarget implements WebSocket {
  /** The handshake is not done yet. */
  static readonly CONNECTING: 0 = 0;
  /** Messages can be sent. */
  static readonly OPEN: 1 = 1;
  /** It is being closed. */
  static readonly CLOSING: 2 = 2;
  /** It is closed, or never came about. */
  static readonly CLOSED: 3 = 3;
  /** What its sockets are made with; set by {@linkcode KeepAliveWebSocket.with}. */
  static readonly options: KeepAliveWebSocketOptions = { store: new MemoryIntervalStore() };

  /** The handshake is not done yet. */
  readonly CONNECTING: 0 = 0;
  /** Messages can be sent. */
  readonly OPEN: 1 = 1;
  /** It is being closed. */
  readonly CLOSING: 2 = 2;
  /** It is closed, or never came about. */
  readonly CLOSED: 3 = 3;
  /** The URL, absolute. */
  readonly url: string;
  /** What carries it: for its state, and for events that a platform without a page has to tell its pipeline. */
  readonly channel: Channel;

  readonly #handlers: HandlerProperties = new HandlerProperties(this);
  #readyState: 0 | 1 | 2 | 3 = CONNECTING;
  #binaryType: BinaryType = "blob";
  #bufferedAmount = 0;
  #link: WebSocketLink | undefined = undefined;
  #connectError: unknown = undefined;
  /** Messages given to the channel that have not left. */
  #unsent = 0;
  /** What is sent after a Blob, which takes time to read. */
  #afterBlob: Promise<void> | undefined = undefined;
  #farewell: [code?: number, reason?: string] | undefined = undefined;
  #stallTimer: Timer | undefined = undefined;

  /**
   * Makes a class whose sockets have these options, to be handed to a client library.
   *
   * @param options See {@linkcode KeepAliveWebSocketOptions}; what is left out is as in this class.
   * @returns The class.
   * @throws {TypeError} If this runtime has no WebSocket class and none was given.
   *
   * @example A class for a client that takes one
   * ```ts
   * import { assert } from "@std/assert";
   * import { rawFormat } from "@longlink/pipeline";
   * import { KeepAliveWebSocket } from "@longlink/pipeline/web-socket";
   *
   * const ChatWebSocket = KeepAliveWebSocket.with({ format: rawFormat({ ping: '{"ping":1}', pong: '{"pong":1}' }) });
   * assert(ChatWebSocket.prototype instanceof KeepAliveWebSocket);
   * ```
   */
  static with(options: KeepAliveWebSocketOptions): typeof KeepAliveWebSocket {
    const all = { webSocket: PLATFORM, store: new MemoryIntervalStore(), ...this.options, ...options };
    // Here, where it is seen: some clients keep what the constructor throws to themselves.
    if (all.webSocket === undefined) throw noClass();
    return class extends this {
      static override readonly options = all;
    };
  }

  /**
   * Begins to connect.
   *
   * @param url Where to: `ws:`, `wss:`, `http:` or `https:`; relative to the page where there is one.
   * @param protocols Subprotocols to offer, most wanted first. Default: none.
   * @param options Given to a class that takes a third argument; `headers` to others that can send them.
   * @throws {DOMException} SyntaxError, if the URL or a subprotocol makes no sense.
   * @throws {TypeError} If this runtime has no WebSocket class and none was given.
   */
  constructor(url: string | URL, protocols: string | string[] = [], options?: object) {
    super();
    const { options: settings } = new.target as typeof KeepAliveWebSocket;
    const parsed = parsedUrl(url);
    const credentials = {
      protocols: parsedProtocols(protocols),
      headers: (options as { headers?: Record<string, string> } | undefined)?.headers,
      options,
    };
    const { webSocket: socketClass = PLATFORM, connectTimeoutMs, loop } = settings;
    if (socketClass === undefined) throw noClass();
    this.url = parsed.href;
    this.channel = new Channel({
      transport: this.#transport(socketClass),
      connectTimeoutMs,
      loop,
      pipeline: (pipeline) => {
        pipeline.addLast(...handlersOf(settings, socketClass), new BrowserEventsHandler());
        settings.pipeline?.(pipeline);
        pipeline.addLast(
          new WebSocketBridge({
            opened: () => this.#opened(),
            received: (message) => this.#received(message),
            ended: (ending) => this.#channelEnded(ending),
          }),
        );
      },
    });
    this.channel.connect({ address: parsed.href, credentials }).onSettled((error) => {
      if (error !== undefined) this.#failed(error);
    });
  }

  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  get readyState(): 0 | 1 | 2 | 3 {
    return this.#readyState;
  }

  /** How many bytes were given to `send` and have not left. Once closed it only grows. */
  get bufferedAmount(): number {
    return this.#bufferedAmount;
  }

  /** The subprotocol that the server chose, or "". */
  get protocol(): string {
    return this.#link?.protocol ?? "";
  }

  /** The extensions that the server chose, or "". */
  get extensions(): string {
    return this.#link?.extensions ?? "";
  }

  /** How binary messages are given: `blob` (default) or `arraybuffer`. */
  get binaryType(): BinaryType {
    return this.#binaryType;
  }
  set binaryType(type: BinaryType) {
    if (type === "blob" || type === "arraybuffer") this.#binaryType = type;
  }

  /** Called when the handshake is done. */
  // deno-lint-ignore no-explicit-any
  get onopen(): ((this: WebSocket, event: Event) => any) | null {
    return this.#handlers.get("open");
  }
  // deno-lint-ignore no-explicit-any
  set onopen(handler: ((this: WebSocket, event: Event) => any) | null) {
    this.#handlers.set("open", handler);
  }

  /** Called with each message. */
  // deno-lint-ignore no-explicit-any
  get onmessage(): ((this: WebSocket, event: MessageEvent) => any) | null {
    return this.#handlers.get("message");
  }
  // deno-lint-ignore no-explicit-any
  set onmessage(handler: ((this: WebSocket, event: MessageEvent) => any) | null) {
    this.#handlers.set("message", handler);
  }

  /** Called on a failure; `onclose` follows. */
  // deno-lint-ignore no-explicit-any
  get onerror(): ((this: WebSocket, event: Event) => any) | null {
    return this.#handlers.get("error");
  }
  // deno-lint-ignore no-explicit-any
  set onerror(handler: ((this: WebSocket, event: Event) => any) | null) {
    this.#handlers.set("error", handler);
  }

  /** Called at the end, with code and reason. */
  // deno-lint-ignore no-explicit-any
  get onclose(): ((this: WebSocket, event: CloseEvent) => any) | null {
    return this.#handlers.get("close");
  }
  // deno-lint-ignore no-explicit-any
  set onclose(handler: ((this: WebSocket, event: CloseEvent) => any) | null) {
    this.#handlers.set("close", handler);
  }

  /** Adds a listener, as any `EventTarget` does. */
  override addEventListener<K extends keyof WebSocketEventMap>(
    type: K,
    listener: (this: WebSocket, event: WebSocketEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  /** Adds a listener for an event of another name. */
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: unknown,
    options?: boolean | AddEventListenerOptions,
  ): void {
    super.addEventListener(type, listener as EventListener, options);
  }

  /** Takes a listener out, as any `EventTarget` does. */
  override removeEventListener<K extends keyof WebSocketEventMap>(
    type: K,
    listener: (this: WebSocket, event: WebSocketEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  /** Takes a listener for an event of another name out. */
  override removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
  override removeEventListener(
    type: string,
    listener: unknown,
    options?: boolean | EventListenerOptions,
  ): void {
    super.removeEventListener(type, listener as EventListener, options);
  }

  /**
   * Sends one message.
   *
   * @param data Text, or bytes: an ArrayBuffer, a view of one, a Blob.
   * @throws {DOMException} InvalidStateError, before it is open. Once it is closing, nothing is sent, and nothing thrown.
   */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    if (arguments.length === 0) throw new TypeError("Cannot send: 1 argument is needed");
    if (this.#readyState === CONNECTING) {
      throw new DOMException("Cannot send: the WebSocket is still connecting", "InvalidStateError");
    }
    const message = messageOf(data);
    this.#bufferedAmount += sizeOf(message);
    if (this.#readyState !== OPEN) return;
    if (this.#afterBlob === undefined && !(message instanceof Blob)) this.#write(message);
    else this.#sendInTurn(message);
  }

  /**
   * Closes it once what was sent has left; while it connects, at once.
   *
   * @param code 1000, or 3000 to 4999. Default: none is sent.
   * @param reason At most 123 bytes of UTF-8. Default: none.
   * @throws {DOMException} InvalidAccessError or SyntaxError, if code or reason are out of range.
   */
  close(code?: number, reason?: string): void {
    const farewell: [number | undefined, string] = [checkedCode(code), checkedReason(reason)];
    if (this.#readyState >= CLOSING) return;
    const wasOpen = this.#readyState === OPEN;
    this.#readyState = CLOSING;
    if (!wasOpen) {
      this.channel.close();
      return;
    }
    this.#farewell = farewell;
    this.#closeWhenSent();
    if (this.channel.isActive && this.#readyState === CLOSING) this.#watchProgress();
  }

  /** The link as its transport made it, which knows more than its channel does. */
  #transport(socketClass: WebSocketClass): Transport {
    const transport = webSocket({ webSocket: socketClass });
    return {
      name: transport.name,
      keepsMessages: transport.keepsMessages,
      connect: async (remote, options) => {
        // Scouts come from here as well, while this one stands.
        const isOwn = this.channel.state === "connecting";
        const link = await transport.connect(remote, options);
        if (isOwn) this.#link = link;
        return link;
      },
    };
  }

  #opened(): void {
    if (this.#readyState !== CONNECTING) return;
    this.#readyState = OPEN;
    this.dispatchEvent(new Event("open"));
  }

  #received(message: WireMessage): void {
    if (this.#readyState !== OPEN) return;
    const data = typeof message === "string"
      ? message
      : this.#binaryType === "blob"
      ? new Blob([message as Uint8Array<ArrayBuffer>])
      : bufferOf(message);
    this.dispatchEvent(new MessageEvent("message", { data, origin: new URL(this.url).origin }));
  }

  #sendInTurn(message: string | Uint8Array | Blob): void {
    this.#unsent++;
    const turn = (this.#afterBlob ?? Promise.resolve()).then(async () => {
      const whole = message instanceof Blob ? new Uint8Array(await message.arrayBuffer()) : message;
      this.#unsent--;
      if (this.channel.isActive) this.#write(whole);
    }).finally(() => {
      if (this.#afterBlob === turn) this.#afterBlob = undefined;
      this.#closeWhenSent();
    });
    this.#afterBlob = turn;
  }

  #write(message: WireMessage): void {
    const size = sizeOf(message);
    this.#unsent++;
    this.channel.writeAndFlush(message).onSettled((error) => {
      this.#unsent--;
      // What was not sent stays counted, as the interface has it.
      if (error === undefined) this.#bufferedAmount -= size;
      this.#closeWhenSent();
    });
  }

  #closeWhenSent(): void {
    if (this.#farewell !== undefined && this.#unsent === 0) this.#closeChannel();
  }

  #closeChannel(): void {
    if (this.#farewell !== undefined && this.channel.isActive) this.#link?.closeWith(...this.#farewell);
    this.channel.close();
  }

  /** On a link that takes nothing any more, the wait for it would have no end. */
  #watchProgress(): void {
    const { channel } = this;
    const before = channel.flushedBytes;
    this.#stallTimer = channel.loop.schedule(STALLED_MS, () => {
      if (channel.flushedBytes === before) this.#closeChannel();
      else this.#watchProgress();
    });
  }

  #failed(error: unknown): void {
    this.#connectError = error;
    this.channel.close();
  }

  #channelEnded(ending: Ending): void {
    this.#stallTimer?.cancel();
    // While it connects, `close()` leads here at once, and no event may come before that returns.
    if (ending.down === undefined) this.channel.loop.schedule(0, () => this.#tellEnd(ending));
    else this.#tellEnd(ending);
  }

  #tellEnd({ down, complaint }: Ending): void {
    const wasClosing = this.#readyState === CLOSING;
    const neverOpen = down === undefined;
    this.#readyState = CLOSED;
    const error = this.#connectError ?? complaint ?? down?.error;
    const words = down === undefined || down.reason === "closed" || down.reason === "reset"
      ? ""
      : down.reason;
    const end = this.#link?.end ?? {
      code: ABNORMAL,
      reason: complaint === undefined ? words : shortened(complaint.message),
      wasClean: false,
    };
    if (!end.wasClean && (neverOpen || !wasClosing)) {
      const shown = error ?? new Error(`Cannot go on: the link is down (${down?.reason})`);
      this.dispatchEvent(errorEvent({ message: shown instanceof Error ? shown.message : "", error: shown }));
    }
    this.dispatchEvent(closeEvent(end));
  }
}

function handlersOf(options: KeepAliveWebSocketOptions, socketClass: WebSocketClass): ChannelHandler[] {
  const { longlink = false, store } = options;
  if (longlink !== false) {
    const given = typeof longlink === "function" ? longlink() : longlink === true ? {} : longlink;
    return keepAlive({ reconnect: null, store, ...given });
  }
  const canPing = typeof (socketClass.prototype as { ping?: unknown } | undefined)?.ping === "function";
  return keepAliveUnder(options.format ?? (canPing ? webSocketControlFormat() : undefined), options);
}

function noClass(): TypeError {
  return new TypeError(
    "Cannot make the WebSocket: this runtime has no class of its own: pass one, " +
      "such as that of the npm package ws: KeepAliveWebSocket.with({ webSocket: WS })",
  );
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  return (byteLength === buffer.byteLength
    ? buffer
    : buffer.slice(byteOffset, byteOffset + byteLength)) as ArrayBuffer;
}
