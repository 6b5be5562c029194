import { assert, assertEquals, assertGreater, assertInstanceOf, assertLess, assertThrows } from "@std/assert";
import {
  AdaptiveIntervalHandler,
  fixedInterval,
  Heartbeat,
  HeartbeatDecoder,
  HeartbeatEncoder,
  HeartbeatError,
  IdleStateHandler,
  type IntervalRecord,
  type IntervalStore,
  type IntervalStrategy,
  MAX_HEARTBEAT_TIME_MS,
  MemoryIntervalStore,
  rawFormat,
  stepwise,
  type Verdict,
} from "../../handlers/mod.ts";
import { EmbeddedChannel, PipelineError, VirtualEventLoop } from "../../pipeline/mod.ts";
import { beating } from "./_rig.ts";
import { recordOf } from "./stores/_store_suite.ts";

const MINUTE = 60_000;

type Beating = ReturnType<typeof beating>;

function sentAtMs({ peer }: Beating): number[] {
  return peer.sent.splice(0).map(({ atMs }) => atMs);
}

/** Lets the three short beats pass, so that the search is on. */
function warmUp(rig: Beating): void {
  rig.channel.advanceBy(30_100);
  assertEquals(rig.handler.snapshot()!.phase, "searching");
  rig.peer.sent.length = 0;
  rig.end.events.length = 0;
}

/** Lets the link die at its next beat, and opens another one. */
function die({ peer, channel, end }: Beating): string | undefined {
  peer.isAlive = false;
  for (let i = 0; channel.isActive; i++) {
    assertLess(i, 1000);
    channel.advanceBy(MINUTE);
  }
  const verdict = end.take("verdict").at(-1);
  peer.isAlive = true;
  peer.sent.length = 0;
  channel.reopen();
  return verdict?.outcome;
}

/** A strategy that is settled and remembers what it was told. */
function recording(intervalMs: number): IntervalStrategy & { readonly verdicts: Verdict[] } {
  const verdicts: Verdict[] = [];
  const search = {
    intervalMs,
    isSettled: false,
    bracket: { loMs: 0, hiMs: null },
    judge: (verdict: Verdict) => void verdicts.push(verdict),
  };
  return { name: "recording", search: () => search, verdicts };
}

Deno.test("AdaptiveIntervalHandler beats as soon as a link stands, after the application's first word", () => {
  const rig = beating({ after: [{ channelActive: (context) => context.writeAndFlush("login") }] });
  const [first, second] = rig.channel.drainOutbound();
  assertEquals(first, "login");
  assertEquals((second as Heartbeat).kind, "ping");
});

Deno.test("AdaptiveIntervalHandler fires linkValid once per link, when the peer has answered", () => {
  const rig = beating({ strategy: fixedInterval(10_000) });
  rig.channel.advanceBy(99);
  assertEquals([rig.end.take("linkValid"), rig.handler.snapshot()!.isValid], [[], false]);
  rig.channel.advanceBy(50_000);
  assertEquals(rig.end.take("linkValid"), [{ type: "linkValid", roundTripMs: 100 }]);
  rig.channel.loseLink();
  rig.channel.reopen();
  assertEquals(rig.handler.snapshot()!.isValid, false);
  rig.channel.advanceBy(50_000);
  assertEquals(rig.end.take("linkValid").length, 1);
});

Deno.test("AdaptiveIntervalHandler has three short beats answered before it searches", () => {
  const rig = beating({ strategy: stepwise() });
  rig.channel.advanceBy(30_100);
  // The beat at 0 is the first of the three.
  assertEquals(sentAtMs(rig), [0, 10_000, 20_000]);
  assertEquals(rig.handler.snapshot()!.phase, "searching");
  rig.channel.advanceBy(270_000);
  assertEquals(sentAtMs(rig), [290_100]);
});

Deno.test("AdaptiveIntervalHandler takes a network on which heartbeats get lost for unstable", () => {
  const rig = beating({ strategy: stepwise() });
  rig.channel.advanceBy(15_000);
  // Of each beat from the one at 20 s on, the first heartbeat gets lost and its repeat is answered.
  for (let i = 0; i < 5; i++) {
    rig.peer.isAlive = false;
    rig.channel.advanceBy(i === 0 ? 5500 : 10_000);
    rig.peer.isAlive = true;
    rig.channel.advanceBy(1000);
    assertEquals([rig.handler.snapshot()!.phase, rig.handler.snapshot()!.missed], ["warmUp", i + 1]);
  }
  rig.channel.advanceBy(11_000);
  assertEquals(rig.handler.snapshot()!.phase, "searching");
});

Deno.test("AdaptiveIntervalHandler warms up anew for each link while it searches", () => {
  const rig = beating({ strategy: stepwise(), warmUpBeats: 2, warmUpIntervalMs: 3000 });
  rig.channel.advanceBy(10_000);
  assertEquals(sentAtMs(rig), [0, 3000]);
  rig.channel.loseLink();
  rig.channel.reopen();
  rig.channel.advanceBy(10_000);
  assertEquals(sentAtMs(rig), [10_000, 13_000]);
});

