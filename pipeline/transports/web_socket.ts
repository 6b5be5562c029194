/**
 * WebSocket, for every runtime and browser. Nothing is imported that a browser
 * lacks: the WebSocket class is the platform's, or passed in.
 *
 * @module
 */

import { ConnectError } from "../errors.ts";
import type { ConnectOptions, Link, Listener, ListenOptions, Remote, Transport } from "../transport.ts";
import { detailOf, givenUp } from "./_failure.ts";
import { checkedQueueBytes, parse, shown } from "./_web_socket_address.ts";
import { constructorArguments } from "./_web_socket_arguments.ts";
import { errorOf, SocketLink } from "./_web_socket_link.ts";
import { listen } from "./_web_socket_server.ts";

/** The part of the WebSocket interface (WHATWG) that is used. */
export interface WebSocketLike {
  /** How binary messages are given; set to `arraybuffer`. */
  binaryType: string;
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** How many bytes were given to `send` and have not left. */
  readonly bufferedAmount: number;
  /** The subprotocol that the server chose. */
  readonly protocol?: string;
  /** The extensions that the server chose. */
  readonly extensions?: string;
  /** Called when the handshake is done. */
  // deno-lint-ignore no-explicit-any
  onopen: ((event: any) => unknown) | null;
  /** Called with each message. */
  // deno-lint-ignore no-explicit-any
  onmessage: ((event: any) => unknown) | null;
  /** Called on a failure; `onclose` follows. */
  // deno-lint-ignore no-explicit-any
  onerror: ((event: any) => unknown) | null;
  /** Called at the end, with code and reason. */
  // deno-lint-ignore no-explicit-any
  onclose: ((event: any) => unknown) | null;
  /** Sends one message. */
  // deno-lint-ignore no-explicit-any
  send(data: any): void;
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): void;
}

/** A class with the WebSocket interface, such as `globalThis.WebSocket` or `WebSocket` of npm's `ws`. */
// deno-lint-ignore no-explicit-any
export type WebSocketClass = new (url: string, protocols?: any, options?: any) => WebSocketLike;

/** The part of npm `ws`'s server that is used. */
export interface WebSocketServerLike {
  /** Adds a listener. */
  // deno-lint-ignore no-explicit-any
  on(event: any, listener: (...args: any[]) => void): unknown;
  /** Where it listens. */
  address(): unknown;
  /** Stops accepting. */
  close(): void;
}

/** `WebSocketServer` of npm's `ws`. */
// deno-lint-ignore no-explicit-any
export type WebSocketServerClass = new (options: any) => WebSocketServerLike;

/** What the `credentials` of a {@linkcode Remote} may hold for this transport; anything else is left to others. */
export interface WebSocketCredentials {
  /** Subprotocols to offer, most wanted first. */
  readonly protocols?: string | readonly string[];
  /**
   * HTTP headers of the handshake, such as `authorization`. Browsers cannot
   * send any: put a short-lived ticket into the address or `protocols` there.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /** What else the class takes as its third argument (npm's `ws`: a TLS certificate, an agent); others take none. */
  readonly options?: object;
}

/** How a WebSocket ended. */
export interface WebSocketEnd {
  /** The close code (RFC 6455, section 7.4); 1005: a close frame without one, 1006: none came. */
  readonly code: number;
  /** The peer's reason, or "". */
  readonly reason: string;
  /** Whether the closing handshake was done. */
  readonly wasClean: boolean;
}

/** What a link over WebSocket has beyond others. */
export interface WebSocketLink extends Link {
  /** The subprotocol that the server chose, or "". */
  readonly protocol: string;
  /** The extensions that the server chose, or "". */
  readonly extensions: string;
  /** How it ended; undefined until then, and where this side gave up waiting for the peer's close frame. */
  readonly end: WebSocketEnd | undefined;
  /**
   * Closes like {@linkcode Link.close}, which says 1000, with another code.
   *
   * @param code 1000, or 3000 to 4999. Default: none is sent.
   * @param reason At most 123 bytes of UTF-8.
   */
  closeWith(code?: number, reason?: string): void;
}

/** What {@linkcode webSocket} makes: a transport whose links say more. */
export interface WebSocketTransport extends Transport {
  /** Makes one link; see {@linkcode Transport.connect}. */
  connect(remote: Remote, options: ConnectOptions): Promise<WebSocketLink>;
}

/** Options of {@linkcode webSocket}. */
export interface WebSocketOptions {
  /** The class to connect with. Default: `globalThis.WebSocket`, which Node has from version 22 on. */
  readonly webSocket?: WebSocketClass;
  /**
   * The class to listen with: `WebSocketServer` of npm's `ws`. Default: in Deno
   * `Deno.serve`, in Bun `Bun.serve`, elsewhere none.
   */
  readonly server?: WebSocketServerClass;
  /** Certificate chain and private key (PEM) to listen on `wss://` with; only with `Deno.serve` and `Bun.serve`. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /**
   * How much may wait in a link that was not asked to read, bytes. The
   * standard WebSocket cannot be told to stop reading, so that a peer which
   * sends more than the reader takes has to be cut off: above this the link
   * goes down with an error. npm's `ws` and Bun can: the link is paused above this,
   * and the peer has to wait. Default: 1 MiB.
   */
  readonly maxQueuedBytes?: number;
}

