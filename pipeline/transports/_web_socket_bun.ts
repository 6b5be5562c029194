/**
 * Accepting WebSockets with `Bun.serve`.
 *
 * @module
 */

import type { Listener } from "../transport.ts";
import { endAddress } from "./_address.ts";
import { BunSocket, type ServerSocket } from "./_bun_socket.ts";
import { asError } from "./_failure.ts";
import { SocketLink } from "./_web_socket_link.ts";
import {
  cannotAccept,
  cannotListen,
  chosenProtocol,
  hostOf,
  pathOf,
  portOf,
  refusal,
  type Target,
} from "./_web_socket_target.ts";

/**
 * Above this a message ends its link with code 1009, bytes: what Deno takes.
 * The frame decoder's limit is the one that counts; this one only bounds what
 * the runtime itself gathers of one message.
 */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** The part of a server of Bun that is used. */
export interface BunServer {
  readonly hostname: string;
  readonly port: number;
  requestIP(request: Request): { readonly address: string; readonly port: number } | null;
  upgrade(request: Request, options: { data: BunSocket }): boolean;
  stop(): Promise<void> | void;
}

/** What a server of Bun is made of. */
export interface BunServeOptions {
  readonly hostname: string;
  readonly port: number;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly development: boolean;
  readonly reusePort: boolean;
  readonly fetch: (request: Request, server: BunServer) => Response | undefined;
  readonly websocket: {
    readonly sendPings: boolean;
    readonly idleTimeout: number;
    readonly perMessageDeflate: boolean;
    readonly maxPayloadLength: number;
    readonly backpressureLimit: number;
    readonly open: (socket: ServerSocket) => void;
    readonly message: (socket: ServerSocket, data: string | ArrayBuffer) => void;
    readonly drain: (socket: ServerSocket) => void;
    readonly pong: (socket: ServerSocket, data: ArrayBuffer) => void;
    readonly close: (socket: ServerSocket, code: number, reason: string) => void;
  };
}

/** The part of `Bun` that is used; its types are not there in other runtimes. */
export interface BunRuntime {
  serve(options: BunServeOptions): BunServer;
}

/** Listens with `Bun.serve`. */
export function listenInBun(bun: BunRuntime, target: Target): Promise<Listener> {
  const { url, tls, loop, onLink, onError, maxQueuedBytes } = target;
  const scheme = url.protocol.slice(0, -1);
  let isClosed = false;

  const accept = (request: Request, server: BunServer): Response | undefined => {
    const refused = refusal(target, request);
    if (refused !== undefined) return refused;
    const remote = server.requestIP(request);
    const remoteAddress = endAddress(scheme, remote?.address, remote?.port);
    // Bun answers with the first protocol by itself.
    const data = new BunSocket(chosenProtocol(request) ?? "", remoteAddress);
    return server.upgrade(request, { data }) ? undefined : new Response("Bad request", { status: 400 });
  };

  let server: BunServer;
  try {
    server = bun.serve({
      hostname: hostOf(url),
      port: portOf(url),
      tls,
      development: false, // whose answer to an error shows this program's source to the peer
      reusePort: false, // without development Bun lets two programs share a port, whatever its types say
      fetch(request, server) {
        try {
          return accept(request, server);
        } catch (error) {
          onError(cannotAccept(address, error));
          return new Response("Bad request", { status: 400 });
        }
      },
      // The handlers are the server's, and find the link by the socket's `data`.
      websocket: {
        // Bun would ping before 120 s of silence and cut the link after it: pings
        // refresh the network's memory of the link, and every trial of an idle
        // time would pass; a cut looks like a network that forgets.
        sendPings: false,
        idleTimeout: 0,
        perMessageDeflate: false,
        maxPayloadLength: MAX_MESSAGE_BYTES,
        // Above its limit Bun drops messages, in silence. The channel's water marks bound what is held.
        backpressureLimit: 0,
        open(socket) {
          const { data } = socket;
          data.opened(socket);
          const { remoteAddress } = data;
          onLink(new SocketLink(data, { loop, maxQueuedBytes, localAddress: address, remoteAddress }));
        },
        message: ({ data: socket }, data) => socket.received(data),
        drain: ({ data: socket }) => socket.drained(),
        pong: ({ data: socket }, data) => socket.ponged(data),
        close: ({ data: socket }, code, reason) => socket.closed(code, reason),
      },
    });
  } catch (error) {
    return Promise.reject(cannotListen(url, error));
  }
  const address = endAddress(scheme, server.hostname, server.port) + pathOf(url);
  return Promise.resolve({
    address,
    close() {
      if (isClosed) return Promise.resolve();
      isClosed = true;
      // Its promise is kept only when the last link is gone.
      server.stop()?.catch((error) => onError(asError(error, "stop failed")));
      return Promise.resolve();
    },
  });
}
