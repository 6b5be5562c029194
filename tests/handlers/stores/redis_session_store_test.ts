import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertLessOrEqual,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { createClient } from "redis";
import { SessionTakenError, StorageFullError, UnusableSessionError } from "../../../handlers/mod.ts";
import {
  type RedisScriptOptions,
  RedisSessionStore,
  type RedisSessionStoreOptions,
  type RedisStateEvent,
} from "../../../handlers/stores/redis.ts";
import { hasRedis, RedisServer } from "./_redis_server.ts";
import { bytesOf, changeOf, sessionOf, sessionStoreSuite, textsOf } from "./_session_store_suite.ts";

const RECORD = "longlink:session:{phone}";
const MESSAGES = "longlink:session:{phone}:messages";

if (hasRedis) {
  sessionStoreSuite("RedisSessionStore", async () => {
    const server = await RedisServer.start({ appendonly: "no" });
    const stores: RedisSessionStore[] = [];
    const open = () => {
      const store = new RedisSessionStore({ redis: server.url });
      stores.push(store);
      return store;
    };
    return {
      store: open(),
      reopen: open,
      expiresItself: true,
      dispose: async () => {
        for (const store of stores) await store.close();
        await server[Symbol.asyncDispose]();
      },
    };
  });
}

interface Rig {
  readonly server: RedisServer;
  readonly store: RedisSessionStore;
  /** The same store in another process. */
  readonly other: RedisSessionStore;
  /** What the first store told of Redis. */
  readonly states: RedisStateEvent["type"][];
  /** Waits until the first store has told something. */
  readonly until: (state: RedisStateEvent["type"]) => Promise<void>;
  /** Makes one more. */
  readonly open: (options?: Partial<RedisSessionStoreOptions>) => RedisSessionStore;
}

/** A test with a Redis that may be maltreated; skipped where none is installed. */
function test(name: string, body: (rig: Rig) => Promise<void>, settings: Record<string, string> = {}): void {
  Deno.test({
    name: `RedisSessionStore${name}`,
    ignore: !hasRedis,
    fn: async () => {
      await using server = await RedisServer.start(settings);
      const stores: RedisSessionStore[] = [];
      const states: RedisStateEvent["type"][] = [];
      let changed = Promise.withResolvers<void>();
      const onState = ({ type }: RedisStateEvent) => {
        states.push(type);
        changed.resolve();
        changed = Promise.withResolvers();
      };
      const until = async (state: RedisStateEvent["type"]) => {
        while (states.at(-1) !== state) await changed.promise;
      };
      const open = (options: Partial<RedisSessionStoreOptions> = {}) => {
        const store = new RedisSessionStore({ redis: server.url, ...options });
        stores.push(store);
        return store;
      };
      const store = open({ timeoutMs: 300, onState });
      try {
        await body({ server, store, other: open(), states, until, open });
      } finally {
        for (const each of stores) await each.close();
      }
    },
  });
}

test(".update() waits for a Redis that was killed, and goes on where it was", async (rig) => {
  const { server, store, other, states, until } = rig;
  const claim = await store.create("phone", sessionOf());
  await store.update("phone", claim, changeOf({ messages: bytesOf("1"), received: 1 }));
  await server.kill();
  const updated = store.update("phone", claim, changeOf({ messages: bytesOf("2"), received: 2 }));
  await until("down");
  assertEquals(store.isUp, false);
  await assertRejects(() => store.claim("phone"), Error, "Cannot reach Redis: ");
  await server.restart();
  await updated;
  assertEquals([states, store.isUp, store.waiting], [["down", "up"], true, 0]);
  const { record } = (await other.claim("phone"))!;
  assertEquals([record.received, textsOf(record.messages)], [2, ["1", "2"]]);
});

test(".update() that was answered too late is done once", async (rig) => {
  const { server, store, other, states, until } = rig;
  const claim = await store.create("phone", sessionOf());
  await store.update("phone", claim, changeOf({ messages: bytesOf("1") }));
  server.signal("SIGSTOP");
  // What was sent stays in the socket, and is done when Redis goes on; by then it has been asked again.
  const updates = [
    store.update("phone", claim, changeOf({ messages: bytesOf("2") })),
    store.update("phone", claim, changeOf({ messages: bytesOf("3"), acknowledged: 1 })),
  ];
  await until("down");
  await assertRejects(() => store.claim("laptop"), Error, "Cannot reach Redis: ");
  server.signal("SIGCONT");
  await Promise.all(updates);
  await store.update("phone", claim, changeOf({ messages: bytesOf("4"), received: 1 }));
  assertEquals(states, ["down", "up"]);
  const { record } = (await other.claim("phone"))!;
  assertEquals([record.acknowledged, textsOf(record.messages)], [1, ["2", "3", "4"]]);
});

