/**
 * Which network a link runs on.
 *
 * @module
 */

import { ipv6Prefix } from "./_ipv6_prefix.ts";
import { textHash } from "./_text_hash.ts";

/**
 * What is looked at of a channel.
 *
 * @example A channel is one
 * ```ts
 * import { assertEquals, assertNotEquals } from "@std/assert";
 * import { EmbeddedChannel, type LocalEnd, networkIdentity } from "@longlink/pipeline";
 *
 * const identityOf = (end: LocalEnd) => networkIdentity(end, undefined);
 * assertEquals(identityOf(new EmbeddedChannel()), "default"); // it has no address
 * assertNotEquals(identityOf({ localAddress: "tcp://[2001:db8::1]:50000" }), "default");
 * ```
 */
export interface LocalEnd {
  /** This end's address, as the transport gives it; empty where it gives none. */
  readonly localAddress: string;
}

/**
 * What is looked at of a browser's `navigator.connection` (Network Information
 * API).
 *
 * @example As a browser tells it, or does not
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type ConnectionInfo, networkIdentity } from "@longlink/pipeline";
 *
 * const identityOf = (connection: ConnectionInfo) => networkIdentity({ localAddress: "" }, connection);
 * assertEquals(identityOf({ type: "wifi" }), "wifi");
 * assertEquals(identityOf({ type: "unknown" }), "default");
 * assertEquals(identityOf({}), "default"); // Chrome on a desktop
 * ```
 */
export interface ConnectionInfo {
  /** `wifi`, `cellular`, `ethernet` ...; undefined where the browser does not tell. */
  readonly type?: string;
}

/** Says nothing about which network it is. */
const UNTOLD: readonly unknown[] = [undefined, "unknown", "none", "other", "mixed"];
/** Where nothing tells networks apart, all are one. */
const DEFAULT = "default";

/**
 * Tells networks apart as well as the platform lets it, so that what was
 * learned of one is not used on another:
 *
 * - Where the transport knows its own address (TCP and TLS on Deno, Node and
 *   Bun): by the network part of that address, the first 24 bits of IPv4 or 64
 *   of IPv6. Two networks with the same private range are taken for one, and
 *   IPv4 and IPv6 of one network for two, which is right: they pass different
 *   boxes with different timeouts.
 * - Otherwise in browsers that give a connection type (Chrome on Android and
 *   ChromeOS): by that type. One Wi-Fi is not told from another.
 *   `effectiveType` is not used: it changes with the weather on one network.
 * - Otherwise all networks are one, `default`: Safari, Firefox, Chrome on a
 *   desktop.
 *
 * An application that knows more (a native shell that may read the name of the
 * Wi-Fi, a carrier's code) should say so: `keepAlive({ network: () => name })`.
 * A mix-up is noticed: the first beat at the wrong interval fails, and a safe
 * one is used from then on.
 *
 * The address is hashed (FNV-1a, 32 bits), so that no store holds one in
 * clear. That keeps it out of sight and no more: who wants to can try out all
 * addresses.
 *
 * @param end The channel, or what it would say.
 * @param connection What the browser says. Default: `navigator.connection`.
 * @returns The identity: short plain text.
 *
 * @example By what there is
 * ```ts
 * import { assertEquals, assertNotEquals } from "@std/assert";
 * import { networkIdentity } from "@longlink/pipeline";
 *
 * const home = networkIdentity({ localAddress: "tcp://192.168.1.23:50000" });
 * assertEquals(networkIdentity({ localAddress: "tcp://192.168.1.99:41234" }), home);
 * assertNotEquals(networkIdentity({ localAddress: "tcp://10.0.7.2:50000" }), home);
 * assertEquals(networkIdentity({ localAddress: "" }, { type: "cellular" }), "cellular");
 * assertEquals(networkIdentity({ localAddress: "" }, undefined), "default");
 * ```
 */
export function networkIdentity(
  end: LocalEnd,
  connection: ConnectionInfo | undefined = connectionHere(),
): string {
  const prefix = networkPart(end.localAddress);
  if (prefix !== undefined) return `net-${textHash(prefix)}`;
  const type = connection?.type;
  return type === undefined || UNTOLD.includes(type) ? DEFAULT : type;
}

/** Not in the types of all runtimes, since not all browsers have it. */
function connectionHere(): ConnectionInfo | undefined {
  return (globalThis.navigator as { readonly connection?: ConnectionInfo } | undefined)?.connection;
}

/** The part of an address that all hosts of its network share; undefined if it is none of IP. */
function networkPart(address: string): string | undefined {
  const [, v6, v4] = /^\w+:\/\/(?:\[([^\]%]+)[^\]]*\]|(\d+\.\d+\.\d+)\.\d+)(?::\d+)?$/.exec(address) ?? [];
  if (v6 === undefined) return v4;
  const mapped = /^::ffff:(\d+\.\d+\.\d+)\.\d+$/i.exec(v6);
  if (mapped) return mapped[1];
  return ipv6Prefix(v6);
}
