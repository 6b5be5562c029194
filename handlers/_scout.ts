/**
 * A second, throw-away channel for trials.
 *
 * @module
 */

import type {
  Channel,
  ChannelHandler,
  ChannelHandlerContext,
  LinkDownEvent,
  Timer,
} from "../pipeline/mod.ts";
import { Beat, type BeatLimits, type BeatOwner } from "./_beat.ts";
import { Heartbeat } from "./heartbeat/heartbeat.ts";
import { idleStateOf } from "./_idle_state.ts";
import type { IdleStateEvent, IdleStateHandler } from "./idle_state_handler.ts";
import { sendHeartbeat } from "./_send_heartbeat.ts";

/** How a scout's trial ended. `died`: its link is gone, and why is for others to find out. */
export interface ScoutReport {
  readonly idleMs: number;
  readonly outcome: "passed" | "late" | "void" | "died";
  readonly reason: string;
}

/** Who sent the scout. */
export interface ScoutOwner {
  /** The next number for a heartbeat on the main link. */
  takeSequence(): number;
  /** The hold's answer is overdue: time to see whether the network is up at all. */
  scoutMissed(): void;
  /** The trial is over. Only after `passed` is the scout still there. */
  scoutReports(report: ScoutReport): void;
}

type State =
  | { readonly kind: "asking"; readonly sequence: number; readonly timer: Timer }
  | { readonly kind: "connecting"; readonly channel: Channel }
  | { readonly kind: "resting"; readonly channel: Channel; readonly context: ChannelHandlerContext }
  | {
    readonly kind: "holding";
    readonly channel: Channel;
    readonly context: ChannelHandlerContext;
    readonly sequence: number;
    readonly startMs: number;
  }
  | { readonly kind: "gone" };

/** A pong that comes so much before its time did not wait for the silence. */
const EARLY_MS = 100;

/**
 * Asks for a ticket over the main link, opens a second link to the same
 * remote with nothing on it but framing and heartbeats, and runs one hold
 * after the other on it, until one fails. The main link stays out of it.
 */
export class Scout implements BeatOwner {
  readonly #owner: ScoutOwner;
  readonly #main: ChannelHandlerContext;
  readonly #limits: BeatLimits;
  readonly #handlers: () => ChannelHandler[];
  readonly #beat: Beat;
  #state: State = { kind: "gone" };
  #idleState: IdleStateHandler | undefined = undefined;
  #downReason = "";
  #idleMs = 0;
  /** The number under which the peer keeps a place for this scout; undefined: it keeps none. */
  #place: number | undefined = undefined;

  constructor(
    owner: ScoutOwner,
    main: ChannelHandlerContext,
    limits: BeatLimits,
    handlers: () => ChannelHandler[],
  ) {
    this.#owner = owner;
    this.#main = main;
    this.#limits = limits;
    this.#handlers = handlers;
    this.#beat = new Beat(this, limits);
  }

  /** Begins with the first trial. */
  start(idleMs: number): void {
    this.#idleMs = idleMs;
    const sequence = this.#owner.takeSequence();
    const timer = this.#main.loop.schedule(
      this.#limits.maxMs,
      () => this.#end("void", "no ticket for a scout came"),
    );
    this.#state = { kind: "asking", sequence, timer };
    this.#place = sequence;
    sendHeartbeat(this.#main, new Heartbeat("scout", { sequence }));
  }

