/**
 * What the tests of a client have in common: scaled times, events.
 *
 * @module
 */

import { assertExists } from "@std/assert";
import {
  type ChannelHandler,
  type ChannelHandlerContext,
  edge,
  fixedInterval,
  type IntervalEvent,
  type KeepAliveOptions,
  type KeepAliveUnderOptions,
  type LinkDownEvent,
} from "../../mod.ts";

/** How long anything may take that is only waited for, ms. */
export const SOON_MS = 20_000;

/** A client for networks that forget a link after about a second: the library's times, a three hundredth of them. */
export function quick(where: "main" | "scout" = "main"): KeepAliveOptions {
  return {
    strategy: edge({
      where,
      safeMs: 200,
      startMs: 300,
      maxMs: 2_000,
      minMarginMs: 20,
      ladderMs: [500, 1_000],
    }),
    warmUpIntervalMs: 100,
    minAnswerMs: 100,
    maxAnswerMs: 500,
    reconnect: { firstMs: 50, capMs: 500 },
  };
}

/**
 * What goes under another client, its answers waited for a tenth as long as usual.
 *
 * @param intervalMs Between two beats.
 */
export function under(intervalMs: number): KeepAliveUnderOptions {
  return {
    strategy: fixedInterval(intervalMs),
    warmUpBeats: 1,
    warmUpIntervalMs: intervalMs,
    minAnswerMs: 100,
    maxAnswerMs: 500,
  };
}

/** The user events of a channel, and what waits for one. */
export class Events implements ChannelHandler {
  readonly all: { readonly type: string }[] = [];
  readonly errors: unknown[] = [];
  #waiting: (() => void)[] = [];

  /** Takes note. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    this.all.push(event as { type: string });
    for (const wake of this.#waiting.splice(0)) wake();
    context.fireUserEventTriggered(event);
  }

  /** Takes note. */
  exceptionCaught(context: ChannelHandlerContext, error: unknown): void {
    this.errors.push(error);
    for (const wake of this.#waiting.splice(0)) wake();
    context.fireExceptionCaught(error);
  }

  /** All of a type so far. */
  of<T>(type: string): T[] {
    return this.all.filter((event) => event.type === type) as T[];
  }

  /** The first event, from the beginning, of a type for which a condition holds. */
  async until<T>(type: string, holds: (event: T) => boolean = () => true, withinMs = SOON_MS): Promise<T> {
    await this.when(
      `the event ${type}`,
      () => this.all.some((event) => event.type === type && holds(event as T)),
      withinMs,
    );
    return this.of<T>(type).find(holds)!;
  }

  /** Waits until something holds, and looks again whenever something happens. */
  async when(what: string, holds: () => boolean, withinMs = SOON_MS): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!holds()) {
      const left = deadline - performance.now();
      if (left <= 0) {
        throw new Error(`Cannot go on: ${what} did not come. Events: ${JSON.stringify(this.all.slice(-20))}`);
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      const timer = setTimeout(resolve, left);
      await promise;
      clearTimeout(timer);
    }
  }

  /** The last interval in use. */
  get interval(): IntervalEvent {
    const last = this.of<IntervalEvent>("interval").at(-1);
    assertExists(last);
    return last;
  }

  /** Why links went down, in order. */
  get downs(): string[] {
    return this.of<LinkDownEvent>("linkDown").map(({ reason }) => reason);
  }
}
