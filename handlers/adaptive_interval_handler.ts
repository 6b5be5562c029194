/**
 * Decides when to beat, and notices when nobody answers.
 *
 * @module
 */

import type {
  Channel,
  ChannelHandler,
  ChannelHandlerContext,
  ChannelPromise,
  HalfCloseEvent,
  LinkDownEvent,
  LinkDownReason,
  RemoteSource,
} from "../pipeline/mod.ts";
import type { Bracket, IntervalStrategy } from "./adaptive/interval_strategy.ts";
import { type AdaptiveSettings, adaptiveSettings, DEFAULT_ADAPTIVE_SETTINGS } from "./_adaptive_settings.ts";
import { checkedCount } from "./_checks.ts";
import { Heartbeat } from "./heartbeat/heartbeat.ts";
import { HeartbeatEncoder } from "./heartbeat_encoder.ts";
import { idleStateOf } from "./_idle_state.ts";
import { passHeartbeatOn, takesHeartbeats } from "./_stray_heartbeat.ts";
import type { IdleStateEvent } from "./idle_state_handler.ts";
import { IntervalController } from "./_interval_controller.ts";
import type { AppStateEvent, NetworkEvent } from "./keep_alive_event.ts";
import type { IntervalStore } from "./stores/interval_store.ts";

/**
 * Options of {@linkcode AdaptiveIntervalHandler}.
 *
 * @example A dead link is known after three heartbeats
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type AdaptiveIntervalOptions, AdaptiveIntervalHandler, EmbeddedChannel } from "@longlink/pipeline";
 * import { fixedInterval, IdleStateHandler } from "@longlink/pipeline";
 *
 * const options: AdaptiveIntervalOptions = { strategy: fixedInterval(120_000), maxUnanswered: 3 };
 * const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler(), new AdaptiveIntervalHandler(options)] });
 * channel.advanceBy(60_000); // nobody answers the first beat
 * assertEquals(channel.state, "closed");
 * assertEquals(channel.drainOutbound().length, 3);
 * ```
 */
export interface AdaptiveIntervalOptions {
  /** How the interval is decided. Default: {@linkcode edge}. */
  readonly strategy?: IntervalStrategy;
  /** The interval while the application is in the foreground, in ms, 1 to 13,107,100. Default: 25,000. */
  readonly foregroundIntervalMs?: number;
  /** How many short beats must be answered before a search goes on, 1 to 1,000. Default: 3. */
  readonly warmUpBeats?: number;
  /** The interval between these short beats, in ms, 1 to 13,107,100. Default: 5,000. */
  readonly warmUpIntervalMs?: number;
  /**
   * After how many unanswered heartbeats in a row the link is dead, 1 to 100;
   * in a hurry, as after a sleep, 3 are enough. Default: 5.
   */
  readonly maxUnanswered?: number;
  /**
   * The shortest wait for an answer, in ms, 1 to 13,107,100. The wait follows the
   * measured round trip; with the default, five unanswered heartbeats take 8 s
   * on a network with a round trip of 100 ms, and less than 10 s on any whose
   * round trips stay below half a second. All other waits for answers scale
   * with it. Default: 1,000.
   */
  readonly minAnswerMs?: number;
  /**
   * The longest wait for an answer, in ms, `minAnswerMs` to 13,107,100. Default:
   * 10,000, or `minAnswerMs` if that is longer.
   */
  readonly maxAnswerMs?: number;
  /** Where the application is until an `appState` event says otherwise. Default: `background`. */
  readonly appState?: "foreground" | "background";
  /** Where learned intervals are kept. Default: in memory, for this channel alone. */
  readonly store?: IntervalStore;
  /**
   * Identity of the network in use, asked for each link and when the network
   * is said to have changed. What was learned is kept by it. Default:
   * {@linkcode networkIdentity}, which knows what the platform gives away.
   */
  readonly network?: (channel: Channel) => string;
  /**
   * Makes the handlers of a scout's pipeline, from head to tail: the framing
   * and heartbeat handlers of the main link and nothing else. Without it
   * trials run on the main link; `keepAlive()` gives it.
   */
  readonly scoutHandlers?: () => ChannelHandler[];
}

