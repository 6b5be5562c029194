/**
 * Checks of option values.
 *
 * @module
 */

/**
 * Returns a duration that lies within its limits.
 *
 * @throws {RangeError} With the option's name, its value and the limits. NaN is out of every range.
 */
export function checkedMs(action: string, name: string, value: number, min: number, max: number): number {
  if (value >= min && value <= max) return value;
  throw new RangeError(`Cannot ${action}: ${name} must be from ${min} to ${max} ms, got ${value}`);
}

/**
 * Returns a whole number that lies within its limits.
 *
 * @throws {RangeError} With the option's name, its value and the limits.
 */
export function checkedCount(action: string, name: string, value: number, min: number, max: number): number {
  if ((Number.isInteger(value) || value === Infinity) && value >= min && value <= max) return value;
  throw new RangeError(
    `Cannot ${action}: ${name} must be a whole number from ${min} to ${max}, got ${value}`,
  );
}