/**
 * Links over WebSocket (`ws://` and `wss://`). Messages are kept: one write
 * arrives as one read, text as text.
 *
 * Close codes 1000, 1001 and none mean `remoteClosed`; others too, with a
 * `PeerError` that has the code and the reason; an end without a close frame
 * means `reset`. Flush progress is what the class tells: npm's `ws` and Bun's
 * server report whole messages, elsewhere `bufferedAmount` is looked at while it
 * is above 0.
 *
 * `abort()` cuts the connection where the class can (`terminate()` of npm's
 * `ws` and of Bun). Others only offer the closing handshake: the link is gone for its
 * channel at once, while the platform waits for a silent peer on its own.
 *
 * A listener whose address has a path accepts only that path. In Deno,
 * closing a listener refuses new links with status 503 and frees the port when
 * the last link has gone, as `Deno.serve` would take its links along. Neither
 * Deno nor Bun sends pings of its own or cuts a link for being silent: pings by
 * the runtime would hide how long the network lets a link idle.
 *
 * @param options See {@linkcode WebSocketOptions}.
 * @returns The transport, for any number of links and listeners.
 * @throws {RangeError} If `maxQueuedBytes` is not a positive number.
 *
 * @example A listener and a link to it
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { SystemEventLoop } from "@longlink/pipeline";
 * import { webSocket } from "@longlink/pipeline/transports/web-socket";
 *
 * const loop = new SystemEventLoop();
 * const transport = webSocket();
 * const ignore = { onRead() {}, onReadComplete() {}, onFlushed() {}, onClosed() {} };
 * const listener = await transport.listen!("ws://127.0.0.1:0/chat", {
 *   loop,
 *   onLink: (link) => link.close(),
 *   onError: (error) => console.error(error),
 * });
 * const { signal } = new AbortController();
 * const link = await transport.connect({ address: listener.address }, { loop, signal });
 * const reason = await new Promise((resolve) => link.open({ ...ignore, onClosed: resolve }));
 * assertEquals(reason, "remoteClosed");
 * await listener.close();
 * ```
 */
export function webSocket(options: WebSocketOptions = {}): WebSocketTransport {
  return new SocketTransport(options);
}

class SocketTransport implements WebSocketTransport {
  readonly name = "websocket";
  readonly keepsMessages = true;
  readonly #options: WebSocketOptions;
  readonly #maxQueuedBytes: number;

  constructor(options: WebSocketOptions) {
    this.#options = options;
    this.#maxQueuedBytes = checkedQueueBytes(options.maxQueuedBytes);
  }

  connect(remote: Remote, { loop, signal }: ConnectOptions): Promise<WebSocketLink> {
    const url = parse(remote.address);
    const WebSocket = this.#options.webSocket ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
    if (WebSocket === undefined) {
      throw new TypeError(
        "Cannot connect: this runtime has no global WebSocket: " +
          "pass one, such as the npm package ws: webSocket({ webSocket: WS })",
      );
    }
    const address = shown(url);
    const args = constructorArguments(WebSocket, address, remote.credentials);
    if (signal.aborted) return Promise.reject(givenUp(address, signal));
    return new Promise((resolve, reject) => {
      let socket: WebSocketLike;
      const fail = (error: ConnectError) => {
        signal.removeEventListener("abort", onAbort);
        reject(error);
      };
      const onAbort = () => {
        socket.onopen = socket.onclose = null;
        socket.onerror = () => {}; // not null: in Node an error that nobody listens to ends the process
        socket.close();
        fail(givenUp(address, signal));
      };
      const onFailure = (cause: unknown) => {
        const detail = cause instanceof Error ? detailOf(cause) : "the WebSocket handshake failed";
        fail(new ConnectError(address, detail, { cause }));
      };
      try {
        socket = new WebSocket(url.href, ...args);
      } catch (error) { // a subprotocol or header that makes no sense
        return onFailure(error);
      }
      signal.addEventListener("abort", onAbort);
      socket.onerror = (event) => onFailure(errorOf(event) ?? event);
      socket.onclose = (event) => onFailure(event);
      socket.onopen = () => {
        signal.removeEventListener("abort", onAbort);
        const maxQueuedBytes = this.#maxQueuedBytes;
        resolve(
          new SocketLink(socket, { loop, maxQueuedBytes, localAddress: "", remoteAddress: address }),
        );
      };
    });
  }

  listen(address: string, options: ListenOptions): Promise<Listener> {
    const url = parse(address);
    const maxQueuedBytes = this.#maxQueuedBytes;
    return listen(this.#options, { ...options, address: shown(url), url, maxQueuedBytes });
  }
}
