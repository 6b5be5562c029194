/**
 * A server that notes when its client's words come.
 *
 * @module
 */

import { answerKeepAlive, ServerBootstrap, type ServerChannel } from "../../mod.ts";
import { webSocket } from "../../pipeline/transports/web_socket.ts";

/** A running server. */
export interface BeatServer extends AsyncDisposable {
  readonly address: string;
  /** When something came in, over all links, ms of `performance.now()`. */
  readonly readsMs: readonly number[];
  /** How many links there were. */
  readonly links: number;
  /** Drops all links, as a network does: nobody closes in order. */
  dropAll(): void;
}

/** Starts it, on loopback. */
export async function startBeatServer(): Promise<BeatServer> {
  const readsMs: number[] = [];
  let links = 0;
  const server: ServerChannel = await new ServerBootstrap({
    transport: webSocket(),
    pipeline: (p) =>
      p.addLast(
        {
          channelActive: (context) => {
            links++;
            context.fireChannelActive();
          },
          channelRead: (context, message) => {
            readsMs.push(performance.now());
            context.fireChannelRead(message);
          },
        },
        ...answerKeepAlive(),
      ),
    onUnhandled: () => {},
  }).listen("ws://127.0.0.1:0");
  return {
    address: server.address,
    readsMs,
    get links() {
      return links;
    },
    dropAll: () => {
      for (const channel of server.channels) channel.drop("reset");
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
