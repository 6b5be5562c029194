/**
 * Decides when to beat, notices when nobody answers, and runs the trials.
 *
 * @module
 */

import type { ChannelHandlerContext, LinkDownReason, Timer } from "../pipeline/mod.ts";
import type { Outcome } from "./adaptive/interval_strategy.ts";
import type { AdaptiveSettings } from "./_adaptive_settings.ts";
import type { AdaptiveIntervalSnapshot, Phase } from "./adaptive_interval_handler.ts";
import { Beat, type BeatOwner } from "./_beat.ts";
import { HeartbeatError } from "./errors.ts";
import { type AttributionOwner, FailureAttribution } from "./_failure_attribution.ts";
import { Heartbeat, MAX_HEARTBEAT_TIME_MS, SCOUTS } from "./heartbeat/heartbeat.ts";
import type { IdleStateHandler, IdleTimes } from "./idle_state_handler.ts";
import type {
  BeatEvent,
  CoverageEvent,
  GoAwayEvent,
  IntervalEvent,
  LinkValidEvent,
  TrialEvent,
  VerdictEvent,
} from "./keep_alive_event.ts";
import { type KnowledgeOwner, NetworkKnowledge } from "./_network_knowledge.ts";
import { Scouting, type ScoutingOwner } from "./_scouting.ts";
import { sendHeartbeat } from "./_send_heartbeat.ts";
import type { IntervalStore } from "./stores/interval_store.ts";
import { type Sleeper, unwatchWake, watchWake } from "./_wake_watch.ts";

/** What the peer can do, as far as this link has shown. */
interface Peer {
  /** The longest hold that it serves, ms; 0: none, or not known yet. */
  readonly longestHoldMs: number;
  readonly takesScouts: boolean;
}

/** A hold on the main link whose answer is awaited. */
interface Hold {
  readonly ms: number;
  readonly sequence: number;
  readonly startMs: number;
  /** Whether it is a trial of a new idle time rather than a regular beat. */
  readonly isTrial: boolean;
  /** Whether the link was silent for all of it, and the peer has been asked for the answer. */
  isOverdue: boolean;
}

/** A silence ended by a client-timed beat. */
interface Silence {
  readonly idleMs: number;
  readonly startMs: number;
  /** Whether neither side said anything for all of it; otherwise it proves nothing. */
  readonly isFull: boolean;
}

const NO_PEER: Peer = { longestHoldMs: 0, takesScouts: false };
const TENTH_MS = 100;
/** Answers that come so much before their time are wrong; traffic that was on its way explains less. */
const EARLY_MS = 1_000;
/** After so many strange answers to holds the peer is taken to serve none. */
const MAX_STRANGE = 2;
/** More than this may be on its way for seconds, bytes. */
const LARGE_BYTES = 64 * 1024;
/** The first and longest wait after a void trial, in shortest waits for an answer. */
const RETRY_FIRST = 15;
const RETRY_LAST = 600;