Deno.test("AdaptiveIntervalHandler raises the interval on silence", () => {
  const rig = beating({ strategy: stepwise() });
  warmUp(rig);
  const startMs = rig.idleState.lastReadMs;
  assertEquals(startMs, 20_100);
  rig.channel.advanceBy(20 * MINUTE);
  const answered = (count: number, sumS: number) => startMs + count * 100 + sumS * 1000;
  assertEquals(sentAtMs(rig), [
    answered(0, 270),
    answered(1, 270 + 330),
    answered(2, 270 + 330 + 390),
  ]);
  const { intervalMs, bracket, isSettled } = rig.handler.snapshot()!;
  assertEquals([intervalMs, bracket, isSettled], [450_000, { loMs: 390_000, hiMs: null }, false]);
  assertEquals(
    rig.end.events.filter(({ type }) => type === "verdict" || type === "interval")
      .map(({ type, idleMs, intervalMs, outcome }) => [type, idleMs ?? intervalMs, outcome]),
    [270, 330, 390].flatMap((s) => [
      ["verdict", s * 1000, "passed"],
      ["interval", (s + 60) * 1000, undefined],
    ]),
  );
});

Deno.test("AdaptiveIntervalHandler puts a trial off while there is traffic", () => {
  const rig = beating({ strategy: stepwise() });
  warmUp(rig);
  for (let i = 0; i < 5; i++) {
    rig.channel.advanceBy(200_000);
    if (i % 2 === 0) rig.peer.say("push");
    else rig.channel.writeOutbound("message");
  }
  assertEquals(rig.end.take("verdict"), []);
  const lastMs = rig.loop.now();
  rig.peer.sent.length = 0;
  rig.channel.advanceBy(270_000);
  assertEquals(sentAtMs(rig), [lastMs + 270_000]);
});

Deno.test("AdaptiveIntervalHandler asks a peer that only talks now and then, and learns nothing from that", () => {
  const rig = beating({ strategy: stepwise() });
  warmUp(rig);
  for (let i = 0; i < 30; i++) {
    rig.channel.advanceBy(MINUTE);
    rig.peer.say("push");
  }
  assertGreater(rig.peer.sent.length, 0);
  const { intervalMs, isSettled } = rig.handler.snapshot()!;
  assertEquals([intervalMs, isSettled], [270_000, false]);
  assert(rig.end.take("verdict").every(({ outcome }) => outcome === "void"));
});

Deno.test("AdaptiveIntervalHandler announces a time that covers every silence that may follow", () => {
  // The peer may drop us once we were silent for longer than announced and its
  // grace of 15 s. So it must hold while one side talks, after a trial, and
  // whatever the strategy asks for next.
  const talks = { nobody: 0, peer: 45_000, client: 45_000 } as const;
  for (const [who, everyMs] of Object.entries(talks)) {
    const rig = beating({ strategy: stepwise() });
    let announcedMs = Infinity;
    let lastWriteMs = 0;
    let seen = 0;
    const look = () => {
      for (; seen < rig.peer.sent.length; seen++) {
        const { atMs, heartbeat } = rig.peer.sent[seen]!;
        assertLess(atMs - lastWriteMs, announcedMs + 15_000, `${who} talks, ${atMs} ms`);
        announcedMs = heartbeat.timeMs;
        lastWriteMs = atMs;
      }
    };
    for (let i = 0; i < 600; i++) {
      rig.channel.advanceBy(everyMs || 45_000);
      look();
      if (who === "peer" && i > 12) rig.peer.say("push");
      if (who === "client" && i > 12) {
        rig.channel.writeOutbound("message");
        lastWriteMs = rig.loop.now();
      }
    }
  }
});

Deno.test("AdaptiveIntervalHandler knows that a link is dead within 10 s of the first missed answer", () => {
  const rig = beating({ strategy: fixedInterval(240_000), roundTripMs: 100 });
  rig.channel.advanceBy(1000);
  rig.end.events.length = 0;
  rig.peer.isAlive = false;
  rig.peer.sent.length = 0;
  const beatMs = 240_000;
  rig.channel.advanceBy(beatMs + 8208 - rig.loop.now());
  assertEquals(rig.channel.isActive, true);
  rig.channel.advanceBy(1);
  assertEquals(rig.channel.isActive, false);
  assertEquals(sentAtMs(rig), [0, 1000, 2250, 3813, 5767].map((ms) => beatMs + ms));
  const downMs = rig.loop.now();
  const firstMissedMs = beatMs + 1000;
  assertLess(downMs - firstMissedMs, 10_000);
  const { events } = rig.end;
  assertEquals(
    events.filter(({ type }) => type === "beat").map(({ outcome, unanswered }) => [outcome, unanswered]),
    [1, 2, 3, 4, 5].map((unanswered) => ["missed", unanswered]),
  );
  assertEquals(events.at(-1), { type: "linkDown", reason: "unanswered" });
  assertEquals(rig.handler.snapshot()!.missed, 5);
});

