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
import { backoffMs, type BackoffRule } from "./_backoff.ts";
import { checkedCount, checkedMs } from "./_checks.ts";
import { OutboundQueue, type QueueLimits } from "./_outbound_queue.ts";
import type { AppStateEvent, LinkValidEvent, NetworkEvent } from "./keep_alive_event.ts";

export type { QueueLimits } from "./_outbound_queue.ts";

/** Options of {@linkcode ReconnectHandler}. */
export interface ReconnectOptions {
  /** The first try comes at a random moment within this time, in ms, 0 or more. Default: 800. */
  readonly firstMs?: number;
  /** The longest wait between tries at first, in ms, `firstMs` or more. Default: 5,000. */
  readonly capMs?: number;
  /** The longest wait between tries in a long outage, in ms, `capMs` or more. Default: 30,000. */
  readonly lateCapMs?: number;
  /** From when on an outage is a long one, in ms, 0 or more. Default: 120,000. */
  readonly lateAfterMs?: number;
  /** How many tries may fail in a row before it gives up and closes the channel, 1 or more. Default: Infinity. */
  readonly maxAttempts?: number;
  /** How much may be written while there is no link. */
  readonly queue?: QueueLimits;
}

/** A try to reconnect is due after a wait. */
export interface ReconnectEvent {
  /** Tells this event from others. */
  readonly type: "reconnect";
  /** Which try since the link last proved valid, from 1. */
  readonly attempt: number;
  /** How long until then, ms. */
  readonly delayMs: number;
  /** What the try before failed with, if it did. */
  readonly error?: unknown;
}

/** No more tries: the channel is about to close. */
export interface ReconnectFailedEvent {
  /** Tells this event from others. */
  readonly type: "reconnectFailed";
  /** How many tries failed. */
  readonly attempts: number;
  /** What the last one failed with. */
  readonly error: unknown;
}

/**
 * What the handler is doing.
 *
 * - `idle`: nobody has asked for a link.
 * - `connecting`: a try is on its way.
 * - `up`: a link stands.
 * - `waiting`: the next try has its time.
 * - `offline`: there is no network, so nothing is tried.
 * - `stopped`: the channel was closed, or it has given up.
 */
export type ReconnectState = "idle" | "connecting" | "up" | "waiting" | "offline" | "stopped";

type State =
  | { readonly kind: "idle" | "up" | "offline" | "stopped" }
  | { readonly kind: "connecting"; readonly stopListening: () => void }
  | { readonly kind: "waiting"; readonly timer: Timer; readonly stopListening: () => void };

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
 * application comes to the foreground. Never while the network is offline.
 * The count of tries starts over only once the peer has answered on the new
 * link: a server that accepts and drops at once is not a server that works.
 *
 * What is written meanwhile waits in a bounded queue, and goes out after the
 * handlers nearer to the application have seen `channelActive` (so a login
 * goes first). Writes that were on their way when the link was lost fail.
 *
 * The address and the credentials are asked anew for each try if they were
 * given as a function. The first connect is tried again like any other, except
 * for an address that cannot be parsed.
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
 */
export class ReconnectHandler implements ChannelHandler {
  /** Whether it is in a pipeline now; kept by the pipeline. */
  isAdded = false;
  readonly #settings: Settings;
  #state: State = IDLE;
  #source: RemoteSource | undefined = undefined;
  /** The first connect, until its link stands or it is given up. */
  #firstConnect: ChannelPromise | undefined = undefined;
  /** Failed tries, or links that never proved valid, since one did. */
  #tries = 0;
  #isOffline = false;
  #outageStartMs = 0;
  #lastDown: LinkDownEvent | undefined = undefined;
  /** Made when something has to wait: most links are up most of the time. */
  #queue: OutboundQueue | undefined = undefined;

  /**
   * Makes a handler that acts from the first connect on.
   *
   * @param options Its timing and its bounds.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(options?: ReconnectOptions) {
    this.#settings = options === undefined ? DEFAULTS : settingsOf(options);
  }

  /** What it is doing. */
  get state(): ReconnectState {
    return this.#state.kind;
  }

  /** Failed tries since the link last proved valid. */
  get attempts(): number {
    return this.#tries;
  }

  /** How many messages wait for a link. */
  get queuedMessages(): number {
    return this.#queue?.size ?? 0;
  }

