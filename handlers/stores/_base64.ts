/**
 * Bytes as text (RFC 4648), in what every runtime has: `Uint8Array.toBase64()`
 * is newer than the oldest browsers and the oldest Node that are to work.
 *
 * @module
 */

/** How many bytes become arguments of one call: all at once would overflow the stack. */
const CHUNK_BYTES = 8_192;

/** Bytes to text. */
export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK_BYTES));
  }
  return btoa(binary);
}

/**
 * Text to bytes.
 *
 * @throws {DOMException} If it is no base64.
 */
export function fromBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
