/**
 * Measures a network's idle timeout, as fast as several scouts can.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext } from "../pipeline/mod.ts";
import type { Bracket } from "./adaptive/interval_strategy.ts";
import { checkedCount, checkedMs } from "./_checks.ts";
import { Heartbeat, MAX_HEARTBEAT_TIME_MS } from "./heartbeat/heartbeat.ts";
import { HeartbeatEncoder } from "./heartbeat_encoder.ts";
import { idleStateOf } from "./_idle_state.ts";
import type { IdleStateEvent } from "./idle_state_handler.ts";
import { Prober, type ProbeSettings } from "./_prober.ts";
import { takesHeartbeats } from "./_stray_heartbeat.ts";

/**
 * Options of {@linkcode ProbeHandler}.
 *
 * @example As fast as the peer allows, and no longer than half an hour of silence
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, keepAlive, ProbeHandler, type ProbeOptions } from "@longlink/pipeline";
 *
 * const wire = () => keepAlive().slice(0, 5); // from the IdleStateHandler to heartbeat decoder and encoder
 * const options: ProbeOptions = { scoutHandlers: wire, maxMs: 1_800_000, precisionMs: 5_000, parallel: 8 };
 * const probe = new ProbeHandler(options);
 * const channel = new EmbeddedChannel({ handlers: [...wire(), probe] });
 * assertEquals(probe.snapshot()?.parallel, 8);
 * await channel.close();
 * ```
 */
export interface ProbeOptions {
  /**
   * Makes the handlers of a second link: those of the main one, from the
   * IdleStateHandler to heartbeat decoder and encoder, anew by each call.
   */
  readonly scoutHandlers: () => ChannelHandler[];
  /** The first idle time to try, in ms, 1,000 to 6,553,550. Default: 28,000. */
  readonly startMs?: number;
  /** The longest idle time to try, in ms, 1.1 times `startMs` to 13,107,100. Default: 7,200,000 (2 h). */
  readonly maxMs?: number;
  /** How wide the bracket may stay, in ms, 0 to 13,107,100. Default: 0. */
  readonly precisionMs?: number;
  /** How wide it may stay as a fraction of its lower end, 0 to 1; the wider of both counts. Default: 0.02. */
  readonly precision?: number;
  /** How many trials may run at once, 1 to 16; the peer may allow fewer. Default: 1. */
  readonly parallel?: number;
}

/**
 * A trial that runs.
 *
 * @example How much longer it takes
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, Heartbeat, IdleStateHandler, ProbeHandler, type RunningTrial } from "@longlink/pipeline";
 *
 * const line = ({ idleMs, leftMs }: RunningTrial) => `${idleMs / 1_000} s of silence, ${leftMs / 1_000} s left`;
 * const probe = new ProbeHandler({ scoutHandlers: () => [new IdleStateHandler()] });
 * const channel = new EmbeddedChannel({ active: false, handlers: [new IdleStateHandler(), probe] });
 * channel.connect("embedded://peer");
 * for (let i = 0; i < 3; i++) { // the link is stable once three beats were answered
 *   const { sequence } = channel.readOutbound() as Heartbeat;
 *   channel.writeInbound(new Heartbeat("pong", { sequence }));
 * }
 * channel.advanceBy(3_000);
 * assertEquals(probe.snapshot()!.running.map(line), ["28 s of silence, 25 s left"]);
 * await channel.close();
 * ```
 */
export interface RunningTrial {
  /** The idle time under test, ms. */
  readonly idleMs: number;
  /** How much of it is left, ms. */
  readonly leftMs: number;
  /** Whether it seems to have failed: its link is being asked some more times. */
  readonly isSuspect: boolean;
}

/**
 * What a probe knows and does; for a screen.
 *
 * @example A line for the terminal
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, Heartbeat, IdleStateHandler, ProbeHandler, type ProbeSnapshot } from "@longlink/pipeline";
 *
 * const line = ({ bracket, running, direction }: ProbeSnapshot) =>
 *   `${bracket.loMs / 1_000} s survived, ${running.length} being tried (${direction})`;
 * const probe = new ProbeHandler({ scoutHandlers: () => [new IdleStateHandler()] });
 * const channel = new EmbeddedChannel({ active: false, handlers: [new IdleStateHandler(), probe] });
 * channel.connect("embedded://peer");
 * for (let i = 0; i < 3; i++) { // the link is stable once three beats were answered
 *   const { sequence } = channel.readOutbound() as Heartbeat;
 *   channel.writeInbound(new Heartbeat("pong", { sequence }));
 * }
 * assertEquals(line(probe.snapshot()!), "0 s survived, 1 being tried (client)");
 * await channel.close();
 * ```
 */
