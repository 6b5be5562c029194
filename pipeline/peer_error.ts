/**
 * What a peer said before it ended a link.
 *
 * @module
 */

/**
 * What is known of a {@linkcode PeerError}.
 *
 * @example A format that reports what its peer said
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { PeerError, type PeerErrorFields } from "@longlink/pipeline";
 *
 * const refused = (fields: PeerErrorFields) => new PeerError(`The peer said: ${fields.reason}`, fields);
 * const error = refused({ protocol: "chat", code: 7, reason: "banned" });
 * assertEquals([error.message, error.code], ["The peer said: banned", 7]);
 * ```
 */
export interface PeerErrorFields {
  /** In which protocol it was said: `websocket`, `mqtt`, `nats`, `xmpp`, ... */
  readonly protocol: string;
  /** The protocol's code for it, where there is one. */
  readonly code?: number | string;
  /** The peer's own words, or what its code stands for. */
  readonly reason: string;
}

/**
 * The peer refused something or ended the link, and said why. Compare
 * `error.name` where two copies of the package may meet.
 *
 * @example Reading the reason
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { PeerError } from "@longlink/pipeline";
 *
 * const error = new PeerError("The peer closed with code 1008: too fast", {
 *   protocol: "websocket",
 *   code: 1008,
 *   reason: "too fast",
 * });
 * assertEquals(error.code, 1008);
 * assertEquals(error.reason, "too fast");
 * ```
 */
export class PeerError extends Error {
  /** In which protocol it was said. */
  readonly protocol: string;
  /** The protocol's code for it, where there is one. */
  readonly code: number | string | undefined;
  /** The peer's own words, or what its code stands for. */
  readonly reason: string;

  /**
   * Makes the error.
   *
   * @param message What happened, with the reason in it.
   * @param fields Who said what.
   * @param options Standard error options; `cause` is the platform's error.
   */
  constructor(message: string, fields: PeerErrorFields, options?: ErrorOptions) {
    super(message, options);
    this.name = "PeerError";
    this.protocol = fields.protocol;
    this.code = fields.code;
    this.reason = fields.reason;
  }
}
