type Keyed = Record<PropertyKey, unknown>;

/** Pairs under comparison, so that a cycle ends instead of overflowing the stack. */
type Seen = Map<object, Set<object>>;

/** Structural equality with std's rules: classes must agree, 0 equals -0, NaN equals NaN. */
export function compare(a: unknown, b: unknown, seen: Seen = new Map()): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (!sameClass(a, b)) return false;
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime());
  if (a instanceof RegExp || a instanceof URL) return String(a) === String(b);
  if (a instanceof WeakRef) return compare(a.deref(), (b as WeakRef<object>).deref(), seen);
  if (a instanceof ArrayBuffer) return sameBytes(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
  if (ArrayBuffer.isView(a) && !sameBytes(bytesOf(a), bytesOf(b as ArrayBufferView))) return false;
  if (ArrayBuffer.isView(a)) return true;

  const partners = seen.get(a) ?? new Set();
  if (partners.has(b)) return true;
  seen.set(a, partners.add(b));

  if (a instanceof Set) return sameEntries([...a], [...(b as Set<unknown>)], seen);
  if (a instanceof Map) return sameEntries([...a], [...(b as Map<unknown, unknown>)], seen);
  // Neither is enumerable, so the keys below would not show them.
  if (
    a instanceof Error && (a.message !== (b as Error).message || !compare(a.cause, (b as Error).cause, seen))
  ) {
    return false;
  }
  const keysOfA = keysOf(a);
  if (keysOfA.length !== keysOf(b).length) return false;
  return keysOfA.every((key) => Object.hasOwn(b, key) && compare((a as Keyed)[key], (b as Keyed)[key], seen));
}

/** A null-prototype object counts as a plain one. */
function sameClass(a: object, b: object): boolean {
  return a.constructor === b.constructor || (a.constructor === Object && b.constructor === undefined) ||
    (a.constructor === undefined && b.constructor === Object);
}

function keysOf(value: object): PropertyKey[] {
  const symbols = Object.getOwnPropertySymbols(value);
  return [
    ...Object.keys(value),
    ...symbols.filter((key) => Object.prototype.propertyIsEnumerable.call(value, key)),
  ];
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Compares members regardless of order. */
function sameEntries(a: unknown[], b: unknown[], seen: Seen): boolean {
  if (a.length !== b.length) return false;
  const left = [...b];
  return a.every((member) => {
    const index = left.findIndex((candidate) => compare(member, candidate, seen));
    return index >= 0 && left.splice(index, 1).length === 1;
  });
}
