/**
 * The error of a store that holds something which is no session.
 *
 * @module
 */

import { shown } from "./_session_record.ts";

/**
 * What a store holds under a session's key is none: it is damaged, or of
 * another version. The session counts as not there; what is there stays until
 * it is replaced or expires.
 *
 * @example The key is a field
 * ```ts
 * import { assertEquals, assertInstanceOf } from "@std/assert";
 * import { UnusableSessionError } from "@longlink/pipeline";
 *
 * const error = new UnusableSessionError("phone", "its version must be 1, got 2");
 * assertEquals(error.key, "phone");
 * assertInstanceOf(error, TypeError);
 * assertEquals(
 *   error.message,
 *   'Cannot use what is stored of the session "phone": its version must be 1, got 2',
 * );
 * ```
 */
export class UnusableSessionError extends TypeError {
  /** The session's key in its store. */
  readonly key: string;

  /**
   * Makes the error.
   *
   * @param key The session's key in its store.
   * @param problem What is wrong with it: never the token, which whoever reads the error must not learn.
   * @param options Standard error options; `cause` is an error below it.
   */
  constructor(key: string, problem: string, options?: ErrorOptions) {
    super(`Cannot use what is stored of the session ${shown(key)}: ${problem}`, options);
    this.name = "UnusableSessionError";
    this.key = key;
  }
}
