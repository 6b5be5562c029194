/**
 * A promise that others settle.
 *
 * @module
 */

/** As `Promise.withResolvers()` makes it, which Node 20 lacks. */
export class Deferred<T> {
  /** Settles it. */
  resolve!: (value: T) => void;
  /** Settles it as failed. */
  reject!: (error: unknown) => void;
  readonly promise: Promise<T> = new Promise<T>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}
