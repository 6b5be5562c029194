/**
 * The chain of handlers of a channel.
 *
 * @module
 */

import { Context } from "./_context.ts";
import type { Channel } from "./channel.ts";
import type { ChannelHandler, ChannelHandlerClass } from "./channel_handler.ts";
import type { ChannelHandlerContext } from "./channel_handler_context.ts";
import type { ChannelPromise } from "./channel_promise.ts";
import { ChannelClosedError, PipelineError } from "./errors.ts";
import type { RemoteSource } from "./transport.ts";

/**
 * Names a handler in a pipeline: by its name, the instance itself, or its class (the first of it).
 *
 * @example Three ways to say which
 * ```ts
 * import { assert } from "@std/assert";
 * import { EmbeddedChannel, type HandlerReference, IdleStateHandler } from "@longlink/pipeline";
 *
 * const idle = new IdleStateHandler();
 * const { pipeline } = new EmbeddedChannel();
 * pipeline.addLast("idle", idle);
 * const references: HandlerReference[] = ["idle", idle, IdleStateHandler];
 * assert(references.every((reference) => pipeline.get(reference) === idle));
 * ```
 */
export type HandlerReference = string | ChannelHandler | ChannelHandlerClass;

/** Handlers that are in some pipeline now and may not be in another, and do not say so themselves. */
const taken = new WeakSet<ChannelHandler>();

/** Generated names are shared by all channels: a million links need no million strings. */
const generatedNames = new Map<string, string>();

/**
 * The chain of handlers of one channel. Inbound events run from the head (the
 * transport) to the tail (the application), outbound operations the other way:
 *
 * ```text
 *            transport
 *   fire...     |  ^   write, flush, close ...
 *   +-----------v--|-----------+
 *   | head                     |
 *   |  frame decoder, encoder  |
 *   |  heartbeats              |
 *   |  application             |
 *   | tail                     |
 *   +-----------|--^-----------+
 *               v  |
 *   unhandled events   channel.write()
 * ```
 *
 * Handlers may be added, removed and replaced at any time, also while an event
 * is on its way: `handlerAdded` and `handlerRemoved` run exactly once each, and
 * a removed handler sees nothing more. Semantics follow Netty 4.1.
 *
 * @example Adding and finding handlers
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel } from "@longlink/pipeline";
 *
 * const { pipeline } = new EmbeddedChannel();
 * pipeline.addLast("first", {}).addLast("third", {}).addBefore("third", "second", {});
 * assertEquals(pipeline.names(), ["first", "second", "third"]);
 * ```
 */
export class ChannelPipeline {
  /** The channel that this pipeline belongs to. */
  readonly channel: Channel;
  readonly #head: Context;
  readonly #tail: Context;
  #destroyed = false;

  /**
   * Made by its channel.
   *
   * @param channel The channel.
   * @param head Ends outbound operations: the transport's side.
   * @param tail Ends inbound events: what nobody handled.
   */
  constructor(channel: Channel, head: ChannelHandler, tail: ChannelHandler) {
    this.channel = channel;
    this.#head = new Context(this, head, "head");
    this.#tail = new Context(this, tail, "tail");
    this.#head.previous = this.#head.next = this.#tail;
    this.#tail.previous = this.#tail.next = this.#head;
  }

  /**
   * Adds handlers nearest to the transport, keeping their order.
   *
   * @param handlers Any number of handlers; each gets a name of its own.
   * @returns This pipeline.
   * @throws {TypeError} If a handler is in a pipeline already and not sharable.
   * @throws {ChannelClosedError} If the channel was closed.
   */
  addFirst(...handlers: ChannelHandler[]): this;
  /**
   * Adds a handler with a name nearest to the transport.
   *
   * @param name Its name, unique in this pipeline.
   * @param handler The handler.
   * @returns This pipeline.
   * @throws {TypeError} If the name is taken, or the handler is in a pipeline and not sharable.
   * @throws {ChannelClosedError} If the channel was closed.
   */
  addFirst(name: string, handler: ChannelHandler): this;
  addFirst(...handlers: [name: string, handler: ChannelHandler] | ChannelHandler[]): this {
    return this.#insertBefore(this.#head.next, handlers);
  }

