/**
 * Heartbeats of MQTT.
 *
 * @module
 */

import { MqttTracker } from "./_mqtt_tracker.ts";
import type { ProtocolFormat } from "./protocol_format.ts";
import { rawFormat } from "./raw_format.ts";

const FORMAT: ProtocolFormat = Object.freeze<ProtocolFormat>({
  ...rawFormat({ ping: Uint8Array.of(0xc0, 0), pong: Uint8Array.of(0xd0, 0) }),
  name: "mqtt",
  track: () => new MqttTracker(),
});

/**
 * PINGREQ and PINGRESP of MQTT 3.1.1 and 5 (sections 3.12, 3.13), for the link
 * of an MQTT client over TCP, TLS or WebSocket. Pings go out between two of the
 * client's packets, from CONNACK to DISCONNECT. The answers to them are taken
 * out of what the broker sends; everything else passes byte by byte, also the
 * client's own PINGREQs and what answers them.
 *
 * Turn the client's own keep alive off (0 in its CONNECT), or both beat. A
 * broker then waits for ever for a client that is gone without a word, unless
 * its configuration says otherwise.
 *
 * A refusal in CONNACK and a DISCONNECT of the broker become a `PeerError` with
 * its code and reason, and so does a close after one and a half times the
 * client's keep alive without a packet (a second less, since brokers round down),
 * of which MQTT 3.1.1 gives no reason.
 *
 * @returns The format. Always the same object, it has no state.
 *
 * @example Two bytes
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Heartbeat, mqttFormat } from "@longlink/pipeline";
 *
 * assertEquals(mqttFormat().encode(new Heartbeat("ping")), new Uint8Array([0xc0, 0]));
 * assertEquals(mqttFormat().decode(new Uint8Array([0xd0, 0]))?.kind, "pong");
 * ```
 */
export function mqttFormat(): ProtocolFormat {
  return FORMAT;
}
