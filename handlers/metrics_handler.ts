/**
 * Metrics for OpenTelemetry.
 *
 * @module
 */

import type {
  Channel,
  ChannelHandler,
  ChannelHandlerContext,
  EventLoop,
  LinkDownEvent,
  LinkUpEvent,
} from "../pipeline/mod.ts";
import { AdaptiveIntervalHandler } from "./adaptive_interval_handler.ts";
import type { ConnectionLimitHandler } from "./connection_limit_handler.ts";
import { IdleStateHandler } from "./idle_state_handler.ts";
import type { BeatEvent, LinkValidEvent, VerdictEvent } from "./keep_alive_event.ts";
import { LimitError } from "./limit_error.ts";
import type { MetricAttributes, MetricMeterProvider } from "./_meter.ts";
import { MetricCollection, Totals } from "./_metric_collection.ts";
import { type EventInstruments, eventInstruments, observedInstruments } from "./_metric_instruments.ts";
import type { ReconnectStateEvent } from "./_reconnect_event.ts";
import type { SessionLostEvent } from "./session/session_event.ts";
import type { SessionRegistry } from "./session/session_registry.ts";
import { type Role, roleOf, WireMeter } from "./_wire_meter.ts";

export type * from "./_meter.ts";

/**
 * Options of {@linkcode MetricsHandler}.
 *
 * @example A server's sessions and limits are measured as well
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ConnectionLimitHandler, SessionRegistry } from "@longlink/pipeline";
 * import { type MetricMeter, type MetricObserver, MetricsHandler } from "@longlink/pipeline/metrics";
 *
 * let collect = (_observer: MetricObserver) => {};
 * const make = (name: string) => ({ name, add() {}, record() {} });
 * const meter: MetricMeter = { // in an application: import { metrics } from "@opentelemetry/api"
 *   createCounter: make, createHistogram: make,
 *   createObservableGauge: make, createObservableCounter: make, createObservableUpDownCounter: make,
 *   addBatchObservableCallback: (callback) => void (collect = callback),
 * };
 * const sessions = new SessionRegistry();
 * const connections = new ConnectionLimitHandler();
 * new MetricsHandler({ meterProvider: { getMeter: () => meter }, sessions, connections });
 * const names = new Set<string>();
 * collect({ observe: ({ name }) => names.add(name) });
 * assertEquals(names.has("longlink.server.session.count") && names.has("longlink.server.refusals"), true);
 * ```
 */
export interface MetricsHandlerOptions {
  /**
   * Gives the meter: the `metrics` of `@opentelemetry/api` once its SDK has
   * started (before that it gives one that measures nothing, for ever), or a
   * `MeterProvider`.
   */
  readonly meterProvider: MetricMeterProvider;
  /** The server's sessions, to be counted as well. Default: none. */
  readonly sessions?: SessionRegistry;
  /** The server's limit on links, whose refusals are to be counted as well. Default: none. */
  readonly connections?: ConnectionLimitHandler;
  /**
   * Put on everything that is measured; few values each. Needed only where one
   * process has two of these handlers, to tell them apart. Default: none.
   */
  readonly attributes?: MetricAttributes;
}

/** What is being measured of a channel; times in the loop's time, ms. */
interface Watched {
  readonly context: ChannelHandlerContext;
  readonly role: Role;
  /** Since when the link is up. */
  upMs: number | undefined;
  /** Since when there is no link. */
  downMs: number | undefined;
  /** Since when no peer has answered, from the end of a link on. */
  outageMs: number | undefined;
  /** When the first heartbeat was sent that is not answered. */
  askedMs: number | undefined;
  /** How many in a row are not answered. */
  unanswered: number;
}

const METER = "@longlink/pipeline";

