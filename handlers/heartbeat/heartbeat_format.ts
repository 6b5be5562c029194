/**
 * How heartbeats look on the wire.
 *
 * @module
 */

import type { WireMessage } from "../../pipeline/mod.ts";
import type { Heartbeat, HeartbeatKind } from "./heartbeat.ts";

/**
 * Turns heartbeats into messages and back. One format is one small stateless
 * object, so one serves any number of channels. It sees whole messages:
 * framing is another handler's work.
 *
 * @example A format for peers that say "?" and "!"
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Heartbeat, type HeartbeatFormat } from "@longlink/pipeline";
 *
 * const format: HeartbeatFormat = {
 *   name: "shout",
 *   kinds: ["ping", "pong"],
 *   carriesFields: false,
 *   encode: ({ kind }) => kind === "ping" ? "?" : kind === "pong" ? "!" : undefined,
 *   decode: (message) => message === "?" ? new Heartbeat("ping") : message === "!" ? new Heartbeat("pong") : undefined,
 * };
 * assertEquals(format.encode(new Heartbeat("ping")), "?");
 * assertEquals(format.decode("good morning"), undefined);
 * ```
 */
export interface HeartbeatFormat {
  /** Short name, for events and errors. */
  readonly name: string;
  /** The kinds that it can express. */
  readonly kinds: readonly HeartbeatKind[];
  /**
   * Whether time, sequence and acknowledgement survive the wire. Where they do
   * not, a pong's sequence says nothing about which ping it answers.
   */
  readonly carriesFields: boolean;
  /**
   * Says how a heartbeat looks.
   *
   * @param heartbeat Any heartbeat.
   * @returns The message, or undefined if this format has no such kind.
   */
  encode(heartbeat: Heartbeat): WireMessage | undefined;
  /**
   * Tells heartbeats from other messages.
   *
   * @param message Any inbound message, of any type.
   * @returns The heartbeat, or undefined if the message is none and is to be passed on.
   * @throws {DecodeError} If it is a heartbeat and malformed.
   */
  decode(message: unknown): Heartbeat | undefined;
}
