/** Options of {@linkcode deadline}. */
export interface DeadlineOptions {
  /** Ends the wait early: the promise rejects with its reason. */
  signal?: AbortSignal;
}

/** Rejects with a `TimeoutError` (a `DOMException`) if the promise has not settled after `ms` milliseconds. */
export async function deadline<T>(p: Promise<T>, ms: number, options: DeadlineOptions = {}): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const { signal } = options;
  if (signal?.aborted) throw signal.reason;
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const timer = setTimeout(() => reject(new DOMException("Signal timed out.", "TimeoutError")), ms);
  try {
    return await Promise.race([p, aborted]);
  } finally {
    // A timer left behind would be a leak in the eyes of `deno test`.
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