/**
 * Measures links for OpenTelemetry: how long they last and why they end, how
 * soon a dead one is noticed and how long it takes until the peer answers
 * again, intervals, round trips, trials, queues, sessions. docs/metrics.md
 * says what there is and what it tells; names and units follow OpenTelemetry's
 * semantic conventions.
 *
 * One instance serves all channels of a process, clients' and servers'. It has
 * its place after the handlers of `keepAlive()` or `answerKeepAlive()` and
 * before the application's. It costs one entry in a table for each channel,
 * and nothing while messages pass. What changes all the time (intervals,
 * queues, channels) is looked up when the SDK collects.
 *
 * Bytes are counted at the other end of the pipeline: put
 * {@linkcode MetricsHandler.wire} first, or leave it out and do without.
 *
 * Nothing is imported from `@opentelemetry/api`; it need not be installed
 * where this class is not used.
 *
 * @example In a client's pipeline
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, keepAlive } from "@longlink/pipeline";
 * import { MetricsHandler, type MetricMeter } from "@longlink/pipeline/metrics";
 *
 * const links: unknown[] = [];
 * const none = () => ({ add() {}, record() {} });
 * const meter: MetricMeter = { // in an application: import { metrics } from "@opentelemetry/api"
 *   createCounter: (name) => name === "longlink.links" ? { add: (...link) => links.push(link) } : none(),
 *   createHistogram: none,
 *   createObservableGauge: none,
 *   createObservableCounter: none,
 *   createObservableUpDownCounter: none,
 *   addBatchObservableCallback() {},
 * };
 * const metrics = new MetricsHandler({ meterProvider: { getMeter: () => meter } });
 *
 * const channel = new EmbeddedChannel({ handlers: [metrics.wire, ...keepAlive(), metrics] });
 * assertEquals(links, [[1, { "longlink.role": "client", "longlink.session.resumed": false }]]);
 * await channel.close();
 * ```
 */
export class MetricsHandler implements ChannelHandler {
  /** It measures the channels of all pipelines that it is in. */
  readonly isSharable = true;
  /**
   * Counts bytes; to be put first in a pipeline that this handler is in as
   * well. One for all of them.
   */
  readonly wire: ChannelHandler;
  readonly #attributes: MetricAttributes;
  readonly #instruments: EventInstruments;
  readonly #watched = new Map<Channel, Watched>();
  /** The loops of these channels, and by how many each is used. */
  readonly #loops = new Map<EventLoop, { channels: number; readonly stop: () => void }>();
  /** What channels that are gone have left. */
  readonly #totals = new Totals();

