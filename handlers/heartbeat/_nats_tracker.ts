/**
 * Follows one link of a NATS client.
 *
 * @module
 */

import { PeerError, type WireMessage } from "../../pipeline/mod.ts";
import { DecodeError, FollowError } from "../errors.ts";
import { AwaitedPongs, bytesOf } from "./_awaited_pongs.ts";
import { Heartbeat } from "./heartbeat.ts";
import { type NatsLine, NatsLines } from "./_nats_lines.ts";
import type { ProtocolPart, ProtocolTracker } from "./protocol_format.ts";
import { textForBytes, TLS_HANDSHAKE, tlsWithin } from "./_unfollowable.ts";

const PING = "PING\r\n";
const PONG = "PONG\r\n";
/** What a server says to a client that it has accepted. */
const ACCEPTED: readonly string[] = ["PONG", "+OK", "MSG", "HMSG"];

/** Tells the server's answers to our pings from all else. */
export class NatsTracker implements ProtocolTracker {
  readonly #outbound = new NatsLines();
  readonly #inbound = new NatsLines("-ERR");
  readonly #awaited = new AwaitedPongs();
  #state: "new" | "connecting" | "ready" | "over" = "new";
  /** The beginning of what may be an answer to us, which is held back. */
  #held: Uint8Array | undefined = undefined;

  get mayPing(): boolean {
    return this.#state === "ready" && this.#outbound.isBetween;
  }

  sent(message: WireMessage): Error | undefined {
    if (this.#state === "over") return undefined;
    const bytes = bytesOf(message);
    if (this.#state === "new" && this.#outbound.isBetween && bytes[0] === TLS_HANDSHAKE) {
      return this.#giveUp(tlsWithin("nats"));
    }
    try {
      for (let at = 0;;) {
        const line = this.#outbound.next(bytes, at);
        if (line === undefined) return undefined;
        at = line.end;
        if (line.operation === "PING") this.#awaited.client();
        else if (line.operation === "CONNECT" && this.#state === "new") this.#state = "connecting";
      }
    } catch (error) {
      return this.#giveUp(new FollowError("nats", (error as Error).message));
    }
  }

  ping(): Uint8Array {
    this.#awaited.ours();
    return bytesOf(PING);
  }

  received(message: WireMessage): readonly ProtocolPart[] {
    if (typeof message === "string") return [textForBytes("nats", message)];
    const parts: ProtocolPart[] = [];
    let from = 0;
    let at = 0;
    const pass = (to: number) => {
      if (this.#held !== undefined && to > 0) {
        parts.push(this.#held);
        this.#held = undefined;
      }
      if (to > from) parts.push(from === 0 && to === message.length ? message : message.subarray(from, to));
      from = to;
    };
    try {
      for (;;) {
        const line = this.#inbound.next(message, at);
        if (line === undefined) break;
        at = line.end;
        if (line.operation === "PONG") {
          if (this.#awaited.isOurs) {
            // A line of odd length was not held back, so its beginning is with the client already.
            if (line.start < 0 && this.#held === undefined) pass(at);
            else pass(Math.max(0, line.start));
            this.#held = undefined;
            from = at;
            parts.push(new Heartbeat("pong"));
          }
          this.#awaited.answered();
        }
        const part = this.#partOf(line);
        if (part !== undefined) {
          pass(at);
          parts.push(part);
        }
      }
    } catch (error) {
      return [...parts, new DecodeError("frame", (error as Error).message)];
    }
    const { begun, begunBytes } = this.#inbound;
    const mayBeOurs = this.#awaited.isOurs && begun !== "" && begunBytes < PONG.length &&
      PONG.startsWith(begun.toUpperCase());
    if (!mayBeOurs) pass(message.length);
    else this.#hold(message, pass);
    return parts;
  }

  rest(): Uint8Array | undefined {
    return this.#held;
  }

  /** Passes on all but the line that has begun. */
  #hold(message: Uint8Array, pass: (to: number) => void): void {
    const start = message.length - this.#inbound.begunBytes;
    if (start >= 0) {
      pass(start);
      this.#held = message.slice(start);
    } else {
      const held = this.#held!;
      this.#held = new Uint8Array(held.length + message.length);
      this.#held.set(held);
      this.#held.set(message, held.length);
    }
  }

  #partOf({ operation, text }: NatsLine): ProtocolPart | undefined {
    if (this.#state === "connecting" && ACCEPTED.includes(operation)) {
      this.#state = "ready";
      return { type: "protocolReady" };
    }
    if (operation !== "-ERR") return undefined;
    const reason = text.slice("-ERR".length).trim().replace(/^'(.*)'$/, "$1");
    return new PeerError(`The server says: ${reason}`, { protocol: "nats", reason });
  }

  #giveUp(error: Error): Error {
    this.#state = "over";
    return error;
  }
}
