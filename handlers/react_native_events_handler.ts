/**
 * What React Native knows of the application and the network, as user events.
 *
 * @module
 */

import type { ChannelHandler } from "../pipeline/mod.ts";
import { networkIdentity } from "./network_identity.ts";
import { PlatformEventsHandler, type PlatformNews } from "./_platform_events.ts";

/**
 * The part of React Native's `AppState` that is used.
 *
 * @example `AppState` is one as it is
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, EmbeddedChannel, keepAlive } from "@longlink/pipeline";
 * import { type ReactNativeAppState, reactNativeEvents } from "@longlink/pipeline";
 *
 * // import { AppState } from "react-native";
 * const AppState: ReactNativeAppState = {
 *   currentState: "active",
 *   addEventListener: () => ({ remove() {} }),
 * };
 * const channel = new EmbeddedChannel({ handlers: [...keepAlive(), reactNativeEvents({ AppState })] });
 * assertEquals(channel.pipeline.get(AdaptiveIntervalHandler)?.snapshot()?.phase, "foreground");
 * await channel.close();
 * ```
 */
export interface ReactNativeAppState {
  /** `active`, `background`, or a state in between; null at first. */
  readonly currentState: string | null;
  /** Adds a listener. */
  addEventListener(type: "change", listener: (state: string) => void): { remove(): void };
}

/**
 * What is used of the state that `@react-native-community/netinfo` tells.
 *
 * @example A cellular network, known by its carrier
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, reactNativeEvents, type ReactNativeNetInfoState } from "@longlink/pipeline";
 *
 * const state: ReactNativeNetInfoState = { type: "cellular", isConnected: true, details: { carrier: "Example" } };
 * const events = reactNativeEvents({
 *   AppState: { currentState: "active", addEventListener: () => ({ remove() {} }) },
 *   NetInfo: { addEventListener: (listener) => (listener(state), () => {}) },
 * });
 * new EmbeddedChannel({ handlers: [events] });
 * assertEquals(events.network(), "cellular-Example");
 * ```
 */
export interface ReactNativeNetInfoState {
  /** `wifi`, `cellular`, `none`, `unknown` ... */
  readonly type: string;
  /** Whether there is a network; null if that is not known. */
  readonly isConnected: boolean | null;
  /** What is known of it, by type: of a Wi-Fi the `ipAddress`, of a cellular network the `carrier`. */
  readonly details: object | null;
}

/**
 * The part of `@react-native-community/netinfo`'s default export that is used.
 *
 * @example `NetInfo` is one as it is
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, reactNativeEvents, type ReactNativeNetInfo, ReconnectHandler } from "@longlink/pipeline";
 *
 * // import NetInfo from "@react-native-community/netinfo";
 * const NetInfo: ReactNativeNetInfo = {
 *   addEventListener: (listener) => (listener({ type: "none", isConnected: false, details: null }), () => {}),
 * };
 * const AppState = { currentState: "active", addEventListener: () => ({ remove() {} }) };
 * const reconnect = new ReconnectHandler();
 * const handlers = [reconnect, reactNativeEvents({ AppState, NetInfo })];
 * new EmbeddedChannel({ active: false, handlers }).connect("embedded://peer");
 * assertEquals(reconnect.state, "offline");
 * ```
 */
export interface ReactNativeNetInfo {
  /** Adds a listener, which is told the state at first and when it changes. */
  addEventListener(listener: (state: ReactNativeNetInfoState) => void): () => void;
}

/**
 * Options of {@linkcode reactNativeEvents}.
 *
 * @example Without NetInfo all networks are one
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { reactNativeEvents, type ReactNativeEventsOptions } from "@longlink/pipeline";
 *
 * const AppState = { currentState: "active", addEventListener: () => ({ remove() {} }) };
 * const options: ReactNativeEventsOptions = { AppState };
 * assertEquals(reactNativeEvents(options).network(), "default");
 * ```
 */
export interface ReactNativeEventsOptions {
  /** `AppState` of `react-native`. */
  readonly AppState: ReactNativeAppState;
  /** The default export of `@react-native-community/netinfo`. Default: nobody tells of the network. */
  readonly NetInfo?: ReactNativeNetInfo;
}

