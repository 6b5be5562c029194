import { assertEquals } from "@std/assert";
import { MemorySessionStore, type SessionOptions, type SessionRegistryOptions } from "@longlink/pipeline";
import { NOTHING, Pair, type PairOptions } from "./_pair.ts";
import { SlowStore } from "./_stores.ts";

/** One that has said all it says at the beginning. */
async function quiet(options?: PairOptions): Promise<Pair> {
  const pair = await new Pair(options).start(2_000);
  pair.say(0);
  pair.push(0);
  await pair.advance(2_000);
  pair.server.read.length = pair.client.read.length = 0;
  return pair;
}

Deno.test("a session acknowledges within 200 ms where nothing else is sent", async () => {
  const pair = await quiet();
  pair.say(1);
  pair.push(1);
  const ms = await pair.until(() => pair.handler.unacknowledged + pair.responder.unacknowledged === 0);
  // 150 ms, and there and back.
  assertEquals(ms, 170);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("a session's acknowledgement rides on the next message", async () => {
  const pair = await quiet();
  const { flushedBytes } = pair.serverChannel;
  pair.say(1);
  await pair.advance(15);
  pair.push(2);
  assertEquals(await pair.until(() => pair.handler.unacknowledged === 0), 10);
  await pair.advance(1_000);
  // The message: length, mark, kind, number, acknowledgement and 7 bytes of its own.
  assertEquals(pair.serverChannel.flushedBytes - flushedBytes, 12);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("a session's acknowledgement that rides on a message which nobody flushes goes out in time", async () => {
  const pair = await quiet();
  pair.say(1);
  await pair.advance(15);
  pair.serverChannel.write({ down: 2 });
  assertEquals(await pair.until(() => pair.handler.unacknowledged === 0), 155);
  assertEquals(pair.heard.down, [2]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("a heartbeat takes a session's acknowledgement along, and has 10 bytes all the same", async () => {
  const options: SessionOptions & SessionRegistryOptions = { acknowledgeWithinMs: 200 };
  const pair = await quiet({ session: options, registry: options });
  pair.push(1);
  await pair.advance(11);
  pair.client.read.length = 0;
  assertEquals(pair.responder.unacknowledged, 1);
  const flushed = pair.channel.flushedBytes;
  // As the application comes to the foreground, the peer is asked whether it lives.
  pair.channel.pipeline.fireUserEventTriggered({ type: "network", state: "online" });
  const ms = await pair.until(() => pair.responder.unacknowledged === 0);
  assertEquals([ms, pair.channel.flushedBytes - flushed], [10, 10]);
  await pair.advance(1_000);
  assertEquals(pair.channel.flushedBytes - flushed, 10);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("a session acknowledges what its handlers are done with, in order", async () => {
  const done = new Map<number, () => void>();
  const pair = await quiet({
    serverApp: {
      read: (message) => new Promise<void>((resolve) => done.set((message as { up: number }).up, resolve)),
    },
  });
  done.get(0)!();
  await pair.advance(1_000);
  pair.say(1, 2, 3);
  await pair.advance(1_000);
  assertEquals([pair.heard.up, pair.handler.unacknowledged], [[1, 2, 3], 3]);
  done.get(2)!();
  await pair.advance(1_000);
  assertEquals(pair.handler.unacknowledged, 3);
  done.get(1)!();
  await pair.advance(1_000);
  assertEquals(pair.handler.unacknowledged, 1);
  // What is being handled is not handed over again on the next link.
  pair.breakLink();
  await pair.advance(3_000);
  assertEquals([pair.heard.up, pair.handler.unacknowledged, pair.responder.duplicates], [[1, 2, 3], 1, 1]);
  done.get(3)!();
  await pair.advance(1_000);
  assertEquals(pair.handler.unacknowledged, 0);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("a session acknowledges what a handler has failed with: it was told", async () => {
  const pair = await quiet({ serverApp: { read: () => Promise.reject(new Error("out of order")) } });
  pair.say(1);
  await pair.advance(1_000);
  assertEquals(pair.handler.unacknowledged, 0);
  assertEquals(pair.server.errors.map(String), ["Error: out of order", "Error: out of order"]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("write() is done once acknowledged where that was asked for", async () => {
  const log: string[] = [];
  const pair = await quiet({ session: { writes: "acknowledged" } });
  pair.channel.writeAndFlush({ up: 1 }).onSettled((error) => log.push(`${pair.loop.now()} ${error}`));
  pair.breakLink();
  const began = pair.loop.now();
  await pair.advance(100);
  assertEquals(log, []);
  await pair.until(() => pair.heard.up.length > 0);
  const arrived = pair.loop.now();
  await pair.advance(1_000);
  assertEquals(log, [`${arrived + 160} undefined`]);
  assertEquals(arrived > began, true);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("a session's write() is done once its bytes have left, and is not failed by a lost link", async () => {
  const log: unknown[] = [];
  const pair = await quiet();
  pair.channel.writeAndFlush({ up: 1 }).onSettled((error) => log.push(error));
  await pair.advance(1);
  assertEquals(log, [undefined]);
  pair.breakLink();
  await pair.advance(1);
  pair.channel.writeAndFlush({ up: 2 }).onSettled((error) => log.push(error));
  await pair.advance(3_000);
  assertEquals([log, pair.heard.up], [[undefined, undefined], [1, 2]]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("a session sends nothing that its store does not have, and acknowledges nothing either", async () => {
  const kept = new MemorySessionStore();
  const pair = await quiet({ serverStore: (loop) => new SlowStore(kept, loop, 40) });
  const began = pair.loop.now();
  pair.push(1);
  pair.push(2);
  await pair.until(() => pair.client.read.length > 0);
  // The first is stored alone, the second while nobody waits for it any more.
  assertEquals(pair.loop.now() - began, 50);
  await pair.until(() => pair.client.read.length > 1);
  assertEquals(pair.loop.now() - began, 90);
  await pair.advance(1_000);
  pair.say(1);
  assertEquals(await pair.until(() => pair.handler.unacknowledged === 0), 10 + 40 + 150 + 10);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("a session counts its acknowledgements beyond 16 bits", async () => {
  const pair = await quiet({ keepAlive: { codec: null }, answer: { codec: null } });
  const bytes = new Uint8Array(1);
  for (let i = 0; i < 66; i++) {
    for (let j = 0; j < 1_000; j++) pair.channel.write(bytes);
    pair.channel.flush();
    await pair.advance(400);
    pair.channel.pipeline.fireUserEventTriggered({ type: "network", state: "online" });
    await pair.advance(200);
  }
  assertEquals([pair.server.read.length, pair.handler.unacknowledged], [66_000, 0]);
  pair.channel.writeAndFlush(bytes);
  pair.breakLink();
  await pair.advance(2_000);
  assertEquals([pair.server.read.length, pair.handler.unacknowledged, pair.registry.resumed], [66_001, 0, 1]);
  assertEquals([pair.client.errors, pair.server.errors], [[], []]);
  assertEquals(await pair.end(), NOTHING);
});