Deno.test("AdaptiveIntervalHandler knows within 10 s of the first unanswered heartbeat, whatever its round trips were", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new VirtualEventLoop({ seed });
    const baseMs = 1 + Math.floor(random.random() * 400);
    const jitterMs = Math.floor(random.random() * (500 - baseMs));
    const rig = beating({
      strategy: fixedInterval(5_000),
      roundTripMs: () => baseMs + Math.floor(random.random() * jitterMs),
    });
    rig.channel.advanceBy(2_000 + Math.floor(random.random() * 60_000));
    rig.peer.isAlive = false;
    rig.peer.sent.length = 0;
    while (rig.channel.isActive) rig.channel.advanceBy(10);
    const [first] = rig.peer.sent;
    // One that was out when the link died counts from when it was sent.
    if (first !== undefined && rig.peer.sent.length === 5) assertLess(rig.loop.now() - first.atMs, 10_020);
    assertLess(rig.loop.now(), 80_000);
  }
});

Deno.test("AdaptiveIntervalHandler.ask() asks at once, and sends nothing more while that is going on", () => {
  const rig = beating({ strategy: fixedInterval(240_000) });
  rig.channel.advanceBy(1_000);
  rig.peer.sent.length = 0;
  rig.handler.ask();
  rig.handler.ask({ unanswered: 3 });
  assertEquals(sentAtMs(rig), [1_000]);
  rig.channel.advanceBy(1_000);
  assertEquals(rig.end.take("beat").at(-1), {
    type: "beat",
    outcome: "answered",
    roundTripMs: 100,
    unanswered: 0,
  });
  rig.handler.ask();
  assertEquals(sentAtMs(rig), [2_000]);
});

Deno.test("AdaptiveIntervalHandler.ask() does nothing without a link, or outside of a pipeline", () => {
  const rig = beating();
  rig.channel.loseLink();
  rig.peer.sent.length = 0;
  rig.handler.ask();
  rig.handler.ask({ unanswered: 1 });
  new AdaptiveIntervalHandler().ask();
  rig.channel.advanceBy(100); // the answer that was on its way
  assertEquals([rig.peer.sent, rig.loop.pendingTimers], [[], 0]);
});

Deno.test("AdaptiveIntervalHandler.ask() refuses what is no count", () => {
  const { handler } = beating();
  for (const unanswered of [-1, 0.5, NaN]) {
    assertThrows(() => handler.ask({ unanswered }), RangeError, "Cannot ask the peer: unanswered must be");
  }
});

Deno.test("AdaptiveIntervalHandler.ask() has a link known to be dead within 10 s of the first unanswered message", () => {
  for (let roundTripMs = 1; roundTripMs <= 500; roundTripMs += roundTripMs < 10 ? 1 : 7) {
    for (const answered of [1, 10]) {
      const rig = beating({ strategy: fixedInterval(5_000), warmUpIntervalMs: 5_000, roundTripMs });
      rig.channel.advanceBy(answered * 5_000 + 2_000);
      rig.peer.isAlive = false;
      const writtenMs = rig.loop.now();
      rig.channel.writeOutbound("message");
      // As a session does: a retransmission timeout, and what the peer may put its acknowledgement off.
      rig.channel.advanceBy(rig.handler.answerTimeoutMs + 200);
      rig.handler.ask({ unanswered: 1 });
      while (rig.channel.isActive) rig.channel.advanceBy(10);
      const knownMs = rig.loop.now() - writtenMs;
      assertLess(knownMs, 10_000, `round trip ${roundTripMs} ms`);
      if (roundTripMs <= 333) assertLess(knownMs, 8_430, `round trip ${roundTripMs} ms`);
    }
  }
});

Deno.test("AdaptiveIntervalHandler.ask() teaches nothing about silences", () => {
  for (const isAlive of [true, false]) {
    const strategy = recording(270_000);
    const rig = beating({ strategy });
    warmUp(rig);
    rig.channel.advanceBy(200_000);
    rig.peer.isAlive = isAlive;
    rig.handler.ask({ unanswered: 1 });
    rig.channel.advanceBy(30_000);
    assertEquals([rig.channel.isActive, strategy.verdicts], [isAlive, []]);
  }
});

