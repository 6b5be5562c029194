/**
 * What all links have in common: how they end.
 *
 * @module
 */

import type { EventLoop, Timer } from "../event_loop.ts";
import type { LinkDownReason } from "../link_event.ts";
import type { Link, LinkSink, WireMessage } from "../transport.ts";

/** What {@linkcode Link.close} promises: it ends within this time even if the peer is silent, ms. */
const CLOSE_LIMIT_MS = 2000;

type State =
  | { readonly kind: "open" }
  /** An orderly close is under way; `limit` ends it. */
  | { readonly kind: "closing"; readonly limit: Timer }
  /** It is gone and the sink, which may not even be there yet, was not told. */
  | { readonly kind: "down"; readonly reason: LinkDownReason; readonly error: Error | undefined }
  | { readonly kind: "told" };

// Shared, since a server has very many links in these states.
const OPEN: State = { kind: "open" };
const TOLD: State = { kind: "told" };

/**
 * Base of the links. It keeps the promises of {@linkcode Link}: `onClosed`
 * once and last, a bounded close, no timer left behind. It never calls the
 * sink from inside a method of {@linkcode Link}, or a channel would be
 * re-entered in the middle of its own `write`, `close` or `abort`.
 */
export abstract class BaseLink implements Link {
  abstract readonly localAddress: string;
  abstract readonly remoteAddress: string;
  protected readonly loop: EventLoop;
  #state: State = OPEN;
  #sink: LinkSink | undefined = undefined;

  constructor(loop: EventLoop) {
    this.loop = loop;
  }

  abstract read(): void;
  abstract write(message: WireMessage): void;
  abstract flush(): void;

  /** Starts an orderly close. What comes in from now on is to be discarded. */
  protected abstract shutdown(): void;

  /**
   * Gives up whatever the link holds: handles, listeners, timers. Called once,
   * just before the sink is told.
   *
   * @param abort Whether the peer should see a reset, where the platform can.
   */
  protected abstract release(abort: boolean): void;

  open(sink: LinkSink): void {
    this.#sink = sink;
    if (this.#state.kind === "down") this.loop.schedule(0, tell, this);
  }

  close(): void {
    if (this.#state.kind !== "open") return;
    this.#state = { kind: "closing", limit: this.loop.schedule(CLOSE_LIMIT_MS, giveUp, this) };
    this.shutdown();
  }

  abort(): void {
    if (!this.isUp) return;
    this.#down("closed", undefined, true);
    this.loop.schedule(0, tell, this);
  }

  /** Who wants data: nobody before `open`, while closing, and afterwards. */
  protected get receiver(): LinkSink | undefined {
    return this.#state.kind === "open" ? this.#sink : undefined;
  }

  /** Whether data can still be sent. */
  protected get isUp(): boolean {
    return this.#state.kind === "open" || this.#state.kind === "closing";
  }

  /** Whether an orderly close is under way. */
  protected get isClosing(): boolean {
    return this.#state.kind === "closing";
  }

  /** Reports that so many bytes left. */
  protected flushed(bytes: number): void {
    if (this.isUp) this.#sink?.onFlushed(bytes);
  }

  /** The platform says that the link is gone. What it says after a close of ours was our doing. */
  protected down(reason: LinkDownReason, error?: Error): void {
    if (!this.isUp) return;
    if (this.isClosing) this.#down("closed", undefined, false);
    else this.#down(reason, error, false);
    tell(this);
  }

  #down(reason: LinkDownReason, error: Error | undefined, abort: boolean): void {
    if (this.#state.kind === "closing") this.#state.limit.cancel();
    this.#state = { kind: "down", reason, error };
    this.release(abort);
  }

  /** Tells the sink, once there is one, that the link is gone. For {@linkcode tell} alone. */
  static tell(link: BaseLink): void {
    const state = link.#state;
    if (state.kind !== "down" || link.#sink === undefined) return;
    link.#state = TOLD;
    link.#sink.onClosed(state.reason, state.error);
  }

  /** Ends a close that took too long. For {@linkcode giveUp} alone. */
  static giveUp(link: BaseLink): void {
    link.down("closed");
  }
}

const tell = BaseLink.tell;
const giveUp = BaseLink.giveUp;
