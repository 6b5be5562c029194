import { assertEquals } from "@std/assert";
import { MemorySessionStore } from "@longlink/pipeline";
import { NOTHING, Pair } from "./_pair.ts";
import { SlowStore } from "./_stores.ts";

for (const storeMs of [0, 7]) {
  const about = storeMs === 0 ? "a store that answers at once" : "a slow store";

  Deno.test(`SessionRegistry goes on after its server was killed, with ${about}`, async () => {
    const kept = new MemorySessionStore();
    const pair = await new Pair({
      serverStore: (loop) => storeMs === 0 ? kept : new SlowStore(kept, loop, storeMs),
    }).start(1_500);
    pair.say(1);
    pair.push(1);
    await pair.advance(300);
    pair.say(2);
    pair.push(2);
    await pair.advance(4);
    pair.killServer();
    pair.say(3);
    await pair.advance(100);
    await pair.startServer();
    await pair.advance(6_000);
    pair.push(3);
    await pair.advance(300);
    // What had not reached the store of a server that dies was never sent.
    assertEquals(pair.heard, { up: [1, 2, 3], down: storeMs === 0 ? [1, 2, 3] : [1, 3] });
    assertEquals(pair.client.events, ["active", "up", "down reset", "inactive", "active", "resumed"]);
    assertEquals(pair.server.events, ["active", "up", "active", "resumed"]);
    assertEquals([pair.client.errors, pair.server.errors], [[], []]);
    await Promise.all([pair.channel.close(), pair.advance(3_000)]);
    assertEquals(kept.size, 0);
    assertEquals(await pair.end(), NOTHING);
  });

  Deno.test(`SessionHandler goes on after its process was killed, with ${about}`, async () => {
    const kept = new MemorySessionStore();
    const pair = await new Pair({
      clientStore: (loop) => storeMs === 0 ? kept : new SlowStore(kept, loop, storeMs),
    }).start(1_500);
    pair.say(1);
    pair.push(1);
    await pair.advance(300);
    pair.say(2);
    await pair.advance(8);
    pair.killClient();
    pair.push(2);
    await pair.advance(1_000);
    pair.startClient();
    pair.say(3);
    await pair.advance(3_000);
    assertEquals(pair.heard, { up: [1, 2, 3], down: [1, 2] });
    assertEquals(pair.server.events.slice(-2), ["active", "resumed"]);
    assertEquals([pair.client.errors, pair.server.errors], [[], []]);
    await Promise.all([pair.handler.end(), pair.advance(5_000)]);
    assertEquals(kept.size, 0);
    assertEquals(await pair.end(), NOTHING);
  });
}

