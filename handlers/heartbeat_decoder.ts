/**
 * Heartbeats from the wire.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext } from "../pipeline/mod.ts";
import type { Heartbeat } from "./heartbeat/heartbeat.ts";
import type { HeartbeatFormat } from "./heartbeat/heartbeat_format.ts";
import { messagePackFormat } from "./heartbeat/message_pack_format.ts";
import type { HeartbeatFormatOptions } from "./heartbeat_encoder.ts";
import { takeAcknowledgement } from "./session/_acknowledgements.ts";

/**
 * Turns each message that is a heartbeat into a {@linkcode Heartbeat} and
 * passes everything else on untouched. A malformed heartbeat is passed on as
 * `exceptionCaught`, counted, and drops the link with the reason `protocol`; a
 * kind of a later version is counted and ignored.
 *
 * @example Telling heartbeats from messages
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, Heartbeat, HeartbeatDecoder, messagePackFormat } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ handlers: [new HeartbeatDecoder()] });
 * channel.writeInbound(messagePackFormat().encode(new Heartbeat("pong", { sequence: 5 })));
 * assertEquals((channel.readInbound() as Heartbeat).sequence, 5);
 * ```
 */
export class HeartbeatDecoder implements ChannelHandler {
  /** It has no state of a channel, so one instance serves any number. */
  readonly isSharable = true;
  /** How many malformed heartbeats came, over all channels of this instance. */
  errors = 0;
  /** How many heartbeats of an unknown kind came, over all channels of this instance. */
  unknownKinds = 0;
  readonly #format: HeartbeatFormat;

  /**
   * Makes a decoder.
   *
   * @param options The format.
   */
  constructor(options: HeartbeatFormatOptions = {}) {
    this.#format = options.format ?? messagePackFormat();
  }

  /** Decodes heartbeats. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    let heartbeat: Heartbeat | undefined;
    try {
      heartbeat = this.#format.decode(message);
    } catch (error) {
      this.errors++;
      context.fireExceptionCaught(error);
      context.channel.drop("protocol", error as Error);
      return;
    }
    if (heartbeat === undefined) context.fireChannelRead(message);
    else if (heartbeat.kind === "unknown") this.unknownKinds++;
    else {
      if (this.#format.carriesFields) takeAcknowledgement(context.pipeline, heartbeat);
      context.fireChannelRead(heartbeat);
    }
  }
}
