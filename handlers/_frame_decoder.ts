/**
 * What all frame decoders have in common.
 *
 * @module
 */

import type { ChannelHandlerContext } from "../pipeline/mod.ts";
import { DecodeError } from "./errors.ts";
import { type Framing, PartialFrame } from "./_partial_frame.ts";

/**
 * - `waiting`: nothing is being decoded.
 * - `decoding`: frames of a chunk are being handed on; more may come meanwhile.
 * - `ignoring`: the peer broke the protocol, or the link is down; nothing counts until a new link stands.
 */
type Mode = "waiting" | "decoding" | "ignoring";

/** What the reads since the last `channelReadComplete` brought. */
type Outcome = "nothing" | "bytesOnly" | "frames";

/**
 * Cuts a byte stream into frames, by the rules of Netty's
 * `ByteToMessageDecoder`. Owned by one public decoder, which hands its events
 * to the methods here.
 */
export class FrameDecoder {
  /** How often the peer broke the protocol. */
  errors = 0;
  /** How often a link went down in the middle of a frame. */
  truncated = 0;
  readonly #framing: Framing;
  #mode: Mode = "waiting";
  #outcome: Outcome = "nothing";
  /** Goes up with each link and on removal, so that a loop that was overtaken by either knows. */
  #epoch = 0;
  #partial: PartialFrame | undefined = undefined;
  /** Chunks that came while a frame was being handed on. */
  #later: Uint8Array[] | undefined = undefined;

  constructor(framing: Framing) {
    this.#framing = framing;
  }

  channelRead(context: ChannelHandlerContext, message: unknown): void {
    if (this.#mode === "ignoring") return;
    if (!(message instanceof Uint8Array)) {
      this.#outcome = "frames";
      context.fireChannelRead(message);
    } else if (context.channel.keepsMessages) {
      this.#passWhole(context, message);
    } else if (this.#mode === "decoding") {
      // A handler asked for more while it got a frame; the frames before must go first.
      (this.#later ??= []).push(message);
    } else {
      this.#decode(context, message);
    }
  }

  channelReadComplete(context: ChannelHandlerContext): void {
    const starved = this.#outcome === "bytesOnly" && this.#mode !== "ignoring";
    this.#outcome = "nothing";
    // Whoever asked for a message is still without one, and does not know that bytes came.
    if (starved && !context.channel.autoRead) context.read();
    context.fireChannelReadComplete();
  }

  channelActive(context: ChannelHandlerContext): void {
    this.#startOver("waiting");
    context.fireChannelActive();
  }

  channelInactive(context: ChannelHandlerContext): void {
    if (this.#partial !== undefined) this.truncated++;
    this.#startOver("ignoring");
    context.fireChannelInactive();
  }

  /** The decoder was taken out: what it holds goes on as plain bytes. */
  handlerRemoved(context: ChannelHandlerContext): void {
    if (this.#mode === "decoding") {
      // The loop that is handing on a frame right now passes the rest on, in order.
      this.#epoch++;
      return;
    }
    const partial = this.#partial;
    this.#startOver("waiting");
    if (partial === undefined) return;
    context.fireChannelRead(partial.received);
    context.fireChannelReadComplete();
  }

  #passWhole(context: ChannelHandlerContext, message: Uint8Array): void {
    const { maxFrameBytes } = this.#framing;
    if (message.length > maxFrameBytes) {
      this.#refuse(
        context,
        new DecodeError("frame", `its length ${message.length} is above maxFrameBytes ${maxFrameBytes}`),
      );
      return;
    }
    this.#outcome = "frames";
    context.fireChannelRead(message);
  }

  #decode(context: ChannelHandlerContext, first: Uint8Array): void {
    const epoch = this.#epoch;
    const { channel } = context;
    this.#mode = "decoding";
    if (this.#outcome === "nothing") this.#outcome = "bytesOnly";
    let chunk = first;
    let at = 0;
    for (;;) {
      if (at === chunk.length) {
        const next = this.#later?.shift();
        if (next === undefined) break;
        chunk = next;
        at = 0;
        continue;
      }
      let frame: Uint8Array | undefined;
      try {
        const size = this.#partial === undefined ? this.#framing.frameBytes(chunk, at, chunk.length) : 0;
        if (size !== 0 && size <= chunk.length - at) {
          frame = chunk.subarray(at + this.#framing.strippedBytes(chunk, at), at + size);
          at += size;
        } else {
          const partial = this.#partial ??= new PartialFrame();
          at = partial.take(chunk, at, this.#framing);
          if (partial.isWhole) {
            this.#partial = undefined;
            frame = partial.finish(this.#framing);
          }
        }
      } catch (error) {
        this.#refuse(context, error as Error);
        return;
      }
      if (frame === undefined) continue;
      this.#outcome = "frames";
      context.fireChannelRead(frame);
      if (this.#epoch !== epoch) {
        if (context.isRemoved && this.#mode === "decoding") this.#passRest(context, chunk, at);
        return;
      }
      // Whoever closes the channel in the middle of a chunk wants nothing more of it.
      if (channel.state === "closing") {
        this.#startOver("ignoring");
        return;
      }
    }
    this.#mode = "waiting";
    this.#later = undefined;
  }

  #startOver(mode: Mode): void {
    this.#epoch++;
    this.#mode = mode;
    this.#outcome = "nothing";
    this.#partial = undefined;
    this.#later = undefined;
  }

  /** Removed in the middle of a chunk: the rest is whoever's comes after. */
  #passRest(context: ChannelHandlerContext, chunk: Uint8Array, at: number): void {
    const later = this.#later;
    this.#later = undefined;
    this.#mode = "waiting";
    // The link may have been dropped after the removal, which nobody told this decoder.
    if (!context.channel.isActive) return;
    if (at < chunk.length) context.fireChannelRead(at === 0 ? chunk : chunk.subarray(at));
    for (const bytes of later ?? []) context.fireChannelRead(bytes);
  }

  #refuse(context: ChannelHandlerContext, error: Error): void {
    this.errors++;
    this.#mode = "ignoring";
    this.#partial = undefined;
    this.#later = undefined;
    const epoch = this.#epoch;
    context.fireExceptionCaught(error);
    // A handler may have dropped the link over the error, and even have a new one.
    if (this.#epoch === epoch) context.channel.drop("protocol", error);
  }
}