/** The mind of an AdaptiveIntervalHandler, for one channel. */
export class IntervalController
  implements BeatOwner, ScoutingOwner, KnowledgeOwner, AttributionOwner, Sleeper {
  readonly #settings: AdaptiveSettings;
  readonly #context: ChannelHandlerContext;
  readonly #idleState: IdleStateHandler;
  readonly #knowledge: NetworkKnowledge;
  readonly #beat: Beat;
  /** Where the format has no numbers, any pong answers whatever is asked. */
  readonly #carriesFields: boolean;
  #phase: Phase = "down";
  #intervalMs: number;
  #appState: "foreground" | "background";
  #warmUpLeft = 0;
  #isValid = false;
  #peer: Peer = NO_PEER;
  #hold: Hold | undefined = undefined;
  #silence: Silence | undefined = undefined;
  /** There once a link was lost, the network changed, or an answer was late. */
  #attributionIfAny: FailureAttribution | undefined = undefined;
  /** There once the peer has said that it takes scouts. */
  #scouting: Scouting | undefined = undefined;
  #retryTimer: Timer | undefined = undefined;
  #voidTrials = 0;
  #strangeHolds = 0;
  /** Whether what is known of this network was proven by holds; what a ping of this side shows is less than that. */
  #isHeld = false;
  #toldCoverage: "push" | "client" | undefined = undefined;
  /** How long the peer was told that this side may be silent, ms; 0 before the first heartbeat of a link. */
  #announcedMs = 0;
  /** How much had left for the operating system when the peer last answered, bytes. */
  #answeredBytes = 0;
  #heartbeats = 0;
  #missed = 0;
  #strayPongs = 0;

  constructor(
    settings: AdaptiveSettings,
    store: IntervalStore | undefined,
    context: ChannelHandlerContext,
    idleState: IdleStateHandler,
    carriesFields: boolean,
  ) {
    this.#settings = settings;
    this.#context = context;
    this.#idleState = idleState;
    this.#carriesFields = carriesFields;
    this.#knowledge = new NetworkKnowledge(this, settings.strategy, store);
    this.#beat = new Beat(this, settings);
    this.#intervalMs = this.#knowledge.search.intervalMs;
    this.#appState = settings.appState;
  }

  snapshot(): AdaptiveIntervalSnapshot {
    const { search, direction, network } = this.#knowledge;
    return {
      strategy: this.#settings.strategy.name,
      network,
      phase: this.#phase,
      intervalMs: this.#intervalMs,
      bracket: search.bracket,
      isSettled: search.isSettled,
      direction,
      isValid: this.#isValid,
      roundTripMs: this.roundTripMs,
      isScouting: this.#scouting?.isOut ?? false,
      heartbeats: this.#heartbeats,
      missed: this.#missed,
      strayPongs: this.#strayPongs,
    };
  }

  // --- what the pipeline tells ---

  linkUp(): void {
    this.#isValid = false;
    this.#announcedMs = 0;
    this.#peer = NO_PEER;
    this.#strangeHolds = 0;
    this.#warmUpLeft = this.#settings.warmUpBeats;
    this.#useNetwork(this.#settings.network(this.#context.channel));
    this.#phase = "warmUp";
    watchWake(this.#context.loop, this);
    this.#update("link up");
    this.#beatUnlessDown();
  }

  /** A link is being tried. */
  connecting(): void {
    this.#attributionIfAny?.connecting();
  }

  linkDown(reason: LinkDownReason): void {
    this.#attributionIfAny?.linkLost();
    if (this.#phase === "down") return;
    this.#suspectCut(reason);
    this.stop();
  }

  /** Lets go of everything that belongs to the link. */
  stop(): void {
    this.#phase = "down";
    this.#hold = undefined;
    this.#silence = undefined;
    unwatchWake(this.#context.loop, this);
    this.#beat.stop();
    this.#scouting?.recall();
    this.#retryTimer?.cancel();
    this.#retryTimer = undefined;
    this.#idleState.setIdleTimes({});
  }

  /** @returns Whether the heartbeat was meant for this handler. */
  heartbeatRead(heartbeat: Heartbeat): boolean {
    this.messageRead();
    switch (heartbeat.kind) {
      case "pong":
        this.#pongRead(heartbeat);
        return true;
      case "hello":
        this.#helloRead(heartbeat);
        return true;
      case "void":
        if (!this.#scouting?.takeTicket(heartbeat)) this.#voidRead(heartbeat);
        else if (heartbeat.reason === "notServed") {
          // Its hello said otherwise; trials go on here then.
          this.#peer = { ...this.#peer, takesScouts: false };
          this.#update("scouts refused");
        }
        return true;
      case "goAway":
        this.#fire(
          {
            type: "goAway",
            reason: heartbeat.goAwayReason!,
            afterMs: heartbeat.timeMs,
          } satisfies GoAwayEvent,
        );
        return true;
      case "advice":
        // A stranger's word may cost a scout, never a link in use.
        if (!this.#trialsOnMain) {
          this.#knowledge.search.advise?.(Math.min(heartbeat.timeMs, this.#peer.longestHoldMs));
        }
        return true;
      case "scout":
        // A ticket may come after its scout was called back.
        if (!this.#scouting?.takeTicket(heartbeat) && !this.#beat.hasAsked(heartbeat.sequence)) {
          this.#strayRead(heartbeat);
        }
        return true;
      default:
        return false;
    }
  }

  /** Something came in whole. */
  messageRead(): void {
    this.#beat.messageRead();
  }

  idle(): void {
    if (this.#phase === "down" || this.#beat.isWaiting) return;
    if (this.#hold !== undefined) this.#hold.isOverdue = this.#idleState.idleForMs >= this.#hold.ms;
    this.#silence = this.#silenceNow();
    this.#beat.start(this.#context.loop);
  }

  /** Somebody who waits for the peer wants to know whether it is still there. */
  ask(unanswered: number): void {
    if (this.#phase !== "down") this.#beat.start(this.#context.loop, unanswered);
  }

  woke(): void {
    if (this.#phase === "down") return;
    // A beat that came due meanwhile is this one.
    const silence = this.#beat.isWaiting ? undefined : this.#silenceNow();
    if (silence?.isFull) this.#silence = silence;
    this.#beat.hurry(this.#context.loop);
  }

  appStateChanged(state: "foreground" | "background"): void {
    this.#appState = state;
    if (state === "foreground") this.#recallScout("the application came to the foreground");
    this.#update(state);
    if (state === "foreground") this.#hurryUnlessSending();
  }

  networkChanged(network: string | undefined): void {
    this.#attribution.networkChanged();
    if (network !== undefined) this.#useNetwork(network);
    // Which network the next link takes is asked when it stands.
    if (this.#phase === "down") return;
    if (network === undefined) this.#useNetwork(this.#settings.network(this.#context.channel));
    this.#warmUpLeft = this.#settings.warmUpBeats;
    this.#silence = undefined;
    this.#recallScout("the network changed");
    this.#update("network changed");
    // Whether the link survived the change is not known before somebody answers.
    this.#hurryUnlessSending();
  }

  // --- what the beat tells ---

  get lastReadMs(): number {
    return this.#idleState.lastReadMs;
  }

  get pendingBytes(): number {
    return this.#context.channel.pendingBytes;
  }

  get flushedBytes(): number {
    return this.#context.channel.flushedBytes;
  }

  get isPaused(): boolean {
    return this.#context.channel.isPaused;
  }

  sendHeartbeat(sequence: number): void {
    this.#heartbeats++;
    // The peer may call us dead only if it hears nothing for longer than any
    // interval that can follow this ping, so announce more than the next one.
    const longestMs = 2 * Math.max(this.#intervalMs, this.#knowledge.search.intervalMs, this.#hold?.ms ?? 0);
    this.#announcedMs = Math.min(longestMs, MAX_HEARTBEAT_TIME_MS);
    this.#send(new Heartbeat("ping", { timeMs: this.#announcedMs, sequence }));
  }

  beatAnswered(roundTripMs: number, unanswered: number): void {
    this.#answeredBytes = this.flushedBytes;
    this.#proveValid(roundTripMs);
    this.#fire({ type: "beat", outcome: "answered", roundTripMs, unanswered: 0 } satisfies BeatEvent);
    // A network on which heartbeats get lost is not stable yet.
    if (this.#warmUpLeft > 0 && unanswered === 0) this.#warmUpLeft--;
    this.#scouting?.mainAnswered(unanswered === 0 ? "steady" : "unsteady");
    const silence = this.#silence;
    this.#silence = undefined;
    if (silence !== undefined) {
      if (silence.isFull) this.#judge(silence.idleMs, "passed", "answered");
      else this.#judge(silence.idleMs, "void", "there was traffic");
    }
    if (this.#hold?.isOverdue) {
      // The peer lives and has not answered the hold, although it was silent long enough.
      this.#strangeHold(this.#hold, "the peer answers, but not the hold");
    }
    this.#update("answered");
  }

  beatMissed(unanswered: number): void {
    this.#missed++;
    this.#fire({ type: "beat", outcome: "missed", unanswered } satisfies BeatEvent);
    this.#scouting?.mainAnswered("unsteady");
  }

  beatUnread(): void {
    this.#silence = undefined;
    this.#scouting?.mainAnswered("unsteady");
    const hold = this.#hold;
    if (hold !== undefined) {
      this.#giveUpHold();
      this.#judge(hold.ms, "void", "nobody reads");
    }
    this.#update("nobody reads");
  }

  beatDied(unanswered: number): void {
    const reason = `${unanswered} heartbeats unanswered`;
    const silence = this.#silence;
    const hold = this.#hold;
    this.#silence = undefined;
    this.#hold = undefined;
    if (hold?.isOverdue) {
      this.#attribution.suspect(hold.ms, hold.startMs, reason);
    } else if (hold !== undefined) {
      // Something else than this hold made it ask: the link died of no silence of that length.
      this.#judge(hold.ms, "void", `${reason}, before the hold was over`);
    } else if (silence !== undefined && !silence.isFull) {
      this.#judge(silence.idleMs, "void", `${reason}, after traffic`);
    } else if (silence !== undefined) {
      this.#attribution.suspect(silence.idleMs, silence.startMs, reason);
    }
    this.#context.channel.drop("unanswered");
  }

  // --- what the attribution of failures tells and asks ---

  get roundTripMs(): number | undefined {
    return this.#beat.roundTrip.roundTripMs;
  }

  get wantsProof(): boolean {
    return this.#ownTrials;
  }

  silenceJudged(idleMs: number, outcome: Outcome, reason: string): void {
    this.#judge(idleMs, outcome, reason);
  }

  // --- what scouting tells ---

  nextScoutTrialMs(): number | undefined {
    return this.#settings.strategy.trials === "scout" && this.#peer.takesScouts ? this.#trialMs() : undefined;
  }

  takeSequence(): number {
    return this.#beat.takeSequence();
  }

  get answerMs(): number {
    return this.#beat.roundTrip.timeoutMs(0, this.#settings);
  }

  askMain(): void {
    this.#beat.start(this.#context.loop);
  }

  trialJudged(idleMs: number, outcome: Outcome, reason: string): void {
    if (outcome !== "void") this.#voidTrials = 0;
    if (outcome === "passed") this.#isHeld = true;
    // A scout that was cut early has tried as much as one that was not: it has to wait too.
    this.#judge(idleMs, outcome, reason, true);
  }

  trialOver(reason: string): void {
    this.#update(reason);
  }

  // --- what the knowledge of the network tells ---

  knowledgeLoaded(): void {
    this.#isHeld = this.#isStoredHeld;
    this.#update("stored");
  }

  storeFailed(error: unknown): void {
    this.#context.fireExceptionCaught(error);
  }

  // --- heartbeats ---

  #pongRead(pong: Heartbeat): void {
    const hold = this.#hold;
    if (hold !== undefined && pong.sequence === hold.sequence && this.#carriesFields) {
      this.#holdAnswered(hold);
      return;
    }
    const kind = this.#beat.answered(this.#context.loop, this.#carriesFields ? pong.sequence : undefined);
    if (kind === "stray") this.#strayRead(pong);
  }

  #helloRead({ timeMs, abilities }: Heartbeat): void {
    const takesScouts = (abilities! & SCOUTS) !== 0 && this.#settings.scoutHandlers !== undefined;
    this.#peer = { longestHoldMs: timeMs, takesScouts };
    if (takesScouts) this.#scouting ??= new Scouting(this, this.#context, this.#settings);
  }

  #strayRead(heartbeat: Heartbeat): void {
    this.#strayPongs++;
    this.#context.fireExceptionCaught(new HeartbeatError(heartbeat.kind, heartbeat.sequence));
  }

  #holdAnswered(hold: Hold): void {
    const { loop } = this.#context;
    this.#hold = undefined;
    this.#answeredBytes = this.flushedBytes;
    this.#proveValid(undefined);
    this.#fire({ type: "beat", outcome: "answered", unanswered: 0 } satisfies BeatEvent);
    const silentMs = this.#idleState.idleForMs;
    // Traffic that crossed the answer shifts a regular beat a little; a trial must be exact.
    const tooEarly = silentMs < hold.ms - (hold.isTrial ? 100 : EARLY_MS);
    // Who overslept has asked late or early, and says nothing about the peer.
    if (loop.lastLateMs > hold.startMs) {
      this.#judge(hold.ms, "void", "the timer was late");
    } else if (this.#beat.isWaiting) {
      this.#attribution.heldLate(hold.ms);
    } else if (tooEarly) {
      this.#strangeHold(hold, "answered too early");
    } else {
      this.#strangeHolds = 0;
      this.#attributionIfAny?.held(hold.ms);
      this.#isHeld = true;
      // Where the answer is known from before, there are no short beats that would count.
      if (this.#warmUpLeft > 0) this.#warmUpLeft--;
      this.#judge(hold.ms, "passed", "the hold was answered");
    }
    this.#update("answered");
  }

  #voidRead({ sequence, reason }: Heartbeat): void {
    const hold = this.#hold;
    if (hold?.sequence !== sequence) return;
    this.#hold = undefined;
    if (reason === "notServed") this.#peer = { ...this.#peer, longestHoldMs: 0 };
    if (reason === "tooLong") this.#peer = { ...this.#peer, longestHoldMs: hold.ms - 1 };
    if (reason === "notServed" || reason === "tooLong") {
      this.#judge(hold.ms, "void", `the peer refuses (${reason})`);
    } else this.#strangeHold(hold, `the peer gave the hold up (${reason})`);
    this.#update("hold refused");
  }

  /** A peer that answers holds in ways that make no sense is not asked for more of them on this link. */
  #strangeHold(hold: Hold, reason: string): void {
    this.#judge(hold.ms, "void", reason);
    if (++this.#strangeHolds < MAX_STRANGE) return;
    this.#hold = undefined;
    this.#peer = { ...this.#peer, longestHoldMs: 0 };
  }

  #sendHold(ms: number, isTrial: boolean): void {
    const { loop } = this.#context;
    const sequence = this.#beat.takeSequence();
    // Heartbeats carry tenths of a second; rounded down, or the answer would come after its time.
    const holdMs = Math.max(TENTH_MS, Math.floor(ms / TENTH_MS) * TENTH_MS);
    this.#hold = { ms: holdMs, sequence, startMs: loop.now(), isTrial, isOverdue: false };
    this.#announcedMs = 2 * holdMs;
    this.#heartbeats++;
    if (isTrial) this.#fire({ type: "trial", idleMs: holdMs, where: "main" } satisfies TrialEvent);
    this.#send(new Heartbeat("hold", { timeMs: holdMs, sequence }));
  }

  #giveUpHold(): void {
    this.#send(Heartbeat.void(this.#hold!.sequence, "givenUp"));
    this.#hold = undefined;
  }

  #send(heartbeat: Heartbeat): void {
    sendHeartbeat(this.#context, heartbeat);
  }

  #proveValid(roundTripMs: number | undefined): void {
    if (this.#isValid) return;
    this.#isValid = true;
    this.#attributionIfAny?.linkValid();
    this.#fire({ type: "linkValid", roundTripMs: roundTripMs ?? 0 } satisfies LinkValidEvent);
  }

  // --- verdicts ---

  get #ownTrials(): boolean {
    return this.#settings.strategy.trials === "scout" || this.#settings.strategy.trials === "main";
  }

  get #attribution(): FailureAttribution {
    return this.#attributionIfAny ??= new FailureAttribution(this, this.#settings, this.#context.loop);
  }

  /** The link was reset or closed by the other side during a silence: some networks say so when they forget. */
  #suspectCut(reason: LinkDownReason): void {
    if (reason !== "reset" && reason !== "remoteClosed" && reason !== "error") return;
    const hold = this.#hold;
    const silence = this.#silence;
    // Some networks let the client's question through, and the peer, which they had told before, says that all is over.
    const whenAsked = `lost (${reason}) when asked after the silence`;
    if (hold?.isOverdue) return this.#attribution.suspect(hold.ms, hold.startMs, whenAsked);
    if (silence?.isFull) return this.#attribution.suspect(silence.idleMs, silence.startMs, whenAsked);
    // The classic rule learns from beats alone, and a beat that is out has other reasons to be lost.
    const isTried = hold !== undefined || this.#phase === "searching" || this.#phase === "settled";
    if (!this.#ownTrials || !isTried || this.#beat.isWaiting) return;
    const silentMs = Math.floor(this.#idleState.idleForMs);
    // No network forgets as fast as a server that does not like what it was told hangs up.
    if (silentMs < this.#settings.warmUpIntervalMs) return;
    const wantedMs = hold?.ms ?? this.#intervalMs;
    const isTrial = hold?.isTrial ?? this.#phase === "searching";
    this.#attribution.cut({
      reason,
      silentMs,
      wantedMs,
      startMs: hold?.startMs ?? this.#context.loop.now() - silentMs,
      isExpected: isTrial ? silentMs > this.#knowledge.search.bracket.loMs : silentMs >= wantedMs * 0.98,
    });
  }

  #judge(idleMs: number, outcome: Outcome, reason: string, wasTrial = idleMs > this.#intervalMs): void {
    const verdict = { idleMs, outcome, reason, atMs: this.#context.loop.wallNow() };
    const { search } = this.#knowledge;
    const isRoutine = outcome === "passed" && idleMs <= search.bracket.loMs;
    this.#knowledge.judge(verdict);
    if (outcome === "void" && wasTrial) this.#waitAfterVoid();
    // That the interval still holds is no news.
    if (!isRoutine) this.#fire({ type: "verdict", idleMs, outcome, reason } satisfies VerdictEvent);
  }

  // --- phase and interval ---

  /** Works out phase, interval and what to do next, anew. */
  #update(reason: string): void {
    if (this.#phase === "down") return;
    const { foregroundIntervalMs, warmUpIntervalMs } = this.#settings;
    const { search } = this.#knowledge;
    this.#tellCoverage();
    if (this.#appState === "foreground") {
      this.#phase = "foreground";
      const proven = search.isSettled || search.bracket.loMs > 0;
      this.#useInterval(
        proven ? Math.min(foregroundIntervalMs, search.intervalMs) : foregroundIntervalMs,
        reason,
      );
    } else if (search.isSettled || (this.#ownTrials && this.#warmUpLeft === 0)) {
      this.#phase = search.isSettled ? "settled" : "searching";
      this.#useInterval(search.intervalMs, reason);
    } else if (this.#warmUpLeft > 0) {
      this.#phase = "warmUp";
      this.#useInterval(Math.min(warmUpIntervalMs, search.intervalMs), reason);
    } else {
      this.#phase = "searching";
      this.#useInterval(search.intervalMs, reason);
    }
    const times = this.#nextBeat();
    // Whatever the interval is now, the peer was told earlier for how long it may hear nothing.
    const writerIdleMs = Math.min(times.writerIdleMs!, this.#announcedMs || Infinity);
    this.#idleState.setIdleTimes({ ...times, writerIdleMs });
    this.#scouting?.consider();
  }

  /** Sends a hold or decides on a client-timed beat, and says which silences to be told of. */
  #nextBeat(): IdleTimes {
    const trialMs = this.#mainTrialMs();
    const wantedMs = trialMs ?? this.#intervalMs;
    if (this.#beatsAreHolds && wantedMs <= this.#peer.longestHoldMs) {
      // A hold that is out is waited for, unless it is longer than may be silent now.
      if (this.#hold !== undefined && this.#hold.ms > Math.max(wantedMs, this.#intervalMs)) {
        this.#giveUpHold();
      }
      if (this.#hold === undefined) this.#sendHold(wantedMs, trialMs !== undefined);
      const { ms } = this.#hold!;
      // The application's own writes put the peer's answer off; whether it hears them at all is asked all the same.
      return { allIdleMs: ms + this.answerMs, writerIdleMs: 2 * ms, readerIdleMs: ms + this.answerMs };
    }
    if (this.#phase === "searching" && (!this.#ownTrials || this.#peer.longestHoldMs === 0)) {
      const clientTrialMs = this.#ownTrials ? this.#clientTrialMs() : this.#intervalMs;
      if (clientTrialMs !== this.#intervalMs) this.#useInterval(clientTrialMs, "trial");
      // Only a silence of both sides is a trial, so traffic puts it off; but not
      // for ever, or a peer that only talks would never be asked whether it hears.
      return { allIdleMs: clientTrialMs, writerIdleMs: 2 * clientTrialMs, readerIdleMs: 2 * clientTrialMs };
    }
    return { writerIdleMs: this.#intervalMs, readerIdleMs: this.#intervalMs };
  }

  /** The silence that a beat sent now would end; none that would prove anything while a hold is out. */
  #silenceNow(): Silence | undefined {
    if (this.#hold !== undefined || (this.#phase !== "searching" && this.#phase !== "settled")) {
      return undefined;
    }
    const { idleForMs } = this.#idleState;
    return {
      idleMs: this.#intervalMs,
      startMs: this.#context.loop.now() - idleForMs,
      // A settled beat is timed from the last write, which the last answer came a round trip after.
      isFull: idleForMs + (this.#phase === "settled" ? 2 * (this.roundTripMs ?? 0) : 0) >= this.#intervalMs,
    };
  }

  /** An event on the way here may have led to a lost link or a closed channel. */
  #beatUnlessDown(): void {
    if (this.#phase !== "down") this.#beat.start(this.#context.loop);
  }

  /**
   * The link may be gone, and somebody is waiting to know. But a question behind
   * a large message that is leaving takes its time on a slow link that lives.
   */
  #hurryUnlessSending(): void {
    if (this.#phase === "down") return;
    if (this.#isSending) this.#beat.start(this.#context.loop);
    else this.#beat.hurry(this.#context.loop);
  }

  /** What the operating system has taken may wait there for many seconds on a slow link. */
  get #isSending(): boolean {
    if (this.pendingBytes > 0) return true;
    const silentMs = this.#context.loop.now() - this.#idleState.lastWriteMs;
    return this.flushedBytes - this.#answeredBytes > LARGE_BYTES && silentMs < this.#settings.maxMs;
  }

  get #beatsAreHolds(): boolean {
    return this.#ownTrials && this.#isValid && this.#carriesFields &&
      (this.#phase === "settled" || this.#phase === "searching");
  }

  /** Whether trials run on the main link: as asked for, or since the peer takes no scouts. */
  get #trialsOnMain(): boolean {
    return this.#settings.strategy.trials === "main" || !this.#peer.takesScouts;
  }

  #mayTry(): boolean {
    return this.#isValid && this.#warmUpLeft === 0 && this.#appState === "background" &&
      this.#retryTimer === undefined && this.#phase !== "down";
  }

  #mainTrialMs(): number | undefined {
    return this.#ownTrials && this.#trialsOnMain ? this.#trialMs() : undefined;
  }

  /** The idle time that is worth a trial now, if there may be one and the peer serves so long a hold. */
  #trialMs(): number | undefined {
    if (!this.#mayTry() || this.#peer.longestHoldMs === 0) return undefined;
    const trialMs = this.#knowledge.search.trialMs?.(this.#context.loop.wallNow());
    return trialMs !== undefined && trialMs <= this.#peer.longestHoldMs ? trialMs : undefined;
  }

  /** The peer serves no holds: each client-timed beat is a trial. */
  #clientTrialMs(): number {
    // A peer that served holds and then got one or two wrong is asked for them again on the next link.
    if (!this.#mayTry() || this.#isHeld) return this.#intervalMs;
    return this.#knowledge.search.trialMs?.(this.#context.loop.wallNow()) ?? this.#intervalMs;
  }

  #recallScout(reason: string): void {
    if (!this.#scouting?.recall()) return;
    this.#fire({ type: "verdict", idleMs: 0, outcome: "void", reason } satisfies VerdictEvent);
  }

  /** A trial that said nothing is repeated, but not at once and not in a hurry. */
  #waitAfterVoid(): void {
    if (!this.#ownTrials || this.#phase === "down") return;
    this.#retryTimer?.cancel();
    const waitMs = Math.min(RETRY_FIRST * 2 ** this.#voidTrials++, RETRY_LAST) * this.#settings.minMs;
    this.#retryTimer = this.#context.loop.schedule(waitMs, () => {
      this.#retryTimer = undefined;
      this.#update("trying again");
    });
  }

  #useInterval(intervalMs: number, reason: string): void {
    const previousMs = this.#intervalMs;
    if (intervalMs === previousMs) return;
    this.#intervalMs = intervalMs;
    const { bracket, isSettled } = this.#knowledge.search;
    this.#fire(
      { type: "interval", intervalMs, previousMs, bracket, isSettled, reason } satisfies IntervalEvent,
    );
  }

  #tellCoverage(): void {
    if (!this.#isValid || !this.#ownTrials) return;
    const direction = this.#peer.longestHoldMs > 0 && this.#carriesFields ? "push" : "client";
    this.#knowledge.direction = direction;
    if (direction === this.#toldCoverage) return;
    this.#toldCoverage = direction;
    this.#fire({ type: "coverage", direction } satisfies CoverageEvent);
  }

  #useNetwork(network: string): void {
    const before = this.#knowledge.network;
    this.#knowledge.use(network, this.#context.loop.wallNow());
    if (before === network) return;
    this.#isHeld = this.#isStoredHeld;
    this.#attributionIfAny?.forget();
    this.#voidTrials = 0;
    this.#scouting?.forget();
  }

  /** What a ping has shown is not taken from a store. */
  get #isStoredHeld(): boolean {
    return this.#ownTrials && this.#knowledge.search.bracket.loMs > 0;
  }

  #fire(event: unknown): void {
    this.#context.fireUserEventTriggered(event);
  }
}
