/**
 * What two ends say to each other to keep a link alive.
 *
 * @module
 */

/**
 * What a heartbeat is for.
 *
 * - `ping`: answer me at once. Its time announces how long the sender may be
 *   silent from now on, so that the peer knows when silence means death.
 * - `pong`: the answer to a ping, or to a hold once it is over.
 * - `hold`: answer me once the link has been silent for this time.
 * - `void`: a hold is refused or given up, for a {@linkcode VoidReason}.
 * - `hello`: sent before the first answer on a link by a peer that can do more than ping and pong.
 * - `scout`: asks for, grants and shows the ticket of a second link on which only trials run.
 * - `goAway`: the server is about to end this link, for a {@linkcode GoAwayReason}; its time says how long
 *   the client is to stay away.
 * - `advice`: the server has seen links of the client's network survive a silence of this time.
 * - `unknown`: a kind of a later version. To be counted and ignored.
 *
 * @example Which formats can ask for an answer after a silence
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type HeartbeatFormat, type HeartbeatKind, messagePackFormat, natsFormat } from "@longlink/pipeline";
 *
 * const has = (format: HeartbeatFormat, kind: HeartbeatKind) => format.kinds.includes(kind);
 * assertEquals([has(natsFormat(), "ping"), has(natsFormat(), "hold")], [true, false]);
 * assertEquals([has(messagePackFormat(), "ping"), has(messagePackFormat(), "hold")], [true, true]);
 * ```
 */
export type HeartbeatKind =
  | "ping"
  | "pong"
  | "hold"
  | "void"
  | "hello"
  | "scout"
  | "goAway"
  | "advice"
  | "unknown";

/**
 * Why a server ends a link.
 *
 * - `shutdown`: it stops, or restarts.
 * - `overloaded`: it has no room for one more client just now.
 * - `tooManyConnections`: there are too many from this client's address.
 * - `tooFast`: the client sent more in a second than it may.
 * - `unauthenticated`: the client has not proven who it is, or not in time.
 * - `protocol`: the client said something that makes no sense.
 * - `unknown`: a reason of a later version.
 *
 * @example Words for the user
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type GoAwayReason, Heartbeat, messagePackFormat } from "@longlink/pipeline";
 *
 * const words: Partial<Record<GoAwayReason, string>> = { shutdown: "Restarting", overloaded: "Too busy" };
 * const format = messagePackFormat();
 * const arrived = format.decode(format.encode(Heartbeat.goAway("overloaded", 60_000)));
 * assertEquals(words[arrived?.goAwayReason ?? "unknown"], "Too busy");
 * ```
 */
export type GoAwayReason =
  | "shutdown"
  | "overloaded"
  | "tooManyConnections"
  | "tooFast"
  | "unauthenticated"
  | "protocol"
  | "unknown";

/**
 * Why a peer gives no answer to a hold.
 *
 * - `tooLong`: longer than the longest hold that the peer serves.
 * - `busy`: another hold is outstanding on this link.
 * - `notServed`: the peer serves no holds.
 * - `givenUp`: it was accepted and cannot be kept, as when the peer shuts down.
 * - `unknown`: a reason of a later version.
 *
 * @example Why a server does not wait so long
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, Heartbeat, HeartbeatResponder, IdleStateHandler, type VoidReason } from "@longlink/pipeline";
 *
 * const responder = new HeartbeatResponder({ longestHoldMs: 600_000 });
 * const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler(), responder] });
 * channel.writeInbound(new Heartbeat("hold", { timeMs: 3_600_000, sequence: 1 }));
 * const answer = channel.drainOutbound().at(-1) as Heartbeat;
 * const expected: VoidReason = "tooLong";
 * assertEquals([answer.kind, answer.reason], ["void", expected]);
 * await channel.close();
 * ```
 */
export type VoidReason = "tooLong" | "busy" | "notServed" | "givenUp" | "unknown";

/**
 * What a heartbeat carries besides its kind.
 *
 * @example Times are rounded up, never down
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Heartbeat, type HeartbeatFields } from "@longlink/pipeline";
 *
 * const fields: HeartbeatFields = { timeMs: 240_030, sequence: 7 };
 * const { timeMs, sequence, hasAcknowledgement } = new Heartbeat("hold", fields);
 * assertEquals([timeMs, sequence, hasAcknowledgement], [240_100, 7, false]);
 * ```
 */
export interface HeartbeatFields {
  /**
   * A time in ms, 0 to 13,107,100 (3 h 38 min). Rounded up to a whole tenth
   * of a second, which is what travels: a hold must not be shorter than asked
   * for, and a silence not longer than announced. Default: 0.
   */
  readonly timeMs?: number;
  /** Number of a ping or hold, 0 to 511, then from 0 again; the answer repeats it. Default: 0. */
  readonly sequence?: number;
  /** For sessions: the lower 16 bits of how many messages arrived, 0 to 65,535. Default: 0. */
  readonly acknowledgement?: number;
  /** Whether `acknowledgement` is one; on a link without a session it says nothing. Default: false. */
  readonly hasAcknowledgement?: boolean;
}

