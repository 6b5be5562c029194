/**
 * Decides when to beat, and notices when nobody answers.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext } from "../pipeline/mod.ts";
import type { Bracket, IntervalSearch, IntervalStrategy, Outcome } from "./adaptive/interval_strategy.ts";
import { stepwise } from "./adaptive/stepwise.ts";
import { Beat, type BeatLimits, type BeatOwner } from "./_beat.ts";
import { checkedCount, checkedMs } from "./_checks.ts";
import { HeartbeatError } from "./errors.ts";
import { Heartbeat, MAX_HEARTBEAT_TIME_MS } from "./heartbeat/heartbeat.ts";
import { idleStateOf } from "./_idle_state.ts";
import type { IdleStateEvent, IdleStateHandler, IdleTimes } from "./idle_state_handler.ts";
import type {
  AppStateEvent,
  BeatEvent,
  IntervalEvent,
  LinkValidEvent,
  NetworkEvent,
  VerdictEvent,
} from "./keep_alive_event.ts";
import { sendHeartbeat } from "./_send_heartbeat.ts";
import { HeartbeatEncoder } from "./heartbeat_encoder.ts";
import { isIntervalRecord, type IntervalRecord, type IntervalStore } from "./stores/interval_store.ts";
import { MemoryIntervalStore } from "./stores/memory_interval_store.ts";

/** Options of {@linkcode AdaptiveIntervalHandler}. */
export interface AdaptiveIntervalOptions {
  /** How the interval is decided. Default: {@linkcode stepwise}. */
  readonly strategy?: IntervalStrategy;
  /** The interval while the application is in the foreground, in ms, above 0. Default: 25,000. */
  readonly foregroundIntervalMs?: number;
  /** How many short beats must be answered before a search goes on, 1 or more. Default: 3. */
  readonly warmUpBeats?: number;
  /** The interval between these short beats, in ms, above 0. Default: 10,000. */
  readonly warmUpIntervalMs?: number;
  /** After how many unanswered heartbeats in a row the link is dead, 1 to 100. Default: 5. */
  readonly maxUnanswered?: number;
  /**
   * The shortest wait for an answer, in ms, above 0. The wait follows the
   * measured round trip; with the default, five unanswered heartbeats take 8 s
   * on a network with a round trip of 100 ms. Default: 1,000.
   */
  readonly minAnswerMs?: number;
  /** The longest wait for an answer, in ms, `minAnswerMs` or more. Default: 10,000. */
  readonly maxAnswerMs?: number;
  /** Where the application is until an `appState` event says otherwise. Default: `background`. */
  readonly appState?: "foreground" | "background";
  /** Where learned intervals are kept. Default: in memory, for this channel alone. */
  readonly store?: IntervalStore;
  /** Identity of the network in use, asked for each link. Default: always the same. */
  readonly network?: () => string;
}

/** What a channel's keep-alive is doing; for a screen or a metric. */
export interface AdaptiveIntervalSnapshot {
  /** Name of the strategy. */
  readonly strategy: string;
  /** What decides the interval now. */
  readonly phase: Phase;
  /** The interval in use, ms. */
  readonly intervalMs: number;
  /** What is proven of this network. */
  readonly bracket: Bracket;
  /** Whether the search has ended. */
  readonly isSettled: boolean;
  /** Whether the peer has answered on this link. */
  readonly isValid: boolean;
  /** The smoothed round trip, ms; undefined before the first answer. */
  readonly roundTripMs: number | undefined;
  /** Heartbeats sent, over all links. */
  readonly heartbeats: number;
  /** Heartbeats not answered in time. */
  readonly missed: number;
  /** Answers that nobody asked for. */
  readonly strayPongs: number;
}

/**
 * What decides the interval.
 *
 * - `down`: there is no link.
 * - `warmUp`: short beats, until enough were answered in a row that the network counts as stable.
 * - `foreground`: the short safe interval.
 * - `searching`: each beat is a trial of the strategy.
 * - `settled`: the strategy's answer.
 */
export type Phase = "down" | "warmUp" | "foreground" | "searching" | "settled";

/** The options, checked and complete. One object for all channels that were given none. */
interface Settings extends BeatLimits {
  readonly strategy: IntervalStrategy;
  readonly foregroundIntervalMs: number;
  readonly warmUpBeats: number;
  readonly warmUpIntervalMs: number;
  readonly appState: "foreground" | "background";
  readonly network: () => string;
}

/** A silence, and the beat that ends it. */
interface Trial {
  readonly idleMs: number;
  readonly startMs: number;
  /** Whether neither side said anything for all of it; otherwise it proves nothing. */
  readonly isFull: boolean;
}

const DEFAULTS = settingsOf({});

