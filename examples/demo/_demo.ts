/**
 * A chat server, a NAT that forgets idle links, and a client behind it.
 *
 * @module
 */

import {
  AdaptiveIntervalHandler,
  type AdaptiveIntervalSnapshot,
  answerKeepAlive,
  Bootstrap,
  type Channel,
  type ChannelHandler,
  type EventLoop,
  type IntervalEvent,
  keepAlive,
  type LinkDownEvent,
  type LinkUpEvent,
  ServerBootstrap,
  SessionHandler,
  SessionRegistry,
  systemEventLoop,
  type Timer,
  type TrialEvent,
  type VerdictEvent,
} from "../../mod.ts";
import { tcp } from "../../pipeline/transports/tcp.ts";
import { chatClient } from "../../cli/chat_client.ts";
import { ChatServer } from "../../cli/chat_server.ts";
import { type NatEvent, type NatMode, startNatBox } from "../../tests/lab/nat_box.ts";
import { clientOptions, scaleOf, serverOptions } from "./_scaled.ts";

/** A push that comes later than this is late. */
const LATE_MS = 1_000;

/** What the demo is made with. */
export interface DemoOptions {
  readonly natTimeoutMs: number;
  readonly natMode: NatMode;
  readonly strategy: string;
  /** It ends by itself by then. */
  readonly durationMs: number;
  readonly seed: number;
  /** Gets what happens, as one line for people. */
  readonly onNews?: (text: string) => void;
}

/** What it has come to; the fields of `--json`. */
export interface DemoResult {
  readonly natTimeoutMs: number;
  readonly natMode: NatMode;
  readonly strategy: string;
  readonly learnedMs: number;
  readonly fraction: number;
  readonly heartbeats: number;
  readonly pushesSent: number;
  readonly pushesDelivered: number;
  readonly pushesLate: number;
  readonly reconnects: number;
  readonly durationMs: number;
}

/** Runs once. Its fields are what a screen shows. */
export class Demo {
  readonly options: DemoOptions;
  /** The interval over time, for a chart: [ms since start, interval in ms]. */
  readonly history: [atMs: number, intervalMs: number][] = [];
  isUp = false;
  reconnects = -1;
  pushesSent = 0;
  pushesDelivered = 0;
  pushesLate = 0;
  /** The silence that is being tried on a second link, and since when. */
  trial: { readonly idleMs: number; readonly atMs: number } | undefined = undefined;
  readonly #loop: EventLoop = systemEventLoop();
  readonly #startMs: number = systemEventLoop().now();
  readonly #sentMs = new Map<number, number>();
  readonly #chat = new ChatServer();
  readonly #random: () => number;
  readonly #adaptive: AdaptiveIntervalHandler[] = [];
  #learnedMs = 0;
  #settledAtMs: number | undefined = undefined;
  #pushesSinceSettled = 0;
  #pushTimer: Timer | undefined = undefined;

  constructor(options: DemoOptions) {
    this.options = options;
    this.#random = randomFrom(options.seed);
  }

  /** Since the start, ms. */
  get atMs(): number {
    return this.#loop.now() - this.#startMs;
  }

  get snapshot(): AdaptiveIntervalSnapshot | undefined {
    return this.#adaptive[0]?.snapshot();
  }

  /** The interval that was found; while the search goes on, no more than what has survived. */
  get learnedMs(): number {
    const { snapshot } = this;
    if (snapshot === undefined) return 0;
    // A fixed interval is found from the start, and no event ever tells of it.
    return snapshot.isSettled ? snapshot.intervalMs : Math.min(this.#learnedMs, snapshot.bracket.loMs);
  }

  /** Starts all three, and ends when the answer has held for a while, or time is up. */
  async run(signal?: AbortSignal): Promise<DemoResult> {
    const { natTimeoutMs, natMode, strategy } = this.options;
    const scale = scaleOf(natTimeoutMs);
    const sessions = new SessionRegistry();
    await using server = await new ServerBootstrap({
      transport: tcp(),
      pipeline: (p) =>
        p.addLast(...answerKeepAlive({ ...serverOptions(scale), sessions }), this.#chat.handler()),
      onUnhandled: () => {},
    }).listen("tcp://127.0.0.1:0");
    await using nat = await startNatBox({
      listen: "tcp://127.0.0.1:0",
      target: server.address,
      natTimeoutMs,
      mode: natMode,
      onEvent: (event) => this.#natHappened(event),
    });
    await using channel: Channel = await new Bootstrap({
      transport: tcp(),
      pipeline: (p) => {
        p.addLast(
          ...keepAlive({ ...clientOptions(strategy, scale), session: new SessionHandler() }),
          this.#observer(),
          this.#client(),
        );
        this.#adaptive[0] = p.get(AdaptiveIntervalHandler)!;
      },
      onUnhandled: () => {},
    }).connect(nat.address, { signal });
    this.#pushSoon();
    await this.#until(() => this.#hasShownEnough() || signal?.aborted === true, this.#pushUntilMs);
    this.#pushTimer?.cancel();
    this.#news("no more pushes; waiting for those that are on their way");
    await this.#until(
      () => this.#chat.unconfirmed === 0 || signal?.aborted === true,
      this.options.durationMs,
    );
    const result = this.#result();
    await channel.close();
    return result;
  }

  /** The last pushes need time: one that vanished is repeated only after the next beat has shown that the link is dead. */
  get #pushUntilMs(): number {
    const { durationMs, natTimeoutMs } = this.options;
    return Math.max(durationMs * 0.5, durationMs - 1.8 * natTimeoutMs - 2_000);
  }

