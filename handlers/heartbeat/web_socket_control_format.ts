/**
 * Heartbeats of WebSocket itself.
 *
 * @module
 */

import { ControlFrame } from "../../pipeline/mod.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { HeartbeatFormat } from "./heartbeat_format.ts";

const FORMAT: HeartbeatFormat = Object.freeze<HeartbeatFormat>({
  name: "websocket control",
  kinds: Object.freeze(["ping"] as const),
  carriesFields: true,
  encode: ({ kind, sequence }) =>
    kind === "ping" ? new ControlFrame("ping", Uint8Array.of(sequence >>> 8, sequence & 0xff)) : undefined,
  decode: (message) => {
    if (!(message instanceof ControlFrame) || message.kind !== "pong") return undefined;
    const sequence = message[0]! << 8 | message[1]!;
    // Another one's pong is no message either: a number that was never sent makes it a stray one.
    return message.length === 2 && sequence < 512 ? new Heartbeat("pong", { sequence }) : new Heartbeat(15);
  },
});

/**
 * Ping and pong frames of WebSocket (RFC 6455, section 5.5): any WebSocket
 * server answers them, whatever protocol is spoken above. The payload is the
 * heartbeat's number, which comes back; its time does not matter to the peer.
 *
 * Only for classes that can send them: `WebSocket` of npm's `ws`, so on Node,
 * and that of Bun. Browsers and Deno cannot, and a ping fails there.
 *
 * @returns The format. Always the same object, it has no state.
 *
 * @example A ping is a frame of its own kind
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { ControlFrame, Heartbeat, webSocketControlFormat } from "@longlink/pipeline";
 *
 * const ping = webSocketControlFormat().encode(new Heartbeat("ping", { sequence: 300 }));
 * assert(ping instanceof ControlFrame);
 * const pong = new ControlFrame("pong", ping);
 * assertEquals(webSocketControlFormat().decode(pong)?.sequence, 300);
 * ```
 */
export function webSocketControlFormat(): HeartbeatFormat {
  return FORMAT;
}