  /** From now on the channel outlives its links. */
  handlerAdded(context: ChannelHandlerContext): void {
    context.channel.autoClose = false;
    // Set anew: an instance may come back after it was taken out.
    this.#state = context.channel.isActive ? UP : IDLE;
    this.#source = undefined;
    this.#tries = 0;
  }

  /** Gives the channel back its own ways. */
  handlerRemoved(context: ChannelHandlerContext): void {
    this.#stop(new ChannelClosedError("connect"));
    context.channel.autoClose = true;
  }

  /**
   * Remembers where to connect to, and tries until there is a link.
   *
   * @throws {TypeError} (as the connect's failure) If a link stands or is being brought back.
   */
  connect(context: ChannelHandlerContext, remote: RemoteSource, promise: ChannelPromise): void {
    const { kind } = this.#state;
    if (kind === "stopped" || context.channel.isActive) {
      context.connect(remote, promise);
    } else if (kind !== "idle") {
      // A second connect at the same time would make one of the two fail for good.
      promise.reject(new TypeError(`Cannot connect: the channel brings its link back by itself (${kind})`));
    } else {
      this.#source = remote;
      this.#firstConnect = promise;
      this.#outageStartMs = context.loop.now();
      if (this.#isOffline) this.#state = OFFLINE;
      else this.#try(context);
    }
  }

  /** Lets what is written wait while there is no link. */
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    const { kind } = this.#state;
    if (context.channel.isActive || kind === "stopped" || kind === "idle") context.write(message, promise);
    else (this.#queue ??= new OutboundQueue(this.#settings.queue)).add(message, promise);
  }

  /** Wins over every try. */
  close(context: ChannelHandlerContext, promise: ChannelPromise): void {
    this.#stop(new ChannelClosedError("connect"));
    context.close(promise);
  }

  /** A link stands: what waited goes out, after the application's own first words. */
  channelActive(context: ChannelHandlerContext): void {
    this.#leaveState();
    this.#state = UP;
    context.fireChannelActive();
    if (this.#state === UP && context.channel.isActive) this.#queue?.sendTo(context);
    if (this.#queue?.size === 0) this.#queue = undefined;
  }

  /** The link is lost: tries again. */
  channelInactive(context: ChannelHandlerContext): void {
    const wasUp = this.#state.kind === "up";
    if (wasUp && this.#tries === 0) this.#outageStartMs = context.loop.now();
    context.fireChannelInactive();
    if (!wasUp || this.#state.kind !== "up") return;
    // A link that was attached from outside cannot be made again.
    if (this.#source === undefined) context.close().onSettled(ignore);
    else this.#retry(context, undefined);
  }

  /** A message of the peer proves the link as well as an answered heartbeat does. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    context.fireChannelRead(message);
    // Only afterwards: one that makes no sense (a captive portal's page) drops the
    // link, and one who is sent that on every link would try without any backoff.
    if (context.channel.isActive) this.#tries = 0;
  }

  /** Follows the link, the network and the application. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const known = event as LinkValidEvent | LinkDownEvent | LinkUpEvent | NetworkEvent | AppStateEvent;
    switch (known?.type) {
      case "linkValid":
        this.#tries = 0;
        break;
      case "linkDown":
        this.#lastDown = known;
        break;
      case "network":
        this.#isOffline = known.state === "offline";
        if (this.#isOffline) this.#goOffline(context);
        else this.#tryNow(context);
        break;
      case "appState":
        if (known.state === "foreground" && this.#state.kind === "waiting") this.#try(context);
        break;
    }
    context.fireUserEventTriggered(event);
  }

  #try(context: ChannelHandlerContext): void {
    this.#leaveState();
    const connecting: State = { kind: "connecting", stopListening: this.#listenForWake(context) };
    this.#state = connecting;
    const promise = new ChannelPromise();
    promise.onSettled((error) => {
      if (error === undefined) {
        this.#firstConnect?.resolve();
        this.#firstConnect = undefined;
        // Until the peer answers this is one more try that may come to nothing.
        this.#tries++;
      } else if (this.#state === connecting) {
        this.#tries++;
        if (error instanceof TypeError) this.#giveUp(context, error);
        else this.#retry(context, error);
      }
    });
    context.connect(this.#source!, promise);
  }

  #retry(context: ChannelHandlerContext, error: unknown): void {
    if (this.#tries >= this.#settings.maxAttempts) {
      this.#giveUp(context, error ?? new LinkDownError("connect", this.#lastDown?.reason ?? "reset"));
      return;
    }
    this.#leaveState();
    if (this.#isOffline) {
      this.#state = OFFLINE;
      return;
    }
    const { loop } = context;
    const delayMs = backoffMs(this.#settings, this.#tries, loop.now() - this.#outageStartMs, loop.random());
    this.#state = {
      kind: "waiting",
      timer: loop.schedule(delayMs, () => this.#try(context)),
      stopListening: this.#listenForWake(context),
    };
    const attempt = this.#tries + 1;
    context.fireUserEventTriggered(
      (error === undefined
        ? { type: "reconnect", attempt, delayMs }
        : { type: "reconnect", attempt, delayMs, error }) satisfies ReconnectEvent,
    );
  }

  /** A machine that wakes has most likely another network by now. */
  #listenForWake(context: ChannelHandlerContext): () => void {
    return context.loop.onLate(({ kind }) => {
      if (kind === "slept") this.#tryNow(context);
    });
  }

  /** The network is back or another one. */
  #tryNow(context: ChannelHandlerContext): void {
    const { kind } = this.#state;
    if (kind !== "waiting" && kind !== "connecting" && kind !== "offline") return;
    this.#goOffline(context);
    this.#try(context);
  }

  /** Ends what is on its way: a try begun on a network that is gone would hang until it times out. */
  #goOffline(context: ChannelHandlerContext): void {
    const { kind } = this.#state;
    if (kind !== "waiting" && kind !== "connecting") return;
    this.#leaveState();
    this.#state = OFFLINE;
    if (kind === "connecting") context.channel.drop("networkChanged");
  }

  #giveUp(context: ChannelHandlerContext, error: unknown): void {
    const attempts = this.#tries;
    const firstConnect = this.#firstConnect;
    this.#firstConnect = undefined;
    this.#stop(new ConnectError(addressOf(context), `gave up after ${attempts} tries`, { cause: error }));
    firstConnect?.reject(error);
    context.fireUserEventTriggered(
      { type: "reconnectFailed", attempts, error } satisfies ReconnectFailedEvent,
    );
    context.close().onSettled(ignore);
  }

  #stop(error: Error): void {
    this.#leaveState();
    this.#state = STOPPED;
    this.#firstConnect?.reject(error);
    this.#firstConnect = undefined;
    this.#queue?.fail(new ChannelClosedError("write", { cause: error }));
    this.#queue = undefined;
  }

  #leaveState(): void {
    const state = this.#state;
    if (state.kind === "waiting") state.timer.cancel();
    if (state.kind === "waiting" || state.kind === "connecting") state.stopListening();
  }
}

