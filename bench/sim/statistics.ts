/**
 * A quantile, where null ("never") is above every number.
 *
 * @param part 0.5 for the median.
 */
export function quantile(values: readonly (number | null)[], part: number): number {
  const sorted = values.map((value) => value ?? Infinity).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(part * sorted.length) - 1))] ?? NaN;
}

/** The share of the values for which something holds. */
export function share<T>(values: readonly T[], holds: (value: T) => boolean): number {
  return values.filter(holds).length / values.length;
}
