/**
 * What the keep-alive handlers tell the application, and what the application
 * tells them: user events of the pipeline.
 *
 * @module
 */

import type { Bracket, Outcome } from "./adaptive/interval_strategy.ts";
import type { GoAwayReason } from "./heartbeat/heartbeat.ts";

/**
 * The peer answered on this link: it is valid, not merely open. Once per link.
 *
 * @example "Connected" only once the peer has answered
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, keepAliveUnder, type LinkValidEvent, rawFormat } from "@longlink/pipeline";
 *
 * let status = "connecting";
 * const show = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     if ((event as LinkValidEvent).type === "linkValid") status = "connected";
 *   },
 * };
 * const format = rawFormat({ ping: "ping", pong: "pong" });
 * const channel = new EmbeddedChannel({ keepsMessages: true, handlers: [...keepAliveUnder(format), show] });
 * assertEquals(status, "connecting"); // the socket is open, which says nothing
 * channel.writeInbound("pong");
 * assertEquals(status, "connected");
 * await channel.close();
 * ```
 */
export interface LinkValidEvent {
  /** Tells this event from others. */
  readonly type: "linkValid";
  /** Time from the heartbeat to its answer, ms. */
  readonly roundTripMs: number;
}

/**
 * A heartbeat was answered, or was not in time.
 *
 * @example A sign that shows a link in doubt, seconds before it is dropped
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type BeatEvent, EmbeddedChannel, keepAlive } from "@longlink/pipeline";
 *
 * const seen: string[] = [];
 * const sign = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const { type, outcome, unanswered } = event as BeatEvent;
 *     if (type === "beat") seen.push(outcome === "answered" ? "good" : `no answer (${unanswered})`);
 *   },
 * };
 * const channel = new EmbeddedChannel({ handlers: [...keepAlive(), sign] });
 * channel.advanceBy(2_000);
 * assertEquals(seen[0], "no answer (1)");
 * await channel.close();
 * ```
 */
export interface BeatEvent {
  /** Tells this event from others. */
  readonly type: "beat";
  /** `answered`, or `missed`: it is repeated, and after enough of them the link is dropped. */
  readonly outcome: "answered" | "missed";
  /** Time from the heartbeat to its answer, ms; absent if missed. */
  readonly roundTripMs?: number;
  /** How many heartbeats in a row are unanswered; 0 if answered. */
  readonly unanswered: number;
}

/**
 * Another interval is in use.
 *
 * @example A chart of the interval
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, type IntervalEvent, keepAlive } from "@longlink/pipeline";
 *
 * const points: number[] = [];
 * const chart = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const { type, intervalMs } = event as IntervalEvent;
 *     if (type === "interval") points.push(intervalMs);
 *   },
 * };
 * const channel = new EmbeddedChannel({ handlers: [...keepAlive(), chart] });
 * channel.pipeline.fireUserEventTriggered({ type: "appState", state: "foreground" });
 * assertEquals(points.at(-1), 25_000);
 * await channel.close();
 * ```
 */
export interface IntervalEvent {
  /** Tells this event from others. */
  readonly type: "interval";
  /** The new interval, ms. */
  readonly intervalMs: number;
  /** The one before, ms. */
  readonly previousMs: number;
  /** What is proven of this network. */
  readonly bracket: Bracket;
  /** Whether the search has ended. */
  readonly isSettled: boolean;
  /** Why it changed. */
  readonly reason: string;
}

/**
 * A trial begins: the link under test is to be silent for so long.
 *
 * @example Where it runs
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { answerKeepAlive, Bootstrap, keepAlive, ServerBootstrap } from "@longlink/pipeline";
 * import { type TrialEvent, VirtualEventLoop } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const [loop, transport] = [new VirtualEventLoop(), memory()];
 * await new ServerBootstrap({ transport, loop, pipeline: (p) => p.addLast(...answerKeepAlive()) }).listen("memory://chat");
 * const places: string[] = [];
 * const log = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const { type, where } = event as TrialEvent;
 *     if (type === "trial") places.push(where);
 *   },
 * };
 * await new Bootstrap({ transport, loop, pipeline: (p) => p.addLast(...keepAlive(), log) }).connect("memory://chat");
 * await loop.advanceByAsync(60_000);
 * assertEquals(places, ["scout"]);
 * ```
 */
export interface TrialEvent {
  /** Tells this event from others. */
  readonly type: "trial";
  /** How long, ms. */
  readonly idleMs: number;
  /** On which link. */
  readonly where: "scout" | "main";
}

/**
 * What the beats on this link prove. `push`: the peer's answer after the
 * silence is the beat, so pushes get through as well. `client`: the peer serves
 * no holds, so only the client's own packets are proven to get through; behind
 * many NATs (Linux by default) pushes may still be lost. Fired when it changes.
 *
 * @example Knowing whether pushes are proven to get through
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, type CoverageEvent, EmbeddedChannel } from "@longlink/pipeline";
 * import { Heartbeat, IdleStateHandler } from "@longlink/pipeline";
 *
 * const directions: string[] = [];
 * const log = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const { type, direction } = event as CoverageEvent;
 *     if (type === "coverage") directions.push(direction);
 *   },
 * };
 * const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler(), new AdaptiveIntervalHandler(), log] });
 * const first = channel.readOutbound() as Heartbeat;
 * channel.writeInbound(Heartbeat.hello({ longestHoldMs: 3_600_000 }), new Heartbeat("pong", { sequence: first.sequence }));
 * assertEquals(directions, ["push"]);
 * await channel.close();
 * ```
 */
