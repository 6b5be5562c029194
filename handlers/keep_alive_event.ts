/**
 * What the keep-alive handlers tell the application, and what the application
 * tells them: user events of the pipeline.
 *
 * @module
 */

import type { Bracket, Outcome } from "./adaptive/interval_strategy.ts";
import type { GoAwayReason } from "./heartbeat/heartbeat.ts";

/** The peer answered on this link: it is valid, not merely open. Once per link. */
export interface LinkValidEvent {
  /** Tells this event from others. */
  readonly type: "linkValid";
  /** Time from the heartbeat to its answer, ms. */
  readonly roundTripMs: number;
}

/** A heartbeat was answered, or was not in time. */
export interface BeatEvent {
  /** Tells this event from others. */
  readonly type: "beat";
  /** `answered`, or `missed`: it is repeated, and after enough of them the link is dropped. */
  readonly outcome: "answered" | "missed";
  /** Time from the heartbeat to its answer, ms; absent if missed. */
  readonly roundTripMs?: number;
  /** How many heartbeats in a row are unanswered; 0 if answered. */
  readonly unanswered: number;
}

/** Another interval is in use. */
export interface IntervalEvent {
  /** Tells this event from others. */
  readonly type: "interval";
  /** The new interval, ms. */
  readonly intervalMs: number;
  /** The one before, ms. */
  readonly previousMs: number;
  /** What is proven of this network. */
  readonly bracket: Bracket;
  /** Whether the search has ended. */
  readonly isSettled: boolean;
  /** Why it changed. */
  readonly reason: string;
}

/** A trial begins: the link under test is to be silent for so long. */
export interface TrialEvent {
  /** Tells this event from others. */
  readonly type: "trial";
  /** How long, ms. */
  readonly idleMs: number;
  /** On which link. */
  readonly where: "scout" | "main";
}

/**
 * What the beats on this link prove. `push`: the peer's answer after the
 * silence is the beat, so pushes get through as well. `client`: the peer serves
 * no holds, so only the client's own packets are proven to get through; behind
 * many NATs (Linux by default) pushes may still be lost. Fired when it changes.
 */
export interface CoverageEvent {
  /** Tells this event from others. */
  readonly type: "coverage";
  /** Which direction is proven. */
  readonly direction: "push" | "client";
}

/** A trial ended: what one silence and the beat after it have shown. */
export interface VerdictEvent {
  /** Tells this event from others. */
  readonly type: "verdict";
  /** How long the link was to be silent, ms. */
  readonly idleMs: number;
  /** Whether it survived that, or why that is not known. */
  readonly outcome: Outcome;
  /** Why. */
  readonly reason: string;
}

/**
 * The application came to the foreground or went to the background. Fire it at
 * the pipeline (`pipeline.fireUserEventTriggered`; in a browser a
 * `BrowserEventsHandler` does): the search for the longest interval runs in the
 * background only.
 */
export interface AppStateEvent {
  /** Tells this event from others. */
  readonly type: "appState";
  /** Where it is now. */
  readonly state: "foreground" | "background";
}

/**
 * The network went away, came back, or is another one. Fire it at the pipeline
 * (in a browser a `BrowserEventsHandler` does): no reconnect is tried while
 * offline. On `online` and `changed` one is tried at once, a link that stands is
 * asked at once whether it still does, and if the network is another one, the
 * interval starts over with what is stored for that.
 */
export interface NetworkEvent {
  /** Tells this event from others. */
  readonly type: "network";
  /** What happened. */
  readonly state: "online" | "offline" | "changed";
  /** Identity of the network in use now, where it is known. */
  readonly network?: string;
}

/** The server is about to end this link, and says when to come back. */
export interface GoAwayEvent {
  /** Tells this event from others. */
  readonly type: "goAway";
  /** Why. */
  readonly reason: GoAwayReason;
  /** How long to stay away, ms; 0 leaves it to the client. */
  readonly afterMs: number;
}
