/**
 * Heartbeats of NATS.
 *
 * @module
 */

import { Heartbeat } from "./heartbeat.ts";
import { NatsTracker } from "./_nats_tracker.ts";
import type { ProtocolFormat } from "./protocol_format.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const FORMAT: ProtocolFormat = Object.freeze<ProtocolFormat>({
  name: "nats",
  kinds: Object.freeze(["ping", "pong"] as const),
  carriesFields: false,
  encode: ({ kind }) =>
    kind === "ping" || kind === "pong" ? encoder.encode(`${kind.toUpperCase()}\r\n`) : undefined,
  decode: (message) => {
    if (!(message instanceof Uint8Array) || message.length !== 6) return undefined;
    const [, kind] = /^(PING|PONG)\r\n$/i.exec(decoder.decode(message)) ?? [];
    return kind === undefined ? undefined : new Heartbeat(kind.toLowerCase() as "ping" | "pong");
  },
  track: () => new NatsTracker(),
});

/**
 * PING and PONG of the NATS client protocol, for the link of a NATS client over
 * TCP, TLS or WebSocket. Pings go out between two of the client's lines, once
 * the server has accepted it. The PONGs that answer them are taken out of what
 * the server sends; everything else passes byte by byte: the server's own PINGs,
 * which the client answers, and the PONGs to the client's PINGs, with which it
 * flushes.
 *
 * What the server says with `-ERR` reaches the client, and the pipeline as a
 * `PeerError`. A client that encrypts within a plain stream cannot be followed:
 * let the transport encrypt.
 *
 * @returns The format. Always the same object, it has no state.
 *
 * @example Six bytes
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Heartbeat, natsFormat } from "@longlink/pipeline";
 *
 * assertEquals(natsFormat().encode(new Heartbeat("ping")), new TextEncoder().encode("PING\r\n"));
 * assertEquals(natsFormat().decode(new TextEncoder().encode("PONG\r\n"))?.kind, "pong");
 * ```
 */
export function natsFormat(): ProtocolFormat {
  return FORMAT;
}
