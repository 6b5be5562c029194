/**
 * Heartbeats of Engine.IO, which is below Socket.IO.
 *
 * @module
 */

import type { WireMessage } from "../../pipeline/mod.ts";
import { checkedMs } from "../_checks.ts";
import type { ProtocolFormat, ProtocolPart, ProtocolTracker } from "./protocol_format.ts";

/**
 * What an {@linkcode engineIoFormat} knows beforehand.
 *
 * @example Where the connection begins with HTTP polling
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { engineIoFormat, type EngineIoFormatOptions } from "@longlink/pipeline";
 *
 * const options: EngineIoFormatOptions = { pingIntervalMs: 25_000, graceMs: 2_000 };
 * const [, event] = engineIoFormat(options).track().received("3probe"); // no handshake came on this link
 * assertEquals(event, { type: "serverPings", longestSilenceMs: 27_000 });
 * ```
 */
export interface EngineIoFormatOptions {
  /**
   * How much later than announced a ping of the server may come, in ms, 0 to
   * 600,000; at most the server's `pingTimeout`. Default: 5,000.
   */
  readonly graceMs?: number;
  /**
   * How often the server pings, in ms, 1 to 86,400,000. Needed where the
   * connection begins with HTTP polling, as the server then says it there.
   * Default: what the server says first, or unknown.
   */
  readonly pingIntervalMs?: number;
}

/**
 * Pings of Engine.IO 4, which come from the server: the client must not ask
 * (the server would end the link) and has answered by itself. What is gained is
 * that a ping which is missing is noticed `graceMs` after it was due, and not
 * after `pingTimeout` (20 s by default), and at once after the machine slept.
 * Where the WebSocket class can send control frames (npm's `ws`, so on Node),
 * `webSocketControlFormat()` is better: it asks.
 *
 * @param options What it knows beforehand.
 * @returns The format. It has no heartbeats of its own: see `keepAliveUnder()`.
 * @throws {RangeError} If a number is out of range.
 *
 * @example It cannot ask
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { engineIoFormat, Heartbeat } from "@longlink/pipeline";
 *
 * assertEquals(engineIoFormat().encode(new Heartbeat("ping")), undefined);
 * const open = '0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":25000,"pingTimeout":20000}';
 * assertEquals(engineIoFormat().track().received(open), [open, { type: "serverPings", longestSilenceMs: 30_000 }]);
 * ```
 */
export function engineIoFormat(options: EngineIoFormatOptions = {}): ProtocolFormat {
  const action = "make the Engine.IO format";
  const graceMs = checkedMs(action, "graceMs", options.graceMs ?? 5_000, 0, 600_000);
  const { pingIntervalMs } = options;
  if (pingIntervalMs !== undefined) checkedMs(action, "pingIntervalMs", pingIntervalMs, 1, 86_400_000);
  return {
    name: "engine.io",
    kinds: [],
    carriesFields: false,
    encode: () => undefined,
    decode: () => undefined,
    track: () => new EngineIoTracker(graceMs, pingIntervalMs),
  };
}

/** Looks for what the server says of its pings. */
class EngineIoTracker implements ProtocolTracker {
  readonly mayPing = false;
  readonly #graceMs: number;
  #pingIntervalMs: number | undefined;
  #isFirst = true;

  constructor(graceMs: number, pingIntervalMs: number | undefined) {
    this.#graceMs = graceMs;
    this.#pingIntervalMs = pingIntervalMs;
  }

  sent(): undefined {
    return undefined;
  }

  ping(): never {
    throw new TypeError("Cannot ping: a client of Engine.IO must not ask");
  }

  received(message: WireMessage): readonly ProtocolPart[] {
    if (!this.#isFirst || typeof message !== "string") return [message];
    this.#isFirst = false;
    const said = message.startsWith("0{") ? openedOf(message.slice(1)) : undefined;
    const { pingInterval = this.#pingIntervalMs, pingTimeout = Infinity } = said ?? {};
    if (pingInterval === undefined) return [message];
    const longestSilenceMs = pingInterval + Math.min(this.#graceMs, pingTimeout);
    return [message, { type: "serverPings", longestSilenceMs }];
  }

  rest(): undefined {
    return undefined;
  }
}

interface Opened {
  readonly pingInterval?: number;
  readonly pingTimeout?: number;
}

/** What a handshake says, or undefined if it makes no sense: that is for the client to refuse. */
function openedOf(json: string): Opened | undefined {
  try {
    const { pingInterval, pingTimeout } = JSON.parse(json);
    return pingInterval > 0 && pingTimeout >= 0 ? { pingInterval, pingTimeout } : undefined;
  } catch {
    return undefined;
  }
}
