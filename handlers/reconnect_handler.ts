/**
 * Brings the link back.
 *
 * @module
 */

import {
  ChannelClosedError,
  type ChannelHandler,
  type ChannelHandlerContext,
  ChannelPromise,
  ConnectError,
  LinkDownError,
  type LinkDownEvent,
  type LinkUpEvent,
  type RemoteSource,
  type Timer,
} from "../pipeline/mod.ts";
import { AddressOrder, mayBeSeveral } from "./_address_order.ts";
import { backoffMs } from "./_backoff.ts";
import { OutboundQueue } from "./_outbound_queue.ts";
import type {
  ReconnectEvent,
  ReconnectFailedEvent,
  ReconnectReason,
  ReconnectState,
  ReconnectStateEvent,
} from "./_reconnect_event.ts";
import {
  DEFAULT_RECONNECT_SETTINGS,
  type ReconnectOptions,
  type ReconnectSettings,
  reconnectSettings,
} from "./_reconnect_options.ts";
import type { AppStateEvent, GoAwayEvent, LinkValidEvent, NetworkEvent } from "./keep_alive_event.ts";

export { MessageDroppedError, type QueueLimits, type QueuePolicy } from "./_outbound_queue.ts";
export type * from "./_reconnect_event.ts";
export type { ReconnectOptions } from "./_reconnect_options.ts";

type State =
  | { readonly kind: "idle" | "offline" | "stopped" }
  | {
    readonly kind: "up";
    /** When the server wants us back that has said that it will end this link, in the loop's time. */
    readonly comeBackMs?: number;
  }
  | {
    readonly kind: "connecting";
    readonly startMs: number;
    /** Ends a try that nobody answers. */
    readonly timer: Timer | undefined;
    readonly stopListening: () => void;
  }
  | { readonly kind: "waiting"; readonly timer: Timer; readonly stopListening: () => void };

/**
 * A try that nobody answers makes way for a new one after so long, in ms, or
 * so many round trips: the system repeats its first packet ever more rarely, so
 * that an old try notices the end of an outage late.
 */
const PATIENCE_MS = 4_000;
const PATIENCE_ROUND_TRIPS = 4;
/** Each so manieth try has all of the connect timeout, for a network that is slower than it was. */
const PATIENT_TRY = 4;

const IDLE: State = { kind: "idle" };
const UP: State = { kind: "up" };
const OFFLINE: State = { kind: "offline" };
const STOPPED: State = { kind: "stopped" };

/**
 * Brings the link back whenever it is lost, until the channel is closed.
 *
 * The first try comes at a random moment within 0.8 s, so that the clients of
 * a server that restarts do not all come at once; the wait then grows, always
 * random between 0 and its bound, up to 5 s, and 30 s after two minutes. At
 * once: when the network is back, when the machine wakes, and when the
 * application comes to the foreground while it waits. Never while the network
 * is offline. The count of tries starts over only once the peer has answered
 * on the new link: a server that accepts and drops at once is not a server
 * that works.
 *
 * A server that is about to end the link may say when to come back (`goAway`):
 * the next try comes exactly then, and not before, whatever else happens, as
 * the server has spread its clients over that time.
 *
 * Several addresses are raced a moment apart. The one that gave the last link
 * is tried first next time; one that failed, or whose link never proved valid,
 * is tried last. Address and credentials are asked anew for each try if they
 * were given as a function.
 *
 * What is written meanwhile waits in a bounded queue, and goes out after the
 * handlers nearer to the application have seen `channelActive` (so a login
 * goes first). Writes that were on their way when the link was lost fail.
 *
 * The first connect is tried again like any other, except for an address that
 * cannot be parsed. That, `maxAttempts` failed tries and an `AbortSignal` end
 * it: with one `reconnectFailed`, and the channel is closed. Each change of
 * {@linkcode ReconnectHandler.state} is told by a `reconnectState`, each wait
 * by a `reconnect`.
 *
 * @example A link that comes back
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { EmbeddedChannel, ReconnectHandler } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ active: false, handlers: [new ReconnectHandler()] });
 * channel.connect("embedded://peer");
 * channel.writeInbound("welcome"); // the link proved valid, so the next try is a first one
 * channel.loseLink();
 * channel.write("later");
 * channel.advanceBy(800);
 * assert(channel.isActive);
 * assertEquals(channel.readOutbound(), "later");
 * ```
 *
 * @example Several servers, of which one is down
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ConnectError, EmbeddedChannel, ReconnectHandler } from "@longlink/pipeline";
 *
 * const tried: string[] = [];
 * const channel = new EmbeddedChannel({
 *   active: false,
 *   handlers: [new ReconnectHandler()],
 *   onConnect: ({ address }) => {
 *     tried.push(address);
 *     if (address === "embedded://one") throw new ConnectError(address, "connection refused");
 *   },
 * });
 * channel.connect(["embedded://one", "embedded://two"]);
 * assertEquals(channel.remote?.address, "embedded://two");
 * channel.writeInbound("welcome");
 * channel.loseLink();
 * channel.advanceBy(800);
 * assertEquals(tried, ["embedded://one", "embedded://two", "embedded://two"]); // it begins with what worked
 * ```
 */
