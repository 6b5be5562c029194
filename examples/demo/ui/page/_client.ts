/**
 * The client that lives in the page.
 *
 * @module
 */

import {
  AdaptiveIntervalHandler,
  type AdaptiveIntervalSnapshot,
  type BeatEvent,
  Bootstrap,
  BrowserEventsHandler,
  type Channel,
  type ChannelHandler,
  type EventLoop,
  type IntervalEvent,
  keepAlive,
  type LinkDownEvent,
  type LinkUpEvent,
  type LinkValidEvent,
  MemoryIntervalStore,
  type NetworkEvent,
  SessionHandler,
  type SessionLostEvent,
  type TrialEvent,
  type VerdictEvent,
} from "../../../../mod.ts";
import { webSocket } from "../../../../pipeline/transports/web_socket.ts";
import { chatClient } from "../../../../cli/chat_client.ts";
import { clientOptions } from "../../_scaled.ts";
import type { Begin, NatSettings } from "../_messages.ts";
import { Pushes } from "./_pushes.ts";
import { Recoveries } from "./_recoveries.ts";

/** A silence that was tried, and what came of it. */
export interface Verdict extends VerdictEvent {
  readonly atMs: number;
}

/** A running client. Its fields are what the page shows; times are ms since the start. */
export class DemoClient {
  readonly pushes = new Pushes();
  readonly recoveries = new Recoveries();
  /** The last ones, newest first. */
  verdicts: readonly Verdict[] = [];
  trial: { readonly idleMs: number; readonly atMs: number } | undefined = undefined;
  state: "connecting" | "up" | "down" = "connecting";
  settings: NatSettings;
  readonly linkUrl: string;
  readonly #loop: EventLoop;
  readonly #startMs: number;
  readonly #onNews: (text: string) => void;
  readonly #adaptive: AdaptiveIntervalHandler[] = [];
  readonly #store = new MemoryIntervalStore();
  #channel: Channel | undefined = undefined;

  /**
   * @param onNews Gets what a person wants to hear of, which is little.
   * @param onVerdict Told at once, since a chart has a mark for each.
   */
  constructor(
    { loop, begin, onNews, onVerdict }: {
      readonly loop: EventLoop;
      readonly begin: Begin;
      readonly onNews: (text: string) => void;
      readonly onVerdict: (verdict: Verdict) => void;
    },
  ) {
    this.#loop = loop;
    this.#startMs = loop.now();
    this.#onNews = onNews;
    this.settings = begin.settings;
    this.linkUrl = begin.linkUrl;
    const bootstrap = new Bootstrap({
      transport: webSocket(),
      loop,
      pipeline: (p) => {
        p.addLast(
          ...keepAlive({
            ...clientOptions(begin.strategy, begin.scale),
            network: () => networkOf(this.settings),
            store: this.#store,
            session: new SessionHandler(),
          }),
          // A page that is seen counts as foreground, where nothing is tried; here it is to be watched trying.
          new BrowserEventsHandler({ document: null }),
          this.#observer(onVerdict),
          chatClient({ onPush: (n) => this.pushes.arrived(n, this.atMs, loop.wallNow()) }),
        );
        this.#adaptive[0] = p.get(AdaptiveIntervalHandler)!;
      },
    });
    bootstrap.connect(begin.linkUrl).then(
      (channel) => this.#channel = channel,
      (error) => onNews(error.message),
    );
  }

  get atMs(): number {
    return this.#loop.now() - this.#startMs;
  }

  get snapshot(): AdaptiveIntervalSnapshot | undefined {
    return this.#adaptive[0]?.snapshot();
  }

  /** The button was pressed, and from now on the link is dead. */
  wasCut(): void {
    this.recoveries.wasCut(this.atMs);
    this.#onNews("The connection is cut; the client does not know yet.");
  }

  /** The box is another one now: for the client, another network. */
  moved(settings: NatSettings): void {
    if (networkOf(settings) === networkOf(this.settings)) return;
    this.settings = settings;
    const { natTimeoutMs, mode } = settings;
    this.#onNews(`Another network: it forgets after ${natTimeoutMs / 1000} s (${mode}).`);
    this.#channel?.pipeline.fireUserEventTriggered(
      { type: "network", state: "changed", network: networkOf(settings) } satisfies NetworkEvent,
    );
  }

  #observer(onVerdict: (verdict: Verdict) => void): ChannelHandler {
    return {
      userEventTriggered: (context, event) => {
        const known = event as
          | LinkUpEvent
          | LinkValidEvent
          | LinkDownEvent
          | BeatEvent
          | IntervalEvent
          | TrialEvent
          | VerdictEvent
          | SessionLostEvent;
        if (known.type === "linkUp") this.state = "up";
        else if (known.type === "linkValid") this.#isValid();
        else if (known.type === "linkDown") this.#isDown(known);
        else if (known.type === "beat" && known.unanswered === 1) this.recoveries.missed(this.atMs);
        else if (known.type === "beat" && known.outcome === "answered") this.recoveries.answered();
        else if (known.type === "interval" && known.isSettled) this.#found(known);
        else if (known.type === "trial") this.trial = { idleMs: known.idleMs, atMs: this.atMs };
        else if (known.type === "verdict") {
          this.trial = undefined;
          const verdict = { ...known, atMs: this.atMs };
          this.verdicts = [verdict, ...this.verdicts].slice(0, 5);
          onVerdict(verdict);
        } else if (known.type === "sessionLost") this.#onNews(`The session is lost: ${known.reason}.`);
        context.fireUserEventTriggered(event);
      },
      exceptionCaught: () => {},
    };
  }

  #isValid(): void {
    const recovery = this.recoveries.back(this.atMs);
    if (recovery === undefined) this.#onNews("Connected.");
    else {this.#onNews(
        `Connected again after ${((recovery.backMs! + recovery.noticedMs) / 1000).toFixed(1)} s.`,
      );}
  }

  #isDown({ reason }: LinkDownEvent): void {
    this.state = "down";
    this.trial = undefined;
    this.recoveries.down(this.atMs, reason);
    this.#onNews("The connection is lost; the client reconnects.");
  }

  #found({ intervalMs }: IntervalEvent): void {
    this.#onNews(`Interval found: ${(intervalMs / 1000).toFixed(1)} s.`);
  }
}

/** What is learned on one network says nothing of another, so each is known by what it is like. */
function networkOf({ natTimeoutMs, mode }: NatSettings): string {
  return `${mode}-${natTimeoutMs}`;
}