test(
  ".update() of a Redis that falls asleep waits for it",
  async ({ server, store, other, states, until }) => {
    const claim = await store.create("phone", sessionOf());
    const slept = server.ask("DEBUG", "SLEEP", "1");
    // The first ones may be done before it sleeps.
    let last = 0;
    while (states.length === 0) {
      await Promise.race([
        until("down"),
        store.update("phone", claim, changeOf({ received: ++last })),
      ]);
    }
    await slept;
    await store.update("phone", claim, changeOf({ received: last, messages: bytesOf("1") }));
    const { record } = (await other.claim("phone"))!;
    assertEquals([record.received, textsOf(record.messages)], [last, ["1"]]);
  },
  { "enable-debug-command": "yes" },
);

test(".update() waits while Redis takes no writes, and is not fenced by that", async (rig) => {
  const { server, store, states, until, other } = rig;
  const claim = await store.create("phone", sessionOf());
  await server.ask("REPLICAOF", "127.0.0.1", "1");
  const updated = store.update("phone", claim, changeOf({ received: 1 }));
  await until("down");
  await server.ask("REPLICAOF", "NO", "ONE");
  await updated;
  assertEquals([states, (await other.claim("phone"))?.record.received], [["down", "up"], 1]);
});

test(".create() passes while Redis is gone, and is made good for when it is back", async (rig) => {
  const { server, store, other, until } = rig;
  await server.kill();
  const claim = await store.create("phone", sessionOf());
  const idle = await store.create("laptop", sessionOf());
  const gone = await store.create("gone", sessionOf());
  assertEquals([store.unkept, store.isUp], [3, false]);
  // One that holds what nobody else has must not seem to be kept.
  await assertRejects(() => store.create("full", sessionOf({ received: 1 })), Error, "Cannot reach Redis: ");
  const updated = store.update("phone", claim, changeOf({ messages: bytesOf("1") }));
  const removed = store.remove("gone", gone);
  await server.restart();
  await Promise.all([updated, removed]);
  await until("up");
  await store.update("laptop", idle, changeOf());
  assertEquals(store.unkept, 0);
  assertEquals(textsOf((await other.claim("phone"))?.record.messages), ["1"]);
  assertEquals((await other.claim("laptop"))?.record.links, 1);
  assertEquals(await other.claim("gone"), undefined);
  await assertRejects(() => store.update("phone", claim, changeOf()), SessionTakenError);
});

test(".create() knows a Redis that was never there", async ({ open }) => {
  const events: RedisStateEvent[] = [];
  const store = open({ redis: "redis+unix:///nowhere/redis.sock", onState: (event) => events.push(event) });
  await store.create("phone", sessionOf());
  await assertRejects(() => store.claim("laptop"), Error, "Cannot reach Redis: ");
  assertEquals([events.length, events[0]?.type, store.unkept], [1, "down", 1]);
  const updated = store.update("phone", 1, changeOf());
  await assertRejects(() => updated, SessionTakenError);
});

test(".close() leaves nothing that waits for Redis", async ({ server, store, until }) => {
  const claim = await store.create("phone", sessionOf());
  await server.kill();
  const updated = store.update("phone", claim, changeOf({ received: 1 }));
  const refused = assertRejects(() => updated, Error, "the store is closed");
  await until("down");
  await store.close();
  await refused;
  await store.close();
  await assertRejects(
    () => store.claim("phone"),
    Error,
    'Cannot use the session "phone": the store is closed',
  );
  await assertRejects(() => store.update("phone", claim, changeOf()), Error, "the store is closed");
});

