/**
 * Heartbeats of your own bytes.
 *
 * @module
 */

import type { WireMessage } from "../../pipeline/mod.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { HeartbeatFormat } from "./heartbeat_format.ts";

/**
 * What a {@linkcode rawFormat} looks like.
 *
 * @example A line end that nobody answers, as SIP has it
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Heartbeat, rawFormat, type RawFormatOptions } from "@longlink/pipeline";
 *
 * const options: RawFormatOptions = { ping: "\r\n\r\n" };
 * const format = rawFormat(options);
 * assertEquals(format.kinds, ["ping"]);
 * assertEquals(format.encode(new Heartbeat("ping")), "\r\n\r\n");
 * assertEquals(format.encode(new Heartbeat("pong")), undefined);
 * ```
 */
export interface RawFormatOptions {
  /** The whole message that is a ping: bytes, or text where the transport carries text. Not empty. */
  readonly ping: WireMessage;
  /** The whole message that is a pong. Default: there is none. */
  readonly pong?: WireMessage;
}

/**
 * A format for peers of another protocol whose heartbeats are always the same
 * message. They carry no time and no number, and there are no holds.
 *
 * @param options The messages.
 * @returns The format.
 * @throws {TypeError} If a message is empty, or both are the same.
 *
 * @example Pings of two bytes
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Heartbeat, rawFormat } from "@longlink/pipeline";
 *
 * const format = rawFormat({ ping: new Uint8Array([0xc0, 0]), pong: new Uint8Array([0xd0, 0]) });
 * assertEquals(format.encode(new Heartbeat("ping")), new Uint8Array([0xc0, 0]));
 * assertEquals(format.decode(new Uint8Array([0xd0, 0]))?.kind, "pong");
 * assertEquals(format.decode(new Uint8Array([0x30, 0])), undefined);
 * ```
 */
export function rawFormat(options: RawFormatOptions): HeartbeatFormat {
  const ping = own("ping", options.ping);
  const pong = options.pong === undefined ? undefined : own("pong", options.pong);
  if (pong !== undefined && isSame(ping, pong)) {
    throw new TypeError("Cannot make the raw format: ping and pong must differ, or a pong would be answered");
  }
  return {
    name: "raw",
    kinds: pong === undefined ? ["ping"] : ["ping", "pong"],
    carriesFields: false,
    encode: ({ kind }) =>
      kind === "ping" ? copy(ping) : kind === "pong" && pong !== undefined ? copy(pong) : undefined,
    decode: (message) =>
      isSame(ping, message)
        ? new Heartbeat("ping")
        : pong !== undefined && isSame(pong, message)
        ? new Heartbeat("pong")
        : undefined,
  };
}

/** A copy, which the caller cannot change later. */
function own(name: string, message: WireMessage): WireMessage {
  if (message.length > 0) return copy(message);
  throw new TypeError(`Cannot make the raw format: ${name} must not be empty`);
}

/** Whoever writes a message gives its bytes away. */
function copy(message: WireMessage): WireMessage {
  return typeof message === "string" ? message : message.slice();
}

function isSame(wanted: WireMessage, message: unknown): boolean {
  if (typeof wanted === "string") return message === wanted;
  return message instanceof Uint8Array && message.length === wanted.length &&
    message.every((byte, i) => byte === wanted[i]);
}
