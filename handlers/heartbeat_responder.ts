/**
 * The server's half of heartbeats.
 *
 * @module
 */

import type {
  ChannelHandler,
  ChannelHandlerContext,
  DrainEvent,
  HalfCloseEvent,
  LinkDownEvent,
  LinkUpEvent,
  Timer,
} from "../pipeline/mod.ts";
import { checkedCount, checkedMs } from "./_checks.ts";
import { ConnectionLimitHandler } from "./connection_limit_handler.ts";
import { HeartbeatError } from "./errors.ts";
import { endLink, sayGoAway, turnAway } from "./_go_away.ts";
import {
  Heartbeat,
  MAX_HEARTBEAT_TIME_MS,
  SCOUTS,
  SESSIONS,
  type VoidReason,
} from "./heartbeat/heartbeat.ts";
import { idleStateOf } from "./_idle_state.ts";
import type { IdleStateEvent, IdleStateHandler } from "./idle_state_handler.ts";
import { LimitError } from "./limit_error.ts";
import { keepsSessions } from "./session/_acknowledgements.ts";
import { ScoutRegistry } from "./_scout_registry.ts";
import { sendHeartbeat } from "./_send_heartbeat.ts";
import { passHeartbeatOn, takesHeartbeats } from "./_stray_heartbeat.ts";

/**
 * Options of {@linkcode HeartbeatResponder}.
 *
 * @example A client is given up 5 s after it should have spoken
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, Heartbeat, HeartbeatResponder, IdleStateHandler } from "@longlink/pipeline";
 * import type { HeartbeatResponderOptions } from "@longlink/pipeline";
 *
 * const options: HeartbeatResponderOptions = { graceMs: 5_000, firstPingMs: 10_000, longestHoldMs: 3_600_000 };
 * const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler(), new HeartbeatResponder(options)] });
 * channel.writeInbound(new Heartbeat("ping", { timeMs: 60_000, sequence: 1 })); // "I speak again within a minute"
 * channel.advanceBy(64_999);
 * assertEquals(channel.state, "active");
 * channel.advanceBy(1);
 * assertEquals(channel.state, "closed");
 * ```
 */
export interface HeartbeatResponderOptions {
  /**
   * How much longer than announced a peer may be silent before its link is
   * dropped, in ms, 0 to 13,107,100. Covers a beat that comes late and its repeats.
   * Default: 15,000.
   */
  readonly graceMs?: number;
  /**
   * How long a peer may be silent before its first ping, in ms, 1 to
   * 13,107,100; Infinity waits for ever. Also how long its first whole frame may take,
   * even if bytes of it trickle in. Default: 60,000.
   */
  readonly firstPingMs?: number;
  /**
   * How long any later frame may take, from when a part of it came to when it
   * is whole, in ms, 1 to 13,107,100; Infinity waits for ever. The default lets the
   * longest frame through at 28 kbit/s. Default: 300,000.
   */
  readonly frameMs?: number;
  /** Whether to say hello first. Off for formats and peers that know none. Default: true. */
  readonly hello?: boolean;
  /** The longest hold to serve, in ms, at most 13,107,100; 0 serves none. Default: 7,500,000 (2 h 5 min). */
  readonly longestHoldMs?: number;
  /**
   * How many scouts a channel may have at once, 0 to 16: second links of the
   * same client on which nothing but trials runs. With 0 there are none, and
   * the application sees each link at once. Default: 1.
   */
  readonly maxScouts?: number;
  /**
   * While scouts are allowed: how long a new link may say nothing before the
   * application sees it as a link of its own, in ms, 1 to 13,107,100. A client of this
   * library speaks at once. Ten times as long while a ticket is out that the
   * link's host could show. Default: 1,000.
   */
  readonly firstWordMs?: number;
}

/**
 * What the link is.
 *
 * - `undecided`: nothing came yet; the application has not seen it.
 * - `main`: the application's. One that was only taken for that, since it said nothing for too long, may still turn
 *   out to be a scout whose first word was late.
 * - `scout`: a second link for trials; the application never sees it.
 * - `down`: there is none.
 */
type Role =
  | { readonly kind: "undecided"; timer: Timer; linkUp: LinkUpEvent | undefined }
  | { readonly kind: "main"; readonly hasSpoken: boolean }
  | { readonly kind: "scout" | "down" };