test(".claim() of what is no session names it, and leaves it there", async ({ server, store }) => {
  const fields = [
    "version",
    "1",
    "claim",
    "7",
    "id",
    "00112233445566778899aabbccddeeff",
    "token",
    "ab".repeat(32),
  ];
  const good = [...fields, "links", "1", "received", "0", "acknowledged", "0", "last", "0", "at", "1"];
  const but = (name: string, value: string) => good.with(good.indexOf(name) + 1, value);
  const cases: [string[][], string][] = [
    [[["SET", RECORD, "text"]], "it is a string in Redis, and no hash"],
    [[["HSET", RECORD, ...but("version", "2")]], 'its version must be 1, got "2"'],
    [[["HSET", RECORD, "what", "ever"]], "its version must be 1, got undefined"],
    [[["HSET", RECORD, ...but("id", "x")]], 'id must be 32 hexadecimal digits, got "x"'],
    [
      [["HSET", RECORD, ...but("token", "secret")]],
      "token must be 64 hexadecimal digits, got something else",
    ],
    [[["HSET", RECORD, ...but("links", "many")]], "links must be a whole number of 0 or more, got NaN"],
    [[["HSET", RECORD, ...but("received", "")]], "received must be a whole number of 0 or more, got NaN"],
    [[["HSET", RECORD, ...but("claim", "-")]], 'claim must be a whole number, got "-"'],
    [[["HSET", RECORD, ...but("last", "2")]], "2 messages must wait, and 0 are there"],
    [[["HSET", RECORD, ...good], ["RPUSH", MESSAGES, "x"]], "0 messages must wait, and 1 are there"],
    [[["HSET", RECORD, ...good], ["SET", MESSAGES, "x"]], "0 messages must wait, and -1 are there"],
    [[["HSET", RECORD, ...fields]], "links must be a whole number of 0 or more, got NaN"],
  ];
  for (const [commands, problem] of cases) {
    await server.ask("FLUSHALL");
    for (const command of commands) await server.ask(...command);
    const error = await assertRejects(() => store.claim("phone"), UnusableSessionError);
    assertEquals(error.message, `Cannot use what is stored of the session "phone": ${problem}`);
    assert(!error.message.includes("secret"));
    assertEquals(await server.ask("EXISTS", RECORD), 1);
    // Who opens a session of that key takes its place.
    const claim = await store.create("phone", sessionOf());
    await store.update("phone", claim, changeOf({ messages: bytesOf("1") }));
    assertEquals(textsOf((await store.claim("phone"))?.record.messages), ["1"]);
  }
});

test(".update() of what Redis has lost, or a part of it, says that it is gone", async ({ server, store, other }) => {
  const losses: [string[], boolean][] = [
    [["FLUSHALL"], false],
    [["DEL", MESSAGES], true],
    [["RPOP", MESSAGES], true],
    [["SET", RECORD, "text"], false],
    [["HSET", RECORD, "version", "2"], false],
    [["HSET", RECORD, "last", "1"], true],
    [["HDEL", RECORD, "acknowledged"], true],
  ];
  for (const [loss, isDamaged] of losses) {
    await server.ask("FLUSHALL");
    const claim = await store.create("phone", sessionOf());
    await store.update("phone", claim, changeOf({ messages: bytesOf("1", "2") }));
    await server.ask(...loss);
    const error = await assertRejects(
      () => store.update("phone", claim, changeOf({ messages: bytesOf("3") })),
      SessionTakenError,
    );
    assertEquals(error.cause instanceof UnusableSessionError, isDamaged, loss.join(" "));
    // What is left of it is nobody's session any more.
    if (isDamaged) assertEquals(await other.claim("phone"), undefined);
  }
});

test(".update() says that Redis is full, and keeps nothing of the change", async ({ server, store }) => {
  const claim = await store.create("phone", sessionOf());
  await server.ask("CONFIG", "SET", "maxmemory", "1");
  const change = changeOf({ messages: bytesOf("1") });
  const error = await assertRejects(() => store.update("phone", claim, change), StorageFullError);
  assertInstanceOf(error.cause, Error);
  await assertRejects(() => store.create("laptop", sessionOf()), StorageFullError);
  await server.ask("CONFIG", "SET", "maxmemory", "0");
  await store.update("phone", claim, change);
  assertEquals(textsOf((await store.claim("phone"))?.record.messages), ["1"]);
});

