/**
 * A chat server: pushes to everybody, and takes what clients say.
 *
 * @module
 */

import {
  type Channel,
  type ChannelHandler,
  type ChannelHandlerContext,
  type LinkDownEvent,
  type LinkDownReason,
  type LinkUpEvent,
  type SessionLostEvent,
  SessionResponder,
} from "../mod.ts";
import { messageNumber, type Push } from "./chat_message.ts";

/** What a {@linkcode ChatServer} tells. Clients are named by the first digits of their session's id. */
export interface ChatServerOptions {
  /** The number of the last push of an earlier run. Default: 0. */
  readonly lastPush?: number;
  /** A push has this number; it is on no link yet. */
  readonly onPush?: (n: number) => void;
  /** A client's message came. */
  readonly onMessage?: (n: number, client: string) => void;
  /** A link stands. */
  readonly onUp?: (client: string, address: string, resumed: boolean) => void;
  /** A link is gone. */
  readonly onDown?: (reason: LinkDownReason, client: string) => void;
  /** A client's session is gone, and with it these pushes may be. */
  readonly onLost?: (event: SessionLostEvent, client: string) => void;
  /** Something is wrong, and the server goes on. */
  readonly onTrouble?: (text: string) => void;
}

/**
 * Pushes numbered messages to all clients, those included that are away: each
 * client's channel keeps what it has not confirmed, in its session.
 */
export class ChatServer {
  readonly #options: ChatServerOptions;
  readonly #clients = new Set<Channel>();
  #lastPush: number;

  constructor(options: ChatServerOptions = {}) {
    this.#options = options;
    this.#lastPush = options.lastPush ?? 0;
  }

  /** How many pushes are not confirmed, over all clients. */
  get unconfirmed(): number {
    let count = 0;
    for (const { pipeline } of this.#clients) count += pipeline.get(SessionResponder)?.unacknowledged ?? 0;
    return count;
  }

  /**
   * Pushes the next number to all clients, also to those that are away.
   *
   * @returns The number, or undefined if there is no client.
   */
  push(): number | undefined {
    if (this.#clients.size === 0) return undefined;
    const push = ++this.#lastPush;
    this.#options.onPush?.(push);
    for (const channel of this.#clients) {
      channel.writeAndFlush({ push } satisfies Push).onSettled((error) => {
        if (error !== undefined) this.#trouble(channel, `push #${push}: ${messageOf(error)}`);
      });
    }
    return push;
  }

  /** The handler for one channel; last in its pipeline. */
  handler(): ChannelHandler {
    return {
      channelActive: ({ channel }) => void this.#clients.add(channel),
      channelRead: ({ channel }, value) => {
        const n = messageNumber(value);
        if (n === undefined) this.#trouble(channel, "said something that makes no sense");
        else this.#options.onMessage?.(n, nameOf(channel));
      },
      userEventTriggered: (context, event) => this.#happened(context, event),
      exceptionCaught: ({ channel }, error) => this.#trouble(channel, messageOf(error)),
      handlerRemoved: ({ channel }) => void this.#clients.delete(channel),
    };
  }

  #happened({ channel }: ChannelHandlerContext, event: unknown): void {
    const known = event as LinkUpEvent | LinkDownEvent | SessionLostEvent;
    const client = nameOf(channel);
    if (known.type === "linkUp") this.#options.onUp?.(client, channel.remoteAddress, known.resumed);
    else if (known.type === "linkDown") this.#options.onDown?.(known.reason, client);
    else if (known.type === "sessionLost") {
      this.#options.onLost?.(known, known.sessionId.slice(0, NAME_DIGITS));
    }
  }

  #trouble(channel: Channel, text: string): void {
    this.#options.onTrouble?.(`${nameOf(channel)}: ${text}`);
  }
}

const NAME_DIGITS = 8;

function nameOf({ pipeline }: Channel): string {
  return pipeline.get(SessionResponder)?.sessionId?.slice(0, NAME_DIGITS) ?? "a client without a session";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