  /**
   * Adds handlers nearest to the application, keeping their order.
   *
   * @param handlers Any number of handlers; each gets a name of its own.
   * @returns This pipeline.
   * @throws {TypeError} If a handler is in a pipeline already and not sharable.
   * @throws {ChannelClosedError} If the channel was closed.
   */
  addLast(...handlers: ChannelHandler[]): this;
  /**
   * Adds a handler with a name nearest to the application.
   *
   * @param name Its name, unique in this pipeline.
   * @param handler The handler.
   * @returns This pipeline.
   * @throws {TypeError} If the name is taken, or the handler is in a pipeline and not sharable.
   * @throws {ChannelClosedError} If the channel was closed.
   */
  addLast(name: string, handler: ChannelHandler): this;
  addLast(...handlers: [name: string, handler: ChannelHandler] | ChannelHandler[]): this {
    return this.#insertBefore(this.#tail, handlers);
  }

  /**
   * Adds handlers just before (nearer to the transport than) another one.
   *
   * @param base The handler that is there already.
   * @param handlers Any number of handlers; each gets a name of its own.
   * @returns This pipeline.
   * @throws {TypeError} If there is no such base, or a handler is in a pipeline already and not sharable.
   * @throws {ChannelClosedError} If the channel was closed.
   */
  addBefore(base: HandlerReference, ...handlers: ChannelHandler[]): this;
  /**
   * Adds a handler with a name just before another one.
   *
   * @param base The handler that is there already.
   * @param name Its name, unique in this pipeline.
   * @param handler The handler.
   * @returns This pipeline.
   * @throws {TypeError} If there is no such base, the name is taken, or the handler may not be shared.
   * @throws {ChannelClosedError} If the channel was closed.
   */
  addBefore(base: HandlerReference, name: string, handler: ChannelHandler): this;
  addBefore(
    base: HandlerReference,
    ...handlers: [name: string, handler: ChannelHandler] | ChannelHandler[]
  ): this {
    this.#requireOpen();
    return this.#insertBefore(this.#require(base, "add before"), handlers);
  }

  /**
   * Adds handlers just after (nearer to the application than) another one.
   *
   * @param base The handler that is there already.
   * @param handlers Any number of handlers; each gets a name of its own.
   * @returns This pipeline.
   * @throws {TypeError} If there is no such base, or a handler is in a pipeline already and not sharable.
   * @throws {ChannelClosedError} If the channel was closed.
   */
  addAfter(base: HandlerReference, ...handlers: ChannelHandler[]): this;
  /**
   * Adds a handler with a name just after another one.
   *
   * @param base The handler that is there already.
   * @param name Its name, unique in this pipeline.
   * @param handler The handler.
   * @returns This pipeline.
   * @throws {TypeError} If there is no such base, the name is taken, or the handler may not be shared.
   * @throws {ChannelClosedError} If the channel was closed.
   */
  addAfter(base: HandlerReference, name: string, handler: ChannelHandler): this;
  addAfter(
    base: HandlerReference,
    ...handlers: [name: string, handler: ChannelHandler] | ChannelHandler[]
  ): this {
    this.#requireOpen();
    return this.#insertBefore(this.#require(base, "add after").next, handlers);
  }

  /**
   * Takes a handler out.
   *
   * @param reference Its name, instance or class.
   * @returns The handler.
   * @throws {TypeError} If it is not in this pipeline.
   */
  remove(reference: HandlerReference): ChannelHandler {
    const context = this.#require(reference, "remove");
    this.#detach(context);
    this.#callRemoved(context);
    return context.handler;
  }

  /**
   * Puts a handler in another one's place.
   *
   * @param reference Name, instance or class of the one that goes.
   * @param handler The one that comes. Its `handlerAdded` runs before the old one's `handlerRemoved`.
   * @param name Its name; generated by default.
   * @returns The handler that went.
   * @throws {TypeError} If the old one is not in this pipeline, the name is taken, or the new one may not be shared.
   * @throws {ChannelClosedError} If the channel was closed.
   */
  replace(reference: HandlerReference, handler: ChannelHandler, name?: string): ChannelHandler {
    this.#requireOpen();
    const old = this.#require(reference, "replace");
    this.#checkName(name, old);
    const context = this.#admit(handler, name);
    this.#link(context, old.previous, old);
    this.#detach(old);
    // What the old handler still passes on (bytes it had buffered) must not miss its replacement.
    old.next = old.previous = context;
    this.#callAdded(context);
    this.#callRemoved(old);
    return old.handler;
  }