test(".update() keeps the session, and Redis forgets what nobody uses", async ({ server, open }) => {
  const store = open({ keepMs: 60_000 });
  const claim = await store.create("phone", sessionOf({ messages: bytesOf("1") }));
  const left = async (key: string) => Number(await server.ask("PTTL", key));
  for (const key of [RECORD, MESSAGES]) {
    assertLessOrEqual(await left(key), 60_000);
    await server.ask("PEXPIRE", key, "1000");
  }
  await store.update("phone", claim, changeOf({ messages: bytesOf("2") }));
  for (const key of [RECORD, MESSAGES]) assertGreater(await left(key), 1_000);
  const brief = open({ keepMs: 1 });
  const last = (await brief.claim("phone"))!.claim;
  while (await server.ask("EXISTS", RECORD, MESSAGES) !== 0);
  await assertRejects(() => brief.update("phone", last, changeOf()), SessionTakenError);
  assertEquals(await brief.claim("phone"), undefined);
});

test(".claim() that comes too late takes the session from nobody", async ({ server, other, open }) => {
  const client = createClient({ socket: { path: `${server.folder}/redis.sock`, tls: false } });
  await client.connect();
  const late: (() => Promise<unknown>)[] = [];
  // What changes hands is held back, as in a network that is stuck.
  const slow = (real: typeof client) => ({
    eval: (source: string, options: RedisScriptOptions) => hold(source, () => real.eval(source, options)),
    evalSha: () => Promise.reject(new Error("NOSCRIPT No matching script")),
    withTypeMapping: (mapping: object): unknown => slow(real.withTypeMapping(mapping) as typeof client),
  });
  const hold = (source: string, go: () => Promise<unknown>) => {
    if (!source.includes("LRANGE")) return go();
    late.push(go);
    return new Promise<never>(() => {});
  };
  const store = open({ redis: slow(client), timeoutMs: 50 });
  const first = await other.create("phone", sessionOf());
  await assertRejects(() => store.claim("phone"), Error, "Cannot reach Redis: no answer within 50 ms");
  // Its home has counted a link meanwhile: the client is back there.
  await other.update("phone", first, changeOf({ links: 2 }));
  assertEquals(await late[0]!(), []);
  await other.update("phone", first, changeOf({ received: 1 }));
  const second = (await other.claim("phone"))!.claim;
  assertEquals(await late[0]!(), []);
  await other.update("phone", second, changeOf({ received: 2 }));
  client.destroy();
});

test("() shares a client that stays open, also where Redis forgot its scripts", async ({ server, open }) => {
  const client = createClient({ socket: { path: `${server.folder}/redis.sock`, tls: false } });
  await client.connect();
  const store = open({ redis: client, prefix: "mine:" });
  const claim = await store.create("phone", sessionOf());
  await server.ask("SCRIPT", "FLUSH");
  await store.update("phone", claim, changeOf({ messages: bytesOf("1") }));
  assertEquals([await store.count("n"), await store.count("n"), await store.count("m")], [1, 2, 1]);
  await store.close();
  assertEquals((await client.keys("*")).sort(), [
    "mine:count:m",
    "mine:count:n",
    "mine:session:{phone}",
    "mine:session:{phone}:messages",
  ]);
  client.destroy();
});

test("() keeps the keys of a session together in a Redis Cluster", async ({ server, store }) => {
  await server.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
  while (!String(await server.ask("CLUSTER", "INFO")).includes("cluster_state:ok"));
  for (const key of ["phone", "}{", "{}", "a{b}c", "%7b"]) {
    const claim = await store.create(key, sessionOf());
    await store.update(key, claim, changeOf({ messages: bytesOf(key) }));
    assertEquals(textsOf((await store.claim(key))?.record.messages), [key]);
  }
}, { "cluster-enabled": "yes" });

Deno.test("RedisSessionStore() refuses what is no Redis", () => {
  const make = (options: RedisSessionStoreOptions) => () => new RedisSessionStore(options);
  assertThrows(make({ redis: "http://here" }), TypeError, "the URL must begin with redis://");
  assertThrows(make({ redis: "redis://here", prefix: "{a}" }), TypeError, "no braces");
  assertThrows(make({ redis: "redis://here", keepMs: 0 }), RangeError, "keepMs must be from 1");
  const error = assertThrows(make({ redis: "redis://here", timeoutMs: NaN }), RangeError);
  assertStringIncludes(error.message, "timeoutMs must be from 1");
});
