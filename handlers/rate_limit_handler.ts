/**
 * How much a peer may send in a second.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext, Timer } from "../pipeline/mod.ts";
import { endLink } from "./_go_away.ts";
import { LimitError } from "./limit_error.ts";

/**
 * Options of {@linkcode RateLimitHandler}.
 *
 * @example A peer that floods is sent away
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { EmbeddedChannel, LimitError, RateLimitHandler, type RateLimitOptions } from "@longlink/pipeline";
 *
 * const options: RateLimitOptions = { framesPerSecond: 1, burstFrames: 2, policy: "close" };
 * const channel = new EmbeddedChannel({ handlers: [new RateLimitHandler(options)] });
 * const frame = new Uint8Array(100);
 * channel.writeInbound(frame, frame);
 * assertThrows(() => channel.writeInbound(frame), LimitError, "burstFrames is 2");
 * assertEquals(channel.state, "closed");
 * ```
 */
export interface RateLimitOptions {
  /** How many frames a peer may send in a second in the long run, above 0; Infinity for no limit. Default: 1,000. */
  readonly framesPerSecond?: number;
  /** How many frames it may send at once after a rest, 1 or more. Default: 4 s worth of them. */
  readonly burstFrames?: number;
  /** How many bytes a peer may send in a second in the long run, above 0; Infinity for no limit. Default: 1,048,576. */
  readonly bytesPerSecond?: number;
  /**
   * How many bytes it may send at once after a rest, 1 or more. With the policy
   * `close` no less than the longest frame, or who sends one is always ended.
   * Default: 4 s worth of them.
   */
  readonly burstBytes?: number;
  /**
   * What becomes of a peer that sends more. `slow`: it is not read from until
   * it may go on, so that its own sending stops. `close`: it is told `tooFast`
   * and when to come back, and its link is ended. Default: `slow`.
   */
  readonly policy?: "slow" | "close";
}

/**
 * - `open`: within the limits, as far as anybody has looked.
 * - `spent`: over the limits; the next wish for data has to wait.
 * - `waiting`: data is wanted, and is asked for when the timer runs.
 * - `ended`: told to go; nothing that still comes in counts.
 */
type State =
  | { readonly kind: "open" | "spent" | "ended" }
  | { readonly kind: "waiting"; readonly timer: Timer };

const OPEN: State = { kind: "open" };
const SPENT: State = { kind: "spent" };
const ENDED: State = { kind: "ended" };
/** A heartbeat as the usual format makes it. */
const HEARTBEAT_BYTES = 10;

/**
 * Limits the frames and bytes that a peer sends in a second: one token bucket
 * for each. Within the limits a frame costs two subtractions and no look at
 * the clock: a bucket is filled up when it is empty, with what the time since
 * then has brought. A peer that rested may so send up to two bursts at once,
 * and in no time `t` more than two bursts and what the rate allows in `t`.
 *
 * With the policy `slow` nothing is read while a bucket is in debt: real
 * backpressure, down to the socket, by which the peer's own writing stops. It
 * applies from the next read on, so the batch that is being read still passes.
 * A peer that goes so far beyond that its pings wait for many seconds will
 * find the link dead, and so it is not to be feared for others.
 *
 * It has its place after the `HeartbeatDecoder` (it counts whole frames,
 * heartbeats among them; of what is not whole the frame decoder keeps at most
 * one frame) and after the `HeartbeatEncoder`, which makes bytes of its last
 * word. A new link starts with full buckets.
 *
 * @example A peer that is slowed down
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, RateLimitHandler } from "@longlink/pipeline";
 *
 * const limit = new RateLimitHandler({ framesPerSecond: 10, burstFrames: 2 });
 * const channel = new EmbeddedChannel({ handlers: [limit], autoRead: false });
 * channel.writeInbound(new Uint8Array(1), new Uint8Array(1), new Uint8Array(1));
 * channel.read();
 * assertEquals(limit.pauses, 1); // the socket is asked for more after 0.1 s
 * ```
 */
export class RateLimitHandler implements ChannelHandler {
  /** Whether it is in a pipeline now; kept by the pipeline. */
  isAdded = false;
  /** How often reading waited. */
  pauses = 0;
  /** How many links were ended. */
  ended = 0;
  readonly #settings: Settings;
  #state: State = OPEN;
  /** What the peer may still send; below 0: what it has sent too much. */
  #frames = 0;
  #bytes = 0;
  /** When the buckets were last filled up, in the loop's time, ms. */
  #filledMs = 0;

  /**
   * Makes a handler with full buckets.
   *
   * @param options The limits.
   * @throws {RangeError} If a number is out of range, or there is no such policy.
   */
  constructor(options?: RateLimitOptions) {
    this.#settings = options === undefined ? DEFAULTS : settingsOf(options);
  }

  /** Starts where a link stands. */
  handlerAdded(context: ChannelHandlerContext): void {
    this.#start(context);
  }

  /** Holds nothing up any more. */
  handlerRemoved(context: ChannelHandlerContext): void {
    const wasWaiting = this.#state.kind === "waiting";
    this.#stop();
    if (wasWaiting) context.read();
  }

  /** Starts with full buckets. */
  channelActive(context: ChannelHandlerContext): void {
    this.#start(context);
    context.fireChannelActive();
  }