Deno.test("SessionHandler without a store on the server lists what was never confirmed, and sends the rest on the next session", async () => {
  const pair = await new Pair().start(1_500);
  pair.say(1);
  await pair.advance(300);
  const first = pair.handler.sessionId;
  pair.say(2, 3);
  await pair.advance(4);
  pair.killServer();
  await pair.advance(20);
  pair.say(4, 5);
  await pair.advance(100);
  await pair.startServer();
  await pair.advance(6_000);
  assertEquals(pair.client.events, [
    "active",
    "up",
    "down reset",
    "inactive",
    'lost unknown [{"up":2},{"up":3}]',
    "active",
    "up",
  ]);
  assertEquals(pair.heard.up, [1, 4, 5]);
  assertEquals(pair.handler.sessionId === first, false);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionHandler tells those who wait for a lost session, and what they write is sent first", async () => {
  const failures: string[] = [];
  const pair: Pair = new Pair({
    session: { writes: "acknowledged" },
    clientApp: { event: ({ type }) => type === "sessionLost" && pair.say("again 2" as never) },
  });
  await pair.start(1_500);
  const told = (error: unknown) => failures.push(error === undefined ? "done" : (error as Error).message);
  pair.channel.writeAndFlush({ up: 2 }).onSettled(told);
  pair.handler.whenAcknowledged().then(() => told(undefined), told);
  await pair.advance(4);
  pair.killServer();
  await pair.advance(100);
  pair.channel.writeAndFlush({ up: 3 }).onSettled(told);
  await pair.startServer();
  await pair.advance(6_000);
  const gone = "Cannot confirm the message: the session is gone (unknown)";
  assertEquals(failures.slice(0, 2), [gone, gone]);
  assertEquals(failures.slice(2), ["done"]);
  assertEquals(pair.heard.up, ["again 2", 3]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionRegistry keeps a session that its channel closes where there is a store", async () => {
  const kept = new MemorySessionStore();
  const pair = await new Pair({ serverStore: (loop) => new SlowStore(kept, loop, 1_200) }).start(3_000);
  pair.push(1);
  await pair.advance(1);
  pair.serverChannel.close();
  // The client is back before the store has all.
  pair.breakLink();
  await pair.advance(12_000);
  assertEquals(pair.client.events.slice(2), ["down reset", "inactive", "active", "resumed"]);
  assertEquals(pair.server.events.slice(2), ["down reset", "inactive", "active", "resumed"]);
  assertEquals(pair.heard.down, [1]);
  assertEquals(pair.registry.refused > 0, true);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionHandler with a slow store hears what the server says at once", async () => {
  const pair = await new Pair({
    clientStore: (loop) => new SlowStore(new MemorySessionStore(), loop, 100),
    serverApp: { active: (channel) => void channel.writeAndFlush({ down: "welcome" }) },
  });
  await pair.startServer();
  pair.startClient();
  pair.say(1);
  await pair.advance(300);
  pair.say(2);
  await pair.advance(1_500);
  assertEquals(pair.heard, { up: [1, 2], down: ["welcome"] });
  assertEquals(pair.client.events, ["active", "up"]);
  assertEquals(pair.client.errors, []);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionHandler that loses its link while its store is told of the session goes on later", async () => {
  const kept = new MemorySessionStore();
  const pair = new Pair({ clientStore: (loop) => new SlowStore(kept, loop, 900) });
  await pair.startServer();
  pair.startClient();
  pair.say(1);
  while (pair.registry.size === 0) await pair.advance(10);
  pair.push(1);
  await pair.advance(50);
  pair.breakLink();
  await pair.advance(3_000);
  pair.say(2);
  await pair.advance(10_000);
  assertEquals(pair.heard, { up: [1, 2], down: [1] });
  assertEquals(pair.client.events, ["active", "resumed"]);
  pair.killClient();
  pair.push(2);
  pair.startClient();
  await pair.advance(10_000);
  assertEquals(pair.heard, { up: [1, 2], down: [1, 2] });
  assertEquals(pair.server.channels.length, 1);
  assertEquals([pair.client.errors, pair.server.errors], [[], []]);
  await Promise.all([pair.handler.end(), pair.advance(5_000)]);
  assertEquals(kept.size, 0);
  assertEquals(await pair.end(), NOTHING);
});

/** What a store has that lost its last writes: the session as it was when it was opened. */
function rolledBack(store: MemorySessionStore, key: string, counts: object): void {
  const { record } = store.claim(key)!;
  store.create(key, { ...record, received: 0, acknowledged: 0, messages: [], ...counts });
}

for (const side of ["client", "server"] as const) {
  for (const counts of [{}, { received: 2 }, { acknowledged: 2 }]) {
    Deno.test(`a session begins anew after the store of its ${side} lost what it had promised to keep ${JSON.stringify(counts)}`, async () => {
      const kept = new MemorySessionStore();
      const store = { [`${side}Store`]: () => kept };
      const pair = await new Pair(store).start(1_500);
      pair.say(1, 2);
      pair.push(1, 2);
      await pair.advance(1_000);
      const key = side === "client" ? "default" : pair.handler.sessionId!;
      if (side === "client") pair.killClient();
      else pair.killServer();
      rolledBack(kept, key, counts);
      if (side === "client") pair.startClient();
      else await pair.startServer();
      await pair.advance(20);
      pair.say(3);
      await pair.advance(20_000);
      assertEquals(pair.heard.up, [1, 2, 3]);
      assertEquals(pair.client.events.slice(-2), ["active", "up"]);
      assertEquals(pair.client.events.filter((event) => event.startsWith("lost unknown")).length, 1);
      pair.push(3);
      await pair.advance(1_000);
      assertEquals(pair.heard.down, [1, 2, 3]);
      await Promise.all([pair.handler.end(), pair.advance(3_000)]);
      await pair.end();
      // On the server the old one stays until it expires.
      await pair.advance(600_000);
      assertEquals(pair.leftBehind(), NOTHING);
    });
  }
}
