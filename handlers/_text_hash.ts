/**
 * A short name for a text that is not to be read.
 *
 * @module
 */

/** FNV-1a, 32 bits, in hexadecimal: keeps a text out of sight and no more, since who wants to can try out all. */
export function textHash(text: string): string {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return (value >>> 0).toString(16).padStart(8, "0");
}
