/**
 * How subprotocols and headers get into a WebSocket class.
 *
 * @module
 */

import type { WebSocketClass, WebSocketCredentials } from "./web_socket.ts";

/**
 * The arguments that follow the URL. Headers are no part of the standard, and
 * classes differ: npm's `ws` takes a third argument, which its constructor
 * declares; the global ones of Deno, Node and Bun take an object in place of
 * the subprotocols; browsers have no way at all.
 *
 * @param WebSocket The class.
 * @param address For errors.
 * @param credentials What the remote holds for whomever it concerns.
 * @throws {TypeError} If there are headers and the class cannot send them:
 * dropping them would turn "no way to log in" into "wrong password".
 */
export function constructorArguments(
  WebSocket: WebSocketClass,
  address: string,
  credentials: unknown,
): readonly unknown[] {
  const { protocols = [], headers, options } = (credentials ?? {}) as WebSocketCredentials;
  const offered = typeof protocols === "string" ? [protocols] : [...protocols];
  const takesOptions = WebSocket.length >= 3;
  if (headers === undefined) return takesOptions && options !== undefined ? [offered, options] : [offered];
  if (takesOptions) return [offered, { ...options, headers }];
  if (isGlobalOutsideBrowser(WebSocket)) return [{ protocols: offered, headers }];
  throw new TypeError(`Cannot connect to ${address}: this WebSocket class cannot send headers`);
}

function isGlobalOutsideBrowser(WebSocket: WebSocketClass): boolean {
  const { Deno, Bun, process, WebSocket: own } = globalThis as {
    Deno?: unknown;
    Bun?: unknown;
    process?: { versions?: { node?: string } };
    WebSocket?: unknown;
  };
  return WebSocket === own &&
    (Deno !== undefined || Bun !== undefined || process?.versions?.node !== undefined);
}
