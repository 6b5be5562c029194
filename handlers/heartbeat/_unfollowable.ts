/**
 * Streams that heartbeats cannot be put into.
 *
 * @module
 */

import { DecodeError, FollowError } from "../errors.ts";

/** First byte of a TLS handshake record. */
export const TLS_HANDSHAKE = 0x16;

/** The client speaks TLS by itself, where the transport should. */
export function tlsWithin(protocol: string): FollowError {
  return new FollowError(protocol, "it encrypts within the stream; let the transport do that (tls://)");
}

/** Text came on a link of bytes: it is what some proxies and brokers say in place of an answer. */
export function textForBytes(protocol: string, text: string): DecodeError {
  const start = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  return new DecodeError(
    "frame",
    `the ${protocol} peer sent text where bytes are due: ${JSON.stringify(start)}`,
  );
}
