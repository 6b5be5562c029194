/**
 * Which pushes were sent, and how long they took.
 *
 * @module
 */

/** A push that takes longer is late. */
export const LATE_MS = 1_000;

/** A push that has arrived. */
export interface Arrival {
  readonly atMs: number;
  readonly tookMs: number;
}

/**
 * Counts pushes. That one was sent is told past the box, and so maybe after
 * the push itself; only one that is known to be sent counts as under way.
 */
export class Pushes {
  readonly arrivals: Arrival[] = [];
  late = 0;
  readonly #sentMs = new Map<number, number>();
  readonly #arrivedMs = new Map<number, { readonly atMs: number; readonly wallMs: number }>();

  get sent(): number {
    return this.arrivals.length + this.underWay;
  }

  get onTime(): number {
    return this.arrivals.length - this.late;
  }

  get underWay(): number {
    return this.#sentMs.size;
  }

  /** The server has sent it, at this wall-clock time: page and server have the same clock. */
  wasSent(n: number, sentMs: number): void {
    this.#sentMs.set(n, sentMs);
    this.#match(n);
  }

  /** It is here. */
  arrived(n: number, atMs: number, wallMs: number): void {
    this.#arrivedMs.set(n, { atMs, wallMs });
    this.#match(n);
  }

  #match(n: number): void {
    const sentMs = this.#sentMs.get(n);
    const arrived = this.#arrivedMs.get(n);
    if (sentMs === undefined || arrived === undefined) return;
    this.#sentMs.delete(n);
    this.#arrivedMs.delete(n);
    const tookMs = Math.max(0, arrived.wallMs - sentMs);
    this.arrivals.push({ atMs: arrived.atMs, tookMs });
    if (tookMs > LATE_MS) this.late++;
  }
}
