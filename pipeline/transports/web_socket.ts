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

/**
 * The part of the WebSocket interface (WHATWG) that is used.
 *
 * @example A socket made by hand, for a test
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ServerBootstrap, VirtualEventLoop } from "@longlink/pipeline";
 * import type { WebSocketLike } from "@longlink/pipeline/transports/web-socket";
 * import { webSocketAcceptor } from "@longlink/pipeline/transports/web-socket-acceptor";
 *
 * const sent: unknown[] = [];
 * const handlers = { onopen: null, onmessage: null, onerror: null, onclose: null };
 * const socket: WebSocketLike = {
 *   ...{ ...handlers, binaryType: "blob", readyState: 1, bufferedAmount: 0 },
 *   send: (data) => sent.push(data),
 *   close() {},
 * };
 * const transport = webSocketAcceptor();
 * await new ServerBootstrap({
 *   transport,
 *   loop: new VirtualEventLoop(),
 *   pipeline: (p) => p.addLast({ channelRead: (context, message) => context.writeAndFlush(message) }),
 * }).listen("ws://echo");
 * transport.accept(socket);
 * socket.onmessage?.({ data: "hi" });
 * assertEquals(sent, ["hi"]);
 * ```
 */
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

/**
 * A class with the WebSocket interface, such as `globalThis.WebSocket` or `WebSocket` of npm's `ws`.
 *
 * @example A class that notes what it opens
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap, ServerBootstrap } from "@longlink/pipeline";
 * import { webSocket, type WebSocketClass } from "@longlink/pipeline/transports/web-socket";
 *
 * const opened: string[] = [];
 * const Noting: WebSocketClass = class extends WebSocket {
 *   constructor(url: string, protocols?: string[]) {
 *     super(url, protocols);
 *     opened.push(url);
 *   }
 * };
 * const server = await new ServerBootstrap({ transport: webSocket() }).listen("ws://127.0.0.1:0/chat");
 * const channel = await new Bootstrap({ transport: webSocket({ webSocket: Noting }) }).connect(server.address);
 * assertEquals(opened, [server.address]);
 * await channel.close();
 * await server.close();
 * ```
 */
// deno-lint-ignore no-explicit-any
export type WebSocketClass = new (url: string, protocols?: any, options?: any) => WebSocketLike;

/**
 * The part of npm `ws`'s server that is used.
 *
 * @example A server made by hand, for a test
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { VirtualEventLoop } from "@longlink/pipeline";
 * import { webSocket, type WebSocketServerLike } from "@longlink/pipeline/transports/web-socket";
 *
 * class Fake implements WebSocketServerLike {
 *   on(event: string, listener: () => void): void {
 *     if (event === "listening") queueMicrotask(listener);
 *   }
 *   address = () => ({ address: "127.0.0.1", port: 8080 });
 *   close(): void {}
 * }
 * const options = { loop: new VirtualEventLoop(), onLink() {}, onError() {} };
 * const listener = await webSocket({ server: Fake }).listen!("ws://127.0.0.1:0/chat", options);
 * assertEquals(listener.address, "ws://127.0.0.1:8080/chat");
 * ```
 */
export interface WebSocketServerLike {
  /** Adds a listener. */
  // deno-lint-ignore no-explicit-any
  on(event: any, listener: (...args: any[]) => void): unknown;
  /** Where it listens. */
  address(): unknown;
  /** Stops accepting. */
  close(): void;
}

/**
 * `WebSocketServer` of npm's `ws`.
 *
 * @example A server of `ws` that takes no long messages
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type Link, SystemEventLoop } from "@longlink/pipeline";
 * import { webSocket, type WebSocketServerClass } from "@longlink/pipeline/transports/web-socket";
 * import { WebSocketServer } from "ws";
 *
 * const Strict: WebSocketServerClass = class extends WebSocketServer {
 *   constructor(options: object) {
 *     super({ ...options, maxPayload: 100 });
 *   }
 * };
 * const loop = new SystemEventLoop();
 * const transport = webSocket({ server: Strict });
 * const ignore = { onRead() {}, onReadComplete() {}, onFlushed() {}, onClosed() {} };
 * const onLink = (link: Link) => link.open(ignore);
 * const listener = await transport.listen!("ws://127.0.0.1:0", { loop, onLink, onError: console.error });
 * const { signal } = new AbortController();
 * const link = await transport.connect({ address: listener.address }, { loop, signal });
 * const closed = new Promise((resolve) => link.open({ ...ignore, onClosed: resolve }));
 * link.write(new Uint8Array(101));
 * link.flush();
 * await closed;
 * assertEquals(link.end?.code, 1009); // message too big
 * await listener.close();
 * ```
 */
// deno-lint-ignore no-explicit-any
export type WebSocketServerClass = new (options: any) => WebSocketServerLike;

/**
 * What the `credentials` of a {@linkcode Remote} may hold for this transport; anything else is left to others.
 *
 * @example A token and a subprotocol, as the server sees them
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap } from "@longlink/pipeline";
 * import { webSocket, type WebSocketCredentials } from "@longlink/pipeline/transports/web-socket";
 *
 * let seen: unknown;
 * const http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ headers }) => {
 *   seen = [headers.get("authorization"), headers.get("sec-websocket-protocol")];
 *   return new Response(null, { status: 401 });
 * });
 * const credentials: WebSocketCredentials = { protocols: "chat.v2", headers: { authorization: "Bearer abc" } };
 * const remote = { address: `ws://127.0.0.1:${http.addr.port}`, credentials };
 * await new Bootstrap({ transport: webSocket() }).connect(remote).catch(() => {});
 * assertEquals(seen, ["Bearer abc", "chat.v2"]);
 * await http.shutdown();
 * ```
 */
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

