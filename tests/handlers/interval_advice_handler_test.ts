import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import {
  Heartbeat,
  IntervalAdviceHandler,
  type IntervalRecord,
  type IntervalStore,
  MemoryIntervalStore,
} from "../../handlers/mod.ts";
import { advising, hold, HOME, NEXT_DOOR, ping } from "./_advising.ts";
import type { RawClient } from "./_door.ts";
import { recordOf } from "./stores/_store_suite.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const ELSEWHERE = "tcp://198.51.101.7:40000";

Deno.test("IntervalAdviceHandler tells what a client of the same network has survived, right after the hello", async () => {
  const { advice, told, teach, errors } = await advising();
  assertEquals(told(HOME), []);
  teach(HOME, 298_500);
  assertEquals([told(NEXT_DOOR), told(ELSEWHERE)], [[["advice", 298_500]], []]);
  assertEquals([advice.advised, advice.learned, advice.failures], [1, 1, 0]);
  assertEquals(errors(), []);
});

Deno.test("IntervalAdviceHandler takes 24 bits of IPv4 and 48 of IPv6 for a network, and none of this machine's", async () => {
  const cases = [
    ["tcp://[2001:db8:7:1::5]:1", "tls://[2001:db8:7:ff:1:2:3:4]:2", "tcp://[2001:db8:8:1::5]:1"],
    ["ws://198.51.100.7/", "tcp://[::ffff:198.51.100.9]:3", "tcp://[::ffff:198.51.10.9]:3"],
  ] as const;
  for (const [one, same, other] of cases) {
    const { told, teach } = await advising();
    teach(one, 40_000);
    assertEquals([told(same), told(other)], [[["advice", 40_000]], []]);
  }
  for (
    const own of ["tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://[::ffff:127.0.0.1]:1", "unix:///run/chat"]
  ) {
    const { told, teach, advice } = await advising();
    teach(own, 40_000);
    assertEquals([told(own), advice.learned], [[], 0]);
  }
  const { told, teach } = await advising({ networkOf: () => "one" });
  teach("unix:///run/chat", 40_000);
  assertEquals(told("tcp://127.0.0.1:1"), [["advice", 40_000]]);
});

Deno.test("IntervalAdviceHandler learns nothing from a hold whose answer may not have arrived", async () => {
  const ms = 100_000;
  const cases: Record<string, (client: RawClient) => void> = {
    "asked for with a ping": (client) => client.sendHeartbeat(ping(9)),
    "a message": (client) => client.sendFrame(Uint8Array.of(7)),
    "a void": (client) => client.sendHeartbeat(Heartbeat.void(7, "givenUp")),
    "lost": (client) => client.link.abort(),
  };
  for (const [what, say] of Object.entries(cases)) {
    const { loop, advice, told, held } = await advising();
    const client = held(HOME, ms);
    say(client);
    loop.advanceBy(1);
    client.sendHeartbeat(hold(8, ms));
    loop.advanceBy(1);
    assertEquals([told(NEXT_DOOR), advice.learned], [[], 0], what);
  }
});

Deno.test("IntervalAdviceHandler learns nothing that the server has not measured", async () => {
  const { loop, door, server, advice, told } = await advising();
  const client = door.enter(HOME);
  // A ping of the hold's number is answered as well.
  client.sendHeartbeat(hold(7, 7_200_000));
  client.sendHeartbeat(ping(7));
  client.sendHeartbeat(hold(8, 7_200_000));
  client.sendHeartbeat(hold(9, 7_200_000));
  loop.advanceBy(1);
  // Pushes keep the link in the network's memory, and the hold waits for them to end.
  const [channel] = server.channels;
  for (let i = 0; i < 10; i++) {
    loop.advanceBy(30_000);
    channel!.writeAndFlush(i);
  }
  client.sendHeartbeat(hold(10, 300_000));
  loop.advanceBy(1);
  assertEquals([told(NEXT_DOOR), advice.learned], [[], 0]);
  // What everybody uses before he knows anything is none of it.
  const beginner = door.enter(HOME);
  for (let i = 0; i < 5; i++) {
    beginner.sendHeartbeat(hold(i, 25_000));
    loop.advanceBy(25_001);
  }
  assertEquals([told(NEXT_DOOR), advice.learned], [[], 0]);
});

Deno.test("IntervalAdviceHandler learns nothing from a silence in which the server's timers were late", async () => {
  const { loop, advice, told, held } = await advising();
  const client = held(HOME, 60_000);
  client.sendHeartbeat(hold(8, 100_000));
  loop.advanceBy(20_000);
  loop.sleep(100_000);
  loop.advanceBy(1);
  assertEquals(client.takeHeartbeats(), [new Heartbeat("pong", { sequence: 8 })]);
  client.sendHeartbeat(hold(9, 60_000));
  loop.advanceBy(1);
  assertEquals([told(NEXT_DOOR), advice.learned], [[["advice", 60_000]], 1]);
});

