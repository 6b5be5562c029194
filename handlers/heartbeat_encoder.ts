/**
 * Heartbeats to the wire.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext, ChannelPromise } from "../pipeline/mod.ts";
import { Heartbeat } from "./heartbeat/heartbeat.ts";
import type { HeartbeatFormat } from "./heartbeat/heartbeat_format.ts";
import { messagePackFormat } from "./heartbeat/message_pack_format.ts";
import { withAcknowledgement } from "./session/_acknowledgements.ts";

/**
 * Options of {@linkcode HeartbeatEncoder} and {@linkcode HeartbeatDecoder};
 * both must have the same.
 *
 * @example The same at both ends of the pipeline
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, Heartbeat, HeartbeatDecoder, HeartbeatEncoder } from "@longlink/pipeline";
 * import { type HeartbeatFormatOptions, rawFormat } from "@longlink/pipeline";
 *
 * const options: HeartbeatFormatOptions = { format: rawFormat({ ping: "ping", pong: "pong" }) };
 * const channel = new EmbeddedChannel({
 *   keepsMessages: true,
 *   handlers: [new HeartbeatDecoder(options), new HeartbeatEncoder(options)],
 * });
 * channel.writeOutbound(new Heartbeat("ping"));
 * assertEquals(channel.readOutbound(), "ping");
 * ```
 */
export interface HeartbeatFormatOptions {
  /** How heartbeats look on the wire. Default: {@linkcode messagePackFormat}. */
  readonly format?: HeartbeatFormat;
}

/**
 * Turns each written {@linkcode Heartbeat} into a message of its format and
 * passes everything else on. Has no state, so one may serve many channels.
 *
 * Its default makes 9 bytes, 10 with the length of a varint frame.
 *
 * @example A ping on the wire
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, Heartbeat, HeartbeatEncoder } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ handlers: [new HeartbeatEncoder()] });
 * channel.writeOutbound(new Heartbeat("ping", { timeMs: 240_000, sequence: 1 }));
 * assertEquals((channel.readOutbound() as Uint8Array).length, 9);
 * ```
 */
export class HeartbeatEncoder implements ChannelHandler {
  /** It has no state. */
  readonly isSharable = true;
  readonly #format: HeartbeatFormat;

  /**
   * Makes an encoder.
   *
   * @param options The format.
   */
  constructor(options: HeartbeatFormatOptions = {}) {
    this.#format = options.format ?? messagePackFormat();
  }

  /** The format it encodes to. */
  get format(): HeartbeatFormat {
    return this.#format;
  }

  /**
   * Encodes heartbeats.
   *
   * @throws {TypeError} (as the write's failure) If the format has no such kind.
   */
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    if (!(message instanceof Heartbeat)) {
      context.write(message, promise);
      return;
    }
    const heartbeat = this.#format.carriesFields ? withAcknowledgement(context.pipeline, message) : message;
    const encoded = this.#format.encode(heartbeat);
    if (encoded === undefined) {
      throw new TypeError(
        `Cannot encode the heartbeat: the format "${this.#format.name}" has no ${message.kind}`,
      );
    }
    context.write(encoded, promise);
  }
}
