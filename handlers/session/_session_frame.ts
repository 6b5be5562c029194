/**
 * The frames of a session, to and from bytes. docs/protocol.md is their
 * specification.
 *
 * @module
 */

import { DecodeError } from "../errors.ts";

/** The byte that every session frame begins with: MessagePack promises never to use it. */
export const SESSION_MARK = 0xc1;
/** The version of the session protocol. */
export const SESSION_VERSION = 1;

/** Why a server refuses a session. `unknown`: it has none of that id and token. */
export type RefusalReason = "unknown" | "stale" | "overloaded" | "version";

/** What two ends of a session say to each other. Numbers of messages begin with 1. */
export type SessionFrame =
  /** Client: a new session, please. */
  | { readonly kind: "open"; readonly version: number }
  /** Client: go on with this one. `link` grows with each; `received`: its last message that the client is done with. */
  | {
    readonly kind: "resume";
    readonly version: number;
    readonly id: string;
    readonly token: string;
    readonly link: number;
    readonly received: number;
  }
  /** Server: here it is, and is kept so long without a link. */
  | { readonly kind: "opened"; readonly id: string; readonly token: string; readonly retentionMs: number }
  /** Server: it goes on. */
  | { readonly kind: "resumed"; readonly received: number }
  /** Server: no. In `stale` the number is that of the last link, in `overloaded` how long to stay away, ms. */
  | { readonly kind: "refused"; readonly reason: RefusalReason; readonly number: number }
  /** Both: a message; `received` acknowledges, as in all that follow. */
  | {
    readonly kind: "message";
    readonly sequence: number;
    readonly received: number;
    readonly payload: Uint8Array;
  }
  | { readonly kind: "acknowledgement"; readonly received: number }
  /** Both: no more messages from here; the session is over once all of them are acknowledged. */
  | { readonly kind: "end"; readonly received: number };

/** A client's wish to go on. */
export type ResumeFrame = SessionFrame & { readonly kind: "resume" };

const CODES = {
  open: 1,
  resume: 2,
  opened: 3,
  resumed: 4,
  refused: 5,
  message: 6,
  acknowledgement: 7,
  end: 8,
} as const;

const REASONS: readonly RefusalReason[] = ["unknown", "stale", "overloaded", "version"];
const ID_BYTES = 16;
const TOKEN_BYTES = 32;
const HEADER_BYTES = 2;
/** A number of up to 53 bits in groups of 7. */
const MAX_NUMBER_BYTES = 8;
/** The most that a message's frame has in front of its payload. */
export const MAX_MESSAGE_HEADER_BYTES = HEADER_BYTES + 2 * MAX_NUMBER_BYTES;

/** Whether a message is a session frame; an authentication frame (second byte 0) is none. */
export function isSessionFrame(message: unknown): message is Uint8Array {
  return message instanceof Uint8Array && message.length >= HEADER_BYTES && message[0] === SESSION_MARK &&
    message[1] !== 0;
}

/** Makes the bytes of a frame. */
export function encodeSessionFrame(frame: SessionFrame): Uint8Array {
  const code = CODES[frame.kind];
  switch (frame.kind) {
    case "open":
      return concat(code, [frame.version]);
    case "resume":
      return concat(
        code,
        [frame.version, frame.link, frame.received],
        fromHex(frame.id),
        fromHex(frame.token),
      );
    case "opened":
      return concat(code, [frame.retentionMs], fromHex(frame.id), fromHex(frame.token));
    case "resumed":
    case "acknowledgement":
    case "end":
      return concat(code, [frame.received]);
    case "refused":
      return concat(code, [REASONS.indexOf(frame.reason) + 1, frame.number]);
    case "message":
      return concat(code, [frame.sequence, frame.received], frame.payload);
  }
}

/**
 * Reads a frame.
 *
 * @param bytes What {@linkcode isSessionFrame} says yes to.
 * @returns undefined if it is of a kind of a later version: to be ignored.
 * @throws {DecodeError} If it is malformed.
 */
