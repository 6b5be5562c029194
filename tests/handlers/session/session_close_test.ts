import { assertEquals } from "@std/assert";
import { MemorySessionStore } from "@longlink/pipeline";
import { NOTHING, Pair } from "./_pair.ts";
import { SlowStore } from "./_stores.ts";

/** What the close of a channel came to, and after how long, ms. */
async function closed(pair: Pair, close: PromiseLike<void>, atMostMs = 5_000): Promise<number> {
  let atMs: number | undefined;
  const beganMs = pair.loop.now();
  close.then(() => atMs = pair.loop.now());
  await pair.advance(atMostMs);
  return atMs === undefined ? Infinity : atMs - beganMs;
}

Deno.test("close() of a client waits until all is acknowledged, and ends the session on the server", async () => {
  const pair = await new Pair().start(1_500);
  pair.say(1, 2);
  const ms = await closed(pair, pair.channel.close());
  assertEquals([ms < 400, pair.heard.up], [true, [1, 2]]);
  assertEquals([pair.registry.size, pair.listening.channels.size], [0, 0]);
  assertEquals(pair.server.events.slice(2), ["down remoteClosed", "inactive"]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("close() of a client takes a limited time, and says what was not confirmed", async () => {
  for (const writes of ["written", "acknowledged"] as const) {
    const failures: unknown[] = [];
    const pair = await new Pair({
      session: { closeTimeoutMs: 700, writes },
      serverApp: { read: () => new Promise(() => {}) },
    }).start(1_500);
    pair.channel.writeAndFlush({ up: 1 }).onSettled((error) => failures.push((error as Error)?.name));
    const ms = await closed(pair, pair.channel.close());
    assertEquals([ms >= 700, ms < 800], [true, true]);
    assertEquals(pair.client.events.filter((event) => event.startsWith("lost")), ['lost closed [{"up":1}]']);
    assertEquals(failures, [writes === "written" ? undefined : "ChannelClosedError"]);
    assertEquals(await pair.end(), NOTHING);
  }
});

Deno.test("close() called again waits for the first one, and cuts nothing off", async () => {
  const pair = await new Pair().start(1_500);
  pair.say(1);
  pair.push(1);
  let closes = 0;
  for (const channel of [pair.channel, pair.channel]) channel.close().onSettled(() => closes++);
  await pair.advance(3_000);
  assertEquals([closes, pair.heard.up], [2, [1]]);
  assertEquals(pair.client.events.filter((event) => event.startsWith("lost")), []);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("close() of a client without a link ends at once, with what was never sent", async () => {
  const pair = await new Pair().start(1_500);
  pair.breakLink();
  await pair.advance(1);
  const waiting: unknown[] = [];
  pair.channel.write({ up: 1 }).onSettled((error) => waiting.push((error as Error).name));
  pair.handler.whenAcknowledged().then(() => {}, (error) => waiting.push(error.name));
  assertEquals(await closed(pair, pair.channel.close(), 0), 0);
  assertEquals(pair.client.events.slice(-1), ['lost closed [{"up":1}]']);
  assertEquals(waiting, ["ChannelClosedError", "ChannelClosedError"]);
  await pair.advance(600_001);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("close() of a client leaves the session to its store, and end() does not", async () => {
  const kept = new MemorySessionStore();
  const pair = await new Pair({ clientStore: (loop) => new SlowStore(kept, loop, 30) }).start(1_500);
  pair.say(1);
  await Promise.all([pair.channel.close(), pair.advance(1_000)]);
  assertEquals([kept.size, pair.registry.size, pair.registry.away], [1, 1, 1]);
  pair.push(1);
  pair.startClient();
  await pair.advance(2_000);
  assertEquals([pair.heard.up, pair.heard.down], [[1], [1]]);
  await Promise.all([pair.handler.end(), pair.advance(1_000)]);
  assertEquals([kept.size, pair.registry.size], [0, 0]);
  assertEquals(pair.client.events.filter((event) => event.startsWith("lost")), []);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("close() on the server ends the session, and tells the client", async () => {
  const pair = await new Pair().start(1_500);
  pair.push(1);
  pair.say(1);
  await Promise.all([pair.serverChannel.close(), pair.advance(5_000)]);
  assertEquals(pair.heard, { up: [1], down: [1] });
  // The server has acknowledged what it had handled; the client has begun another session.
  assertEquals(pair.client.events.slice(2), ["down remoteClosed", "inactive", "active", "up"]);
  assertEquals([pair.registry.size, pair.registry.opened], [1, 2]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("close() of a server waits for the acknowledgements of a session that is carried", async () => {
  for (const drain of [undefined, { windowMs: 0, deadlineMs: 5_000 }]) {
    const pair = await new Pair({ registry: { writes: "acknowledged" } }).start(1_500);
    pair.breakLink();
    await pair.advance(2_000);
    assertEquals(pair.server.events.slice(-1), ["resumed"]);
    const log: unknown[] = [];
    pair.serverChannel.writeAndFlush({ down: 1 }).onSettled((error) => log.push(error));
    await Promise.all([pair.listening.close({ drain }), pair.advance(5_000)]);
    assertEquals([log, pair.heard.down], [[undefined], [1]]);
    const told = pair.server.events.slice(6);
    assertEquals(told.filter((event) => event === "drain").length, drain === undefined ? 0 : 1);
    assertEquals(told.filter((event) => event.startsWith("lost")), []);
    assertEquals(pair.client.events.filter((event) => event.startsWith("lost")), []);
    assertEquals(await pair.end(), NOTHING);
  }
});

Deno.test("a session's client that gives up to reconnect says what was not confirmed", async () => {
  const pair = await new Pair({ keepAlive: { reconnect: { maxAttempts: 2 } } }).start(1_500);
  pair.killServer();
  await pair.advance(20);
  const log: unknown[] = [];
  pair.channel.writeAndFlush({ up: 1 }).onSettled((error) => log.push((error as Error).name));
  pair.handler.whenAcknowledged().then(() => {}, (error) => log.push(error.name));
  await pair.advance(20_000);
  assertEquals(pair.channel.state, "closed");
  assertEquals(log, ["ChannelClosedError", "ChannelClosedError"]);
  assertEquals(pair.client.events.slice(-1), ['lost closed [{"up":1}]']);
  assertEquals(pair.loop.pendingTimers, 0);
});

Deno.test("a session's client that does not reconnect says with its link's end what was not confirmed", async () => {
  const pair = await new Pair({ keepAlive: { reconnect: null } }).start(1_500);
  pair.say(1);
  await pair.advance(1);
  pair.breakLink();
  await pair.advance(1_000);
  assertEquals(pair.channel.state, "closed");
  assertEquals(pair.client.events.slice(2), ["down reset", "inactive", 'lost closed [{"up":1}]']);
  await pair.advance(600_000);
  assertEquals(await pair.end(), NOTHING);
});