/**
 * Beats once the link has been idle for the current interval, decides that
 * interval with its strategy, and drops the link (reason `unanswered`) after
 * five heartbeats in a row without an answer. One unanswered heartbeat starts
 * quick repeats timed by the measured round trip, so that a dead link is known
 * in seconds.
 *
 * The first beat goes out as soon as the link stands, since an open socket
 * says nothing about the peer; its answer fires `linkValid`. While the strategy
 * searches, only a beat after a full silence in both directions counts, and
 * only after some short beats were answered. Any answer or message of the peer
 * counts as life.
 *
 * Needs an {@linkcode IdleStateHandler} and heartbeat decoder and encoder
 * nearer to the head: `keepAlive()` puts them in order.
 *
 * @example Four minutes, always
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, EmbeddedChannel, fixedInterval, Heartbeat, IdleStateHandler } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({
 *   handlers: [new IdleStateHandler(), new AdaptiveIntervalHandler({ strategy: fixedInterval(240_000) })],
 * });
 * const first = channel.readOutbound() as Heartbeat;
 * channel.writeInbound(new Heartbeat("pong", { sequence: first.sequence }));
 * channel.advanceBy(239_999);
 * assertEquals(channel.readOutbound(), undefined);
 * channel.advanceBy(1);
 * assertEquals((channel.readOutbound() as Heartbeat).kind, "ping");
 * ```
 */
export class AdaptiveIntervalHandler implements ChannelHandler, BeatOwner {
  readonly #settings: Settings;
  readonly #beat: Beat;
  #context: ChannelHandlerContext | undefined = undefined;
  #idleState: IdleStateHandler | undefined = undefined;
  /** Where the format has no numbers, any pong answers whatever is asked. */
  #carriesSequence = true;
  #store: IntervalStore | undefined;
  #network: string | undefined = undefined;
  #search: IntervalSearch;
  #phase: Phase = "down";
  #intervalMs: number;
  #appState: "foreground" | "background";
  #warmUpLeft = 0;
  #isValid = false;
  #trial: Trial | undefined = undefined;
  #heartbeats = 0;
  #missed = 0;
  #strayPongs = 0;

  /**
   * @param options Strategy, limits, store.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(options?: AdaptiveIntervalOptions) {
    const settings = options === undefined ? DEFAULTS : settingsOf(options);
    this.#settings = settings;
    this.#beat = new Beat(this, settings);
    this.#store = options?.store;
    this.#search = settings.strategy.search();
    this.#intervalMs = this.#search.intervalMs;
    this.#appState = settings.appState;
  }

  /** What the keep-alive is doing now; for a screen or a metric. */
  snapshot(): AdaptiveIntervalSnapshot {
    return {
      strategy: this.#settings.strategy.name,
      phase: this.#phase,
      intervalMs: this.#intervalMs,
      bracket: this.#search.bracket,
      isSettled: this.#search.isSettled,
      isValid: this.#isValid,
      roundTripMs: this.#beat.roundTrip.roundTripMs,
      heartbeats: this.#heartbeats,
      missed: this.#missed,
      strayPongs: this.#strayPongs,
    };
  }

  /**
   * Looks up the handlers that it works with, and starts where a link stands.
   *
   * @throws {TypeError} If there is no IdleStateHandler.
   */
  handlerAdded(context: ChannelHandlerContext): void {
    this.#idleState = idleStateOf(context);
    this.#carriesSequence = context.pipeline.get(HeartbeatEncoder)?.format.carriesFields ?? true;
    this.#context = context;
    if (context.channel.isActive) this.#start(context);
  }

  /** Stops. */
  handlerRemoved(): void {
    this.#stop();
    this.#context = undefined;
  }

  /** Starts with the link: the first beat goes out at once. */
  channelActive(context: ChannelHandlerContext): void {
    this.#start(context);
    context.fireChannelActive();
  }

  /** Stops with the link. */
  channelInactive(context: ChannelHandlerContext): void {
    this.#stop();
    context.fireChannelInactive();
  }

  /** Takes the answers to heartbeats. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    if (!(message instanceof Heartbeat)) context.fireChannelRead(message);
    else if (message.kind === "pong") this.#takePong(context, message);
    else if (message.kind !== "hello" && message.kind !== "void") context.fireChannelRead(message);
  }

  /** Beats when the link was idle, and follows the application and the network. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const known = event as IdleStateEvent | AppStateEvent | NetworkEvent;
    switch (known?.type) {
      case "idle":
        this.#beatAfterSilence(context);
        return;
      case "appState":
        this.#appState = known.state;
        this.#update(known.state);
        break;
      case "network":
        if (known.state === "changed") this.#changeNetwork(context, known.network);
        break;
    }
    context.fireUserEventTriggered(event);
  }

  /** When anything last came in. */
  get lastReadMs(): number {
    return this.#idleState?.lastReadMs ?? 0;
  }

