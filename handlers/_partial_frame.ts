/**
 * The beginning of a frame whose end has not come yet.
 *
 * @module
 */

/** How one kind of frame says how long it is. Stateless, so that decoders share one. */
export interface Framing {
  /** The limit for messages that come whole, from a transport that keeps messages. */
  readonly maxFrameBytes: number;
  /**
   * Reads the length of the frame that begins at `start`.
   *
   * @returns Its size in bytes with its header, 1 or more; 0 while the header is incomplete.
   * @throws {DecodeError} If the length is malformed or above the limit.
   */
  frameBytes(bytes: Uint8Array, start: number, end: number): number;
  /** How many bytes of that frame's front are not handed on. Called once its size is known. */
  strippedBytes(bytes: Uint8Array, start: number): number;
}

/** Room for a header and a short message. */
const FIRST_CAPACITY = 32;

/**
 * Collects one frame that comes in parts. It holds bytes of its own: keeping a
 * view would keep the whole chunk alive for a remainder of a few bytes. It
 * grows by doubling and never ahead of what really came, since a length is
 * only a claim: a thousand peers may announce a megabyte and send one byte.
 */
export class PartialFrame {
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #filled = 0;
  /** Size of the whole frame; 0 while its header is incomplete. */
  #size = 0;

  /** Whether the frame is whole. */
  get isWhole(): boolean {
    return this.#size !== 0 && this.#filled === this.#size;
  }

  /** What came so far. */
  get received(): Uint8Array {
    return this.#bytes.subarray(0, this.#filled);
  }

  /**
   * Takes what belongs to this frame from a chunk.
   *
   * @returns Where in the chunk the next frame begins.
   * @throws {DecodeError} If the frame's length is malformed or above the limit.
   */
  take(chunk: Uint8Array, from: number, framing: Framing): number {
    let at = from;
    // Byte by byte until the size is known: what follows may be the next frame's.
    while (this.#size === 0 && at < chunk.length) {
      this.#reserve(1, Infinity);
      this.#bytes[this.#filled++] = chunk[at++]!;
      this.#size = framing.frameBytes(this.#bytes, 0, this.#filled);
    }
    if (this.#size === 0) return at;
    const count = Math.min(this.#size - this.#filled, chunk.length - at);
    if (count > 0) {
      this.#reserve(count, this.#size);
      this.#bytes.set(
        at === 0 && count === chunk.length ? chunk : chunk.subarray(at, at + count),
        this.#filled,
      );
      this.#filled += count;
    }
    return at + count;
  }

  /** The whole frame without what is stripped. Owns its bytes; this object is done. */
  finish(framing: Framing): Uint8Array {
    return this.#bytes.subarray(framing.strippedBytes(this.#bytes, 0), this.#size);
  }

  #reserve(count: number, most: number): void {
    const needed = this.#filled + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.min(Math.max(needed, this.#bytes.length * 2), Math.max(needed, most)));
    grown.set(this.received);
    this.#bytes = grown;
  }
}
