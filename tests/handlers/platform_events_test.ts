import { assertEquals, assertNotEquals } from "@std/assert";
import { EmbeddedChannel } from "../../pipeline/mod.ts";
import {
  AdaptiveIntervalHandler,
  keepAlive,
  reactNativeEvents,
  type ReactNativeNetInfoState,
  ReconnectHandler,
  type WeChatApp,
  weChatEvents,
  type WeChatNetworkStatus,
} from "../../handlers/mod.ts";
import { type AnyEvent, Collector } from "./_rig.ts";

const FOREGROUND = { type: "appState", state: "foreground" };
const BACKGROUND = { type: "appState", state: "background" };
const OFFLINE = { type: "network", state: "offline" };

/** React Native's AppState and NetInfo, as far as they can be told from outside. */
function reactNative(currentState: string | null = "active") {
  const appListeners = new Set<(state: string) => void>();
  const netListeners = new Set<(state: ReactNativeNetInfoState) => void>();
  return {
    AppState: {
      currentState,
      addEventListener(_type: "change", listener: (state: string) => void) {
        appListeners.add(listener);
        return { remove: () => void appListeners.delete(listener) };
      },
    },
    NetInfo: {
      addEventListener(listener: (state: ReactNativeNetInfoState) => void) {
        netListeners.add(listener);
        return () => void netListeners.delete(listener);
      },
    },
    app: (state: string) => appListeners.forEach((listener) => listener(state)),
    net: (state: ReactNativeNetInfoState) => netListeners.forEach((listener) => listener(state)),
    get listeners() {
      return appListeners.size + netListeners.size;
    },
  };
}

const wifi = (ipAddress: string | null) => ({ type: "wifi", isConnected: true, details: { ipAddress } });
const cellular = (carrier: string | null) => ({ type: "cellular", isConnected: true, details: { carrier } });
const none = { type: "none", isConnected: false, details: null };
const unknown = { type: "unknown", isConnected: null, details: null };

function listening(handler: ReturnType<typeof reactNativeEvents>, active = true) {
  const end = new Collector();
  const channel = new EmbeddedChannel({ active, handlers: [handler, end] });
  const take = (): AnyEvent[] => end.events.splice(0).filter(({ type }) => type !== "linkUp");
  return { channel, take };
}

Deno.test("reactNativeEvents() tells of foreground and background, and of nothing in between", () => {
  const native = reactNative();
  const { take } = listening(reactNativeEvents(native));
  assertEquals(take(), [FOREGROUND]);
  native.app("inactive");
  native.app("active");
  assertEquals(take(), []);
  native.app("inactive");
  native.app("background");
  native.app("background");
  native.app("active");
  assertEquals(take(), [BACKGROUND, FOREGROUND]);
});

Deno.test("reactNativeEvents() waits for a state that says something", () => {
  for (const state of [null, "unknown", "inactive", "extension"]) {
    const native = reactNative(state);
    const { take } = listening(reactNativeEvents(native));
    assertEquals(take(), []);
    native.app("background");
    assertEquals(take(), [BACKGROUND]);
  }
});

Deno.test("reactNativeEvents() tells of the network and which it is", () => {
  const native = reactNative("background");
  const events = reactNativeEvents(native);
  const { take } = listening(events);
  take();
  assertEquals(events.network(), "default");
  native.net(wifi("192.168.1.23"));
  const home = events.network();
  assertEquals(take(), [{ type: "network", state: "changed", network: home }]);
  native.net(wifi("192.168.1.99"));
  native.net(unknown);
  assertEquals(take(), []);
  native.net(wifi("10.0.7.2"));
  assertNotEquals(events.network(), home);
  assertEquals(take().length, 1);
  native.net(none);
  native.net(none);
  assertEquals(take(), [OFFLINE]);
  native.net(cellular("Carrier"));
  assertEquals(take(), [{ type: "network", state: "online", network: "cellular-Carrier" }]);
});

Deno.test("reactNativeEvents() tells networks apart as far as NetInfo does, and hides addresses", () => {
  const native = reactNative();
  const events = reactNativeEvents(native);
  listening(events);
  const networkOf = (state: ReactNativeNetInfoState) => {
    native.net(state);
    return events.network();
  };
  assertEquals(networkOf(wifi(null)), "wifi");
  assertEquals(networkOf(wifi("fe80::1")).replace(/[0-9a-f]{8}$/, "#"), "wifi-net-#");
  assertEquals(networkOf(wifi("192.168.1.23")), networkOf(wifi("192.168.1.24")));
  assertEquals(networkOf(cellular(null)), "cellular");
  assertEquals(networkOf({ type: "vpn", isConnected: true, details: null }), "vpn");
  for (const type of ["unknown", "other"]) {
    assertEquals(networkOf({ type, isConnected: true, details: null }), "default");
  }
});

Deno.test("reactNativeEvents() tells how things stand when the first link is wanted", () => {
  const native = reactNative("background");
  const { channel, take } = listening(reactNativeEvents(native), false);
  native.app("active");
  native.app("background");
  native.net(none);
  assertEquals(take(), []);
  channel.connect("embedded://peer");
  assertEquals(take(), [BACKGROUND, OFFLINE]);
});

Deno.test("reactNativeEvents() does not end a try because NetInfo tells the network only now", () => {
  const native = reactNative();
  const events = reactNativeEvents(native);
  const tries: AbortSignal[] = [];
  const channel = new EmbeddedChannel({
    active: false,
    onConnect: (_remote, signal) => {
      tries.push(signal);
      return new Promise(() => {});
    },
    handlers: [...keepAlive(), events],
  });
  channel.connect("embedded://peer").onSettled(() => {});
  native.net(wifi("192.168.1.23"));
  assertEquals(tries.map(({ aborted }) => aborted), [false]);
  native.net(cellular("Carrier"));
  assertEquals(tries.map(({ aborted }) => aborted), [true, false]);
  channel.close();
});

