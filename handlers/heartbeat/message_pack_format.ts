/**
 * The default format of heartbeats.
 *
 * @module
 */

import { decodeHeartbeat, encodeHeartbeat } from "./_heartbeat_bytes.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { HeartbeatFormat } from "./heartbeat_format.ts";

const FORMAT: HeartbeatFormat = Object.freeze<HeartbeatFormat>({
  name: "messagepack",
  kinds: Object.freeze(
    ["ping", "pong", "hold", "void", "hello", "scout", "goAway", "advice", "unknown"] as const,
  ),
  carriesFields: true,
  encode: encodeHeartbeat,
  // A MessagePackCodec nearer to the head has decoded it already.
  decode: (message) =>
    message instanceof Uint8Array
      ? decodeHeartbeat(message)
      : message instanceof Heartbeat
      ? message
      : undefined,
});

/**
 * The default format: a MessagePack ext of 9 bytes, with a varint frame's
 * length 10 bytes in all. docs/protocol.md has it bit by bit.
 *
 * @returns The format. Always the same object, it has no state.
 *
 * @example A ping that announces up to 240 s of silence
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Heartbeat, messagePackFormat } from "@longlink/pipeline";
 *
 * const bytes = messagePackFormat().encode(new Heartbeat("ping", { timeMs: 240_000, sequence: 1 }));
 * assertEquals(bytes, new Uint8Array([0xc7, 6, 0x4c, 0x00, 0x4b, 0x00, 0x04, 0x00, 0x00]));
 * assertEquals(messagePackFormat().decode(bytes)?.timeMs, 240_000);
 * ```
 */
export function messagePackFormat(): HeartbeatFormat {
  return FORMAT;
}