Deno.test("AdaptiveIntervalHandler.answerTimeoutMs follows the round trip within its limits", () => {
  assertEquals(new AdaptiveIntervalHandler().answerTimeoutMs, 1_000);
  assertEquals(new AdaptiveIntervalHandler({ minAnswerMs: 300 }).answerTimeoutMs, 300);
  const rig = beating({ minAnswerMs: 300, maxAnswerMs: 2_000, roundTripMs: 200 });
  assertEquals(rig.handler.answerTimeoutMs, 300);
  rig.channel.advanceBy(250);
  assertEquals(rig.handler.answerTimeoutMs, 200 + 4 * 100);
  const slow = beating({ minAnswerMs: 300, maxAnswerMs: 2_000, roundTripMs: 1_000 });
  slow.channel.advanceBy(1_000);
  assertEquals(slow.handler.answerTimeoutMs, 2_000);
});

Deno.test("AdaptiveIntervalHandler does not wait for ever for a peer that talks and does not answer", () => {
  // As when only one direction is dead.
  for (const everyMs of [300, 2_000, 5_000]) {
    const rig = beating({ strategy: fixedInterval(240_000) });
    rig.channel.advanceBy(1_000);
    rig.peer.isAlive = false;
    rig.handler.ask();
    for (let passedMs = 0; rig.channel.isActive; passedMs += everyMs) {
      rig.peer.say("push");
      rig.channel.advanceBy(everyMs);
      assertLess(passedMs, 135_000, `a push every ${everyMs} ms`);
    }
  }
});

Deno.test("AdaptiveIntervalHandler drops a link after 5 unanswered heartbeats and not after 4", () => {
  for (const repeat of [1, 2, 3, 4]) {
    const rig = beating({ strategy: fixedInterval(240_000) });
    rig.channel.advanceBy(1000);
    rig.peer.isAlive = false;
    rig.peer.sent.length = 0;
    rig.channel.advanceBy(239_000 + 8208);
    assertEquals([rig.channel.isActive, rig.peer.sent.length], [true, 5]);
    // The answer to any of them counts, at the last moment too.
    rig.peer.say(new Heartbeat("pong", { sequence: rig.peer.sent[repeat]!.heartbeat.sequence }));
    rig.peer.isAlive = true;
    rig.channel.advanceBy(30 * MINUTE);
    assertEquals(rig.channel.isActive, true);
    assertEquals(rig.end.take("linkDown"), []);
  }
});

Deno.test("AdaptiveIntervalHandler has its number of unanswered heartbeats as an option", () => {
  const rig = beating({ maxUnanswered: 2, minAnswerMs: 400, maxAnswerMs: 400 });
  rig.peer.isAlive = false;
  rig.channel.loseLink();
  rig.channel.reopen();
  rig.channel.advanceBy(799);
  assertEquals(rig.channel.isActive, true);
  rig.channel.advanceBy(1);
  assertEquals(rig.channel.isActive, false);
});

Deno.test("AdaptiveIntervalHandler takes a busy peer for a live one", () => {
  const rig = beating({ strategy: fixedInterval(240_000) });
  rig.channel.advanceBy(1000);
  rig.peer.isAlive = false;
  // A large message in front of the pong: parts of it come in, no answer does.
  rig.channel.advanceBy(239_000);
  for (let i = 0; i < 60; i++) {
    rig.channel.advanceBy(900);
    rig.peer.say("part");
  }
  assertEquals([rig.channel.isActive, rig.handler.snapshot()!.missed], [true, 0]);
  rig.channel.advanceBy(20_000);
  assertEquals(rig.channel.isActive, false);
});

Deno.test("AdaptiveIntervalHandler keeps two clocks: it beats when either direction was idle", () => {
  const receiving = beating({ strategy: fixedInterval(240_000) });
  receiving.channel.advanceBy(100);
  receiving.peer.sent.length = 0;
  for (let i = 0; i < 10; i++) {
    receiving.channel.advanceBy(30_000);
    receiving.peer.say("push");
  }
  // A receive-only client is still heard of by its broker.
  assertEquals(sentAtMs(receiving), [240_000]);

  const sending = beating({ strategy: fixedInterval(240_000) });
  sending.channel.advanceBy(100);
  sending.peer.isAlive = false;
  for (let i = 0; i < 10 && sending.channel.isActive; i++) {
    sending.channel.advanceBy(30_000);
    if (sending.channel.isActive) sending.channel.writeOutbound("message");
  }
  // A send-only client still notices that nobody is there.
  assertEquals(sending.channel.isActive, false);
});

Deno.test("AdaptiveIntervalHandler counts a value that killed the link, and goes on after the reconnect", () => {
  const rig = beating({ strategy: stepwise() });
  warmUp(rig);
  rig.channel.advanceBy(270_000 + 5000); // 270 s survives
  for (let failure = 1; failure <= 5; failure++) {
    assertEquals(rig.handler.snapshot()!.intervalMs, 330_000);
    assertEquals(die(rig), "failed");
    if (failure < 5) warmUp(rig);
  }
  const { isSettled, intervalMs, bracket, phase } = rig.handler.snapshot()!;
  assertEquals([isSettled, intervalMs, bracket, phase], [
    true,
    260_000,
    { loMs: 270_000, hiMs: 330_000 },
    "settled",
  ]);
  rig.channel.advanceBy(10 * MINUTE);
  const sent = sentAtMs(rig);
  assertEquals(sent.slice(1).map((atMs, i) => atMs - sent[i]!), [260_000, 260_000]);
});

