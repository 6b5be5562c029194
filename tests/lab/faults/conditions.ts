/**
 * How a path carries what is sent on it.
 *
 * @module
 */

/** What a path does to everything that travels on it, each way. */
export interface Conditions {
  /** How long a packet travels, ms, 0 or more. */
  readonly latencyMs: number;
  /** By how much more at most, ms, 0 or more: random for each packet, and none overtakes another. */
  readonly jitterMs: number;
  /** How many bytes a second get through, above 0; Infinity: as many as come. */
  readonly bytesPerSecond: number;
}

/** A short and wide path. */
export const CALM: Conditions = { latencyMs: 10, jitterMs: 0, bytesPerSecond: Infinity };

/** One direction of a link, or both. */
export type Direction = "toServer" | "toClient" | "both";

/** When the last byte of a packet arrives, given when the line is free and when the packet before arrives. */
export class Line {
  #freeMs = 0;
  #lastMs = 0;

  /**
   * Puts a packet on the line.
   *
   * @param conditions How the path is at the moment.
   * @param nowMs The time, ms.
   * @param bytes The packet's size.
   * @param random From 0 (included) to 1 (excluded).
   * @returns When it arrives, ms.
   */
  put(conditions: Conditions, nowMs: number, bytes: number, random: number): number {
    const { latencyMs, jitterMs, bytesPerSecond } = conditions;
    this.#freeMs = Math.max(this.#freeMs, nowMs) + (bytes / bytesPerSecond) * 1000;
    return this.#lastMs = Math.max(this.#lastMs, this.#freeMs + latencyMs + random * jitterMs);
  }

  /** What was on the line is to be sent again. */
  clear(): void {
    this.#freeMs = this.#lastMs = 0;
  }
}
