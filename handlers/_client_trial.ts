/**
 * Trials with a peer that serves no holds.
 *
 * @module
 */

import type { Channel, ChannelHandler, ChannelHandlerContext, LinkDownEvent } from "../pipeline/mod.ts";
import { Beat, type BeatLimits, type BeatOwner } from "./_beat.ts";
import { Heartbeat, MAX_HEARTBEAT_TIME_MS } from "./heartbeat/heartbeat.ts";
import { idleStateOf } from "./_idle_state.ts";
import type { IdleStateEvent, IdleStateHandler } from "./idle_state_handler.ts";
import type { TrialRunner } from "./_probe_trial.ts";
import type { ScoutOwner, ScoutReport } from "./_scout.ts";
import { sendHeartbeat } from "./_send_heartbeat.ts";

/**
 * - `connecting`, `greeting`: the link is not proven yet.
 * - `silent`: under test.
 * - `asking`: the silence is over, and the ping after it is not answered yet.
 * - `resting`: passed; the next trial may follow.
 */
type State =
  | { readonly kind: "connecting"; readonly channel: Channel }
  | {
    readonly kind: "greeting" | "silent" | "asking" | "resting";
    readonly channel: Channel;
    readonly context: ChannelHandlerContext;
    readonly startMs: number;
  }
  | { readonly kind: "gone" };

/**
 * Opens a link of its own to the same remote, which to the peer is a link like
 * any other, lets it be silent and pings. The answer proves that the client's
 * packets get through after such a silence, and nothing about pushes.
 */
export class ClientTrial implements TrialRunner, BeatOwner {
  readonly #owner: ScoutOwner;
  readonly #main: ChannelHandlerContext;
  readonly #carriesFields: boolean;
  readonly #handlers: () => ChannelHandler[];
  readonly #beat: Beat;
  #state: State = { kind: "gone" };
  #idleState: IdleStateHandler | undefined = undefined;
  #downReason = "";
  #idleMs = 0;

  constructor(
    owner: ScoutOwner,
    main: ChannelHandlerContext,
    limits: BeatLimits,
    handlers: () => ChannelHandler[],
    carriesFields: boolean,
  ) {
    this.#owner = owner;
    this.#main = main;
    this.#handlers = handlers;
    this.#carriesFields = carriesFields;
    this.#beat = new Beat(this, limits);
  }

  start(idleMs: number): void {
    this.#idleMs = idleMs;
    const { channel: main } = this.#main;
    const channel = main.sibling((pipeline) => pipeline.addLast(...this.#handlers(), this.#handler()));
    this.#state = { kind: "connecting", channel };
    channel.connect(main.remote!).onSettled((error) => {
      if (error !== undefined) this.#end("void", "a second link could not connect");
    });
  }

  continue(idleMs: number): void {
    if (this.#state.kind !== "resting") return;
    this.#idleMs = idleMs;
    // The last ping announced a silence that may be too short for this one.
    this.#state = { ...this.#state, kind: "greeting" };
    this.#beat.start(this.#state.context.loop);
  }

  takeTicket(): boolean {
    return false;
  }

  recall(): void {
    const state = this.#state;
    this.#state = { kind: "gone" };
    this.#beat.stop();
    if ("channel" in state) state.channel.close().onSettled(ignore);
  }

  // --- what the beat tells ---

  get lastReadMs(): number {
    return this.#idleState?.lastReadMs ?? 0;
  }

  // Nothing but heartbeats goes out here.
  get pendingBytes(): number {
    return 0;
  }

  get flushedBytes(): number {
    return 0;
  }

  sendHeartbeat(sequence: number): void {
    if (!("context" in this.#state)) return;
    // Announces the silence that follows, or the peer could take it for death.
    const timeMs = Math.min(2 * this.#idleMs, MAX_HEARTBEAT_TIME_MS);
    sendHeartbeat(this.#state.context, new Heartbeat("ping", { timeMs, sequence }));
  }

  beatAnswered(): void {
    const state = this.#state;
    if (state.kind === "greeting") this.#beSilent(state.channel, state.context);
    else if (state.kind === "asking") this.#answered(state.channel, state.context, state.startMs);
  }

  beatMissed(unanswered: number): void {
    if (unanswered === 1 && this.#state.kind === "asking") this.#owner.scoutMissed();
  }

  beatDied(unanswered: number): void {
    const reason = `${unanswered} heartbeats unanswered`;
    if (this.#state.kind === "asking") this.#end("died", reason);
    else this.#end("void", `${reason} on a new link`);
  }

  #handler(): ChannelHandler {
    return {
      channelActive: (context) => {
        this.#idleState = idleStateOf(context);
        this.#state = { kind: "greeting", channel: context.channel, context, startMs: context.loop.now() };
        this.#beat.start(context.loop);
      },
      channelInactive: () => this.#cut(),
      // What the peer's application says on a link like any other is not of interest here.
      channelRead: ({ loop }, message) => {
        if (!(message instanceof Heartbeat) || message.kind !== "pong") return;
        this.#beat.answered(loop, this.#carriesFields ? message.sequence : undefined);
      },
      userEventTriggered: (context, event) => {
        const known = event as IdleStateEvent | LinkDownEvent;
        if (known.type === "linkDown") this.#downReason = known.reason;
        if (known.type === "idle" && this.#state.kind === "silent") {
          this.#state = { ...this.#state, kind: "asking" };
          this.#beat.start(context.loop);
        }
      },
      exceptionCaught: () => this.#end("void", "the second link failed"),
    };
  }

  #beSilent(channel: Channel, context: ChannelHandlerContext): void {
    this.#state = { kind: "silent", channel, context, startMs: context.loop.now() };
    this.#idleState!.setIdleTimes({ allIdleMs: this.#idleMs });
  }

  #answered(channel: Channel, context: ChannelHandlerContext, startMs: number): void {
    if (context.loop.lastLateMs > startMs) return this.#end("void", "the timer was late");
    this.#state = { kind: "resting", channel, context, startMs };
    this.#idleState!.setIdleTimes({});
    this.#owner.scoutReports({ idleMs: this.#idleMs, outcome: "passed", reason: "the ping was answered" });
  }

  #cut(): void {
    const lost = this.#downReason;
    if (this.#state.kind === "asking") {
      return this.#end("died", `lost (${lost}) when asked after the silence`);
    }
    if (this.#state.kind !== "silent") return this.#end("void", `the second link was lost (${lost})`);
    const silentMs = Math.min(this.#idleMs, Math.floor(this.#idleState!.idleForMs));
    this.#end("died", `cut (${lost}) after ${silentMs} ms of silence`, silentMs);
  }

  #end(outcome: ScoutReport["outcome"], reason: string, idleMs = this.#idleMs): void {
    if (this.#state.kind === "gone") return;
    this.recall();
    this.#owner.scoutReports({ idleMs, outcome, reason });
  }
}

function ignore(): void {}