/** A link of a host that holds a ticket may be silent for so many times as long: its network is slow, or lost a packet. */
const LATE_WORD = 10;
const MAIN: Role = { kind: "main", hasSpoken: true };
const UNHEARD: Role = { kind: "main", hasSpoken: false };
const SCOUT: Role = { kind: "scout" };
const DOWN: Role = { kind: "down" };

/** What a hold's timer calls: one function for all links. Assigned by the class, which alone reaches it. */
let silenceMayBeOver: (context: ChannelHandlerContext) => void;

/** A hold that waits for its silence. */
interface Held {
  readonly sequence: number;
  readonly ms: number;
  timer: Timer;
}

/**
 * Answers pings; says hello before the first answer; serves holds, one at a
 * time (the answer comes once the link was silent for so long in both
 * directions, and traffic starts the silence anew); takes scouts; and drops
 * the link of a peer that was silent for longer than it announced, with the
 * reason `unanswered`. A peer that is not silent but never gets a frame done
 * (it sends a byte now and then to hold the link) is told `protocol` and its
 * link ended, which is a {@linkcode LimitError}.
 *
 * When the server drains, the client is told to go and when to come back, after
 * the handlers nearer to the tail have said their last words; a hold that is
 * served is given up, so that nobody takes its end for a network's doing.
 *
 * A scout is a second link of a client, opened with a ticket that was granted
 * over its main link. So that the application never sees one, a new link is
 * shown to the handlers after this one only when its first word has come, and
 * they are taken out of the pipeline of a scout.
 *
 * Needs an {@linkcode IdleStateHandler} nearer to the head, which tells it of
 * silence.
 *
 * @example Answering a ping
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, Heartbeat, HeartbeatResponder, IdleStateHandler } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({
 *   handlers: [new IdleStateHandler(), new HeartbeatResponder({ longestHoldMs: 0, maxScouts: 0 })],
 * });
 * channel.writeInbound(new Heartbeat("ping", { timeMs: 240_000, sequence: 7 }));
 * assertEquals(channel.drainOutbound(), [Heartbeat.hello(), new Heartbeat("pong", { sequence: 7 })]);
 * ```
 */
export class HeartbeatResponder implements ChannelHandler {
  /** Whether it is in a pipeline now; kept by the pipeline. */
  isAdded = false;
  /** How many pings were answered. */
  pings = 0;
  /** How many holds were answered. */
  holds = 0;
  /** How many holds and scouts were refused. */
  refused = 0;
  /** How many links were ended because a frame took too long. */
  slowFrames = 0;
  /** How many heartbeats came that nobody here had asked for. */
  strays = 0;
  readonly #settings: Settings;
  #role: Role = DOWN;
  #held: Held | undefined = undefined;
  #greeted = false;
  /** Whether the peer has said on this link how long it may be silent. */
  #hasAnnounced = false;
  /** Whether this batch of data has brought a whole frame. */
  #hasFrame = false;
  /** Whether a whole frame has come on this link. */
  #hasHadFrame = false;
  /** Since when a frame is on its way, in the loop's time, ms: the first one since the link stands; -1 if none is. */
  #frameSinceMs = -1;

  /**
   * Checks its limits.
   *
   * @param options Its limits.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(options?: HeartbeatResponderOptions) {
    this.#settings = settingsOf(options);
  }

  /**
   * Checks that it will be told of silence, and starts where a link stands.
   *
   * @throws {TypeError} If there is no IdleStateHandler.
   */
  handlerAdded(context: ChannelHandlerContext): void {
    const idleState = idleStateOf(context);
    if (!context.channel.isActive) return;
    // Added to a link that stands already: whoever added it has seen it.
    this.#role = MAIN;
    this.#start(context, idleState);
  }

  /** Lets go of everything. */
  handlerRemoved(context: ChannelHandlerContext): void {
    this.#stop(context);
  }

