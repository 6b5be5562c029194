/** What was allocated, in elements: of byte arrays these are bytes. */
export interface Allocations<T> {
  readonly result: T;
  readonly bytes: number;
  /** The largest single byte array. */
  readonly largest: number;
  /** Slots of arrays that were made with a length. */
  readonly slots: number;
}

/** Runs something and counts how much it asks for. */
export function countAllocations<T>(run: () => T): Allocations<T> {
  const { Uint8Array, ArrayBuffer, Array } = globalThis;
  const { slice } = Object.getPrototypeOf(Uint8Array.prototype);
  let [bytes, largest, slots] = [0, 0, 0];
  const count = (length: number) => {
    bytes += length;
    largest = Math.max(largest, length);
  };
  const counting = <C extends object>(constructor: C, note: (first: unknown) => void): C =>
    new Proxy(constructor, {
      construct(target, args, newTarget) {
        note(args[0]);
        return Reflect.construct(target as unknown as new () => object, args, newTarget);
      },
    });
  const noteBytes = (first: unknown) => {
    if (typeof first === "number") count(first);
    // A view of a buffer takes nothing more; anything else is copied.
    else if (!(first instanceof ArrayBuffer)) count((first as ArrayLike<number> | undefined)?.length ?? 0);
  };
  globalThis.Uint8Array = counting(Uint8Array, noteBytes);
  globalThis.ArrayBuffer = counting(ArrayBuffer, noteBytes);
  globalThis.Array = counting(Array, (first) => slots += typeof first === "number" ? first : 0);
  Object.getPrototypeOf(Uint8Array.prototype).slice = function (from?: number, to?: number) {
    const part = slice.call(this, from, to);
    count(part.length);
    return part;
  };
  try {
    return { result: run(), bytes, largest, slots };
  } finally {
    Object.assign(globalThis, { Uint8Array, ArrayBuffer, Array });
    Object.getPrototypeOf(Uint8Array.prototype).slice = slice;
  }
}
