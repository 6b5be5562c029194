import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { Bootstrap, ServerBootstrap, VirtualEventLoop } from "../../pipeline/mod.ts";
import {
  AdaptiveIntervalHandler,
  answerKeepAlive,
  edge,
  type IntervalRecord,
  type IntervalStore,
  keepAlive,
  type KeepAliveOptions,
  MemoryIntervalStore,
} from "../../handlers/mod.ts";
import { NatNetwork } from "./_nat_network.ts";
import { Collector } from "./_rig.ts";
import { recordOf } from "./stores/_store_suite.ts";

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;

/** A store that answers later, as one on a disk does. */
class SlowStore implements IntervalStore {
  readonly inner = new MemoryIntervalStore();
  get = (network: string) => Promise.resolve().then(() => this.inner.get(network));
  set = (network: string, record: IntervalRecord) =>
    Promise.resolve().then(() => this.inner.set(network, record));
}

/** Counts what is written. */
class CountingStore extends MemoryIntervalStore {
  writes = 0;

  override set(network: string, record: IntervalRecord): void {
    this.writes++;
    super.set(network, record);
  }
}

/** A server behind a strict NAT, where clients come and go. */
async function place(timeoutMs: number, startMs = 0) {
  const loop = new VirtualEventLoop({ wallStartMs: Date.UTC(2026, 0, 1) + startMs });
  const network = new NatNetwork(loop, { timeoutMs });
  await new ServerBootstrap({ loop, transport: network, pipeline: (p) => p.addLast(...answerKeepAlive()) })
    .listen("nat://server");
  const join = async (options: KeepAliveOptions) => {
    const end = new Collector();
    const channel = await new Bootstrap({
      loop,
      transport: network,
      pipeline: (p) => p.addLast(...keepAlive(options), end),
    }).connect("nat://server");
    const snapshot = () => channel.pipeline.get(AdaptiveIntervalHandler)!.snapshot()!;
    return { channel, end, snapshot };
  };
  return { loop, network, join };
}

/** Learns T = 60 s on a first channel, and lets it go. */
async function learned(store: IntervalStore) {
  const { loop, network, join } = await place(60 * SECOND);
  const first = await join({ store });
  await loop.advanceByAsync(30 * MINUTE);
  const { isSettled, bracket } = first.snapshot();
  assertEquals([isSettled, bracket.loMs], [true, 59_700]);
  const closed = first.channel.close();
  await loop.advanceByAsync(SECOND);
  await closed;
  return { loop, network, join };
}

/** A record as `edge()` makes it. */
function edgeRecord(fields: Partial<IntervalRecord> = {}): IntervalRecord {
  return recordOf({
    strategy: "edge",
    intervalMs: 58_700,
    loMs: 59_700,
    hiMs: 60_600,
    direction: "push",
    atMs: Date.UTC(2025, 11, 31, 23),
    ...fields,
  });
}

for (const Store of [MemoryIntervalStore, SlowStore]) {
  Deno.test(`edge() uses what a ${Store.name} has at once, and the next beat confirms it`, async () => {
    const store = new Store();
    const { loop, join } = await learned(store);
    const { confirmations } = (await store.get("default"))!;
    const second = await join({ store });
    await loop.advanceByAsync(1 * SECOND);
    const { isSettled, phase, intervalMs } = second.snapshot();
    assertEquals([isSettled, phase, intervalMs], [true, "settled", 58_700]);
    const learnedAtMs = (await store.get("default"))!.atMs;
    await loop.advanceByAsync(2 * HOUR);
    // No trial, no lost link: two hours of holds at the stored interval, each of which proves it again.
    assertEquals(second.end.events.filter(({ type }) => type === "trial" || type === "linkDown"), []);
    const beats = second.end.events.filter(({ type, outcome }) => type === "beat" && outcome === "answered");
    assertLess(beats.length, 2 * HOUR / 58_700 + 4);
    const record = (await store.get("default"))!;
    assertGreater(record.confirmations, confirmations);
    // The time for the next longer trial counts from when it was learned, however often it is confirmed.
    assertEquals(record.atMs, learnedAtMs);
  });
}