/**
 * What a hello says about its sender.
 *
 * @example What a server of one's own can do
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Heartbeat, type HelloFields, messagePackFormat, SESSIONS } from "@longlink/pipeline";
 *
 * const fields: HelloFields = { longestHoldMs: 3_600_000, abilities: SESSIONS };
 * const format = messagePackFormat();
 * const arrived = format.decode(format.encode(Heartbeat.hello(fields)));
 * assertEquals([arrived?.longestHoldMs, arrived?.abilities], [3_600_000, SESSIONS]);
 * ```
 */
export interface HelloFields {
  /** The longest hold that the sender serves, in ms, as for `timeMs`; 0 is none. Default: 0. */
  readonly longestHoldMs?: number;
  /** What the sender can do, 0 to 31: {@linkcode SCOUTS}, {@linkcode SESSIONS}; the other bits are a later version's. Default: 0. */
  readonly abilities?: number;
}

/**
 * Version of the heartbeat protocol that this library speaks.
 *
 * @example A peer of a later version
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Heartbeat, HEARTBEAT_VERSION } from "@longlink/pipeline";
 *
 * const isLater = ({ version = 0 }: Heartbeat) => version > HEARTBEAT_VERSION;
 * assertEquals(isLater(Heartbeat.hello()), false);
 * assertEquals(isLater(new Heartbeat("hello", { sequence: HEARTBEAT_VERSION + 1 })), true);
 * ```
 */
export const HEARTBEAT_VERSION = 1;
/**
 * The longest time that a heartbeat can carry, ms: 17 bits of tenths of a second.
 *
 * @example A day is more than a heartbeat can ask for
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { Heartbeat, MAX_HEARTBEAT_TIME_MS } from "@longlink/pipeline";
 *
 * const dayMs = 86_400_000;
 * assertThrows(() => new Heartbeat("hold", { timeMs: dayMs }), RangeError, "timeMs must be from 0 to 13107100");
 * const hold = new Heartbeat("hold", { timeMs: Math.min(dayMs, MAX_HEARTBEAT_TIME_MS) });
 * assertEquals(hold.timeMs, MAX_HEARTBEAT_TIME_MS);
 * ```
 */
export const MAX_HEARTBEAT_TIME_MS = 13_107_100;
/**
 * Ability bit of a hello: the sender takes scouts.
 *
 * @example Whether a peer takes second links
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Heartbeat, SCOUTS, SESSIONS } from "@longlink/pipeline";
 *
 * const takesScouts = ({ abilities = 0 }: Heartbeat) => (abilities & SCOUTS) !== 0;
 * assertEquals(takesScouts(Heartbeat.hello({ abilities: SCOUTS | SESSIONS })), true);
 * assertEquals(takesScouts(Heartbeat.hello({ abilities: SESSIONS })), false);
 * ```
 */
export const SCOUTS = 1;
/**
 * Ability bit of a hello: the sender keeps sessions.
 *
 * @example What a server without sessions says
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, Heartbeat, HeartbeatResponder, IdleStateHandler, SESSIONS } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler(), new HeartbeatResponder()] });
 * channel.writeInbound(new Heartbeat("ping"));
 * const hello = channel.readOutbound() as Heartbeat;
 * assertEquals([hello.kind, hello.abilities! & SESSIONS], ["hello", 0]);
 * await channel.close();
 * ```
 */
export const SESSIONS = 2;
/**
 * How many sequence numbers there are: 9 bits.
 *
 * @example The number after the last one
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { Heartbeat, HEARTBEAT_SEQUENCES } from "@longlink/pipeline";
 *
 * const next = ({ sequence }: Heartbeat) => new Heartbeat("ping", { sequence: (sequence + 1) % HEARTBEAT_SEQUENCES });
 * assertEquals(next(new Heartbeat("ping", { sequence: 511 })).sequence, 0);
 * assertThrows(() => new Heartbeat("ping", { sequence: HEARTBEAT_SEQUENCES }), RangeError);
 * ```
 */
export const HEARTBEAT_SEQUENCES = 512;

/** By their code on the wire, 0 to 7. */
const KINDS: readonly HeartbeatKind[] = [
  "ping",
  "pong",
  "hold",
  "void",
  "hello",
  "scout",
  "goAway",
  "advice",
];
/** By their number on the wire, from 1 on; 0 is no reason. */
const REASONS: readonly VoidReason[] = ["unknown", "tooLong", "busy", "notServed", "givenUp"];
/** By their number on the wire, from 1 on. */
const GO_AWAY_REASONS: readonly GoAwayReason[] = [
  "unknown",
  "shutdown",
  "overloaded",
  "tooManyConnections",
  "tooFast",
  "unauthenticated",
  "protocol",
];
const TENTH_MS = 100;
const NO_FIELDS: HeartbeatFields = {};

/**
 * One heartbeat. How it looks on the wire is its format's business.
 *
 * @example A ping, and its answer
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Heartbeat } from "@longlink/pipeline";
 *
 * const ping = new Heartbeat("ping", { timeMs: 240_000, sequence: 7 });
 * const pong = new Heartbeat("pong", { sequence: ping.sequence });
 * assertEquals(pong.kind, "pong");
 * assertEquals(pong.sequence, 7);
 * ```
 */