/**
 * Options of {@linkcode AdaptiveIntervalHandler.ask}.
 *
 * @example Two requests without an answer count as two heartbeats
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, type AskOptions, EmbeddedChannel, Heartbeat, IdleStateHandler } from "@longlink/pipeline";
 *
 * const keepAlive = new AdaptiveIntervalHandler();
 * const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler(), keepAlive] });
 * const first = channel.readOutbound() as Heartbeat;
 * channel.writeInbound(new Heartbeat("pong", { sequence: first.sequence }));
 *
 * const options: AskOptions = { unanswered: 2 };
 * keepAlive.ask(options);
 * channel.advanceBy(60_000);
 * assertEquals(channel.state, "closed");
 * assertEquals(channel.drainOutbound().length, 3); // with the two, five are unanswered
 * ```
 */
export interface AskOptions {
  /**
   * How much else the peer has just left unanswered, a whole number of 0 or
   * more. Counts as so many heartbeats, and the first wait is as long as the
   * one after so many; at least one heartbeat is sent in any case. Default: 0.
   */
  readonly unanswered?: number;
}

/**
 * What a channel's keep-alive is doing; for a screen or a metric.
 *
 * @example A line for a status page
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, type AdaptiveIntervalSnapshot, EmbeddedChannel } from "@longlink/pipeline";
 * import { keepAlive } from "@longlink/pipeline";
 *
 * const line = ({ phase, intervalMs, missed, heartbeats }: AdaptiveIntervalSnapshot) =>
 *   `${phase}: every ${intervalMs / 1_000} s, ${missed} of ${heartbeats} missed`;
 * const channel = new EmbeddedChannel({ handlers: keepAlive({ codec: null, appState: "foreground" }) });
 * channel.advanceBy(1_000); // the first one is not answered in time, and repeated
 * assertEquals(line(channel.pipeline.get(AdaptiveIntervalHandler)!.snapshot()!), "foreground: every 25 s, 1 of 2 missed");
 * ```
 */
