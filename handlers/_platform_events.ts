/**
 * What a platform knows of the application and the network, as user events.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext, ChannelPromise, RemoteSource } from "../pipeline/mod.ts";
import type { AppStateEvent, NetworkEvent } from "./keep_alive_event.ts";

/** Where the news of a platform goes. */
export interface PlatformNews {
  /** Where the application is now. */
  appState(state: AppStateEvent["state"]): void;
  /**
   * Whether there is a network now, and which.
   *
   * @param network Its identity; undefined where that is not known.
   */
  network(isConnected: boolean, network: string | undefined): void;
}

/**
 * Starts to listen to a platform, and says how things stand if it knows.
 *
 * @returns A function that ends it.
 */
export type ListenToPlatform = (news: PlatformNews) => () => void;

/** What networks are called that nobody can tell apart; as `networkIdentity()` does. */
const DEFAULT = "default";

/** Fires the events that `BrowserEventsHandler` fires, on another platform. */
export class PlatformEventsHandler implements ChannelHandler {
  /**
   * Identity of the network in use, for the option `network` of `keepAlive()`.
   * `default` as long as it is not known.
   */
  readonly network = (): string => this.#network ?? DEFAULT;
  readonly #listen: ListenToPlatform;
  #stop: (() => void) | undefined = undefined;
  #appState: AppStateEvent["state"] | undefined = undefined;
  /** Undefined until the platform has told. */
  #isConnected: boolean | undefined = undefined;
  #network: string | undefined = undefined;
  /** Before the first link is wanted other handlers may still be on their way into the pipeline. */
  #hasBegun = false;

  constructor(listen: ListenToPlatform) {
    this.#listen = listen;
  }

  /** Starts to listen. */
  handlerAdded(context: ChannelHandlerContext): void {
    this.#stop = this.#listen({
      appState: (state) => {
        if (state === this.#appState) return;
        this.#appState = state;
        if (this.#hasBegun) this.#fire(context, { type: "appState", state });
      },
      network: (isConnected, network) => this.#networkIs(context, isConnected, network),
    });
    if (context.channel.isActive) this.#begin(context);
  }

  /** Listens no more. */
  handlerRemoved(): void {
    this.#stop?.();
    this.#stop =
      this.#appState =
      this.#isConnected =
      this.#network =
        undefined;
    this.#hasBegun = false;
  }

  /** Tells how things stand before a link is looked for. */
  connect(context: ChannelHandlerContext, remote: RemoteSource, promise: ChannelPromise): void {
    this.#begin(context);
    context.connect(remote, promise);
  }

  /** Tells how things stand where the link came without a connect. */
  channelActive(context: ChannelHandlerContext): void {
    this.#begin(context);
    context.fireChannelActive();
  }

  #begin(context: ChannelHandlerContext): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    if (this.#appState !== undefined) this.#fire(context, { type: "appState", state: this.#appState });
    if (this.#isConnected === false) this.#fire(context, { type: "network", state: "offline" });
  }

  #networkIs(context: ChannelHandlerContext, isConnected: boolean, network: string | undefined): void {
    const before = this.network();
    const wasConnected = this.#isConnected;
    this.#isConnected = isConnected;
    // While there is none, the one before is still the best guess for the next.
    if (isConnected) this.#network = network;
    if (!this.#hasBegun) return;
    if (!isConnected) {
      if (wasConnected !== false) this.#fire(context, { type: "network", state: "offline" });
    } else if (wasConnected === false) {
      this.#fire(context, { type: "network", state: "online", network: this.network() });
    } else if (this.network() !== before && (wasConnected || context.channel.isActive)) {
      // The first news is no change: a link that is on its way asks which network it has when it stands.
      this.#fire(context, { type: "network", state: "changed", network: this.network() });
    }
  }

  #fire(context: ChannelHandlerContext, event: AppStateEvent | NetworkEvent): void {
    context.pipeline.fireUserEventTriggered(event);
  }
}