/**
 * A handler that tells what its platform knows.
 *
 * @example Its network goes to `keepAlive()`
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, EmbeddedChannel, keepAlive, type PlatformEvents, weChatEvents } from "@longlink/pipeline";
 *
 * const wx = { // in a mini-program there is one
 *   onAppShow() {},
 *   onAppHide() {},
 *   onNetworkStatusChange() {},
 *   getNetworkType: ({ success }: { success: (result: unknown) => void }) => success({ networkType: "5g" }),
 * };
 * const events: PlatformEvents = weChatEvents(wx);
 * const channel = new EmbeddedChannel({ handlers: [events, ...keepAlive({ network: events.network })] });
 * assertEquals(channel.pipeline.get(AdaptiveIntervalHandler)?.snapshot()?.network, "cellular");
 * await channel.close();
 * ```
 */
export interface PlatformEvents extends ChannelHandler {
  /**
   * Tells which network is in use: what the option `network` of `keepAlive()`
   * wants, as the platform's WebSocket does not tell.
   *
   * @returns Its identity, or `default` where it is not known.
   */
  readonly network: () => string;
}

/**
 * Makes a handler that does in React Native what a `BrowserEventsHandler` does
 * in a browser:
 *
 * | in React Native                              | in the pipeline                              |
 * | -------------------------------------------- | -------------------------------------------- |
 * | `AppState` is `active`                       | `{ type: "appState", state: "foreground" }`  |
 * | it is `background`                           | `{ type: "appState", state: "background" }`  |
 * | `NetInfo` has no connection, has one again   | `{ type: "network", state: "offline" }`, `"online"` |
 * | it has another one                           | `{ type: "network", state: "changed" }`      |
 *
 * The states in between (`inactive` on iOS: a call comes in, the notification
 * centre is open) change nothing. Whether the Internet is reachable is not
 * asked: NetInfo finds that out with a request to a host that is not reachable
 * everywhere.
 *
 * Networks are told apart by their type and, as far as NetInfo tells, by the
 * network part of this device's address on a Wi-Fi, hashed, and by the name of
 * the carrier on a cellular network; its generation (4G, 5G) changes with the
 * weather. Give `network` to `keepAlive()` as well: at each new link it asks.
 *
 * Made anew for each channel. Not tried on a device, but against objects of
 * these shapes.
 *
 * @param options React Native's own objects.
 * @returns The handler; where it stands in the pipeline does not matter.
 *
 * @example In React Native
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, EmbeddedChannel, keepAlive, reactNativeEvents } from "@longlink/pipeline";
 *
 * // import { AppState } from "react-native";
 * // import NetInfo from "@react-native-community/netinfo";
 * let appStateIs = (_state: string) => {};
 * const AppState = {
 *   currentState: "active",
 *   addEventListener: (_type: "change", listener: (state: string) => void) => {
 *     appStateIs = listener;
 *     return { remove() {} };
 *   },
 * };
 *
 * const events = reactNativeEvents({ AppState });
 * const channel = new EmbeddedChannel({ handlers: [...keepAlive({ network: events.network }), events] });
 * const keepAliveHandler = channel.pipeline.get(AdaptiveIntervalHandler)!;
 * assertEquals(keepAliveHandler.snapshot()?.phase, "foreground");
 * appStateIs("background");
 * assertEquals(keepAliveHandler.snapshot()?.phase, "warmUp"); // what the background begins with
 * await channel.close();
 * ```
 */
export function reactNativeEvents({ AppState, NetInfo }: ReactNativeEventsOptions): PlatformEvents {
  return new PlatformEventsHandler((news) => {
    tellAppState(news, AppState.currentState);
    const appState = AppState.addEventListener("change", (state) => tellAppState(news, state));
    const stopNetInfo = NetInfo?.addEventListener(({ type, isConnected, details }) => {
      if (isConnected !== null) news.network(isConnected, identityOf(type, details));
    });
    return () => {
      appState.remove();
      stopNetInfo?.();
    };
  });
}

function tellAppState(news: PlatformNews, state: string | null): void {
  if (state === "active") news.appState("foreground");
  else if (state === "background") news.appState("background");
}

function identityOf(type: string, details: ReactNativeNetInfoState["details"]): string | undefined {
  const { ipAddress, carrier } = (details ?? {}) as { ipAddress?: unknown; carrier?: unknown };
  if (type === "cellular" && typeof carrier === "string" && carrier !== "") return `cellular-${carrier}`;
  const host = typeof ipAddress === "string" ? ipAddress : "";
  const localAddress = host === "" ? "" : `tcp://${host.includes(":") ? `[${host}]` : host}:1`;
  const identity = networkIdentity({ localAddress }, { type });
  return identity.startsWith("net-") ? `${type}-${identity}` : identity;
}
