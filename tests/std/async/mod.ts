/**
 * A stand-in for `@std/async` where JSR cannot be reached: the same names,
 * signatures and behaviour for what this project's tests use. Take the `links`
 * lines out of deno.json to use the original.
 *
 * @module
 */

export { deadline, type DeadlineOptions } from "./deadline.ts";
export { delay, type DelayOptions } from "./delay.ts";
