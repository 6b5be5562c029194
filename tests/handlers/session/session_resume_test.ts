import { assertEquals } from "@std/assert";
import { MemorySessionStore } from "@longlink/pipeline";
import type { ProcessLoop } from "../../lab/faults/process_loop.ts";
import { NOTHING, Pair } from "./_pair.ts";
import { SlowStore } from "./_stores.ts";

Deno.test("SessionHandler opens a session, and messages flow both ways", async () => {
  const pair = await new Pair().start(1_500);
  assertEquals(pair.client.events, ["active", "up"]);
  assertEquals(pair.server.events, ["active", "up"]);
  assertEquals(pair.handler.sessionId, pair.responder.sessionId);
  pair.say(1);
  pair.push(2);
  await pair.advance(300);
  assertEquals(pair.heard, { up: [1], down: [2] });
  assertEquals([pair.handler.unacknowledged, pair.responder.unacknowledged], [0, 0]);
  assertEquals([pair.client.errors, pair.server.errors], [[], []]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionHandler resumes on the next link, and nothing is lost or doubled", async () => {
  const pair = await new Pair().start(1_500);
  for (let round = 0; round < 4; round++) {
    const at = 10 * round;
    pair.say(at, at + 1, at + 2);
    pair.push(at, at + 1, at + 2);
    await pair.advance(12);
    pair.breakLink();
    pair.say(at + 3);
    await pair.advance(5);
    pair.push(at + 3);
    await pair.advance(2_000);
  }
  const numbers = [0, 1, 2, 3].flatMap((round) => [0, 1, 2, 3].map((i) => 10 * round + i));
  assertEquals(pair.heard, { up: numbers, down: numbers });
  assertEquals([pair.client.errors, pair.server.errors], [[], []]);
  assertEquals([pair.listening.channels.size, pair.registry.resumed], [1, 4]);
  const round = ["down reset", "inactive", "active", "resumed"];
  assertEquals(pair.server.events, ["active", "up", ...round, ...round, ...round, ...round]);
  assertEquals(pair.client.events, pair.server.events);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionHandler sends what was written before the session was open, without a further flush", async () => {
  const pair = new Pair();
  await pair.startServer();
  pair.startClient();
  pair.say(1, 2);
  // There and back for the link, the same for the session, and there.
  assertEquals(await pair.until(() => pair.heard.up.length === 2), 50);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionHandler lets a login go first, before what waited", async () => {
  const pair = new Pair({
    clientApp: { active: (channel) => void channel.writeAndFlush({ up: "login" }) },
    serverApp: { read: (message) => (message as { up: unknown }).up === 2 && new Promise(() => {}) },
  });
  await pair.startServer();
  pair.startClient();
  let isConfirmed = false;
  pair.say(1);
  pair.handler.whenAcknowledged().then(() => isConfirmed = true);
  pair.say(2);
  let isAllConfirmed = false;
  pair.handler.whenAcknowledged().then(() => isAllConfirmed = true, () => {});
  await pair.advance(1_500);
  assertEquals(pair.heard.up, ["login", 1, 2]);
  // Two are acknowledged, but not the two that were written first.
  assertEquals([pair.handler.unacknowledged, isConfirmed, isAllConfirmed], [1, true, false]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionHandler flushes what it sends again, though the application only writes", async () => {
  const pair = await new Pair({ clientApp: { active: (channel) => void channel.write({ up: "hello" }) } })
    .start(1_500);
  pair.breakLink();
  pair.say(1);
  const isUp = () => pair.client.events.at(-1) === "resumed";
  await pair.until(isUp);
  assertEquals([isUp(), await pair.until(() => pair.heard.up.length === 3)], [true, 10]);
  assertEquals(pair.heard.up, ["hello", 1, "hello"]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionResponder gives the session to the new link while the old one still looks up", async () => {
  const pair = await new Pair().start(1_500);
  pair.path.links[0]!.halfOpen("client");
  await pair.advance(2_000);
  assertEquals(pair.server.events, ["active", "up", "down replaced", "inactive", "active", "resumed"]);
  pair.say(1);
  pair.push(2);
  await pair.advance(300);
  assertEquals(pair.heard, { up: [1], down: [2] });
  assertEquals(pair.listening.channels.size, 1);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionResponder sends what was written to a channel that nobody had spoken on yet", async () => {
  const clientStore = (loop: ProcessLoop) => new SlowStore(new MemorySessionStore(), loop, 100);
  const pair = new Pair({ answer: { maxScouts: 0 }, clientStore });
  await pair.startServer();
  pair.startClient();
  let written = 0;
  await pair.until(() => pair.accepted.length === 1);
  // The client looks into its store first, and has not asked for a session.
  pair.accepted[0]!.writeAndFlush({ down: "early" }).onSettled((error) =>
    written += error === undefined ? 1 : 0
  );
  assertEquals([pair.server.events, pair.registry.size], [[], 0]);
  await pair.advance(1_500);
  assertEquals([pair.heard.down, written], [["early"], 1]);
  await Promise.all([pair.handler.end(), pair.advance(1_000)]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionHandler refuses a message that no frame can hold, and goes on", async () => {
  const pair = await new Pair({ keepAlive: { maxFrameBytes: 1_000 }, answer: { maxFrameBytes: 1_000 } })
    .start(1_500);
  const log: unknown[] = [];
  for (const channel of [pair.channel, pair.serverChannel]) {
    const told = (error: unknown) => log.push((error as Error | undefined)?.message);
    channel.writeAndFlush("x".repeat(980)).onSettled(told);
    channel.writeAndFlush("x".repeat(979)).onSettled(told);
  }
  await pair.advance(2_000);
  const tooLong = "Cannot write: the message has 983 bytes, and at most 982 fit in a frame";
  assertEquals(log, [tooLong, tooLong, undefined, undefined]);
  assertEquals([pair.server.read.length, pair.client.read.length], [1, 1]);
  assertEquals([pair.client.errors, pair.server.errors], [[], []]);
  assertEquals(await pair.end(), NOTHING);
});
