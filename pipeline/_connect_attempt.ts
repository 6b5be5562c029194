/**
 * One try to get a link.
 *
 * @module
 */

import { ConnectError } from "./errors.ts";
import type { EventLoop, Timer } from "./event_loop.ts";
import type { Link, LinkSink, Remote, RemoteSource, Transport } from "./transport.ts";

/** Takes the place of a channel for a link that nobody wants. */
const IGNORE: LinkSink = {
  onRead() {},
  onReadComplete() {},
  onFlushed() {},
  onClosed() {},
};

/** Ends a link that nobody wants. */
export function refuse(link: Link): void {
  link.open(IGNORE);
  link.abort();
}

/** What one try is made with. */
export interface ConnectAttemptOptions {
  readonly source: RemoteSource;
  readonly transport: Transport;
  readonly loop: EventLoop;
  readonly timeoutMs: number;
  /** The link stands. */
  readonly onLink: (link: Link, remote: Remote) => void;
  /** There will be none. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * The channel state `connecting`: owns the timeout and the abort signal of one
 * try, and calls back once. A link that comes after the try was given up is
 * aborted, or it would stay open with nobody to close it.
 */
export class ConnectAttempt {
  readonly kind = "connecting";
  readonly #options: ConnectAttemptOptions;
  readonly #abort = new AbortController();
  readonly #timer: Timer;
  #address = "the remote";
  #done = false;

  constructor(options: ConnectAttemptOptions) {
    this.#options = options;
    this.#timer = options.loop.schedule(options.timeoutMs, () => {
      this.fail(new ConnectError(this.#address, `timed out after ${options.timeoutMs} ms`));
    });
  }

  /** Begins. Calls back before it returns where nothing has to be waited for. */
  start(): void {
    const { source } = this.#options;
    if (typeof source !== "function") return this.#dial(source);
    // Wrapped, because a TypeError (which a failed fetch is as well) would look
    // like an address that is wrong for good.
    const failed = (cause: unknown) =>
      this.fail(new ConnectError("the remote", "its address could not be had", { cause }));
    let remote;
    try {
      remote = source({ signal: this.#abort.signal });
      if (isPromise(remote)) return void remote.then((remote) => this.#dial(remote), failed);
    } catch (error) {
      return failed(error);
    }
    this.#dial(remote);
  }

  /** Gives up. */
  fail(error: unknown): void {
    if (this.#done) return;
    this.#done = true;
    this.#timer.cancel();
    this.#abort.abort(error);
    this.#options.onFailed(error);
  }

  #dial(given: string | Remote): void {
    if (this.#done) return;
    const { transport, loop } = this.#options;
    let remote: Remote, link;
    try {
      remote = typeof given === "string" ? { address: given } : given;
      if (typeof remote?.address !== "string") {
        throw new TypeError(
          `Cannot connect: the remote must be an address or have one, got ${String(given)}`,
        );
      }
      this.#address = remote.address;
      link = transport.connect(remote, { loop, signal: this.#abort.signal });
      if (isPromise(link)) {
        return void link.then(
          (link) => this.#linked(link, remote),
          (error) => this.fail(this.#notTheAddress(error)),
        );
      }
    } catch (error) {
      return this.fail(error);
    }
    // Outside of the try: what the channel does with its link is no failure to connect.
    this.#linked(link, remote);
  }

  /** An address that is wrong for good shows at once. A later TypeError (a failed fetch is one) is worth another try. */
  #notTheAddress(error: unknown): unknown {
    return error instanceof TypeError
      ? new ConnectError(this.#address, error.message, { cause: error })
      : error;
  }

  #linked(link: Link, remote: Remote): void {
    if (this.#done) return refuse(link);
    this.#done = true;
    this.#timer.cancel();
    this.#options.onLink(link, remote);
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as Promise<T>).then === "function";
}
