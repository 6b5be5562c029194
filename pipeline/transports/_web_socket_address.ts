/**
 * What the WebSocket transports check alike.
 *
 * @module
 */

import { withoutSecrets } from "../_without_secrets.ts";
import { cannotParse } from "./_address.ts";

const DEFAULT_MAX_QUEUED_BYTES = 1024 * 1024;

/** @throws {RangeError} If it is not a positive number. */
export function checkedQueueBytes(maxQueuedBytes: number = DEFAULT_MAX_QUEUED_BYTES): number {
  if (maxQueuedBytes > 0) return maxQueuedBytes;
  throw new RangeError(
    `Cannot make a WebSocket transport: maxQueuedBytes must be above 0, not ${maxQueuedBytes}`,
  );
}

/** @throws {TypeError} If it is no WebSocket address. */
export function parse(address: string): URL {
  const url = urlOf(address);
  if (url === undefined) throw cannotParse(address, "it is no URL with a valid host and port");
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    throw cannotParse(address, "it must begin with ws:// or wss://");
  }
  if (url.hash !== "") throw cannotParse(address, "it must have no fragment (#...)");
  return url;
}

/** What may appear in errors: a user's name, a password and a ticket in the query may not. */
export function shown(url: URL): string {
  return withoutSecrets(`${url.protocol}//${url.host}${url.pathname === "/" ? "" : url.pathname}`);
}

/** Not by `URL.canParse`, which React Native does not have. */
function urlOf(address: string): URL | undefined {
  try {
    return new URL(address);
  } catch {
    return undefined;
  }
}
