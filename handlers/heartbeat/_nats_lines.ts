/**
 * Where the lines and payloads of a NATS stream begin and end.
 *
 * @module
 */

/** A line of the protocol whose end has come, with the payload that follows it if it has one. */
export interface NatsLine {
  /** Its first word, in upper case, at most 5 characters. */
  readonly operation: string;
  /** The line without its end, if its operation was asked for, at most 512 characters; else "". */
  readonly text: string;
  /** Where in the chunk it begins; below 0 if it began before. */
  readonly start: number;
  /** Where in the chunk its payload ends, or it itself if it has none. */
  readonly end: number;
}

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const KEPT = 512;
const WITH_PAYLOAD: readonly string[] = ["PUB", "HPUB", "MSG", "HMSG"];

/** Cuts one direction of a stream into lines (NATS client protocol) without keeping them. */
export class NatsLines {
  readonly #wanted: string | undefined;
  /** The beginning of the line, as far as it is of use. */
  #line = "";
  #operation: string | undefined = undefined;
  /** The last word of the line as a number, which is the payload's size where there is one. */
  #number = 0;
  #isNumberOver = false;
  /** What is to come of the payload and its line end; -1 while the line goes on. */
  #left = -1;
  /** How many bytes of the line came in chunks before. */
  #before = 0;

  /** @param wanted The operation of which the whole line is wanted. */
  constructor(wanted?: string) {
    this.#wanted = wanted;
  }

  /** Whether no line or payload has begun. */
  get isBetween(): boolean {
    return this.#before === 0;
  }

  /** What came of a line that has begun, if its payload has not; else "". */
  get begun(): string {
    return this.#left === -1 ? this.#line : "";
  }

  /** How many bytes came of what has begun. */
  get begunBytes(): number {
    return this.#before;
  }

  /**
   * Goes through a chunk up to the end of a line and its payload.
   *
   * @returns The line, or undefined if none ends in the chunk.
   * @throws {RangeError} If a payload has no size.
   */
  next(chunk: Uint8Array, from: number): NatsLine | undefined {
    const start = from - this.#before;
    let at = from;
    while (at < chunk.length && this.#left === -1) this.#take(chunk[at++]!);
    const count = Math.min(chunk.length - at, Math.max(0, this.#left));
    at += count;
    if (this.#left > 0) this.#left -= count;
    if (this.#left !== 0) {
      this.#before += at - from;
      return undefined;
    }
    const operation = this.#operation ?? this.#line.toUpperCase();
    const text = operation === this.#wanted ? this.#line : "";
    this.#line = "";
    this.#operation = undefined;
    this.#number = this.#before = 0;
    this.#isNumberOver = false;
    this.#left = -1;
    return { operation, text, start, end: at };
  }

  #take(byte: number): void {
    if (byte === LF) {
      const operation = this.#operation ?? this.#line.toUpperCase();
      if (!WITH_PAYLOAD.includes(operation)) this.#left = 0;
      else if (Number.isSafeInteger(this.#number)) this.#left = this.#number + 2;
      else throw new RangeError(`a line of ${operation} does not say how long its payload is`);
      return;
    }
    if (byte === CR) return;
    if (byte === SPACE || byte === TAB) {
      this.#operation ??= this.#line.toUpperCase();
      this.#isNumberOver = true;
    } else {
      // Only digits make a number; one after a space begins a new one.
      const digit = byte - 0x30;
      if (this.#isNumberOver) this.#number = 0;
      this.#isNumberOver = false;
      this.#number = digit >= 0 && digit <= 9 ? this.#number * 10 + digit : NaN;
    }
    const room = this.#operation === undefined || this.#operation === this.#wanted ? KEPT : 0;
    if (this.#line.length < room) this.#line += String.fromCharCode(byte);
  }
}
