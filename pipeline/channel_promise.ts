/**
 * The outcome of an outbound operation.
 *
 * @module
 */

/**
 * Gets the failure of an operation that nobody listened to. A channel is one.
 *
 * @example Hearing of a failure that nobody listened to
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ChannelPromise, type UnhandledFailureSink } from "@longlink/pipeline";
 *
 * const unhandled: unknown[] = [];
 * const sink: UnhandledFailureSink = { reportUnhandled: (error) => unhandled.push(error) };
 * new ChannelPromise(sink).reject("nobody listened");
 * await new Promise((resolve) => setTimeout(resolve)); // once the turn is over
 * assertEquals(unhandled, ["nobody listened"]);
 * ```
 */
export interface UnhandledFailureSink {
  /** Reports an error that nobody handled. */
  reportUnhandled(error: unknown): void;
}

type Listener = (error: unknown) => void;

/**
 * The outcome of one outbound operation, which may be awaited. It is no native
 * promise: one is made only when somebody awaits, so that a caller who does
 * not care pays for none. A failure that nobody awaits (or listens to) in the
 * turn in which it happens is reported at the tail of the pipeline.
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
  /** How many listeners take care of a failure. */
  #takers = 0;
  readonly #unhandled: UnhandledFailureSink | undefined;

  /**
   * Makes a promise that is pending.
   *
   * @param unhandled Gets a failure that nobody listened to. Default: nobody is told.
   */
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
    if (listeners !== undefined) this.#notifyAll(listeners, undefined);
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
    if (listeners !== undefined) this.#notifyAll(listeners, this.#value);
    // Two microtasks late: `await channel.write(...)` begins after a write that
    // failed synchronously has returned, and calls `then` one microtask later.
    if (this.#takers === 0) queueMicrotask(() => queueMicrotask(() => this.#reportUnlessTaken()));
    return true;
  }

  /**
   * Calls the listener once settled: at once if it already is. Cheaper than
   * {@linkcode then}, and synchronous. The listener takes care of a failure.
   * What a listener throws is reported as unhandled and keeps no other
   * listener from being called.
   *
   * @param listener Gets the error, or undefined on success.
   */
  onSettled(listener: (error: unknown) => void): void {
    this.#takers++;
    this.observe(listener);
  }

  /**
   * Like {@linkcode onSettled} for a listener that only looks on: a failure
   * that nobody else listens to is still reported.
   *
   * @param listener Gets the error, or undefined on success.
   */
  observe(listener: (error: unknown) => void): void {
    this.#listen(listener);
  }

  /**
   * Like {@linkcode observe}, for one function that serves very many: the
   * argument takes the place of a closure that each of them would keep.
   *
   * @param listener Gets the argument, and the error, or undefined on success.
   * @param argument Passed to the listener.
   */
  observeFor<T>(listener: (argument: T, error: unknown) => void, argument: T): void {
    this.#listen((error) => listener(argument, error));
  }

  #listen(listener: Listener): void {
    if (this.#state === "succeeded") this.#notify(listener, undefined);
    else if (this.#state === "failed") this.#notify(listener, this.#value);
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

  /**
   * Tells that one who listened to the failure did not take care of it but
   * failed with it in turn, as an `async` handler does that awaits the promise
   * it was given. If nobody else listens, the failure is reported after all.
   * Called by the pipeline.
   */
  passedOn(): void {
    if (this.#takers > 0 && --this.#takers === 0) this.#reportUnlessTaken();
  }

  #reportUnlessTaken(): void {
    if (this.#takers === 0) this.#unhandled?.reportUnhandled(this.#value);
  }

  #notifyAll(listeners: unknown, error: unknown): void {
    if (Array.isArray(listeners)) {
      for (const listener of listeners as Listener[]) this.#notify(listener, error);
    } else this.#notify(listeners as Listener, error);
  }

  /** A throw must not reach whoever settles: a transport would end up with it, and later promises unsettled. */
  #notify(listener: Listener, error: unknown): void {
    try {
      listener(error);
    } catch (thrown) {
      if (this.#unhandled !== undefined) this.#unhandled.reportUnhandled(thrown);
      else {queueMicrotask(() => {
          throw thrown;
        });}
    }
  }
}
