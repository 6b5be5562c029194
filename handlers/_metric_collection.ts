/**
 * What is looked up when somebody collects metrics: one walk over the channels.
 *
 * @module
 */

import type { Channel, ChannelHandler, ChannelState } from "../pipeline/mod.ts";
import { AdaptiveIntervalHandler } from "./adaptive_interval_handler.ts";
import type { ConnectionLimitHandler } from "./connection_limit_handler.ts";
import type { MetricAttributes, MetricObserver } from "./_meter.ts";
import type { ObservedInstruments } from "./_metric_instruments.ts";
import { RateLimitHandler } from "./rate_limit_handler.ts";
import { ReconnectHandler } from "./reconnect_handler.ts";
import type { SessionRegistry } from "./session/session_registry.ts";
import { SessionHandler } from "./session_handler.ts";
import { SessionResponder } from "./session_responder.ts";
import type { Role, WireMeter } from "./_wire_meter.ts";

/** For what messages wait. */
type QueueName = "reconnect" | "session";

/** What only grows, and outlives the channel that it came from. */
export class Totals {
  readonly overflows = { rejected: 0, dropped: 0, blocked: 0 };
  pauses = 0;
  /** Links that were ended as they sent too fast. */
  ended = 0;
  /** Of what there ever was something: an SDK goes on with the last value that it was told, so a 0 has to be told. */
  readonly roles: Set<Role>;
  readonly queues: Set<QueueName>;

  /** @param seen What there ever was. */
  constructor(seen: Pick<Totals, "roles" | "queues"> = { roles: new Set(), queues: new Set() }) {
    this.roles = seen.roles;
    this.queues = seen.queues;
  }

  /** Makes a copy to add the channels to that are there now. */
  copy(): Totals {
    const copy = new Totals(this);
    Object.assign(copy.overflows, this.overflows);
    copy.pauses = this.pauses;
    copy.ended = this.ended;
    return copy;
  }

  /**
   * Adds what a handler has counted.
   *
   * @param times -1 takes it out again: what it had counted before anybody watched.
   */
  addHandler(handler: ChannelHandler, times: 1 | -1 = 1): void {
    if (handler instanceof ReconnectHandler) {
      this.overflows.rejected += times * handler.rejectedMessages;
      this.overflows.dropped += times * handler.droppedMessages;
      this.overflows.blocked += times * handler.blockedMessages;
    } else if (handler instanceof RateLimitHandler) {
      this.pauses += times * handler.pauses;
      this.ended += times * handler.ended;
    }
  }
}

const STATES: readonly ChannelState[] = ["idle", "connecting", "active", "closing"];

/** What is collected at one time. */
export class MetricCollection {
  readonly #totals: Totals;
  readonly #wire: WireMeter;
  readonly #channels = new Map<Role, Map<ChannelState, number>>();
  readonly #queues = new Map<QueueName, { messages: number; bytes: number }>();
  #intervals = 0;
  #intervalSumMs = 0;

  /**
   * @param totals What channels that are gone have left.
   * @param wire What counts bytes.
   */
  constructor(totals: Totals, wire: WireMeter) {
    this.#totals = totals.copy();
    this.#wire = wire;
  }

  /** Adds a channel, and what its handlers know. */
  add(channel: Channel, role: Role): void {
    const states = this.#channels.get(role) ?? new Map<ChannelState, number>();
    this.#channels.set(role, states.set(channel.state, (states.get(channel.state) ?? 0) + 1));
    this.#totals.roles.add(role);
    for (const { handler } of channel.pipeline.iterate()) {
      this.#totals.addHandler(handler);
      if (handler instanceof AdaptiveIntervalHandler) this.#addInterval(handler);
      else if (handler instanceof ReconnectHandler) {
        this.#addQueue("reconnect", handler.queuedMessages, handler.queuedBytes);
      } else if (handler instanceof SessionHandler) {
        this.#addQueue("session", handler.unacknowledged, handler.unacknowledgedBytes);
      } else if (handler instanceof SessionResponder) {
        // How many bytes that is only the registry knows.
        this.#addQueue("session", handler.unacknowledged, 0);
      }
    }
  }

  /** Tells all of it. */
  report(observer: MetricObserver, to: ObservedInstruments, attributes: MetricAttributes): void {
    const tell = (instrument: unknown, value: number, more: MetricAttributes = {}) =>
      observer.observe(instrument, value, { ...attributes, ...more });
    for (const role of this.#totals.roles) {
      for (const state of STATES) {
        const count = this.#channels.get(role)?.get(state) ?? 0;
        tell(to.channels, count, { "longlink.role": role, "longlink.channel.state": state });
      }
    }
    for (const name of this.#totals.queues) {
      const { messages, bytes } = this.#queues.get(name) ?? { messages: 0, bytes: 0 };
      tell(to.queueMessages, messages, { "longlink.queue.name": name });
      tell(to.queueBytes, bytes, { "longlink.queue.name": name });
    }
    if (this.#intervals > 0) tell(to.interval, this.#intervalSumMs / this.#intervals / 1_000);
    const { overflows, pauses } = this.#totals;
    const { sentBytes, receivedBytes } = this.#wire;
    for (const [overflow, count] of Object.entries(overflows)) {
      if (count > 0) tell(to.queueOverflows, count, { "longlink.queue.overflow": overflow });
    }
    for (const role of ["client", "server"] as const) {
      const directions = { transmit: sentBytes[role], receive: receivedBytes[role] };
      for (const [direction, bytes] of Object.entries(directions)) {
        if (bytes > 0) tell(to.io, bytes, { "longlink.role": role, "network.io.direction": direction });
      }
    }
    if (pauses > 0) tell(to.rateLimitPauses, pauses);
  }

  /** Tells what the server's limits and sessions have counted. */
  reportServer(
    observer: MetricObserver,
    to: ObservedInstruments,
    attributes: MetricAttributes,
    connections: ConnectionLimitHandler | undefined,
    sessions: SessionRegistry | undefined,
  ): void {
    const tell = (instrument: unknown, value: number, more: MetricAttributes = {}) =>
      observer.observe(instrument, value, { ...attributes, ...more });
    const { ended } = this.#totals;
    if (ended > 0) tell(to.refusals, ended, { "longlink.limit": "rate" });
    if (connections !== undefined) {
      tell(to.refusals, connections.refused, { "longlink.limit": "connections" });
    }
    if (sessions === undefined) return;
    const { size, away, retainedBytes, opened, resumed, refused, expired, evicted } = sessions;
    tell(to.sessions, size - away, { "longlink.session.state": "linked" });
    tell(to.sessions, away, { "longlink.session.state": "away" });
    tell(to.sessionBytes, retainedBytes);
    for (const [event, count] of Object.entries({ opened, resumed, refused, expired, evicted })) {
      tell(to.sessionEvents, count, { "longlink.session.event": event });
    }
  }

  #addInterval(handler: AdaptiveIntervalHandler): void {
    const snapshot = handler.snapshot();
    if (snapshot === undefined || snapshot.phase === "down") return;
    this.#intervalSumMs += snapshot.intervalMs;
    this.#intervals++;
  }

  #addQueue(name: QueueName, messages: number, bytes: number): void {
    this.#totals.queues.add(name);
    const queue = this.#queues.get(name) ?? { messages: 0, bytes: 0 };
    queue.messages += messages;
    queue.bytes += bytes;
    this.#queues.set(name, queue);
  }
}
