/**
 * The outcome of an outbound operation.
 *
 * @module
 */

/** Gets the failure of an operation that nobody listened to. A channel is one. */
export interface UnhandledFailureSink {
  /** Reports an error that nobody handled. */
  reportUnhandled(error: unknown): void;
}

type Listener = (error: unknown) => void;

/**
 * The outcome of one outbound operation, which may be awaited. It is no native
 * promise: one is made only when somebody awaits, so that a caller who does
 * not care pays for none. A failure that nobody awaits (or listens to) by the
 * end of the current turn is reported at the tail of the pipeline.
 *
 * @example Awaiting, and not awaiting
 * ```ts
 * import { assert } from "@std/assert";
 * import { EmbeddedChannel } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel();
 * channel.writeAndFlush("fire and forget");
 * const promise = channel.writeAndFlush("and this one I want to know about");
 * await promise;
 * assert(promise.isDone);
 * ```
 */
export class ChannelPromise implements PromiseLike<void> {
  /** Pending: the listeners, if any. Failed: the error. */
  #value: unknown = undefined;
  #state: "pending" | "succeeded" | "failed" = "pending";
  #handled = false;
  readonly #unhandled: UnhandledFailureSink | undefined;

  /** @param unhandled Gets a failure that nobody listened to. */
  constructor(unhandled?: UnhandledFailureSink) {
    this.#unhandled = unhandled;
  }

  /** Whether the operation succeeded or failed. */
  get isDone(): boolean {
    return this.#state !== "pending";
  }

  /** Whether the operation succeeded. */
  get isSuccess(): boolean {
    return this.#state === "succeeded";
  }

  /** What it failed with, or undefined. */
  get error(): unknown {
    return this.#state === "failed" ? this.#value : undefined;
  }

  /**
   * Settles it as succeeded.
   *
   * @returns false if it was settled before; then nothing happens.
   */
  resolve(): boolean {
    if (this.#state !== "pending") return false;
    const listeners = this.#value;
    this.#state = "succeeded";
    this.#value = undefined;
    if (listeners !== undefined) notify(listeners, undefined);
    return true;
  }

  /**
   * Settles it as failed.
   *
   * @param error Why.
   * @returns false if it was settled before; then nothing happens.
   */
  reject(error: unknown): boolean {
    if (this.#state !== "pending") return false;
    const listeners = this.#value;
    this.#state = "failed";
    // Listeners tell success by `undefined`.
    this.#value = error ?? new Error("Cannot complete the operation: it failed without an error");
    if (listeners !== undefined) notify(listeners, this.#value);
    // Late, because `await channel.write(...)` subscribes only after a write
    // that failed synchronously has returned.
    if (!this.#handled && this.#unhandled !== undefined) queueMicrotask(() => this.#reportUnhandled());
    return true;
  }

  /**
   * Calls the listener once settled: at once if it already is. Cheaper than
   * {@linkcode then}, and synchronous. The listener takes care of a failure.
   *
   * @param listener Gets the error, or undefined on success.
   */
  onSettled(listener: (error: unknown) => void): void {
    this.#handled = true;
    this.observe(listener);
  }

  /**
   * Like {@linkcode onSettled} for a listener that only looks on: a failure
   * that nobody else listens to is still reported.
   *
   * @param listener Gets the error, or undefined on success.
   */
  observe(listener: (error: unknown) => void): void {
    if (this.#state === "succeeded") listener(undefined);
    else if (this.#state === "failed") listener(this.#value);
    else if (this.#value === undefined) this.#value = listener;
    else if (Array.isArray(this.#value)) this.#value.push(listener);
    else this.#value = [this.#value, listener];
  }

  /** Makes a native promise of it. */
  then<A = void, B = never>(
    onFulfilled?: ((value: void) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return new Promise<void>((resolve, reject) => {
      this.onSettled((error) => error === undefined ? resolve() : reject(error));
    }).then(onFulfilled, onRejected);
  }

  /** Like `Promise.prototype.catch`. */
  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<void | B> {
    return this.then(undefined, onRejected);
  }

  #reportUnhandled(): void {
    if (!this.#handled) this.#unhandled?.reportUnhandled(this.#value);
  }
}

function notify(listeners: unknown, error: unknown): void {
  if (Array.isArray(listeners)) { for (const listener of listeners as Listener[]) listener(error); }
  else (listeners as Listener)(error);
}
