/**
 * The errors of the pipeline itself. Wrong arguments get a built-in class
 * (`TypeError`, `RangeError`); these few exist because callers want to tell
 * them apart. Compare `error.name` where two copies of the package may meet.
 *
 * @module
 */

import type { LinkDownReason } from "./link_event.ts";

/**
 * An operation came too late: the channel was closed for good.
 *
 * @example Telling a closed channel from other failures
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ChannelClosedError } from "@longlink/pipeline";
 *
 * const error = new ChannelClosedError("write");
 * assertEquals(error.message, "Cannot write: the channel is closed");
 * ```
 */
export class ChannelClosedError extends Error {
  /** What was attempted: `write`, `connect`, ... */
  readonly operation: string;

  /**
   * Makes the error.
   *
   * @param operation What was attempted, as a verb.
   * @param options Standard error options; `cause` tells why it was closed.
   */
  constructor(operation: string, options?: ErrorOptions) {
    super(`Cannot ${operation}: the channel is closed`, options);
    this.name = "ChannelClosedError";
    this.operation = operation;
  }
}

/**
 * An operation needs a link and there is none just now, or the link was lost
 * before the operation completed. The channel itself may come back.
 *
 * @example Reading the reason
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { LinkDownError } from "@longlink/pipeline";
 *
 * const error = new LinkDownError("write", "reset");
 * assertEquals(error.message, "Cannot write: the link is down (reset)");
 * ```
 */
export class LinkDownError extends Error {
  /** What was attempted: `write`, `flush`, ... */
  readonly operation: string;
  /** Why the link is down; `notConnected` if there never was one. */
  readonly reason: LinkDownReason | "notConnected";

  /**
   * Makes the error.
   *
   * @param operation What was attempted, as a verb.
   * @param reason Why the link is down.
   * @param options Standard error options.
   */
  constructor(operation: string, reason: LinkDownReason | "notConnected", options?: ErrorOptions) {
    super(`Cannot ${operation}: the link is down (${reason})`, options);
    this.name = "LinkDownError";
    this.operation = operation;
    this.reason = reason;
  }
}

/**
 * A link could not be established.
 *
 * @example The address is a field
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ConnectError } from "@longlink/pipeline";
 *
 * const error = new ConnectError("tcp://127.0.0.1:9", "connection refused");
 * assertEquals(error.address, "tcp://127.0.0.1:9");
 * assertEquals(error.message, "Cannot connect to tcp://127.0.0.1:9: connection refused");
 * ```
 */
export class ConnectError extends Error {
  /** The address that was tried. Never holds credentials. */
  readonly address: string;

  /**
   * Makes the error.
   *
   * @param address The address that was tried.
   * @param detail Why it failed, in a few words.
   * @param options Standard error options; `cause` is the platform's error.
   */
  constructor(address: string, detail: string, options?: ErrorOptions) {
    super(`Cannot connect to ${address}: ${detail}`, options);
    this.name = "ConnectError";
    this.address = address;
  }
}

/**
 * A handler broke the pipeline's rules: its `handlerAdded` or
 * `handlerRemoved` threw. The `cause` is what it threw.
 *
 * @example The handler is named
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { PipelineError } from "@longlink/pipeline";
 *
 * const error = new PipelineError("add", "chat", { cause: new Error("no") });
 * assertEquals(error.handlerName, "chat");
 * ```
 */
export class PipelineError extends Error {
  /** Name of the handler in its pipeline. */
  readonly handlerName: string;

  /**
   * Makes the error.
   *
   * @param action `add` or `remove`.
   * @param handlerName Name of the handler in its pipeline.
   * @param options Standard error options; `cause` is what it threw.
   */
  constructor(action: "add" | "remove", handlerName: string, options?: ErrorOptions) {
    super(`Cannot ${action} the handler "${handlerName}": it threw`, options);
    this.name = "PipelineError";
    this.handlerName = handlerName;
  }
}