  /** Sends one ping. */
  sendHeartbeat(sequence: number): void {
    this.#heartbeats++;
    // The peer may call us dead only if it hears nothing for longer than any
    // interval that can follow this ping, so announce more than the next one.
    const longestMs = 2 * Math.max(this.#intervalMs, this.#search.intervalMs);
    sendHeartbeat(this.#context!, new Heartbeat("ping", { timeMs: Math.min(longestMs, MAX_HEARTBEAT_TIME_MS), sequence }));
  }

  /** The peer lives. */
  beatAnswered(roundTripMs: number, unanswered: number): void {
    const context = this.#context!;
    if (!this.#isValid) {
      this.#isValid = true;
      context.fireUserEventTriggered({ type: "linkValid", roundTripMs } satisfies LinkValidEvent);
    }
    context.fireUserEventTriggered(
      { type: "beat", outcome: "answered", roundTripMs, unanswered: 0 } satisfies BeatEvent,
    );
    // A network on which heartbeats get lost is not stable yet.
    if (this.#warmUpLeft > 0 && unanswered === 0) this.#warmUpLeft--;
    const trial = this.#trial;
    this.#trial = undefined;
    if (trial !== undefined) {
      if (trial.isFull) this.#judge(trial, "passed", "answered");
      else this.#judge(trial, "void", "there was traffic");
    }
    this.#update("answered");
  }

  /** One more heartbeat was not answered in time. */
  beatMissed(unanswered: number): void {
    this.#missed++;
    this.#context!.fireUserEventTriggered({ type: "beat", outcome: "missed", unanswered } satisfies BeatEvent);
  }

  /** The link is dead. */
  beatDied(unanswered: number): void {
    const context = this.#context!;
    const trial = this.#trial;
    this.#trial = undefined;
    if (trial !== undefined) {
      const reason = `${unanswered} heartbeats unanswered`;
      if (!trial.isFull) this.#judge(trial, "void", `${reason}, after traffic`);
      else if (context.loop.lastLateMs > trial.startMs) this.#judge(trial, "void", `${reason}, but the timer was late`);
      else this.#judge(trial, "failed", reason);
    }
    context.channel.drop("unanswered");
  }

  #start(context: ChannelHandlerContext): void {
    this.#isValid = false;
    this.#warmUpLeft = this.#settings.warmUpBeats;
    this.#useNetwork(context, this.#settings.network());
    this.#phase = "warmUp";
    this.#update("link up");
    this.#beat.start(context.loop);
  }

  #stop(): void {
    this.#phase = "down";
    this.#trial = undefined;
    this.#beat.stop();
    this.#idleState?.setIdleTimes({});
  }

  #takePong(context: ChannelHandlerContext, pong: Heartbeat): void {
    const kind = this.#beat.answered(context.loop, this.#carriesSequence ? pong.sequence : undefined);
    if (kind !== "stray") return;
    this.#strayPongs++;
    context.fireExceptionCaught(new HeartbeatError("pong", pong.sequence));
  }

