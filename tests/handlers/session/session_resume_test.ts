import { assertEquals } from "@std/assert";
import { type Channel, QueueFullError } from "@longlink/pipeline";
import { NOTHING, Pair } from "./_pair.ts";

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
  await pair.advance(1_500);
  assertEquals(pair.heard.up, [1, 2]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionHandler lets a login go first, before what waited", async () => {
  const pair = new Pair({ clientApp: { active: (channel) => void channel.writeAndFlush({ up: "login" }) } });
  await pair.startServer();
  pair.startClient();
  pair.say(1, 2);
  const confirmed = pair.handler.whenAcknowledged().then(() => [...pair.heard.up]);
  await pair.advance(1_500);
  assertEquals(pair.heard.up, ["login", 1, 2]);
  // Not before the last of what was written when it was asked for.
  assertEquals(await confirmed, ["login", 1, 2]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionHandler flushes what it sends again, though the application only writes", async () => {
  const pair = await new Pair({ clientApp: { active: (channel) => void channel.write({ up: "hello" }) } })
    .start(1_500);
  pair.breakLink();
  pair.say(1);
  await pair.advance(2_000);
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
  const written: Channel[] = [];
  const pair = new Pair({ answer: { maxScouts: 0 } });
  await pair.startServer();
  pair.startClient();
  while (pair.listening.channels.size === 0) await pair.advance(1);
  // A server that writes to all of its clients.
  for (const channel of pair.listening.channels) {
    channel.writeAndFlush({ down: "to all" }).onSettled((error) => {
      if (error === undefined) written.push(channel);
    });
  }
  await pair.advance(1_500);
  assertEquals(pair.heard.down, ["to all"]);
  assertEquals(written.length, 1);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionHandler refuses a message that no frame can hold, and goes on", async () => {
  const pair = await new Pair({ keepAlive: { maxFrameBytes: 1_000 }, answer: { maxFrameBytes: 1_000 } })
    .start(1_500);
  const errors: unknown[] = [];
  for (const channel of [pair.channel, pair.serverChannel]) {
    channel.writeAndFlush("x".repeat(980)).onSettled((error) => errors.push(error));
    channel.writeAndFlush("x".repeat(979)).onSettled((error) => errors.push(error));
  }
  await pair.advance(2_000);
  assertEquals(errors.map((error) => (error as Error | undefined)?.message), [
    "Cannot write: the message has 983 bytes, and at most 982 fit in a frame",
    undefined,
    "Cannot write: the message has 983 bytes, and at most 982 fit in a frame",
    undefined,
  ].sort((a, b) => Number(a === undefined) - Number(b === undefined)));
  assertEquals([pair.server.read.length, pair.client.read.length], [1, 1]);
  assertEquals([pair.client.errors, pair.server.errors], [[], []]);
  assertEquals(errors.some((error) => error instanceof QueueFullError), false);
  assertEquals(await pair.end(), NOTHING);
});