export interface CoverageEvent {
  /** Tells this event from others. */
  readonly type: "coverage";
  /** Which direction is proven. */
  readonly direction: "push" | "client";
}

/**
 * A trial ended: what one silence and the beat after it have shown.
 *
 * @example What a trial has shown
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, answerKeepAlive, Bootstrap, keepAlive, ServerBootstrap } from "@longlink/pipeline";
 * import { type VerdictEvent, VirtualEventLoop } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const [loop, transport] = [new VirtualEventLoop(), memory()];
 * await new ServerBootstrap({ transport, loop, pipeline: (p) => p.addLast(...answerKeepAlive()) }).listen("memory://chat");
 * const survived: number[] = [];
 * const log = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const { type, outcome, idleMs } = event as VerdictEvent;
 *     if (type === "verdict" && outcome === "passed") survived.push(idleMs);
 *   },
 * };
 * const client = new Bootstrap({ transport, loop, pipeline: (p) => p.addLast(...keepAlive(), log) });
 * const channel = await client.connect("memory://chat");
 * await loop.advanceByAsync(120_000);
 * assertEquals(survived.at(-1), channel.pipeline.get(AdaptiveIntervalHandler)?.snapshot()?.bracket.loMs);
 * ```
 */
export interface VerdictEvent {
  /** Tells this event from others. */
  readonly type: "verdict";
  /** How long the link was to be silent, ms. */
  readonly idleMs: number;
  /** Whether it survived that, or why that is not known. */
  readonly outcome: Outcome;
  /** Why. */
  readonly reason: string;
}

/**
 * The application came to the foreground or went to the background. Fire it at
 * the pipeline (`pipeline.fireUserEventTriggered`; in a browser a
 * `BrowserEventsHandler` does): the search for the longest interval runs in the
 * background only.
 *
 * @example Saying it where no handler of the platform does
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, type AppStateEvent, EmbeddedChannel, keepAlive } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ handlers: keepAlive() });
 * const event: AppStateEvent = { type: "appState", state: "foreground" };
 * channel.pipeline.fireUserEventTriggered(event);
 * assertEquals(channel.pipeline.get(AdaptiveIntervalHandler)?.snapshot()?.intervalMs, 25_000);
 * await channel.close();
 * ```
 */
export interface AppStateEvent {
  /** Tells this event from others. */
  readonly type: "appState";
  /** Where it is now. */
  readonly state: "foreground" | "background";
}

/**
 * The network went away, came back, or is another one. Fire it at the pipeline
 * (in a browser a `BrowserEventsHandler` does): no reconnect is tried while
 * offline. On `online` and `changed` one is tried at once, a link that stands is
 * asked at once whether it still does, and if the network is another one, the
 * interval starts over with what is stored for that.
 *
 * @example The network is back, so the wait is over
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, keepAlive, type NetworkEvent } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ active: false, handlers: keepAlive() });
 * channel.connect("embedded://peer");
 * channel.pipeline.fireUserEventTriggered({ type: "network", state: "offline" } satisfies NetworkEvent);
 * channel.loseLink();
 * channel.advanceBy(3_600_000);
 * assertEquals(channel.state, "idle"); // nothing was tried
 * channel.pipeline.fireUserEventTriggered({ type: "network", state: "online" } satisfies NetworkEvent);
 * assertEquals(channel.state, "active");
 * await channel.close();
 * ```
 */
export interface NetworkEvent {
  /** Tells this event from others. */
  readonly type: "network";
  /** What happened. */
  readonly state: "online" | "offline" | "changed";
  /** Identity of the network in use now, where it is known. */
  readonly network?: string;
}

/**
 * The server is about to end this link, and says when to come back.
 *
 * @example Telling the user that the server is being restarted
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, EmbeddedChannel, type GoAwayEvent } from "@longlink/pipeline";
 * import { Heartbeat, IdleStateHandler } from "@longlink/pipeline";
 *
 * let notice = "";
 * const tellUser = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const { type, reason, afterMs } = event as GoAwayEvent;
 *     if (type === "goAway") notice = `${reason}: back in ${afterMs / 1_000} s`;
 *   },
 * };
 * const handlers = [new IdleStateHandler(), new AdaptiveIntervalHandler(), tellUser];
 * const channel = new EmbeddedChannel({ handlers });
 * channel.writeInbound(Heartbeat.goAway("shutdown", 20_000));
 * assertEquals(notice, "shutdown: back in 20 s");
 * await channel.close();
 * ```
 */
export interface GoAwayEvent {
  /** Tells this event from others. */
  readonly type: "goAway";
  /** Why. */
  readonly reason: GoAwayReason;
  /** How long to stay away, ms; 0 leaves it to the client. */
  readonly afterMs: number;
}
