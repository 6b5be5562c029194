import { assertEquals } from "@std/assert";
import { MemorySessionStore, type SessionStore, SessionTakenError } from "@longlink/pipeline";
import { NOTHING, Pair } from "./_pair.ts";
import { SlowStore } from "./_stores.ts";

Deno.test("a session whose store fails holds back what it cannot keep, and goes on when it works again", async () => {
  const stores: SlowStore[] = [];
  const slow = (kept: SessionStore) => (loop: ConstructorParameters<typeof SlowStore>[1]) => {
    const store = new SlowStore(kept, loop, 5);
    stores.push(store);
    return store;
  };
  const pair = await new Pair({
    serverStore: slow(new MemorySessionStore()),
    clientStore: slow(new MemorySessionStore()),
  }).start(1_500);
  pair.say(0);
  pair.push(0);
  await pair.advance(1_000);
  const failure = new Error("disk full");
  for (const store of stores) store.failure = failure;
  pair.say(1);
  pair.push(1);
  await pair.advance(2_000);
  pair.say(2);
  pair.push(2);
  await pair.advance(1_000);
  assertEquals(pair.heard, { up: [0], down: [0] });
  // Told once, though it was tried several times.
  assertEquals([pair.client.errors, pair.server.errors], [[failure], [failure]]);
  assertEquals([pair.handler.unacknowledged, pair.responder.unacknowledged], [2, 2]);
  pair.breakLink();
  await pair.advance(3_000);
  assertEquals(pair.heard, { up: [0], down: [0] });
  for (const store of stores) store.failure = undefined;
  await pair.advance(10_000);
  pair.say(3);
  pair.push(3);
  await pair.advance(1_000);
  assertEquals(pair.heard, { up: [0, 1, 2, 3], down: [0, 1, 2, 3] });
  assertEquals([pair.handler.unacknowledged, pair.responder.unacknowledged], [0, 0]);
  await Promise.all([pair.handler.end(), pair.advance(3_000)]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("a session does not acknowledge what its store could not keep, and hands nothing over twice for it", async () => {
  let store!: SlowStore;
  const pair = await new Pair({
    serverStore: (loop) => store = new SlowStore(new MemorySessionStore(), loop, 5),
  }).start(1_500);
  store.failure = new Error("disk full");
  pair.say(1);
  await pair.advance(1_000);
  assertEquals([pair.heard.up, pair.handler.unacknowledged], [[1], 1]);
  pair.breakLink();
  await pair.advance(3_000);
  // The client is back, and waits: while the store does not say so nobody knows whether the session is still here.
  assertEquals([pair.heard.up, pair.handler.unacknowledged, pair.responder.duplicates], [[1], 1, 0]);
  store.failure = undefined;
  await pair.advance(10_000);
  assertEquals([pair.heard.up, pair.handler.unacknowledged, pair.responder.duplicates], [[1], 0, 0]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionResponder asks a client to come back while its store fails, and no session is lost", async () => {
  const kept = new MemorySessionStore();
  let store!: SlowStore;
  const pair = await new Pair({
    serverStore: (loop) => store = new SlowStore(kept, loop, 5),
    registry: { comeBackMs: 3_000 },
  }).start(1_500);
  pair.push(1);
  await pair.advance(1_000);
  pair.killServer();
  await pair.startServer();
  store.failure = new Error("locked");
  await pair.advance(2_500);
  pair.say(1);
  store.failure = undefined;
  await pair.advance(6_000);
  assertEquals(pair.client.events.slice(2), ["down reset", "inactive", "active", "resumed"]);
  assertEquals(pair.heard, { up: [1], down: [1] });
  // It could neither look for what is too old nor for the session.
  assertEquals(pair.server.errors.map(String), ["Error: locked", "Error: locked"]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionHandler goes on without its store where that cannot be told of the session", async () => {
  let store!: SlowStore;
  const pair = new Pair({
    clientStore: (loop) => store = new SlowStore(new MemorySessionStore(), loop, 100),
  });
  await pair.startServer();
  pair.startClient();
  pair.say(1);
  await pair.advance(170);
  assertEquals([store.asked, pair.registry.size], [["claim", "create"], 1]);
  store.failure = new Error("blocked");
  pair.say(2);
  await pair.advance(1_500);
  pair.say(3);
  await pair.advance(1_000);
  assertEquals(pair.heard.up, [1, 2, 3]);
  assertEquals(pair.client.errors.map(String), ["Error: blocked"]);
  assertEquals(store.asked, ["claim", "create"]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionHandler leaves alone what its store could not read, unless it is no session", async () => {
  const stores: SlowStore[] = [];
  const kept = new MemorySessionStore();
  const pair = await new Pair({
    clientStore: (loop) => {
      stores.push(new SlowStore(kept, loop, 20));
      return stores.at(-1);
    },
  }).start(1_500);
  const first = pair.handler.sessionId;
  pair.killServer();
  await pair.advance(20);
  pair.say(1);
  await pair.advance(100);
  pair.killClient();
  await pair.startServer();
  const another = async (failure: Error): Promise<void> => {
    pair.startClient();
    stores.at(-1)!.failure = failure;
    await pair.advance(30);
    stores.at(-1)!.failure = undefined;
    await pair.advance(1_500);
    assertEquals(pair.client.events.slice(-2), ["active", "up"]);
    pair.killClient();
    await pair.advance(20);
  };
  await another(new Error("locked"));
  assertEquals([stores.at(-1)!.asked, kept.claim("default")?.record.id], [["claim"], first]);
  await another(new TypeError("no session"));
  assertEquals(stores.at(-1)!.asked, ["claim", "create"]);
  assertEquals(kept.claim("default")?.record.id === first, false);
});

for (const delayMs of [0, 5]) {
  Deno.test(`SessionHandler closes when another process goes on with its session (${delayMs} ms)`, async () => {
    const kept = new MemorySessionStore();
    const store = (loop: ConstructorParameters<typeof SlowStore>[1]) =>
      delayMs === 0 ? kept : new SlowStore(kept, loop, delayMs);
    const pair = await new Pair({ clientStore: store }).start(1_500);
    const first = pair.channel;
    pair.startClient();
    await pair.advance(3_000);
    first.write({ up: 1 }).onSettled(() => {});
    await pair.advance(3_000);
    assertEquals(first.state, "closed");
    assertEquals(pair.client.errors.map((error) => error instanceof SessionTakenError), [true]);
    assertEquals(
      pair.client.events.filter((event) => event.startsWith("lost taken")).length,
      1,
      pair.client.events.join(),
    );
    pair.say(2);
    pair.push(2);
    await pair.advance(2_000);
    assertEquals(pair.heard, { up: [2], down: [2] });
    await Promise.all([pair.handler.end(), pair.advance(2_000)]);
    assertEquals([await pair.end(), kept.size], [NOTHING, 0]);
  });
}

Deno.test("SessionResponder lets a session go that another server goes on with", async () => {
  const kept = new MemorySessionStore();
  const pair = await new Pair({ serverStore: () => kept }).start(1_500);
  const channel = pair.serverChannel;
  // Another server that shares the store.
  kept.claim(pair.handler.sessionId!);
  pair.push(1);
  await pair.advance(100);
  assertEquals(pair.server.errors.map((error) => error instanceof SessionTakenError), [true]);
  assertEquals(channel.state, "closed");
  assertEquals(pair.server.events.filter((event) => event.startsWith("lost")), ['lost taken [{"down":1}]']);
  await pair.advance(3_000);
  // It is still in the store, from where the client gets it back.
  assertEquals(pair.client.events.slice(-2), ["active", "resumed"]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionResponder lists each message once that another server's claim leaves unconfirmed", async () => {
  const kept = new MemorySessionStore();
  const pair = await new Pair({
    serverStore: () => kept,
    registry: { queue: { maxMessages: 2, policy: "block" } },
  }).start(1_500);
  pair.push(1, 2, 3, 4);
  kept.claim(pair.handler.sessionId!);
  // The acknowledgement of two makes room for the next, which the store does not take any more.
  await pair.advance(400);
  assertEquals(
    pair.server.events.filter((event) => event.startsWith("lost")),
    ['lost taken [{"down":3},{"down":4}]'],
  );
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionResponder hands nothing over twice when a resume is delivered twice after a restart", async () => {
  const kept = new MemorySessionStore();
  const pair = await new Pair({ serverStore: (loop) => new SlowStore(kept, loop, 60) }).start(1_500);
  pair.say(1);
  await pair.advance(1_000);
  pair.killServer();
  await pair.advance(20);
  pair.say(2, 3);
  const { path } = pair;
  await pair.startServer();
  let flight: readonly Uint8Array[] | undefined;
  while (flight === undefined) {
    await pair.advance(1);
    const said = path.links[0]?.firstFlight;
    if (said !== undefined && said.length > 1) flight = [...said];
  }
  path.phantom(pair.address, flight, "resets");
  await pair.advance(5_000);
  pair.say(4);
  pair.push(4);
  await pair.advance(2_000);
  assertEquals(pair.heard, { up: [1, 2, 3, 4], down: [4] });
  assertEquals(pair.server.events.filter((event) => event.startsWith("lost")), []);
  assertEquals([pair.client.errors, pair.server.errors], [[], []]);
  assertEquals(await pair.end(20_000), NOTHING);
});

Deno.test("SessionResponder forgets in its store the session whose client left before it was told", async () => {
  const kept = new MemorySessionStore();
  const pair = new Pair({ serverStore: (loop) => new SlowStore(kept, loop, 300) });
  await pair.startServer();
  pair.startClient();
  await pair.advance(100);
  pair.killClient();
  await pair.advance(1_500);
  assertEquals([kept.size, pair.registry.size, pair.loop.pendingTimers], [0, 0, 0]);
});

Deno.test("SessionRegistry keeps its bound though its store is slow", async () => {
  const kept = new MemorySessionStore();
  const pair = new Pair({
    serverStore: (loop) => new SlowStore(kept, loop, 300),
    registry: { maxSessions: 1 },
  });
  await pair.startServer();
  pair.startClient();
  const other = pair.channel;
  pair.startClient();
  await pair.advance(1_500);
  assertEquals([pair.registry.size, pair.registry.refused, kept.size], [1, 1, 1]);
  await Promise.all([other.close(), pair.advance(3_000)]);
  assertEquals(await pair.end(), NOTHING);
});
