/**
 * Writes down what happens on a simulated network.
 *
 * @module
 */

import {
  AdaptiveIntervalHandler,
  type IntervalEvent,
  type IntervalStrategy,
  type LinkValidEvent,
  type TrialEvent,
  type VerdictEvent,
} from "../../handlers/mod.ts";
import type { Channel, ChannelHandler, ChannelHandlerContext, LinkDownEvent } from "../../pipeline/mod.ts";
import type { LinkAwareStrategy } from "./mars.ts";
import type { Connection, SimulatedNetwork } from "./network.ts";

/** The longest idle time that any strategy tries, ms; a longer timeout counts as this one. */
export const MAX_MS = 7_200_000;
/** From this fraction of the timeout on an interval is good enough. */
const USABLE = 0.8;

/** The interval from a moment on. */
export interface IntervalFrom {
  readonly atMs: number;
  readonly intervalMs: number;
}

/** Something that happened. */
export interface Note {
  readonly atMs: number;
  readonly what: string;
}

/** What a run found. Times in ms since the first link. */
export interface RunResult {
  readonly finalIntervalMs: number;
  /** The interval over time. */
  readonly intervals: readonly IntervalFrom[];
  readonly settledMs: number | null;
  readonly usableMs: number | null;
  /** Heartbeats of the main link since it settled, and in how much time. */
  readonly beats: number;
  readonly beatsMs: number;
  /** Share of the time since it settled (or of the second half) in which a push would have been lost. */
  readonly unreachableShare: number;
  /** The same without what trials on the main link cost, which are counted as links lost. */
  readonly unreachableBesidesTrials: number;
  /** Main links lost because the network had forgotten them, until it settled and by trials after that. */
  readonly lostByLearning: number;
  /** Main links lost because the network had forgotten them, in all. */
  readonly lostToExpiry: number;
  /** Main links lost for any reason. */
  readonly lost: number;
  readonly trials: number;
  /** Trials, verdicts and lost links, in words. */
  readonly log: readonly Note[];
  /** When the main link had last been in use at each change of the timeout. */
  readonly lastBeforeChangesMs: readonly number[];
  readonly pushes: { readonly sent: number; readonly received: number };
  /** What reached the tail of a pipeline and should not have. */
  readonly errors: readonly unknown[];
}

/** Sits at the end of the client's pipeline and writes down what happens. */
export class Recorder implements ChannelHandler {
  startMs: number | undefined = undefined;
  readonly errors: unknown[] = [];
  readonly #network: SimulatedNetwork;
  readonly #strategy: Partial<LinkAwareStrategy>;
  readonly #usableMs: number;
  #connection: Connection | undefined = undefined;
  #atServer: ChannelHandlerContext | undefined = undefined;
  readonly #intervals: IntervalFrom[] = [];
  /** Stretches of time in which a push would have been lost: from, to, from, to ... */
  readonly #gaps: number[] = [];
  /** Those of them that a trial on the main link caused. */
  readonly #trialGaps: number[] = [];
  #gapFromMs: number | undefined = undefined;
  #gapIsTrial = false;
  #settledMs: number | null = null;
  #usableAtMs: number | null = null;
  #beatsBefore = 0;
  #mainTrial = false;
  #verdicts = 0;
  #trials = 0;
  readonly #log: Note[] = [];
  readonly #lastBeforeChanges: number[] = [];
  #lostByLearning = 0;
  #lostToExpiry = 0;
  #lost = 0;
  #sent = 0;
  #received = 0;

  constructor(network: SimulatedNetwork, strategy: IntervalStrategy, timeoutMs: number) {
    this.#network = network;
    this.#strategy = strategy;
    this.#usableMs = USABLE * Math.min(timeoutMs, MAX_MS);
  }

