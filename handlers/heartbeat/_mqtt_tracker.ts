/**
 * Follows one link of an MQTT client.
 *
 * @module
 */

import { PeerError, type WireMessage } from "../../pipeline/mod.ts";
import { DecodeError, FollowError } from "../errors.ts";
import { AwaitedPongs, bytesOf } from "./_awaited_pongs.ts";
import { Heartbeat } from "./heartbeat.ts";
import { type MqttPacket, MqttPackets } from "./_mqtt_packets.ts";
import { propertiesOf, reasonOf } from "./_mqtt_reasons.ts";
import type { ProtocolPart, ProtocolTracker } from "./protocol_format.ts";
import { textForBytes, TLS_HANDSHAKE, tlsWithin } from "./_unfollowable.ts";

const CONNECT = 0x10;
const CONNACK = 0x20;
const PINGREQ = 0xc0;
const PINGRESP = 0xd0;
const DISCONNECT = 0xe0;

/** A broker closes a client that is silent for so many times its keep alive (MQTT 5, section 3.1.2.10). */
const KEEP_ALIVE_TIMES = 1.5;
/** Brokers count whole seconds and round down (Mosquitto), so they may be so much early, s. */
const EARLY_S = 1;

type State = "connecting" | "ready" | "over";

/** Tells the broker's answers to our pings from all else. */
export class MqttTracker implements ProtocolTracker {
  readonly #outbound = new MqttPackets([CONNECT]);
  readonly #inbound = new MqttPackets([CONNACK, DISCONNECT]);
  readonly #awaited = new AwaitedPongs();
  #state: State = "connecting";
  #version = 0;
  #keepAliveS = 0;
  /** Whether the first byte of what may be an answer to us is held back. */
  #holds = false;

  get mayPing(): boolean {
    return this.#state === "ready" && this.#outbound.isBetween;
  }

  sent(message: WireMessage): Error | undefined {
    if (this.#state === "over") return undefined;
    const bytes = bytesOf(message);
    if (this.#version === 0 && this.#outbound.isBetween && bytes[0] === TLS_HANDSHAKE) {
      return this.#giveUp(tlsWithin("mqtt"));
    }
    try {
      for (let at = 0;;) {
        const packet = this.#outbound.next(bytes, at);
        if (packet === undefined) return undefined;
        at = packet.end;
        if (this.#version === 0) {
          const error = this.#connecting(packet);
          if (error !== undefined) return this.#giveUp(error);
        } else if (packet.first === PINGREQ) this.#awaited.client();
        // Whoever has said goodbye must send no more (MQTT 5, section 3.14.4).
        else if (packet.first === DISCONNECT) this.#state = "over";
      }
    } catch (error) {
      return this.#giveUp(new FollowError("mqtt", (error as Error).message));
    }
  }

  ping(): Uint8Array {
    this.#awaited.ours();
    return Uint8Array.of(PINGREQ, 0);
  }

  received(message: WireMessage): readonly ProtocolPart[] {
    if (typeof message === "string") return [textForBytes("mqtt", message)];
    const parts: ProtocolPart[] = [];
    let from = 0;
    let at = 0;
    const pass = (to: number) => {
      if (this.#holds && to > 0) {
        parts.push(Uint8Array.of(PINGRESP));
        this.#holds = false;
      }
      if (to > from) parts.push(from === 0 && to === message.length ? message : message.subarray(from, to));
      from = to;
    };
    try {
      for (;;) {
        const packet = this.#inbound.next(message, at);
        if (packet === undefined) break;
        at = packet.end;
        if (packet.first === PINGRESP && packet.length === 0) {
          if (this.#awaited.isOurs) {
            pass(Math.max(0, packet.start));
            this.#holds = false;
            from = at;
            parts.push(new Heartbeat("pong"));
          }
          this.#awaited.answered();
          continue;
        }
        const part = this.#partOf(packet);
        if (part !== undefined) {
          pass(at);
          parts.push(part);
        }
      }
    } catch (error) {
      return [...parts, new DecodeError("frame", (error as Error).message)];
    }
    const mayBeOurs = this.#inbound.onlyByte === PINGRESP && this.#awaited.isOurs;
    pass(mayBeOurs ? message.length - 1 : message.length);
    if (mayBeOurs) this.#holds = true;
    return parts;
  }

  rest(): Uint8Array | undefined {
    return this.#holds ? Uint8Array.of(PINGRESP) : undefined;
  }

  ended(silentMs: number): PeerError | undefined {
    // A broker of version 5 says so itself, one of 3.1.1 just closes. A promise that was kept is not its reason.
    const patienceS = Math.max(this.#keepAliveS, KEEP_ALIVE_TIMES * this.#keepAliveS - EARLY_S);
    if (this.#keepAliveS === 0 || silentMs < 1000 * patienceS) return undefined;
    const reason = `keep alive timeout: nothing was sent for ${Math.round(silentMs / 1000)} s, ` +
      `the keep alive is ${this.#keepAliveS} s`;
    return new PeerError(`The broker closed the link: ${reason}`, { protocol: "mqtt", reason });
  }

  /** The client's first packet says which version is spoken, and the keep alive. */
  #connecting({ first, body }: MqttPacket): Error | undefined {
    if (first !== CONNECT || body.length < 10) {
      return new FollowError("mqtt", `it begins with 0x${first.toString(16)}, which is no CONNECT`);
    }
    const afterName = 2 + (body[0]! << 8 | body[1]!);
    this.#version = body[afterName]!;
    this.#keepAliveS = body[afterName + 2]! << 8 | body[afterName + 3]!;
    return undefined;
  }

  #partOf({ first, body }: MqttPacket): ProtocolPart | undefined {
    const type = first & 0xf0;
    if (type === CONNACK && this.#state === "connecting") {
      const { reason, keepAliveS } = this.#version >= 5 ? propertiesOf(body, 2) : {};
      const code = body[1]!;
      if (code !== 0) return refused("refused the client", code, reason);
      this.#keepAliveS = keepAliveS ?? this.#keepAliveS;
      this.#state = "ready";
      return { type: "protocolReady" };
    }
    if (type === DISCONNECT && body.length > 0 && body[0]! >= 0x80) {
      return refused("ended the link", body[0]!, propertiesOf(body, 1).reason);
    }
    return undefined;
  }

  #giveUp(error: Error): Error {
    this.#state = "over";
    return error;
  }
}

function refused(what: string, code: number, words: string | undefined): PeerError {
  const reason = words ?? reasonOf(code);
  const number = `0x${code.toString(16).padStart(2, "0")}`;
  return new PeerError(`The broker ${what}: ${reason} (${number})`, { protocol: "mqtt", code, reason });
}