/**
 * How a WebSocket ended.
 *
 * @example The server's code tells what to do next
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type Link, SystemEventLoop } from "@longlink/pipeline";
 * import { webSocket, type WebSocketEnd, type WebSocketLink } from "@longlink/pipeline/transports/web-socket";
 *
 * const next = (end?: WebSocketEnd) => end?.code === 4001 ? `sign in: ${end.reason}` : "try again";
 * const [loop, transport] = [new SystemEventLoop(), webSocket()];
 * const onLink = (link: Link) => (link as WebSocketLink).closeWith(4001, "token expired");
 * const listener = await transport.listen!("ws://127.0.0.1:0", { loop, onLink, onError: console.error });
 * const { signal } = new AbortController();
 * const link = await transport.connect({ address: listener.address }, { loop, signal });
 * const ignore = { onRead() {}, onReadComplete() {}, onFlushed() {} };
 * const told = new Promise((resolve) => link.open({ ...ignore, onClosed: () => resolve(next(link.end)) }));
 * link.read();
 * assertEquals(await told, "sign in: token expired");
 * await listener.close();
 * ```
 */
export interface WebSocketEnd {
  /** The close code (RFC 6455, section 7.4); 1005: a close frame without one, 1006: none came. */
  readonly code: number;
  /** The peer's reason, or "". */
  readonly reason: string;
  /** Whether the closing handshake was done. */
  readonly wasClean: boolean;
}

/**
 * What a link over WebSocket has beyond others.
 *
 * @example The subprotocol that was chosen, and leaving with a code of one's own
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type Link, SystemEventLoop } from "@longlink/pipeline";
 * import { webSocket, type WebSocketLink } from "@longlink/pipeline/transports/web-socket";
 *
 * const [loop, transport] = [new SystemEventLoop(), webSocket()];
 * const ignore = { onRead() {}, onReadComplete() {}, onFlushed() {}, onClosed() {} };
 * const code = Promise.withResolvers<unknown>();
 * const onLink = (link: Link) => {
 *   link.open({ ...ignore, onClosed: () => code.resolve((link as WebSocketLink).end?.code) });
 *   link.read();
 * };
 * const listener = await transport.listen!("ws://127.0.0.1:0", { loop, onLink, onError: console.error });
 * const remote = { address: listener.address, credentials: { protocols: ["chat.v2", "chat.v1"] } };
 * const link: WebSocketLink = await transport.connect(remote, { loop, signal: new AbortController().signal });
 * assertEquals(link.protocol, "chat.v2");
 * link.open(ignore);
 * link.closeWith(4000, "moved to another tab");
 * assertEquals(await code.promise, 4000);
 * await listener.close();
 * ```
 */
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

/**
 * What {@linkcode webSocket} makes: a transport whose links say more.
 *
 * @example Keeping the link, for what channels do not show
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap, ServerBootstrap } from "@longlink/pipeline";
 * import { webSocket, type WebSocketTransport } from "@longlink/pipeline/transports/web-socket";
 *
 * let protocol: string | undefined;
 * const below = webSocket();
 * const noting: WebSocketTransport = {
 *   name: below.name,
 *   keepsMessages: below.keepsMessages,
 *   async connect(remote, options) {
 *     const link = await below.connect(remote, options);
 *     protocol = link.protocol;
 *     return link;
 *   },
 * };
 * const server = await new ServerBootstrap({ transport: webSocket() }).listen("ws://127.0.0.1:0");
 * const remote = { address: server.address, credentials: { protocols: "chat" } };
 * const channel = await new Bootstrap({ transport: noting }).connect(remote);
 * assertEquals(protocol, "chat");
 * await channel.close();
 * await server.close();
 * ```
 */
export interface WebSocketTransport extends Transport {
  /** Makes one link; see {@linkcode Transport.connect}. */
  connect(remote: Remote, options: ConnectOptions): Promise<WebSocketLink>;
}

/**
 * Options of {@linkcode webSocket}.
 *
 * @example Who sends more than is read is cut off
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ServerBootstrap, SystemEventLoop } from "@longlink/pipeline";
 * import { webSocket, type WebSocketOptions } from "@longlink/pipeline/transports/web-socket";
 *
 * const options: WebSocketOptions = { maxQueuedBytes: 1_000 };
 * const server = await new ServerBootstrap({
 *   transport: webSocket(),
 *   pipeline: (p) => p.addLast({ channelActive: (context) => context.writeAndFlush(new Uint8Array(2_000)) }),
 * }).listen("ws://127.0.0.1:0");
 * const loop = new SystemEventLoop();
 * const { signal } = new AbortController();
 * const link = await webSocket(options).connect({ address: server.address }, { loop, signal });
 * const ignore = { onRead() {}, onReadComplete() {}, onFlushed() {} };
 * const reason = await new Promise((resolve) => link.open({ ...ignore, onClosed: resolve })); // never asked to read
 * assertEquals(reason, "error");
 * await server.close();
 * ```
 */
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
