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
  const all = schemes.map((each) => `${each}://`);
  const known = `${all.slice(0, -1).join(", ")} or ${all.at(-1)}`;
  // What lacks nothing but its scheme.
  const isHostAndPort = /^(?:\[[\da-f:.]+\]|[\w.-]+):\d+$/i.test(address);
  throw new UsageError(`${what} must begin with ${known}, got "${address}"`, {
    hint: isHostAndPort ? `Did you mean ${schemes[0]}://${address}?` : undefined,
  });
}
