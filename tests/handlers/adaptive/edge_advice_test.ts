import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import type { ExpiryMode } from "../../../bench/sim/nat.ts";
import type { RunResult } from "../../../bench/sim/recorder.ts";
import { run, type RunOptions } from "../../../bench/sim/run.ts";
import {
  edge,
  fixedInterval,
  Heartbeat,
  HeartbeatDecoder,
  HeartbeatEncoder,
  HeartbeatResponder,
  IdleStateHandler,
  IntervalAdviceHandler,
  type IntervalSearch,
  type IntervalStore,
  keepAlive,
  MemoryIntervalStore,
  messagePackFormat,
  stepwise,
} from "../../../handlers/mod.ts";
import { EmbeddedChannel, VirtualEventLoop } from "../../../pipeline/mod.ts";
import { Collector } from "../_rig.ts";
import { recordOf } from "../stores/_store_suite.ts";

const HOUR_MS = 3_600_000;
const MODES: readonly ExpiryMode[] = ["strict", "loose", "reset"];
const SCOUT = edge();
const MAIN = edge({ where: "main" });

// --- the search alone ---

/** Searches until it has an answer on a network with this timeout. */
function trialsOf(search: IntervalSearch, timeoutMs: number): string[] {
  const trials: string[] = [];
  while (!search.isSettled) {
    const idleMs = search.trialMs!(0)!;
    const outcome = idleMs < timeoutMs ? "passed" : "failed";
    search.judge({ idleMs, outcome, reason: "", atMs: 0 });
    trials.push(`${idleMs / 1_000} ${outcome}`);
  }
  return trials;
}

function advised(adviceMs: number, timeoutMs: number, strategy = SCOUT): string[] {
  const search = strategy.search();
  search.advise!(adviceMs);
  assertEquals([search.intervalMs, search.bracket], [25_000, { loMs: 0, hiMs: null }]);
  return trialsOf(search, timeoutMs);
}

Deno.test("edge() tries what it was advised once an eighth of it is proven, and goes on from there", () => {
  assertEquals(advised(199_000, 200_000)[0], "199 passed");
  // What others came to is likely the end here as well.
  assertEquals(advised(298_500, 300_000), ["50.1 passed", "298.5 passed", "303 failed"]);
  assertEquals(advised(298_500, 350_000), [
    "50.1 passed",
    "298.5 passed",
    "303 passed",
    "317.3 passed",
    "501.3 failed",
    "353.5 failed",
    "348.2 passed",
  ]);
  assertEquals(advised(7_164_000, 1e9).at(-1), "7164 passed");
  assertEquals(advised(1_791_000, 1_800_000).slice(0, 5), [
    "50.1 passed",
    "99.5 passed",
    "150.5 passed",
    "298.5 passed",
    "1791 passed",
  ]);
});

Deno.test("edge() is done with advice that fails once, and finds what it would have found", () => {
  const alone = trialsOf(SCOUT.search(), 300_000);
  assertEquals(advised(1_000_000, 300_000), [
    "50.1 passed",
    "99.5 passed",
    "150.5 passed",
    "1000 failed",
    ...alone.slice(3),
  ]);
  // What is far out of reach is never tried.
  assertEquals(advised(7_000_000, 60_000), trialsOf(SCOUT.search(), 60_000));
});

Deno.test("edge() wants no advice that is below what it starts with, or once it knows something itself", () => {
  assertEquals(advised(27_900, 300_000), trialsOf(SCOUT.search(), 300_000));
  assertEquals(advised(Infinity, 1e9, edge({ maxMs: 150_000 }))[0], "150 passed");
  for (const outcome of ["passed", "failed"] as const) {
    const [told, alone] = [SCOUT.search(), SCOUT.search()];
    for (const search of [told, alone]) search.judge({ idleMs: 50_100, outcome, reason: "", atMs: 0 });
    told.advise!(100_000);
    assertEquals(told.trialMs!(0), alone.trialMs!(0));
  }
  const stored = recordOf({
    strategy: "edge",
    loMs: 59_700,
    hiMs: 60_600,
    direction: "push",
    intervalMs: 58_700,
  });
  const settled = SCOUT.search(stored);
  settled.advise!(300_000);
  assertEquals([settled.trialMs!(stored.atMs), settled.intervalMs], [undefined, 58_700]);
});

// --- between a client and a server ---

/** What a server knows that was told this. */
function knowing(idleMs: number): IntervalAdviceHandler {
  const inner = new MemoryIntervalStore();
  const record = recordOf({
    strategy: "advice",
    intervalMs: idleMs,
    loMs: idleMs,
    hiMs: null,
    direction: "push",
    atMs: new VirtualEventLoop().wallNow(),
  });
  const store: IntervalStore = {
    get: (network) => inner.get(network) ?? record,
    set: (network, record) => inner.set(network, record),
  };
  return new IntervalAdviceHandler({ store, networkOf: () => "here" });
}

async function on(timeoutS: number, mode: ExpiryMode, options: Partial<RunOptions> = {}) {
  const timeouts = [{ fromMs: 0, timeoutMs: timeoutS * 1_000 }];
  const result = await run({ strategy: SCOUT, mode, timeouts, lengthMs: 24 * HOUR_MS, ...options });
  assertEquals(result.errors, []);
  return result;
}

/** Later ones look from time to time whether the network has changed. */
function trialsUntilSettled({ log, settledMs }: RunResult): number {
  return log.filter(({ atMs, what }) => what.startsWith("trial") && atMs < settledMs!).length;
}

