import { assert, assertEquals, assertGreaterOrEqual, assertLess, assertThrows } from "@std/assert";
import type { Channel } from "../../pipeline/channel.ts";
import type { ChannelHandler } from "../../pipeline/channel_handler.ts";
import type { DrainEvent } from "../../pipeline/link_event.ts";
import { ServerBootstrap } from "../../pipeline/server_bootstrap.ts";
import type { ListenOptions, Transport } from "../../pipeline/transport.ts";
import { VirtualEventLoop } from "../../pipeline/virtual_event_loop.ts";
import { ManualLink, ManualTransport } from "./_manual_transport.ts";

/** A transport that accepts the links which the test gives it. */
class ManualServerTransport extends ManualTransport {
  closed = 0;
  #options!: ListenOptions;

  listen: Transport["listen"] = (address, options) => {
    this.#options = options;
    const close = () => {
      this.closed++;
      return Promise.resolve();
    };
    return Promise.resolve({ address, close });
  };

  /** A peer that ends its side at once when asked to, or within the 2 s that every link keeps to. */
  accept({ endsAtOnce = true } = {}): ManualLink {
    const link = new ManualLink();
    const { loop } = this.#options;
    link.onCall = (call) => {
      if (call === "close") loop.schedule(endsAtOnce ? 0 : 2_000, () => link.down("closed"));
    };
    this.#options.onLink(link);
    return link;
  }
}

/** Notes the events that the channels get. */
async function draining(onDrain: (event: DrainEvent, channel: Channel) => void = () => {}) {
  const loop = new VirtualEventLoop();
  const transport = new ManualServerTransport();
  const events: DrainEvent[] = [];
  const watcher: ChannelHandler = {
    isSharable: true,
    userEventTriggered({ channel }, event) {
      if ((event as DrainEvent).type !== "drain") return;
      events.push(event as DrainEvent);
      onDrain(event as DrainEvent, channel);
    },
  };
  const server = await new ServerBootstrap({ transport, loop, pipeline: (p) => p.addLast(watcher) })
    .listen("manual://here");
  const close = (options: { windowMs?: number; deadlineMs?: number } = {}) => {
    const closing = { atMs: -1 };
    server.close({ drain: options }).then(() => closing.atMs = loop.now());
    return closing;
  };
  return { loop, transport, server, events, close };
}

const states = (channels: Iterable<Channel>) => Array.from(channels, ({ state }) => state);

Deno.test("ServerChannel.close() with drain tells each channel another time to come back, within the window", async () => {
  const { loop, transport, server, events, close } = await draining();
  for (let i = 0; i < 200; i++) transport.accept();
  const [hidden] = server.channels as unknown as [Channel];
  hidden.withdraw();
  close({ windowMs: 20_000 });
  assertEquals([transport.closed, events.length], [1, 200]);
  for (const { comeBackMs, deadlineMs } of events) {
    assert(comeBackMs >= 0 && comeBackMs < 20_000);
    assertEquals(deadlineMs, 8_000);
  }
  const perSecond = new Array(20).fill(0);
  for (const { comeBackMs } of events) perSecond[Math.floor(comeBackMs / 1_000)]++;
  assertLess(Math.max(...perSecond), 25);
  await loop.advanceByAsync(0);
  assertEquals(server.channels.size, 0);
});

Deno.test("ServerChannel.close() with drain accepts nobody from the first moment on", async () => {
  const { loop, transport, server, close } = await draining();
  transport.accept();
  const closing = close();
  const late = transport.accept();
  assertEquals(late.calls, ["open", "abort"]);
  await loop.advanceByAsync(0);
  assertEquals([closing.atMs, server.channels.size, loop.pendingTimers], [0, 0, 0]);
});

Deno.test("ServerChannel.close() with drain flushes what was written, and waits until it has left", async () => {
  const { loop, transport, server, close } = await draining();
  const [idle, busy] = [transport.accept(), transport.accept()];
  const [, channel] = server.channels as unknown as [Channel, Channel];
  const written = channel.write("unflushed");
  const closing = close();
  await loop.advanceByAsync(1_000);
  assertEquals([idle.calls.at(-1), busy.calls.at(-1)], ["close", "flush"]);
  busy.sent("unflushed".length - 1);
  await loop.advanceByAsync(1_000);
  assertEquals(busy.calls.at(-1), "flush");
  busy.sent(1);
  await loop.advanceByAsync(100);
  assertEquals([busy.calls.at(-1), written.isSuccess], ["close", true]);
  assertGreaterOrEqual(closing.atMs, 2_000);
  assertLess(closing.atMs, 2_100);
});

