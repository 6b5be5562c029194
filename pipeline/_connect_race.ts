/**
 * Several remotes, of which the first that answers will do.
 *
 * @module
 */

import { withoutSecrets } from "./_without_secrets.ts";
import { ConnectError } from "./errors.ts";
import type { EventLoop, Timer } from "./event_loop.ts";
import type { Link, LinkSink, Remote, RemoteRace, Transport } from "./transport.ts";

/** RFC 8305, section 5, recommends it for the time between two connection attempts. */
const DEFAULT_RACE_DELAY_MS = 250;

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

/** What a race is held with. */
export interface ConnectRaceOptions {
  readonly race: RemoteRace;
  readonly transport: Transport;
  readonly loop: EventLoop;
  /** The first link. */
  readonly onLink: (link: Link, remote: Remote) => void;
  /** There will be none. */
  readonly onFailed: (error: unknown) => void;
}

/** One remote that is being tried, or has failed. */
interface Runner {
  /** As it was given, secrets and all; undefined where something else was given. */
  readonly address: string | undefined;
  /** As errors may name it. */
  readonly name: string;
  readonly abort: AbortController;
  /** What it failed with; undefined while it is on its way. */
  error: unknown;
}

/**
 * Tries remotes a moment apart and calls back once. Each try has a signal of
 * its own: the winner's must never be aborted, as a transport may tie its link
 * to it.
 */
export class ConnectRace {
  readonly #options: ConnectRaceOptions;
  /** Those that were started. */
  readonly #runners: Runner[] = [];
  /** Starts the next one. */
  #timer: Timer | undefined = undefined;
  #isOver = false;

  constructor(options: ConnectRaceOptions) {
    this.#options = options;
  }

  /** Begins. Calls back before it returns where nothing has to be waited for. */
  start(): void {
    this.#startNext();
  }

  /** Aborts all tries, without calling back. */
  stop(reason: unknown): void {
    if (!this.#isOver) this.#end(undefined, reason);
  }

  /**
   * Ends it because the time is up, without calling back: those that have not
   * answered count as failed.
   *
   * @returns What it is to fail with.
   */
  timeOut(timeoutMs: number): unknown {
    const detail = `timed out after ${timeoutMs} ms`;
    this.#isOver = true;
    this.#timer?.cancel();
    for (const runner of this.#runners) {
      if (runner.error !== undefined) continue;
      this.#fails(runner, new ConnectError(runner.name, detail));
      runner.abort.abort(runner.error);
    }
    return this.#combined(detail);
  }

  #startNext(): void {
    const { race: { remotes, delayMs = DEFAULT_RACE_DELAY_MS }, loop } = this.#options;
    this.#timer?.cancel();
    while (this.#runners.length < remotes.length) {
      const runner = this.#run(remotes[this.#runners.length]!);
      if (this.#isOver) return;
      if (runner.error === undefined) {
        if (this.#runners.length < remotes.length) {
          this.#timer = loop.schedule(delayMs, () => this.#startNext());
        }
        return;
      }
    }
    if (this.#runners.some(({ error }) => error === undefined)) return;
    this.#isOver = true;
    this.#options.onFailed(this.#combined("none of them could be reached"));
  }

  #run(given: string | Remote): Runner {
    const { transport, loop } = this.#options;
    const remote = typeof given === "string" ? { address: given } : given;
    const address = typeof remote?.address === "string" ? remote.address : undefined;
    const name = withoutSecrets(address ?? String(given));
    const runner: Runner = { address, name, abort: new AbortController(), error: undefined };
    this.#runners.push(runner);
    let link;
    try {
      if (address === undefined) {
        throw new TypeError(`Cannot connect: the remote must be an address or have one, got ${name}`);
      }
      link = transport.connect(remote, { loop, signal: runner.abort.signal });
    } catch (error) {
      this.#fails(runner, error);
      return runner;
    }
    // Outside of the try: what the channel does with its link is no failure to connect.
    if (isPromise(link)) {
      link.then((link) => this.#linked(runner, link, remote), (error) => this.#failsLater(runner, error));
    } else this.#linked(runner, link, remote);
    return runner;
  }

  #failsLater(runner: Runner, error: unknown): void {
    if (this.#isOver) return;
    // An address that is wrong for good shows at once. A later TypeError (a failed fetch is one) is worth another try.
    this.#fails(
      runner,
      error instanceof TypeError ? new ConnectError(runner.name, error.message, { cause: error }) : error,
    );
    // While a later one is still tried alone, its successor keeps its time.
    const { race: { remotes } } = this.#options;
    if (runner === this.#runners.at(-1) || this.#runners.length === remotes.length) this.#startNext();
  }

  #fails(runner: Runner, error: unknown): void {
    runner.error = error ?? new ConnectError(runner.name, "it failed without an error");
    if (runner.address !== undefined) this.#options.race.onFailed?.(runner.address);
  }

  #linked(runner: Runner, link: Link, remote: Remote): void {
    // A link that comes after the race would stay open with nobody to close it.
    if (this.#isOver) return refuse(link);
    this.#end(runner, undefined);
    this.#options.onLink(link, remote);
  }

  #end(winner: Runner | undefined, reason: unknown): void {
    this.#isOver = true;
    this.#timer?.cancel();
    for (const runner of this.#runners) {
      if (runner !== winner && runner.error === undefined) runner.abort.abort(reason);
    }
  }

  /** One error for all that failed. */
  #combined(detail: string): unknown {
    const [first, ...others] = this.#runners;
    if (others.length === 0) return first!.error;
    const errors = this.#runners.map(({ error }) => error);
    const addresses = this.#runners.map(({ name }) => name).join(", ");
    const cause = new AggregateError(errors, `${errors.length} addresses failed`);
    // Only where each of them is wrong for good there is no use in trying again.
    return errors.every((error) => error instanceof TypeError)
      ? new TypeError(`Cannot connect to ${addresses}: all of these addresses are wrong`, { cause })
      : new ConnectError(addresses, detail, { cause });
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as Promise<T>).then === "function";
}
