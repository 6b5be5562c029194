/**
 * The transport for an address.
 *
 * @module
 */

import type { Transport } from "../mod.ts";
import { tcp } from "../pipeline/transports/tcp.ts";
import { webSocket } from "../pipeline/transports/web_socket.ts";
import { UsageError } from "./command.ts";

const TRANSPORTS: Readonly<Record<string, () => Transport>> = {
  tcp,
  tls: tcp,
  ws: webSocket,
  wss: webSocket,
};

/**
 * Makes the transport for an address.
 *
 * @param what What the address is for the user, such as `--listen`.
 * @param address The address.
 * @param schemes Which schemes are possible here.
 * @throws {UsageError} If it is of another scheme.
 */
export function transportFor(what: string, address: string, schemes: readonly string[]): Transport {
  const scheme = /^([a-z]+):\/\//i.exec(address)?.[1]?.toLowerCase() ?? "";
  if (schemes.includes(scheme)) return TRANSPORTS[scheme]!();
  throw new UsageError(
    `${what} must begin with ${schemes.map((each) => `${each}://`).join(" or ")}, got "${address}"`,
  );
}
