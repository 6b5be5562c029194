import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertLessOrEqual,
  assertThrows,
} from "@std/assert";
import {
  type AnswerKeepAliveOptions,
  Heartbeat,
  HeartbeatDecoder,
  HeartbeatEncoder,
  IdleStateHandler,
  ProbeHandler,
  type ProbeOptions,
  rawFormat,
  ReconnectHandler,
} from "../../handlers/mod.ts";
import {
  Bootstrap,
  type Channel,
  type ChannelHandler,
  EmbeddedChannel,
  type PipelineError,
} from "../../pipeline/mod.ts";
import { serverBehindNat, until, wire } from "./_probe_rig.ts";
import { Collector } from "./_rig.ts";

interface Setup {
  readonly timeoutMs?: number;
  readonly probe?: Partial<ProbeOptions>;
  readonly server?: AnswerKeepAliveOptions;
  readonly handlers?: () => ChannelHandler[];
}

/** A probe of a server behind a strict NAT. */
async function probing({ timeoutMs = Infinity, probe = {}, server, handlers }: Setup) {
  const { loop, network } = await serverBehindNat(timeoutMs, server, handlers);
  const handler = new ProbeHandler({ scoutHandlers: wire, ...probe });
  const end = new Collector();
  const channel: Channel = await new Bootstrap({
    transport: network,
    loop,
    pipeline: (p) => p.addLast(...wire(), handler, new ReconnectHandler(), end),
  }).connect("nat://server");
  const events = (type: string) => end.events.filter((event) => event.type === type);
  const done = async (withinMs: number) => {
    await until(loop, () => events("probeDone").length > 0, withinMs);
    return { snapshot: handler.snapshot()!, outcome: events("probeDone")[0]!.outcome, tookMs: loop.now() };
  };
  return { loop, network, handler, channel, events, end, done };
}

const CASES: readonly { timeoutMs: number; probe: Partial<ProbeOptions>; withinT: number }[] = [
  { timeoutMs: 60_000, probe: {}, withinT: 5.5 },
  { timeoutMs: 300_000, probe: {}, withinT: 4.5 },
  { timeoutMs: 47_000, probe: {}, withinT: 10 },
  { timeoutMs: 12_000, probe: {}, withinT: 14 },
  { timeoutMs: 60_000, probe: { parallel: 4 }, withinT: 2.6 },
  { timeoutMs: 300_000, probe: { parallel: 4 }, withinT: 2.7 },
  { timeoutMs: 47_000, probe: { parallel: 4 }, withinT: 4 },
  { timeoutMs: 12_000, probe: { parallel: 4, startMs: 4_000 }, withinT: 4.5 },
];

for (const { timeoutMs, probe, withinT } of CASES) {
  const { parallel = 1, startMs = 28_000 } = probe;
  Deno.test(`ProbeHandler brackets ${timeoutMs} ms from ${startMs} ms on, ${parallel} at once, and spares the main link`, async () => {
    const { channel, events, done } = await probing({ timeoutMs, probe, server: { maxScouts: 4 } });
    const { snapshot: { bracket, direction, intervalMs }, outcome, tookMs } = await done(20 * timeoutMs);
    assertEquals([outcome, direction], ["bracketed", "push"]);
    assert(bracket.loMs < timeoutMs && timeoutMs <= bracket.hiMs!, JSON.stringify(bracket));
    assertLessOrEqual(bracket.hiMs! - bracket.loMs, 0.02 * bracket.loMs);
    assert(intervalMs! > 0.88 * timeoutMs && intervalMs! < timeoutMs);
    assertLess(tookMs / timeoutMs, withinT);
    assertEquals(events("linkDown"), []);
    assertEquals(events("verdict").filter(({ outcome }) => outcome === "void"), []);
    channel.close();
  });
}

Deno.test("ProbeHandler ends where the longest idle time survives", async () => {
  const { channel, done } = await probing({
    probe: { maxMs: 120_000, parallel: 3 },
    server: { maxScouts: 3 },
  });
  const { snapshot, outcome } = await done(1_000_000);
  assertEquals(outcome, "neverFailed");
  assertEquals(snapshot.bracket, { loMs: 120_000, hiMs: null });
  channel.close();
});

Deno.test("ProbeHandler tries nothing longer than the longest hold that the peer serves", async () => {
  const { channel, done } = await probing({ server: { longestHoldMs: 90_000 } });
  assertEquals((await done(1_000_000)).snapshot.bracket, { loMs: 90_000, hiMs: null });
  channel.close();
});

for (const [what, server] of [["holds", { longestHoldMs: 0 }], ["scouts", { maxScouts: 0 }]] as const) {
  Deno.test(`ProbeHandler pings by itself where the peer serves no ${what}, and says so`, async () => {
    const { channel, events, done } = await probing({ timeoutMs: 60_000, server, probe: { parallel: 3 } });
    const { snapshot: { bracket, direction } } = await done(600_000);
    assertEquals(direction, "client");
    assertEquals(events("coverage").map(({ direction }) => direction), ["client"]);
    assert(bracket.loMs < 60_000 && bracket.hiMs! >= 60_000, JSON.stringify(bracket));
    channel.close();
  });
}

Deno.test("ProbeHandler gets along with a peer that takes fewer scouts than asked for", async () => {
  const { channel, handler, done } = await probing({
    timeoutMs: 60_000,
    probe: { parallel: 4 },
    server: { maxScouts: 1 },
  });
  const { snapshot: { bracket } } = await done(600_000);
  assert(bracket.loMs < 60_000 && bracket.hiMs! >= 60_000);
  assertEquals(handler.snapshot()!.parallel, 1);
  channel.close();
});