  /**
   * The handler of that class.
   *
   * @param reference A class.
   * @returns The first handler of it, or undefined.
   */
  get<T extends ChannelHandler>(reference: ChannelHandlerClass<T>): T | undefined;
  /**
   * The handler of that name.
   *
   * @param reference A name or an instance.
   * @returns The handler, or undefined.
   */
  get(reference: HandlerReference): ChannelHandler | undefined;
  get(reference: HandlerReference): ChannelHandler | undefined {
    return this.#find(reference)?.handler;
  }

  /**
   * The context of a handler.
   *
   * @param reference Its name, instance or class.
   * @returns Its context, or undefined if it is not in this pipeline.
   */
  context(reference: HandlerReference): ChannelHandlerContext | undefined {
    return this.#find(reference);
  }

  /** The names of the handlers, from head to tail. */
  names(): string[] {
    return Array.from(this.iterate(), (context) => context.name);
  }

  /** The contexts of the handlers, from head to tail. Handlers may be added and removed meanwhile. */
  *iterate(): IterableIterator<ChannelHandlerContext> {
    for (let node = this.#head.next; node !== this.#tail;) {
      // Taken before: what is put in this one's place meanwhile must not come next, or replacing all would never end.
      const { next } = node;
      if (!node.isRemoved) yield node;
      node = next;
    }
  }

  /** Starts `channelActive` at the head. */
  fireChannelActive(): void {
    this.#head.fireChannelActive();
  }
  /** Starts `channelInactive` at the head. */
  fireChannelInactive(): void {
    this.#head.fireChannelInactive();
  }
  /** Starts a message at the head. */
  fireChannelRead(message: unknown): void {
    this.#head.fireChannelRead(message);
  }
  /** Starts `channelReadComplete` at the head. */
  fireChannelReadComplete(): void {
    this.#head.fireChannelReadComplete();
  }
  /** Starts `channelWritabilityChanged` at the head. */
  fireChannelWritabilityChanged(): void {
    this.#head.fireChannelWritabilityChanged();
  }
  /** Starts a user event at the head. */
  fireUserEventTriggered(event: unknown): void {
    this.#head.fireUserEventTriggered(event);
  }
  /** Starts an error at the head. */
  fireExceptionCaught(error: unknown): void {
    this.#head.fireExceptionCaught(error);
  }

  /** Starts a connect at the tail. */
  connect(remote: RemoteSource, promise?: ChannelPromise): ChannelPromise {
    return this.#tail.connect(remote, promise);
  }
  /** Starts a write at the tail. */
  write(message: unknown, promise?: ChannelPromise): ChannelPromise {
    return this.#tail.write(message, promise);
  }
  /** Starts a flush at the tail. */
  flush(): void {
    this.#tail.flush();
  }
  /** {@linkcode write}, then {@linkcode flush}. */
  writeAndFlush(message: unknown, promise?: ChannelPromise): ChannelPromise {
    return this.#tail.writeAndFlush(message, promise);
  }
  /** Starts a read request at the tail. */
  read(): void {
    this.#tail.read();
  }
  /** Starts a close at the tail. */
  close(promise?: ChannelPromise): ChannelPromise {
    return this.#tail.close(promise);
  }

