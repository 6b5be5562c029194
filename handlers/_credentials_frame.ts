/**
 * The frame that carries credentials. docs/protocol.md is its specification.
 *
 * @module
 */

import { decodeMessagePack } from "./_msgpack_decode.ts";
import { encodeMessagePack } from "./_msgpack_encode.ts";

/** The one byte that no MessagePack value begins with, so that no message looks like this. */
const NEVER_USED = 0xc1;
/** Which of the frames that begin with that byte; sessions have the others. */
const CREDENTIALS = 0;
const HEADER_BYTES = 2;
const MAX_DEPTH = 16;

/**
 * Makes the frame.
 *
 * @throws {TypeError} If the credentials cannot be encoded.
 */
export function encodeCredentials(credentials: unknown): Uint8Array {
  const value = encodeMessagePack(credentials, MAX_DEPTH);
  const frame = new Uint8Array(HEADER_BYTES + value.length);
  frame[0] = NEVER_USED;
  frame[1] = CREDENTIALS;
  frame.set(value, HEADER_BYTES);
  return frame;
}

/** Whether a message is such a frame. */
export function isCredentials(message: unknown): message is Uint8Array {
  return message instanceof Uint8Array && message[0] === NEVER_USED && message[1] === CREDENTIALS;
}

/**
 * Reads the frame.
 *
 * @throws {DecodeError} If what follows the header is no MessagePack value.
 */
export function decodeCredentials(frame: Uint8Array): unknown {
  return decodeMessagePack(frame.subarray(HEADER_BYTES), MAX_DEPTH);
}
