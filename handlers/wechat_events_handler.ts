/**
 * What a WeChat mini-program knows of itself and the network, as user events.
 *
 * @module
 */

import { PlatformEventsHandler } from "./_platform_events.ts";
import type { PlatformEvents } from "./react_native_events_handler.ts";

/**
 * What a mini-program tells of the network.
 *
 * @example From Wi-Fi to a cellular network
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, weChatEvents, type WeChatNetworkStatus } from "@longlink/pipeline";
 *
 * let networkIs = (_status: WeChatNetworkStatus) => {};
 * const events = weChatEvents({ // in a mini-program: wx
 *   onAppShow() {},
 *   onAppHide() {},
 *   onNetworkStatusChange: (listener) => void (networkIs = listener),
 * });
 * new EmbeddedChannel({ handlers: [events] });
 * networkIs({ isConnected: true, networkType: "wifi" });
 * assertEquals(events.network(), "wifi");
 * networkIs({ isConnected: true, networkType: "5g" });
 * assertEquals(events.network(), "cellular");
 * ```
 */
export interface WeChatNetworkStatus {
  /** Whether there is one. */
  readonly isConnected: boolean;
  /** `wifi`, `2g` to `5g`, `none`, `unknown` ... */
  readonly networkType: string;
}

/**
 * The part of a mini-program's global object (`wx`, `uni`, `qq`, `tt`) that is
 * used.
 *
 * @example In another host than WeChat
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, EmbeddedChannel, keepAlive, type WeChatApp, weChatEvents } from "@longlink/pipeline";
 *
 * const uni: WeChatApp = { // uni-app has one with this name; some hosts cannot take listeners off
 *   onAppShow() {},
 *   onAppHide() {},
 *   onNetworkStatusChange() {},
 * };
 * const channel = new EmbeddedChannel({ handlers: [...keepAlive(), weChatEvents(uni)] });
 * assertEquals(channel.pipeline.get(AdaptiveIntervalHandler)?.snapshot()?.phase, "foreground");
 * await channel.close();
 * ```
 */
export interface WeChatApp {
  /** Adds a listener: the mini-program is shown. */
  onAppShow(listener: () => void): unknown;
  /** Takes it off; with the same function. */
  offAppShow?(listener: () => void): unknown;
  /** Adds a listener: the mini-program is hidden. */
  onAppHide(listener: () => void): unknown;
  /** Takes it off; with the same function. */
  offAppHide?(listener: () => void): unknown;
  /** Adds a listener: the network is another one, gone, or back. */
  onNetworkStatusChange(listener: (status: WeChatNetworkStatus) => void): unknown;
  /** Takes it off; with the same function. */
  // deno-lint-ignore no-explicit-any
  offNetworkStatusChange?(listener: (status: any) => void): unknown;
  /** Tells which network there is now. */
  // deno-lint-ignore no-explicit-any
  getNetworkType?(options: { success: (result: any) => void }): unknown;
}

/**
 * Makes a handler that does in a WeChat mini-program what a
 * `BrowserEventsHandler` does in a browser:
 *
 * | in the mini-program                      | in the pipeline                              |
 * | ---------------------------------------- | -------------------------------------------- |
 * | it is shown (`onAppShow`), or just began | `{ type: "appState", state: "foreground" }`  |
 * | it is hidden (`onAppHide`)               | `{ type: "appState", state: "background" }`  |
 * | `onNetworkStatusChange`: none, one again | `{ type: "network", state: "offline" }`, `"online"` |
 * | `onNetworkStatusChange`: another one     | `{ type: "network", state: "changed" }`      |
 *
 * Networks are told apart as `wifi` and `cellular`, as the platform says no
 * more; the generation (4G, 5G) changes with the weather. Give `network` to
 * `keepAlive()` as well: at each new link it asks.
 *
 * WeChat stops a mini-program soon after it was hidden, and its sockets with
 * it. When it is shown again the link is asked at once whether it still
 * stands, and brought back if not.
 *
 * Made anew for each channel. Not tried on a device, but against objects of
 * this shape.
 *
 * @param wx `wx`, or another object with the same functions.
 * @returns The handler; where it stands in the pipeline does not matter.
 *
 * @example In a mini-program
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, EmbeddedChannel, keepAlive, weChatEvents } from "@longlink/pipeline";
 *
 * let hide = () => {};
 * const wx = { // in a mini-program there is one
 *   onAppShow() {},
 *   onAppHide: (listener: () => void) => void (hide = listener),
 *   onNetworkStatusChange() {},
 * };
 *
 * const events = weChatEvents(wx);
 * const channel = new EmbeddedChannel({ handlers: [...keepAlive({ network: events.network }), events] });
 * const keepAliveHandler = channel.pipeline.get(AdaptiveIntervalHandler)!;
 * assertEquals(keepAliveHandler.snapshot()?.phase, "foreground");
 * hide();
 * assertEquals(keepAliveHandler.snapshot()?.phase, "warmUp"); // what the background begins with
 * await channel.close();
 * ```
 */
export function weChatEvents(wx: WeChatApp): PlatformEvents {
  return new PlatformEventsHandler((news) => {
    let isListening = true;
    // Only a mini-program that is shown begins anything.
    news.appState("foreground");
    // Old versions of the platform cannot take a listener off.
    const onShow = () => isListening && news.appState("foreground");
    const onHide = () => isListening && news.appState("background");
    const onStatus = ({ isConnected, networkType }: WeChatNetworkStatus) => {
      if (isListening) news.network(isConnected && networkType !== "none", identityOf(networkType));
    };
    wx.onAppShow(onShow);
    wx.onAppHide(onHide);
    wx.onNetworkStatusChange(onStatus);
    wx.getNetworkType?.({
      success: ({ networkType }: WeChatNetworkStatus) => onStatus({ isConnected: true, networkType }),
    });
    return () => {
      isListening = false;
      wx.offAppShow?.(onShow);
      wx.offAppHide?.(onHide);
      wx.offNetworkStatusChange?.(onStatus);
    };
  });
}

function identityOf(networkType: string): string | undefined {
  if (/^[2-9]g$/i.test(networkType)) return "cellular";
  return networkType === "unknown" || networkType === "none" ? undefined : networkType;
}