  /** Ends with the link. */
  channelInactive(context: ChannelHandlerContext): void {
    this.#stop();
    context.fireChannelInactive();
  }

  /** Counts a frame. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    this.#frames--;
    this.#bytes -= message instanceof Uint8Array || typeof message === "string"
      ? message.length
      : HEARTBEAT_BYTES;
    if ((this.#frames < 0 || this.#bytes < 0) && this.#state !== SPENT && !this.#mayGoOn(context)) return;
    context.fireChannelRead(message);
  }

  /** Lets a wish for data wait while the peer is in debt. */
  read(context: ChannelHandlerContext): void {
    if (this.#state.kind === "waiting") return;
    const waitMs = this.#state === SPENT ? this.#fill(context) : 0;
    if (waitMs === 0) {
      if (this.#state === SPENT) this.#state = OPEN;
      return context.read();
    }
    this.pauses++;
    const timer = context.loop.schedule(waitMs, () => {
      this.#fill(context);
      this.#state = OPEN;
      context.read();
    });
    this.#state = { kind: "waiting", timer };
  }

  /** A bucket seems to be empty. @returns Whether the frame may pass. */
  #mayGoOn(context: ChannelHandlerContext): boolean {
    if (this.#state === ENDED) return false;
    const waitMs = this.#fill(context);
    if (waitMs === 0 || this.#state.kind === "waiting") return true;
    if (this.#settings.policy === "slow") {
      this.#state = SPENT;
      return true;
    }
    const { burstFrames, burstBytes } = this.#settings;
    this.ended++;
    this.#state = ENDED;
    const error = this.#frames < 0
      ? new LimitError("burstFrames", burstFrames - this.#frames, burstFrames)
      : new LimitError("burstBytes", burstBytes - this.#bytes, burstBytes);
    context.fireExceptionCaught(error);
    // A handler may have ended the link over the error.
    if (this.#state === ENDED && context.channel.isActive) {
      endLink(context, "tooFast", error, this.#untilFullMs());
    }
    return false;
  }

  /** How long until both buckets are full: a new link begins with full ones, and must bring nothing. */
  #untilFullMs(): number {
    const { framesPerMs, burstFrames, bytesPerMs, burstBytes } = this.#settings;
    const framesMs = burstFrames === Infinity ? 0 : (burstFrames - this.#frames) / framesPerMs;
    const bytesMs = burstBytes === Infinity ? 0 : (burstBytes - this.#bytes) / bytesPerMs;
    return Math.max(framesMs, bytesMs);
  }

  /** Fills the buckets up. @returns How long until no bucket is in debt, ms. */
  #fill({ loop }: ChannelHandlerContext): number {
    const { framesPerMs, burstFrames, bytesPerMs, burstBytes } = this.#settings;
    const nowMs = loop.now();
    const passedMs = nowMs - this.#filledMs;
    this.#filledMs = nowMs;
    // Without a limit nothing is ever owed; 0 ms of an infinite rate would be no number.
    this.#frames = framesPerMs === Infinity
      ? burstFrames
      : Math.min(burstFrames, this.#frames + passedMs * framesPerMs);
    this.#bytes = bytesPerMs === Infinity
      ? burstBytes
      : Math.min(burstBytes, this.#bytes + passedMs * bytesPerMs);
    return Math.max(0, -this.#frames / framesPerMs, -this.#bytes / bytesPerMs);
  }

  #start({ loop }: ChannelHandlerContext): void {
    this.#stop();
    this.#frames = this.#settings.burstFrames;
    this.#bytes = this.#settings.burstBytes;
    this.#filledMs = loop.now();
  }

  #stop(): void {
    if (this.#state.kind === "waiting") this.#state.timer.cancel();
    this.#state = OPEN;
  }
}

interface Settings {
  readonly framesPerMs: number;
  readonly burstFrames: number;
  readonly bytesPerMs: number;
  readonly burstBytes: number;
  readonly policy: "slow" | "close";
}

const BURST_S = 4;
const DEFAULTS = settingsOf({});

function settingsOf(options: RateLimitOptions): Settings {
  const { framesPerSecond = 1_000, bytesPerSecond = 1_048_576, policy = "slow" } = options;
  checkRate("framesPerSecond", framesPerSecond);
  checkRate("bytesPerSecond", bytesPerSecond);
  const {
    burstFrames = Math.max(1, BURST_S * framesPerSecond),
    burstBytes = Math.max(1, BURST_S * bytesPerSecond),
  } = options;
  checkBurst("burstFrames", burstFrames);
  checkBurst("burstBytes", burstBytes);
  if (policy !== "slow" && policy !== "close") {
    throw new RangeError(`Cannot make the handler: policy must be slow or close, got ${policy}`);
  }
  return {
    framesPerMs: framesPerSecond / 1_000,
    burstFrames,
    bytesPerMs: bytesPerSecond / 1_000,
    burstBytes,
    policy,
  };
}

function checkRate(name: string, value: number): void {
  if (value > 0) return;
  throw new RangeError(`Cannot make the handler: ${name} must be above 0, got ${value}`);
}

function checkBurst(name: string, value: number): void {
  if (value >= 1) return;
  throw new RangeError(`Cannot make the handler: ${name} must be 1 or more, got ${value}`);
}
