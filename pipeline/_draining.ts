/**
 * Closing a server's channels without cutting anything off.
 *
 * @module
 */

import type { Channel } from "./channel.ts";
import type { EventLoop, Timer } from "./event_loop.ts";
import type { DrainEvent } from "./link_event.ts";

/** How the clients are sent away; the public description is at `DrainOptions`. */
export interface DrainLimits {
  readonly windowMs: number;
  readonly deadlineMs: number;
}

/** A channel that is not closed. */
interface Entry {
  readonly channel: Channel;
  /** Whether it may carry what another one has to say. */
  readonly isWithdrawn: boolean;
  /** How many promises of its handlers are not settled. */
  outstanding: number;
  isClosing: boolean;
}

/** An orderly end of a link takes up to this long, ms; see `Link.close`. */
const CLOSE_LIMIT_MS = 2_000;
/** How often it is looked whether bytes have left, ms: nothing tells, and one timer serves all channels. */
const LOOK_MS = 25;

/**
 * Tells all channels that they are about to be closed, and closes each once
 * its bytes have left and its handlers are done, or time is up; those that
 * were withdrawn only after all others, some of which they may carry.
 */
export class Draining {
  /** Resolves when all channels are closed. */
  readonly done: Promise<void>;
  readonly #loop: EventLoop;
  readonly #entries = new Set<Entry>();
  readonly #closing: PromiseLike<void>[] = [];
  readonly #resolve: (closed: Promise<unknown>) => void;
  /** From when on nobody is waited for, and from when on nobody is closed gently, in the loop's time, ms. */
  readonly #untilMs: number;
  readonly #deadlineMs: number;
  /** How many channels that were not withdrawn are not closed. */
  #open = 0;
  #timer: Timer | undefined = undefined;

  constructor(
    channels: Iterable<Channel>,
    withdrawn: Iterable<Channel>,
    loop: EventLoop,
    { windowMs, deadlineMs }: DrainLimits,
  ) {
    // Not Promise.withResolvers(), which Node 20 lacks.
    let resolve!: (value: unknown) => void;
    this.done = new Promise<unknown>((settle) => resolve = settle).then(ignore);
    this.#resolve = resolve;
    this.#loop = loop;
    this.#deadlineMs = loop.now() + deadlineMs;
    this.#untilMs = this.#deadlineMs - Math.min(CLOSE_LIMIT_MS, deadlineMs / 2);
    for (const channel of channels) {
      this.#entries.add({ channel, isWithdrawn: false, outstanding: 0, isClosing: false });
      this.#open++;
    }
    for (const channel of withdrawn) {
      this.#entries.add({ channel, isWithdrawn: true, outstanding: 0, isClosing: false });
    }
    for (const entry of [...this.#entries]) this.#tell(entry, windowMs);
    this.#look();
  }

  /** Waits for nobody any more: closes what is left as it is. */
  cut(): void {
    for (const entry of [...this.#entries]) this.#close(entry);
  }

  #tell(entry: Entry, windowMs: number): void {
    const { channel } = entry;
    const settled = () => {
      entry.outstanding--;
      this.#closeIfDone(entry);
    };
    channel.pipeline.fireUserEventTriggered(
      {
        type: "drain",
        comeBackMs: this.#loop.random() * windowMs,
        deadlineMs: this.#untilMs,
        waitUntil(promise) {
          entry.outstanding++;
          promise.then(settled, settled);
        },
      } satisfies DrainEvent,
    );
    // What nobody flushes would never leave.
    channel.flush();
  }

  #look(): void {
    const nowMs = this.#loop.now();
    for (const entry of [...this.#entries]) {
      this.#closeIfDone(entry);
      if (nowMs >= this.#untilMs) this.#giveUp(entry, nowMs >= this.#deadlineMs);
    }
    if (this.#entries.size === 0) return this.#finish();
    if (nowMs >= this.#deadlineMs) return;
    const nextMs = nowMs < this.#untilMs ? this.#untilMs : this.#deadlineMs;
    this.#timer = this.#loop.schedule(Math.min(LOOK_MS, nextMs - nowMs), () => this.#look());
  }

  #closeIfDone(entry: Entry): void {
    if (entry.outstanding > 0 || entry.channel.pendingBytes > 0) return;
    if (!entry.isWithdrawn || this.#open === 0) this.#close(entry);
  }

  #close(entry: Entry): void {
    if (entry.isClosing) return;
    entry.isClosing = true;
    const closed = entry.channel.close();
    this.#closing.push(closed);
    closed.onSettled(() => this.#closed(entry));
  }

  #closed(entry: Entry): void {
    this.#entries.delete(entry);
    if (!entry.isWithdrawn && --this.#open === 0) {
      for (const other of [...this.#entries]) this.#closeIfDone(other);
    }
    if (this.#entries.size === 0) this.#finish();
  }

  /**
   * A peer that has not read until now will not do so while its link is
   * closed: that would only take longer. Nor is a handler waited for that
   * holds its close back until its peer has answered.
   */
  #giveUp(entry: Entry, isLate: boolean): void {
    if (isLate || (!entry.isClosing && entry.channel.pendingBytes > 0)) entry.channel.drop("closed");
    this.#close(entry);
  }

  #finish(): void {
    this.#timer?.cancel();
    this.#resolve(Promise.all(this.#closing));
  }
}

function ignore(): void {}