type Settings = BackoffRule & { readonly maxAttempts: number; readonly queue: Required<QueueLimits> };

const MAX_MS = 24 * 3_600_000;
const DEFAULTS = settingsOf({});

function settingsOf(options: ReconnectOptions): Settings {
  const action = "make the handler";
  const { firstMs = 800, capMs = 5_000, lateCapMs = 30_000, lateAfterMs = 120_000, maxAttempts = Infinity } =
    options;
  const { maxMessages = 1_000, maxBytes = 1024 * 1024 } = options.queue ?? {};
  return {
    firstMs: checkedMs(action, "firstMs", firstMs, 0, MAX_MS),
    capMs: checkedMs(action, "capMs", capMs, firstMs, MAX_MS),
    lateCapMs: checkedMs(action, "lateCapMs", lateCapMs, capMs, MAX_MS),
    lateAfterMs: checkedMs(action, "lateAfterMs", lateAfterMs, 0, MAX_MS),
    maxAttempts: checkedCount(action, "maxAttempts", maxAttempts, 1, Infinity),
    queue: {
      maxMessages: checkedCount(action, "queue.maxMessages", maxMessages, 0, Infinity),
      maxBytes: checkedCount(action, "queue.maxBytes", maxBytes, 0, Infinity),
    },
  };
}

function addressOf(context: ChannelHandlerContext): string {
  return context.channel.remote?.address ?? "the remote";
}

function ignore(): void {}
