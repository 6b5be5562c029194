/**
 * The errors of the handlers: few, for callers that want to tell them apart.
 * Wrong arguments get a built-in class (`TypeError`, `RangeError`). Compare
 * `error.name` where two copies of the package may meet.
 *
 * @module
 */

/**
 * What could not be decoded.
 *
 * @example Telling a peer of another protocol from a broken message
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { DecodeError, type DecodeSubject, EmbeddedChannel, MessagePackCodec, VarintFrameDecoder } from "@longlink/pipeline";
 *
 * const subjects: DecodeSubject[] = [];
 * const log = {
 *   exceptionCaught: (_context: unknown, error: unknown) => {
 *     if (error instanceof DecodeError) subjects.push(error.subject);
 *   },
 * };
 * const channel = new EmbeddedChannel({ handlers: [new VarintFrameDecoder(), new MessagePackCodec(), log] });
 * channel.writeInbound(new Uint8Array([1, 0xc1])); // a frame of one byte that is no MessagePack
 * assertEquals(subjects, ["message"]);
 * ```
 */
export type DecodeSubject = "frame" | "message" | "heartbeat" | "session frame";

/**
 * The peer sent bytes that mean nothing, or more of them than allowed. A
 * decoder passes it on as `exceptionCaught`, counts it, and drops the link
 * with the reason `protocol` where what follows cannot be trusted.
 *
 * @example The subject is a field
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { DecodeError } from "@longlink/pipeline";
 *
 * const error = new DecodeError("frame", "its length 2000000 is above maxFrameBytes 1048576");
 * assertEquals(error.subject, "frame");
 * assertEquals(error.message, "Cannot decode the frame: its length 2000000 is above maxFrameBytes 1048576");
 * ```
 */
export class DecodeError extends Error {
  /** What could not be decoded. */
  readonly subject: DecodeSubject;

  /**
   * Makes the error.
   *
   * @param subject What could not be decoded.
   * @param detail Why, with the value and the limit.
   * @param options Standard error options; `cause` is an error below it.
   */
  constructor(subject: DecodeSubject, detail: string, options?: ErrorOptions) {
    super(`Cannot decode the ${subject}: ${detail}`, options);
    this.name = "DecodeError";
    this.subject = subject;
  }
}

/**
 * A heartbeat was well-formed and made no sense here: an answer that nobody
 * asked for. It is counted and does no harm, so the link stays.
 *
 * @example The number is a field
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { HeartbeatError } from "@longlink/pipeline";
 *
 * const error = new HeartbeatError("pong", 77);
 * assertEquals(error.sequence, 77);
 * assertEquals(error.message, "Cannot accept the pong: no heartbeat with sequence 77 was sent");
 * ```
 */
export class HeartbeatError extends Error {
  /** The heartbeat's number. */
  readonly sequence: number;

  /**
   * Makes the error.
   *
   * @param kind The heartbeat's kind.
   * @param sequence The heartbeat's number.
   * @param options Standard error options.
   */
  constructor(kind: string, sequence: number, options?: ErrorOptions) {
    const detail = kind === "ping" || kind === "hold"
      ? "no handler here answers heartbeats"
      : `no heartbeat with sequence ${sequence} was sent`;
    super(`Cannot accept the ${kind}: ${detail}`, options);
    this.name = "HeartbeatError";
    this.sequence = sequence;
  }
}

/**
 * No heartbeat can be put into what the client above sends: it encrypts within
 * the stream, or speaks another protocol. Nothing of its stream was touched, and
 * nothing will be: the link goes on without heartbeats.
 *
 * @example The protocol is a field
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { FollowError } from "@longlink/pipeline";
 *
 * const error = new FollowError("mqtt", "it begins with 0x30, which is no CONNECT");
 * assertEquals(error.protocol, "mqtt");
 * assertEquals(error.message, "Cannot follow the mqtt client: it begins with 0x30, which is no CONNECT");
 * ```
 */
export class FollowError extends Error {
  /** The protocol that the client was to speak. */
  readonly protocol: string;

  /**
   * Makes the error.
   *
   * @param protocol The protocol that the client was to speak.
   * @param detail Why it cannot be followed, and what to do instead.
   * @param options Standard error options.
   */
  constructor(protocol: string, detail: string, options?: ErrorOptions) {
    super(`Cannot follow the ${protocol} client: ${detail}`, options);
    this.name = "FollowError";
    this.protocol = protocol;
  }
}

/**
 * A message could not wait for a link: the outbound queue is full.
 *
 * @example The limit is a field
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { QueueFullError } from "@longlink/pipeline";
 *
 * const error = new QueueFullError("messages", 1001, 1000);
 * assertEquals(error.message, "Cannot queue the message: 1001 messages would exceed the limit of 1000");
 * ```
 */
export class QueueFullError extends Error {
  /** What there would be too much of. */
  readonly unit: "messages" | "bytes";
  /** How much there would be. */
  readonly size: number;
  /** How much there may be. */
  readonly limit: number;

  /**
   * Makes the error.
   *
   * @param unit What there would be too much of.
   * @param size How much there would be.
   * @param limit How much there may be.
   */
  constructor(unit: "messages" | "bytes", size: number, limit: number) {
    super(`Cannot queue the message: ${size} ${unit} would exceed the limit of ${limit}`);
    this.name = "QueueFullError";
    this.unit = unit;
    this.size = size;
    this.limit = limit;
  }
}

/**
 * A session is held by somebody else now: another process, or another page,
 * has claimed it since. What was to be kept was not kept.
 *
 * @example The key is a field
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { SessionTakenError } from "@longlink/pipeline";
 *
 * const error = new SessionTakenError("phone");
 * assertEquals(error.message, 'Cannot keep the session "phone": somebody else has claimed it, or it is gone');
 * ```
 */
export class SessionTakenError extends Error {
  /** The session's key in its store. */
  readonly key: string;

  /**
   * Makes the error.
   *
   * @param key The session's key in its store.
   * @param options Standard error options.
   */
  constructor(key: string, options?: ErrorOptions) {
    super(`Cannot keep the session "${key}": somebody else has claimed it, or it is gone`, options);
    this.name = "SessionTakenError";
    this.key = key;
  }
}

/**
 * A session could not be had, or is gone.
 *
 * @example What a write fails with that was never confirmed
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { SessionError } from "@longlink/pipeline";
 *
 * const error = new SessionError("confirm the message", "expired");
 * assertEquals(error.message, "Cannot confirm the message: the session is gone (expired)");
 * ```
 */
export class SessionError extends Error {
  /** Why, in one word. */
  readonly reason: string;

  /**
   * Makes the error.
   *
   * @param action What was attempted, as a verb with its object.
   * @param reason Why it failed, in one word.
   * @param options Standard error options; `cause` is an error below it.
   */
  constructor(action: string, reason: string, options?: ErrorOptions) {
    super(`Cannot ${action}: the session is gone (${reason})`, options);
    this.name = "SessionError";
    this.reason = reason;
  }
}