Deno.test("AdaptiveIntervalHandler starts over when the settled interval has failed 5 times", () => {
  const store = new MemoryIntervalStore();
  store.set("default", recordOf({ loMs: 600_000, hiMs: 660_000 }));
  const rig = beating({ strategy: stepwise(), store });
  assertEquals(rig.handler.snapshot()!.phase, "settled");
  for (let i = 0; i < 5; i++) {
    assertEquals(rig.handler.snapshot()!.intervalMs, 590_000);
    rig.channel.advanceBy(1000);
    assertEquals(die(rig), "failed");
  }
  assertEquals([rig.handler.snapshot()!.isSettled, rig.handler.snapshot()!.phase], [false, "warmUp"]);
  warmUp(rig);
  assertEquals(rig.handler.snapshot()!.intervalMs, 270_000);
});

Deno.test("AdaptiveIntervalHandler gives up a stored interval that has failed, for the next process too", () => {
  const store = new MemoryIntervalStore();
  store.set("default", recordOf({ loMs: 600_000, hiMs: 660_000 }));
  const rig = beating({ strategy: stepwise(), store });
  for (let i = 0; i < 5; i++) {
    rig.channel.advanceBy(1000);
    die(rig);
  }
  assertEquals(beating({ strategy: stepwise(), store }).handler.snapshot()!.isSettled, false);
});

Deno.test("AdaptiveIntervalHandler takes no short beat that fails for a verdict", () => {
  const strategy = recording(270_000);
  const rig = beating({ strategy });
  rig.channel.advanceBy(15_000);
  rig.peer.isAlive = false;
  rig.channel.advanceBy(20_000);
  assertEquals(rig.channel.isActive, false);
  assertEquals(strategy.verdicts, []);
});

Deno.test("AdaptiveIntervalHandler takes a link that was lost during a trial for no verdict", () => {
  const strategy = recording(270_000);
  const rig = beating({ strategy });
  warmUp(rig);
  rig.channel.advanceBy(200_000);
  rig.channel.loseLink("reset");
  rig.channel.reopen();
  rig.channel.advanceBy(60_000);
  assertEquals(strategy.verdicts, []);
});

Deno.test("AdaptiveIntervalHandler learns nothing from a failure after the machine slept", () => {
  const strategy = recording(270_000);
  const rig = beating({ strategy });
  warmUp(rig);
  rig.channel.advanceBy(100_000);
  rig.peer.isAlive = false;
  rig.loop.sleep(3_600_000);
  rig.channel.advanceBy(20_000);
  assertEquals(rig.channel.isActive, false);
  assertEquals(strategy.verdicts.map(({ outcome }) => outcome), ["void"]);
});

Deno.test("AdaptiveIntervalHandler learns nothing from a failure after the host held its timers back", () => {
  const strategy = recording(270_000);
  const rig = beating({ strategy });
  warmUp(rig);
  rig.peer.isAlive = false;
  rig.loop.throttle(300_000);
  rig.channel.advanceBy(20_000);
  assertEquals(strategy.verdicts.map(({ outcome }) => outcome), ["void"]);
});

Deno.test("AdaptiveIntervalHandler uses a short safe interval in the foreground", () => {
  const rig = beating({ strategy: stepwise(), appState: "foreground" });
  rig.channel.advanceBy(60_000);
  assertEquals(sentAtMs(rig), [0, 25_000, 50_000]);
  assertEquals(rig.handler.snapshot()!.phase, "foreground");
  assertEquals(rig.end.take("verdict"), []);
});

Deno.test("AdaptiveIntervalHandler searches only in the background", () => {
  const rig = beating({ strategy: stepwise() });
  const tell = (state: "foreground" | "background") =>
    rig.channel.pipeline.fireUserEventTriggered({ type: "appState", state });
  warmUp(rig);
  rig.channel.advanceBy(100_000);
  tell("foreground");
  assertEquals([rig.handler.snapshot()!.phase, rig.handler.snapshot()!.intervalMs], ["foreground", 25_000]);
  rig.channel.advanceBy(10 * MINUTE);
  assertEquals(rig.end.take("verdict"), []);
  tell("background");
  // The beats in the foreground were answered: the network is known to be stable.
  assertEquals([rig.handler.snapshot()!.phase, rig.handler.snapshot()!.intervalMs], ["searching", 270_000]);
  rig.channel.advanceBy(270_300);
  assertEquals(rig.end.take("verdict").map(({ outcome }) => outcome), ["passed"]);
});

