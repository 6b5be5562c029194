/**
 * What is used of OpenTelemetry's metrics API (`@opentelemetry/api`, 1.7 or
 * later). By shape and not by import, so that nothing has to be installed
 * where nobody measures.
 *
 * @module
 */

/**
 * What tells the series of one instrument apart.
 *
 * @example On everything that one of two handlers measures
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel } from "@longlink/pipeline";
 * import { type MetricAttributes, type MetricMeter, MetricsHandler } from "@longlink/pipeline/metrics";
 *
 * const seen: unknown[] = [];
 * const make = () => ({ add: (_value: number, of?: MetricAttributes) => seen.push(of?.["app.shard"]), record() {} });
 * const meter: MetricMeter = {
 *   createCounter: make, createHistogram: make,
 *   createObservableGauge() {}, createObservableCounter() {}, createObservableUpDownCounter() {},
 *   addBatchObservableCallback() {},
 * };
 * const attributes: MetricAttributes = { "app.shard": 3 };
 * new EmbeddedChannel({ handlers: [new MetricsHandler({ meterProvider: { getMeter: () => meter }, attributes })] });
 * assertEquals(seen, [3]); // one link came up
 * ```
 */
export type MetricAttributes = Readonly<Record<string, string | number | boolean>>;

/**
 * What is said of an instrument when it is made.
 *
 * @example What an exporter is told of an instrument
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type MetricMeter, type MetricOptions, MetricsHandler } from "@longlink/pipeline/metrics";
 *
 * const told = new Map<string, MetricOptions | undefined>();
 * const make = (name: string, options?: MetricOptions) => (told.set(name, options), { add() {}, record() {} });
 * const meter: MetricMeter = {
 *   createCounter: make, createHistogram: make,
 *   createObservableGauge: make, createObservableCounter: make, createObservableUpDownCounter: make,
 *   addBatchObservableCallback() {},
 * };
 * new MetricsHandler({ meterProvider: { getMeter: () => meter } });
 * assertEquals(told.get("longlink.link.duration")?.unit, "s");
 * ```
 */
export interface MetricOptions {
  /** What it measures. */
  description?: string;
  /** Its unit, in UCUM. */
  unit?: string;
  /** Where the buckets of a histogram lie, for who has no view that says otherwise. */
  advice?: { explicitBucketBoundaries?: number[] };
}

/**
 * Counts up.
 *
 * @example A counter of one's own, for links
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel } from "@longlink/pipeline";
 * import { type MetricCounter, type MetricMeter, MetricsHandler } from "@longlink/pipeline/metrics";
 *
 * let links = 0;
 * const counter: MetricCounter = { add: (value) => void (links += value) };
 * const none = () => ({ add() {}, record() {} });
 * const meter: MetricMeter = {
 *   createCounter: (name) => name === "longlink.links" ? counter : none(),
 *   createHistogram: none, createObservableGauge: none, createObservableCounter: none,
 *   createObservableUpDownCounter: none, addBatchObservableCallback() {},
 * };
 * new EmbeddedChannel({ handlers: [new MetricsHandler({ meterProvider: { getMeter: () => meter } })] });
 * assertEquals(links, 1);
 * ```
 */
export interface MetricCounter {
  /** Adds to the count. */
  add(value: number, attributes?: MetricAttributes): void;
}

/**
 * Collects values into buckets.
 *
 * @example How long links lasted, in seconds
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel } from "@longlink/pipeline";
 * import { type MetricHistogram, type MetricMeter, MetricsHandler } from "@longlink/pipeline/metrics";
 *
 * const lifetimes: number[] = [];
 * const histogram: MetricHistogram = { record: (value) => lifetimes.push(value) };
 * const none = () => ({ add() {}, record() {} });
 * const meter: MetricMeter = {
 *   createHistogram: (name) => name === "longlink.link.duration" ? histogram : none(),
 *   createCounter: none, createObservableGauge: none, createObservableCounter: none,
 *   createObservableUpDownCounter: none, addBatchObservableCallback() {},
 * };
 * const metrics = new MetricsHandler({ meterProvider: { getMeter: () => meter } });
 * const channel = new EmbeddedChannel({ handlers: [metrics] });
 * channel.advanceBy(90_000);
 * channel.loseLink();
 * assertEquals(lifetimes, [90]);
 * ```
 */
