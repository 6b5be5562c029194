/**
 * The client of the chat.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext } from "../mod.ts";
import { type Confirm, fromServer, type Join } from "./chat_message.ts";

/** Options of a {@linkcode ChatClient}. */
export interface ChatClientOptions {
  /** Gets each push, in order and once. */
  readonly onPush: (n: number) => void;
}

/**
 * Joins on each link, hands each push over once although the server repeats
 * those that were not confirmed, and confirms them. Last in its pipeline.
 */
export class ChatClient implements ChannelHandler {
  readonly #id = crypto.randomUUID();
  readonly #onPush: (n: number) => void;
  #server = "";
  #lastPush = 0;

  constructor({ onPush }: ChatClientOptions) {
    this.#onPush = onPush;
  }

  channelActive(context: ChannelHandlerContext): void {
    // Lost only with its link, and the next link begins with another one.
    context.writeAndFlush({ join: this.#id } satisfies Join).onSettled(() => {});
    context.fireChannelActive();
  }

  channelRead(context: ChannelHandlerContext, value: unknown): void {
    const said = fromServer(value);
    if (said === undefined) return;
    if ("welcome" in said) {
      // A server that was started anew counts from 1 again.
      if (said.welcome !== this.#server) this.#lastPush = 0;
      this.#server = said.welcome;
      return;
    }
    // They come in order, so one that is not above the last was handed over before.
    if (said.push > this.#lastPush) {
      this.#lastPush = said.push;
      this.#onPush(said.push);
    }
    // A confirmation that is lost makes the server repeat, and is then given again.
    context.writeAndFlush({ confirm: said.push } satisfies Confirm).onSettled(() => {});
  }
}