Deno.test("AdaptiveIntervalHandler passes the application's and the network's events on", () => {
  const rig = beating();
  rig.end.events.length = 0;
  const events = [
    { type: "appState", state: "foreground" },
    { type: "network", state: "offline" },
    { type: "of the application" },
    null,
    "text",
  ];
  for (const event of events) rig.channel.pipeline.fireUserEventTriggered(event);
  assertEquals(rig.end.events.filter((event) => event?.type !== "interval") as unknown[], events);
  assertEquals(rig.end.errors, []);
});

Deno.test("AdaptiveIntervalHandler starts over on another network, and finds what it knew on the first one", () => {
  const store = new MemoryIntervalStore();
  store.set("home", recordOf({ loMs: 600_000, hiMs: 660_000 }));
  const rig = beating({ strategy: stepwise(), store, network: () => "home" });
  const change = (network: string) =>
    rig.channel.pipeline.fireUserEventTriggered({ type: "network", state: "changed", network });
  rig.channel.advanceBy(1000);
  assertEquals(rig.handler.snapshot()!.intervalMs, 590_000);
  sentAtMs(rig);
  change("train");
  // Whether the link survived has to be asked at once.
  assertEquals(sentAtMs(rig), [1000]);
  assertEquals(rig.handler.snapshot()!.phase, "warmUp");
  assertEquals(rig.handler.snapshot()!.bracket, { loMs: 0, hiMs: null });
  rig.channel.advanceBy(MINUTE + 270_000);
  assertEquals(rig.handler.snapshot()!.intervalMs, 330_000);
  change("home");
  assertEquals([rig.handler.snapshot()!.intervalMs, rig.handler.snapshot()!.phase], [590_000, "settled"]);
  change("train");
  assertEquals(rig.handler.snapshot()!.bracket.loMs, 270_000);
});

Deno.test("AdaptiveIntervalHandler remembers networks without a store too", () => {
  let network = "a";
  const rig = beating({ strategy: stepwise(), network: () => network });
  warmUp(rig);
  rig.channel.advanceBy(270_100 + 330_100);
  const learned = rig.handler.snapshot()!;
  assertEquals(learned.bracket.loMs, 330_000);
  for (network of ["b", "a"]) {
    // Asked for each link: a reconnect over another network needs no event.
    rig.channel.loseLink();
    rig.channel.reopen();
    assertEquals(rig.handler.snapshot()!.bracket.loMs, network === "a" ? 330_000 : 0);
  }
});

Deno.test("AdaptiveIntervalHandler keeps each result in the store", () => {
  const kept: [string, IntervalRecord][] = [];
  const store: IntervalStore = {
    get: () => undefined,
    set: (network, record) => void kept.push([network, record]),
  };
  const rig = beating({ strategy: stepwise(), store, network: () => "home" });
  warmUp(rig);
  rig.channel.advanceBy(270_100);
  assertEquals(kept.length, 1);
  const [network, { strategy, loMs, hiMs, isSettled, atMs }] = kept[0]!;
  assertEquals([network, strategy, loMs, hiMs, isSettled], ["home", "stepwise", 270_000, null, false]);
  assertEquals(atMs, rig.loop.wallNow() - (rig.loop.now() - 290_200));
});

Deno.test("AdaptiveIntervalHandler takes no garbage from a store", () => {
  const garbage = [
    null,
    7,
    "text",
    {},
    recordOf({ loMs: -5 }),
    recordOf({ loMs: NaN }),
    recordOf({ strategy: "edge" }),
  ];
  for (const value of garbage) {
    const store = { get: () => value, set: () => {} } as unknown as IntervalStore;
    const rig = beating({ strategy: stepwise(), store });
    assertEquals([rig.handler.snapshot()!.isSettled, rig.handler.snapshot()!.phase], [false, "warmUp"]);
  }
});

Deno.test("AdaptiveIntervalHandler waits for a slow store without standing still", async () => {
  const record = recordOf({ loMs: 600_000, hiMs: 660_000 });
  const store: IntervalStore = { get: () => Promise.resolve(record), set: () => Promise.resolve() };
  const rig = beating({ strategy: stepwise(), store });
  assertEquals(rig.peer.sent.length, 1);
  assertEquals(rig.handler.snapshot()!.phase, "warmUp");
  await rig.channel.advanceByAsync(0);
  assertEquals([rig.handler.snapshot()!.phase, rig.handler.snapshot()!.intervalMs], ["settled", 590_000]);
});

Deno.test("AdaptiveIntervalHandler announces what a slow store made of the interval", async () => {
  // Or the peer drops us in the middle of the first long interval.
  const record = recordOf({ loMs: 3_600_000, hiMs: null });
  const store: IntervalStore = { get: () => Promise.resolve(record), set: () => Promise.resolve() };
  const rig = beating({ strategy: stepwise(), store });
  await rig.channel.advanceByAsync(4_000_000);
  const { sent } = rig.peer;
  assertGreater(sent.length, 1);
  for (const [i, { atMs }] of sent.entries()) {
    if (i > 0) assertLess(atMs - sent[i - 1]!.atMs, sent[i - 1]!.heartbeat.timeMs + 15_000);
  }
});

