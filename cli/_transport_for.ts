/**
 * The transport for an address.
 *
 * @module
 */

import type { Transport } from "../mod.ts";
import { tcp } from "../pipeline/transports/tcp.ts";
import {
  webSocket,
  type WebSocketClass,
  type WebSocketServerClass,
} from "../pipeline/transports/web_socket.ts";
import { UsageError } from "./command.ts";

const TRANSPORTS: Readonly<Record<string, () => Transport | Promise<Transport>>> = {
  tcp,
  tls: tcp,
  ws: webSockets,
  wss: webSockets,
};

/**
 * Makes the transport for an address.
 *
 * @param what What the address is for the user, such as `--listen`.
 * @param address The address.
 * @param schemes Which schemes are possible here.
 * @throws {UsageError} (rejects) If it is of another scheme.
 */
export async function transportFor(
  what: string,
  address: string,
  schemes: readonly string[],
): Promise<Transport> {
  const scheme = /^([a-z]+):\/\//i.exec(address)?.[1]?.toLowerCase() ?? "";
  if (schemes.includes(scheme)) return await TRANSPORTS[scheme]!();
  const all = schemes.map((each) => `${each}://`);
  const known = `${all.slice(0, -1).join(", ")} or ${all.at(-1)}`;
  // What lacks nothing but its scheme.
  const isHostAndPort = /^(?:\[[\da-f:.]+\]|[\w.-]+):\d+$/i.test(address);
  throw new UsageError(`${what} must begin with ${known}, got "${address}"`, {
    hint: isHostAndPort ? `Did you mean ${schemes[0]}://${address}?` : undefined,
  });
}

/** In Node with the classes of npm's `ws`: it has no server of its own, and before version 22 no client either. */
async function webSockets(): Promise<Transport> {
  if ("Deno" in globalThis || "Bun" in globalThis) return webSocket();
  // By a name that no packager sees: whoever wants no ws:// installs nothing for it.
  const name = "ws";
  try {
    const { WebSocket, WebSocketServer }: WebSocketClasses = await import(name);
    return webSocket({ webSocket: WebSocket, server: WebSocketServer });
  } catch (cause) {
    throw new Error("Cannot use ws:// addresses: npm install ws, beside this package", { cause });
  }
}

interface WebSocketClasses {
  readonly WebSocket: WebSocketClass;
  readonly WebSocketServer: WebSocketServerClass;
}