  /**
   * Makes the instruments.
   *
   * @param options Who takes the values, and what else to look at.
   */
  constructor(options: MetricsHandlerOptions) {
    const { meterProvider, sessions, connections, attributes = {} } = options;
    const meter = meterProvider.getMeter(METER);
    this.#attributes = attributes;
    this.#instruments = eventInstruments(meter);
    const wire = this.wire = new WireMeter();
    const observed = observedInstruments(meter);
    meter.addBatchObservableCallback((observer) => {
      const collection = new MetricCollection(this.#totals, wire);
      for (const watched of this.#watched.values()) {
        collection.add(watched.context.channel, watched.role);
      }
      collection.report(observer, observed, attributes);
      collection.reportServer(observer, observed, attributes, connections, sessions);
    }, Object.values(observed));
  }

  /**
   * Begins with a channel.
   *
   * @throws {TypeError} If it is in that pipeline already: all would be counted twice.
   */
  handlerAdded(context: ChannelHandlerContext): void {
    const { channel, loop, pipeline } = context;
    if (this.#watched.has(channel)) {
      throw new TypeError("Cannot measure the channel: the handler is in its pipeline already");
    }
    this.#watched.set(channel, {
      context,
      role: roleOf(channel),
      upMs: channel.isActive ? loop.now() : undefined,
      downMs: undefined,
      outageMs: undefined,
      askedMs: undefined,
      unanswered: 0,
    });
    for (const { handler } of pipeline.iterate()) this.#totals.addHandler(handler, -1);
    const used = this.#loops.get(loop);
    if (used !== undefined) used.channels++;
    else this.#loops.set(loop, { channels: 1, stop: this.#listenTo(loop) });
  }

  /** Keeps what the channel has added to the sums. */
  handlerRemoved(context: ChannelHandlerContext): void {
    const { channel, loop, pipeline } = context;
    const watched = this.#watched.get(channel);
    if (watched?.context !== context) return;
    this.#watched.delete(channel);
    // Handlers are taken out from the tail on, so those before this one are still there.
    for (const { handler } of pipeline.iterate()) this.#totals.addHandler(handler);
    const used = this.#loops.get(loop)!;
    if (--used.channels > 0) return;
    used.stop();
    this.#loops.delete(loop);
  }

  /** Takes what the other handlers tell. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const watched = this.#watched.get(context.channel);
    if (watched !== undefined) this.#event(watched, event as KnownEvent);
    context.fireUserEventTriggered(event);
  }

  /** Counts an error. */
  exceptionCaught(context: ChannelHandlerContext, error: unknown): void {
    this.#instruments.errors.add(
      1,
      this.#with({
        "longlink.role": roleOf(context.channel),
        "error.type": error instanceof Error ? error.name : "_OTHER",
        ...(error instanceof LimitError ? { "longlink.limit": error.limit } : {}),
      }),
    );
    context.fireExceptionCaught(error);
  }

  #event(watched: Watched, event: KnownEvent): void {
    const { trials, attempts } = this.#instruments;
    switch (event?.type) {
      case "linkUp":
        return this.#linkUp(watched, event);
      case "linkDown":
        return this.#linkDown(watched, event);
      case "linkValid":
        return this.#linkValid(watched);
      case "beat":
        return this.#beat(watched, event);
      case "verdict":
        return trials.add(1, this.#with({ "longlink.trial.outcome": event.outcome }));
      case "reconnectState":
        if (event.state !== "connecting") return;
        return attempts.add(1, this.#with({ "longlink.reconnect.reason": event.reason }));
      case "sessionLost":
        return this.#sessionLost(watched, event);
    }
  }

  #linkUp(watched: Watched, { resumed }: LinkUpEvent): void {
    const { links, resumptions, reconnect } = this.#instruments;
    const role = { "longlink.role": watched.role };
    const nowMs = watched.context.loop.now();
    links.add(1, this.#with({ ...role, "longlink.session.resumed": resumed }));
    if (resumed) resumptions.add(1, this.#with(role));
    if (watched.downMs !== undefined) reconnect.record(seconds(nowMs - watched.downMs), this.#with(role));
    watched.upMs = nowMs;
    watched.downMs = undefined;
  }

  #linkDown(watched: Watched, { reason }: LinkDownEvent): void {
    const { linkDuration, detection } = this.#instruments;
    const { upMs, askedMs } = watched;
    const nowMs = watched.context.loop.now();
    const why = { "longlink.link.down_reason": reason };
    if (upMs !== undefined) {
      linkDuration.record(seconds(nowMs - upMs), this.#with({ "longlink.role": watched.role, ...why }));
    }
    // What was ended on purpose was not found to be dead.
    if (askedMs !== undefined && reason !== "closed" && reason !== "replaced") {
      detection.record(seconds(nowMs - askedMs), this.#with(why));
    }
    watched.upMs = watched.askedMs = undefined;
    watched.downMs = nowMs;
    // A link that came and went without an answer was no recovery.
    watched.outageMs ??= nowMs;
  }

  #linkValid(watched: Watched): void {
    const { outageMs, context } = watched;
    watched.askedMs = undefined;
    if (outageMs === undefined) return;
    watched.outageMs = undefined;
    this.#instruments.recovery.record(seconds(context.loop.now() - outageMs), this.#attributes);
  }

  #beat(watched: Watched, { outcome, roundTripMs, unanswered }: BeatEvent): void {
    const { beats, roundTrip } = this.#instruments;
    beats.add(1, this.#with({ "longlink.beat.outcome": outcome }));
    if (roundTripMs !== undefined) roundTrip.record(seconds(roundTripMs), this.#attributes);
    if (outcome === "answered") {
      watched.askedMs = undefined;
    } else if (watched.askedMs === undefined || unanswered <= watched.unanswered) {
      // Counted anew: the link has shown life in between.
      watched.askedMs = askedMs(watched.context);
    }
    watched.unanswered = unanswered;
  }

  #sessionLost({ role }: Watched, { reason, unconfirmed }: SessionLostEvent): void {
    const attributes = this.#with({ "longlink.role": role, "longlink.session.loss_reason": reason });
    this.#instruments.losses.add(1, attributes);
    if (unconfirmed.length > 0) this.#instruments.unconfirmed.add(unconfirmed.length, attributes);
  }

  #listenTo(loop: EventLoop): () => void {
    return loop.onLate(({ kind, lateMs }) =>
      this.#instruments.lateness.record(seconds(lateMs), this.#with({ "longlink.loop.late_kind": kind }))
    );
  }

  #with(attributes: MetricAttributes): MetricAttributes {
    return { ...this.#attributes, ...attributes };
  }
}

type KnownEvent =
  | LinkUpEvent
  | LinkDownEvent
  | LinkValidEvent
  | BeatEvent
  | VerdictEvent
  | ReconnectStateEvent
  | SessionLostEvent;

/**
 * When the heartbeat was sent that was just found to be unanswered. The event
 * does not say: at the last write, unless the application has written since or
 * the heartbeat is still waiting to leave. In any case not longer ago than an
 * answer may take.
 */
function askedMs({ pipeline, loop }: ChannelHandlerContext): number {
  const nowMs = loop.now();
  const idleState = pipeline.get(IdleStateHandler);
  const keepAlive = pipeline.get(AdaptiveIntervalHandler);
  return Math.max(idleState?.lastWriteMs ?? nowMs, nowMs - (keepAlive?.answerTimeoutMs ?? 0));
}

function seconds(ms: number): number {
  return ms / 1_000;
}
