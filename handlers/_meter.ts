/**
 * What is used of OpenTelemetry's metrics API (`@opentelemetry/api`, 1.7 or
 * later). By shape and not by import, so that nothing has to be installed
 * where nobody measures.
 *
 * @module
 */

/** What tells the series of one instrument apart. */
export type MetricAttributes = Readonly<Record<string, string | number | boolean>>;

/** What is said of an instrument when it is made. */
export interface MetricOptions {
  /** What it measures. */
  description?: string;
  /** Its unit, in UCUM. */
  unit?: string;
  /** Where the buckets of a histogram lie, for who has no view that says otherwise. */
  advice?: { explicitBucketBoundaries?: number[] };
}

/** Counts up. */
export interface MetricCounter {
  /** Adds to the count. */
  add(value: number, attributes?: MetricAttributes): void;
}

/** Collects values into buckets. */
export interface MetricHistogram {
  /** Takes a value. */
  record(value: number, attributes?: MetricAttributes): void;
}

/** Where the values of observable instruments go. */
export interface MetricObserver {
  /** Takes the value that an instrument has now. */
  // deno-lint-ignore no-explicit-any
  observe(instrument: any, value: number, attributes?: MetricAttributes): void;
}

/** OpenTelemetry's `Meter`, as far as it is used. */
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

/** OpenTelemetry's `MeterProvider`, or its global `metrics`, as far as it is used. */
export interface MetricMeterProvider {
  /** Gives the meter of a library. */
  getMeter(name: string, version?: string): MetricMeter;
}
