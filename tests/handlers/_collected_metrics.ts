// deno-lint-ignore no-import-prefix
import { MeterProvider, MetricReader } from "npm:@opentelemetry/sdk-metrics@^2.12.1";
import { MetricsHandler, type MetricsHandlerOptions } from "../../handlers/metrics_handler.ts";

class OnDemand extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

/** What was measured under one name: `attribute=value,...` and the value, or the sum and count of a histogram. */
export type Series = Readonly<Record<string, number | { readonly sum: number; readonly count: number }>>;

/** A handler with OpenTelemetry's own SDK behind it. */
export function measured(options: Omit<MetricsHandlerOptions, "meterProvider"> = {}) {
  const reader = new OnDemand();
  const meterProvider = new MeterProvider({ readers: [reader] });
  const metrics = new MetricsHandler({ meterProvider, ...options });
  const collect = async () => {
    const { resourceMetrics, errors } = await reader.collect();
    if (errors.length > 0) throw errors[0];
    return resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
  };
  /** The series of each instrument that has any, without the prefix that all have. */
  const series = async (): Promise<Readonly<Record<string, Series>>> => {
    const all: Record<string, Record<string, Series[string]>> = {};
    for (const { descriptor, dataPoints } of await collect()) {
      if (dataPoints.length === 0) continue;
      const name = descriptor.name.replace(/^longlink\./, "");
      const points = all[name] = {} as Record<string, Series[string]>;
      for (const { attributes, value } of dataPoints) {
        const key = Object.entries(attributes)
          .map(([attribute, value]) => `${attribute.replace(/^longlink\./, "")}=${value}`).sort().join(",");
        points[key] = typeof value === "number" ? value : { sum: round(value.sum!), count: value.count };
      }
    }
    return all;
  };
  return { metrics, collect, series };
}

/** Sums of seconds have the errors of binary fractions. */
function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
