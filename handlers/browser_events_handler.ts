/**
 * What a browser knows of the page and the network, as user events.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext, ChannelPromise, RemoteSource } from "../pipeline/mod.ts";
import type { AppStateEvent, NetworkEvent } from "./keep_alive_event.ts";

/**
 * Something that fires events: a `Window`, a worker's global scope, any
 * `EventTarget`.
 *
 * @example Events from elsewhere, as a native shell around the page sends them
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { BrowserEventsHandler, EmbeddedChannel, type EventSource, ReconnectHandler } from "@longlink/pipeline";
 *
 * const shell = new EventTarget();
 * const target: EventSource = shell;
 * const reconnect = new ReconnectHandler();
 * const channel = new EmbeddedChannel({ active: false, handlers: [reconnect, new BrowserEventsHandler({ target })] });
 * channel.connect("embedded://peer");
 * shell.dispatchEvent(new Event("offline"));
 * channel.loseLink();
 * assertEquals(reconnect.state, "offline");
 * shell.dispatchEvent(new Event("online"));
 * assertEquals(channel.state, "active");
 * ```
 */
export interface EventSource {
  /** Adds a listener. */
  addEventListener(type: string, listener: (event: Event) => void): void;
  /** Takes a listener out. */
  removeEventListener(type: string, listener: (event: Event) => void): void;
}

/**
 * What is used of a `Document`.
 *
 * @example A page in a test
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, BrowserEventsHandler, EmbeddedChannel, keepAlive } from "@longlink/pipeline";
 * import type { VisibilitySource } from "@longlink/pipeline";
 *
 * const page: VisibilitySource = Object.assign(new EventTarget(), { visibilityState: "hidden" });
 * const channel = new EmbeddedChannel({
 *   handlers: [...keepAlive({ appState: "foreground" }), new BrowserEventsHandler({ document: page })],
 * });
 * assertEquals(channel.pipeline.get(AdaptiveIntervalHandler)?.snapshot()?.phase, "warmUp"); // not "foreground"
 * await channel.close();
 * ```
 */
export interface VisibilitySource extends EventSource {
  /** `visible` or `hidden`. */
  readonly visibilityState: string;
}

/**
 * What is used of a `Navigator`.
 *
 * @example Nothing is tried without a network
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { BrowserEventsHandler, EmbeddedChannel, type NavigatorSource, ReconnectHandler } from "@longlink/pipeline";
 *
 * const navigator: NavigatorSource = { onLine: false };
 * const events = new BrowserEventsHandler({ navigator, target: null });
 * const reconnect = new ReconnectHandler();
 * const channel = new EmbeddedChannel({ active: false, handlers: [reconnect, events] });
 * channel.connect("embedded://peer");
 * assertEquals(reconnect.state, "offline");
 * ```
 */
export interface NavigatorSource {
  /** Whether there is a network at all; absent where the runtime does not say. */
  readonly onLine?: boolean;
  /** The Network Information API, where there is one. */
  readonly connection?: EventSource & { readonly type?: string };
}

/**
 * Options of {@linkcode BrowserEventsHandler}.
 *
 * @example All of a page, in a test
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, BrowserEventsHandler, type BrowserEventsOptions } from "@longlink/pipeline";
 * import { EmbeddedChannel, keepAlive } from "@longlink/pipeline";
 *
 * const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
 * const target = new EventTarget();
 * const options: BrowserEventsOptions = { document: page, target, navigator: { onLine: true } };
 * const channel = new EmbeddedChannel({ handlers: [...keepAlive(), new BrowserEventsHandler(options)] });
 * const phase = () => channel.pipeline.get(AdaptiveIntervalHandler)?.snapshot()?.phase;
 * assertEquals(phase(), "foreground");
 * target.dispatchEvent(new Event("pagehide"));
 * assertEquals(phase(), "warmUp"); // what the background begins with
 * await channel.close();
 * ```
 */
export interface BrowserEventsOptions {
  /** Tells whether the page is visible; null: nobody. Default: `document`, where there is one. */
  readonly document?: VisibilitySource | null;
  /**
   * Fires `online` and `offline`, with a document also `pagehide` and `pageshow`; null: nobody.
   * Default: the global object, in a page or a worker of a browser.
   */
  readonly target?: EventSource | null;
  /** Tells whether there is a network, and of which type; null: nobody. Default: `navigator`. */
  readonly navigator?: NavigatorSource | null;
}

/** A source, a type of event, and who hears it. */
type Subscription = readonly [source: EventSource, type: string, listener: (event: Event) => void];

