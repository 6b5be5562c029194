import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  answerKeepAlive,
  EmbeddedChannel,
  keepAlive,
  QueueFullError,
  SessionHandler,
  SessionRegistry,
  VarintFrameEncoder,
} from "@longlink/pipeline";
import { NOTHING, Pair } from "./_pair.ts";

Deno.test("SessionHandler checks its options", () => {
  const cases: [object, string][] = [
    [{ queue: { maxMessages: 0 } }, "queue.maxMessages"],
    [{ queue: { maxMessages: 65_536 } }, "queue.maxMessages"],
    [{ queue: { maxBytes: 0 } }, "queue.maxBytes"],
    [{ acknowledgeWithinMs: 201 }, "acknowledgeWithinMs"],
    [{ queue: { policy: "dropOldest" } }, 'queue.policy must be "reject" or "block", got "dropOldest"'],
    [{ writes: "sent" }, 'writes must be "written" or "acknowledged", got "sent"'],
  ];
  for (const [options, text] of cases) {
    assertThrows(() => new SessionHandler(options), Error, text);
    assertThrows(() => new SessionRegistry(options), Error, text);
  }
  assertThrows(() => new SessionHandler({ name: "" }), TypeError, "name must be a text");
  assertThrows(() => new SessionHandler({ handshakeTimeoutMs: 0 }), RangeError, "handshakeTimeoutMs");
  const handlers = [new VarintFrameEncoder({ maxFrameBytes: 63 }), new SessionHandler()];
  const refused = assertThrows(() => new EmbeddedChannel({ handlers }).checkException(), Error);
  assertInstanceOf(refused.cause, RangeError);
  assertThrows(
    () => keepAlive({ maxFrameBytes: 63, session: new SessionHandler() }),
    RangeError,
    "frames of 64 bytes or more",
  );
  const options = { maxFrameBytes: 63, sessions: new SessionRegistry() };
  assertThrows(() => answerKeepAlive(options), RangeError, "frames of 64 bytes or more");
  assertThrows(() => keepAlive({ session: {} as SessionHandler }), TypeError, "must be a SessionHandler");
  assertThrows(() => new SessionRegistry({ retentionMs: 0 }), RangeError, "retentionMs");
  assertThrows(() => new SessionRegistry({ maxSessions: 0.5 }), RangeError, "maxSessions");
});

Deno.test("a session's queue rejects what is beyond its bounds, and takes more once something was acknowledged", async () => {
  for (const queue of [{ maxMessages: 3 }, { maxBytes: 15 }]) {
    const pair = await new Pair({ session: { queue } }).start(1_500);
    pair.breakLink();
    await pair.advance(1);
    const log: unknown[] = [];
    for (let up = 1; up <= 5; up++) {
      pair.channel.writeAndFlush({ up }).onSettled((error) =>
        log.push(error === undefined ? up : (error as Error).name)
      );
    }
    await pair.advance(3_000);
    assertEquals(log, ["QueueFullError", "QueueFullError", 1, 2, 3]);
    pair.say(6);
    await pair.advance(1_000);
    assertEquals(pair.heard.up, [1, 2, 3, 6]);
    assertEquals(await pair.end(), NOTHING);
  }
});

Deno.test("a session's queue that blocks takes later what is beyond its bounds, in order, within a bound", async () => {
  for (const queue of [{ maxMessages: 3 }, { maxBytes: 15 }] as const) {
    const pair = await new Pair({ session: { queue: { ...queue, policy: "block" }, writes: "acknowledged" } })
      .start(1_500);
    const log: unknown[] = [];
    const say = (up: number) =>
      pair.channel.writeAndFlush({ up }).onSettled((error) =>
        log.push(error === undefined ? up : (error as Error).name)
      );
    for (let up = 1; up <= 8; up++) say(up);
    assertEquals(log, ["QueueFullError", "QueueFullError"]);
    assertEquals(pair.handler.unacknowledged, 6);
    const { unacknowledgedBytes } = pair.handler;
    assertEquals(unacknowledgedBytes, 15);
    let confirmed = false;
    pair.handler.whenAcknowledged().then(() => confirmed = true);
    await pair.advance(240);
    assertEquals([pair.heard.up, confirmed], [[1, 2, 3, 4, 5, 6], false]);
    await pair.advance(200);
    assertEquals([log, confirmed], [["QueueFullError", "QueueFullError", 1, 2, 3, 4, 5, 6], true]);
    assertEquals(await pair.end(), NOTHING);
  }
});