Deno.test("edge() goes on at its interval after a reconnect on the same network", async () => {
  const { loop, network, join } = await place(60 * SECOND);
  const { snapshot, end } = await join({});
  await loop.advanceByAsync(30 * MINUTE);
  assertEquals(snapshot().intervalMs, 58_700);
  network.links[0]!.abort();
  end.events.length = 0;
  await loop.advanceByAsync(10 * MINUTE);
  assertEquals(end.events.filter(({ type }) => type === "interval" || type === "trial"), []);
  assertEquals([snapshot().phase, snapshot().intervalMs, snapshot().isValid], ["settled", 58_700, true]);
});

Deno.test("edge() finds each network's value again when it comes back", async () => {
  const { loop, network, join } = await place(60 * SECOND);
  let name = "home";
  const { channel, snapshot } = await join({ network: () => name });
  await loop.advanceByAsync(30 * MINUTE);
  assertEquals(snapshot().bracket.loMs, 59_700);
  name = "train";
  network.timeoutMs = 30 * SECOND;
  channel.pipeline.fireUserEventTriggered({ type: "network", state: "changed" });
  assertEquals([snapshot().network, snapshot().bracket], ["train", { loMs: 0, hiMs: null }]);
  await loop.advanceByAsync(30 * MINUTE);
  assertEquals([snapshot().isSettled, snapshot().bracket.loMs], [true, 29_700]);
  name = "home";
  channel.pipeline.fireUserEventTriggered({ type: "network", state: "online" });
  assertEquals([snapshot().network, snapshot().bracket.loMs], ["home", 59_700]);
});

Deno.test("edge() gives a stored value up that holds no more, after a safe interval and a second test", async () => {
  const store = new MemoryIntervalStore();
  store.set("default", edgeRecord({ intervalMs: 295_000, loMs: 298_500, hiMs: 303_000 }));
  const { loop, join } = await place(60 * SECOND);
  const { snapshot, end } = await join({ store });
  assertEquals(snapshot().isSettled, true);
  await loop.advanceByAsync(298.5 * SECOND + 20 * SECOND);
  // One beat was enough to doubt.
  assertEquals([snapshot().isSettled, snapshot().intervalMs], [false, 25_000]);
  assertEquals(end.take("linkDown").length, 1);
  await loop.advanceByAsync(HOUR);
  assertEquals([snapshot().isSettled, snapshot().intervalMs], [true, 58_700]);
  assertEquals(end.take("linkDown"), []);
  const { loMs, hiMs, isSettled } = store.get("default")!;
  assertEquals([loMs, isSettled], [59_700, true]);
  assert(hiMs! >= 60_000 && hiMs! < 62_000, `${hiMs}`);
});

const GARBAGE: [string, unknown, RegExp][] = [
  ["text", "garbage", /it must be an object/],
  ["a value below its range", edgeRecord({ loMs: -1 }), /loMs must be from 0 to 13107100, got -1/],
  [
    "a value above its range",
    edgeRecord({ loMs: 1e9, hiMs: null, intervalMs: 5 }),
    /loMs must be .* got 1000000000/,
  ],
  ["an interval that kills", edgeRecord({ intervalMs: 7_000_000 }), /intervalMs must be below hiMs 60600/],
  ["a date in the future", edgeRecord({ atMs: Date.UTC(2026, 0, 4) }), /from the future, 72 h ahead/],
];
for (const [what, garbage, reason] of GARBAGE) {
  for (const isSlow of [false, true]) {
    Deno.test(`edge() ignores ${what} in a ${isSlow ? "slow" : "fast"} store, says so and learns anew`, async () => {
      const { loop, join } = await place(60 * SECOND);
      let stored = garbage as IntervalRecord;
      const store: IntervalStore = {
        get: () => isSlow ? Promise.resolve(stored) : stored,
        set: (_network, record) => void (stored = record),
      };
      const { snapshot, end } = await join({ store });
      await loop.advanceByAsync(SECOND);
      assertEquals([snapshot().phase, snapshot().bracket], ["warmUp", { loMs: 0, hiMs: null }]);
      assertEquals(end.errors.length, 1);
      const { name, message } = end.errors[0] as Error;
      assertEquals(name, "TypeError");
      assertMatch(message, /^Cannot use what is stored of the network "default": /);
      assertMatch(message, reason);
      await loop.advanceByAsync(30 * MINUTE);
      assertEquals([snapshot().isSettled, snapshot().bracket.loMs, stored.loMs], [true, 59_700, 59_700]);
      assertEquals(end.errors.length, 1);
    });
  }
}