  /** Starts to wait for the first word. */
  channelActive(context: ChannelHandlerContext): void {
    const { firstWordMs, maxScouts } = this.#settings;
    this.#start(context, idleStateOf(context));
    if (maxScouts === 0 || context.channel.parent === undefined) {
      this.#role = MAIN;
      context.fireChannelActive();
    } else {
      const untilMs = context.loop.now() + LATE_WORD * firstWordMs;
      const timer = context.loop.schedule(firstWordMs, () => this.#firstWordIsLate(context, untilMs));
      this.#role = { kind: "undecided", timer, linkUp: undefined };
      // Who writes to all clients must not write to one that may be none.
      context.channel.withdraw();
    }
  }

  /** Ends with the link; the application is told only if it knew of it. */
  channelInactive(context: ChannelHandlerContext): void {
    const { kind } = this.#role;
    this.#stop(context);
    if (kind === "main") context.fireChannelInactive();
  }

  /** Answers heartbeats that ask for an answer. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    this.#hasFrame = true;
    const role = this.#role;
    if (role.kind === "undecided" || (role.kind === "main" && !role.hasSpoken)) {
      if (message instanceof Heartbeat && message.kind === "scout" && message.timeMs > 0) {
        return this.#becomeScout(context, message);
      }
      if (role.kind === "undecided") this.#becomeMain(context, MAIN);
      else this.#role = MAIN;
    }
    if (!(message instanceof Heartbeat)) {
      if (this.#role.kind !== "scout") context.fireChannelRead(message);
      return;
    }
    switch (message.kind) {
      case "ping":
        return this.#answerPing(context, message);
      case "hold":
        return this.#takeHold(context, message);
      case "scout":
        return this.#grantTicket(context, message);
      case "void":
        return this.#giveUp(context, message);
      default:
        if (!passHeartbeatOn(context, message)) this.strays++;
    }
  }

  /**
   * Looks after a frame that does not get done. A peer that sends a byte now
   * and then is never silent, so that no idle time would end it; its own bytes
   * bring us here, so that this needs no timer.
   */
  channelReadComplete(context: ChannelHandlerContext): void {
    if (this.#hasFrame) {
      this.#hasFrame = false;
      this.#hasHadFrame = true;
      this.#frameSinceMs = -1;
    } else if (this.#role.kind !== "down") {
      const nowMs = context.loop.now();
      if (this.#frameSinceMs === -1) this.#frameSinceMs = nowMs;
      else this.#checkFrame(context, nowMs - this.#frameSinceMs);
    }
    context.fireChannelReadComplete();
  }

  /** Drops a link whose peer was silent for too long, and says goodbye when the server drains. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const known = event as IdleStateEvent | LinkUpEvent | LinkDownEvent | DrainEvent | HalfCloseEvent;
    if (known?.type === "idle" && known.state === "reader") {
      context.channel.drop("unanswered");
    } else if (known?.type === "halfClose") {
      return; // on half a link nobody can ask, or be answered
    } else if (known?.type === "drain") {
      this.#drain(context, known);
    } else if (known?.type === "linkUp" && this.#role.kind === "undecided") {
      this.#role.linkUp = known;
    } else if (known?.type !== "linkDown" || this.#role.kind === "main") {
      context.fireUserEventTriggered(event);
    }
  }

  #start({ loop }: ChannelHandlerContext, idleState: IdleStateHandler): void {
    const { firstPingMs } = this.#settings;
    this.#greeted = false;
    this.#hasAnnounced = false;
    this.#hasFrame = false;
    this.#hasHadFrame = false;
    this.#frameSinceMs = loop.now();
    idleState.setIdleTimes({ readerIdleMs: firstPingMs });
  }

  #checkFrame(context: ChannelHandlerContext, passedMs: number): void {
    const { firstPingMs, frameMs } = this.#settings;
    const limit = this.#hasHadFrame ? "frameMs" : "firstPingMs";
    const mostMs = this.#hasHadFrame ? frameMs : firstPingMs || Infinity;
    if (passedMs < mostMs) return;
    this.slowFrames++;
    // Once: a link in use goes on reading until the last word has left.
    this.#frameSinceMs = Infinity;
    const role = this.#role;
    if (role.kind === "undecided") {
      role.timer.cancel();
      // The application hears no more of a link that it has not seen.
      this.#role = DOWN;
    }
    const error = new LimitError(limit, passedMs, mostMs);
    context.fireExceptionCaught(error);
    // A handler may have ended the link over the error.
    if (!context.channel.isActive) return;
    if (role.kind === "main") endLink(context, "protocol", error);
    else turnAway(context, "protocol");
  }

  /** The server is about to close. */
  #drain(context: ChannelHandlerContext, event: DrainEvent): void {
    const { kind } = this.#role;
    // A farewell of the application's goes first: after ours a client need not listen any more.
    if (kind === "main" || kind === "down") context.fireUserEventTriggered(event);
    if (!context.channel.isActive || context.isRemoved) return;
    const held = this.#held;
    if (held !== undefined) {
      this.#held = undefined;
      held.timer.cancel();
      this.#answer(context, Heartbeat.void(held.sequence, "givenUp"));
    }
    if (kind !== "scout") event.waitUntil(sayGoAway(context, "shutdown", event.comeBackMs));
  }

  #firstWordIsLate(context: ChannelHandlerContext, untilMs: number): void {
    const { channel, loop } = context;
    // One that is being closed by now is not worth showing.
    if (this.#role.kind !== "undecided" || !channel.isActive) return;
    if (loop.now() >= untilMs || !ScoutRegistry.of(channel.parent!).expects(channel)) {
      this.#becomeMain(context, UNHEARD);
    } else {
      const again = () => this.#firstWordIsLate(context, untilMs);
      this.#role.timer = loop.schedule(this.#settings.firstWordMs, again);
    }
  }

  #becomeMain(context: ChannelHandlerContext, as: typeof MAIN): void {
    const role = this.#role;
    if (role.kind !== "undecided") return;
    role.timer.cancel();
    this.#role = as;
    context.channel.present();
    context.fireChannelActive();
    if (role.linkUp !== undefined && this.#role === as) context.fireUserEventTriggered(role.linkUp);
  }

  #becomeScout(context: ChannelHandlerContext, ticket: Heartbeat): void {
    const { channel, pipeline } = context;
    const role = this.#role;
    if (role.kind === "undecided") role.timer.cancel();
    // Whoever has seen a link has to hear of its end.
    if (role.kind === "undecided") this.#role = SCOUT;
    if (!ScoutRegistry.of(channel.parent!).redeem(ticket, channel)) {
      const error = new HeartbeatError("scout", ticket.sequence);
      context.channel.drop("protocol", error);
      return;
    }
    channel.withdraw();
    // Another limit holds for scouts: as many as a main link may have.
    pipeline.get(ConnectionLimitHandler)?.release(channel);
    if (role.kind === "main") {
      // Its first word was late, as on a slow network: the application has seen it, and would go on to write to it.
      this.#role = SCOUT;
      context.fireUserEventTriggered({ type: "linkDown", reason: "closed" } satisfies LinkDownEvent);
      context.fireChannelInactive();
      if (!channel.isActive || context.isRemoved) return;
    }
    // A scout's silence is what it is for: it is limited by the longest hold, not by what clients announce.
    idleStateOf(context).setIdleTimes({
      readerIdleMs: this.#settings.longestHoldMs + this.#settings.graceMs,
    });
    let behind = false;
    for (const other of [...pipeline.iterate()]) {
      if (behind) pipeline.remove(other.handler);
      if (other === context) behind = true;
    }
  }

