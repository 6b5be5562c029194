import { assertEquals, assertThrows } from "@std/assert";
import {
  AdaptiveIntervalHandler,
  BrowserEventsHandler,
  type BrowserEventsOptions,
  fixedInterval,
  Heartbeat,
  IdleStateHandler,
  keepAlive,
  ReconnectHandler,
} from "../../handlers/mod.ts";
import { EmbeddedChannel } from "../../pipeline/mod.ts";
import { Collector } from "./_rig.ts";

/** An event target that counts who listens. */
class CountingTarget extends EventTarget {
  readonly listening = new Map<string, number>();

  override addEventListener(type: string, listener: (event: Event) => void): void {
    this.listening.set(type, (this.listening.get(type) ?? 0) + 1);
    super.addEventListener(type, listener);
  }

  override removeEventListener(type: string, listener: (event: Event) => void): void {
    this.listening.set(type, this.listening.get(type)! - 1);
    super.removeEventListener(type, listener);
  }

  get listeners(): number {
    return [...this.listening.values()].reduce((sum, count) => sum + count, 0);
  }

  fire(type: string, fields: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }
}

class FakeDocument extends CountingTarget {
  visibilityState = "visible";

  become(state: "visible" | "hidden"): void {
    this.visibilityState = state;
    this.fire("visibilitychange");
  }
}

class FakeConnection extends CountingTarget {
  type: string | undefined = "wifi";

  become(type: string | undefined): void {
    this.type = type;
    this.fire("change");
  }
}

function page() {
  const document = new FakeDocument();
  const target = new CountingTarget();
  const connection = new FakeConnection();
  const navigator = { onLine: true, connection };
  const listeners = () => document.listeners + target.listeners + connection.listeners;
  return { document, target, navigator, connection, listeners };
}

/** A pipeline with nothing but the handler, after a listener that is nearer to the head. */
function listening(options: BrowserEventsOptions, active = true) {
  const collector = new Collector();
  const handler = new BrowserEventsHandler(options);
  const channel = new EmbeddedChannel({ active, handlers: [handler, collector] });
  const take = () =>
    collector.events.splice(0).filter(({ type }) => type === "appState" || type === "network");
  return { channel, handler, take };
}

const FOREGROUND = { type: "appState", state: "foreground" };
const BACKGROUND = { type: "appState", state: "background" };
const ONLINE = { type: "network", state: "online" };
const OFFLINE = { type: "network", state: "offline" };
const CHANGED = { type: "network", state: "changed" };

Deno.test("BrowserEventsHandler tells how things stand when the first link is wanted, once", () => {
  const { document, target, navigator } = page();
  navigator.onLine = false;
  const { channel, take } = listening({ document, target, navigator }, false);
  document.become("hidden");
  target.fire("online");
  assertEquals(take(), []);
  channel.connect("embedded://peer");
  assertEquals(take(), [BACKGROUND, OFFLINE]);
  channel.loseLink();
  assertEquals(take(), []);
});

Deno.test("BrowserEventsHandler tells how things stand when it joins a link that stands", () => {
  const { document, target, navigator } = page();
  const collector = new Collector();
  const channel = new EmbeddedChannel({ handlers: [collector] });
  channel.pipeline.addLast(new BrowserEventsHandler({ document, target, navigator }));
  assertEquals(collector.events.filter(({ type }) => type === "appState"), [FOREGROUND]);
});

Deno.test("BrowserEventsHandler tells of each change of visibility once", () => {
  const { document, target, navigator } = page();
  const { take } = listening({ document, target, navigator });
  assertEquals(take(), [FOREGROUND]);
  document.become("hidden");
  // A page that goes away says so twice.
  target.fire("pagehide", { persisted: false });
  assertEquals(take(), [BACKGROUND]);
  document.become("visible");
  document.fire("visibilitychange");
  assertEquals(take(), [FOREGROUND]);
  // Safari has no visibilitychange for a page that is left.
  target.fire("pagehide", { persisted: true });
  assertEquals(take(), [BACKGROUND]);
});

Deno.test("BrowserEventsHandler takes a page from the back/forward cache for one on another network", () => {
  const { document, target, navigator } = page();
  const { take } = listening({ document, target, navigator });
  target.fire("pageshow", { persisted: false });
  assertEquals(take(), [FOREGROUND]);
  target.fire("pagehide", { persisted: true });
  target.fire("pageshow", { persisted: true });
  assertEquals(take(), [BACKGROUND, CHANGED, FOREGROUND]);
});

Deno.test("BrowserEventsHandler tells of the network going and coming", () => {
  const { document, target, navigator } = page();
  const { take } = listening({ document, target, navigator });
  take();
  target.fire("offline");
  target.fire("online");
  assertEquals(take(), [OFFLINE, ONLINE]);
});

Deno.test("BrowserEventsHandler tells of another type of connection, not of another speed", () => {
  const { document, target, navigator, connection } = page();
  const { take } = listening({ document, target, navigator });
  take();
  connection.become("wifi");
  assertEquals(take(), []);
  connection.become("cellular");
  assertEquals(take(), [CHANGED]);
  connection.become("none");
  assertEquals(take(), []);
  connection.become("wifi");
  assertEquals(take(), [CHANGED]);
});

Deno.test("BrowserEventsHandler tells handlers on either side of it", () => {
  const { document, target, navigator } = page();
  const [before, after] = [new Collector(), new Collector()];
  before.userEventTriggered = (context, event) => {
    before.events.push(event as typeof FOREGROUND);
    context.fireUserEventTriggered(event);
  };
  const handler = new BrowserEventsHandler({ document, target, navigator });
  const channel = new EmbeddedChannel({ active: false, handlers: [before, handler, after] });
  channel.connect("embedded://peer");
  for (const { events } of [before, after]) assertEquals(events[0], FOREGROUND);
});