Deno.test("ProbeHandler learns nothing from an outage and goes on after it", async () => {
  const { loop, network, channel, events, done } = await probing({
    timeoutMs: 60_000,
    probe: { parallel: 4 },
    server: { maxScouts: 4 },
  });
  await loop.advanceByAsync(20_000);
  network.isDown = true;
  for (const link of network.links) link.cut();
  await loop.advanceByAsync(60_000);
  network.isDown = false;
  const { snapshot: { bracket } } = await done(600_000);
  assertGreater(events("linkDown").length, 0);
  assertGreater(events("verdict").filter(({ outcome }) => outcome === "void").length, 0);
  assertEquals(
    events("verdict").filter(({ outcome, idleMs }) => outcome === "failed" && idleMs < 60_000),
    [],
  );
  assert(bracket.loMs < 60_000 && bracket.hiMs! >= 60_000);
  channel.close();
});

Deno.test("ProbeHandler beats more often where the network forgets even the main link", async () => {
  const { channel, done } = await probing({ timeoutMs: 3_000, probe: { startMs: 28_000 } });
  const { snapshot: { bracket } } = await done(900_000);
  assert(bracket.loMs < 3_000 && bracket.hiMs! >= 3_000, JSON.stringify(bracket));
  channel.close();
});

/** Grants tickets and answers pings; what becomes of holds is the test's business. */
class StrangePeer implements ChannelHandler {
  readonly #answerHold: (answer: () => void, hold: Heartbeat) => void;

  constructor(answerHold: (answer: () => void, hold: Heartbeat) => void) {
    this.#answerHold = answerHold;
  }

  channelRead(context: Parameters<NonNullable<ChannelHandler["channelRead"]>>[0], message: unknown): void {
    if (!(message instanceof Heartbeat)) return;
    const { kind, sequence, timeMs } = message;
    const say = (heartbeat: Heartbeat) => void context.writeAndFlush(heartbeat).onSettled(() => {});
    const pong = () => say(new Heartbeat("pong", { sequence }));
    if (kind === "scout" && timeMs === 0) {
      say(new Heartbeat("scout", { sequence, timeMs: 100, acknowledgement: 1 }));
    }
    if (kind === "hold") this.#answerHold(pong, message);
    if (kind !== "ping") return;
    say(Heartbeat.hello({ longestHoldMs: 7_200_000, abilities: 1 }));
    pong();
  }
}

for (
  const [what, answerHold] of [
    ["never", () => {}],
    ["at once", (answer: () => void) => answer()],
  ] as const
) {
  Deno.test(`ProbeHandler gives up with a peer that answers holds ${what}, and learns nothing`, async () => {
    const handlers = () => [...wire(), new StrangePeer(answerHold)];
    const { channel, events, done } = await probing({ handlers });
    const { snapshot, outcome } = await done(3_600_000);
    assertEquals(outcome, "gaveUp");
    assertEquals(snapshot.bracket, { loMs: 0, hiMs: null });
    assertEquals(snapshot.intervalMs, null);
    assertEquals(new Set(events("verdict").map(({ outcome }) => outcome)), new Set(["void"]));
    channel.close();
  });
}

Deno.test("ProbeHandler.handlerRemoved() calls the scouts back and leaves no timer", async () => {
  const { loop, channel, end } = await probing({ probe: { parallel: 4 }, server: { maxScouts: 4 } });
  await loop.advanceByAsync(10_000);
  channel.close();
  await loop.advanceByAsync(30_000);
  assertEquals(loop.pendingTimers, 0);
  assertEquals(end.errors, []);
});

Deno.test("ProbeHandler.snapshot() tells what is being tried and how long that takes", async () => {
  const { loop, channel, handler } = await probing({ timeoutMs: 60_000 });
  await loop.advanceByAsync(8_000);
  const { running, direction, bracket, isDone } = handler.snapshot()!;
  assertEquals([direction, isDone, bracket], ["push", false, { loMs: 0, hiMs: null }]);
  assertEquals(running.map(({ idleMs, isSuspect }) => [idleMs, isSuspect]), [[28_000, false]]);
  assert(running[0]!.leftMs > 20_000 && running[0]!.leftMs <= 21_000);
  channel.close();
});

Deno.test("ProbeHandler() refuses options out of range", () => {
  const scoutHandlers = wire;
  for (
    const options of [
      { startMs: 0 },
      { startMs: NaN },
      { maxMs: 1_000 },
      { maxMs: 14_000_000 },
      { precisionMs: -1 },
      { precision: 2 },
      { parallel: 0 },
      { parallel: 17 },
      { parallel: 1.5 },
    ]
  ) {
    assertThrows(
      () => new ProbeHandler({ scoutHandlers, ...options }),
      RangeError,
      "Cannot make the handler",
    );
  }
});

Deno.test("ProbeHandler refuses a format that has no answer", () => {
  const format = rawFormat({ ping: new Uint8Array([1]) });
  const errors: unknown[] = [];
  new EmbeddedChannel({
    handlers: [
      new IdleStateHandler(),
      new HeartbeatDecoder({ format }),
      new HeartbeatEncoder({ format }),
      { exceptionCaught: (_context, error) => errors.push(error) },
      new ProbeHandler({ scoutHandlers: wire }),
    ],
  });
  const { cause } = errors[0] as PipelineError;
  assertEquals(
    (cause as Error).message,
    'Cannot probe: the format "raw" has no pong, so nothing would be answered',
  );
});