export class ReconnectHandler implements ChannelHandler {
  /** Whether it is in a pipeline now; kept by the pipeline. */
  isAdded = false;
  readonly #settings: ReconnectSettings;
  #state: State = IDLE;
  #source: RemoteSource | undefined = undefined;
  /** Made for sources that may name several addresses. */
  #addresses: AddressOrder | undefined = undefined;
  /** The first connect, until its link stands or it is given up. */
  #firstConnect: ChannelPromise | undefined = undefined;
  /** Failed tries, or links that never proved valid, since one did. */
  #tries = 0;
  /** Undefined until a link has proven valid. */
  #roundTripMs: number | undefined = undefined;
  #isOffline = false;
  #outageStartMs = 0;
  /** Until when a server wants to be left alone, in the loop's time; undefined once a later link proved valid. */
  #comeBackMs: number | undefined = undefined;
  #lastDown: LinkDownEvent | undefined = undefined;
  /** Made when something has to wait: most links are up most of the time. */
  #queue: OutboundQueue | undefined = undefined;
  /** Takes the listener off the signal. */
  #forgetSignal: (() => void) | undefined = undefined;

  /**
   * Makes a handler that acts from the first connect on.
   *
   * @param options Its timing and its bounds.
   * @throws {RangeError} If a number is out of range.
   * @throws {TypeError} If there is no such queue policy.
   */
  constructor(options?: ReconnectOptions) {
    this.#settings = options === undefined ? DEFAULT_RECONNECT_SETTINGS : reconnectSettings(options);
  }

  /** What it is doing. */
  get state(): ReconnectState {
    return this.#state.kind;
  }

  /** Failed tries since the link last proved valid. */
  get attempts(): number {
    return this.#tries;
  }

  /** How many messages wait for a link; those that wait for room in the queue are not counted. */
  get queuedMessages(): number {
    return this.#queue?.size ?? 0;
  }

  /** How many bytes they have. */
  get queuedBytes(): number {
    return this.#queue?.bytes ?? 0;
  }

  /** How many writes were refused so far, as the queue was full. */
  get rejectedMessages(): number {
    return this.#queue?.rejected ?? 0;
  }

  /** How many messages had to make room for newer ones so far (`dropOldest`). */
  get droppedMessages(): number {
    return this.#queue?.dropped ?? 0;
  }

  /** How many writes had to wait for room in the queue so far (`block`). */
  get blockedMessages(): number {
    return this.#queue?.blocked ?? 0;
  }

  /** From now on the channel outlives its links. */
  handlerAdded(context: ChannelHandlerContext): void {
    context.channel.autoClose = false;
    // Set anew: an instance may come back after it was taken out.
    this.#state = context.channel.isActive ? UP : IDLE;
    this.#source = undefined;
    this.#tries = 0;
    this.#comeBackMs = undefined;
    const { signal } = this.#settings;
    if (signal === undefined) return;
    const giveUp = () => this.#giveUp(context, signal.reason, "aborted");
    signal.addEventListener("abort", giveUp, { once: true });
    this.#forgetSignal = () => signal.removeEventListener("abort", giveUp);
  }

  /** Gives the channel back its own ways. */
  handlerRemoved(context: ChannelHandlerContext): void {
    const reason = context.channel.state === "closed" ? "closed" : "removed";
    this.#stop(context, reason);
    context.channel.autoClose = true;
  }