  #grantTicket(context: ChannelHandlerContext, request: Heartbeat): void {
    const { channel } = context;
    const { maxScouts } = this.#settings;
    if (maxScouts === 0 || this.#role.kind === "scout" || channel.parent === undefined) {
      return this.#refuse(context, request.sequence, "notServed");
    }
    const registry = ScoutRegistry.of(channel.parent);
    if (registry.count(channel) >= maxScouts) return this.#refuse(context, request.sequence, "busy");
    const ticket = registry.grant(channel, request.sequence);
    this.#answer(context, new Heartbeat("scout", { ...ticket, sequence: request.sequence }));
  }

  /** A client's void: it gives up the hold, or the scout, that it asked for under this number. */
  #giveUp({ channel }: ChannelHandlerContext, { sequence }: Heartbeat): void {
    if (this.#held?.sequence === sequence) {
      this.#held.timer.cancel();
      this.#held = undefined;
    } else if (this.#role.kind === "main" && channel.parent !== undefined) {
      ScoutRegistry.of(channel.parent).giveUp(channel, sequence);
    }
  }

  #answerPing(context: ChannelHandlerContext, ping: Heartbeat): void {
    this.pings++;
    if (ping.timeMs > 0) this.#expectWord(context, ping.timeMs);
    // Nothing says how long this peer may be silent (its format may carry no
    // time): the limit for the first ping would drop one that beats less often.
    else if (!this.#hasAnnounced && this.#role.kind === "main") idleStateOf(context).setIdleTimes({});
    this.#answer(context, new Heartbeat("pong", { sequence: ping.sequence }));
  }

  #takeHold(context: ChannelHandlerContext, { sequence, timeMs }: Heartbeat): void {
    const { longestHoldMs } = this.#settings;
    const refusal: Refusal | undefined = longestHoldMs === 0
      ? "notServed"
      : timeMs > longestHoldMs
      ? "tooLong"
      : this.#held !== undefined
      ? "busy"
      : undefined;
    if (refusal !== undefined) return this.#refuse(context, sequence, refusal);
    // Traffic of ours puts the answer off, and with it the peer's next word: a
    // peer that is only talked to still says something within twice its time.
    this.#expectWord(context, 2 * timeMs);
    this.#held = {
      sequence,
      ms: timeMs,
      timer: context.loop.schedule(timeMs, silenceMayBeOver, context),
    };
  }

  #silenceMayBeOver(context: ChannelHandlerContext): void {
    const held = this.#held;
    if (held === undefined) return;
    const leftMs = held.ms - idleStateOf(context).idleForMs;
    if (leftMs > 0) {
      held.timer = context.loop.schedule(leftMs, silenceMayBeOver, context);
      return;
    }
    this.#held = undefined;
    this.holds++;
    this.#answer(context, new Heartbeat("pong", { sequence: held.sequence }));
  }

  #expectWord(context: ChannelHandlerContext, withinMs: number): void {
    this.#hasAnnounced = true;
    idleStateOf(context).setIdleTimes({ readerIdleMs: withinMs + this.#settings.graceMs });
  }

  #refuse(context: ChannelHandlerContext, sequence: number, reason: Refusal): void {
    this.refused++;
    this.#answer(context, Heartbeat.void(sequence, reason));
  }

  #answer(context: ChannelHandlerContext, answer: Heartbeat): void {
    const { hello, longestHoldMs, maxScouts } = this.#settings;
    if (hello && !this.#greeted && this.#role.kind !== "scout") {
      this.#greeted = true;
      const abilities = (maxScouts > 0 && context.channel.parent !== undefined ? SCOUTS : 0) |
        (keepsSessions(context.pipeline) ? SESSIONS : 0);
      sendHeartbeat(context, Heartbeat.hello({ longestHoldMs, abilities }));
    }
    sendHeartbeat(context, answer);
  }

  #stop(context: ChannelHandlerContext): void {
    if (this.#role.kind === "undecided") this.#role.timer.cancel();
    this.#held?.timer.cancel();
    this.#held = undefined;
    const { parent } = context.channel;
    if (parent !== undefined && this.#settings.maxScouts > 0) {
      if (this.#role.kind === "scout") ScoutRegistry.of(parent).leave(context.channel);
      else if (this.#role.kind === "main") ScoutRegistry.of(parent).dismiss(context.channel);
    }
    this.#role = DOWN;
  }

  static {
    silenceMayBeOver = (context) => (context.handler as HeartbeatResponder).#silenceMayBeOver(context);
  }
}

takesHeartbeats(HeartbeatResponder);

type Refusal = Exclude<VoidReason, "unknown">;
type Settings = Required<HeartbeatResponderOptions>;

const DEFAULTS = checked({});

/** All links whose options name none of ours share the defaults. */
function settingsOf(options: HeartbeatResponderOptions | undefined): Settings {
  const names = Object.keys(DEFAULTS) as (keyof Settings)[];
  return options !== undefined && names.some((name) => options[name] !== undefined)
    ? checked(options)
    : DEFAULTS;
}

function checked(options: HeartbeatResponderOptions): Settings {
  const action = "make the handler";
  const {
    graceMs = 15_000,
    firstPingMs = 60_000,
    frameMs = 300_000,
    hello = true,
    longestHoldMs = 7_500_000,
    maxScouts = 1,
    firstWordMs = 1_000,
  } = options;
  return {
    graceMs: checkedMs(action, "graceMs", graceMs, 0, MAX_HEARTBEAT_TIME_MS),
    // 0 tells the IdleStateHandler to wait for ever.
    firstPingMs: firstPingMs === Infinity
      ? 0
      : checkedMs(action, "firstPingMs", firstPingMs, 1, MAX_HEARTBEAT_TIME_MS),
    frameMs: frameMs === Infinity ? frameMs : checkedMs(action, "frameMs", frameMs, 1, MAX_HEARTBEAT_TIME_MS),
    hello,
    longestHoldMs: checkedMs(action, "longestHoldMs", longestHoldMs, 0, MAX_HEARTBEAT_TIME_MS),
    maxScouts: checkedCount(action, "maxScouts", maxScouts, 0, 16),
    firstWordMs: checkedMs(action, "firstWordMs", firstWordMs, 1, MAX_HEARTBEAT_TIME_MS),
  };
}
