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
  const { v4, v6 } = ipOf(address);
  return v4 ?? (v6 && `${ipv6Prefix(v6)}::/64`);
}

/**
 * The part of an address that tells what network a link comes out of: the
 * first 24 bits of an IPv4 address, the first 48 of an IPv6 one, which is
 * usually all of one site.
 *
 * @param address A link's other end, as a URL.
 * @returns That part, or undefined as for {@linkcode customerOf}.
 */
export function peerNetworkOf(address: string): string | undefined {
  const { v4, v6 } = ipOf(address);
  if (v4 !== undefined) return `${v4.slice(0, v4.lastIndexOf("."))}.0/24`;
  return v6 && `${ipv6Prefix(v6).split(":").slice(0, 3).join(":")}::/48`;
}

/** The IP address in a URL, unless it is this machine's own. */
function ipOf(address: string): { readonly v4?: string; readonly v6?: string } {
  const [, v6, v4] =
    /^[\w+.-]+:\/\/(?:\[([^\]%]+)[^\]]*\]|(\d+\.\d+\.\d+\.\d+))(?::\d+)?(?:\/|$)/.exec(address) ??
      [];
  const dotted = v4 ?? MAPPED.exec(v6 ?? "")?.[1];
  if (dotted !== undefined) return dotted.startsWith("127.") ? {} : { v4: dotted };
  return v6 === "::1" ? {} : { v6 };
}