for (const mode of MODES) {
  Deno.test(`a second client learns faster from what the first one has shown the server, ${mode}`, async () => {
    for (const timeoutS of [47, 100, 300, 1_111, 1_800]) {
      const advice = new IntervalAdviceHandler({ networkOf: () => "here" });
      const first = await on(timeoutS, mode, { advice });
      assertEquals([advice.advised, advice.learned > 0], [0, true]);
      const wallStartMs = new VirtualEventLoop().wallNow() + 24 * HOUR_MS;
      const second = await on(timeoutS, mode, { advice, wallStartMs });
      assertEquals(advice.advised, 1);
      assertLess(trialsUntilSettled(second), trialsUntilSettled(first));
      assertLess(second.settledMs!, first.settledMs!);
      assertLess(second.usableMs!, 1.45 * timeoutS * 1_000);
      assertLess(second.usableMs!, 0.75 * first.usableMs!);
      assertEquals(second.finalIntervalMs, first.finalIntervalMs);
      assertEquals([second.lost, second.unreachableShare, advice.failures], [0, 0, 0]);
    }
  });

  Deno.test(`advice that is wrong costs a scout and no link, ${mode}`, async () => {
    for (
      const [timeoutS, adviceS] of [[60, 200], [60, 7_200], [300, 1_200], [300, 310], [300, 40]] as const
    ) {
      const alone = await on(timeoutS, mode);
      const advice = knowing(adviceS * 1_000);
      const misled = await on(timeoutS, mode, { advice });
      assertEquals(advice.advised, 1);
      assertEquals([misled.lost, misled.unreachableShare], [0, 0]);
      assertGreater(misled.finalIntervalMs, 0.97 * timeoutS * 1_000);
      for (const { intervalMs } of misled.intervals) assertLess(intervalMs, timeoutS * 1_000);
      assertLessOrEqual(misled.usableMs! - alone.usableMs!, 8 * timeoutS * 1_000 + 15_000);
      const tooLong = misled.log.filter(({ what }) => what === `trial ${adviceS * 1_000} scout`);
      assertLessOrEqual(tooLong.length, 1);
    }
  });
}

Deno.test("a stranger's advice is not tried where a link in use would pay for it", async () => {
  const advice = knowing(200_000);
  const told = await on(100, "strict", { strategy: MAIN, advice });
  const alone = await on(100, "strict", { strategy: MAIN });
  assertEquals([advice.advised > 0, told.log], [true, alone.log]);
});

Deno.test("advice means nothing to strategies that learn in other ways", async () => {
  for (const strategy of [fixedInterval(50_000), stepwise()]) {
    const advice = knowing(200_000);
    const told = await on(100, "loose", { strategy, advice });
    const alone = await on(100, "loose", { strategy });
    assertEquals([advice.advised > 0, told.intervals], [true, alone.intervals]);
  }
});

/** A client's pipeline, and what its peer sends. */
function client() {
  const end = new Collector();
  const channel = new EmbeddedChannel({ handlers: [...keepAlive(), end] });
  const say = (heartbeat: Heartbeat) => {
    channel.writeInbound(Uint8Array.of(9, ...messagePackFormat().encode(heartbeat) as Uint8Array));
  };
  const asked = () =>
    channel.drainOutbound().map((frame) => messagePackFormat().decode((frame as Uint8Array).subarray(1))!);
  return { channel, end, say, asked };
}

/** Lets it beat until it asks for a scout. */
function untilTrial({ channel, say, asked }: ReturnType<typeof client>): Heartbeat {
  for (;;) {
    for (const { kind, sequence } of asked()) {
      if (kind === "scout") return new Heartbeat(kind, { sequence });
      if (kind === "ping") say(new Heartbeat("pong", { sequence }));
    }
    channel.advanceBy(1_000);
  }
}

Deno.test("keepAlive() tries no longer than the peer holds, whatever it was advised", () => {
  const made = client();
  const { end, say } = made;
  say(Heartbeat.hello({ longestHoldMs: 90_000, abilities: 1 }));
  say(new Heartbeat("advice", { timeMs: 180_000 }));
  untilTrial(made);
  assertEquals(end.take("trial").map(({ idleMs }) => idleMs), [90_000]);
});

Deno.test("keepAlive() takes no advice of a peer that has not said what it holds", () => {
  const made = client();
  const { end, say } = made;
  say(new Heartbeat("advice", { timeMs: 180_000 }));
  say(Heartbeat.hello({ longestHoldMs: 7_500_000, abilities: 1 }));
  untilTrial(made);
  assertEquals(end.take("trial").map(({ idleMs }) => idleMs), [50_100]);
  assertEquals(end.errors, []);
});

Deno.test("keepAlive() goes on when the peer says what only a later version understands", () => {
  const { channel, end, say, asked } = client();
  const decoder = channel.pipeline.get(HeartbeatDecoder)!;
  const before = decoder.unknownKinds;
  for (let code = 8; code < 16; code++) say(new Heartbeat(code, { timeMs: 180_000, sequence: 3 }));
  const [{ sequence }] = asked() as [Heartbeat];
  say(new Heartbeat("pong", { sequence }));
  assertEquals([decoder.unknownKinds - before, channel.isActive, end.errors], [8, true, []]);
  assertEquals(end.take("linkValid").length, 1);
});

Deno.test("HeartbeatResponder counts a client's advice and ignores it", () => {
  const end = new Collector();
  const responder = new HeartbeatResponder({ maxScouts: 0 });
  const channel = new EmbeddedChannel({
    handlers: [new IdleStateHandler(), new HeartbeatDecoder(), new HeartbeatEncoder(), responder, end],
  });
  channel.writeInbound(messagePackFormat().encode(new Heartbeat("advice", { timeMs: 1_000 })));
  assertEquals([responder.strays, channel.isActive, channel.drainOutbound()], [1, true, []]);
  assert(end.errors.every((error) => (error as Error).name === "HeartbeatError"));
});
