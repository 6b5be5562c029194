import { assert, assertEquals } from "@std/assert";
import { memory } from "@longlink/pipeline/transports/memory";
import { NOTHING, Pair, type PairOptions } from "./_pair.ts";

const LARGE = { queue: { maxMessages: 10_000, maxBytes: 10_000_000 } };
const CHUNK = "x".repeat(1_000);

/** On its first link, or on one that another channel carries. */
async function onLink(isCarried: boolean, options: PairOptions): Promise<Pair> {
  const pair = await new Pair(options).start(1_500);
  if (isCarried) {
    pair.breakLink();
    await pair.advance(2_000);
    assertEquals(pair.server.events.slice(-1), ["resumed"]);
  }
  return pair;
}

for (const isCarried of [false, true]) {
  const about = isCarried ? "a carried link" : "its first link";

  Deno.test(`a session's writer is held back by a reader that does not read, on ${about}`, async () => {
    for (const from of ["client", "server"] as const) {
      const pair = await onLink(isCarried, { session: LARGE, registry: LARGE });
      const [writer, reader] = from === "client"
        ? [pair.channel, pair.serverChannel]
        : [pair.serverChannel, pair.channel];
      const read = (from === "client" ? pair.server : pair.client).read;
      reader.autoRead = false;
      for (let i = 0; i < 3_000; i++) writer.write(CHUNK);
      writer.flush();
      await pair.advance(1_000);
      assertEquals(writer.isWritable, false);
      const { pendingBytes } = writer;
      assert(pendingBytes < 70_000, `${pendingBytes} bytes pile up in front of the link`);
      const before = read.length;
      assert(before < 1_000);
      await pair.advance(1_000);
      assertEquals(read.length, before);
      reader.read();
      await pair.advance(100);
      assert(read.length > before);
      assert(read.length < 1_500);
      reader.autoRead = true;
      await pair.advance(2_000);
      assertEquals([read.length, writer.isWritable], [3_000, true]);
      await pair.advance(500);
      assertEquals([pair.handler.unacknowledged, pair.responder.unacknowledged], [0, 0]);
      assertEquals(await pair.end(), NOTHING);
    }
  });

  Deno.test(`a session is told when its link takes more, on ${about}`, async () => {
    const pair = await onLink(isCarried, { session: LARGE, registry: LARGE });
    const changes: boolean[] = [];
    pair.serverChannel.pipeline.addLast({
      channelWritabilityChanged: ({ channel }) => void changes.push(channel.isWritable),
    });
    for (let i = 0; i < 200; i++) pair.serverChannel.write(CHUNK);
    pair.serverChannel.flush();
    await pair.advance(3_000);
    assertEquals([changes[0], changes.at(-1), pair.client.read.length], [false, true, 200]);
    assertEquals(await pair.end(), NOTHING);
  });
}

Deno.test("a session resumes in the middle of much, again and again, and loses nothing", async () => {
  const pair = await new Pair({ session: LARGE, registry: LARGE }).start(1_500);
  pair.path.conditions = { latencyMs: 10, jitterMs: 0, bytesPerSecond: 100_000 };
  for (let n = 0; n < 1_000; n++) {
    pair.channel.write({ up: n, CHUNK });
    pair.serverChannel.write({ down: n, CHUNK });
  }
  pair.channel.flush();
  pair.serverChannel.flush();
  for (let i = 0; i < 5; i++) {
    await pair.advance(1_700);
    pair.breakLink();
  }
  await pair.advance(30_000);
  const numbers = Array.from({ length: 1_000 }, (_, n) => n);
  assertEquals(pair.heard, { up: numbers, down: numbers });
  assertEquals(pair.registry.resumed, 5);
  assertEquals([pair.client.errors, pair.server.errors], [[], []]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("a session on a transport that keeps messages", async () => {
  const pair = await new Pair({ transport: memory({ latencyMs: 10, keepsMessages: true }) }).start(1_500);
  for (let round = 0; round < 3; round++) {
    pair.say(2 * round);
    pair.push(2 * round);
    await pair.advance(12);
    pair.channel.drop("reset");
    pair.say(2 * round + 1);
    pair.push(2 * round + 1);
    await pair.advance(3_000);
  }
  assertEquals(pair.heard, { up: [0, 1, 2, 3, 4, 5], down: [0, 1, 2, 3, 4, 5] });
  assertEquals(pair.registry.resumed, 3);
  assertEquals([pair.client.errors, pair.server.errors], [[], []]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("a session's unanswered message finds out that its link is dead", async () => {
  const pair = await new Pair().start(1_500);
  pair.say(1);
  await pair.advance(2_000);
  pair.path.links[0]!.silence("both");
  pair.say(2);
  await pair.advance(10_000);
  // The next heartbeat would have been due after a minute.
  assertEquals(pair.client.events.slice(2, 4), ["down unanswered", "inactive"]);
  await pair.advance(2_000);
  assertEquals(pair.heard.up, [1, 2]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("a session's link survives a handler that takes long", async () => {
  const pair = await new Pair({
    serverApp: { read: () => new Promise((resolve) => pair.loop.schedule(60_000, () => resolve(0))) },
  }).start(1_500);
  pair.say(1);
  await pair.advance(59_000);
  assertEquals([pair.client.events, pair.handler.unacknowledged], [["active", "up"], 1]);
  await pair.advance(2_000);
  assertEquals([pair.client.events, pair.handler.unacknowledged], [["active", "up"], 0]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("a session that had to be patient is so no more once it has its acknowledgement", async () => {
  let done = () => {};
  const pair = await new Pair({
    serverApp: {
      read: (message) => (message as { up: number }).up === 1 && new Promise<void>((r) => done = r),
    },
  }).start(1_500);
  for (const seconds of [20, 30, 40, 50]) {
    pair.say(1);
    await pair.advance(1_000 * seconds);
    done();
    await pair.advance(400);
    assertEquals([pair.handler.unacknowledged, pair.client.events.at(-1)], [
      0,
      seconds === 20 ? "up" : "resumed",
    ]);
    pair.path.links.at(-1)!.silence("both");
    pair.say(2);
    const isDown = () => pair.client.events.at(-1) === "inactive";
    assert(await pair.until(isDown, 10_000) < 10_000);
    await pair.advance(5_000);
  }
  assertEquals(await pair.end(), NOTHING);
});
