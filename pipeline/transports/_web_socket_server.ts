/**
 * Accepting WebSockets. Each runtime has a file of its own, which is loaded
 * when it listens: a client loads none of them.
 *
 * @module
 */

import type { Listener } from "../transport.ts";
import type { BunRuntime } from "./_web_socket_bun.ts";
import type { DenoRuntime } from "./_web_socket_deno.ts";
import { listen as refuse } from "./_web_socket_no_server.ts";
import type { Target } from "./_web_socket_target.ts";
import type { WebSocketOptions } from "./web_socket.ts";

/**
 * Listens with the class that was given, else with what the runtime has.
 *
 * @param options Those of the transport.
 * @param target Where, with the address as it may be shown.
 * @throws {TypeError} At once, if it cannot listen there.
 */
export function listen(
  { server, tls }: WebSocketOptions,
  { address, ...where }: Omit<Target, "tls"> & { readonly address: string },
): Promise<Listener> {
  const { Deno: deno, Bun: bun } = globalThis as { Deno?: DenoRuntime; Bun?: BunRuntime };
  const isSecure = where.url.protocol === "wss:";
  if (isSecure && (server !== undefined || (deno ?? bun) === undefined)) {
    throw new TypeError(
      `Cannot listen on ${address}: wss:// needs Deno.serve or Bun.serve; let a proxy end the TLS`,
    );
  }
  if (isSecure && tls === undefined) {
    throw new TypeError(`Cannot listen on ${address}: tls.cert and tls.key are needed`);
  }
  const target = { ...where, tls: isSecure ? tls : undefined };
  if (server !== undefined) {
    return import("./_web_socket_node.ts").then(({ listenWithServer }) => listenWithServer(server, target));
  }
  if (deno !== undefined) {
    return import("./_web_socket_deno.ts").then(({ listenInDeno }) => listenInDeno(deno, target));
  }
  if (bun !== undefined) {
    return import("./_web_socket_bun.ts").then(({ listenInBun }) => listenInBun(bun, target));
  }
  return refuse();
}