Deno.test("BrowserEventsHandler takes its listeners out with itself and with the channel", async () => {
  for (const active of [true, false]) {
    const { document, target, navigator, listeners } = page();
    const options = { document, target, navigator };
    const { channel, handler, take } = listening(options, active);
    assertEquals(listeners(), 6);
    channel.pipeline.remove(handler);
    assertEquals(listeners(), 0);
    take();
    document.become("hidden");
    target.fire("offline");
    assertEquals(take(), []);
    // The instance may come back.
    channel.pipeline.addFirst(handler);
    assertEquals([listeners(), take()], [6, active ? [BACKGROUND] : []]);
    await channel.close();
    assertEquals(listeners(), 0);
  }
});

Deno.test("BrowserEventsHandler listens to nothing where there is nothing to listen to", () => {
  const { document, target, navigator, listeners } = page();
  const { take } = listening({ document: null, target: null, navigator: null });
  assertEquals([listeners(), take()], [0, []]);
  // A worker: a network, and no page.
  listening({ document: null, target, navigator: { onLine: true } });
  assertEquals([...target.listening.keys()], ["online", "offline"]);
  // A frame without a network.
  listening({ document, target: null, navigator: {} });
  assertEquals([...document.listening.keys()], ["visibilitychange"]);
  assertEquals(listening({ document: null, target, navigator }).take(), []);
});

Deno.test("BrowserEventsHandler adds no listener to the globals of this runtime, and takes a browser's", () => {
  const add = globalThis.addEventListener;
  const remove = globalThis.removeEventListener;
  const { document, target, navigator, listeners } = page();
  const globals = globalThis as unknown as Record<string, unknown>;
  const navigatorBefore = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  try {
    globals.addEventListener = target.addEventListener.bind(target);
    globals.removeEventListener = target.removeEventListener.bind(target);
    const { take } = listening({});
    assertEquals([target.listeners, take()], [0, []]);

    globals.document = document;
    Object.defineProperty(globalThis, "navigator", { configurable: true, value: navigator });
    const browser = listening({});
    assertEquals([listeners(), browser.take()], [6, [FOREGROUND]]);
    target.fire("offline");
    assertEquals(browser.take(), [OFFLINE]);
    browser.channel.pipeline.remove(browser.handler);
    assertEquals(listeners(), 0);
  } finally {
    delete globals.document;
    // Node 20 has none.
    if (navigatorBefore === undefined) Reflect.deleteProperty(globalThis, "navigator");
    else Object.defineProperty(globalThis, "navigator", navigatorBefore);
    globals.addEventListener = add;
    globals.removeEventListener = remove;
  }
});

Deno.test("BrowserEventsHandler belongs to one pipeline", () => {
  const { document, target, navigator } = page();
  const { handler } = listening({ document, target, navigator });
  assertThrows(() => new EmbeddedChannel({ handlers: [handler] }));
});

Deno.test("BrowserEventsHandler lets the interval follow the page", () => {
  const { document, target, navigator } = page();
  const handler = new AdaptiveIntervalHandler({ strategy: fixedInterval(240_000), warmUpBeats: 1 });
  const channel = new EmbeddedChannel({
    handlers: [new IdleStateHandler(), handler, new BrowserEventsHandler({ document, target, navigator })],
  });
  const heartbeat = channel.readOutbound() as Heartbeat;
  channel.writeInbound(new Heartbeat("pong", { sequence: heartbeat.sequence }));
  assertEquals(handler.snapshot()!.intervalMs, 25_000);
  document.become("hidden");
  assertEquals(handler.snapshot()!.intervalMs, 240_000);
  assertEquals(channel.drainOutbound(), []);
  // Whether the link outlived the change of network has to be asked at once.
  target.fire("offline");
  assertEquals(channel.drainOutbound(), []);
  target.fire("online");
  assertEquals(channel.drainOutbound().map((message) => (message as Heartbeat).kind), ["ping"]);
});

Deno.test("BrowserEventsHandler keeps ReconnectHandler from trying while offline, wherever it stands", () => {
  for (const position of ["first", "last"]) {
    const { document, target, navigator } = page();
    navigator.onLine = false;
    const browser = new BrowserEventsHandler({ document, target, navigator });
    const handlers = keepAlive();
    const channel = new EmbeddedChannel({
      active: false,
      handlers: position === "first" ? [browser, ...handlers] : [...handlers, browser],
    });
    const reconnect = channel.pipeline.get(ReconnectHandler)!;
    channel.connect("embedded://peer");
    if (position === "last") assertEquals([channel.isActive, reconnect.state], [false, "offline"]);
    target.fire("online");
    assertEquals([channel.isActive, reconnect.state], [true, "up"]);
    channel.loseLink();
    assertEquals(reconnect.state, "waiting");
    target.fire("offline");
    channel.advanceBy(60_000);
    assertEquals([channel.isActive, reconnect.state], [false, "offline"]);
    target.fire("online");
    assertEquals([channel.isActive, reconnect.state], [true, "up"]);
  }
});

Deno.test("BrowserEventsHandler lets ReconnectHandler try at once when the page is shown", () => {
  const { document, target, navigator } = page();
  const channel = new EmbeddedChannel({
    active: false,
    handlers: [...keepAlive(), new BrowserEventsHandler({ document, target, navigator })],
  });
  channel.connect("embedded://peer");
  document.become("hidden");
  channel.loseLink();
  assertEquals(channel.isActive, false);
  document.become("visible");
  assertEquals(channel.isActive, true);
});
