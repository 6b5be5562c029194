/**
 * WebSockets that somebody else's HTTP server has accepted.
 *
 * @module
 */

import type { ConnectOptions, Link, Listener, ListenOptions, Remote, Transport } from "../transport.ts";
import { SocketLink } from "./_web_socket_link.ts";
import { checkedQueueBytes, parse, shown } from "./_web_socket_address.ts";
import type { WebSocketLike } from "./web_socket.ts";

/**
 * What is known of a socket from its request.
 *
 * @example Who it is, as the request's cookie told
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ServerBootstrap, VirtualEventLoop } from "@longlink/pipeline";
 * import { type AcceptedSocketOptions, webSocketAcceptor } from "@longlink/pipeline/transports/web-socket-acceptor";
 *
 * const handlers = { onopen: null, onmessage: null, onerror: null, onclose: null };
 * const open = { binaryType: "blob", readyState: 1, bufferedAmount: 0 };
 * const socket = { ...handlers, ...open, send() {}, close() {} }; // an HTTP server gives the real one
 * const options: AcceptedSocketOptions = { remoteAddress: "ws://192.0.2.7:5000", details: { user: "ann" } };
 * const transport = webSocketAcceptor();
 * const seen: unknown[] = [];
 * await new ServerBootstrap({
 *   transport,
 *   loop: new VirtualEventLoop(),
 *   pipeline: (p) => p.addLast({ channelActive: ({ channel }) => seen.push(channel.remoteAddress, channel.linkDetails) }),
 * }).listen("ws://chat");
 * transport.accept(socket, options);
 * assertEquals(seen, ["ws://192.0.2.7:5000", { user: "ann" }]);
 * ```
 */
export interface AcceptedSocketOptions {
  /** The other end, as a URL; limits per address go by it. Default: "". */
  readonly remoteAddress?: string;
  /** Whatever the request told, such as who a cookie says this is. Found at {@linkcode Channel.linkDetails}. */
  readonly details?: unknown;
}

/**
 * What {@linkcode webSocketAcceptor} makes.
 *
 * @example Who comes before the server listens is sent away
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ServerBootstrap, VirtualEventLoop } from "@longlink/pipeline";
 * import { type WebSocketAcceptor, webSocketAcceptor } from "@longlink/pipeline/transports/web-socket-acceptor";
 *
 * let closed = 0;
 * const handlers = { onopen: null, onmessage: null, onerror: null, onclose: null };
 * const open = { binaryType: "blob", readyState: 1, bufferedAmount: 0 };
 * const socket = () => ({ ...handlers, ...open, send() {}, close: () => void closed++ }); // an HTTP server gives real ones
 * const transport: WebSocketAcceptor = webSocketAcceptor();
 * assertEquals([transport.accept(socket()), closed], [false, 1]);
 * await new ServerBootstrap({ transport, loop: new VirtualEventLoop() }).listen("ws://chat");
 * assertEquals([transport.accept(socket()), closed], [true, 1]);
 * ```
 */
export interface WebSocketAcceptor extends Transport {
  /**
   * Takes a socket over: as a link of the server that listens with this
   * transport, once it is open. Nobody else may use the socket from then on.
   *
   * @param socket It; still connecting, or open and not read from.
   * @param options What is known of it.
   * @returns Whether it was taken; false where nothing listens, and it is closed then.
   */
  accept(socket: WebSocketLike, options?: AcceptedSocketOptions): boolean;
}

