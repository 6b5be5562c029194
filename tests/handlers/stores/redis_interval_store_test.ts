import {
  assertEquals,
  assertGreater,
  assertLessOrEqual,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Heartbeat } from "../../../handlers/mod.ts";
import { RedisIntervalStore } from "../../../handlers/stores/redis.ts";
import { advising, HOME, NEXT_DOOR, ping } from "../_advising.ts";
import { hasRedis, RedisServer } from "./_redis_server.ts";
import { recordOf, storeSuite } from "./_store_suite.ts";

if (hasRedis) {
  storeSuite("RedisIntervalStore", async () => {
    const server = await RedisServer.start({ appendonly: "no" });
    const stores: RedisIntervalStore[] = [];
    const open = () => {
      const store = new RedisIntervalStore({ redis: server.url });
      stores.push(store);
      return store;
    };
    return {
      store: open(),
      reopen: open,
      dispose: async () => {
        for (const store of stores) await store.close();
        await server[Symbol.asyncDispose]();
      },
    };
  });
}

const KEY = "longlink:interval:home";

Deno.test({
  name: "RedisIntervalStore.get() refuses what is no record, and names the network",
  ignore: !hasRedis,
  fn: async () => {
    await using server = await RedisServer.start({ appendonly: "no" });
    await using store = new RedisIntervalStore({ redis: server.url });
    const good = { version: 1, ...recordOf() };
    const cases: [string[], string][] = [
      [["SET", KEY, "{"], "it is no JSON"],
      [["SET", KEY, "null"], "its version must be 1, got undefined"],
      [["SET", KEY, JSON.stringify({ ...good, version: 2 })], "its version must be 1, got 2"],
      [["SET", KEY, JSON.stringify({ ...good, loMs: -1 })], "loMs must be from 0"],
      [["HSET", KEY, "a", "b"], "it is no JSON"],
    ];
    for (const [command, problem] of cases) {
      await server.ask("FLUSHALL");
      await server.ask(...command);
      const text = `Cannot use what is stored of the network "home": ${problem}`;
      await assertRejects(() => store.get("home"), TypeError, text);
    }
    await store.set("home", recordOf());
    assertEquals(await store.get("home"), recordOf());
  },
});

Deno.test({
  name: "RedisIntervalStore.set() is forgotten in time, and fails at once while Redis is gone",
  ignore: !hasRedis,
  fn: async () => {
    await using server = await RedisServer.start({ appendonly: "no" });
    let hasGone = false;
    const back = Promise.withResolvers<void>();
    await using store = new RedisIntervalStore({
      redis: server.url,
      expireInMs: 60_000,
      onState: ({ type }) => type === "down" ? hasGone = true : back.resolve(),
    });
    await store.set("home", recordOf());
    const leftMs = Number(await server.ask("PTTL", KEY));
    assertLessOrEqual(leftMs, 60_000);
    assertGreater(leftMs, 0);
    await server.kill();
    await assertRejects(() => store.set("home", recordOf()), Error, "Cannot reach Redis: ");
    await assertRejects(() => store.get("home"), Error, "Cannot reach Redis: ");
    assertEquals(hasGone, true);
    await server.restart();
    await back.promise;
    await store.set("home", recordOf({ intervalMs: 50_000 }));
    assertEquals((await store.get("home"))?.intervalMs, 50_000);
  },
});

Deno.test("RedisIntervalStore() refuses times out of range", () => {
  const make = () => new RedisIntervalStore({ redis: "redis://here", expireInMs: 0 });
  assertThrows(make, RangeError, "expireInMs must be from 1");
});

Deno.test({
  name: "IntervalAdviceHandler of two servers share a Redis, and live without it",
  ignore: !hasRedis,
  fn: async () => {
    await using redis = await RedisServer.start({ appendonly: "no" });
    await using store = new RedisIntervalStore({ redis: redis.url });
    await using other = new RedisIntervalStore({ redis: redis.url });
    const learning = await advising({ store });
    while (learning.advice.learned === 0) {
      learning.teach(HOME, 298_500);
      await new Promise((resolve) => setTimeout(resolve));
    }

    const telling = await advising({ store: other });
    const client = telling.door.enter(NEXT_DOOR);
    client.sendHeartbeat(ping(1));
    telling.loop.advanceBy(1);
    assertEquals(client.takeHeartbeats().map(({ kind }) => kind), ["hello", "pong"]);
    while (telling.advice.advised === 0) await new Promise((resolve) => setTimeout(resolve));
    telling.loop.advanceBy(1);
    assertEquals(client.takeHeartbeats(), [new Heartbeat("advice", { timeMs: 298_500 })]);

    const keys = await redis.ask("KEYS", "*") as string[];
    assertEquals(keys.length, 1);
    await redis.ask("SET", keys[0]!, '{"version":9}');
    const strange = await advising({ store });
    assertEquals(strange.told(NEXT_DOOR), []);
    while (strange.advice.failures === 0) await new Promise((resolve) => setTimeout(resolve));
    assertStringIncludes(String(strange.errors()[0]), "its version must be 1, got 9");

    await redis.kill();
    const alone = await advising({ store });
    assertEquals(alone.told(NEXT_DOOR), []);
    while (alone.advice.failures === 0) await new Promise((resolve) => setTimeout(resolve));
    assertStringIncludes(String(alone.errors()[0]), "Cannot reach Redis");
  },
});