  /** Goes on with another trial on the same link. */
  continue(idleMs: number): void {
    if (this.#state.kind !== "resting") return;
    this.#idleMs = idleMs;
    this.#hold(this.#state.context, this.#state.channel);
  }

  /**
   * Takes what the peer says on the main link about a ticket.
   *
   * @returns Whether it was meant for this scout.
   */
  takeTicket(heartbeat: Heartbeat): boolean {
    const state = this.#state;
    if (state.kind !== "asking" || heartbeat.sequence !== state.sequence) return false;
    if (heartbeat.kind === "void") {
      this.#place = undefined;
      this.#end("void", `the peer takes no scout (${heartbeat.reason})`);
    } else {
      this.#connect(state.timer, heartbeat);
    }
    return true;
  }

  /** Calls it back; nothing is reported. */
  recall(): void {
    const state = this.#state;
    this.#state = { kind: "gone" };
    this.#beat.stop();
    if (state.kind === "asking") state.timer.cancel();
    if ("channel" in state) state.channel.close().onSettled(ignore);
    this.#leavePlace();
  }

  get lastReadMs(): number {
    return this.#idleState?.lastReadMs ?? 0;
  }

  // Nothing but heartbeats goes out on a scout's link.
  get pendingBytes(): number {
    return 0;
  }

  get flushedBytes(): number {
    return 0;
  }

  sendHeartbeat(sequence: number): void {
    if ("context" in this.#state) sendHeartbeat(this.#state.context, new Heartbeat("ping", { sequence }));
  }

  beatAnswered(): void {
    // The peer lives, and its answer to the hold has not come before this one.
    this.#end("void", "the peer answers, but not the hold");
  }

  beatMissed(): void {}

  beatDied(unanswered: number): void {
    this.#died(`${unanswered} heartbeats unanswered`);
  }

  /**
   * Says over the main link that this scout is gone. A network that has
   * forgotten the scout's link lets no farewell through on it, and the peer
   * would count it for as long as its hold and its TCP last.
   */
  #leavePlace(): void {
    if (this.#place === undefined) return;
    const sequence = this.#place;
    this.#place = undefined;
    if (this.#main.channel.isActive) sendHeartbeat(this.#main, Heartbeat.void(sequence, "givenUp"));
  }

  #connect(timer: Timer, ticket: Heartbeat): void {
    timer.cancel();
    const { channel: main } = this.#main;
    const channel = main.sibling((pipeline) =>
      pipeline.addLast(...this.#handlers(), this.#handlerFor(ticket))
    );
    this.#state = { kind: "connecting", channel };
    channel.connect(main.remote!).onSettled((error) => {
      if (error !== undefined) this.#end("void", "the scout could not connect");
    });
  }

  #handlerFor(ticket: Heartbeat): ChannelHandler {
    return {
      channelActive: (context) => {
        this.#idleState = idleStateOf(context);
        sendHeartbeat(
          context,
          new Heartbeat("scout", { timeMs: ticket.timeMs, acknowledgement: ticket.acknowledgement }),
        );
        this.#hold(context, context.channel);
      },
      channelInactive: () => this.#cut(),
      channelRead: (_context, message) => {
        if (message instanceof Heartbeat) this.#read(message);
      },
      userEventTriggered: (context, event) => {
        const known = event as IdleStateEvent | LinkDownEvent;
        if (known.type === "linkDown") this.#downReason = known.reason;
        if (known.type === "idle" && this.#state.kind === "holding" && !this.#beat.isWaiting) {
          this.#owner.scoutMissed();
          this.#beat.start(context.loop);
        }
      },
      // Whatever fails on a scout's link is a reason to give the scout up, and no error of the application.
      exceptionCaught: () => this.#end("void", "the scout's link failed"),
    };
  }

  #hold(context: ChannelHandlerContext, channel: Channel): void {
    const sequence = this.#beat.takeSequence();
    this.#state = { kind: "holding", channel, context, sequence, startMs: context.loop.now() };
    sendHeartbeat(context, new Heartbeat("hold", { timeMs: this.#idleMs, sequence }));
    this.#idleState!.setIdleTimes({
      allIdleMs: this.#idleMs + this.#beat.roundTrip.timeoutMs(0, this.#limits),
    });
  }

  #read(heartbeat: Heartbeat): void {
    const state = this.#state;
    if (state.kind !== "holding") return;
    const { loop } = state.context;
    if (heartbeat.sequence !== state.sequence) {
      if (heartbeat.kind === "pong") this.#beat.answered(loop, heartbeat.sequence);
    } else if (heartbeat.kind === "void") {
      this.#end("void", `the peer gave the hold up (${heartbeat.reason})`);
    } else if (heartbeat.kind === "pong") {
      if (loop.lastLateMs > state.startMs) this.#end("void", "the timer was late");
      else if (this.#beat.isWaiting) this.#end("late", "answered only after a ping");
      else if (this.#idleState!.idleForMs < this.#idleMs - EARLY_MS) this.#end("void", "answered too early");
      else this.#passed(state.channel, state.context);
    }
  }

  #passed(channel: Channel, context: ChannelHandlerContext): void {
    this.#state = { kind: "resting", channel, context };
    this.#idleState!.setIdleTimes({});
    this.#owner.scoutReports({ idleMs: this.#idleMs, outcome: "passed", reason: "the hold was answered" });
  }

  /** The link was cut: by the network after so much silence, or for another reason. */
  #cut(): void {
    if (this.#state.kind !== "holding") {
      return this.#end("void", `the scout's link was lost (${this.#downReason})`);
    }
    const silentMs = Math.min(this.#idleMs, Math.floor(this.#idleState!.idleForMs));
    if (this.#beat.isWaiting) this.#died(`lost (${this.#downReason}) when asked after the silence`);
    else this.#died(`cut (${this.#downReason}) after ${silentMs} ms of silence`, silentMs);
  }

  /** Who overslept has let the link be silent for longer than it tells. */
  #died(reason: string, idleMs?: number): void {
    const state = this.#state;
    if (state.kind === "holding" && state.context.loop.lastLateMs > state.startMs) {
      this.#end("void", `${reason}, but the timer was late`);
    } else this.#end("died", reason, idleMs);
  }

  #end(outcome: ScoutReport["outcome"], reason: string, idleMs = this.#idleMs): void {
    if (this.#state.kind === "gone") return;
    this.recall();
    this.#owner.scoutReports({ idleMs, outcome, reason });
  }
}

function ignore(): void {}