  #beatAfterSilence(context: ChannelHandlerContext): void {
    if (this.#phase === "down" || this.#beat.isWaiting) return;
    if (this.#phase === "searching" || this.#phase === "settled") {
      const idleForMs = this.#idleState!.idleForMs;
      this.#trial = {
        idleMs: this.#intervalMs,
        startMs: context.loop.now() - idleForMs,
        isFull: idleForMs >= this.#intervalMs,
      };
    }
    this.#beat.start(context.loop);
  }

  #judge(trial: Trial, outcome: Outcome, reason: string): void {
    const verdict = { idleMs: trial.idleMs, outcome, reason };
    const wasSettled = this.#search.isSettled;
    this.#search.judge(verdict);
    // Once settled, a beat that is answered is no news.
    if (!wasSettled || outcome === "failed") {
      this.#context!.fireUserEventTriggered({ type: "verdict", ...verdict } satisfies VerdictEvent);
    }
    if (outcome !== "void") this.#keep();
  }

  /** Works out phase and interval anew. */
  #update(reason: string): void {
    if (this.#phase === "down") return;
    const { foregroundIntervalMs, warmUpIntervalMs } = this.#settings;
    const search = this.#search;
    const wantedMs = search.intervalMs;
    let times: IdleTimes;
    if (this.#appState === "foreground") {
      this.#phase = "foreground";
      this.#setInterval(search.isSettled ? Math.min(foregroundIntervalMs, wantedMs) : foregroundIntervalMs, reason);
      times = { writerIdleMs: this.#intervalMs, readerIdleMs: this.#intervalMs };
    } else if (search.isSettled) {
      this.#phase = "settled";
      this.#setInterval(wantedMs, reason);
      times = { writerIdleMs: wantedMs, readerIdleMs: wantedMs };
    } else if (this.#warmUpLeft > 0) {
      this.#phase = "warmUp";
      this.#setInterval(Math.min(warmUpIntervalMs, wantedMs), reason);
      times = { writerIdleMs: this.#intervalMs, readerIdleMs: this.#intervalMs };
    } else {
      this.#phase = "searching";
      this.#setInterval(wantedMs, reason);
      // Only a silence of both sides is a trial, so traffic puts it off; but not
      // for ever, or a peer that only talks would never be asked whether it hears.
      times = { allIdleMs: wantedMs, writerIdleMs: 2 * wantedMs, readerIdleMs: 2 * wantedMs };
    }
    this.#idleState!.setIdleTimes(times);
  }

  #setInterval(intervalMs: number, reason: string): void {
    const previousMs = this.#intervalMs;
    if (intervalMs === previousMs) return;
    this.#intervalMs = intervalMs;
    const { bracket, isSettled } = this.#search;
    this.#context!.fireUserEventTriggered(
      { type: "interval", intervalMs, previousMs, bracket, isSettled, reason } satisfies IntervalEvent,
    );
  }

  #changeNetwork(context: ChannelHandlerContext, network: string = this.#settings.network()): void {
    this.#useNetwork(context, network);
    if (this.#phase === "down") return;
    this.#warmUpLeft = this.#settings.warmUpBeats;
    this.#trial = undefined;
    this.#update("network changed");
    // Whether the link survived the change is not known before somebody answers.
    this.#beat.start(context.loop);
  }

  /** Starts over with what is stored for the network, unless it is the one in use. */
  #useNetwork(context: ChannelHandlerContext, network: string): void {
    const previous = this.#network;
    if (network === previous) return;
    if (previous !== undefined && this.#store === undefined) {
      this.#store = new MemoryIntervalStore();
      this.#keep();
    }
    this.#network = network;
    if (previous !== undefined) this.#search = this.#settings.strategy.search();
    const stored = this.#store?.get(network);
    if (stored instanceof Promise) {
      stored.then(
        (record) => {
          if (this.#network === network) this.#continueFrom(record);
        },
        (error) => context.fireExceptionCaught(error),
      );
    } else {
      this.#continueFrom(stored);
    }
  }

  #continueFrom(record: unknown): void {
    const { strategy } = this.#settings;
    // A damaged record, or another strategy's, is worth nothing.
    if (!isIntervalRecord(record) || record.strategy !== strategy.name) return;
    this.#search = strategy.search(record);
    this.#update("stored");
  }

  #keep(): void {
    const { loMs, hiMs } = this.#search.bracket;
    if (this.#store === undefined || this.#network === undefined || loMs === 0) return;
    const context = this.#context!;
    const record: IntervalRecord = {
      strategy: this.#settings.strategy.name,
      intervalMs: this.#search.intervalMs,
      loMs,
      hiMs,
      isSettled: this.#search.isSettled,
      atMs: context.loop.wallNow(),
    };
    const kept = this.#store.set(this.#network, record);
    if (kept instanceof Promise) kept.catch((error) => context.fireExceptionCaught(error));
  }
}

function settingsOf(options: AdaptiveIntervalOptions): Settings {
  const action = "make the handler";
  const {
    strategy = stepwise(),
    foregroundIntervalMs = 25_000,
    warmUpBeats = 3,
    warmUpIntervalMs = 10_000,
    maxUnanswered = 5,
    minAnswerMs = 1_000,
    maxAnswerMs = Math.max(10_000, minAnswerMs),
    appState = "background",
    network = () => "default",
  } = options;
  return {
    strategy,
    foregroundIntervalMs: checkedMs(action, "foregroundIntervalMs", foregroundIntervalMs, 1, MAX_HEARTBEAT_TIME_MS),
    warmUpBeats: checkedCount(action, "warmUpBeats", warmUpBeats, 1, 1_000),
    warmUpIntervalMs: checkedMs(action, "warmUpIntervalMs", warmUpIntervalMs, 1, MAX_HEARTBEAT_TIME_MS),
    maxUnanswered: checkedCount(action, "maxUnanswered", maxUnanswered, 1, 100),
    minMs: checkedMs(action, "minAnswerMs", minAnswerMs, 1, MAX_HEARTBEAT_TIME_MS),
    maxMs: checkedMs(action, "maxAnswerMs", maxAnswerMs, minAnswerMs, MAX_HEARTBEAT_TIME_MS),
    appState,
    network,
  };
}
