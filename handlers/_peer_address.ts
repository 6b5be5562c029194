/**
 * Whose a link is, as far as its address tells.
 *
 * @module
 */

import { ipv6Prefix } from "./_ipv6_prefix.ts";

/** An IPv4 address that comes in by a socket for IPv6. */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * The part of an address that is one customer's: all of an IPv4 address, and
 * the first 64 bits of an IPv6 one, of which everybody has 2^64 to choose from.
 *
 * @param address A link's other end, as a URL.
 * @returns That part, or undefined if it is no IP address, or this machine's
 *   own: a proxy in front of the server, behind which are all clients.
 */
export function customerOf(address: string): string | undefined {
  const [, v6, v4] =
    /^[\w+.-]+:\/\/(?:\[([^\]%]+)[^\]]*\]|(\d+\.\d+\.\d+\.\d+))(?::\d+)?(?:\/|$)/.exec(address) ??
      [];
  const dotted = v4 ?? MAPPED.exec(v6 ?? "")?.[1];
  if (dotted !== undefined) return dotted.startsWith("127.") ? undefined : dotted;
  if (v6 === undefined || v6 === "::1") return undefined;
  return `${ipv6Prefix(v6)}::/64`;
}