export interface AdaptiveIntervalSnapshot {
  /** Name of the strategy. */
  readonly strategy: string;
  /** Identity of the network in use; undefined before the first link. */
  readonly network: string | undefined;
  /** What decides the interval now. */
  readonly phase: Phase;
  /** The interval in use, ms. */
  readonly intervalMs: number;
  /** What is proven of this network. */
  readonly bracket: Bracket;
  /** Whether the search has ended. */
  readonly isSettled: boolean;
  /** What the beats prove: that pushes get through, or only that the client's packets do. */
  readonly direction: "push" | "client";
  /** Whether a trial is running on a second link. */
  readonly isScouting: boolean;
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
 *
 * @example From the first beat on
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, EmbeddedChannel, Heartbeat, IdleStateHandler, type Phase } from "@longlink/pipeline";
 *
 * const keepAlive = new AdaptiveIntervalHandler({ warmUpBeats: 1 });
 * const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler(), keepAlive] });
 * const phases: (Phase | undefined)[] = [keepAlive.snapshot()?.phase];
 * const first = channel.readOutbound() as Heartbeat;
 * channel.writeInbound(new Heartbeat("pong", { sequence: first.sequence }));
 * phases.push(keepAlive.snapshot()?.phase);
 * channel.pipeline.fireUserEventTriggered({ type: "appState", state: "foreground" });
 * phases.push(keepAlive.snapshot()?.phase);
 * assertEquals(phases, ["warmUp", "searching", "foreground"]);
 * ```
 */
export type Phase = "down" | "warmUp" | "foreground" | "searching" | "settled";

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
 * counts as life, and so does progress of a large message in either direction.
 *
 * When the link may be gone and somebody is about to need it (the machine
 * wakes, the network is back or another one, the application comes to the
 * foreground), the peer is asked at once and the decision is hurried: three
 * heartbeats, and after 2.85 s without an answer the link is dropped, so that a
 * `ReconnectHandler` brings it back. What had come in before the machine slept
 * and is read only now proves nothing. On a network whose round trip varies
 * widely, or is above some 630 ms when only one is known, the decision takes one
 * and a half times as long as an answer may.
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
export class AdaptiveIntervalHandler implements ChannelHandler {
  /** Whether it is in a pipeline now; kept by the pipeline. */
  isAdded = false;
  readonly #settings: AdaptiveSettings;
  readonly #store: IntervalStore | undefined;
  #controller: IntervalController | undefined = undefined;
  #downReason: LinkDownReason = "error";

  /**
   * Checks the options.
   *
   * @param options Strategy, limits, store.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(options?: AdaptiveIntervalOptions) {
    this.#settings = options === undefined ? DEFAULT_ADAPTIVE_SETTINGS : adaptiveSettings(options);
    this.#store = options?.store;
  }

  /**
   * What the keep-alive is doing now; for a screen or a metric.
   *
   * @returns The state, or undefined while the handler is in no pipeline.
   */
  snapshot(): AdaptiveIntervalSnapshot | undefined {
    return this.#controller?.snapshot();
  }

  /**
   * How long an answer of the peer may take now, in ms, by the measured round
   * trips and within `minAnswerMs` and `maxAnswerMs`: also a good retransmission
   * timeout (RFC 6298) for messages that the peer acknowledges at once.
   */
  get answerTimeoutMs(): number {
    return this.#controller?.answerMs ?? this.#settings.minMs;
  }

  /**
   * Asks the peer now whether it still answers, and repeats the question
   * quickly, unless that is going on already. Does nothing without a link. For
   * whoever waits for something of the peer longer than
   * {@linkcode AdaptiveIntervalHandler.answerTimeoutMs} and does not want to
   * wait for the next beat.
   *
   * @param options What counts in.
   * @throws {RangeError} If `unanswered` is not a whole number of 0 or more.
   *
   * @example A request that is not answered
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { AdaptiveIntervalHandler, EmbeddedChannel, Heartbeat, IdleStateHandler } from "@longlink/pipeline";
   *
   * const keepAlive = new AdaptiveIntervalHandler();
   * const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler(), keepAlive] });
   * const first = channel.readOutbound() as Heartbeat;
   * channel.writeInbound(new Heartbeat("pong", { sequence: first.sequence }));
   *
   * channel.writeOutbound("request");
   * channel.advanceBy(keepAlive.answerTimeoutMs);
   * keepAlive.ask({ unanswered: 1 });
   * channel.advanceBy(7_300); // four heartbeats more
   * assertEquals(channel.state, "closed");
   * ```
   */
  ask({ unanswered = 0 }: AskOptions = {}): void {
    this.#controller?.ask(checkedCount("ask the peer", "unanswered", unanswered, 0, Infinity));
  }

  /**
   * Looks up the handlers that it works with, and starts where a link stands.
   *
   * @throws {TypeError} If there is no IdleStateHandler.
   */
  handlerAdded(context: ChannelHandlerContext): void {
    const carriesFields = context.pipeline.get(HeartbeatEncoder)?.format.carriesFields ?? true;
    this.#controller = new IntervalController(
      this.#settings,
      this.#store,
      context,
      idleStateOf(context),
      carriesFields,
    );
    if (context.channel.isActive) this.#controller.linkUp();
  }

  /** Stops. */
  handlerRemoved(): void {
    this.#controller?.stop();
    this.#controller = undefined;
  }

  /** Notes each try: whether the network was up when a link died is told by the first one after it. */
  connect(context: ChannelHandlerContext, remote: RemoteSource, promise: ChannelPromise): void {
    this.#controller?.connecting();
    context.connect(remote, promise);
  }

  /** Starts with the link: the first beat goes out as soon as the application knows of it. */
  channelActive(context: ChannelHandlerContext): void {
    context.fireChannelActive();
    // Later than the application's own first words, which a server may insist on, and only if it let the link stand.
    if (context.channel.isActive) this.#controller?.linkUp();
  }

  /** Stops with the link. */
  channelInactive(context: ChannelHandlerContext): void {
    this.#controller?.linkDown(this.#downReason);
    context.fireChannelInactive();
  }

  /** Takes the answers to heartbeats. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    if (!(message instanceof Heartbeat)) {
      this.#controller?.messageRead();
      context.fireChannelRead(message);
    } else if (!this.#controller?.heartbeatRead(message)) passHeartbeatOn(context, message);
  }

  /** Beats when the link was idle, and follows the link, the application and the network. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const known = event as IdleStateEvent | AppStateEvent | NetworkEvent | LinkDownEvent | HalfCloseEvent;
    switch (known?.type) {
      case "idle":
        this.#controller?.idle();
        return;
      case "halfClose":
        return; // on half a link nobody can be asked, or answer
      case "linkDown":
        this.#downReason = known.reason;
        break;
      case "appState":
        this.#controller?.appStateChanged(known.state);
        break;
      case "network":
        if (known.state !== "offline") this.#controller?.networkChanged(known.network);
        break;
    }
    context.fireUserEventTriggered(event);
  }
}

takesHeartbeats(AdaptiveIntervalHandler);
