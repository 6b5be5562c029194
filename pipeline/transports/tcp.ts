/**
 * TCP and TLS, for Deno, Node and Bun.
 *
 * @module
 */

import {
  connect as connectTcp,
  createServer as createTcpServer,
  isIP,
  type Server,
  type Socket,
} from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { ConnectError } from "../errors.ts";
import type { ConnectOptions, Link, Listener, ListenOptions, Remote, Transport } from "../transport.ts";
import { endAddress, type HostPort, parseHostPort } from "./_address.ts";
import { detailOf, givenUp } from "./_failure.ts";
import { TcpLink } from "./_tcp_link.ts";

/**
 * Options for `tls://` addresses. Certificates and keys are PEM text.
 *
 * @example What the first packet asks for
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { Bootstrap, ServerBootstrap } from "@longlink/pipeline";
 * import { tcp, type TlsOptions } from "@longlink/pipeline/transports/tcp";
 *
 * const tls: TlsOptions = { servername: "broker.example", alpn: ["mqtt"] };
 * let hello = "";
 * const server = await new ServerBootstrap({ // without TLS, to look at what comes
 *   transport: tcp(),
 *   pipeline: (p) =>
 *     p.addLast({
 *       channelRead({ channel }, bytes) {
 *         hello += new TextDecoder().decode(bytes as Uint8Array);
 *         channel.drop("closed");
 *       },
 *     }),
 * }).listen("tcp://127.0.0.1:0");
 * const client = new Bootstrap({ transport: tcp({ tls }) });
 * await client.connect(server.address.replace("tcp:", "tls:")).catch(() => {});
 * assertStringIncludes(hello, "broker.example");
 * assertStringIncludes(hello, "mqtt");
 * await server.close();
 * ```
 */
export interface TlsOptions {
  /** Certificate authorities to trust when connecting, instead of the system's. */
  readonly ca?: string | readonly string[];
  /** This end's certificate chain. A listener needs it; when connecting it is shown to a server that asks. */
  readonly cert?: string;
  /** The private key to `cert`. */
  readonly key?: string;
  /** The name the server's certificate must hold. Default: the address's host. */
  readonly servername?: string;
  /** Protocols to offer (ALPN, RFC 7301), most wanted first. Default: none. */
  readonly alpn?: readonly string[];
  /**
   * Whether to refuse a server whose certificate cannot be verified. With
   * `false` anyone on the path can read and change everything, and encryption
   * protects from nobody who matters: to test with a certificate of your own,
   * put it into `ca` instead. Default: true.
   */
  readonly rejectUnauthorized?: boolean;
  /**
   * How long a peer may take for the handshake with a listener, in ms, above 0.
   * Who takes longer is cut off and told to the listener's `onError`.
   * Default: 15,000.
   */
  readonly handshakeTimeoutMs?: number;
}

/**
 * Options of {@linkcode tcp}.
 *
 * @example Small writes may wait for each other, as nothing here is urgent
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap, ServerBootstrap } from "@longlink/pipeline";
 * import { tcp, type TcpOptions } from "@longlink/pipeline/transports/tcp";
 *
 * const options: TcpOptions = { noDelay: false };
 * const text = Promise.withResolvers<string>();
 * let received = "";
 * const server = await new ServerBootstrap({
 *   transport: tcp(),
 *   pipeline: (p) =>
 *     p.addLast({
 *       channelRead: (_context, bytes) => received += new TextDecoder().decode(bytes as Uint8Array),
 *       channelInactive: () => text.resolve(received),
 *     }),
 * }).listen("tcp://127.0.0.1:0");
 * const channel = await new Bootstrap({ transport: tcp(options) }).connect(server.address);
 * for (const line of ["one\n", "two\n"]) channel.writeAndFlush(new TextEncoder().encode(line));
 * await channel.close();
 * assertEquals(await text.promise, "one\ntwo\n");
 * await server.close();
 * ```
 */
export interface TcpOptions {
  /**
   * Whether small writes leave at once (TCP_NODELAY). Otherwise a heartbeat
   * may wait for the acknowledgement of what was sent before it. Default: true.
   */
  readonly noDelay?: boolean;
  /**
   * Whether the kernel probes idle links (SO_KEEPALIVE). Off, since its probes
   * would refresh the network's memory of the link behind the back of whoever
   * measures it, and prove only that the peer's kernel answers. Default: false.
   */
  readonly kernelKeepAlive?: boolean;
  /** For `tls://` addresses. */
  readonly tls?: TlsOptions;
}

