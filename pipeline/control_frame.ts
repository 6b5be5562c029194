/**
 * What a transport sends besides messages.
 *
 * @module
 */

/**
 * What a {@linkcode ControlFrame} is for.
 *
 * @example Telling a pong from a message
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ControlFrame, type ControlFrameKind, EmbeddedChannel } from "@longlink/pipeline";
 *
 * const kinds: (ControlFrameKind | "message")[] = [];
 * const channel = new EmbeddedChannel({
 *   handlers: [{
 *     channelRead: (_context, message) => kinds.push(message instanceof ControlFrame ? message.kind : "message"),
 *   }],
 * });
 * channel.writeInbound(new ControlFrame("pong", new Uint8Array()), new Uint8Array([1]));
 * assertEquals(kinds, ["pong", "message"]);
 * ```
 */
export type ControlFrameKind = "ping" | "pong";

/**
 * A ping or pong of the transport itself, such as those of WebSocket (RFC 6455,
 * section 5.5), with its payload. Every WebSocket peer answers a ping with a
 * pong of the same payload, whatever is spoken above. It passes through a
 * pipeline as the bytes that it is; only a transport that has such frames tells
 * it from a message. Few do: of the WebSocket classes, those of npm's `ws` and
 * Bun.
 *
 * @example A ping that counts
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { ControlFrame } from "@longlink/pipeline";
 *
 * const ping = new ControlFrame("ping", new Uint8Array([1, 2]));
 * assert(ping instanceof Uint8Array);
 * assertEquals([ping.kind, ping.length], ["ping", 2]);
 * ```
 */
export class ControlFrame extends Uint8Array {
  /** What it is for. */
  readonly kind: ControlFrameKind;

  /**
   * Makes a frame of a copy of the payload.
   *
   * @param kind What it is for.
   * @param payload What it carries, at most 125 bytes.
   * @throws {RangeError} If the payload is longer.
   */
  constructor(kind: ControlFrameKind, payload: Uint8Array) {
    if (payload.length > 125) {
      throw new RangeError(
        `Cannot make the control frame: its payload must have at most 125 bytes, got ${payload.length}`,
      );
    }
    super(payload.length);
    this.set(payload);
    this.kind = kind;
  }

  /** Parts of a frame are plain bytes. */
  static get [Symbol.species](): Uint8ArrayConstructor {
    return Uint8Array;
  }
}
