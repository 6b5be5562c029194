/**
 * What the assertions take of `node:util`, for a page: they only show values.
 *
 * @module
 */

/** A value as text. */
export function inspect(value: unknown): string {
  try {
    return JSON.stringify(value, (_key, part) => typeof part === "bigint" ? `${part}n` : part) ??
      String(value);
  } catch {
    return String(value);
  }
}
