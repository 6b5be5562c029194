/**
 * What listening for WebSockets has in common in all runtimes.
 *
 * @module
 */

import type { ListenOptions } from "../transport.ts";
import { detailOf } from "./_failure.ts";

/** Where and how to listen. */
export interface Target extends ListenOptions {
  readonly url: URL;
  /** For `wss://`. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly maxQueuedBytes: number;
}

/** The answer to a request that is no handshake for this listener; undefined if it is one. */
export function refusal({ url }: Target, request: Request): Response | undefined {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return new Response("Upgrade required", {
      status: 426,
      headers: { connection: "upgrade", upgrade: "websocket" },
    });
  }
  if (url.pathname !== "/" && new URL(request.url).pathname !== url.pathname) {
    return new Response("Not found", { status: 404 });
  }
  return undefined;
}

/** The subprotocol to choose: a browser gives up if it offered some and none of them is chosen. */
export function chosenProtocol(request: Request): string | undefined {
  return request.headers.get("sec-websocket-protocol")?.split(",")[0]?.trim();
}

/** The error of a peer that could not be accepted. */
export function cannotAccept(address: string, error: unknown): Error {
  return new Error(`Cannot accept a peer on ${address}: ${detailOf(error)}`, { cause: error });
}

/** The error of a listener that did not come about. */
export function cannotListen(url: URL, error: unknown): Error {
  return new Error(`Cannot listen on ${url.protocol}//${url.host}: ${detailOf(error)}`, { cause: error });
}

/** Name or IP address to listen on. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

/** Port to listen on. */
export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "wss:" ? 443 : 80;
}

/** The path that is asked for, or "" where any will do. */
export function pathOf(url: URL): string {
  return url.pathname === "/" ? "" : url.pathname;
}