  /**
   * Takes all handlers out, from tail to head, for good. Called by the channel
   * when it closes.
   */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    for (let node = this.#tail.previous; node !== this.#head; node = this.#tail.previous) {
      this.#detach(node);
      this.#callRemoved(node);
    }
  }

  /**
   * A name for a handler that was given none: its class and a number, as Netty
   * does. Made when first asked for, so the numbers follow the asking.
   *
   * @param handler The handler.
   * @returns A name that is free in this pipeline.
   */
  nameOf(handler: ChannelHandler): string {
    const base = handler.constructor === Object ? "Handler" : handler.constructor?.name || "Handler";
    for (let index = 0;; index++) {
      const name = `${base}#${index}`;
      if (this.#named(name)) continue;
      const shared = generatedNames.get(name);
      if (shared !== undefined) return shared;
      generatedNames.set(name, name);
      return name;
    }
  }

  #insertBefore(anchor: Context, handlers: readonly unknown[]): this {
    if (typeof handlers[0] === "string") {
      this.#add(anchor, handlers[1] as ChannelHandler, handlers[0]);
      return this;
    }
    for (const handler of handlers as ChannelHandler[]) this.#add(anchor, handler, undefined);
    return this;
  }

  #add(anchor: Context, handler: ChannelHandler, name: string | undefined): void {
    this.#checkName(name, undefined);
    const context = this.#admit(handler, name);
    // The handlerAdded of one that was added just before may have taken the anchor out.
    let next = anchor;
    while (next.isRemoved) next = next.next;
    this.#link(context, next.previous, next);
    this.#callAdded(context);
  }

  #requireOpen(): void {
    if (this.#destroyed) throw new ChannelClosedError("add the handler");
  }

  /** Checks that the handler may come in, and marks it as taken. */
  #admit(handler: ChannelHandler, name: string | undefined): Context {
    this.#requireOpen();
    if (handler === null || typeof handler !== "object" || Array.isArray(handler)) {
      const got = handler === null ? "null" : Array.isArray(handler) ? "an array: spread it" : typeof handler;
      throw new TypeError(`Cannot add the handler: it must be an object, got ${got}`);
    }
    const context = new Context(this, handler, name);
    if (handler.isSharable !== true) {
      if (isTaken(handler)) {
        throw new TypeError(
          `Cannot add the handler "${context.name}": the instance is in a pipeline already and is not sharable`,
        );
      }
      setTaken(handler, true);
    }
    return context;
  }

  #link(context: Context, previous: Context, next: Context): void {
    context.previous = previous;
    context.next = next;
    previous.next = context;
    next.previous = context;
    this.#forgetStops();
  }

  #detach(context: Context): void {
    context.markRemoved();
    context.previous.next = context.next;
    context.next.previous = context.previous;
    if (context.handler.isSharable !== true) setTaken(context.handler, false);
    this.#forgetStops();
  }

  #forgetStops(): void {
    let node = this.#head;
    do {
      node.unlink();
      node = node.next;
    } while (node !== this.#head);
  }

  #callAdded(context: Context): void {
    try {
      const result = context.handler.handlerAdded?.(context);
      watchLifecycle(result, context, "add");
    } catch (cause) {
      const error = new PipelineError("add", context.name, { cause });
      if (!context.isRemoved) {
        this.#detach(context);
        this.#callRemoved(context);
      }
      this.#head.fireExceptionCaught(error);
    }
  }

  #callRemoved(context: Context): void {
    try {
      const result = context.handler.handlerRemoved?.(context);
      watchLifecycle(result, context, "remove");
    } catch (cause) {
      this.#head.fireExceptionCaught(new PipelineError("remove", context.name, { cause }));
    }
  }

  #checkName(name: string | undefined, except: Context | undefined): void {
    if (name === undefined) return;
    // Generated names are made late; make them now, so that a given name cannot collide with one later.
    for (const context of this.iterate()) {
      if (context !== except && context.name === name) {
        throw new TypeError(`Cannot add the handler "${name}": the name is taken`);
      }
    }
  }

  #named(name: string): boolean {
    for (let node = this.#head.next; node !== this.#tail; node = node.next) {
      if (node.givenName === name) return true;
    }
    return false;
  }

  #find(reference: HandlerReference): Context | undefined {
    for (let node = this.#head.next; node !== this.#tail; node = node.next) {
      if (typeof reference === "string" ? node.name === reference : matches(node.handler, reference)) {
        return node;
      }
    }
    return undefined;
  }

  #require(reference: HandlerReference, action: string): Context {
    const found = this.#find(reference);
    if (found !== undefined) return found;
    const shown = typeof reference === "string"
      ? `"${reference}"`
      : typeof reference === "function"
      ? reference.name
      : reference?.constructor?.name ?? String(reference);
    throw new TypeError(`Cannot ${action} the handler ${shown}: it is not in this pipeline`);
  }
}

function isTaken(handler: ChannelHandler): boolean {
  return handler.isAdded ?? taken.has(handler);
}

function setTaken(handler: ChannelHandler, isAdded: boolean): void {
  if (handler.isAdded !== undefined) handler.isAdded = isAdded;
  else if (isAdded) taken.add(handler);
  else taken.delete(handler);
}

function matches(handler: ChannelHandler, reference: ChannelHandler | ChannelHandlerClass): boolean {
  return typeof reference === "function" ? handler instanceof reference : handler === reference;
}

function watchLifecycle(result: unknown, context: Context, action: "add" | "remove"): void {
  if (typeof (result as PromiseLike<unknown>)?.then !== "function") return;
  (result as PromiseLike<unknown>).then(undefined, (cause) => {
    context.fail(new PipelineError(action, context.name, { cause }));
  });
}