Deno.test("reactNativeEvents() needs no NetInfo", () => {
  const { AppState, app } = reactNative();
  const events = reactNativeEvents({ AppState });
  const { take } = listening(events);
  app("background");
  assertEquals([take(), events.network()], [[FOREGROUND, BACKGROUND], "default"]);
});

Deno.test("reactNativeEvents() listens from when it is added until it is taken out, and can come back", () => {
  const native = reactNative();
  const handler = reactNativeEvents(native);
  assertEquals(native.listeners, 0);
  const { channel, take } = listening(handler);
  assertEquals(native.listeners, 2);
  channel.pipeline.remove(handler);
  assertEquals(native.listeners, 0);
  take();
  channel.pipeline.addFirst(handler);
  assertEquals([native.listeners, take()], [2, [FOREGROUND]]);
  channel.close();
  assertEquals(native.listeners, 0);
});

Deno.test("reactNativeEvents() lets what was learned be used again on the network that it is of", () => {
  const native = reactNative("background");
  const events = reactNativeEvents(native);
  const channel = new EmbeddedChannel({
    active: false,
    handlers: [...keepAlive({ network: events.network }), events],
  });
  const adaptive = channel.pipeline.get(AdaptiveIntervalHandler)!;
  const reconnect = channel.pipeline.get(ReconnectHandler)!;
  channel.connect("embedded://peer");
  native.net(cellular("Carrier"));
  assertEquals(adaptive.snapshot()!.network, "cellular-Carrier");
  native.net(none);
  channel.loseLink();
  assertEquals(reconnect.state, "offline");
  native.net(wifi("192.168.1.23"));
  assertEquals([reconnect.state, adaptive.snapshot()!.network], ["up", events.network()]);
  channel.close();
});

/** A mini-program, as far as it can be told from outside. */
function miniProgram({ canListenOff = true, now = "wifi" as string | undefined } = {}) {
  const show = new Set<() => void>();
  const hide = new Set<() => void>();
  const net = new Set<(status: WeChatNetworkStatus) => void>();
  const wx: WeChatApp = {
    onAppShow: (listener) => show.add(listener),
    onAppHide: (listener) => hide.add(listener),
    onNetworkStatusChange: (listener) => net.add(listener),
    ...(now === undefined ? {} : {
      getNetworkType: ({ success }) => success({ networkType: now }),
    }),
    ...(canListenOff
      ? {
        offAppShow: (listener) => show.delete(listener),
        offAppHide: (listener) => hide.delete(listener),
        offNetworkStatusChange: (listener) => net.delete(listener),
      }
      : {}),
  };
  return {
    wx,
    show: () => show.forEach((listener) => listener()),
    hide: () => hide.forEach((listener) => listener()),
    network: (networkType: string, isConnected = networkType !== "none") =>
      net.forEach((listener) => listener({ isConnected, networkType })),
    get listeners() {
      return show.size + hide.size + net.size;
    },
  };
}

Deno.test("weChatEvents() tells when the mini-program is shown and hidden", () => {
  const program = miniProgram();
  const { take } = listening(weChatEvents(program.wx));
  assertEquals(take(), [FOREGROUND]);
  program.show();
  assertEquals(take(), []);
  program.hide();
  program.show();
  assertEquals(take(), [BACKGROUND, FOREGROUND]);
});

Deno.test("weChatEvents() tells of the network and which it is", () => {
  const program = miniProgram();
  const events = weChatEvents(program.wx);
  const { take } = listening(events);
  take();
  assertEquals(events.network(), "wifi");
  program.network("5g");
  program.network("4g");
  assertEquals(take(), [{ type: "network", state: "changed", network: "cellular" }]);
  program.network("none");
  assertEquals(take(), [OFFLINE]);
  program.network("wifi");
  assertEquals(take(), [{ type: "network", state: "online", network: "wifi" }]);
  program.network("unknown");
  assertEquals(take(), [{ type: "network", state: "changed", network: "default" }]);
});

Deno.test("weChatEvents() knows at once that there is no network", () => {
  const { take } = listening(weChatEvents(miniProgram({ now: "none" }).wx));
  assertEquals(take(), [FOREGROUND, OFFLINE]);
});

Deno.test("weChatEvents() listens from when it is added until it is taken out", () => {
  const program = miniProgram();
  const handler = weChatEvents(program.wx);
  assertEquals(program.listeners, 0);
  const { channel } = listening(handler);
  assertEquals(program.listeners, 3);
  channel.close();
  assertEquals(program.listeners, 0);
});

Deno.test("weChatEvents() says nothing more where a listener cannot be taken off", () => {
  const program = miniProgram({ canListenOff: false, now: undefined });
  const handler = weChatEvents(program.wx);
  const { channel, take } = listening(handler);
  channel.pipeline.remove(handler);
  take();
  program.hide();
  program.network("4g");
  assertEquals([program.listeners, take()], [3, []]);
});

Deno.test("weChatEvents() lets the link be asked at once when the mini-program is shown again", () => {
  const program = miniProgram();
  const handlers = keepAlive();
  const channel = new EmbeddedChannel({ handlers: [...handlers, weChatEvents(program.wx)] });
  const adaptive = channel.pipeline.get(AdaptiveIntervalHandler)!;
  program.hide();
  const { heartbeats } = adaptive.snapshot()!;
  channel.advanceBy(500);
  program.show();
  assertEquals(adaptive.snapshot()!.heartbeats, heartbeats + 1);
  channel.close();
});
