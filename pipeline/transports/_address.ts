/**
 * Addresses as URLs.
 *
 * @module
 */

import { withoutSecrets } from "../_without_secrets.ts";

/** Where to connect to, or listen. */
export interface HostPort {
  /** The scheme, in lower case, without colon. */
  readonly scheme: string;
  /** Name or IP address, an IPv6 one without its brackets. */
  readonly host: string;
  /** Port, 0 to 65535. */
  readonly port: number;
}

/**
 * Takes `scheme://host:port` apart.
 *
 * @param address The address.
 * @param schemes What the scheme may be.
 * @param lowestPort 1 to connect to, 0 to listen on (any free port).
 * @throws {TypeError} If it is anything else.
 */
export function parseHostPort(address: string, schemes: readonly string[], lowestPort: 0 | 1): HostPort {
  const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(address) ?? [];
  if (!schemes.includes(scheme.toLowerCase())) {
    throw cannotParse(address, `it must begin with ${schemes.map((each) => `${each}://`).join(" or ")}`);
  }
  if (/[\s/?#@]/.test(rest)) throw cannotParse(address, "only a host and a port may follow the scheme");
  const [, bracketed, plain, portText] = /^(?:\[([0-9a-f:.%a-z]+)\]|([^:[\]]+))(?::(.*))?$/i.exec(rest) ?? [];
  const host = bracketed ?? plain;
  // What no resolver can know would be looked up again and again by a handler that reconnects.
  const asUrlHost = bracketed === undefined ? plain : `[${bracketed.replace(/%.*$/, "")}]`;
  if (host === undefined || !URL.canParse(`http://${asUrlHost}/`)) {
    throw cannotParse(address, "the host is missing or malformed (IPv6 needs brackets)");
  }
  if (portText === undefined || portText === "") throw cannotParse(address, "the port is missing");
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : NaN;
  if (!(port >= lowestPort && port <= 65535)) {
    throw cannotParse(address, `the port must be a number from ${lowestPort} to 65535, not ${portText}`);
  }
  return { scheme: scheme.toLowerCase(), host, port };
}

/** The address of an end that the platform named, or "" where it did not. */
export function endAddress(scheme: string, host: string | undefined, port: number | undefined): string {
  if (host === undefined || port === undefined) return "";
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** The error for an address that makes no sense. */
export function cannotParse(address: string, detail: string): TypeError {
  return new TypeError(`Cannot parse the address "${withoutSecrets(address)}": ${detail}`);
}
