/**
 * Whose ping the next answer belongs to.
 *
 * @module
 */

/**
 * Answers without numbers come in the order of the questions, so who asked is
 * all there is to tell the client's answers from ours.
 */
export class AwaitedPongs {
  #asked: ("client" | "ours")[] = [];

  /** The client has asked. */
  client(): void {
    this.#asked.push("client");
  }

  /** A ping of ours went out. */
  ours(): void {
    this.#asked.push("ours");
  }

  /** Whether the next answer is to a ping of ours. */
  get isOurs(): boolean {
    return this.#asked[0] === "ours";
  }

  /** The next answer has come. */
  answered(): void {
    this.#asked.shift();
  }
}

/** What is followed is bytes, also where a client hands over text. */
export function bytesOf(message: Uint8Array | string): Uint8Array {
  return typeof message === "string" ? encoder.encode(message) : message;
}

const encoder = new TextEncoder();
