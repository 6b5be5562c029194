/**
 * The link of another protocol's client, with a handler of heartbeats on it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { EmbeddedChannel } from "../../../pipeline/mod.ts";
import { Heartbeat, type ProtocolFormat, ProtocolHeartbeatHandler } from "../../../handlers/mod.ts";
import { anyCuts, cut, join } from "../../fuzz/_wire.ts";
import { Collector } from "../_rig.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The bytes of a text, or the bytes. */
export function bytes(data: string | readonly number[] | Uint8Array): Uint8Array {
  return typeof data === "string" ? encoder.encode(data) : Uint8Array.from(data);
}

/** The link, as the client above, the server and the pipeline see it. */
export class ProtocolLink {
  readonly channel: EmbeddedChannel;
  readonly collector = new Collector();

  constructor(format: ProtocolFormat, options: { readonly keepsMessages?: boolean } = {}) {
    this.channel = new EmbeddedChannel({
      ...options,
      handlers: [new ProtocolHeartbeatHandler(format), this.collector],
    });
    this.collector.events.length = 0;
  }

  /** What the client sends. */
  send(...data: (string | readonly number[] | Uint8Array)[]): void {
    for (const each of data) this.channel.writeOutbound(this.channel.keepsMessages ? each : bytes(each));
  }

  /** What the server sends. */
  receive(...data: (string | readonly number[] | Uint8Array)[]): void {
    for (const each of data) this.channel.writeInbound(this.channel.keepsMessages ? each : bytes(each));
  }

  /** Asks for a ping; whether it goes out at once shows in what is sent. */
  ping(sequence = 0): void {
    this.channel.pipeline.writeAndFlush(new Heartbeat("ping", { sequence })).onSettled(() => {});
  }

  /** What the server got since the last time, as text. */
  sentText(): string {
    return text(this.channel.drainOutbound());
  }

  /** What the client got since the last time, as text, and how many heartbeats the pipeline got. */
  received(): { text: string; pongs: number } {
    const all = this.channel.drainInbound();
    const messages = all.filter((message) => !(message instanceof Heartbeat));
    return { text: text(messages), pongs: all.length - messages.length };
  }

  /** The types of the events since the last time. */
  events(): string[] {
    return this.collector.events.splice(0).map(({ type }) => type);
  }
}

function text(messages: unknown[]): string {
  return decoder.decode(join(messages.map((message) => bytes(message as string | Uint8Array))));
}

/** One part of what a server sends. */
export interface Part {
  readonly data: Uint8Array;
  /** Whether it answers a ping of ours, one of the client's, or nothing. */
  readonly answers: "ours" | "client" | "nothing";
}

/**
 * Whatever a server sends, and however it is cut, the client gets all of it but
 * the answers to our pings, byte by byte, and the pipeline gets those.
 */
export function assertTransparent(
  format: ProtocolFormat,
  shakeHands: (link: ProtocolLink) => void,
  clientPing: Uint8Array,
  anyPart: fc.Arbitrary<Part>,
): void {
  fc.assert(
    fc.property(fc.array(anyPart, { maxLength: 12 }), anyCuts, (parts, cuts) => {
      const link = new ProtocolLink(format);
      shakeHands(link);
      for (const { answers } of parts) {
        if (answers === "client") link.send(clientPing);
        else if (answers === "ours") link.ping();
      }
      link.channel.drainOutbound();
      link.channel.drainInbound();
      for (const chunk of cut(join(parts.map(({ data }) => data)), cuts)) link.receive(chunk);
      const all = link.channel.drainInbound();
      const isOurs = ({ answers }: Part) => answers === "ours";
      assertEquals(
        join(all.filter((message) => message instanceof Uint8Array)),
        join(parts.filter((part) => !isOurs(part)).map(({ data }) => data)),
      );
      const pongs = all.filter((message) => message instanceof Heartbeat);
      assertEquals(pongs.length, parts.filter(isOurs).length);
      assertEquals(link.channel.state, "active");
    }),
    { seed: 6, numRuns: 100 },
  );
}