  /** The handler at the server that knows which channel to push on. */
  atServer(): ChannelHandler {
    return {
      channelActive: (context) => {
        this.#atServer = context;
      },
      channelInactive: (context) => {
        if (this.#atServer === context) this.#atServer = undefined;
      },
      channelRead: ignore,
    };
  }

  /** The timeout is about to change. */
  noteLast(): void {
    this.#lastBeforeChanges.push(this.#connection!.lastMs);
  }

  push(): void {
    this.#sent++;
    this.#atServer?.writeAndFlush("push").onSettled(ignore);
  }

  channelActive(context: ChannelHandlerContext): void {
    const nowMs = context.loop.now();
    const connection = this.#connection = this.#network.newest!;
    connection.onGap = (fromMs, toMs) => void this.#gaps.push(fromMs, toMs);
    if (this.#gapFromMs !== undefined) {
      this.#gaps.push(this.#gapFromMs, nowMs);
      if (this.#gapIsTrial) this.#trialGaps.push(this.#gapFromMs, nowMs);
    }
    this.startMs ??= nowMs;
    this.#strategy.linkUp?.();
  }

  channelRead(): void {
    this.#received++;
  }

  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const nowMs = context.loop.now();
    const known = event as LinkValidEvent | IntervalEvent | VerdictEvent | TrialEvent | LinkDownEvent;
    switch (known.type) {
      case "linkValid":
        break;
      case "linkDown":
        return this.#linkDown(known, nowMs);
      case "interval":
        this.#noteInterval(nowMs, known.intervalMs);
        break;
      case "trial":
        this.#trials++;
        this.#mainTrial = known.where === "main";
        this.#note(nowMs, `trial ${known.idleMs} ${known.where}`);
        return;
      case "verdict":
        this.#note(nowMs, `${known.outcome} ${known.idleMs} ${known.reason}`);
        if (known.outcome !== "void" && this.#settledMs === null) this.#verdicts++;
        break;
      default:
        return;
    }
    this.#look(context);
  }

  exceptionCaught(_context: ChannelHandlerContext, error: unknown): void {
    this.errors.push(error);
  }

  /** Once the run is over. */
  result(channel: Channel, nowMs: number): RunResult {
    const snapshot = channel.pipeline.get(AdaptiveIntervalHandler)!.snapshot()!;
    const startMs = this.startMs!;
    const openGapMs = this.#connection!.lostFromMs;
    if (openGapMs !== undefined) this.#gaps.push(openGapMs, nowMs);
    const fromMs = this.#settledMs ?? (startMs + nowMs) / 2;
    const lostMs = lengthOf(this.#gaps, fromMs);
    return {
      finalIntervalMs: this.#intervals.at(-1)!.intervalMs,
      intervals: this.#intervals.map(({ atMs, intervalMs }) => ({ atMs: atMs - startMs, intervalMs })),
      settledMs: this.#settledMs === null ? null : this.#settledMs - startMs,
      usableMs: this.#usableAtMs === null ? null : this.#usableAtMs - startMs,
      beats: snapshot.heartbeats - this.#beatsBefore,
      beatsMs: nowMs - (this.#settledMs ?? startMs),
      unreachableShare: lostMs / (nowMs - fromMs),
      unreachableBesidesTrials: (lostMs - lengthOf(this.#trialGaps, fromMs)) / (nowMs - fromMs),
      lostByLearning: this.#lostByLearning,
      lostToExpiry: this.#lostToExpiry,
      lost: this.#lost,
      trials: Math.max(this.#trials, this.#verdicts),
      log: this.#log.map(({ atMs, what }) => ({ atMs: atMs - startMs, what })),
      lastBeforeChangesMs: this.#lastBeforeChanges.map((atMs) => atMs - startMs),
      pushes: { sent: this.#sent, received: this.#received },
      errors: this.errors,
    };
  }

  #linkDown({ reason }: LinkDownEvent, nowMs: number): void {
    const connection = this.#connection!;
    this.#note(nowMs, `link down: ${reason}`);
    this.#lost++;
    this.#gapFromMs = Math.min(connection.lostFromMs ?? nowMs, nowMs);
    this.#gapIsTrial = this.#mainTrial;
    if (!connection.wasForgotten) return;
    this.#lostToExpiry++;
    if (this.#settledMs === null || this.#mainTrial) this.#lostByLearning++;
    this.#mainTrial = false;
  }

  #noteInterval(atMs: number, intervalMs: number): void {
    this.#intervals.push({ atMs, intervalMs });
    // One that starts above the timeout is no use either.
    const isUsable = intervalMs >= this.#usableMs && intervalMs < this.#usableMs / USABLE;
    if (this.#usableAtMs === null && isUsable) this.#usableAtMs = atMs;
  }

  #note(atMs: number, what: string): void {
    this.#log.push({ atMs, what });
  }

  /** Whether it has settled; asked only when something has changed. */
  #look({ loop, pipeline }: ChannelHandlerContext): void {
    if (this.#settledMs !== null) return;
    const snapshot = pipeline.get(AdaptiveIntervalHandler)!.snapshot()!;
    const isFirst = this.#intervals.length === 0;
    if (isFirst) this.#noteInterval(loop.now(), snapshot.intervalMs);
    if (!snapshot.isSettled) return;
    // What has nothing to learn has settled before it starts.
    this.#settledMs = isFirst ? this.startMs! : loop.now();
    this.#beatsBefore = snapshot.heartbeats;
  }
}

/** How long the stretches are together, as far as they lie after a moment. */
function lengthOf(stretches: readonly number[], fromMs: number): number {
  let sumMs = 0;
  for (let i = 0; i < stretches.length; i += 2) {
    sumMs += Math.max(0, stretches[i + 1]! - Math.max(stretches[i]!, fromMs));
  }
  return sumMs;
}

function ignore(): void {}
