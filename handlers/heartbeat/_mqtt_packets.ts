/**
 * Where the packets of an MQTT stream begin and end.
 *
 * @module
 */

/** So much of a packet's body is looked at, bytes: its codes, and the reason in words if there is one. */
const KEPT_BYTES = 512;

/** A packet whose end has come. */
export interface MqttPacket {
  /** Type in the upper half, flags in the lower one. */
  readonly first: number;
  /** Its length without the fixed header, bytes. */
  readonly length: number;
  /** The beginning of what follows the fixed header, if its type was asked for; else empty. */
  readonly body: Uint8Array;
  /** Where in the chunk it begins; below 0 if it began before. */
  readonly start: number;
  /** Where in the chunk the next one begins. */
  readonly end: number;
}

const NOTHING = new Uint8Array(0);

/** Cuts one direction of a stream into packets (MQTT 5, section 2.1) without keeping them. */
export class MqttPackets {
  readonly #wanted: readonly number[];
  /** First byte of the packet that has begun; -1: none has. */
  #first = -1;
  #lengthBytes = 0;
  #length = 0;
  /** What is to come of the body; -1 while the length is incomplete. */
  #left = -1;
  #kept: number[] | undefined = undefined;
  /** How many bytes of the packet came in chunks before. */
  #before = 0;

  /** @param wanted The types, in the upper half of a byte, of which the body is wanted. */
  constructor(wanted: readonly number[]) {
    this.#wanted = wanted;
  }

  /** Whether no packet has begun. */
  get isBetween(): boolean {
    return this.#first === -1;
  }

  /** The first byte of a packet of which nothing else has come; -1: there is none such. */
  get onlyByte(): number {
    return this.#lengthBytes === 0 ? this.#first : -1;
  }

  /**
   * Goes through a chunk up to the end of a packet.
   *
   * @returns The packet, or undefined if none ends in the chunk.
   * @throws {RangeError} If a length is malformed.
   */
  next(chunk: Uint8Array, from: number): MqttPacket | undefined {
    const start = from - this.#before;
    let at = from;
    while (at < chunk.length && this.#left === -1) this.#header(chunk[at++]!);
    if (this.#left > 0) {
      const end = Math.min(chunk.length, at + this.#left);
      this.#keep(chunk, at, end);
      this.#left -= end - at;
      at = end;
    }
    if (this.#left !== 0) {
      this.#before += at - from;
      return undefined;
    }
    const body = this.#kept === undefined ? NOTHING : new Uint8Array(this.#kept);
    const packet = { first: this.#first, length: this.#length, body, start, end: at };
    this.#first = this.#left = -1;
    this.#lengthBytes = this.#length = this.#before = 0;
    this.#kept = undefined;
    return packet;
  }

  #header(byte: number): void {
    if (this.#first === -1) {
      this.#first = byte;
      if (this.#wanted.includes(byte & 0xf0)) this.#kept = [];
      return;
    }
    if (this.#lengthBytes === 3 && byte >= 0x80) {
      throw new RangeError("the length of a packet has more than 4 bytes");
    }
    this.#length += (byte & 0x7f) * 0x80 ** this.#lengthBytes++;
    if (byte < 0x80) this.#left = this.#length;
  }

  #keep(chunk: Uint8Array, from: number, to: number): void {
    if (this.#kept === undefined) return;
    const end = Math.min(to, from + KEPT_BYTES - this.#kept.length);
    for (let i = from; i < end; i++) this.#kept.push(chunk[i]!);
  }
}
