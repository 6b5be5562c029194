/**
 * What an unauthenticated peer costs.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext } from "../pipeline/mod.ts";
import { LimitError } from "./limit_error.ts";

/**
 * At the head of a pipeline until the peer is known: sees the link before any
 * other handler, and counts every byte. A frame decoder would collect a frame
 * of a megabyte for somebody who never says who he is.
 */
export class UnauthenticatedGuard implements ChannelHandler {
  isAdded = false;
  readonly #maxBytes: number;
  readonly #linkStands: () => void;
  readonly #isTooMuch: (error: LimitError) => void;
  #bytes = 0;

  constructor(maxBytes: number, linkStands: () => void, isTooMuch: (error: LimitError) => void) {
    this.#maxBytes = maxBytes;
    this.#linkStands = linkStands;
    this.#isTooMuch = isTooMuch;
  }

  channelActive(context: ChannelHandlerContext): void {
    this.#bytes = 0;
    this.#linkStands();
    context.fireChannelActive();
  }

  channelRead(context: ChannelHandlerContext, message: unknown): void {
    if (message instanceof Uint8Array || typeof message === "string") this.#bytes += message.length;
    if (this.#bytes <= this.#maxBytes) context.fireChannelRead(message);
    else this.#isTooMuch(new LimitError("maxUnauthenticatedBytes", this.#bytes, this.#maxBytes));
  }
}