Deno.test("AdaptiveIntervalHandler reports a store that fails and goes on", async () => {
  const error = new Error("disk full");
  const store: IntervalStore = { get: () => Promise.reject(error), set: () => Promise.reject(error) };
  const rig = beating({ strategy: stepwise(), store });
  await rig.channel.advanceByAsync(30_100);
  await rig.channel.advanceByAsync(270_100);
  assertEquals(rig.end.errors, [error, error]);
  assertEquals(rig.handler.snapshot()!.intervalMs, 330_000);
});

Deno.test("AdaptiveIntervalHandler drops no link over an answer that nobody asked for", () => {
  const rig = beating({ strategy: fixedInterval(240_000) });
  rig.channel.advanceBy(1000);
  rig.peer.say(new Heartbeat("pong", { sequence: 77 }));
  const [error] = rig.end.errors;
  assertInstanceOf(error, HeartbeatError);
  assertEquals(error.sequence, 77);
  assertEquals([rig.handler.snapshot()!.strayPongs, rig.channel.isActive], [1, true]);
});

Deno.test("AdaptiveIntervalHandler takes a late second answer for no error", () => {
  const rig = beating({ strategy: fixedInterval(240_000) });
  rig.channel.advanceBy(1000);
  const { sequence } = rig.peer.sent[0]!.heartbeat;
  rig.peer.say(new Heartbeat("pong", { sequence }));
  assertEquals([rig.end.errors, rig.handler.snapshot()!.strayPongs], [[], 0]);
});

Deno.test("AdaptiveIntervalHandler takes any pong of a format without numbers", () => {
  const format = rawFormat({ ping: "?", pong: "!" });
  const rig = beating({
    strategy: fixedInterval(240_000),
    before: [new HeartbeatDecoder({ format }), new HeartbeatEncoder({ format })],
  });
  for (let i = 0; i < 3; i++) {
    rig.channel.advanceBy(100);
    assertEquals(rig.channel.drainOutbound(), ["?"]);
    rig.peer.say("!");
    rig.channel.advanceBy(239_900);
  }
  assertEquals([rig.channel.isActive, rig.end.errors, rig.handler.snapshot()!.missed], [true, [], 0]);
});

Deno.test("AdaptiveIntervalHandler goes on past 512 heartbeats", () => {
  const rig = beating({ strategy: fixedInterval(1000), roundTripMs: 5 });
  rig.channel.advanceBy(1_300_000);
  assertGreater(rig.handler.snapshot()!.heartbeats, 1200);
  assertEquals([rig.channel.isActive, rig.end.errors, rig.handler.snapshot()!.missed], [true, [], 0]);
  const sequences = rig.peer.sent.map(({ heartbeat }) => heartbeat.sequence);
  assert(sequences.every((sequence, i) => sequence === i % 512));
});

Deno.test("AdaptiveIntervalHandler keeps heartbeats to itself and passes messages on", () => {
  const rig = beating();
  rig.peer.say(Heartbeat.hello());
  rig.peer.say(Heartbeat.void(1, "busy"));
  rig.peer.say("message");
  rig.channel.advanceBy(1000);
  assertEquals(rig.channel.drainInbound(), ["message"]);
});

Deno.test("AdaptiveIntervalHandler.snapshot() has what a screen needs", () => {
  const rig = beating({ strategy: fixedInterval(240_000) });
  rig.channel.advanceBy(100);
  const snapshot = rig.handler.snapshot()!;
  const { strategy, phase, intervalMs, bracket, isSettled, isValid, roundTripMs, heartbeats, missed } =
    snapshot;
  assertEquals(
    { strategy, phase, intervalMs, bracket, isSettled, isValid, roundTripMs, heartbeats, missed },
    {
      strategy: "fixed",
      phase: "settled",
      intervalMs: 240_000,
      bracket: { loMs: 0, hiMs: null },
      isSettled: true,
      isValid: true,
      roundTripMs: 100,
      heartbeats: 1,
      missed: 0,
    },
  );
  rig.channel.loseLink();
  assertEquals(rig.handler.snapshot()!.phase, "down");
});

Deno.test("AdaptiveIntervalHandler tells of each beat and each change of interval", () => {
  const rig = beating({ strategy: stepwise(), warmUpIntervalMs: 5000 });
  rig.channel.advanceBy(100);
  const beats = rig.end.events.filter(({ type }) => type === "beat");
  assertEquals(beats, [{ type: "beat", outcome: "answered", roundTripMs: 100, unanswered: 0 }]);
  rig.end.events.length = 0;
  rig.channel.advanceBy(10_000);
  const [event] = rig.end.take("interval");
  assertEquals([event!.intervalMs, event!.previousMs, event!.isSettled], [270_000, 5000, false]);
  assertEquals([event!.bracket, typeof event!.reason], [{ loMs: 0, hiMs: null }, "string"]);
});