export class Heartbeat {
  /** What it is for. */
  readonly kind: HeartbeatKind;
  /** The kind's number on the wire, 0 to 15; 8 and above are `unknown`. */
  readonly code: number;
  /** A time in ms; what it means depends on the kind. In a void it stands for the {@linkcode reason}. */
  readonly timeMs: number;
  /** Its number, 0 to 511. In a hello: version and abilities. */
  readonly sequence: number;
  /** For sessions: the lower 16 bits of how many messages arrived, 0 to 65,535. */
  readonly acknowledgement: number;
  /** Whether the acknowledgement is one. */
  readonly hasAcknowledgement: boolean;

  /**
   * Makes a heartbeat.
   *
   * @param kind What it is for, or its number on the wire (0 to 15).
   * @param fields What it carries.
   * @throws {RangeError} If the kind or a field is out of range.
   */
  constructor(kind: Exclude<HeartbeatKind, "unknown"> | number, fields: HeartbeatFields = NO_FIELDS) {
    const { timeMs = 0, sequence = 0, acknowledgement = 0, hasAcknowledgement = false } = fields;
    const code = typeof kind === "number" ? kind : KINDS.indexOf(kind);
    if (code === -1 && typeof kind === "string") {
      throw new RangeError(
        `Cannot make the heartbeat: kind must be one of ${KINDS.join(", ")}, got "${kind}"`,
      );
    }
    checkWhole("code", code, 15);
    if (!(timeMs >= 0 && timeMs <= MAX_HEARTBEAT_TIME_MS)) {
      throw outOfRange("timeMs", timeMs, MAX_HEARTBEAT_TIME_MS);
    }
    checkWhole("sequence", sequence, HEARTBEAT_SEQUENCES - 1);
    checkWhole("acknowledgement", acknowledgement, 0xffff);
    this.kind = KINDS[code] ?? "unknown";
    this.code = code;
    this.timeMs = Math.ceil(timeMs / TENTH_MS) * TENTH_MS;
    this.sequence = sequence;
    this.acknowledgement = acknowledgement;
    this.hasAcknowledgement = hasAcknowledgement;
  }

  /**
   * Makes a hello of this version.
   *
   * @param fields What its sender can do.
   * @returns The hello.
   * @throws {RangeError} If a field is out of range.
   */
  static hello(fields: HelloFields = {}): Heartbeat {
    const { longestHoldMs: timeMs = 0, abilities = 0 } = fields;
    checkWhole("abilities", abilities, 31);
    return new Heartbeat("hello", { timeMs, sequence: abilities << 4 | HEARTBEAT_VERSION });
  }

  /**
   * Makes a void: the answer to a hold that gets no other.
   *
   * @param sequence The hold's number.
   * @param reason Why.
   * @returns The void.
   * @throws {RangeError} If a number is out of range.
   */
  static void(sequence: number, reason: Exclude<VoidReason, "unknown">): Heartbeat {
    // The reason travels in the place of the time.
    return new Heartbeat("void", { timeMs: REASONS.indexOf(reason) * TENTH_MS, sequence });
  }

  /**
   * Makes a go-away: what a server says before it ends a link.
   *
   * @param reason Why.
   * @param afterMs How long the client is to stay away, ms, as for `timeMs`.
   * @returns The go-away.
   * @throws {RangeError} If the time is out of range.
   */
  static goAway(reason: Exclude<GoAwayReason, "unknown">, afterMs = 0): Heartbeat {
    // The reason travels in the place of the sequence.
    return new Heartbeat("goAway", { timeMs: afterMs, sequence: GO_AWAY_REASONS.indexOf(reason) });
  }

  /** In a void: why. Otherwise undefined. */
  get reason(): VoidReason | undefined {
    return this.kind === "void" ? REASONS[this.timeMs / TENTH_MS] ?? "unknown" : undefined;
  }

  /** In a go-away: why. Otherwise undefined. */
  get goAwayReason(): GoAwayReason | undefined {
    return this.kind === "goAway" ? GO_AWAY_REASONS[this.sequence] ?? "unknown" : undefined;
  }

  /** In a hello: the sender's version of the protocol, 0 to 15. Otherwise undefined. */
  get version(): number | undefined {
    return this.kind === "hello" ? this.sequence & 0xf : undefined;
  }

  /** In a hello: the sender's abilities, 0 to 31. Otherwise undefined. */
  get abilities(): number | undefined {
    return this.kind === "hello" ? this.sequence >>> 4 : undefined;
  }

  /** In a hello: the longest hold that the sender serves, in ms; 0 is none. Otherwise undefined. */
  get longestHoldMs(): number | undefined {
    return this.kind === "hello" ? this.timeMs : undefined;
  }
}

function checkWhole(name: string, value: number, most: number): void {
  if (!(Number.isInteger(value) && value >= 0 && value <= most)) throw outOfRange(name, value, most);
}

function outOfRange(name: string, value: number, most: number): RangeError {
  return new RangeError(`Cannot make the heartbeat: ${name} must be from 0 to ${most}, got ${value}`);
}