export interface ProbeSnapshot {
  /** What is proven of the network. */
  readonly bracket: Bracket;
  /** The interval that `edge()` uses once it knows as much, ms; null while nothing survived. */
  readonly intervalMs: number | null;
  /** What trials prove: that pushes get through, or only the client's packets; undefined before the peer has answered. */
  readonly direction: "push" | "client" | undefined;
  /** How many trials run at once: as asked for, or as many as the peer allows. */
  readonly parallel: number;
  /** The smoothed round trip of the main link, ms; undefined before the first answer. */
  readonly roundTripMs: number | undefined;
  /** Whether the probe has ended. */
  readonly isDone: boolean;
  /** What is being tried, shortest first. */
  readonly running: readonly RunningTrial[];
}

/**
 * How a probe ended.
 *
 * - `bracketed`: the idle timeout lies in a bracket as narrow as asked for.
 * - `neverFailed`: the longest idle time survived.
 * - `gaveUp`: too many trials in a row said nothing; their verdicts tell why.
 *
 * @example What a tool says at the end
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { answerKeepAlive, Bootstrap, keepAlive, ServerBootstrap, VirtualEventLoop } from "@longlink/pipeline";
 * import { type ProbeDoneEvent, ProbeHandler, type ProbeOutcome } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const [loop, transport] = [new VirtualEventLoop(), memory()];
 * await new ServerBootstrap({ transport, loop, pipeline: (p) => p.addLast(...answerKeepAlive()) }).listen("memory://chat");
 * const wire = () => keepAlive().slice(0, 5); // from the IdleStateHandler to heartbeat decoder and encoder
 * const probe = new ProbeHandler({ scoutHandlers: wire, maxMs: 40_000 });
 * const words: Record<ProbeOutcome, string> = { bracketed: "found", neverFailed: "above 40 s", gaveUp: "unknown" };
 * let line = "";
 * const say = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const { type, outcome } = event as ProbeDoneEvent;
 *     if (type === "probeDone") line = words[outcome];
 *   },
 * };
 * await new Bootstrap({ transport, loop, pipeline: (p) => p.addLast(...wire(), probe, say) }).connect("memory://chat");
 * await loop.advanceByAsync(300_000);
 * assertEquals(line, "above 40 s");
 * ```
 */
export type ProbeOutcome = "bracketed" | "neverFailed" | "gaveUp";

/**
 * The probe has ended; {@linkcode ProbeHandler.snapshot} has its result.
 *
 * @example Waiting for the end of a probe
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { answerKeepAlive, Bootstrap, keepAlive, ServerBootstrap, VirtualEventLoop } from "@longlink/pipeline";
 * import { type ProbeDoneEvent, ProbeHandler } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const [loop, transport] = [new VirtualEventLoop(), memory()];
 * await new ServerBootstrap({ transport, loop, pipeline: (p) => p.addLast(...answerKeepAlive()) }).listen("memory://chat");
 * const wire = () => keepAlive().slice(0, 5); // from the IdleStateHandler to heartbeat decoder and encoder
 * const probe = new ProbeHandler({ scoutHandlers: wire, maxMs: 40_000 });
 * const { promise, resolve } = Promise.withResolvers<ProbeDoneEvent>();
 * const end = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     if ((event as ProbeDoneEvent).type === "probeDone") resolve(event as ProbeDoneEvent);
 *   },
 * };
 * await new Bootstrap({ transport, loop, pipeline: (p) => p.addLast(...wire(), probe, end) }).connect("memory://chat");
 * await loop.advanceByAsync(300_000);
 * assertEquals((await promise).outcome, "neverFailed"); // nothing forgets in memory
 * ```
 */
export interface ProbeDoneEvent {
  /** Tells this event from others. */
  readonly type: "probeDone";
  /** How. */
  readonly outcome: ProbeOutcome;
}