/**
 * A transport for servers whose port belongs to somebody else: an HTTP server
 * that serves other things as well, a framework that asks for the user's cookie
 * first. It opens no port; it is given the sockets that were upgraded there
 * (those of npm's `ws`, of `Deno.upgradeWebSocket`), and the rest is as with
 * `webSocket()`.
 *
 * Switch off pings and idle timeouts of whoever makes the sockets
 * (`Deno.upgradeWebSocket(request, { idleTimeout: 0 })`): pings by others hide
 * how long the network lets a link idle.
 *
 * @param options `maxQueuedBytes` as of `webSocket()`.
 * @returns The transport, for one listener at a time. It cannot connect.
 * @throws {RangeError} If `maxQueuedBytes` is not a positive number.
 *
 * @example In a server that has other things to do
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { answerKeepAlive, Bootstrap, keepAlive, ServerBootstrap } from "@longlink/pipeline";
 * import { webSocket } from "@longlink/pipeline/transports/web-socket";
 * import { webSocketAcceptor } from "@longlink/pipeline/transports/web-socket-acceptor";
 *
 * const acceptor = webSocketAcceptor();
 * const chat = await new ServerBootstrap({
 *   transport: acceptor,
 *   pipeline: (p) =>
 *     p.addLast(...answerKeepAlive(), {
 *       channelRead: ({ channel }, message) => void channel.writeAndFlush([channel.linkDetails, message]),
 *     }),
 * }).listen("ws://127.0.0.1/chat"); // a name for it: no port is opened
 *
 * const http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request, { remoteAddr }) => {
 *   const { pathname, searchParams } = new URL(request.url);
 *   if (pathname !== "/chat") return new Response("hello");
 *   const user = searchParams.get("user"); // or of a cookie; who is not welcome gets a 401 here
 *   const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
 *   acceptor.accept(socket, { remoteAddress: `ws://${remoteAddr.hostname}:${remoteAddr.port}`, details: user });
 *   return response;
 * });
 *
 * const answered = Promise.withResolvers<unknown>();
 * const client = await new Bootstrap({
 *   transport: webSocket(),
 *   pipeline: (p) => p.addLast(...keepAlive(), { channelRead: (_context, message) => answered.resolve(message) }),
 * }).connect(`ws://127.0.0.1:${http.addr.port}/chat?user=ann`);
 * client.writeAndFlush("hi");
 * assertEquals(await answered.promise, ["ann", "hi"]);
 *
 * await client.close();
 * await chat.close();
 * await http.shutdown();
 * ```
 */
export function webSocketAcceptor(options: { readonly maxQueuedBytes?: number } = {}): WebSocketAcceptor {
  return new Acceptor(checkedQueueBytes(options.maxQueuedBytes));
}

class Acceptor implements WebSocketAcceptor {
  readonly name = "websocket";
  readonly keepsMessages = true;
  readonly #maxQueuedBytes: number;
  #listening: ListenOptions & { readonly address: string } | undefined = undefined;

  constructor(maxQueuedBytes: number) {
    this.#maxQueuedBytes = maxQueuedBytes;
  }

  connect(remote: Remote, _options: ConnectOptions): Promise<Link> {
    throw new TypeError(
      `Cannot connect to ${
        shown(parse(remote.address))
      }: a WebSocketAcceptor only accepts; connect with webSocket()`,
    );
  }

  listen(address: string, options: ListenOptions): Promise<Listener> {
    const name = shown(parse(address));
    if (this.#listening !== undefined) {
      throw new TypeError(`Cannot listen on ${name}: ${this.#listening.address} has this acceptor's sockets`);
    }
    const listening = this.#listening = { ...options, address: name };
    return Promise.resolve({
      address: name,
      close: () => {
        if (this.#listening === listening) this.#listening = undefined;
        return Promise.resolve();
      },
    });
  }

  accept(socket: WebSocketLike, options: AcceptedSocketOptions = {}): boolean {
    const listening = this.#listening;
    if (listening === undefined) {
      socket.close();
      return false;
    }
    if (socket.readyState !== CONNECTING) this.#link(socket, options, listening);
    // By then the server may have closed: whoever was under way then is not accepted either.
    else socket.onopen = () => void this.accept(socket, options);
    return true;
  }

  #link(
    socket: WebSocketLike,
    { remoteAddress = "", details }: AcceptedSocketOptions,
    { loop, onLink, address }: ListenOptions & { readonly address: string },
  ): void {
    const link: Link & { details?: unknown } = new SocketLink(socket, {
      loop,
      maxQueuedBytes: this.#maxQueuedBytes,
      localAddress: address,
      remoteAddress,
    });
    // Not a field of all links, most of which have none.
    if (details !== undefined) link.details = details;
    onLink(link);
  }
}

/** `readyState` of a socket whose handshake is under way. */
const CONNECTING = 0;
