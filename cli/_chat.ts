/**
 * The chat that `serve`, `connect` and the demo talk: numbered pushes that the
 * server repeats, after a reconnect, until the client has confirmed them.
 *
 * Messages, each a MessagePack map: the client says `{join: id}` on each new
 * link, `{confirm: n}` for each push and `{message: n}` for its own; the
 * server says `{push: n, run}`, where `run` tells one start of the server from
 * another.
 *
 * @module
 */

import type { Channel, ChannelHandler, ChannelHandlerContext, LinkDownEvent } from "../mod.ts";

/** How many clients are remembered, and how many pushes wait for each. What is older is forgotten. */
const MAX_CLIENTS = 1_000;
const MAX_WAITING = 1_000;

/** What a server tells about its clients. */
export interface ChatServerEvents {
  onUp?(): void;
  onDown?(reason: string): void;
  /** A push was given to a link for the first time. */
  onPush?(n: number): void;
  /** A client's message arrived. */
  onMessage?(n: number): void;
}

interface Member {
  channel: Channel | undefined;
  /** Pushes not confirmed, oldest first, and whether each was given to a link yet. */
  readonly waiting: Map<number, boolean>;
}

/** All clients of a chat server, also those that are away. */
export class ChatRoom {
  readonly #members = new Map<string, Member>();
  readonly #events: ChatServerEvents;
  readonly #run: string = crypto.randomUUID();
  #pushed = 0;

  constructor(events: ChatServerEvents = {}) {
    this.#events = events;
  }

  /** How many pushes are not confirmed. */
  get unconfirmed(): number {
    let count = 0;
    for (const { waiting } of this.#members.values()) count += waiting.size;
    return count;
  }

  /**
   * Pushes the next number to every client, now or when it is back.
   *
   * @returns The number, or undefined if there never was a client.
   */
  push(): number | undefined {
    if (this.#members.size === 0) return undefined;
    const n = ++this.#pushed;
    for (const member of this.#members.values()) {
      member.waiting.set(n, false);
      if (member.waiting.size > MAX_WAITING) member.waiting.delete(member.waiting.keys().next().value!);
      this.#give(member, n);
    }
    return n;
  }

  /** A handler for one client's channel. */
  handler(): ChannelHandler {
    let member: Member | undefined;
    return {
      channelActive: (context) => {
        this.#events.onUp?.();
        context.fireChannelActive();
      },
      userEventTriggered: (context, event) => {
        const { type, reason } = event as LinkDownEvent;
        if (type === "linkDown") this.#events.onDown?.(reason);
        context.fireUserEventTriggered(event);
      },
      channelInactive: (context) => {
        if (member?.channel === context.channel) member.channel = undefined;
        context.fireChannelInactive();
      },
      channelRead: (context, message) => {
        const { join, confirm, message: n } = fieldsOf(message);
        if (typeof join === "string" && join.length <= 100) member = this.#join(join, context.channel);
        if (typeof confirm === "number") member?.waiting.delete(confirm);
        if (typeof n === "number") this.#events.onMessage?.(n);
      },
      // A peer that breaks the protocol is dropped by the handlers that notice; the others go on.
      exceptionCaught: () => {},
    };
  }

  #join(id: string, channel: Channel): Member {
    const member: Member = this.#members.get(id) ?? { channel: undefined, waiting: new Map() };
    this.#members.delete(id);
    this.#members.set(id, member);
    for (const [oldest, { channel }] of this.#members) {
      if (this.#members.size <= MAX_CLIENTS) break;
      if (channel === undefined) this.#members.delete(oldest);
    }
    member.channel = channel;
    for (const n of [...member.waiting.keys()]) this.#give(member, n);
    return member;
  }

  #give(member: Member, n: number): void {
    if (!member.channel?.isActive) return;
    if (!member.waiting.get(n)) this.#events.onPush?.(n);
    member.waiting.set(n, true);
    // If it is lost with the link, it is repeated on the next one.
    member.channel.writeAndFlush({ push: n, run: this.#run }).onSettled(ignore);
  }
}

/** What a client tells. */
export interface ChatClientEvents {
  /** A push, each once and in order. */
  onPush?(n: number): void;
}

/** A client's handler: joins on each link, confirms pushes, drops repeated ones. */
export class ChatClient implements ChannelHandler {
  readonly #id: string = crypto.randomUUID();
  readonly #events: ChatClientEvents;
  #run = "";
  #last = 0;

  constructor(events: ChatClientEvents = {}) {
    this.#events = events;
  }

  channelActive(context: ChannelHandlerContext): void {
    context.writeAndFlush({ join: this.#id }).onSettled(ignore);
    context.fireChannelActive();
  }

  channelRead(context: ChannelHandlerContext, message: unknown): void {
    const { push, run } = fieldsOf(message);
    if (typeof push !== "number" || typeof run !== "string") return;
    context.writeAndFlush({ confirm: push }).onSettled(ignore);
    if (run !== this.#run) {
      this.#run = run;
      this.#last = 0;
    }
    if (push <= this.#last) return;
    this.#last = push;
    this.#events.onPush?.(push);
  }
}

function fieldsOf(message: unknown): Record<string, unknown> {
  return typeof message === "object" && message !== null ? message as Record<string, unknown> : {};
}

function ignore(): void {}