  /**
   * Remembers where to connect to, and tries until there is a link.
   *
   * @throws {TypeError} (as the connect's failure) If a link stands or is being brought back.
   * @throws The signal's reason (as the connect's failure) if it was aborted before.
   */
  connect(context: ChannelHandlerContext, remote: RemoteSource, promise: ChannelPromise): void {
    const { kind } = this.#state;
    const { signal } = this.#settings;
    if (kind === "stopped" || context.channel.isActive) {
      context.connect(remote, promise);
    } else if (kind !== "idle") {
      // A second connect at the same time would make one of the two fail for good.
      promise.reject(new TypeError(`Cannot connect: the channel brings its link back by itself (${kind})`));
    } else {
      this.#source = remote;
      this.#addresses = mayBeSeveral(remote) ? new AddressOrder() : undefined;
      this.#firstConnect = promise;
      this.#outageStartMs = context.loop.now();
      if (signal?.aborted) this.#giveUp(context, signal.reason, "aborted");
      else if (this.#isOffline) this.#enter(context, OFFLINE, "connect");
      else this.#tryWhenWanted(context, "connect");
    }
  }

  /** Lets what is written wait while there is no link. */
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    const { kind } = this.#state;
    const mustWait = context.channel.isActive
      ? this.#queue?.isSending
      : kind !== "stopped" && kind !== "idle";
    if (mustWait) (this.#queue ??= new OutboundQueue(this.#settings.queue)).add(message, promise);
    else context.write(message, promise);
  }

  /** Wins over every try. */
  close(context: ChannelHandlerContext, promise: ChannelPromise): void {
    const error = this.#firstConnect?.error;
    // Only the signal of the connect itself can have failed it: it closes the channel then.
    if (error !== undefined) this.#fail(context, error, "aborted");
    else this.#stop(context, "closed");
    context.close(promise);
  }

  /** A link stands: what waited goes out, after the application's own first words. */
  channelActive(context: ChannelHandlerContext): void {
    this.#enter(context, UP, "linkUp");
    context.fireChannelActive();
    if (this.#state.kind === "up" && context.channel.isActive) this.#queue?.sendTo(context);
    if (this.#queue?.isUnused) this.#queue = undefined;
  }

  /** The link is lost: tries again. */
  channelInactive(context: ChannelHandlerContext): void {
    const up = this.#state;
    if (up.kind === "up") this.#comeBackMs = up.comeBackMs ?? this.#comeBackMs;
    const isProven = this.#tries === 0;
    if (up.kind === "up" && isProven) {
      // To stay away as long as the server asked for is no outage yet.
      this.#outageStartMs = Math.max(context.loop.now(), this.#comeBackMs ?? 0);
    }
    context.fireChannelInactive();
    if (up.kind !== "up" || this.#state !== up) return;
    const { channel } = context;
    if (channel.state === "closed") return; // by a handler nearer to the head
    if (!isProven && channel.remote !== undefined) this.#addresses?.failed(channel.remote.address);
    // A link that was attached from outside cannot be made again.
    if (this.#source === undefined) channel.close().onSettled(ignore);
    else this.#retry(context, undefined, "linkLost");
  }

  /** A message of the peer proves the link as well as an answered heartbeat does. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    context.fireChannelRead(message);
    // Only afterwards: one that makes no sense (a captive portal's page) drops the
    // link, and one who is sent that on every link would try without any backoff.
    if (context.channel.isActive) this.#proven();
  }

  /** Follows the link, the network, the application and the server. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const known = event as
      | LinkValidEvent
      | LinkDownEvent
      | LinkUpEvent
      | GoAwayEvent
      | NetworkEvent
      | AppStateEvent;
    switch (known?.type) {
      case "linkValid":
        this.#roundTripMs = known.roundTripMs;
        this.#proven();
        break;
      case "linkDown":
        this.#lastDown = known;
        break;
      case "goAway":
        this.#stayAway(context, known.afterMs);
        break;
      case "network":
        this.#isOffline = known.state === "offline";
        if (known.state === "offline") this.#goOffline(context);
        else this.#tryAnew(context, known.state === "changed" ? "networkChanged" : "online");
        break;
      case "appState":
        // A try that is on its way is left alone: it is as good as a new one.
        if (known.state === "foreground" && this.#state.kind === "waiting") {
          this.#tryWhenWanted(context, "foreground");
        }
        break;
    }
    context.fireUserEventTriggered(event);
  }

  #proven(): void {
    this.#tries = 0;
    this.#comeBackMs = undefined;
  }

  /** What a server asked for last counts. */
  #stayAway(context: ChannelHandlerContext, afterMs: number): void {
    const { loop } = context;
    const { maxServerDelayMs: maxMs } = this.#settings;
    // All that are cut off at the limit would come back in the same moment.
    const delayMs = afterMs > maxMs ? maxMs * (1 + loop.random()) / 2 : afterMs;
    const comeBackMs = delayMs > 0 ? loop.now() + delayMs : undefined;
    if (this.#state.kind === "up") {
      // With the link: later messages on it must not be taken for a new link's proof.
      this.#comeBackMs = undefined;
      this.#state = comeBackMs === undefined ? UP : { kind: "up", comeBackMs };
    } else {
      this.#comeBackMs = comeBackMs;
      if (this.#state.kind === "waiting") this.#wait(context, "goAway");
    }
  }

  /** Tries, or waits on if a server wants to be left alone until later. */
  #tryWhenWanted(context: ChannelHandlerContext, reason: ReconnectReason): void {
    if (!this.#isUnwanted(context)) this.#try(context, reason);
    else if (this.#state.kind !== "waiting") this.#wait(context, reason);
  }

  /** The network is back or another one, or the machine woke, which often means the same. */
  #tryAnew(context: ChannelHandlerContext, reason: ReconnectReason): void {
    const { kind } = this.#state;
    if (kind === "waiting" || kind === "connecting" || kind === "offline") {
      this.#tryWhenWanted(context, reason);
    }
  }

  #isUnwanted({ loop }: ChannelHandlerContext): boolean {
    return this.#comeBackMs !== undefined && this.#comeBackMs > loop.now();
  }

  #try(context: ChannelHandlerContext, reason: ReconnectReason): void {
    const { loop } = context;
    const patienceMs = this.#patienceMs(loop.now());
    const connecting: State = {
      kind: "connecting",
      startMs: loop.now(),
      timer: patienceMs === undefined
        ? undefined
        // A link that stands by now is not this handler's to end, even if it has not been told yet.
        : loop.schedule(patienceMs, () => {
          if (context.channel.state === "connecting") context.channel.drop("unanswered");
        }),
      stopListening: this.#listenForWake(context),
    };
    this.#enter(context, connecting, reason);
    if (this.#state !== connecting) return;
    const promise = new ChannelPromise();
    promise.onSettled((error) => {
      if (error === undefined) {
        this.#firstConnect?.resolve();
        this.#firstConnect = undefined;
        // Until the peer answers this is one more try that may come to nothing.
        this.#tries++;
        this.#addresses?.won(context.channel.remote!.address);
      } else if (this.#state === connecting) {
        this.#tries++;
        if (error instanceof TypeError) this.#giveUp(context, error, "badAddress");
        else this.#retry(context, error, "tryFailed");
      }
    });
    const source = this.#source!;
    context.connect(this.#addresses?.arrange(source, this.#settings.raceDelayMs) ?? source, promise);
  }

  /** How long a try may go unanswered; undefined: as long as the channel lets it. */
  #patienceMs(nowMs: number): number | undefined {
    const isEarly = nowMs - this.#outageStartMs < this.#settings.lateAfterMs;
    if (this.#roundTripMs === undefined || !isEarly || this.#tries % PATIENT_TRY === PATIENT_TRY - 1) {
      return undefined;
    }
    return Math.max(PATIENCE_MS, PATIENCE_ROUND_TRIPS * this.#roundTripMs);
  }

  #retry(context: ChannelHandlerContext, error: unknown, reason: "linkLost" | "tryFailed"): void {
    if (this.#tries >= this.#settings.maxAttempts) {
      const why = error ?? new LinkDownError("connect", this.#lastDown?.reason ?? "reset");
      this.#giveUp(context, why, "maxAttempts");
    } else if (this.#isOffline) this.#enter(context, OFFLINE, reason);
    else this.#wait(context, reason === "linkLost" && this.#isUnwanted(context) ? "goAway" : reason, error);
  }

  #wait(context: ChannelHandlerContext, reason: ReconnectReason, error?: unknown): void {
    const { loop } = context;
    const nowMs = loop.now();
    const delayMs = this.#isUnwanted(context) ? this.#comeBackMs! - nowMs : backoffMs(this.#settings, {
      tries: this.#tries,
      outageMs: nowMs - this.#outageStartMs,
      tryMs: this.#state.kind === "connecting" ? nowMs - this.#state.startMs : 0,
      random: loop.random(),
    });
    const waiting: State = {
      kind: "waiting",
      timer: loop.schedule(delayMs, () => this.#try(context, "waitOver")),
      stopListening: this.#listenForWake(context),
    };
    this.#enter(context, waiting, reason);
    if (this.#state !== waiting) return;
    const attempt = this.#tries + 1;
    context.fireUserEventTriggered(
      (error === undefined
        ? { type: "reconnect", attempt, delayMs }
        : { type: "reconnect", attempt, delayMs, error }) satisfies ReconnectEvent,
    );
  }

  /** A machine that wakes has most likely another network by now. */
  #listenForWake(context: ChannelHandlerContext): () => void {
    const state = this.#state;
    // One listener as long as there is no link: one added by a wake could be told of that same wake.
    if (state.kind === "waiting" || state.kind === "connecting") return state.stopListening;
    return context.loop.onLate(({ kind }) => {
      if (kind === "slept") this.#tryAnew(context, "woke");
    });
  }

  #goOffline(context: ChannelHandlerContext): void {
    const { kind } = this.#state;
    if (kind === "waiting" || kind === "connecting") this.#enter(context, OFFLINE, "offline");
  }

  #giveUp(context: ChannelHandlerContext, error: unknown, reason: ReconnectFailedEvent["reason"]): void {
    if (this.#state.kind === "stopped") return;
    this.#fail(context, error, reason);
    context.close().onSettled(ignore);
  }

  #fail(context: ChannelHandlerContext, error: unknown, reason: ReconnectFailedEvent["reason"]): void {
    const previous = this.#state.kind;
    if (previous === "stopped") return;
    const attempts = this.#tries;
    this.#leaveFor(STOPPED);
    // Before those who wait are told: one of them may close the channel, and nobody would hear of it any more.
    context.fireUserEventTriggered(
      { type: "reconnectFailed", attempts, error, reason } satisfies ReconnectFailedEvent,
    );
    this.#tell(context, previous, reason === "aborted" ? "aborted" : "gaveUp");
    const cause = reason === "maxAttempts" ? gaveUp(attempts, error) : error;
    this.#letGo(error, new ChannelClosedError("write", { cause }));
  }

  #stop(context: ChannelHandlerContext, reason: "closed" | "removed"): void {
    if (this.#state.kind === "stopped") return;
    this.#enter(context, STOPPED, reason);
    const error = new ChannelClosedError("connect");
    this.#letGo(error, new ChannelClosedError("write", { cause: error }));
  }

  /** Ends all that waits for this handler, or that this handler waits for. */
  #letGo(connectError: unknown, writeError: Error): void {
    this.#forgetSignal?.();
    this.#forgetSignal = undefined;
    const firstConnect = this.#firstConnect;
    this.#firstConnect = undefined;
    firstConnect?.reject(connectError);
    this.#queue?.fail(writeError);
  }

  #enter(context: ChannelHandlerContext, state: State, reason: ReconnectReason): void {
    const previous = this.#state.kind;
    this.#leaveFor(state);
    // A try begun on a network that is gone would hang until it times out. Closing the channel ends one by itself.
    if (previous === "connecting" && state.kind !== "stopped" && context.channel.state === "connecting") {
      context.channel.drop("networkChanged");
    }
    if (state.kind !== previous || state.kind === "connecting") this.#tell(context, previous, reason);
  }

  #leaveFor(next: State): void {
    const state = this.#state;
    if (state.kind === "waiting" || state.kind === "connecting") state.timer?.cancel();
    const isListening = next.kind === "waiting" || next.kind === "connecting";
    if ((state.kind === "waiting" || state.kind === "connecting") && !isListening) state.stopListening();
    this.#state = next;
  }

  #tell(context: ChannelHandlerContext, previous: ReconnectState, reason: ReconnectReason): void {
    context.fireUserEventTriggered(
      { type: "reconnectState", state: this.#state.kind, previous, reason } satisfies ReconnectStateEvent,
    );
  }
}

function gaveUp(attempts: number, cause: unknown): ConnectError {
  const address = cause instanceof ConnectError ? cause.address : "the remote";
  return new ConnectError(address, `gave up after ${attempts} tries`, { cause });
}

function ignore(): void {}