export interface MetricHistogram {
  /** Takes a value. */
  record(value: number, attributes?: MetricAttributes): void;
}

/**
 * Where the values of observable instruments go.
 *
 * @example What a collection reads
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel } from "@longlink/pipeline";
 * import { type MetricMeter, type MetricObserver, MetricsHandler } from "@longlink/pipeline/metrics";
 *
 * let collect = (_observer: MetricObserver) => {};
 * const make = (name: string) => ({ name, add() {}, record() {} });
 * const meter: MetricMeter = {
 *   createCounter: make, createHistogram: make,
 *   createObservableGauge: make, createObservableCounter: make, createObservableUpDownCounter: make,
 *   addBatchObservableCallback: (callback) => void (collect = callback),
 * };
 * const metrics = new MetricsHandler({ meterProvider: { getMeter: () => meter } });
 * new EmbeddedChannel({ handlers: [metrics] });
 * const active: [string, number][] = [];
 * collect({
 *   observe: ({ name }, value, of) => of?.["longlink.channel.state"] === "active" && active.push([name, value]),
 * });
 * assertEquals(active, [["longlink.channel.count", 1]]);
 * ```
 */
export interface MetricObserver {
  /** Takes the value that an instrument has now. */
  // deno-lint-ignore no-explicit-any
  observe(instrument: any, value: number, attributes?: MetricAttributes): void;
}

/**
 * OpenTelemetry's `Meter`, as far as it is used.
 *
 * @example A meter that tells which instruments there are
 * ```ts
 * import { assert } from "@std/assert";
 * import { type MetricMeter, MetricsHandler } from "@longlink/pipeline/metrics";
 *
 * const names: string[] = [];
 * const make = (name: string) => (names.push(name), { add() {}, record() {} });
 * const meter: MetricMeter = {
 *   createCounter: make, createHistogram: make,
 *   createObservableGauge: make, createObservableCounter: make, createObservableUpDownCounter: make,
 *   addBatchObservableCallback() {},
 * };
 * new MetricsHandler({ meterProvider: { getMeter: () => meter } });
 * assert(names.includes("longlink.beat.round_trip.duration"));
 * ```
 */
export interface MetricMeter {
  /** Makes a counter. */
  createCounter(name: string, options?: MetricOptions): MetricCounter;
  /** Makes a histogram. */
  createHistogram(name: string, options?: MetricOptions): MetricHistogram;
  /** Makes a gauge that is asked. */
  createObservableGauge(name: string, options?: MetricOptions): unknown;
  /** Makes a counter that is asked. */
  createObservableCounter(name: string, options?: MetricOptions): unknown;
  /** Makes a sum that goes up and down, and is asked. */
  createObservableUpDownCounter(name: string, options?: MetricOptions): unknown;
  /** Asks for several instruments at once. */
  // deno-lint-ignore no-explicit-any
  addBatchObservableCallback(callback: (observer: MetricObserver) => void, instruments: any[]): void;
}

/**
 * OpenTelemetry's `MeterProvider`, or its global `metrics`, as far as it is
 * used.
 *
 * @example The scope under which a backend shows the metrics
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type MetricMeterProvider, MetricsHandler } from "@longlink/pipeline/metrics";
 *
 * const scopes: string[] = [];
 * const none = () => ({ add() {}, record() {} });
 * const meterProvider: MetricMeterProvider = { // in an application: `metrics` of "@opentelemetry/api"
 *   getMeter: (name) => {
 *     scopes.push(name);
 *     return {
 *       createCounter: none, createHistogram: none, createObservableGauge: none, createObservableCounter: none,
 *       createObservableUpDownCounter: none, addBatchObservableCallback() {},
 *     };
 *   },
 * };
 * new MetricsHandler({ meterProvider });
 * assertEquals(scopes, ["@longlink/pipeline"]);
 * ```
 */
export interface MetricMeterProvider {
  /** Gives the meter of a library. */
  getMeter(name: string, version?: string): MetricMeter;
}
