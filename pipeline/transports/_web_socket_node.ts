/**
 * Accepting WebSockets with the server of npm's `ws`.
 *
 * @module
 */

import type { Listener } from "../transport.ts";
import { endAddress } from "./_address.ts";
import { LINK, type LinkSocket, SocketLink } from "./_web_socket_link.ts";
import { cannotAccept, cannotListen, hostOf, pathOf, portOf, type Target } from "./_web_socket_target.ts";
import type { WebSocketLike, WebSocketServerClass } from "./web_socket.ts";

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
    server.on("wsClientError", (error: Error) => onError(cannotAccept(address, error)));
    server.on(
      "connection",
      (socket: WebSocketLike, request: { socket: { remoteAddress?: string; remotePort?: number } }) => {
        const remoteAddress = endAddress("ws", request.socket.remoteAddress, request.socket.remotePort);
        onLink(new NodeSocketLink(socket, { loop, maxQueuedBytes, localAddress: address, remoteAddress }));
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

/** What a socket of `ws` has in place of the standard's events. */
type NodeSocket = LinkSocket & {
  on(event: string, listener: (this: LinkSocket, ...args: never[]) => void): unknown;
  off(event: string, listener: (this: LinkSocket, ...args: never[]) => void): unknown;
};

/**
 * A link that listens as Node does. For each of the standard's listeners `ws`
 * makes a function and, at each message, an event: 400 bytes of a link that is
 * idle, and most of what a short message takes.
 */
class NodeSocketLink extends SocketLink {
  protected override listen(socket: WebSocketLike): void {
    (socket as NodeSocket).on("message", onMessage);
    (socket as NodeSocket).on("error", onError);
    (socket as NodeSocket).on("close", onClose);
  }

  protected override forget(socket: WebSocketLike): void {
    (socket as NodeSocket).off("message", onMessage);
    (socket as NodeSocket).off("close", onClose);
    // Its listener for errors stays: an error that nobody listens to ends the process. The link is down by now.
  }
}

function onMessage(this: LinkSocket, data: { toString(): string }, isBinary: boolean): void {
  SocketLink.events.message(this[LINK]!, isBinary ? data : data.toString());
}

function onError(this: LinkSocket, error: Error): void {
  SocketLink.events.error(this[LINK]!, { error });
}

function onClose(this: LinkSocket, code: number, reason: { toString(): string }): void {
  SocketLink.events.close(this[LINK]!, { code, reason: reason.toString() });
}