Deno.test("edge() takes nothing from another strategy or from client-timed pings, and needs not say so", async () => {
  for (const record of [edgeRecord({ strategy: "stepwise" }), edgeRecord({ direction: "client" })]) {
    const store = new MemoryIntervalStore();
    store.set("default", record);
    const { join } = await place(60 * SECOND);
    const { snapshot, end } = await join({ store });
    assertEquals([snapshot().bracket, end.errors], [{ loMs: 0, hiMs: null }, []]);
  }
});

Deno.test("edge() searches on above a stored value that nothing bounds", async () => {
  // As left by a process whose longest idle time was 30 s.
  const store = new MemoryIntervalStore();
  store.set("default", edgeRecord({ intervalMs: 28_700, loMs: 29_700, hiMs: null }));
  const { loop, join } = await place(60 * SECOND);
  const { snapshot } = await join({ store });
  assertEquals(snapshot().bracket.loMs, 29_700);
  await loop.advanceByAsync(30 * MINUTE);
  assertEquals([snapshot().isSettled, snapshot().bracket.loMs], [true, 59_700]);
});

Deno.test("edge() tries a longer time after 4 h, also if the clock was years ahead when it learned", () => {
  const nowMs = Date.UTC(2026, 0, 1);
  const due = (atMs: number) => edge().search(edgeRecord({ atMs })).trialMs!(nowMs) !== undefined;
  const ages = [0, 4 * HOUR - 1, 4 * HOUR, -3 * HOUR, -5 * HOUR, -1000 * 24 * HOUR];
  assertEquals(ages.map((age) => due(nowMs - age)), [false, false, true, false, true, true]);
});

Deno.test("edge() does not write to the store with each beat", async () => {
  const store = new CountingStore();
  const { loop, join } = await learned(store);
  store.writes = 0;
  await join({ store });
  await loop.advanceByAsync(3 * HOUR);
  // 180 beats, and a write whenever their number has doubled.
  const { confirmations } = store.get("default")!;
  assertGreater(confirmations, 90);
  assertLess(store.writes, 9);
});

Deno.test("edge() blames no silence for a link that a change of network took along", async () => {
  for (const where of ["scout", "main"] as const) {
    const store = new MemoryIntervalStore();
    store.set("default", edgeRecord({ intervalMs: 594_000, loMs: 600_000, hiMs: 610_000 }));
    const { loop, network, join } = await place(605 * SECOND);
    const { channel, snapshot, end } = await join({ store, strategy: edge({ where }) });
    await loop.advanceByAsync(5 * MINUTE);
    assertEquals(snapshot().phase, "settled");
    // Another Wi-Fi with the same name: the socket stands, and its packets go nowhere.
    network.links[0]!.cut();
    channel.pipeline.fireUserEventTriggered({ type: "network", state: "changed" });
    await loop.advanceByAsync(MINUTE);
    assertEquals(end.take("linkDown").length, 1);
    const { isSettled, intervalMs, bracket, isValid } = snapshot();
    assertEquals([isSettled, intervalMs, isValid], [true, 594_000, true]);
    assertEquals(bracket, { loMs: 600_000, hiMs: 610_000 });
  }
});

Deno.test("edge() blames no network for a link that was lost on another one", async () => {
  const { loop, network, join } = await place(605 * SECOND);
  const store = new MemoryIntervalStore();
  const known = edgeRecord({ intervalMs: 594_000, loMs: 600_000, hiMs: 610_000 });
  store.set("home", known);
  store.set("train", known);
  let name = "home";
  const { end, snapshot } = await join({ store, network: () => name });
  await loop.advanceByAsync(5 * MINUTE);
  // Nobody says so; the next beat finds nobody there, and the next link is on the train.
  name = "train";
  network.links[0]!.cut();
  await loop.advanceByAsync(10 * MINUTE);
  assertEquals([end.take("linkDown").length, snapshot().network], [1, "train"]);
  assertEquals([snapshot().isSettled, snapshot().intervalMs], [true, 594_000]);
  assertEquals(store.get("home")!.loMs, 600_000);
});
