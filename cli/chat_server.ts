/**
 * A chat server whose pushes may be late but are not lost.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext, LinkDownReason } from "../mod.ts";
import { fromClient, type Welcome } from "./chat_message.ts";
import { Mailbox } from "./_mailbox.ts";

/** What a {@linkcode ChatServer} tells. Clients are named as they named themselves. */
export interface ChatServerOptions {
  /** A push was given to a client's link for the first time. */
  readonly onGiven?: (n: number, client: string) => void;
  /** A client's message came. */
  readonly onMessage?: (n: number, client: string) => void;
  /** A link stands. */
  readonly onUp?: (address: string) => void;
  /** A link is gone. */
  readonly onDown?: (reason: LinkDownReason, address: string) => void;
  /** Something is wrong, and the server goes on. */
  readonly onTrouble?: (text: string) => void;
}

/** How many clients are remembered. */
const MAX_CLIENTS = 1_000;

/**
 * Pushes numbered messages to all clients that have joined and, after a
 * reconnect, repeats in order what a client has not confirmed. Everything that
 * it remembers is bounded: clients, and pushes for each of them.
 */
export class ChatServer {
  readonly #options: ChatServerOptions;
  readonly #id = crypto.randomUUID();
  /** The clients; those that left longest ago come first among those that are away. */
  readonly #mailboxes = new Map<string, Mailbox>();
  #lastPush = 0;

  constructor(options: ChatServerOptions = {}) {
    this.#options = options;
  }

  /** How many pushes are not confirmed, over all clients. */
  get unconfirmed(): number {
    let count = 0;
    for (const mailbox of this.#mailboxes.values()) count += mailbox.size;
    return count;
  }

  /**
   * Pushes the next number to all clients, also to those that are away.
   *
   * @returns The number, or undefined if no client has joined yet.
   */
  push(): number | undefined {
    if (this.#mailboxes.size === 0) return undefined;
    const n = ++this.#lastPush;
    for (const [client, mailbox] of this.#mailboxes) {
      if (mailbox.add(n)) this.#options.onTrouble?.(`too many pushes wait for ${client}: gave up the oldest`);
    }
    return n;
  }

  /** The handler for one channel; last in its pipeline. */
  handler(): ChannelHandler {
    return new ChatServerHandler(this, this.#options);
  }

  /** For the handlers: a client is there. @returns Its mailbox, or undefined if there is no room for it. */
  join(client: string, { channel }: ChannelHandlerContext): Mailbox | undefined {
    let mailbox = this.#mailboxes.get(client);
    if (mailbox === undefined) {
      if (this.#mailboxes.size >= MAX_CLIENTS && !this.#forgetOne()) return undefined;
      mailbox = new Mailbox((n) => this.#options.onGiven?.(n, client));
      this.#mailboxes.set(client, mailbox);
    }
    // A client comes back before the server has noticed that its earlier link is dead.
    mailbox.channel?.close();
    channel.writeAndFlush({ welcome: this.#id } satisfies Welcome).onSettled(() => {});
    mailbox.attach(channel);
    return mailbox;
  }

  /** For the handlers: a client's link is gone. */
  leave(client: string, mailbox: Mailbox): void {
    mailbox.detach();
    this.#mailboxes.delete(client);
    this.#mailboxes.set(client, mailbox);
  }

  #forgetOne(): boolean {
    for (const [client, mailbox] of this.#mailboxes) {
      if (mailbox.channel === undefined) return this.#mailboxes.delete(client);
    }
    return false;
  }
}

/** One link. Nothing that a client says may do more harm than to its own link. */
class ChatServerHandler implements ChannelHandler {
  readonly #server: ChatServer;
  readonly #options: ChatServerOptions;
  #client = "";
  #mailbox: Mailbox | undefined = undefined;
  #address = "";
  #isTroubled = false;

  constructor(server: ChatServer, options: ChatServerOptions) {
    this.#server = server;
    this.#options = options;
  }

  channelActive({ channel }: ChannelHandlerContext): void {
    this.#address = channel.remoteAddress;
    this.#options.onUp?.(this.#address);
  }

  userEventTriggered(_context: ChannelHandlerContext, event: unknown): void {
    const { type, reason } = event as { type?: string; reason?: LinkDownReason };
    if (type === "linkDown") this.#options.onDown?.(reason!, this.#address);
  }

  channelInactive({ channel }: ChannelHandlerContext): void {
    const mailbox = this.#mailbox;
    this.#mailbox = undefined;
    // Otherwise another link has taken over.
    if (mailbox?.channel === channel) this.#server.leave(this.#client, mailbox);
  }

  channelWritabilityChanged({ channel }: ChannelHandlerContext): void {
    if (this.#mailbox?.channel === channel) this.#mailbox.deliver();
  }

  channelRead(context: ChannelHandlerContext, value: unknown): void {
    const said = fromClient(value);
    if (said === undefined) return this.#trouble("said something that makes no sense");
    if ("join" in said) return this.#join(context, said.join);
    const mailbox = this.#mailbox;
    if (mailbox?.channel !== context.channel) return this.#trouble("speaks without having joined");
    if ("confirm" in said) mailbox.confirm(said.confirm);
    else this.#options.onMessage?.(said.message, this.#client);
  }

  exceptionCaught(_context: ChannelHandlerContext, error: unknown): void {
    this.#trouble(error instanceof Error ? error.message : String(error));
  }

  #join(context: ChannelHandlerContext, client: string): void {
    if (this.#mailbox !== undefined) return this.#trouble("joins again");
    this.#client = client;
    this.#mailbox = this.#server.join(client, context);
    if (this.#mailbox !== undefined) return;
    this.#trouble(`is one too many: there is room for ${MAX_CLIENTS} clients`);
    context.close();
  }

  /** Once per link, or a peer could fill the log. */
  #trouble(text: string): void {
    if (this.#isTroubled) return;
    this.#isTroubled = true;
    this.#options.onTrouble?.(`${this.#address}: ${text}`);
  }
}
