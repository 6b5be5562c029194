/**
 * Accepting WebSockets: with `Deno.serve`, and with the server of npm's `ws`.
 *
 * @module
 */

import type { Listener, ListenOptions } from "../transport.ts";
import { endAddress } from "./_address.ts";
import { asError, detailOf } from "./_failure.ts";
import { SocketLink } from "./_web_socket_link.ts";
import type { WebSocketLike, WebSocketServerClass } from "./web_socket.ts";

/** Where and how to listen. */
export interface Target extends ListenOptions {
  readonly url: URL;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly maxQueuedBytes: number;
}

interface Address {
  readonly hostname: string;
  readonly port: number;
}

interface DenoServer {
  readonly addr: Address;
  shutdown(): Promise<void>;
}

/** The part of `Deno` that is used; its types are not there in other runtimes. */
export interface Deno {
  serve(options: object, handler: (request: Request, info: { remoteAddr: Address }) => Response): DenoServer;
  upgradeWebSocket(
    request: Request,
    options: { idleTimeout: number },
  ): { socket: WebSocketLike & EventTarget; response: Response };
}

/** The runtime, where it is Deno. */
export const deno: Deno | undefined = (globalThis as { Deno?: Deno }).Deno;

/** Listens with `Deno.serve`. */
export function listenInDeno(deno: Deno, target: Target): Promise<Listener> {
  const { url, tls, loop, onLink, onError, maxQueuedBytes } = target;
  const scheme = url.protocol.slice(0, -1);
  let server: DenoServer;
  let isClosed = false;
  let links = 0;

  const gone = () => {
    if (--links === 0 && isClosed) {
      server.shutdown().catch((error) => onError(asError(error, "shutdown failed")));
    }
  };
  const accept = (request: Request, remote: Address): Response => {
    if (isClosed) return new Response("Closed", { status: 503 });
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return new Response("Upgrade required", {
        status: 426,
        headers: { connection: "upgrade", upgrade: "websocket" },
      });
    }
    if (url.pathname !== "/" && new URL(request.url).pathname !== url.pathname) {
      return new Response("Not found", { status: 404 });
    }
    // Read now: the upgrade consumes the request.
    const protocol = request.headers.get("sec-websocket-protocol")?.split(",")[0]?.trim();
    // No pings by the runtime (by default every 30 s): they would refresh the
    // network's memory of the link, and every trial of an idle time would pass.
    const { socket, response } = deno.upgradeWebSocket(request, { idleTimeout: 0 });
    // A browser gives up if none of the protocols it offered is chosen. Set by
    // hand, since Deno's own option fails for a list without spaces.
    if (protocol) response.headers.set("sec-websocket-protocol", protocol);
    const remoteAddress = endAddress(scheme, remote.hostname, remote.port);
    links++;
    socket.addEventListener("close", gone);
    socket.onopen = () =>
      onLink(new SocketLink(socket, { loop, maxQueuedBytes, localAddress: address, remoteAddress }));
    return response;
  };

  try {
    server = deno.serve({
      hostname: hostOf(url),
      port: portOf(url),
      cert: tls?.cert,
      key: tls?.key,
      onListen() {}, // by default it prints a line
    }, (request, { remoteAddr }) => {
      try {
        return accept(request, remoteAddr);
      } catch (error) {
        onError(new Error(`Cannot accept a peer on ${address}: ${detailOf(error)}`, { cause: error }));
        return new Response("Bad request", { status: 400 });
      }
    });
  } catch (error) {
    return Promise.reject(cannotListen(url, error));
  }
  const address = endAddress(scheme, server.addr.hostname, server.addr.port) + pathOf(url);
  return Promise.resolve({
    address,
    close() {
      if (isClosed) return Promise.resolve();
      isClosed = true;
      return links === 0 ? server.shutdown() : Promise.resolve();
    },
  });
}

/** Listens with the server of npm's `ws`. */
export function listenWithServer(Server: WebSocketServerClass, target: Target): Promise<Listener> {
  const { url, loop, onLink, onError, maxQueuedBytes } = target;
  return new Promise((resolve, reject) => {
    const server = new Server({
      host: hostOf(url),
      port: portOf(url),
      path: pathOf(url) || undefined,
      clientTracking: false,
    });
    let address = "";
    server.on("error", (error: Error) => address === "" ? reject(cannotListen(url, error)) : onError(error));
    server.on("wsClientError", (error: Error) => {
      onError(new Error(`Cannot accept a peer on ${address}: ${detailOf(error)}`, { cause: error }));
    });
    server.on(
      "connection",
      (socket: WebSocketLike, request: { socket: { remoteAddress?: string; remotePort?: number } }) => {
        const remoteAddress = endAddress("ws", request.socket.remoteAddress, request.socket.remotePort);
        onLink(new SocketLink(socket, { loop, maxQueuedBytes, localAddress: address, remoteAddress }));
      },
    );
    server.on("listening", () => {
      const bound = server.address() as { address: string; port: number };
      address = endAddress("ws", bound.address, bound.port) + pathOf(url);
      resolve({
        address,
        close() {
          server.close(); // without its callback, which comes only when the last link is gone
          return Promise.resolve();
        },
      });
    });
  });
}

function cannotListen(url: URL, error: unknown): Error {
  return new Error(`Cannot listen on ${url.protocol}//${url.host}: ${detailOf(error)}`, { cause: error });
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "wss:" ? 443 : 80;
}

function pathOf(url: URL): string {
  return url.pathname === "/" ? "" : url.pathname;
}
