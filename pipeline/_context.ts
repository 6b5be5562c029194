/**
 * The links of a pipeline's chain, and how an event hops from one to the next.
 *
 * @module
 */

import {
  BIT,
  type HandlerShape,
  type InboundEvent,
  type OutboundOperation,
  REMOVED,
  shapeOf,
} from "./_handler_mask.ts";
import type { Channel } from "./channel.ts";
import type { ChannelHandler } from "./channel_handler.ts";
import type { ChannelHandlerContext } from "./channel_handler_context.ts";
import type { ChannelPipeline } from "./channel_pipeline.ts";
import { ChannelPromise } from "./channel_promise.ts";
import type { EventLoop } from "./event_loop.ts";
import type { RemoteSource } from "./transport.ts";

/**
 * One node of the chain. A removed node keeps its neighbours, so that it can
 * still pass things on; nodes removed after it are stepped over.
 *
 * `channelRead` and `write` are the two events that come once per message:
 * their method and their next stop are kept on the node, because looking both
 * up per hop would cost more than the hop. All other events walk the chain.
 */
export class Context implements ChannelHandlerContext {
  next!: Context;
  previous!: Context;
  #shape: HandlerShape;
  #nextRead: Context | undefined = undefined;
  #previousWrite: Context | undefined = undefined;
  #name: string | undefined;

  constructor(
    readonly pipeline: ChannelPipeline,
    readonly handler: ChannelHandler,
    name: string | undefined,
  ) {
    this.#shape = shapeOf(handler);
    this.#name = name;
  }

  get isRemoved(): boolean {
    return this.#shape === REMOVED;
  }

  /** From now on the chain steps over this node. */
  markRemoved(): void {
    this.#shape = REMOVED;
    this.unlink();
  }

  get name(): string {
    return this.#name ??= this.pipeline.nameOf(this.handler);
  }

  /** The name if it has one already; asking for `name` makes one. */
  get givenName(): string | undefined {
    return this.#name;
  }

  get channel(): Channel {
    return this.pipeline.channel;
  }

  get loop(): EventLoop {
    return this.pipeline.channel.loop;
  }

  /** Forgets the next stops; the chain around this node changed. */
  unlink(): void {
    this.#nextRead = undefined;
    this.#previousWrite = undefined;
  }

  fireChannelRead(message: unknown): void {
    const next = this.#nextRead ?? this.#findNextRead();
    try {
      const result = next.#shape.onRead!.call(next.handler, next, message);
      if (result !== undefined) next.#watchRead(result);
    } catch (error) {
      next.fail(error);
    }
  }

  fireChannelReadTracked(message: unknown): Promise<void> | undefined {
    const outer = unfinished;
    unfinished = NONE;
    try {
      this.fireChannelRead(message);
      return unfinished === NONE ? undefined : Promise.allSettled(unfinished).then(ignore);
    } finally {
      unfinished = outer;
    }
  }

  fireChannelActive(): void {
    this.#nextFor(BIT.channelActive).#invoke("channelActive");
  }

  fireChannelInactive(): void {
    this.#nextFor(BIT.channelInactive).#invoke("channelInactive");
  }

  fireChannelReadComplete(): void {
    this.#nextFor(BIT.channelReadComplete).#invoke("channelReadComplete");
  }

  fireChannelWritabilityChanged(): void {
    this.#nextFor(BIT.channelWritabilityChanged).#invoke("channelWritabilityChanged");
  }

  fireUserEventTriggered(event: unknown): void {
    this.#nextFor(BIT.userEventTriggered).#invoke("userEventTriggered", event);
  }

  fireExceptionCaught(error: unknown): void {
    this.#nextFor(BIT.exceptionCaught).#catch(error);
  }

  connect(remote: RemoteSource, promise: ChannelPromise = this.#promise()): ChannelPromise {
    return this.#previousFor(BIT.connect).#perform("connect", promise, remote);
  }

  write(message: unknown, promise: ChannelPromise = this.#promise()): ChannelPromise {
    const previous = this.#previousWrite ?? this.#findPreviousWrite();
    try {
      const result = previous.#shape.onWrite!.call(previous.handler, previous, message, promise);
      if (result !== undefined && result !== promise) previous.#watchOperation(result, promise);
    } catch (error) {
      previous.#failOperation(error, promise);
    }
    return promise;
  }

  flush(): void {
    this.#previousFor(BIT.flush).#invoke("flush");
  }

  writeAndFlush(message: unknown, promise: ChannelPromise = this.#promise()): ChannelPromise {
    this.write(message, promise);
    this.flush();
    return promise;
  }