/**
 * Turns what happens to a page into the pipeline's own events, so that the
 * other handlers know and the application need not say it:
 *
 * | in the browser                                     | in the pipeline                          |
 * | -------------------------------------------------- | ---------------------------------------- |
 * | the page is shown (`visibilitychange`, `pageshow`) | `{ type: "appState", state: "foreground" }` |
 * | it is hidden (`visibilitychange`, `pagehide`)      | `{ type: "appState", state: "background" }` |
 * | `offline`, `online`                                | `{ type: "network", state: ... }`        |
 * | `navigator.connection` has another type            | `{ type: "network", state: "changed" }`  |
 * | the page comes out of the back/forward cache       | `{ type: "network", state: "changed" }`: its sockets may be gone, and so may the network |
 *
 * How things stand is told when the first link is wanted. Events go to all
 * handlers of the pipeline, wherever this one is. It listens from when it is
 * added until it is taken out or the channel closes, and not at all where
 * there is nothing to listen to (Deno, Node, Bun): the same pipeline works
 * there. Other platforms have the same news under other names; fire the same
 * events at the pipeline there (React Native: `AppState`, `NetInfo`).
 *
 * @example In a page this is all
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, BrowserEventsHandler, EmbeddedChannel, keepAlive } from "@longlink/pipeline";
 *
 * const page = Object.assign(new EventTarget(), { visibilityState: "visible" }); // in a browser: leave it out
 * const channel = new EmbeddedChannel({ handlers: [...keepAlive(), new BrowserEventsHandler({ document: page })] });
 * const keepAliveHandler = channel.pipeline.get(AdaptiveIntervalHandler)!;
 * assertEquals(keepAliveHandler.snapshot()?.phase, "foreground");
 * page.visibilityState = "hidden";
 * page.dispatchEvent(new Event("visibilitychange"));
 * assertEquals(keepAliveHandler.snapshot()?.phase, "warmUp"); // what the background begins with
 * await channel.close();
 * ```
 */
export class BrowserEventsHandler implements ChannelHandler {
  readonly #document: VisibilitySource | undefined;
  readonly #target: EventSource | undefined;
  readonly #navigator: NavigatorSource | undefined;
  #subscriptions: readonly Subscription[] = [];
  /** What was told last; undefined: nothing yet, since other handlers may still be on their way into the pipeline. */
  #appState: AppStateEvent["state"] | undefined = undefined;
  #connectionType: string | undefined = undefined;
  #hasBegun = false;

  /**
   * Makes a handler; it listens once it is added.
   *
   * @param options What to listen to; the defaults are right in a browser.
   */
  constructor(options: BrowserEventsOptions = {}) {
    const { document = documentHere(), navigator = navigatorHere() } = options;
    this.#document = document ?? undefined;
    this.#navigator = navigator ?? undefined;
    const isBrowser = this.#document !== undefined || typeof this.#navigator?.onLine === "boolean";
    const { target = isBrowser ? globalThis : null } = options;
    this.#target = target ?? undefined;
  }

  /** Starts to listen. */
  handlerAdded(context: ChannelHandlerContext): void {
    this.#subscriptions = this.#subscribe(context);
    if (context.channel.isActive) this.#begin(context);
  }

  /** Listens no more. */
  handlerRemoved(): void {
    for (const [source, type, listener] of this.#subscriptions) source.removeEventListener(type, listener);
    this.#subscriptions = [];
    this.#appState = undefined;
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
    this.#connectionType = this.#navigator?.connection?.type;
    this.#tellVisibility(context);
    if (this.#navigator?.onLine === false) this.#tellNetwork(context, "offline");
  }

  #subscribe(context: ChannelHandlerContext): Subscription[] {
    const subscriptions: Subscription[] = [];
    const on = (source: EventSource | undefined, type: string, tell: (event: Event) => void) => {
      if (source === undefined) return;
      const listener = (event: Event) => {
        // What happens before the first link is wanted shows in how things stand then.
        if (this.#hasBegun) tell(event);
      };
      source.addEventListener(type, listener);
      subscriptions.push([source, type, listener]);
    };
    on(this.#document, "visibilitychange", () => this.#tellVisibility(context));
    on(this.#target, "online", () => this.#tellNetwork(context, "online"));
    on(this.#target, "offline", () => this.#tellNetwork(context, "offline"));
    // A worker has no page that comes and goes.
    const page = this.#document === undefined ? undefined : this.#target;
    // A page that goes away need not become hidden first (Safari).
    on(page, "pagehide", () => this.#tellAppState(context, "background"));
    on(page, "pageshow", (event) => {
      // The first one of a page says nothing new.
      if ((event as PageTransitionEvent).persisted) this.#tellNetwork(context, "changed");
      this.#tellVisibility(context);
    });
    on(this.#navigator?.connection, "change", () => {
      const type = this.#navigator?.connection?.type;
      // It fires for each new estimate of the speed as well.
      if (type === this.#connectionType) return;
      this.#connectionType = type;
      // "none" is what `offline` says better.
      if (type !== "none") this.#tellNetwork(context, "changed");
    });
    return subscriptions;
  }

  #tellVisibility(context: ChannelHandlerContext): void {
    if (this.#document === undefined) return;
    this.#tellAppState(context, this.#document.visibilityState === "hidden" ? "background" : "foreground");
  }

  #tellAppState(context: ChannelHandlerContext, state: AppStateEvent["state"]): void {
    if (state === this.#appState) return;
    this.#appState = state;
    context.pipeline.fireUserEventTriggered({ type: "appState", state } satisfies AppStateEvent);
  }

  #tellNetwork(context: ChannelHandlerContext, state: NetworkEvent["state"]): void {
    // Which network it is, the one who needs to know asks by itself.
    context.pipeline.fireUserEventTriggered({ type: "network", state } satisfies NetworkEvent);
  }
}

/** Not a global of all runtimes. */
function documentHere(): VisibilitySource | undefined {
  return (globalThis as { readonly document?: VisibilitySource }).document;
}

/** Some runtimes have one that knows nothing of the network. */
function navigatorHere(): NavigatorSource | undefined {
  return (globalThis as { readonly navigator?: NavigatorSource }).navigator;
}