Deno.test("a session's queue refuses a message that is longer than all of it", async () => {
  const pair = await new Pair({ session: { queue: { maxBytes: 8, policy: "block" } } }).start(1_500);
  const errors: unknown[] = [];
  pair.channel.write("123456789").onSettled((error) => errors.push(error));
  assertEquals(errors.map((error) => error instanceof QueueFullError), [true]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionRegistry lets a session go whose client stays away", async () => {
  const pair = await new Pair({ registry: { retentionMs: 5_000 } }).start(1_500);
  pair.push(1);
  await pair.advance(500);
  pair.killClient();
  await pair.advance(100);
  pair.push(2);
  assertEquals([pair.registry.size, pair.registry.away, pair.registry.retainedBytes], [1, 1, 7]);
  await pair.advance(4_899);
  assertEquals(pair.registry.size, 1);
  await pair.advance(12);
  assertEquals([pair.registry.size, pair.registry.expired], [0, 1]);
  // Whether 2 arrived in the meantime nobody can know.
  assertEquals(pair.server.events.slice(2), ["down reset", "inactive", 'lost expired [{"down":2}]']);
  assertEquals(pair.leftBehind(), NOTHING);
});

Deno.test("SessionRegistry lets the session go whose client was away for longest when there are too many", async () => {
  const pair = await new Pair({ registry: { maxSessions: 2, comeBackMs: 7_000 } }).start(1_500);
  const first = pair.handler.sessionId!;
  pair.killClient();
  pair.startClient();
  await pair.advance(1_000);
  const second = pair.handler.sessionId!;
  pair.killClient();
  await pair.advance(1_000);
  pair.startClient();
  await pair.advance(1_000);
  const { registry } = pair;
  assertEquals([registry.size, registry.evicted], [2, 1]);
  assertEquals([registry.find(first), registry.find(second)?.state], [undefined, "idle"]);
  pair.startClient();
  await pair.advance(1_000);
  assertEquals([registry.size, registry.evicted, registry.find(second)], [2, 2, undefined]);
  // All are here now: one more has to wait, and is told how long.
  const refusedAt = pair.loop.now();
  pair.client.events.length = 0;
  pair.startClient();
  await pair.advance(6_900);
  assertEquals([registry.size, registry.refused > 0, pair.client.events], [2, true, []]);
  await Promise.all([pair.client.channels.at(-2)!.close(), pair.advance(50)]);
  assertEquals(registry.size, 1);
  await pair.advance(1_000);
  assertEquals(pair.client.events.slice(-2), ["active", "up"]);
  assertEquals(registry.size, 2);
  assertEquals(pair.loop.now() - refusedAt < 8_000, true);
  await Promise.all([pair.client.channels.at(-3)!.close(), pair.advance(3_000)]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionRegistry bounds the bytes of all sessions: who is away goes, then writes fail", async () => {
  const pair = await new Pair({ registry: { maxRetainedBytes: 100 } }).start(1_500);
  pair.push(0);
  await pair.advance(1_000);
  pair.killClient();
  await pair.advance(100);
  pair.serverChannel.write("x".repeat(50)).onSettled(() => {});
  assertEquals(pair.registry.retainedBytes, 52);
  pair.startClient();
  await pair.advance(1_000);
  pair.path.links.at(-1)!.silence("toServer");
  pair.serverChannel.writeAndFlush("y".repeat(50));
  assertEquals([pair.registry.size, pair.registry.evicted, pair.registry.retainedBytes], [1, 1, 52]);
  const errors: unknown[] = [];
  pair.serverChannel.writeAndFlush("z".repeat(50)).onSettled((error) => errors.push(error));
  assertEquals(errors.map((error) => (error as Error).name), ["QueueFullError"]);
  await pair.advance(2_000);
  pair.breakLink();
  await pair.advance(3_000);
  assertEquals(pair.registry.retainedBytes, 0);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionRegistry.end() ends a session for good", async () => {
  const pair = await new Pair().start(1_500);
  const id = pair.handler.sessionId!;
  assertEquals([pair.registry.end("nobody's"), pair.registry.end(id)], [false, true]);
  await pair.advance(3_000);
  assertEquals(pair.client.events.slice(2), [
    "down remoteClosed",
    "inactive",
    "lost unknown []",
    "active",
    "up",
  ]);
  assertEquals(pair.handler.sessionId === id, false);
  assertEquals(await pair.end(), NOTHING);
});
