import nodeAssert from "node:assert";
import { AssertionError, show, suffix } from "./_error.ts";
import { compare } from "./_compare.ts";

/** Whether two values are equal in structure and class. */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b);
}

/** Fails unless the values are equal in structure and class. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  if (compare(actual, expected)) return;
  const difference = differenceOf(() => nodeAssert.deepStrictEqual(actual, expected), actual, expected);
  throw new AssertionError(`Values are not equal${suffix(message)}\n\n${difference}`);
}

/** Fails if the values are equal in structure and class. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  if (!compare(actual, expected)) return;
  throw new AssertionError(`Expected actual: ${show(actual)} not to be: ${show(expected)}${suffix(message)}`);
}

/** Fails unless `Object.is(actual, expected)`. */
export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const difference = compare(actual, expected)
    ? `    ${show(actual)}`
    : differenceOf(() => nodeAssert.strictEqual(actual, expected), actual, expected);
  const reason = compare(actual, expected)
    ? "Values have the same structure but are not reference-equal"
    : "Values are not strictly equal";
  throw new AssertionError(`${reason}${suffix(message)}\n\n${difference}`);
}

/** Fails if `Object.is(actual, expected)`. */
export function assertNotStrictEquals<T>(actual: T, expected: T, message?: string): void {
  if (!Object.is(actual, expected)) return;
  throw new AssertionError(
    `Expected "actual" to not be strictly equal to: ${show(actual)}${suffix(message)}`,
  );
}

/** Fails unless `actual` has an equal of each of `expected`, in any order. */
export function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, message?: string): void {
  const missing = Array.from(expected).filter((wanted) =>
    !Array.from(actual).some((have) => compare(have, wanted))
  );
  if (missing.length === 0) return;
  throw new AssertionError(
    `Expected actual: ${show(actual)} to include: ${show(expected)}${suffix(message)}\nmissing: ${
      show(missing)
    }`,
  );
}

/** Node's line by line difference, below its own heading. */
function differenceOf(assertion: () => void, actual: unknown, expected: unknown): string {
  try {
    assertion();
  } catch (error) {
    const text = (error as Error).message;
    return text.slice(text.indexOf("\n") + 1).trimStart();
  }
  return `+ ${show(actual)}\n- ${show(expected)}`;
}
