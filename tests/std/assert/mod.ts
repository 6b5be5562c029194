/**
 * A stand-in for `@std/assert` where JSR cannot be reached: the same names,
 * signatures and behaviour for what this project's tests use, built on
 * `node:assert` and `node:util`. Take the `links` lines out of deno.json to
 * use the original.
 *
 * @module
 */

export { AssertionError } from "./_error.ts";
export { assert, assertExists, assertFalse, assertInstanceOf, fail, unreachable } from "./basic.ts";
export {
  assertArrayIncludes,
  assertEquals,
  assertNotEquals,
  assertNotStrictEquals,
  assertStrictEquals,
  equal,
} from "./equal.ts";
export {
  assertAlmostEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "./number.ts";
export { assertMatch, assertNotMatch, assertStringIncludes } from "./string.ts";
export { assertIsError, assertRejects, assertThrows } from "./throws.ts";