export function decodeSessionFrame(bytes: Uint8Array): SessionFrame | undefined {
  const reader = new Reader(bytes);
  switch (bytes[1]) {
    case CODES.open:
      // What a later version adds to its open is not looked at: the answer says which version is spoken.
      return { kind: "open", version: reader.number() };
    case CODES.resume: {
      const [version, link, received] = [reader.number(), reader.number(), reader.number()];
      const [id, token] = [reader.hex(ID_BYTES), reader.hex(TOKEN_BYTES)];
      return { kind: "resume", version, link, received, id, token };
    }
    case CODES.opened: {
      const retentionMs = reader.number();
      return reader.ended({
        kind: "opened",
        retentionMs,
        id: reader.hex(ID_BYTES),
        token: reader.hex(TOKEN_BYTES),
      });
    }
    case CODES.resumed:
      return reader.ended({ kind: "resumed", received: reader.number() });
    case CODES.refused: {
      const reason = REASONS[reader.number() - 1] ?? "unknown";
      return reader.ended({ kind: "refused", reason, number: reader.number() });
    }
    case CODES.message: {
      const [sequence, received] = [reader.number(), reader.number()];
      if (sequence === 0) throw malformed("its sequence is 0, and they begin with 1");
      return { kind: "message", sequence, received, payload: reader.rest() };
    }
    case CODES.acknowledgement:
      return reader.ended({ kind: "acknowledgement", received: reader.number() });
    case CODES.end:
      return reader.ended({ kind: "end", received: reader.number() });
    default:
      return undefined;
  }
}

/** 16 random bytes as 32 hexadecimal digits. */
export function newSessionId(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(ID_BYTES)));
}

/** 32 random bytes as 64 hexadecimal digits. */
export function newSessionToken(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)));
}

/** Compares in a time that does not tell where two tokens differ. */
export function isSameToken(one: string, other: string): boolean {
  let difference = one.length ^ other.length;
  for (let i = 0; i < one.length; i++) difference |= one.charCodeAt(i) ^ other.charCodeAt(i);
  return difference === 0;
}

class Reader {
  #at = HEADER_BYTES;

  constructor(readonly bytes: Uint8Array) {}

  /** An unsigned LEB128 number of at most 53 bits. */
  number(): number {
    const { bytes } = this;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < MAX_NUMBER_BYTES; i++, scale *= 128) {
      const byte = bytes[this.#at++];
      if (byte === undefined) throw malformed("it ends in the middle of a number");
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (Number.isSafeInteger(value)) return value;
        break;
      }
    }
    throw malformed("a number of it has more than 53 bits");
  }

  hex(length: number): string {
    const part = this.bytes.subarray(this.#at, this.#at += length);
    if (part.length < length) throw malformed(`it has ${part.length} of ${length} bytes of an id or token`);
    return toHex(part);
  }

  rest(): Uint8Array {
    return this.bytes.subarray(this.#at);
  }

  ended(frame: SessionFrame): SessionFrame {
    const left = this.bytes.length - this.#at;
    if (left > 0) throw malformed(`${left} bytes follow after its end`);
    return frame;
  }
}

/** What is wrong with a frame that comes when it makes no sense. */
export function notDue(frame: SessionFrame): DecodeError {
  return new DecodeError("session frame", `"${frame.kind}" is not due`);
}

function malformed(detail: string): DecodeError {
  return new DecodeError("session frame", detail);
}

function concat(code: number, numbers: readonly number[], ...parts: Uint8Array[]): Uint8Array {
  let length = HEADER_BYTES;
  for (const number of numbers) length += numberBytes(number);
  for (const part of parts) length += part.length;
  const bytes = new Uint8Array(length);
  bytes[0] = SESSION_MARK;
  bytes[1] = code;
  let at = HEADER_BYTES;
  for (const number of numbers) {
    let rest = number;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80;
    bytes[at++] = rest;
  }
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function numberBytes(number: number): number {
  let count = 1;
  for (let rest = number; rest >= 0x80; rest = Math.floor(rest / 128)) count++;
  return count;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
