import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertLessOrEqual,
  assertStringIncludes,
} from "@std/assert";
import type { ExpiryMode } from "../../bench/sim/nat.ts";
import { type NetworkOptions, SimulatedNetwork } from "../../bench/sim/network.ts";
import { run, type RunOptions } from "../../bench/sim/run.ts";
import {
  AdaptiveIntervalHandler,
  answerKeepAlive,
  edge,
  Heartbeat,
  HeartbeatDecoder,
  HeartbeatEncoder,
  IdleStateHandler,
  type IntervalSearch,
  keepAlive,
  VarintFrameDecoder,
  VarintFrameEncoder,
} from "../../handlers/mod.ts";
import {
  Bootstrap,
  type ChannelHandler,
  type ChannelHandlerContext,
  ServerBootstrap,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { Collector } from "./_rig.ts";

const MODES: readonly ExpiryMode[] = ["strict", "loose", "reset"];
const HOUR_MS = 3_600_000;
// Their plans are worked out once.
const SCOUT = edge();
const MAIN = edge({ where: "main" });

/** Runs `edge()` on one network. */
async function on(timeoutS: number, mode: ExpiryMode, options: Partial<RunOptions> = {}) {
  const timeouts = [{ fromMs: 0, timeoutMs: timeoutS * 1_000 }];
  const result = await run({ strategy: SCOUT, mode, timeouts, lengthMs: 24 * HOUR_MS, ...options });
  assertEquals(result.errors, []);
  const longestMs = Math.max(...result.intervals.map(({ intervalMs }) => intervalMs));
  return { ...result, longestMs };
}

for (const mode of MODES) {
  Deno.test(`edge() finds the timeout on a scout and never costs the main link anything, ${mode}`, async () => {
    for (
      const [timeoutS, least] of [[30, 0.956], [47, 0.94], [60, 0.97], [300, 0.97], [1_111, 0.94]] as const
    ) {
      const found = await on(timeoutS, mode, { pushesPerHour: 3, messagesPerHour: 3 });
      assertGreater(found.finalIntervalMs, least * timeoutS * 1_000);
      assertLess(found.longestMs, timeoutS * 1_000);
      assert(found.settledMs !== null);
      assertLessOrEqual(found.settledMs, 9.5 * timeoutS * 1_000);
      assertEquals([found.lost, found.unreachableShare], [0, 0]);
      assertEquals(found.pushes.received, found.pushes.sent);
    }
  });

  Deno.test(`edge() finds the timeout on the main link at the cost of three links, ${mode}`, async () => {
    for (const timeoutS of [30, 47, 60, 300, 1_111]) {
      const found = await on(timeoutS, mode, { strategy: MAIN });
      assertGreater(found.finalIntervalMs, 0.9 * timeoutS * 1_000);
      assertLess(found.longestMs, timeoutS * 1_000);
      assert(found.settledMs !== null);
      assertLessOrEqual(found.settledMs, 12 * timeoutS * 1_000);
      assertLessOrEqual(found.lostToExpiry, 3);
      assertEquals(found.unreachableBesidesTrials, 0);
    }
  });

  Deno.test(`edge() lowers the interval at the first beat after the timeout has fallen, ${mode}`, async () => {
    for (const strategy of [SCOUT, MAIN]) {
      const changeMs = 6 * HOUR_MS;
      const timeouts = [{ fromMs: 0, timeoutMs: 300_000 }, { fromMs: changeMs, timeoutMs: 60_000 }];
      const found = await on(60, mode, { strategy, timeouts, lengthMs: 9 * HOUR_MS });
      const lower = found.intervals.find(({ atMs }) => atMs > changeMs)!;
      assertLess(lower.atMs - changeMs, 300_000 + 15_000);
      assertGreater(found.finalIntervalMs, 0.97 * 60_000);
      assertLess(found.finalIntervalMs, 60_000);
    }
  });

  Deno.test(`edge() finds out that the timeout has risen, ${mode}`, async () => {
    // On the main link a trial that fails costs a link, so it has to come before all of these are used up.
    for (const strategy of [SCOUT, MAIN]) {
      const changeMs = 3 * HOUR_MS;
      const timeouts = [{ fromMs: 0, timeoutMs: 300_000 }, { fromMs: changeMs, timeoutMs: 1_500_000 }];
      const found = await on(300, mode, { strategy, timeouts, lengthMs: changeMs + 24 * HOUR_MS });
      assertGreater(found.finalIntervalMs, 0.9 * 1_500_000);
      assertLess(found.finalIntervalMs, 1_500_000);
    }
  });
}

Deno.test("edge() stays right through outages, losses and a slow network", async () => {
  const outages = { perHour: 1, lengthMs: 30_000 };
  for (let seed = 1; seed <= 12; seed++) {
    const mode = MODES[seed % 3]!;
    const timeoutS = [60, 300, 700][seed % 3]!;
    const found = await on(timeoutS, mode, {
      outages,
      seed,
      loss: 0.01,
      roundTripMs: 300,
      lengthMs: 72 * HOUR_MS,
    });
    assertGreater(found.finalIntervalMs, 0.9 * timeoutS * 1_000);
    assertLess(found.longestMs, timeoutS * 1_000);
  }
});

Deno.test("edge() learns on a network on which a scout's first word is late", async () => {
  for (const [mode, timeoutS] of [["strict", 135], ["loose", 405], ["reset", 76]] as const) {
    const found = await on(timeoutS, mode, { roundTripMs: 1_700, pushesPerHour: 40, messagesPerHour: 40 });
    assertGreater(found.finalIntervalMs, 0.94 * timeoutS * 1_000);
    assertLess(found.longestMs, timeoutS * 1_000);
    assertEquals([found.lost, found.pushes.received], [0, found.pushes.sent]);
  }
});

Deno.test("edge() takes a scout back from the application where its first word is later than that", async () => {
  const seen: string[] = [];
  const app: ChannelHandler = {
    channelActive: () => void seen.push("active"),
    channelInactive: () => void seen.push("inactive"),
    channelRead: () => void seen.push("read"),
    handlerRemoved: () => void seen.push("removed"),
  };
  const { loop, channel, snapshot } = await client(
    SCOUT,
    { mode: "strict", timeouts: [{ fromMs: 0, timeoutMs: 60_000 }], roundTripMs: 600 },
    () => [...answerKeepAlive({ firstWordMs: 20 }), { ...app }],
  );
  loop.advanceBy(HOUR_MS);
  assertEquals(snapshot().intervalMs, 58_700);
  // The main link's own first word is as late, and it stays the application's.
  const rest = seen.slice(1);
  assertEquals(rest, Array.from({ length: rest.length / 3 }, () => ["active", "inactive", "removed"]).flat());
  assertGreater(rest.length, 3);
  void channel.close();
  loop.advanceBy(60_000);
  assertEquals([seen.at(-2), loop.pendingTimers], ["inactive", 0]);
});

// --- the search alone ---

function judge(search: IntervalSearch, outcome: "passed" | "failed", idleMs: number, atMs = 0): void {
  search.judge({ idleMs, outcome, reason: "", atMs });
}

/** Lets it search until it has settled. */
function settled(search: IntervalSearch, timeoutMs: number): IntervalSearch {
  while (!search.isSettled) {
    const idleMs = search.trialMs!(0)!;
    judge(search, idleMs < timeoutMs ? "passed" : "failed", idleMs);
  }
  return search;
}

Deno.test("edge() doubts an interval that failed, and goes on where it was if that was a mishap", () => {
  for (const strategy of [SCOUT, MAIN]) {
    const search = strategy.search();
    for (let trials = 0; trials < 3; trials++) judge(search, "passed", search.trialMs!(0)!);
    const next = search.trialMs!(0)!;
    const { loMs } = search.bracket;
    judge(search, "failed", search.intervalMs);
    assertEquals([search.intervalMs, search.trialMs!(0), search.isSettled], [25_000, loMs, false]);
    // Another mishap meanwhile changes nothing.
    judge(search, "failed", 25_000);
    judge(search, "passed", loMs);
    assertEquals([search.trialMs!(0), search.isSettled, search.bracket.hiMs], [next, false, null]);
  }
});

Deno.test("edge() is as settled as before once a doubt is over, and tries a longer time when it would have", () => {
  const search = settled(SCOUT.search(), 300_000);
  const { intervalMs, bracket } = search;
  for (let hour = 1; hour <= 3; hour++) {
    judge(search, "failed", intervalMs, hour * HOUR_MS);
    assertEquals(search.isSettled, false);
    judge(search, "passed", bracket.loMs, hour * HOUR_MS + 300_000);
    assertEquals([search.isSettled, search.intervalMs], [true, intervalMs]);
  }
  assertEquals(search.trialMs!(4 * HOUR_MS - 1), undefined);
  assertGreater(search.trialMs!(4 * HOUR_MS)!, bracket.hiMs!);
});

Deno.test("edge() gives up what failed again in a doubt, also where a box cuts by itself long before", () => {
  for (const [first, second] of [[295_500, 298_500], [60_000, 60_000], [200_000, 60_000]] as const) {
    const search = settled(SCOUT.search(), 300_000);
    judge(search, "failed", first);
    judge(search, "failed", second);
    if (second < first * 0.95) judge(search, "failed", second);
    assertEquals(search.bracket.loMs, 0);
    assertEquals(search.bracket.hiMs, Math.min(first, second));
  }
});

Deno.test("edge() beats no more often than each second, whatever failed", () => {
  const search = SCOUT.search();
  for (const idleMs of [900, 300, 100]) judge(search, "failed", idleMs);
  assertEquals(search.intervalMs, 1_000);
  const stored = {
    strategy: "edge",
    intervalMs: 1,
    loMs: 1,
    hiMs: 2,
    isSettled: true,
    atMs: 0,
    confirmations: 0,
  };
  assertEquals(SCOUT.search({ ...stored, direction: "push" }).intervalMs, 25_000);
});

// --- peers that misbehave ---

/** A network that can be taken down, a client, and what it says of itself. */
async function client(
  strategy: ReturnType<typeof edge>,
  options: NetworkOptions,
  serverHandlers: () => ChannelHandler[] = answerKeepAlive,
) {
  const loop = new VirtualEventLoop();
  const network = new class extends SimulatedNetwork {
    isDown = false;
    override loses(): boolean {
      return this.isDown || super.loses();
    }
  }(loop, options);
  const end = new Collector();
  await new ServerBootstrap({
    loop,
    transport: network,
    onUnhandled() {},
    pipeline: (p) => p.addLast(...serverHandlers()),
  }).listen("simulated://server");
  const connected = new Bootstrap({
    loop,
    transport: network,
    pipeline: (p) => p.addLast(...keepAlive({ strategy }), end),
  }).connect("simulated://server");
  loop.advanceBy(1_000);
  const channel = await connected;
  const snapshot = () => channel.pipeline.get(AdaptiveIntervalHandler)!.snapshot()!;
  const verdicts = () => end.events.filter(({ type }) => type === "verdict");
  return { loop, network, channel, end, snapshot, verdicts };
}

/** Answers pings, and holds as it likes. */
class OddResponder implements ChannelHandler {
  #greeted = false;

  constructor(readonly answerHold: (context: ChannelHandlerContext, hold: Heartbeat) => void) {}

  channelRead(context: ChannelHandlerContext, message: unknown): void {
    const heartbeat = message as Heartbeat;
    if (heartbeat.kind === "hold") this.answerHold(context, heartbeat);
    if (heartbeat.kind !== "ping") return;
    if (!this.#greeted) context.writeAndFlush(Heartbeat.hello({ longestHoldMs: 7_500_000 }));
    this.#greeted = true;
    context.writeAndFlush(new Heartbeat("pong", { sequence: heartbeat.sequence }));
  }
}

function odd(answerHold: ConstructorParameters<typeof OddResponder>[0]): () => ChannelHandler[] {
  return () => [
    new IdleStateHandler(),
    new VarintFrameDecoder(),
    new VarintFrameEncoder(),
    new HeartbeatDecoder(),
    new HeartbeatEncoder(),
    new OddResponder(answerHold),
  ];
}

function after(context: ChannelHandlerContext, ms: number, hold: Heartbeat): void {
  context.loop.schedule(ms, () => {
    if (context.channel.isActive) context.writeAndFlush(new Heartbeat("pong", { sequence: hold.sequence }));
  });
}

const STRICT_60: NetworkOptions = { mode: "strict", timeouts: [{ fromMs: 0, timeoutMs: 60_000 }] };

Deno.test("edge() takes nothing from a peer that answers holds early, late or never, and says why", async () => {
  const peers: Record<string, ReturnType<typeof odd>> = {
    "answered too early": odd((context, hold) => after(context, hold.timeMs / 2, hold)),
    "the peer answers, but not the hold": odd((context, hold) => after(context, hold.timeMs + 5_000, hold)),
    "the peer answers, but not": odd(() => {}),
  };
  for (const [reason, handlers] of Object.entries(peers)) {
    const { loop, end, snapshot, verdicts } = await client(MAIN, STRICT_60, handlers);
    loop.advanceBy(2 * HOUR_MS);
    assertStringIncludes(verdicts()[0]!.reason, reason);
    assert(verdicts().every(({ outcome, reason }) => outcome !== "passed" || reason === "answered"));
    // It goes on with pings of its own, and says that these prove less.
    assertEquals(end.events.filter(({ type }) => type === "coverage").at(-1)!.direction, "client");
    assertLess(snapshot().intervalMs, 60_000);
  }
});

Deno.test("edge() is not misled by answers that come twice, or that nobody asked for", async () => {
  const twice = odd((context, hold) => {
    after(context, hold.timeMs, hold);
    after(context, hold.timeMs + 10, hold);
    context.loop.schedule(hold.timeMs / 3, () => {
      if (!context.channel.isActive) return;
      context.writeAndFlush(new Heartbeat("pong", { sequence: (hold.sequence + 200) % 512 }));
    });
  });
  const { loop, end, snapshot } = await client(MAIN, STRICT_60, twice);
  loop.advanceBy(3 * HOUR_MS);
  assertLess(snapshot().intervalMs, 60_000);
  assertLess(snapshot().bracket.loMs, 60_000);
  assertGreater(snapshot().strayPongs, 0);
  assert(end.errors.every((error) => (error as Error).name === "HeartbeatError"));
});

Deno.test("edge() blames the silence for a dead link only if the first new link comes about at once", async () => {
  for (const [downAfterMs, outcome] of [[0, "failed"], [2_500, "void"]] as const) {
    const { loop, network, end, verdicts } = await client(MAIN, {
      mode: "strict",
      timeouts: [{ fromMs: 0, timeoutMs: Infinity }],
    });
    while (!end.events.some(({ type, where }) => type === "trial" && where === "main")) loop.advanceBy(100);
    const trial = end.events.find(({ type }) => type === "trial")!;
    loop.advanceBy(trial.idleMs - 1_000);
    network.isDown = true;
    while (!end.events.some(({ type }) => type === "linkDown")) loop.advanceBy(100);
    loop.advanceBy(downAfterMs);
    network.isDown = false;
    loop.advanceBy(20_000);
    assertEquals(verdicts()[0]!.outcome, outcome);
    if (outcome === "void") assertStringIncludes(verdicts()[0]!.reason, "the network was down");
  }
});

Deno.test("edge() learns nothing from a server that hangs up twice at once", async () => {
  let links = 0;
  const hasty = odd((context, hold) => {
    if (++links <= 6) context.loop.schedule(2_000, () => context.channel.drop("protocol"));
    else after(context, hold.timeMs, hold);
  });
  const { loop, snapshot, verdicts } = await client(MAIN, STRICT_60, hasty);
  loop.advanceBy(3 * HOUR_MS);
  assert(verdicts().every(({ outcome, idleMs }) => outcome !== "failed" || idleMs >= 5_000));
  assertGreater(snapshot().intervalMs, 55_000);
  assertLess(snapshot().intervalMs, 60_000);
});

Deno.test("edge() lets no ping raise what holds have proven", async () => {
  let holds = 0;
  // Two good answers, then a peer that lost its mind.
  const fickle = odd((context, hold) => after(context, ++holds <= 2 ? hold.timeMs : hold.timeMs / 2, hold));
  const { loop, snapshot, verdicts } = await client(MAIN, {
    mode: "loose",
    timeouts: [{ fromMs: 0, timeoutMs: 150_000 }],
  }, fickle);
  loop.advanceBy(3 * HOUR_MS);
  const passed = verdicts().filter(({ outcome }) => outcome === "passed").map(({ idleMs }) => idleMs);
  assertEquals(passed.length, 2);
  assertEquals(snapshot().bracket, { loMs: passed[1], hiMs: null });
});

Deno.test("edge() learns nothing from a server that hangs up on a scout at once", async () => {
  let hasty = true;
  const { loop, snapshot, verdicts } = await client(SCOUT, STRICT_60, () => [
    ...answerKeepAlive().slice(0, -2),
    {
      channelRead(context, message) {
        context.fireChannelRead(message);
        const { kind, timeMs } = message as Heartbeat;
        // A ticket shown: it is a scout's link.
        if (hasty && kind === "scout" && timeMs > 0) context.channel.drop("protocol");
      },
    },
    ...answerKeepAlive().slice(-2),
  ]);
  loop.advanceBy(HOUR_MS);
  assertGreater(verdicts().length, 3);
  assert(verdicts().every(({ outcome, idleMs }) => outcome === "void" || idleMs === 25_000));
  assertEquals([snapshot().bracket.hiMs, snapshot().intervalMs >= 24_000], [null, true]);
  hasty = false;
  loop.advanceBy(2 * HOUR_MS);
  assertEquals(snapshot().intervalMs, 58_700);
});

Deno.test("edge() takes no answer that came while it slept for one that came too late", async () => {
  for (const strategy of [SCOUT, MAIN]) {
    const { loop, end, verdicts } = await client(strategy, STRICT_60);
    for (let naps = 0; naps < 4; naps++) {
      while (!end.events.some(({ type }) => type === "trial")) loop.advanceBy(100);
      const { idleMs } = end.take("trial")[0]!;
      loop.advanceBy(idleMs - 1_000);
      loop.sleep(2_500);
      loop.advanceBy(1_000);
      assertEquals(verdicts().filter(({ outcome }) => outcome === "failed"), []);
    }
  }
});

Deno.test("edge() takes no late ticket for a foreign one", async () => {
  const { loop, channel, end } = await client(SCOUT, STRICT_60);
  while (!end.events.some(({ type, where }) => type === "trial" && where === "scout")) loop.advanceBy(10);
  // The request is on its way when the scout is called back.
  channel.pipeline.fireUserEventTriggered({ type: "appState", state: "foreground" });
  loop.advanceBy(5_000);
  assertEquals(end.errors, []);
});