  read(): void {
    this.#previousFor(BIT.read).#invoke("read");
  }

  close(promise: ChannelPromise = this.#promise()): ChannelPromise {
    return this.#previousFor(BIT.close).#perform("close", promise);
  }

  /** Gives this node's handler an error of its own, or passes it on if it has no method for it. */
  fail(error: unknown): void {
    if ((this.#shape.mask & BIT.exceptionCaught) !== 0) this.#catch(error);
    else this.fireExceptionCaught(error);
  }

  #promise(): ChannelPromise {
    return new ChannelPromise(this.pipeline.channel);
  }

  #findNextRead(): Context {
    const next = this.#nextFor(BIT.channelRead);
    // A removed node is not told of changes around it, so it may not remember.
    if (!this.isRemoved) this.#nextRead = next;
    return next;
  }

  #findPreviousWrite(): Context {
    const previous = this.#previousFor(BIT.write);
    if (!this.isRemoved) this.#previousWrite = previous;
    return previous;
  }

  #nextFor(bit: number): Context {
    let node = this.next;
    while ((node.#shape.mask & bit) === 0) node = node.next;
    return node;
  }

  #previousFor(bit: number): Context {
    let node = this.previous;
    while ((node.#shape.mask & bit) === 0) node = node.previous;
    return node;
  }

  /** Calls a method whose failure is an inbound error. */
  #invoke(
    method: Exclude<InboundEvent, "channelRead" | "exceptionCaught"> | "flush" | "read",
    event?: unknown,
  ): void {
    try {
      const result = this.handler[method]!(this, event);
      if (result !== undefined) this.#watch(result);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Calls an outbound method whose failure is the operation's. */
  #perform(
    method: Exclude<OutboundOperation, "write" | "flush" | "read">,
    promise: ChannelPromise,
    remote?: RemoteSource,
  ): ChannelPromise {
    try {
      const result = method === "close"
        ? this.handler.close!(this, promise)
        : this.handler.connect!(this, remote!, promise);
      if (result !== undefined && result !== promise) this.#watchOperation(result, promise);
    } catch (error) {
      this.#failOperation(error, promise);
    }
    return promise;
  }

  #catch(error: unknown): void {
    try {
      const result = this.handler.exceptionCaught!(this, error);
      if (result !== undefined) settled(result, (second) => this.#failedToCatch(second, error));
    } catch (second) {
      this.#failedToCatch(second, error);
    }
  }

  /** An error while handling an error goes no further: the next handler could fail on it as well. */
  #failedToCatch(second: unknown, first: unknown): void {
    this.channel.reportUnhandled(
      new AggregateError(
        [second, first],
        `Cannot handle the error: exceptionCaught of "${this.name}" failed itself`,
      ),
    );
  }

  #watch(result: unknown): void {
    settled(result, (error) => this.fail(error));
  }

  #watchRead(result: unknown): void {
    this.#watch(result);
    if (unfinished === undefined || typeof (result as PromiseLike<unknown>)?.then !== "function") return;
    if (unfinished === NONE) unfinished = [];
    unfinished.push(result as PromiseLike<unknown>);
  }

  #watchOperation(result: unknown, promise: ChannelPromise): void {
    // Another operation's promise reports for itself.
    if (result instanceof ChannelPromise) return;
    settled(result, (error) => {
      // Most likely it awaited the promise, and so looks like a caller who takes care of its failure.
      if (failedWith(promise, error)) promise.passedOn();
      else this.#failOperation(error, promise);
    });
  }

  #failOperation(error: unknown, promise: ChannelPromise): void {
    if (!promise.reject(error) && !failedWith(promise, error)) this.channel.reportUnhandled(error);
  }
}

/** Stands for "tracked, and nothing to wait for so far": most messages are handled at once, and cost no list. */
const NONE: PromiseLike<unknown>[] = [];

/** What the handlers of the message that is being tracked just now have promised; undefined while none is tracked. */
let unfinished: PromiseLike<unknown>[] | undefined = undefined;

function failedWith(promise: ChannelPromise, error: unknown): boolean {
  return promise.isDone && !promise.isSuccess && promise.error === error;
}

/** Calls back if the result is a promise and fails. Other results mean nothing. */
function settled(result: unknown, onFailure: (error: unknown) => void): void {
  if (result instanceof ChannelPromise) {
    result.onSettled((error) => {
      if (error !== undefined) onFailure(error);
    });
  } else if (typeof (result as PromiseLike<unknown>)?.then === "function") {
    (result as PromiseLike<unknown>).then(undefined, onFailure);
  }
}

function ignore(): void {}
