/**
 * Why an MQTT broker refuses a client or ends its link.
 *
 * @module
 */

/** CONNACK of 3.1.1 (section 3.2.2.3), then the codes of 5.0 from 0x80 on (section 2.4). */
const REASONS: Readonly<Record<number, string>> = {
  1: "unacceptable protocol version",
  2: "identifier rejected",
  3: "server unavailable",
  4: "bad user name or password",
  5: "not authorized",
  0x80: "unspecified error",
  0x81: "malformed packet",
  0x82: "protocol error",
  0x83: "implementation specific error",
  0x84: "unsupported protocol version",
  0x85: "client identifier not valid",
  0x86: "bad user name or password",
  0x87: "not authorized",
  0x88: "server unavailable",
  0x89: "server busy",
  0x8a: "banned",
  0x8b: "server shutting down",
  0x8c: "bad authentication method",
  0x8d: "keep alive timeout",
  0x8e: "session taken over",
  0x8f: "topic filter invalid",
  0x90: "topic name invalid",
  0x93: "receive maximum exceeded",
  0x94: "topic alias invalid",
  0x95: "packet too large",
  0x96: "message rate too high",
  0x97: "quota exceeded",
  0x98: "administrative action",
  0x99: "payload format invalid",
  0x9a: "retain not supported",
  0x9b: "QoS not supported",
  0x9c: "use another server",
  0x9d: "server moved",
  0x9f: "connection rate exceeded",
  0xa0: "maximum connect time",
};

/** What a code stands for. */
export function reasonOf(code: number): string {
  return REASONS[code] ?? `code 0x${code.toString(16).padStart(2, "0")}`;
}

const REASON_STRING = 0x1f;
const SERVER_KEEP_ALIVE = 0x13;
/** How many bytes the value of a property has, by its identifier (section 2.2.2.2); text and binary have a length. */
const SIZES: Readonly<Record<number, number>> = {
  0x11: 4,
  0x13: 2,
  0x21: 2,
  0x22: 2,
  0x24: 1,
  0x25: 1,
  0x27: 4,
  0x28: 1,
  0x29: 1,
  0x2a: 1,
};

/** What is wanted of the properties of a packet. */
export interface MqttProperties {
  /** The broker's own words. */
  reason?: string;
  /** The keep alive that counts in place of the client's, s. */
  keepAliveS?: number;
}

/**
 * Reads the properties of a packet of version 5, as far as they are whole.
 *
 * @param body The packet without its fixed header.
 * @param from Where the properties' length is.
 */
export function propertiesOf(body: Uint8Array, from: number): MqttProperties {
  const found: MqttProperties = {};
  let at = from;
  while (body[at]! >= 0x80) at++;
  at++;
  while (at + 2 < body.length) {
    const id = body[at++]!;
    if (id === SERVER_KEEP_ALIVE) found.keepAliveS = body[at]! << 8 | body[at + 1]!;
    const size = SIZES[id];
    if (size !== undefined) {
      at += size;
      continue;
    }
    // A user property has two texts.
    for (let texts = id === 0x26 ? 2 : 1; texts > 0; texts--) {
      const end = at + 2 + (body[at]! << 8 | body[at + 1]!);
      if (id === REASON_STRING) found.reason = new TextDecoder().decode(body.subarray(at + 2, end));
      at = end;
    }
  }
  return found;
}
