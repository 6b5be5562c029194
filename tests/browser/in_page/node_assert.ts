/**
 * What the assertions take of `node:assert`, for a page.
 *
 * @module
 */

export default {
  strictEqual(actual: unknown, expected: unknown): void {
    if (!Object.is(actual, expected)) throw new Error("not the same");
  },
  deepStrictEqual(actual: unknown, expected: unknown): void {
    const path = differenceAt(actual, expected, "value");
    if (path !== undefined) throw new Error(`${path} differs`);
  },
};

/** Where two values differ first; undefined if nowhere. */
function differenceAt(actual: unknown, expected: unknown, path: string): string | undefined {
  if (Object.is(actual, expected)) return undefined;
  if (typeof actual !== "object" || typeof expected !== "object" || actual === null || expected === null) {
    return path;
  }
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) return `${path}'s class`;
  if (actual instanceof Date && +actual !== +(expected as Date)) return path;
  if (actual instanceof RegExp && String(actual) !== String(expected)) return path;
  if (actual instanceof Error) {
    const { name, message, cause } = expected as Error;
    if (actual.name !== name || actual.message !== message) return path;
    if (differenceAt(actual.cause, cause, "cause") !== undefined) return `${path}.cause`;
  }
  if (actual instanceof Map) return differenceAt([...actual], [...expected as typeof actual], path);
  if (actual instanceof Set) {
    const rest = [...expected as Set<unknown>];
    for (const member of actual) {
      const at = rest.findIndex((other) => differenceAt(member, other, path) === undefined);
      if (at < 0) return path;
      rest.splice(at, 1);
    }
    return rest.length === 0 ? undefined : path;
  }
  if (actual instanceof ArrayBuffer) {
    return differenceAt(new Uint8Array(actual), new Uint8Array(expected as ArrayBuffer), path);
  }
  const keys = Reflect.ownKeys(actual).filter((key) => isEnumerable(actual, key));
  const others = Reflect.ownKeys(expected).filter((key) => isEnumerable(expected, key));
  if (keys.length !== others.length) return `${path}'s keys`;
  for (const key of keys) {
    if (!Object.hasOwn(expected, key)) return `${path}.${String(key)}`;
    const [mine, other] = [Reflect.get(actual, key), Reflect.get(expected, key)];
    const difference = differenceAt(mine, other, `${path}.${String(key)}`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function isEnumerable(target: object, key: PropertyKey): boolean {
  return Object.prototype.propertyIsEnumerable.call(target, key);
}