/**
 * Measures how long the network between here and a peer lets a link idle. For
 * tools: a link that only wants to stay alive learns it at leisure, with an
 * `AdaptiveIntervalHandler` in the place of this one.
 *
 * The main link is kept alive with short beats, and tells whether the network
 * is up. Beside it trials run on scouts, several at once if asked for: while
 * nothing has failed they climb the likely timeouts as if each of them were to
 * pass; then they split the bracket. One that others have made needless is
 * called back without a verdict. A trial is a hold, so what is measured is how
 * long pushes get through. With a peer that serves none, or takes no scouts,
 * trials are client-timed pings on links of their own, and `coverage` says so.
 *
 * Fires `linkValid`, `coverage`, `trial`, `verdict` and at the end
 * {@linkcode ProbeDoneEvent}. A link that is lost on the way ends the running
 * trials; with a `ReconnectHandler` in the pipeline the probe goes on after it.
 *
 * @example A network that forgets after a minute, on virtual time
 * ```ts
 * import { assert } from "@std/assert";
 * import { Bootstrap, HeartbeatDecoder, HeartbeatEncoder, IdleStateHandler, ProbeHandler } from "@longlink/pipeline";
 * import { answerKeepAlive, ServerBootstrap, VarintFrameDecoder, VarintFrameEncoder, VirtualEventLoop } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const loop = new VirtualEventLoop();
 * const transport = memory();
 * const server = new ServerBootstrap({ transport, loop, pipeline: (p) => p.addLast(...answerKeepAlive()) });
 * await server.listen("memory://chat");
 *
 * const wire = () => [
 *   new IdleStateHandler(), new VarintFrameDecoder(), new VarintFrameEncoder(), new HeartbeatDecoder(), new HeartbeatEncoder(),
 * ];
 * const probe = new ProbeHandler({ scoutHandlers: wire, maxMs: 60_000 });
 * const client = new Bootstrap({ transport, loop, pipeline: (p) => p.addLast(...wire(), probe) });
 * const channel = await client.connect("memory://chat");
 * await loop.advanceByAsync(300_000);
 * assert(probe.snapshot()!.isDone);
 * assert(probe.snapshot()!.bracket.loMs === 60_000); // nothing forgets in memory
 * channel.close();
 * ```
 */
export class ProbeHandler implements ChannelHandler {
  readonly #settings: ProbeSettings;
  #prober: Prober | undefined = undefined;

  /**
   * Checks the options.
   *
   * @param options What to look for, and how.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(options: ProbeOptions) {
    this.#settings = settingsOf(options);
  }

  /**
   * What is known and done now.
   *
   * @returns The state, or undefined while the handler is in no pipeline.
   */
  snapshot(): ProbeSnapshot | undefined {
    return this.#prober?.snapshot();
  }

  /**
   * Looks up the handlers that it works with, and starts where a link stands.
   *
   * @throws {TypeError} If there is no IdleStateHandler, or the heartbeats' format has no pong.
   */
  handlerAdded(context: ChannelHandlerContext): void {
    idleStateOf(context);
    const format = context.pipeline.get(HeartbeatEncoder)?.format;
    if (format?.kinds.includes("pong") === false) {
      throw new TypeError(
        `Cannot probe: the format "${format.name}" has no pong, so nothing would be answered`,
      );
    }
    this.#prober = new Prober(this.#settings, context, format?.carriesFields ?? true);
    if (context.channel.isActive) this.#prober.linkUp();
  }

  /** Stops, and calls all scouts back. */
  handlerRemoved(): void {
    this.#prober?.removed();
    this.#prober = undefined;
  }

  /** Starts with the link. */
  channelActive(context: ChannelHandlerContext): void {
    this.#prober?.linkUp();
    context.fireChannelActive();
  }

  /** Stops with the link. */
  channelInactive(context: ChannelHandlerContext): void {
    this.#prober?.linkDown();
    context.fireChannelInactive();
  }

  /** Takes the answers to heartbeats. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    if (message instanceof Heartbeat) this.#prober?.heartbeatRead(message);
    else context.fireChannelRead(message);
  }

  /** Keeps the main link alive. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    if ((event as IdleStateEvent)?.type === "idle") this.#prober?.idle();
    else context.fireUserEventTriggered(event);
  }
}

takesHeartbeats(ProbeHandler);

function settingsOf(options: ProbeOptions): ProbeSettings {
  const action = "make the handler";
  const {
    scoutHandlers,
    startMs = 28_000,
    maxMs = 7_200_000,
    precisionMs = 0,
    precision = 0.02,
    parallel = 1,
  } = options;
  if (!(precision >= 0 && precision <= 1)) {
    throw new RangeError(`Cannot ${action}: precision must be from 0 to 1, got ${precision}`);
  }
  return {
    scoutHandlers,
    startMs: checkedMs(action, "startMs", startMs, 1_000, MAX_HEARTBEAT_TIME_MS / 2),
    maxMs: checkedMs(action, "maxMs", maxMs, Math.ceil(startMs * 11 / 10), MAX_HEARTBEAT_TIME_MS),
    precisionMs: checkedMs(action, "precisionMs", precisionMs, 0, MAX_HEARTBEAT_TIME_MS),
    precision,
    parallel: checkedCount(action, "parallel", parallel, 1, 16),
  };
}