Deno.test("ServerChannel.close() with drain waits for what handlers promise, settled either way", async () => {
  const promises = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { loop, transport, server, close } = await draining((event) => {
    event.waitUntil(promises[0]!.promise);
    event.waitUntil(promises[1]!.promise);
  });
  transport.accept();
  const closing = close();
  await loop.advanceByAsync(1_000);
  promises[0]!.resolve();
  await loop.advanceByAsync(1_000);
  assertEquals(states(server.channels), ["active"]);
  promises[1]!.reject(new Error("the store is away"));
  await loop.advanceByAsync(100);
  assertEquals([closing.atMs, server.channels.size, loop.pendingTimers], [2_000, 0, 0]);
});

Deno.test("ServerChannel.close() with drain ends by its deadline though nobody reads, answers or ends", async () => {
  const { loop, transport, server, close } = await draining((event) =>
    event.waitUntil(new Promise(() => {}))
  );
  const deaf = transport.accept();
  transport.accept({ endsAtOnce: false });
  const [channel] = server.channels as unknown as [Channel];
  channel.writeAndFlush("never read").onSettled(() => {});
  const closing = close({ deadlineMs: 7_000 });
  await loop.advanceByAsync(4_999);
  assertEquals(states(server.channels), ["active", "active"]);
  await loop.advanceByAsync(1);
  // It would not read while its link is closed either.
  assertEquals([deaf.calls.at(-1), states(server.channels)], ["abort", ["closing"]]);
  await loop.advanceByAsync(2_000);
  assertEquals([closing.atMs, server.channels.size, loop.pendingTimers], [7_000, 0, 0]);
});

Deno.test("ServerChannel.close() with drain waits for no handler that holds its close back beyond the deadline", async () => {
  const { loop, transport, server, close } = await draining();
  transport.accept();
  const [channel] = server.channels as unknown as [Channel];
  channel.pipeline.addLast({
    close(context, promise) {
      // As a session does that wants its last messages to be acknowledged.
      channel.closed.then(() => promise.resolve());
      context.loop.schedule(60_000, () => context.close());
    },
    channelInactive: (context) => void context.close(),
  });
  const closing = close({ deadlineMs: 3_000 });
  await loop.advanceByAsync(2_999);
  assertEquals([closing.atMs, states(server.channels)], [-1, ["active"]]);
  await loop.advanceByAsync(1);
  assertEquals([closing.atMs, server.channels.size], [3_000, 0]);
});

Deno.test("ServerChannel.close() with drain closes withdrawn channels after the others, which they may carry", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { loop, transport, server, close } = await draining((event, channel) => {
    if (server.channels.has(channel)) event.waitUntil(promise);
  });
  const links = [transport.accept(), transport.accept()];
  const [carrier] = server.channels as unknown as [Channel];
  carrier.withdraw();
  const closing = close();
  await loop.advanceByAsync(1_000);
  assertEquals(links.map(({ calls }) => calls.includes("close")), [false, false]);
  links[1]!.onCall = (call) => call === "close" && loop.schedule(500, () => links[1]!.down("closed"));
  resolve();
  await loop.advanceByAsync(100);
  assertEquals(links.map(({ calls }) => calls.includes("close")), [false, true]);
  await loop.advanceByAsync(1_000);
  assertEquals([carrier.state, closing.atMs], ["closed", 1_500]);
});

Deno.test("ServerChannel.close() without drain cuts a drain short", async () => {
  const { loop, transport, server, close } = await draining((event) =>
    event.waitUntil(new Promise(() => {}))
  );
  transport.accept();
  const [channel] = server.channels as unknown as [Channel];
  const closing = close();
  await loop.advanceByAsync(1_000);
  close();
  await loop.advanceByAsync(1_000);
  assertEquals([closing.atMs, channel.state], [-1, "active"]);
  server.close();
  await loop.advanceByAsync(0);
  assertEquals([closing.atMs, channel.state, transport.closed], [2_000, "closed", 1]);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("ServerChannel.close() with drain has nothing to do where there is no channel", async () => {
  const { loop, close } = await draining();
  const closing = close();
  await loop.advanceByAsync(0);
  assertEquals([closing.atMs, loop.pendingTimers], [0, 0]);
});

Deno.test("ServerChannel.close() refuses times out of range, and closes nothing then", async () => {
  const { server, transport } = await draining();
  for (const windowMs of [-1, NaN, 3_600_001]) {
    assertThrows(() => server.close({ drain: { windowMs } }), RangeError, "windowMs");
  }
  for (const deadlineMs of [0, -1, NaN, Infinity]) {
    assertThrows(() => server.close({ drain: { deadlineMs } }), RangeError, "deadlineMs");
  }
  assertEquals(transport.closed, 0);
});
