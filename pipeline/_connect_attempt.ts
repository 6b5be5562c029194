/**
 * One try to get a link.
 *
 * @module
 */

import { ConnectRace, refuse } from "./_connect_race.ts";
import { ConnectError } from "./errors.ts";
import type { EventLoop, Timer } from "./event_loop.ts";
import type { Link, Remote, RemoteChoice, RemoteRace, RemoteSource, Transport } from "./transport.ts";

export { refuse };

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
 * The channel state `connecting`: owns the timeout of one try and what it is
 * waiting for, and calls back once.
 */
export class ConnectAttempt {
  readonly kind = "connecting";
  readonly #options: ConnectAttemptOptions;
  readonly #timer: Timer;
  /** While the source is asked: aborts that. */
  #asking: AbortController | undefined = undefined;
  #race: ConnectRace | undefined = undefined;
  #done = false;

  constructor(options: ConnectAttemptOptions) {
    this.#options = options;
    this.#timer = options.loop.schedule(options.timeoutMs, () => this.#timeOut());
  }

  /** Begins. Calls back before it returns where nothing has to be waited for. */
  start(): void {
    const { source } = this.#options;
    if (typeof source === "function") this.#ask(source);
    else this.#connect(source);
  }

  /** Gives up. */
  fail(error: unknown): void {
    if (this.#done) return;
    this.#done = true;
    this.#timer.cancel();
    this.#asking?.abort(error);
    this.#race?.stop(error);
    this.#options.onFailed(error);
  }

  #ask(source: Exclude<RemoteSource, RemoteChoice>): void {
    if (this.#done) return;
    // Wrapped, because a TypeError (which a failed fetch is as well) would look
    // like an address that is wrong for good.
    const failed = (cause: unknown) =>
      this.fail(new ConnectError("the remote", "its address could not be had", { cause }));
    this.#asking = new AbortController();
    let choice;
    try {
      choice = source({ signal: this.#asking.signal });
      if (isPromise(choice)) return void choice.then((choice) => this.#connect(choice), failed);
    } catch (error) {
      return failed(error);
    }
    this.#connect(choice);
  }

  #connect(choice: RemoteChoice): void {
    if (this.#done) return;
    const { transport, loop, source, onLink } = this.#options;
    const race = raceOf(choice);
    const { remotes, delayMs = 0 } = race;
    if (remotes.length === 0) {
      // A directory that knows no server just now may know one later; a fixed list will not change.
      return this.fail(
        typeof source === "function"
          ? new ConnectError("the remote", "there is no address to try")
          : new TypeError("Cannot connect: the list of remotes is empty"),
      );
    }
    if (!(delayMs >= 0 && delayMs < Infinity)) {
      return this.fail(
        new TypeError(`Cannot connect: delayMs must be a finite number of 0 or more, got ${delayMs}`),
      );
    }
    this.#race = new ConnectRace({
      race,
      transport,
      loop,
      onLink: (link, remote) => {
        this.#done = true;
        this.#timer.cancel();
        onLink(link, remote);
      },
      onFailed: (error) => this.fail(error),
    });
    this.#race.start();
  }

  #timeOut(): void {
    const { timeoutMs } = this.#options;
    this.fail(
      this.#race?.timeOut(timeoutMs) ?? new ConnectError("the remote", `timed out after ${timeoutMs} ms`),
    );
  }
}

function raceOf(choice: RemoteChoice): RemoteRace {
  if (Array.isArray(choice)) return { remotes: choice };
  const { remotes } = (choice ?? {}) as Partial<RemoteRace>;
  return remotes === undefined ? { remotes: [choice as string | Remote] } : choice as RemoteRace;
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as Promise<T>)?.then === "function";
}
