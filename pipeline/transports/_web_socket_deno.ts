/**
 * Accepting WebSockets with `Deno.serve`.
 *
 * @module
 */

import type { Listener } from "../transport.ts";
import { endAddress } from "./_address.ts";
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
import type { WebSocketLike } from "./web_socket.ts";

interface Address {
  readonly hostname: string;
  readonly port: number;
}

interface Server {
  readonly addr: Address;
  shutdown(): Promise<void>;
}

/** The part of `Deno` that is used; its types are not there in other runtimes. */
export interface DenoRuntime {
  serve(options: object, handler: (request: Request, info: { remoteAddr: Address }) => Response): Server;
  upgradeWebSocket(
    request: Request,
    options: { idleTimeout: number },
  ): { socket: WebSocketLike & EventTarget; response: Response };
}

/** Listens with `Deno.serve`. */
export function listenInDeno(deno: DenoRuntime, target: Target): Promise<Listener> {
  const { url, tls, loop, onLink, onError, maxQueuedBytes } = target;
  const scheme = url.protocol.slice(0, -1);
  let server: Server;
  let isClosed = false;
  let links = 0;

  const gone = () => {
    if (--links === 0 && isClosed) {
      server.shutdown().catch((error) => onError(asError(error, "shutdown failed")));
    }
  };
  const accept = (request: Request, remote: Address): Response => {
    if (isClosed) return new Response("Closed", { status: 503 });
    const refused = refusal(target, request);
    if (refused !== undefined) return refused;
    // Read now: the upgrade consumes the request.
    const protocol = chosenProtocol(request);
    // No pings by the runtime (by default every 30 s): they would refresh the
    // network's memory of the link, and every trial of an idle time would pass.
    const { socket, response } = deno.upgradeWebSocket(request, { idleTimeout: 0 });
    // Set by hand, since Deno's own option fails for a list without spaces.
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
        onError(cannotAccept(address, error));
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
