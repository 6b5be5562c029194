/**
 * The client of the chat.
 *
 * @module
 */

import type { ChannelHandler } from "../mod.ts";
import { pushNumber } from "./chat_message.ts";

/** Options of a {@linkcode chatClient}. */
export interface ChatClientOptions {
  /** Gets each push, in order and once. */
  readonly onPush: (n: number) => void;
}

/** The handler that takes the server's pushes; last in its pipeline. */
export function chatClient({ onPush }: ChatClientOptions): ChannelHandler {
  return {
    channelRead: (_context, value) => {
      const n = pushNumber(value);
      if (n !== undefined) onPush(n);
    },
  };
}
