/**
 * The error of a server's limits.
 *
 * @module
 */

/**
 * A peer went beyond a limit of the server, and its link was ended. The
 * handler that found it passes it on as `exceptionCaught`, once per link.
 *
 * @example The limit is a field
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { LimitError } from "@longlink/pipeline";
 *
 * const error = new LimitError("maxPerAddress", 101, 100);
 * assertEquals(error.limit, "maxPerAddress");
 * assertEquals(error.message, "Cannot keep the link: maxPerAddress is 100, it came to 101");
 * ```
 */
export class LimitError extends Error {
  /** The option that is the limit. */
  readonly limit: string;
  /** How much it came to; ms where it is a time. */
  readonly value: number;
  /** How much it may be. */
  readonly most: number;

  /**
   * Makes the error.
   *
   * @param limit The option that is the limit.
   * @param value How much it came to.
   * @param most How much it may be.
   * @param options Standard error options.
   */
  constructor(limit: string, value: number, most: number, options?: ErrorOptions) {
    super(`Cannot keep the link: ${limit} is ${most}, it came to ${value}`, options);
    this.name = "LimitError";
    this.limit = limit;
    this.value = value;
    this.most = most;
  }
}