Deno.test("IntervalAdviceHandler learns from scouts, which are told nothing", async () => {
  const { loop, door, told, teach } = await advising();
  teach(NEXT_DOOR, 30_000);
  const main = door.enter(HOME);
  main.sendHeartbeat(new Heartbeat("scout", { sequence: 3 }));
  loop.advanceBy(1);
  const [hello, advice, ticket] = main.takeHeartbeats();
  assertEquals([hello?.kind, advice?.kind, ticket?.kind], ["hello", "advice", "scout"]);
  const scout = door.enter(HOME);
  const { timeMs, acknowledgement } = ticket!;
  scout.sendHeartbeat(new Heartbeat("scout", { timeMs, acknowledgement }));
  scout.sendHeartbeat(hold(0, 59_700));
  loop.advanceBy(59_701);
  scout.sendHeartbeat(hold(1, 60_600));
  loop.advanceBy(1);
  assertEquals(scout.takeHeartbeats(), [new Heartbeat("pong", { sequence: 0 })]);
  assertEquals(told(HOME), [["advice", 59_700]]);
});

Deno.test("IntervalAdviceHandler keeps the longest silence, as long as somebody survives it", async () => {
  const store = new MemoryIntervalStore();
  let writes = 0;
  const counting: IntervalStore = {
    get: (network) => store.get(network),
    set: (network, record) => {
      writes++;
      store.set(network, record);
    },
  };
  const { loop, told, teach } = await advising({ store: counting, maxAgeMs: DAY_MS });
  teach(HOME, 300_000);
  teach(NEXT_DOOR, 60_000);
  assertEquals([told(HOME), writes], [[["advice", 300_000]], 1]);
  teach(HOME, 302_000); // not worth a write
  teach(HOME, 297_000);
  assertEquals([told(HOME), writes], [[["advice", 300_000]], 1]);
  loop.advanceBy(DAY_MS / 2);
  teach(HOME, 297_000); // the same, still there
  loop.advanceBy(DAY_MS * 0.75);
  assertEquals([told(HOME), writes], [[["advice", 300_000]], 2]);
  loop.advanceBy(DAY_MS / 2);
  assertEquals(told(HOME), []);
  teach(HOME, 60_000);
  assertEquals([told(HOME), writes], [[["advice", 60_000]], 3]);
});

/** A store that the test answers for. */
class HandStore implements IntervalStore {
  readonly asked: PromiseWithResolvers<IntervalRecord | undefined>[] = [];
  readonly sets: [string, IntervalRecord][] = [];

  get(): Promise<IntervalRecord | undefined> {
    const answer = Promise.withResolvers<IntervalRecord | undefined>();
    this.asked.push(answer);
    return answer.promise;
  }

  set(network: string, record: IntervalRecord): Promise<void> {
    this.sets.push([network, record]);
    return Promise.resolve();
  }
}

const kept = (fields: Partial<IntervalRecord> = {}): IntervalRecord => ({
  ...recordOf({ strategy: "advice", intervalMs: 298_500, loMs: 298_500, hiMs: null, direction: "push" }),
  atMs: Date.UTC(2026, 0, 1),
  ...fields,
});

Deno.test("IntervalAdviceHandler holds nothing up while the store is asked, and asks once in five minutes", async () => {
  const store = new HandStore();
  const { loop, door, advice, told } = await advising({ store });
  const early = door.enter(HOME);
  early.sendHeartbeat(ping(1));
  const gone = door.enter(ELSEWHERE);
  gone.sendHeartbeat(ping(1));
  loop.advanceBy(1);
  assertEquals(early.takeHeartbeats().map(({ kind }) => kind), ["hello", "pong"]);
  assertEquals(told(NEXT_DOOR), []);
  gone.link.abort();
  loop.advanceBy(1);
  assertEquals(store.asked.length, 2);
  for (const { resolve } of store.asked) resolve(kept());
  await loop.advanceByAsync(1);
  assertEquals(early.takeHeartbeats(), [new Heartbeat("advice", { timeMs: 298_500 })]);
  assertEquals([told(NEXT_DOOR), told(ELSEWHERE)], [[["advice", 298_500]], [["advice", 298_500]]]);
  assertEquals([store.asked.length, advice.advised], [2, 3]);
  loop.advanceBy(5 * MINUTE_MS);
  // What was known counts until there is another answer.
  assertEquals([told(NEXT_DOOR), store.asked.length], [[], 3]);
  assertEquals(told(NEXT_DOOR), [["advice", 298_500]]);
});

Deno.test("IntervalAdviceHandler writes nothing over what it could not read", async () => {
  const store = new HandStore();
  const { loop, teach, told, advice } = await advising({ store });
  teach(HOME, 50_100);
  store.asked[0]!.reject(new Error("gone"));
  await loop.advanceByAsync(1);
  teach(HOME, 60_000);
  await loop.advanceByAsync(5 * MINUTE_MS);
  assertEquals([store.sets, advice.failures], [[], 1]);
  teach(HOME, 70_000);
  store.asked[1]!.resolve(kept());
  await loop.advanceByAsync(1);
  assertEquals([store.sets, told(HOME)], [[], [["advice", 298_500]]]);
});