Deno.test("AdaptiveIntervalHandler leaves no timer after the link, its removal, and the channel", async () => {
  for (const isAnswered of [true, false]) {
    const make = () => {
      const rig = beating({ strategy: stepwise(), roundTripMs: 10 });
      rig.channel.advanceBy(5000);
      rig.peer.isAlive = isAnswered;
      rig.channel.advanceBy(6000);
      return rig;
    };
    const lost = make();
    lost.channel.loseLink();
    assertEquals(lost.loop.pendingTimers, 0);
    const removed = make();
    removed.channel.pipeline.remove(removed.handler);
    removed.channel.advanceBy(1000);
    assertEquals([removed.loop.pendingTimers, removed.channel.isActive], [0, true]);
    const closed = make();
    await closed.channel.close();
    assertEquals(closed.loop.pendingTimers, 0);
  }
});

Deno.test("AdaptiveIntervalHandler stands a close by whoever is told of validity, of a miss, or of death", async () => {
  for (const type of ["linkValid", "beat", "verdict", "interval", "linkDown"]) {
    for (const isAlive of [true, false]) {
      const rig = beating({
        strategy: stepwise(),
        after: [{
          userEventTriggered: (context, event) => {
            if ((event as { type: string }).type === type) context.close();
          },
        }],
      });
      for (let i = 0; i < 5000 && rig.channel.state !== "closed"; i++) {
        if (i === 10) rig.peer.isAlive = isAlive;
        rig.channel.advanceBy(200);
      }
      rig.channel.advanceBy(200); // what the peer has on its way
      await rig.channel.close();
      assertEquals([rig.end.errors, rig.loop.pendingTimers], [[], 0], type);
    }
  }
});

Deno.test("AdaptiveIntervalHandler leaves no timer when a change of network leads to a close", () => {
  const rig = beating({
    strategy: stepwise(),
    roundTripMs: 1,
    after: [{
      userEventTriggered: (context, event) => {
        const { type, reason } = event as { type: string; reason?: string };
        if (type === "interval" && reason === "network changed") context.close();
      },
    }],
  });
  rig.channel.advanceBy(50_000);
  rig.channel.pipeline.fireUserEventTriggered({ type: "network", state: "changed", network: "other" });
  assertEquals(rig.channel.state, "closed");
  assertEquals([rig.loop.pendingTimers, rig.end.errors], [0, []]);
});

Deno.test("AdaptiveIntervalHandler starts where a link stands when it is added", () => {
  const rig = beating();
  rig.channel.pipeline.remove(rig.handler);
  rig.peer.sent.length = 0;
  rig.channel.pipeline.addBefore(rig.end, new AdaptiveIntervalHandler({ strategy: fixedInterval(1000) }));
  assertEquals(rig.peer.sent.length, 1);
  rig.channel.advanceBy(1100);
  assertEquals(rig.peer.sent.length, 2);
});

Deno.test("AdaptiveIntervalHandler needs an IdleStateHandler", () => {
  const errors: unknown[] = [];
  new EmbeddedChannel({
    handlers: [{ exceptionCaught: (_context, error) => errors.push(error) }, new AdaptiveIntervalHandler()],
  });
  assertInstanceOf(errors[0], PipelineError);
  assertInstanceOf(errors[0].cause, TypeError);
});

Deno.test("AdaptiveIntervalHandler() refuses numbers out of range", () => {
  const times = ["foregroundIntervalMs", "warmUpIntervalMs", "minAnswerMs", "maxAnswerMs"];
  for (const name of times) {
    for (const value of [0, -1, NaN, Infinity, MAX_HEARTBEAT_TIME_MS + 1]) {
      assertThrows(() => new AdaptiveIntervalHandler({ [name]: value }), RangeError);
    }
  }
  for (const name of ["warmUpBeats", "maxUnanswered"]) {
    for (const value of [0, -1, NaN, 1.5, 1001]) {
      assertThrows(() => new AdaptiveIntervalHandler({ [name]: value }), RangeError, name);
    }
  }
  assertThrows(
    () => new AdaptiveIntervalHandler({ minAnswerMs: 500, maxAnswerMs: 400 }),
    RangeError,
    "maxAnswerMs must be from 500 to",
  );
});

Deno.test("AdaptiveIntervalHandler lets no ping through to the application, which answers none", () => {
  const handler = new AdaptiveIntervalHandler();
  const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler(), handler] });
  assertThrows(
    () => channel.writeInbound(new Heartbeat("ping", { sequence: 3 })),
    HeartbeatError,
    "Cannot accept the ping: no handler here answers heartbeats",
  );
  assertEquals([channel.drainInbound(), channel.isActive], [[], true]);
});