  #hasShownEnough(): boolean {
    return this.#settledAtMs !== undefined && this.#pushesSinceSettled >= 4 &&
      this.atMs - this.#settledAtMs >= 2.5 * this.options.natTimeoutMs;
  }

  #result(): DemoResult {
    const { natTimeoutMs, natMode, strategy } = this.options;
    const { learnedMs } = this;
    return {
      natTimeoutMs,
      natMode,
      strategy,
      learnedMs: Math.round(learnedMs),
      fraction: Number((learnedMs / natTimeoutMs).toFixed(3)),
      heartbeats: this.snapshot?.heartbeats ?? 0,
      pushesSent: this.pushesSent,
      pushesDelivered: this.pushesDelivered,
      pushesLate: this.pushesLate,
      reconnects: Math.max(0, this.reconnects),
      durationMs: Math.round(this.atMs),
    };
  }

  /**
   * Random moments: bursts of one to three after silences that are mostly a
   * little longer than the NAT allows. `stepwise()` needs six whole silences of
   * up to 1.1 times that, and evenly spread gaps would leave it too few of them
   * to come to an end within the demo's time.
   */
  #pushSoon(): void {
    const isShort = this.#random() < 0.15;
    const share = isShort ? 0.2 + 0.5 * this.#random() : 1.1 + 0.35 * this.#random();
    const gapMs = this.options.natTimeoutMs * share;
    this.#pushTimer = this.#loop.schedule(gapMs, () => {
      const count = 1 + Math.floor(3 * this.#random());
      for (let i = 0; i < count; i++) this.#push();
      this.#pushSoon();
    });
  }

  #push(): void {
    const n = this.#chat.push();
    if (n === undefined) return;
    // The number is on its way already, but what it meets answers no sooner than the next turn.
    this.#sentMs.set(n, this.#loop.now());
    this.pushesSent++;
    if (this.#settledAtMs !== undefined) this.#pushesSinceSettled++;
  }

  #client(): ChannelHandler {
    return chatClient({
      onPush: (n) => {
        const lateMs = this.#loop.now() - (this.#sentMs.get(n) ?? 0);
        this.pushesDelivered++;
        if (lateMs > LATE_MS) {
          this.pushesLate++;
          this.#news(`push ${n} came ${(lateMs / 1000).toFixed(1)} s late`);
        } else {
          this.#news(`push ${n} arrived`);
        }
      },
    });
  }

  #observer(): ChannelHandler {
    return {
      userEventTriggered: (context, event) => {
        const known = event as LinkUpEvent | LinkDownEvent | IntervalEvent | TrialEvent | VerdictEvent;
        if (known.type === "linkUp") this.#linkIsUp();
        else if (known.type === "linkDown") this.#linkIsDown(known);
        else if (known.type === "interval") this.#intervalChanged(known);
        else if (known.type === "trial") this.#trialBegins(known);
        else if (known.type === "verdict") this.#trialEnds(known);
        context.fireUserEventTriggered(event);
      },
      exceptionCaught: () => {},
    };
  }

  #linkIsUp(): void {
    this.isUp = true;
    this.reconnects++;
    if (this.history.length === 0) this.history.push([this.atMs, this.snapshot!.intervalMs]);
    if (this.snapshot!.isSettled && this.#settledAtMs === undefined) this.#settled();
    this.#news(this.reconnects === 0 ? "link up" : "link up again");
  }

  #linkIsDown({ reason }: LinkDownEvent): void {
    this.isUp = false;
    this.trial = undefined;
    if (reason !== "closed") this.#news(`link down (${reason})`);
  }

  #intervalChanged({ intervalMs, isSettled }: IntervalEvent): void {
    this.history.push([this.atMs, intervalMs]);
    const { phase } = this.snapshot!;
    if (phase !== "searching" && phase !== "settled") return;
    this.#learnedMs = intervalMs;
    this.#news(`interval ${seconds(intervalMs)}${isSettled ? ", found" : ""}`);
    if (!isSettled) this.#settledAtMs = undefined;
    else if (this.#settledAtMs === undefined) this.#settled();
  }

  #trialBegins({ idleMs, where }: TrialEvent): void {
    this.trial = { idleMs, atMs: this.atMs };
    this.#news(
      `trying a silence of ${seconds(idleMs)} on ${where === "scout" ? "a second link" : "the link"}`,
    );
  }

  #trialEnds({ idleMs, outcome, reason }: VerdictEvent): void {
    this.trial = undefined;
    this.#news(`silence of ${seconds(idleMs)}: ${outcome} (${reason})`);
    if (this.#settledAtMs === undefined && this.snapshot?.isSettled) this.#settled();
  }

  #settled(): void {
    this.#settledAtMs = this.atMs;
    this.#pushesSinceSettled = 0;
  }

  #natHappened(event: NatEvent): void {
    if (event.type === "forgotten") {
      this.#news(`NAT: link ${event.link} was idle for too long and is forgotten`);
    } else if (event.type === "reset") {
      this.#news(`NAT: link ${event.link} is reset, ${event.bytes} bytes are lost`);
    }
  }

  #news(text: string): void {
    this.options.onNews?.(text);
  }

  /** Waits for something, looking often: what it waits for happens in many places. */
  #until(isDone: () => boolean, untilMs: number): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (isDone() || this.atMs >= untilMs) resolve();
        else this.#loop.schedule(50, look);
      };
      look();
    });
  }
}

/** As people say it. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Mulberry32: the same demo for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
