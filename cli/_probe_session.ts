/**
 * One measurement, from the connect to the result.
 *
 * @module
 */

import { Deferred } from "./_deferred.ts";
import { Channel, type ChannelHandler, type EventLoop, type LinkDownEvent, type Transport } from "../mod.ts";
import {
  type CoverageEvent,
  type LinkValidEvent,
  type ProbeDoneEvent,
  ProbeHandler,
  type ProbeOptions,
  type ProbeOutcome,
  type ProbeSnapshot,
  type ReconnectEvent,
  ReconnectHandler,
  type TrialEvent,
  type VerdictEvent,
} from "../mod.ts";

/** What the last line of `--json` is. */
export interface ProbeResult {
  readonly url: string;
  readonly loMs: number;
  readonly hiMs: number | null;
  readonly intervalMs: number | null;
  readonly direction: "push" | "client";
  readonly trials: readonly { readonly idleMs: number; readonly verdict: string; readonly reason: string }[];
  readonly durationMs: number;
}

/** How it ended: as the handler says, or stopped by the user. */
export interface ProbeReport {
  readonly outcome: ProbeOutcome | "stopped";
  readonly result: ProbeResult;
}

/** What a measurement tells while it runs. */
export type ProbeNews =
  | LinkValidEvent
  | CoverageEvent
  | TrialEvent
  | VerdictEvent
  | LinkDownEvent
  | ReconnectEvent;

/** What a measurement needs. */
export interface ProbeSessionOptions extends ProbeOptions {
  readonly url: string;
  readonly transport: Transport;
  readonly loop: EventLoop;
  readonly onNews: (news: ProbeNews) => void;
}

type Event = ProbeNews | ProbeDoneEvent | { readonly type: "linkUp" | "reconnectFailed" };

/** Connects, probes, and closes. */
export class ProbeSession {
  readonly #options: ProbeSessionOptions;
  readonly #handler: ProbeHandler;
  readonly #channel: Channel;
  readonly #report = new Deferred<ProbeReport>();
  readonly #trials: { idleMs: number; verdict: string; reason: string }[] = [];
  readonly #startMs: number;
  #isValid = false;
  #isOver = false;

  /**
   * Checks the options; nothing is connected yet.
   *
   * @throws {RangeError} If a number is out of range.
   */
  constructor(options: ProbeSessionOptions) {
    const { transport, loop, scoutHandlers } = options;
    this.#options = options;
    this.#startMs = loop.now();
    this.#handler = new ProbeHandler(options);
    this.#channel = new Channel({
      transport,
      loop,
      pipeline: (p) => p.addLast(...scoutHandlers(), this.#handler, new ReconnectHandler(), this.#watcher()),
      // What the peer's application says is of no interest, and what goes wrong with a link shows as its end.
      onUnhandled: () => {},
    });
  }

  /** What is known and done now. */
  get snapshot(): ProbeSnapshot | undefined {
    return this.#handler.snapshot();
  }

  /**
   * Runs until there is a result, or {@linkcode stop}.
   *
   * @throws {ConnectError} If the server cannot be reached.
   * @throws {Error} If it does not answer heartbeats.
   */
  async run(): Promise<ProbeReport> {
    const { url } = this.#options;
    this.#channel.connect(url).onSettled((error) => {
      if (error !== undefined) this.#fail(error);
    });
    try {
      return await this.#report.promise;
    } finally {
      // Not waited for: what is known need not wait for a network that may be gone.
      this.#channel.close();
    }
  }

  /** How long it has run, ms. */
  get elapsedMs(): number {
    return this.#options.loop.now() - this.#startMs;
  }

  /** Ends it with what is known so far. */
  stop(): void {
    this.#settle("stopped");
  }

  #watcher(): ChannelHandler {
    return {
      userEventTriggered: (_context, event) => this.#take(event as Event),
    };
  }

  #take(event: Event): void {
    if (this.#isOver) return;
    switch (event.type) {
      case "probeDone":
        return this.#settle(event.outcome);
      case "verdict":
        this.#trials.push({ idleMs: event.idleMs, verdict: event.outcome, reason: event.reason });
        break;
      case "linkValid":
        this.#isValid = true;
        break;
      case "reconnect":
        if (!this.#isValid && event.error !== undefined) return this.#fail(event.error);
        break;
      case "linkDown":
        if (!this.#isValid) return this.#fail(this.#notAnswered(event));
        break;
      case "coverage":
      case "trial":
        break;
      default:
        return;
    }
    this.#options.onNews(event);
  }

  #fail(error: unknown): void {
    this.#isOver = true;
    this.#report.reject(error);
  }

  #notAnswered({ reason }: LinkDownEvent): Error {
    return new Error(
      `Cannot probe ${this.#options.url}: the server does not answer such heartbeats (${reason})`,
    );
  }

  #settle(outcome: ProbeReport["outcome"]): void {
    const { url } = this.#options;
    const snapshot = this.#handler.snapshot();
    const { loMs, hiMs } = snapshot?.bracket ?? { loMs: 0, hiMs: null };
    const result: ProbeResult = {
      url,
      loMs,
      hiMs,
      intervalMs: snapshot?.intervalMs ?? null,
      direction: snapshot?.direction ?? "client",
      trials: this.#trials,
      durationMs: Math.round(this.elapsedMs),
    };
    this.#isOver = true;
    this.#report.resolve({ outcome, result });
  }
}