/**
 * Links over TCP (`tcp://host:port`) and TLS (`tls://host:port`). An IPv6
 * address stands in brackets; a listener may ask for port 0, any free one.
 *
 * A peer that closes its side (FIN) closes the link, as Netty does by default,
 * unless a handler keeps this side's (see `HalfCloseEvent`, and `asDuplex()`).
 * `abort()` sends a reset (RST); over TLS the platform offers none, so that
 * the peer may see an orderly end. A link that is not asked to read makes its
 * peer wait; not so over TLS in Deno (seen with 2.9), which goes on reading
 * into its own memory: end the TLS in front of Deno where peers may flood.
 *
 * @param options See {@linkcode TcpOptions}.
 * @returns The transport, for any number of links and listeners.
 *
 * @example A listener and a link to it
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { SystemEventLoop } from "@longlink/pipeline";
 * import { tcp } from "@longlink/pipeline/transports/tcp";
 *
 * const loop = new SystemEventLoop();
 * const transport = tcp();
 * const listener = await transport.listen!("tcp://127.0.0.1:0", {
 *   loop,
 *   onLink: (link) => link.close(),
 *   onError: (error) => console.error(error),
 * });
 * const { signal } = new AbortController();
 * const link = await transport.connect({ address: listener.address }, { loop, signal });
 * assertEquals(link.remoteAddress, listener.address);
 * link.abort();
 * await listener.close();
 * ```
 */
export function tcp(options: TcpOptions = {}): Transport {
  return new TcpTransport(options);
}

class TcpTransport implements Transport {
  readonly name = "tcp";
  readonly keepsMessages = false;
  readonly #options: TcpOptions;

  constructor(options: TcpOptions) {
    this.#options = options;
  }

  connect(remote: Remote, { loop, signal }: ConnectOptions): Promise<Link> {
    const { address } = remote;
    const target = parseHostPort(address, ["tcp", "tls"], 1);
    if (signal.aborted) return Promise.reject(givenUp(address, signal));
    return new Promise((resolve, reject) => {
      let socket: Socket | undefined;
      const fail = (error: ConnectError) => {
        signal.removeEventListener("abort", onAbort);
        reject(error);
      };
      const onAbort = () => {
        socket?.destroy();
        fail(givenUp(address, signal));
      };
      const onError = (error: unknown) => fail(new ConnectError(address, detailOf(error), { cause: error }));
      const onConnect = () => {
        signal.removeEventListener("abort", onAbort);
        // The link listens before the old listener goes: an error without a listener ends the process.
        resolve(this.#link(socket!, target.scheme, loop));
        socket!.off("error", onError);
      };
      signal.addEventListener("abort", onAbort);
      try {
        socket = this.#dial(target, onConnect);
        socket.on("error", onError);
      } catch (error) { // a certificate or key that makes no sense
        onError(error);
      }
    });
  }

  listen(address: string, options: ListenOptions): Promise<Listener> {
    const { scheme, host, port } = parseHostPort(address, ["tcp", "tls"], 0);
    const { cert, key, handshakeTimeoutMs = 15_000 } = this.#options.tls ?? {};
    if (scheme === "tls" && (cert === undefined || key === undefined)) {
      throw new TypeError(`Cannot listen on ${address}: tls.cert and tls.key are needed`);
    }
    const onSocket = (socket: Socket) => options.onLink(this.#link(socket, scheme, options.loop));
    return new Promise((resolve, reject) => {
      const onFailed = (error: unknown) => {
        reject(new Error(`Cannot listen on ${address}: ${detailOf(error)}`, { cause: error }));
      };
      try {
        const server = scheme === "tls"
          ? createTlsServer({ ...this.#identity(), handshakeTimeout: handshakeTimeoutMs }, onSocket)
          : createTcpServer({ pauseOnConnect: true }, onSocket);
        server.on("tlsClientError", (error: Error, socket: Socket) => {
          // The platform leaves it open: a peer that never says a word would keep it for ever.
          socket.destroy();
          options.onError(
            new Error(`Cannot accept a peer on ${address}: ${detailOf(error)}`, { cause: error }),
          );
        });
        server.once("error", onFailed);
        server.listen({ host, port }, () => {
          server.off("error", onFailed);
          server.on("error", options.onError);
          resolve(new TcpListener(server, scheme));
        });
      } catch (error) { // a certificate or key that makes no sense
        onFailed(error);
      }
    });
  }

  #dial({ scheme, host, port }: HostPort, onConnect: () => void): Socket {
    if (scheme === "tcp") return connectTcp({ host, port }, onConnect);
    const { servername = isIP(host) ? undefined : host, rejectUnauthorized = true } = this.#options.tls ?? {};
    return connectTls({ host, port, servername, rejectUnauthorized, ...this.#identity() }, onConnect);
  }

  #identity() {
    const { ca, cert, key, alpn } = this.#options.tls ?? {};
    return { ca: typeof ca === "string" ? ca : ca && [...ca], cert, key, ALPNProtocols: alpn && [...alpn] };
  }

  #link(socket: Socket, scheme: string, loop: ListenOptions["loop"]): TcpLink {
    socket.setNoDelay(this.#options.noDelay ?? true);
    if (this.#options.kernelKeepAlive) socket.setKeepAlive(true);
    return new TcpLink(socket, scheme, loop);
  }
}

class TcpListener implements Listener {
  readonly address: string;
  readonly #server: Server;

  constructor(server: Server, scheme: string) {
    const bound = server.address() as { address: string; port: number };
    this.#server = server;
    this.address = endAddress(scheme, bound.address, bound.port);
  }

  close(): Promise<void> {
    // Without its callback, which comes only when the last link is gone.
    this.#server.close();
    return Promise.resolve();
  }
}
