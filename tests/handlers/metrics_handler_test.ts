// deno-lint-ignore no-import-prefix
import { metrics as globalMetrics } from "npm:@opentelemetry/api@^1.9.0";
import { assertEquals, assertFalse, assertGreater, assertMatch } from "@std/assert";
import {
  Channel,
  EmbeddedChannel,
  PipelineError,
  ServerBootstrap,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { memory } from "../../pipeline/transports/memory.ts";
import {
  AdaptiveIntervalHandler,
  answerKeepAlive,
  ConnectionLimitHandler,
  fixedInterval,
  HeartbeatEncoder,
  IdleStateHandler,
  keepAlive,
  LimitError,
  RateLimitHandler,
  ReconnectHandler,
  SessionHandler,
  SessionRegistry,
} from "../../handlers/mod.ts";
import {
  type MetricMeter,
  type MetricMeterProvider,
  MetricsHandler,
} from "../../handlers/metrics_handler.ts";
import { measured } from "./_collected_metrics.ts";
import { ListenerCountingLoop, Peer } from "./_rig.ts";

/** A client that beats every minute, behind it a peer that answers after 100 ms, and reconnects. */
function client(options: Parameters<typeof measured>[0] = {}) {
  const kit = measured(options);
  const loop = new ListenerCountingLoop();
  const peer = new Peer(100);
  const adaptive = new AdaptiveIntervalHandler({
    strategy: fixedInterval(60_000),
    warmUpBeats: 1,
    warmUpIntervalMs: 10_000,
  });
  const channel = new EmbeddedChannel({
    loop,
    active: false,
    handlers: [
      kit.metrics.wire,
      peer,
      new IdleStateHandler(),
      adaptive,
      new ReconnectHandler({ queue: { maxMessages: 2 } }),
      kit.metrics,
    ],
  });
  channel.connect("embedded://peer");
  return { ...kit, loop, peer, adaptive, channel };
}

Deno.test("MetricsHandler measures a dead link, from the first unanswered beat to the peer's next answer", async () => {
  const { series, peer, channel, loop } = client();
  channel.advanceBy(60_100);
  peer.isAlive = false;
  while (channel.isActive) channel.advanceBy(1);
  const askedMs = peer.sent.at(-5)!.atMs;
  assertEquals(askedMs, 120_000);
  const detectionMs = loop.now() - askedMs;
  const downMs = loop.now();
  peer.isAlive = true;
  while (!channel.isActive) channel.advanceBy(1);
  const reconnectMs = loop.now() - downMs;
  channel.advanceBy(100);

  const all = await series();
  const reason = "link.down_reason=unanswered";
  assertEquals(all["link.detection.duration"], { [reason]: { sum: detectionMs / 1_000, count: 1 } });
  assertEquals(all["link.duration"], { [`${reason},role=client`]: { sum: downMs / 1_000, count: 1 } });
  assertEquals(all["link.reconnect.duration"], { "role=client": { sum: reconnectMs / 1_000, count: 1 } });
  assertEquals(all["link.recovery.duration"], { "": { sum: (reconnectMs + 100) / 1_000, count: 1 } });
  assertEquals(all["links"], { "role=client,session.resumed=false": 2 });
  assertEquals(all["beats"], { "beat.outcome=answered": 3, "beat.outcome=missed": 5 });
  assertEquals(all["beat.round_trip.duration"], { "": { sum: 0.3, count: 3 } });
  assertEquals(all["reconnect.attempts"], {
    "reconnect.reason=connect": 1,
    "reconnect.reason=waitOver": 1,
  });
});

Deno.test("MetricsHandler measures the detection in a hurry, too", async () => {
  const { series, peer, channel, loop } = client();
  channel.advanceBy(30_000);
  peer.isAlive = false;
  const askedMs = loop.now();
  channel.pipeline.fireUserEventTriggered({ type: "network", state: "changed" });
  while (channel.isActive) channel.advanceBy(1);
  const { count, sum } = (await series())["link.detection.duration"]!["link.down_reason=unanswered"] as {
    sum: number;
    count: number;
  };
  assertEquals([count, sum], [1, (loop.now() - askedMs) / 1_000]);
});

Deno.test("MetricsHandler takes an answer in between for the end of a detection", async () => {
  const { series, peer, channel } = client();
  channel.advanceBy(60_100);
  peer.isAlive = false;
  channel.advanceBy(61_500);
  peer.isAlive = true;
  channel.advanceBy(2_000);
  channel.loseLink();
  const all = await series();
  assertGreater(all["beats"]!["beat.outcome=missed"] as number, 0);
  assertEquals(all["link.detection.duration"], undefined);
});

Deno.test("MetricsHandler counts a recovery once, from the first of several lost links on", async () => {
  const { series, peer, channel, loop } = client();
  channel.advanceBy(1_000);
  peer.isAlive = false;
  channel.loseLink();
  const lostMs = loop.now();
  while (!channel.isActive) channel.advanceBy(1);
  channel.loseLink();
  while (!channel.isActive) channel.advanceBy(1);
  channel.advanceBy(500);
  peer.isAlive = true;
  channel.loseLink();
  while (!channel.isActive) channel.advanceBy(1);
  channel.advanceBy(100);
  const all = await series();
  assertEquals(all["link.recovery.duration"], { "": { sum: (loop.now() - lostMs) / 1_000, count: 1 } });
  assertEquals((all["link.reconnect.duration"]!["role=client"] as { count: number }).count, 3);
});

Deno.test("MetricsHandler looks intervals, queues and channels up when they are collected", async () => {
  const { series, peer, channel } = client();
  channel.advanceBy(100);
  let all = await series();
  assertEquals(all["beat.interval"], { "": 60 });
  assertEquals(all["channel.count"], {
    "channel.state=active,role=client": 1,
    "channel.state=closing,role=client": 0,
    "channel.state=connecting,role=client": 0,
    "channel.state=idle,role=client": 0,
  });
  channel.pipeline.fireUserEventTriggered({ type: "appState", state: "foreground" });
  assertEquals((await series())["beat.interval"], { "": 25 });
  peer.isAlive = false;
  channel.pipeline.fireUserEventTriggered({ type: "network", state: "offline" });
  channel.loseLink();
  for (const length of [10, 20, 30]) channel.write(new Uint8Array(length)).onSettled(() => {});
  all = await series();
  assertEquals(all["queue.message.count"], { "queue.name=reconnect": 2 });
  assertEquals(all["queue.size"], { "queue.name=reconnect": 30 });
  assertEquals(all["queue.overflows"], { "queue.overflow=rejected": 1 });
  assertEquals(all["channel.count"]!["channel.state=idle,role=client"], 1);
});

Deno.test("MetricsHandler keeps the sums of channels that are gone, and nothing else", async () => {
  const { metrics, series, channel, loop } = client();
  channel.advanceBy(1_000);
  channel.write(new Uint8Array(900)).onSettled(() => {});
  channel.flush();
  channel.pipeline.fireChannelRead(new Uint8Array(70));
  channel.pipeline.fireChannelRead("hé");
  channel.drainInbound();
  const before = (await series())["network.io"]!;
  assertEquals(before["network.io.direction=receive,role=client"], 73);
  assertGreater(before["network.io.direction=transmit,role=client"] as number, 899);
  for (const handler of [metrics, metrics.wire]) channel.pipeline.remove(handler);
  assertEquals((await series())["network.io"], before);
  channel.pipeline.addFirst(metrics.wire).addLast(metrics);
  assertEquals((await series())["network.io"], before);
  await channel.close();
  const after = await series();
  assertEquals(after["network.io"], before);
  assertEquals(Object.values(after["channel.count"]!), [0, 0, 0, 0]);
  assertEquals([after["queue.size"], loop.listeners], [{ "queue.name=reconnect": 0 }, 0]);
});

Deno.test("MetricsHandler measures how late timers ran once per loop, however many channels it has", async () => {
  const { metrics, series, loop, channel } = client();
  const second = new EmbeddedChannel({ loop, handlers: [metrics] });
  loop.throttle(1_500);
  await second.close();
  loop.sleep(60_000);
  assertEquals((await series())["loop.lateness"], {
    "loop.late_kind=throttled": { sum: 1.5, count: 1 },
    "loop.late_kind=slept": { sum: 60, count: 1 },
  });
  await channel.close();
  assertEquals(loop.listeners, 0);
});

Deno.test("MetricsHandler counts trials by what they showed", async () => {
  const { metrics, series } = measured();
  const channel = new EmbeddedChannel({ handlers: [metrics] });
  for (const outcome of ["passed", "failed", "void", "passed"]) {
    channel.pipeline.fireUserEventTriggered({ type: "verdict", idleMs: 60_000, outcome, reason: "answered" });
  }
  assertEquals((await series())["trials"], {
    "trial.outcome=passed": 2,
    "trial.outcome=failed": 1,
    "trial.outcome=void": 1,
  });
});

Deno.test("MetricsHandler counts errors by their class, and passes them on", async () => {
  const { metrics, series } = measured();
  const channel = new EmbeddedChannel({ handlers: [metrics] });
  const errors = [new LimitError("maxPerAddress", 101, 100), new RangeError("no"), "no error"];
  for (const error of errors) channel.pipeline.fireExceptionCaught(error);
  for (const error of errors) {
    try {
      channel.checkException();
    } catch (caught) {
      assertEquals(caught, error);
    }
  }
  assertEquals((await series())["errors"], {
    "error.type=LimitError,limit=maxPerAddress,role=client": 1,
    "error.type=RangeError,role=client": 1,
    "error.type=_OTHER,role=client": 1,
  });
});

Deno.test("MetricsHandler refuses to count a channel twice", async () => {
  const { metrics, series } = measured();
  const errors: unknown[] = [];
  const channel = new EmbeddedChannel({
    handlers: [{ exceptionCaught: (_context, error) => errors.push(error) }, metrics],
  });
  channel.pipeline.addLast(metrics);
  assertEquals(errors.map((error) => error instanceof PipelineError), [true]);
  assertMatch(
    String((errors[0] as Error).cause),
    /Cannot measure the channel: the handler is in its pipeline already/,
  );
  channel.loseLink();
  assertEquals((await series())["link.duration"]!["link.down_reason=reset,role=client"], {
    sum: 0,
    count: 1,
  });
});

Deno.test("MetricsHandler measures both ends of sessions", async () => {
  const loop = new VirtualEventLoop();
  const transport = memory();
  const sessions = new SessionRegistry({ retentionMs: 60_000 });
  const { metrics, series } = measured({ sessions });
  const server = await new ServerBootstrap({
    transport,
    loop,
    pipeline: (p) => p.addLast(metrics.wire, ...answerKeepAlive({ sessions }), metrics, { channelRead() {} }),
  }).listen("memory://chat");
  const channel = new Channel({
    transport,
    loop,
    pipeline: (p) =>
      p.addLast(
        metrics.wire,
        ...keepAlive({ session: new SessionHandler(), strategy: fixedInterval(60_000) }),
        metrics,
      ),
    onUnhandled() {},
  });
  channel.connect(server.address).onSettled(() => {});
  await loop.advanceByAsync(5_000);
  channel.drop("reset");
  const [serverChannel] = server.channels;
  serverChannel!.write("while away").onSettled(() => {});
  let all = await series();
  assertEquals(all["queue.message.count"], { "queue.name=reconnect": 0, "queue.name=session": 1 });
  await loop.advanceByAsync(5_000);
  all = await series();
  assertEquals(all["session.resumptions"], { "role=client": 1, "role=server": 1 });
  assertEquals(all["links"], {
    "role=client,session.resumed=false": 1,
    "role=client,session.resumed=true": 1,
    "role=server,session.resumed=false": 1,
    "role=server,session.resumed=true": 1,
  });
  assertEquals(all["server.session.count"], { "session.state=linked": 1, "session.state=away": 0 });
  assertEquals(all["server.session.events"], {
    "session.event=opened": 1,
    "session.event=resumed": 1,
    "session.event=refused": 0,
    "session.event=expired": 0,
    "session.event=evicted": 0,
  });
  const io = all["network.io"]!;
  for (const [one, other] of [["client", "server"], ["server", "client"]]) {
    assertEquals(
      io[`network.io.direction=transmit,role=${one}`],
      io[`network.io.direction=receive,role=${other}`],
    );
  }

  channel.pipeline.fireUserEventTriggered({ type: "network", state: "offline" });
  channel.drop("networkChanged");
  serverChannel!.write("never confirmed").onSettled(() => {});
  await loop.advanceByAsync(60_000);
  all = await series();
  assertEquals(all["session.losses"], { "role=server,session.loss_reason=expired": 1 });
  assertEquals(all["session.unconfirmed.messages"], { "role=server,session.loss_reason=expired": 1 });
  assertEquals(all["server.session.events"]!["session.event=expired"], 1);
  const closing = [channel.close(), server.close()];
  await loop.advanceByAsync(5_000);
  await Promise.all(closing);
});

Deno.test("MetricsHandler counts what a server's limits do, also of channels that are gone", async () => {
  const connections = new ConnectionLimitHandler({ maxPerAddress: 1, customerOf: () => "all" });
  const { metrics, series } = measured({ connections });
  const slow = new EmbeddedChannel({
    handlers: [new RateLimitHandler({ framesPerSecond: 1, burstFrames: 1 }), metrics],
  });
  slow.writeInbound(new Uint8Array(1), new Uint8Array(1));
  slow.read();
  const strict = new EmbeddedChannel({
    handlers: [
      new HeartbeatEncoder(),
      connections,
      new RateLimitHandler({ framesPerSecond: 1, burstFrames: 1, policy: "close" }),
      metrics,
      { exceptionCaught() {} },
    ],
  });
  const second = new EmbeddedChannel({
    handlers: [new HeartbeatEncoder(), connections, metrics, { exceptionCaught() {} }],
  });
  strict.writeInbound(new Uint8Array(1), new Uint8Array(1));
  for (const channel of [slow, strict, second]) await channel.close();
  const all = await series();
  assertEquals(all["server.rate_limit.pauses"], { "": 1 });
  assertEquals(all["server.refusals"], { "limit=connections": 1, "limit=rate": 1 });
});

Deno.test("MetricsHandler puts its attributes on everything", async () => {
  const { collect, channel } = client({ attributes: { "service.tier": "edge" } });
  channel.advanceBy(1_000);
  channel.loseLink();
  for (const { descriptor, dataPoints } of await collect()) {
    for (const { attributes } of dataPoints) {
      assertEquals(attributes["service.tier"], "edge", descriptor.name);
    }
  }
});

Deno.test("MetricsHandler takes the API's global, and measures nothing where no SDK is there", async () => {
  const provider: MetricMeterProvider = globalMetrics;
  const metrics = new MetricsHandler({ meterProvider: provider });
  const channel = new EmbeddedChannel({ handlers: [metrics.wire, ...keepAlive(), metrics] });
  channel.loseLink();
  await channel.close();
});

Deno.test("MetricsHandler imports nothing of OpenTelemetry", async () => {
  for (const file of ["metrics_handler", "_metric_collection", "_metric_instruments", "_meter"]) {
    const source = await Deno.readTextFile(new URL(`../../handlers/${file}.ts`, import.meta.url));
    assertFalse(/(from|import\()\s*["'](npm:)?@opentelemetry/.test(source.replaceAll(/^ \*.*$/gm, "")), file);
  }
});

Deno.test("docs/metrics.md lists every instrument with its kind and unit", async () => {
  const docs = await Deno.readTextFile(new URL("../../docs/metrics.md", import.meta.url));
  const made: string[] = [];
  const instrument = (kind: string) => (name: string, { unit }: { unit?: string } = {}) => {
    made.push(`| \`${name}\` | ${kind}, \`${unit}\` |`);
    return { add() {}, record() {} };
  };
  const meter: MetricMeter = {
    createCounter: instrument("counter"),
    createHistogram: instrument("histogram"),
    createObservableGauge: instrument("gauge"),
    createObservableCounter: instrument("counter"),
    createObservableUpDownCounter: instrument("up-down counter"),
    addBatchObservableCallback() {},
  };
  new MetricsHandler({ meterProvider: { getMeter: () => meter } });
  const rows = docs.replaceAll(/ +\|/g, " |").matchAll(/^\| `longlink\.[^|]*\| [^`|]+, `[^|]*\|/gm);
  assertEquals(Array.from(rows, ([row]) => row).sort(), made.sort());
});
