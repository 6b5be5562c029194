import { assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import {
  AdaptiveIntervalHandler,
  type AdaptiveIntervalOptions,
  answerKeepAlive,
  edge,
  fixedInterval,
  Heartbeat,
  IdleStateHandler,
  keepAlive,
  MemoryIntervalStore,
} from "../../handlers/mod.ts";
import {
  Channel,
  EmbeddedChannel,
  ServerBootstrap,
  SystemEventLoop,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { type Sleeper, unwatchWake, watchWake } from "../../handlers/_wake_watch.ts";
import { FakeHost } from "../pipeline/_fake_host.ts";
import { NatNetwork } from "./_nat_network.ts";
import { beating, Collector, ListenerCountingLoop, Peer } from "./_rig.ts";
import { recordOf } from "./stores/_store_suite.ts";

const HOUR = 3_600_000;

/** A channel on the loop of production code, on a machine that can be suspended. */
function onMachine(
  { roundTripMs = 100, wakeTickMs, ...options }:
    & AdaptiveIntervalOptions
    & { readonly roundTripMs?: number; readonly wakeTickMs?: number } = {},
) {
  const host = new FakeHost();
  const errors: unknown[] = [];
  const loop = new SystemEventLoop({ host, wakeTickMs, onError: (error) => errors.push(error) });
  const peer = new Peer(roundTripMs);
  const end = new Collector();
  const handler = new AdaptiveIntervalHandler({ strategy: fixedInterval(2 * HOUR), ...options });
  const channel = new EmbeddedChannel({ loop, handlers: [peer, new IdleStateHandler(), handler, end] });
  channel.autoClose = false;
  host.advance(1_000);
  /** Lets time pass, with what waits for promises. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 50) {
      for (let i = 0; i < 3; i++) await Promise.resolve();
      host.advance(Math.min(50, ms - passed));
    }
  };
  return { host, loop, errors, peer, end, handler, channel, pass };
}

type Machine = ReturnType<typeof onMachine>;
type FirstEvent = (machine: Machine) => Promise<void> | void;

/** What may be the first thing to happen after a machine has woken, and by when it has. */
const FIRST_EVENTS: Readonly<Record<string, FirstEvent>> = {
  // Has lain in the kernel since before the sleep, and proves nothing.
  inbound: ({ peer }) => peer.say("push"),
  online: ({ channel }) => channel.pipeline.fireUserEventTriggered({ type: "network", state: "online" }),
  changed: ({ channel }) => channel.pipeline.fireUserEventTriggered({ type: "network", state: "changed" }),
  visible: ({ channel }) =>
    channel.pipeline.fireUserEventTriggered({ type: "appState", state: "foreground" }),
  wakeTick: async ({ host, loop, pass }) => {
    const wokeMs = host.wallMs;
    while (loop.lastLateMs < HOUR) await pass(10);
    assertLessOrEqual(host.wallMs - wokeMs, 30_000);
  },
};

/** Suspends for an hour, wakes, and returns what is known 3 s after the first event. */
async function sleepAndWake(
  machine: Machine,
  first: FirstEvent,
): Promise<{ knownAfterMs: number; isValid: boolean }> {
  const { host, loop, channel, end, pass } = machine;
  host.suspend(HOUR);
  end.events.length = 0;
  await first(machine);
  const firstMs = loop.now();
  const isKnown = () =>
    end.events.some(({ type, outcome }) =>
      type === "linkDown" || (type === "beat" && outcome === "answered")
    );
  while (!isKnown()) {
    await pass(10);
    assertLess(loop.now() - firstMs, 60_000, "nothing was decided");
  }
  return { knownAfterMs: loop.now() - firstMs, isValid: channel.isActive };
}

for (const [name, first] of Object.entries(FIRST_EVENTS)) {
  Deno.test(`AdaptiveIntervalHandler knows within 3 s of waking by ${name} whether its link lives`, async () => {
    for (const roundTripMs of [1, 50, 300, 500]) {
      for (const isAlive of [true, false]) {
        for (const isAsking of [false, true]) {
          const machine = onMachine({ roundTripMs, wakeTickMs: name === "wakeTick" ? 30_000 : undefined });
          const { peer, handler, end, errors, loop } = machine;
          if (isAsking) {
            // The machine falls asleep while an answer is awaited, four times in vain already.
            peer.isAlive = false;
            handler.ask();
            await machine.pass(6_000);
            peer.isAlive = true;
          }
          peer.isAlive = isAlive;
          const { knownAfterMs, isValid } = await sleepAndWake(machine, first);
          const what = `round trip ${roundTripMs} ms, ${isAlive ? "alive" : "dead"}, ${
            isAsking ? "asking" : "quiet"
          }`;
          assertEquals(isValid, isAlive, what);
          assertLessOrEqual(knownAfterMs, isAlive ? roundTripMs + 50 : 3_000, what);
          if (!isAlive) assertEquals(end.events.at(-1), { type: "linkDown", reason: "unanswered" }, what);
          assertEquals([end.errors, errors], [[], []], what);
          assertGreater(loop.now(), HOUR);
        }
      }
    }
  });
}

Deno.test("AdaptiveIntervalHandler takes an answer that waited in the kernel during the sleep for no proof", async () => {
  const machine = onMachine();
  const { peer, handler } = machine;
  peer.isAlive = false;
  handler.ask();
  const { sequence } = peer.sent.at(-1)!.heartbeat;
  await machine.pass(50);
  const answer: FirstEvent = ({ peer }) => peer.say(new Heartbeat("pong", { sequence }));
  const { knownAfterMs, isValid } = await sleepAndWake(machine, answer);
  assertEquals([isValid, machine.end.errors], [false, []]);
  assertLessOrEqual(knownAfterMs, 3_000);
  assertEquals(machine.handler.snapshot()!.roundTripMs, 100);
});

Deno.test("AdaptiveIntervalHandler takes what the kernel hands out after waking for no proof, and later reads for one", async () => {
  for (const isLater of [false, true]) {
    const machine = onMachine();
    const { peer, channel, pass } = machine;
    peer.isAlive = false;
    machine.host.suspend(HOUR);
    const wokeMs = machine.host.wallMs;
    for (let i = 0; i < (isLater ? 30 : 9); i++) {
      peer.say("part");
      await pass(100);
    }
    await pass(3_000 - (machine.host.wallMs - wokeMs));
    assertEquals(channel.isActive, isLater);
  }
});

Deno.test("AdaptiveIntervalHandler asks once for all the events of one waking", async () => {
  const machine = onMachine({ roundTripMs: 300 });
  machine.host.suspend(HOUR);
  machine.peer.sent.length = 0;
  for (const first of ["online", "inbound", "visible"]) await FIRST_EVENTS[first]!(machine);
  await machine.pass(1_000);
  assertEquals(machine.peer.sent.length, 1);
});

Deno.test("AdaptiveIntervalHandler asks again when the network is there only later, and still decides in time", async () => {
  for (const isAlive of [true, false]) {
    const machine = onMachine({ wakeTickMs: 30_000 });
    const { host, peer, channel, end, pass } = machine;
    peer.isAlive = false; // no network yet
    host.suspend(HOUR);
    FIRST_EVENTS.inbound!(machine);
    const wokeMs = host.wallMs;
    await pass(2_500);
    peer.isAlive = isAlive;
    FIRST_EVENTS.online!(machine);
    await pass(3_000 - (host.wallMs - wokeMs));
    assertEquals(channel.isActive, isAlive);
    assertEquals(end.take("linkDown").length, isAlive ? 0 : 1);
  }
});

Deno.test("AdaptiveIntervalHandler keeps the timing of an ordinary beat", () => {
  const rig = beating({ strategy: fixedInterval(240_000) });
  rig.channel.advanceBy(1_000);
  rig.peer.isAlive = false;
  rig.channel.advanceBy(239_000 + 8_208);
  assertEquals(rig.channel.isActive, true);
  rig.channel.advanceBy(1);
  assertEquals(rig.channel.isActive, false);
});

Deno.test("AdaptiveIntervalHandler takes timers held back for over a minute for a sleep, and no shorter time", () => {
  for (const [lateMs, asked] of [[60_000, 0], [70_000, 1]] as const) {
    const rig = beating({ strategy: fixedInterval(HOUR) });
    rig.channel.advanceBy(1_000);
    rig.peer.sent.length = 0;
    rig.loop.throttle(lateMs);
    assertEquals(rig.peer.sent.length, asked, `${lateMs} ms`);
  }
});

Deno.test("AdaptiveIntervalHandler learns nothing wrong from a sleep, with or without a hold out", async () => {
  for (const isAlive of [true, false]) {
    const loop = new VirtualEventLoop();
    const network = new NatNetwork(loop);
    const server = new ServerBootstrap({
      transport: network,
      loop,
      pipeline: (pipeline) => pipeline.addLast(...answerKeepAlive()),
    });
    await server.listen("nat://server");
    const store = new MemoryIntervalStore();
    store.set(
      "default",
      recordOf({
        strategy: "edge",
        direction: "push",
        loMs: 7_000_000,
        hiMs: 7_100_000,
        intervalMs: 6_900_000,
      }),
    );
    const end = new Collector();
    const channel = new Channel({
      transport: network,
      loop,
      pipeline: (pipeline) =>
        pipeline.addLast(...keepAlive({ strategy: edge(), store, reconnect: null }), end),
    });
    channel.connect("nat://server");
    loop.advanceBy(60_000);
    assertEquals(channel.pipeline.get(AdaptiveIntervalHandler)!.snapshot()!.phase, "settled");
    if (!isAlive) network.links[0]!.cut();
    end.events.length = 0;
    loop.sleep(HOUR);
    loop.advanceBy(3_000);
    assertEquals(channel.isActive, isAlive);
    assertEquals(end.events.some(({ type }) => type === "linkDown"), !isAlive);
    const outcomes = end.take("verdict").map(({ outcome }) => outcome);
    assertEquals(outcomes, isAlive ? [] : ["void"]);
    void channel.close();
    loop.advanceBy(60_000);
  }
});

Deno.test("AdaptiveIntervalHandler needs one late listener for all links of a loop, and none without a link", async () => {
  const loop = new ListenerCountingLoop();
  const channels = Array.from({ length: 100 }, () => {
    const channel = new EmbeddedChannel({
      loop,
      handlers: [new IdleStateHandler(), new AdaptiveIntervalHandler()],
    });
    channel.autoClose = false;
    return channel;
  });
  assertEquals(loop.listeners, 1);
  for (const channel of channels) channel.loseLink();
  assertEquals(loop.listeners, 0);
  channels[0]!.reopen();
  assertEquals(loop.listeners, 1);
  await Promise.all(channels.map((channel) => channel.close()));
  assertEquals([loop.listeners, loop.pendingTimers], [0, 0]);
});

Deno.test("watchWake() tells each sleeper once, whoever comes and goes meanwhile", () => {
  const loop = new VirtualEventLoop();
  const told: string[] = [];
  const sleepers: Sleeper[] = [
    {
      woke() {
        told.push("comes back");
        unwatchWake(loop, this);
        watchWake(loop, this);
      },
    },
    {
      woke() {
        told.push("ends another");
        unwatchWake(loop, sleepers[2]!);
      },
    },
    { woke: () => void told.push("ended") },
    { woke: () => void told.push("last") },
  ];
  for (const sleeper of sleepers) watchWake(loop, sleeper);
  loop.sleep(10_000);
  assertEquals(told, ["comes back", "ends another", "last"]);
  for (const sleeper of sleepers) unwatchWake(loop, sleeper);
  loop.sleep(10_000);
  assertEquals(told.length, 3);
});
