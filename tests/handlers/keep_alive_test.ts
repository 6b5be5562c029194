import {
  assert,
  assertEquals,
  assertLess,
  assertLessOrEqual,
  assertNotStrictEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Bootstrap,
  type Channel,
  type ChannelHandler,
  EmbeddedChannel,
  ServerBootstrap,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { memory } from "../../pipeline/transports/memory.ts";
import {
  AdaptiveIntervalHandler,
  answerKeepAlive,
  fixedInterval,
  HeartbeatDecoder,
  HeartbeatEncoder,
  HeartbeatResponder,
  IdleStateHandler,
  keepAlive,
  type KeepAliveOptions,
  MemoryIntervalStore,
  MessagePackCodec,
  rawFormat,
  ReconnectHandler,
  stepwise,
  VarintFrameDecoder,
  VarintFrameEncoder,
} from "../../handlers/mod.ts";
import { NatNetwork, type NatNetworkOptions } from "./_nat_network.ts";
import { type AnyEvent, Collector } from "./_rig.ts";

function classesOf(handlers: readonly ChannelHandler[]): unknown[] {
  return handlers.map((handler) => handler.constructor);
}

/** Collects the messages of its channel. */
class Inbox extends Collector {
  readonly messages: unknown[] = [];

  channelRead(_context: unknown, message: unknown): void {
    this.messages.push(message);
  }
}

/** A client and a server that is behind a NAT, on virtual time. */
async function twoEnds({ after = [], nat, ...options }: KeepAliveOptions & {
  readonly after?: readonly ChannelHandler[];
  readonly nat?: NatNetworkOptions;
} = {}) {
  const loop = new VirtualEventLoop();
  const network = new NatNetwork(loop, nat);
  const atServer = new Inbox();
  const atClient = new Inbox();
  const server = await new ServerBootstrap({
    loop,
    transport: network,
    pipeline: (p) =>
      p.addLast(...answerKeepAlive(), {
        channelRead: (_context, message) => atServer.messages.push(message),
        exceptionCaught: (_context, error) => atServer.errors.push(error),
        userEventTriggered: (_context, event) => atServer.events.push(event as AnyEvent),
      }),
  }).listen("nat://server");
  const channel = await new Bootstrap({
    loop,
    transport: network,
    pipeline: (p) => p.addLast(...keepAlive(options), ...after, atClient),
  }).connect("nat://server");
  const handler = channel.pipeline.get(AdaptiveIntervalHandler)!;
  return { loop, network, server, channel, handler, atServer, atClient };
}

function newest(channels: ReadonlySet<Channel>): Channel {
  return [...channels].at(-1)!;
}

Deno.test("keepAlive() has the handlers in their right order", () => {
  const order = [
    IdleStateHandler,
    VarintFrameDecoder,
    VarintFrameEncoder,
    HeartbeatDecoder,
    HeartbeatEncoder,
    AdaptiveIntervalHandler,
    ReconnectHandler,
    MessagePackCodec,
  ];
  assertEquals(classesOf(keepAlive()), order);
  assertEquals(classesOf(keepAlive({})), order);
});

Deno.test("answerKeepAlive() has the handlers in their right order", () => {
  const order = [
    IdleStateHandler,
    VarintFrameDecoder,
    VarintFrameEncoder,
    HeartbeatDecoder,
    HeartbeatEncoder,
    HeartbeatResponder,
    MessagePackCodec,
  ];
  assertEquals(classesOf(answerKeepAlive()), order);
  assertEquals(classesOf(answerKeepAlive({})), order);
});

Deno.test("keepAlive() shares what has no state and makes the rest anew", () => {
  const [one, other, server] = [keepAlive(), keepAlive({}), answerKeepAlive()];
  for (const [i, handler] of one.entries()) {
    if (handler.isSharable) {
      assertStrictEquals(other[i], handler);
      assert(server.includes(handler));
    } else {
      assertNotStrictEquals(other[i], handler);
    }
  }
  const shared = one.filter((handler) => handler.isSharable).length;
  assertLessOrEqual(3, shared); // frame encoder, heartbeat encoder, codec
  assertEquals(new Set([...one, ...server]).size, one.length + server.length - shared);
});

Deno.test("keepAlive() leaves out what is null", () => {
  const classes = classesOf(keepAlive({ reconnect: null, codec: null }));
  assert(!classes.includes(ReconnectHandler));
  assert(!classes.includes(MessagePackCodec));
  assertEquals(classes.length, 6);
  assert(!classesOf(answerKeepAlive({ codec: null })).includes(MessagePackCodec));
});

Deno.test("keepAlive() closes the channel with its link where reconnect is null", async () => {
  const channel = new EmbeddedChannel({ handlers: keepAlive({ reconnect: null }) });
  channel.loseLink();
  await channel.closed;
  assertEquals((channel.loop as VirtualEventLoop).pendingTimers, 0);
});

Deno.test("keepAlive() hands its options to the handlers", () => {
  const codec: ChannelHandler = { channelRead: (context, message) => context.fireChannelRead([message]) };
  const channel = new EmbeddedChannel({
    active: false,
    onConnect: () => {
      throw new Error("down");
    },
    handlers: keepAlive({
      strategy: fixedInterval(77_000),
      format: rawFormat({ ping: new Uint8Array([9]), pong: new Uint8Array([8]) }),
      maxFrameBytes: 20,
      reconnect: { maxAttempts: 1, queue: { maxMessages: 0 } },
      codec,
    }),
  });
  const { pipeline } = channel;
  const { strategy, intervalMs } = pipeline.get(AdaptiveIntervalHandler)!.snapshot()!;
  assertEquals([strategy, intervalMs], ["fixed", 77_000]);
  assertEquals(pipeline.get(HeartbeatEncoder)!.format.name, "raw");
  assertStrictEquals(pipeline.get(codec), codec);
  channel.reopen();
  assertEquals(channel.readOutbound(), new Uint8Array([1, 9]));
  channel.writeInbound(new Uint8Array([1, 8, 1, 7]));
  assert(pipeline.get(AdaptiveIntervalHandler)!.snapshot()!.isValid);
  assertEquals(channel.drainInbound(), [[new Uint8Array([7])]]);
  assertThrows(() => channel.writeOutbound(new Uint8Array(21)), RangeError, "maxFrameBytes 20");
  assertThrows(() => channel.writeInbound(new Uint8Array([21])), Error, "maxFrameBytes 20");
});

Deno.test("keepAlive() gives reconnect options to the ReconnectHandler", async () => {
  const channel = new EmbeddedChannel({
    active: false,
    onConnect: () => {
      throw new Error("down");
    },
    handlers: keepAlive({ reconnect: { maxAttempts: 1 } }),
  });
  channel.connect("embedded://peer").onSettled(() => {});
  await channel.closed;
});

Deno.test("answerKeepAlive() hands its options to the handlers", () => {
  const channel = new EmbeddedChannel({
    handlers: answerKeepAlive({ firstPingMs: 3000, maxFrameBytes: 9, codec: null }),
  });
  channel.advanceBy(2999);
  assert(channel.isActive);
  channel.writeInbound(new Uint8Array([1, 0xc0]));
  assertEquals(channel.drainInbound(), [new Uint8Array([0xc0])]);
  channel.advanceBy(3000);
  assert(!channel.isActive);
});

Deno.test("keepAlive() and answerKeepAlive() refuse numbers out of range", () => {
  assertThrows(() => keepAlive({ maxFrameBytes: 0 }), RangeError);
  assertThrows(() => keepAlive({ warmUpBeats: 0 }), RangeError);
  assertThrows(() => keepAlive({ reconnect: { firstMs: -1 } }), RangeError);
  assertThrows(() => answerKeepAlive({ maxFrameBytes: NaN }), RangeError);
  assertThrows(() => answerKeepAlive({ graceMs: -1 }), RangeError);
});

Deno.test("keepAlive() and answerKeepAlive() exchange messages over memory()", async () => {
  const loop = new VirtualEventLoop();
  const transport = memory({ latencyMs: 20 });
  const inbox = new Inbox();
  await using server = await new ServerBootstrap({
    loop,
    transport,
    pipeline: (p) =>
      p.addLast(...answerKeepAlive(), {
        channelRead: (context, message) => context.writeAndFlush({ echo: message }),
      }),
  }).listen("memory://chat");
  const connect = new Bootstrap({
    loop,
    transport,
    pipeline: (p) => p.addLast(...keepAlive(), inbox),
  }).connect("memory://chat");
  await loop.advanceByAsync(40);
  const channel = await connect;
  channel.writeAndFlush({ text: "hello" });
  await loop.advanceByAsync(100);
  assertEquals(inbox.messages, [{ echo: { text: "hello" } }]);
  assertEquals(inbox.take("linkValid"), [{ type: "linkValid", roundTripMs: 40 }]);

  // The server restarts; what is written meanwhile arrives afterwards, in order.
  for (const accepted of server.channels) accepted.close();
  await loop.advanceByAsync(20);
  assert(!channel.isActive);
  for (let i = 0; i < 3; i++) channel.writeAndFlush(i);
  await loop.advanceByAsync(2000);
  assertEquals(inbox.messages.slice(1), [{ echo: 0 }, { echo: 1 }, { echo: 2 }]);
  await Promise.all([channel.close(), loop.advanceByAsync(0)]);
  await Promise.all([server.close(), loop.advanceByAsync(3000)]);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("keepAlive() survives a link that dies silently, and sends what waited in order", async () => {
  const login: ChannelHandler = {
    channelActive: (context) => {
      context.writeAndFlush("login");
      context.fireChannelActive();
    },
  };
  const { loop, network, channel, atServer, atClient } = await twoEnds({
    strategy: fixedInterval(60_000),
    after: [login],
  });
  loop.advanceBy(30_000);
  network.links[0]!.cut();
  network.isDown = true;
  // Nobody says so: it is noticed at the next beat, in seconds.
  loop.advanceBy(30_000 + 8209);
  assertEquals(atClient.take("linkDown"), [{ type: "linkDown", reason: "unanswered" }]);
  for (let i = 0; i < 100; i++) channel.writeAndFlush({ i });
  loop.advanceBy(60_000);
  network.isDown = false;
  loop.advanceBy(5500);
  assertEquals(atServer.messages, ["login", "login", ...Array.from({ length: 100 }, (_, i) => ({ i }))]);
  assertEquals([atServer.errors, atClient.errors], [[], []]);
});

Deno.test("keepAlive() with stepwise() settles behind a strict NAT, below its timeout", async () => {
  // By timeout: the last step that survives, and whether the start did.
  const expected = [
    { timeoutS: 400, loS: 390, hiS: 450 },
    { timeoutS: 300, loS: 270, hiS: 330 },
    { timeoutS: 100, loS: 90, hiS: 150 },
  ];
  for (const { timeoutS, loS, hiS } of expected) {
    const rig = await twoEnds({ strategy: stepwise(), nat: { timeoutMs: timeoutS * 1000 } });
    const { loop, handler, network, channel, atClient, atServer, server } = rig;
    for (let i = 0; !handler.snapshot()!.isSettled; i++) {
      assertLess(i, 1000);
      loop.advanceBy(60_000);
    }
    const { intervalMs, bracket } = handler.snapshot()!;
    assertEquals([intervalMs, bracket], [(loS - 10) * 1000, { loMs: loS * 1000, hiMs: hiS * 1000 }]);
    // Each step that killed the link did so five times, and nothing else did.
    const failures = atClient.events.filter(({ type, outcome }) =>
      type === "verdict" && outcome === "failed"
    );
    const downs = atClient.events.filter(({ type }) => type === "linkDown");
    assertEquals(downs.map(({ reason }) => reason), failures.map(() => "unanswered"));
    assertEquals(failures.length % 5, 0);
    // From now on no link is lost, and pushes arrive at any moment.
    atClient.events.length = 0;
    for (let n = 0; n < 50; n++) {
      loop.advanceBy(1_234_567 % ((n + 1) * 10_000));
      newest(server.channels).writeAndFlush({ n });
      loop.advanceBy(timeoutS * 3000);
    }
    assertEquals(atClient.messages, Array.from({ length: 50 }, (_, n) => ({ n })));
    assertEquals(atClient.events.filter(({ type }) => type === "linkDown"), []);
    assertEquals([atClient.errors, atServer.errors], [[], []]);
    for (const { from, bytes } of network.packets) if (from === "client") assertLessOrEqual(bytes, 10);
    channel.close();
    server.close();
    loop.advanceBy(20_000_000);
    assertEquals(loop.pendingTimers, 0);
  }
});

Deno.test("keepAlive() sends heartbeats of 10 bytes in all, both ways", async () => {
  const { loop, network } = await twoEnds({ strategy: fixedInterval(60_000) });
  loop.advanceBy(600_000);
  assert(network.packets.length > 20);
  assertEquals(network.packets.filter(({ bytes }) => bytes !== 10), []);
});

Deno.test("keepAlive() never lets the server take a live client for dead", async () => {
  // The client learns longer and longer intervals while only the server talks.
  const { loop, server, atClient, atServer } = await twoEnds({ strategy: stepwise() });
  for (let i = 0; i < 500; i++) {
    loop.advanceBy(i % 40 < 20 ? 45_000 : 400_000);
    newest(server.channels).writeAndFlush(i);
  }
  loop.advanceBy(1000);
  assertEquals(atServer.events.filter(({ type }) => type === "linkDown"), []);
  assertEquals(atClient.events.filter(({ type }) => type === "linkDown"), []);
  assertEquals(atClient.messages.length, 500);
});

Deno.test("keepAlive() uses what another channel has learned", async () => {
  const store = new MemoryIntervalStore();
  const network = () => "home";
  const first = await twoEnds({ strategy: stepwise(), store, network, nat: { timeoutMs: 300_000 } });
  first.loop.advanceBy(4 * 3_600_000);
  assertEquals(first.handler.snapshot()!.intervalMs, 260_000);
  const second = await twoEnds({ strategy: stepwise(), store, network, nat: { timeoutMs: 300_000 } });
  assertEquals(second.handler.snapshot()!.phase, "settled");
  second.loop.advanceBy(4 * 3_600_000);
  assertEquals(second.atClient.take("linkDown"), []);
});

Deno.test("keepAlive() notices that the NAT forgets sooner than it did", async () => {
  const { loop, network, handler, atClient } = await twoEnds({
    strategy: stepwise(),
    nat: { timeoutMs: 400_000 },
  });
  loop.advanceBy(4 * 3_600_000);
  assertEquals(handler.snapshot()!.intervalMs, 380_000);
  network.timeoutMs = 100_000;
  atClient.events.length = 0;
  loop.advanceBy(12 * 3_600_000);
  assertEquals(handler.snapshot()!.bracket, { loMs: 90_000, hiMs: 150_000 });
  const { length } = atClient.take("linkDown");
  loop.advanceBy(12 * 3_600_000);
  assertEquals([atClient.take("linkDown"), length > 5], [[], true]);
});
