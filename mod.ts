/**
 * longlink keeps long connections alive: a Netty-style channel pipeline with
 * handlers that learn how long a network lets a link idle, beat just often
 * enough, notice within seconds that a link is dead, and bring it back.
 *
 * @module
 */

export * from "./pipeline/mod.ts";
export * from "./handlers/mod.ts";