Deno.test("IntervalAdviceHandler goes on without a store that fails, and says so once a minute", async () => {
  const cases: Record<string, () => never | Promise<never>> = {
    "throws": () => {
      throw new Error("full");
    },
    "rejects": () => Promise.reject(new Error("full")),
  };
  for (const [what, fail] of Object.entries(cases)) {
    const { loop, advice, told, errors } = await advising({ store: { get: fail, set: fail } });
    for (let i = 0; i < 100; i++) {
      assertEquals(told(`tcp://10.0.${i}.1:1`), [], what);
      await loop.advanceByAsync(10);
    }
    assertEquals([advice.failures, errors().map(String)], [100, ["Error: full"]]);
    await loop.advanceByAsync(MINUTE_MS);
    told("tcp://10.1.1.1:1");
    await loop.advanceByAsync(10);
    assertEquals(errors().length, 2);
  }
});

Deno.test("IntervalAdviceHandler tries again to write what could not be written", async () => {
  let isFull = true;
  const inner = new MemoryIntervalStore();
  const store: IntervalStore = {
    get: (network) => inner.get(network),
    set: (network, record) => isFull ? Promise.reject(new Error("full")) : inner.set(network, record),
  };
  const { loop, advice, told, teach } = await advising({ store });
  teach(HOME, 60_000);
  await loop.advanceByAsync(1);
  assertEquals([told(HOME), advice.learned, advice.failures], [[], 0, 1]);
  isFull = false;
  await loop.advanceByAsync(5 * MINUTE_MS);
  teach(HOME, 60_000);
  assertEquals([told(HOME), advice.learned], [[["advice", 60_000]], 1]);
});

Deno.test("IntervalAdviceHandler ignores what is no record of its own, names it, and replaces it", async () => {
  const cases: [unknown, string][] = [
    [{}, "strategy must be text"],
    ["text", "it must be an object"],
    [kept({ loMs: -1 }), "loMs must be from 0"],
    [kept({ loMs: NaN }), "loMs must be from 0"],
    [kept({ loMs: 1e9 }), "loMs must be from 0"],
    [kept({ strategy: "edge" }), 'strategy must be "advice", got "edge"'],
  ];
  for (const [record, problem] of cases) {
    const records = new Map<string, unknown>();
    const store: IntervalStore = {
      get: (network) => (records.has(network) ? records.get(network) : record) as IntervalRecord,
      set: (network, record) => void records.set(network, record),
    };
    const { told, teach, errors } = await advising({ store });
    assertEquals(told(HOME), []);
    const [error] = errors();
    assertInstanceOf(error, TypeError);
    assertStringIncludes(error.message, problem);
    teach(HOME, 60_000);
    assertEquals([told(HOME), errors().length], [[["advice", 60_000]], 1]);
  }
});

Deno.test("IntervalAdviceHandler gives no advice that is too old, or from a clock that is far ahead", async () => {
  for (const atMs of [0, Date.UTC(2025, 11, 24), Date.UTC(2026, 0, 9), 8.64e15]) {
    const { told, teach, errors } = await advising({ store: { get: () => kept({ atMs }), set() {} } });
    assertEquals([told(HOME), errors()], [[], []]);
    teach(HOME, 60_000);
    assertEquals(told(HOME), [["advice", 60_000]]);
  }
});

Deno.test("IntervalAdviceHandler keeps no address, and nothing of a client", async () => {
  const store = new HandStore();
  const { loop, told, teach } = await advising({ store });
  told(HOME);
  store.asked[0]!.resolve(undefined);
  await loop.advanceByAsync(1);
  teach(HOME, 60_000);
  const [[network, record]] = store.sets as [[string, IntervalRecord]];
  assert(/^advice-[0-9a-f]{8}$/.test(network), network);
  const { atMs, ...rest } = record;
  assert(Math.abs(atMs - loop.wallNow()) < MINUTE_MS);
  assertEquals(rest, {
    strategy: "advice",
    intervalMs: 60_000,
    loMs: 60_000,
    hiMs: null,
    isSettled: false,
    direction: "push",
    confirmations: 0,
  });
});

Deno.test("IntervalAdviceHandler bounds the networks that it knows without asking", async () => {
  const store = new MemoryIntervalStore({ maxNetworks: 20_000 });
  let asked = 0;
  const advice = new IntervalAdviceHandler({
    store: {
      get: (network) => (asked++, store.get(network)),
      set: (network, record) => store.set(network, record),
    },
  });
  const { told } = await advising({}, advice);
  for (let i = 0; i < 10_001; i++) told(`tcp://10.${i >> 8}.${i & 255}.1:1`);
  told("tcp://10.1.0.1:1");
  assertEquals(asked, 10_001);
  told("tcp://10.0.0.1:1");
  assertEquals(asked, 10_002);
});

Deno.test("new IntervalAdviceHandler() refuses an age out of range", () => {
  for (const maxAgeMs of [0, 999, NaN, Infinity]) {
    assertThrows(() => new IntervalAdviceHandler({ maxAgeMs }), RangeError, "maxAgeMs must be from 1000");
  }
});
