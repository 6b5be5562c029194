/**
 * The instruments of a MetricsHandler. Names, units and kinds follow
 * OpenTelemetry's semantic conventions: seconds for durations, `By` for bytes,
 * a plural for what is counted one by one, nothing that grows with the number
 * of users among the attributes. docs/metrics.md has them in a table.
 *
 * @module
 */

import type { MetricCounter, MetricHistogram, MetricMeter } from "./_meter.ts";

/** From a local network to a satellite that is congested, s. */
const ROUND_TRIP_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 0.75, 1, 2.5, 5, 10];
/** With the defaults a dead link is known after 3 s (in a hurry) to 10 s. */
const DETECTION_S = [0.5, 1, 2, 3, 4, 5, 6, 8, 10, 15, 30, 60];
/** From one try that succeeds at once to a night without a network, s. */
const OUTAGE_S = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 28_800];
/** Close to where networks, proxies and load balancers cut links off, s. */
const LIFETIME_S = [1, 10, 30, 60, 120, 300, 350, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];
/** From a thread that was busy to a machine that slept through the night, s. */
const LATENESS_S = [0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3_600, 28_800];

/** What is told when it happens. */
export interface EventInstruments {
  readonly links: MetricCounter;
  readonly linkDuration: MetricHistogram;
  readonly detection: MetricHistogram;
  readonly reconnect: MetricHistogram;
  readonly recovery: MetricHistogram;
  readonly beats: MetricCounter;
  readonly roundTrip: MetricHistogram;
  readonly trials: MetricCounter;
  readonly attempts: MetricCounter;
  readonly resumptions: MetricCounter;
  readonly losses: MetricCounter;
  readonly unconfirmed: MetricCounter;
  readonly errors: MetricCounter;
  readonly lateness: MetricHistogram;
}

/** Makes those that are told when it happens. */
export function eventInstruments(meter: MetricMeter): EventInstruments {
  const count = (name: string, unit: string, description: string) =>
    meter.createCounter(`longlink.${name}`, { unit, description });
  const seconds = (name: string, explicitBucketBoundaries: number[], description: string) =>
    meter.createHistogram(`longlink.${name}`, {
      unit: "s",
      description,
      advice: { explicitBucketBoundaries },
    });
  return {
    links: count("links", "{link}", "Links that came up"),
    linkDuration: seconds("link.duration", LIFETIME_S, "How long links lasted, by what ended them"),
    detection: seconds(
      "link.detection.duration",
      DETECTION_S,
      "From the first heartbeat that was not answered until the link was known to be dead",
    ),
    reconnect: seconds("link.reconnect.duration", OUTAGE_S, "From the end of a link to the next one"),
    recovery: seconds(
      "link.recovery.duration",
      OUTAGE_S,
      "From the end of a link until the peer answered on a later one",
    ),
    beats: count("beats", "{beat}", "Heartbeats that were answered, or not in time"),
    roundTrip: seconds("beat.round_trip.duration", ROUND_TRIP_S, "From a heartbeat to its answer"),
    trials: count("trials", "{trial}", "Trials whether a link survives an idle time, by what they showed"),
    attempts: count("reconnect.attempts", "{attempt}", "Tries to get a link, by why they were made"),
    resumptions: count("session.resumptions", "{session}", "Sessions that went on on another link"),
    losses: count("session.losses", "{session}", "Sessions that were lost, by why"),
    unconfirmed: count(
      "session.unconfirmed.messages",
      "{message}",
      "Messages of lost sessions that were never confirmed",
    ),
    errors: count("errors", "{error}", "Errors that went through the pipeline, by their class"),
    lateness: seconds("loop.lateness", LATENESS_S, "How late timers ran, by what held them up"),
  };
}

/** What is asked for when somebody collects. */
export interface ObservedInstruments {
  readonly channels: unknown;
  readonly interval: unknown;
  readonly queueMessages: unknown;
  readonly queueBytes: unknown;
  readonly queueOverflows: unknown;
  readonly io: unknown;
  readonly rateLimitPauses: unknown;
  readonly refusals: unknown;
  readonly sessions: unknown;
  readonly sessionEvents: unknown;
  readonly sessionBytes: unknown;
}

/** Makes those that are asked for when somebody collects. */
export function observedInstruments(meter: MetricMeter): ObservedInstruments {
  const sum = (name: string, unit: string, description: string) =>
    meter.createObservableUpDownCounter(`longlink.${name}`, { unit, description });
  const count = (name: string, unit: string, description: string) =>
    meter.createObservableCounter(`longlink.${name}`, { unit, description });
  return {
    channels: sum("channel.count", "{channel}", "Channels, by what they are doing"),
    interval: meter.createObservableGauge("longlink.beat.interval", {
      unit: "s",
      description: "How long links idle before a heartbeat, on average",
    }),
    queueMessages: sum(
      "queue.message.count",
      "{message}",
      "Messages that wait for a link or for an acknowledgement",
    ),
    queueBytes: sum("queue.size", "By", "Size of the messages that wait"),
    queueOverflows: count("queue.overflows", "{message}", "Messages for which the queue had no room"),
    io: count("network.io", "By", "Bytes over all links, above TLS and WebSocket"),
    rateLimitPauses: count(
      "server.rate_limit.pauses",
      "{pause}",
      "How often a peer that sent too fast was not read from",
    ),
    refusals: count("server.refusals", "{link}", "Links that a limit of the server refused or ended"),
    sessions: sum(
      "server.session.count",
      "{session}",
      "Sessions of the server, by whether a client is there",
    ),
    sessionEvents: count("server.session.events", "{event}", "What became of the server's sessions"),
    sessionBytes: sum(
      "server.session.retained_size",
      "By",
      "Size of the messages that wait for their client's acknowledgement",
    ),
  };
}
