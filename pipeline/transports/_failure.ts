/**
 * What a platform's error means.
 *
 * @module
 */

import type { LinkDownReason } from "../link_event.ts";
import { ConnectError } from "../errors.ts";

/** By Node's error code, or by the name of Deno's error class. */
const RESETS: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "AbortError",
  "BrokenPipe",
  "ConnectionAborted",
  "ConnectionReset",
]);

const DETAILS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "the address is in use",
  AddrInUse: "the address is in use",
  EADDRNOTAVAIL: "the address is not available",
  EAI_AGAIN: "the name cannot be resolved just now",
  ECONNREFUSED: "connection refused",
  ConnectionRefused: "connection refused",
  ECONNRESET: "connection reset",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ENOTFOUND: "host not found",
  ETIMEDOUT: "timed out",
};

/** Why a link went down that failed with this error. */
export function reasonOf(error: unknown): LinkDownReason {
  return RESETS.has(codeOf(error)) ? "reset" : "error";
}

/** What went wrong, in a few words. */
export function detailOf(error: unknown): string {
  return DETAILS[codeOf(error)] ?? asError(error, "unknown failure").message;
}

/** The error, or one that carries what was thrown instead of an error. */
export function asError(thrown: unknown, message: string): Error {
  return thrown instanceof Error ? thrown : new Error(message, { cause: thrown });
}

/** The error of a try that was given up. */
export function givenUp(address: string, signal: AbortSignal): ConnectError {
  return new ConnectError(address, "the try was given up", { cause: signal.reason });
}

function codeOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : String(name);
}
