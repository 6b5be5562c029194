import { assert, assertEquals } from "@std/assert";
import { answerKeepAlive, Channel, DecodeError, keepAlive, ServerBootstrap } from "@longlink/pipeline";
import type { SessionFrame } from "../../../handlers/session/_session_frame.ts";
import { NOTHING, Pair, type PairOptions } from "./_pair.ts";
import { RawPeer } from "./_raw_peer.ts";

const OPEN: SessionFrame = { kind: "open", version: 1 };
const NIL = new Uint8Array([0xc0]);

async function server(options: PairOptions = {}): Promise<Pair> {
  const pair = new Pair(options);
  await pair.startServer();
  return pair;
}

async function raw(pair: Pair, ...frames: (SessionFrame | Uint8Array)[]): Promise<RawPeer> {
  const peer = new RawPeer(pair.transport, pair.loop, pair.address);
  await pair.advance(50);
  peer.say(...frames);
  await pair.advance(50);
  return peer;
}

function resume(opened: SessionFrame & { kind: "opened" }, link: number, more: object = {}): SessionFrame {
  const { id, token } = opened;
  return { kind: "resume", version: 1, id, token, link, received: 0, ...more };
}

function message(sequence: number, received = 0): SessionFrame {
  return { kind: "message", sequence, received, payload: NIL };
}

Deno.test("a session survives every frame that makes no sense, and its link does not", async () => {
  const frames: [string, SessionFrame | Uint8Array][] = [
    ["a message that is no frame", NIL],
    ["a frame that ends in a number", new Uint8Array([0xc1, 7])],
    ["a frame that ends in a long number", new Uint8Array([0xc1, 7, 0x80, 0x80])],
    ["a number of 56 bits", new Uint8Array([0xc1, 7, 255, 255, 255, 255, 255, 255, 255, 127])],
    ["a number of 9 bytes", new Uint8Array([0xc1, 7, 128, 128, 128, 128, 128, 128, 128, 128, 0])],
    ["bytes after the end", new Uint8Array([0xc1, 7, 0, 0])],
    ["message 0", new Uint8Array([0xc1, 6, 0, 0])],
    ["a gap", message(3)],
    ["an acknowledgement of what was not sent", { kind: "acknowledgement", received: 1 }],
    ["a message that acknowledges what was not sent", message(2, 1)],
    ["an end that acknowledges what was not sent", { kind: "end", received: 9 }],
    ["a second open", OPEN],
    ["a half resume", new Uint8Array([0xc1, 2, 1, 2, 0, 9, 9])],
    ["a server's word", { kind: "resumed", received: 0 }],
    ["a refusal", { kind: "refused", reason: "unknown", number: 0 }],
  ];
  const pair = await server();
  for (const [what, frame] of frames) {
    const peer = await raw(pair, OPEN, message(1), frame, message(2));
    assertEquals(peer.isUp, false, what);
    assert(pair.server.errors.pop() instanceof DecodeError, what);
    const opened = peer.first("opened");
    const again = await raw(pair, resume(opened, 2), message(2));
    assertEquals([again.isUp, again.first("resumed").received], [true, 1], what);
    assertEquals(pair.server.errors, [], what);
    assertEquals(pair.server.events.slice(2), ["down protocol", "inactive", "active", "resumed"], what);
    assertEquals(pair.server.read.length, 2, what);
    assert(pair.registry.end(opened.id));
    await pair.advance(50);
    pair.server.events.length = pair.server.read.length = 0;
  }
  pair.startClient();
  await pair.advance(2_500);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("a session ignores frames of later versions, and frames that are not due drop a link without one", async () => {
  const pair = await server();
  const later = await raw(
    pair,
    new Uint8Array([0xc1, 99, 1, 2, 3]),
    OPEN,
    new Uint8Array([0xc1, 77]),
    message(1),
  );
  assertEquals([later.isUp, pair.server.read.length], [true, 1]);
  const other = await raw(pair, { kind: "open", version: 2 });
  assertEquals(other.first("refused"), { kind: "refused", reason: "version", number: 1 });
  other.say(OPEN);
  await pair.advance(50);
  assertEquals(other.first("opened").retentionMs, 600_000);
  const early = await raw(pair, message(1));
  assertEquals([early.isUp, pair.registry.size], [false, 2]);
  assert(pair.server.errors.pop() instanceof DecodeError);
});

Deno.test("a session is given to nobody without its token, nor to a link that is not the latest", async () => {
  const pair = await server();
  const owner = await raw(pair, OPEN);
  const opened = owner.first("opened");
  const token = opened.token.replace(/^./, (digit) => digit === "0" ? "1" : "0");
  const thief = await raw(pair, resume(opened, 2, { token }));
  assertEquals(thief.first("refused").reason, "unknown");
  const nobody = await raw(pair, resume(opened, 2, { id: "0".repeat(32) }));
  assertEquals(nobody.first("refused").reason, "unknown");
  const stale = await raw(pair, resume(opened, 1));
  assertEquals(stale.first("refused"), { kind: "refused", reason: "stale", number: 1 });
  assertEquals([owner.isUp, pair.server.events], [true, ["active", "up"]]);
  // A resume that was delivered twice: the second one changes nothing.
  const next = await raw(pair, resume(opened, 2));
  const copy = await raw(pair, resume(opened, 2));
  assertEquals([owner.isUp, next.isUp, copy.isUp], [false, true, true]);
  assertEquals([next.first("resumed").received, copy.first("refused").reason], [0, "stale"]);
  next.say(message(1));
  await pair.advance(300);
  assertEquals(next.first("acknowledgement").received, 1);
  assertEquals([pair.registry.refused, pair.registry.resumed], [4, 1]);
});

Deno.test("SessionRegistryOptions.isSameClient decides who goes on with a session, and one that throws refuses", async () => {
  const failure = new Error("no idea");
  const answers = [() => false, () => {
    throw failure;
  }, () => true];
  const pair = await server({ registry: { isSameClient: () => answers.shift()!() } });
  const owner = await raw(pair, OPEN);
  const opened = owner.first("opened");
  const other = await raw(pair, resume(opened, 2));
  const unsure = await raw(pair, resume(opened, 2));
  for (const { isUp, heard } of [other, unsure]) {
    assertEquals([isUp, heard], [true, [{ kind: "refused", reason: "unknown", number: 0 }]]);
  }
  assertEquals([owner.isUp, pair.server.errors], [true, [failure]]);
  const same = await raw(pair, resume(opened, 2));
  assertEquals([owner.isUp, same.first("resumed").received], [false, 0]);
});

Deno.test("a session does not go on with a client that has forgotten what it had acknowledged", async () => {
  const pair = await server();
  const owner = await raw(pair, OPEN);
  pair.push(1, 2);
  await pair.advance(50);
  owner.say({ kind: "acknowledgement", received: 2 });
  await pair.advance(50);
  for (const received of [1, 3]) {
    const other = await raw(pair, resume(owner.first("opened"), 2, { received }));
    assertEquals(other.first("refused").reason, "unknown");
  }
  assertEquals(owner.isUp, true);
});

Deno.test("a peer that repeats messages and reads nothing gets no pile of acknowledgements", async () => {
  const pair = await server({ registry: { queue: { maxBytes: 10_000_000 } } });
  const peer = new RawPeer(pair.transport, pair.loop, pair.address);
  await pair.advance(50);
  peer.say(OPEN, message(1));
  await pair.advance(500);
  peer.channel.autoRead = false;
  for (let i = 0; i < 10; i++) pair.serverChannel.writeAndFlush("x".repeat(500_000));
  await pair.advance(1_000);
  const { pendingBytes } = pair.serverChannel;
  assertEquals(pair.serverChannel.isWritable, false);
  for (let i = 0; i < 1_000; i++) peer.say(message(1));
  await pair.advance(1_000);
  assertEquals([pair.responder.duplicates, pair.serverChannel.pendingBytes], [1_000, pendingBytes]);
  peer.channel.autoRead = true;
  await pair.advance(1_000);
  const acknowledgements = peer.heard.filter((frame) => (frame as SessionFrame).kind === "acknowledgement");
  assertEquals(acknowledgements.length, 1);
});

Deno.test("SessionResponder serves clients without sessions next to those that have one", async () => {
  const pair = await new Pair({
    serverApp: { read: (message, channel) => channel.writeAndFlush({ down: (message as { up: 1 }).up }) },
  }).start(1_500);
  const read: unknown[] = [];
  const plain = new Channel({
    transport: pair.transport,
    loop: pair.loop,
    pipeline: (p) =>
      p.addLast(...keepAlive(), { channelRead: (_context, message) => void read.push(message) }),
  });
  plain.connect(pair.address).onSettled(() => {});
  await pair.advance(500);
  plain.writeAndFlush({ up: 1 });
  pair.say(2);
  await pair.advance(1_500);
  assertEquals([pair.heard.up, read, pair.heard.down], [[1, 2], [{ down: 1 }], [2]]);
  assertEquals([pair.registry.size, pair.listening.channels.size], [1, 2]);
  const silent = await raw(pair);
  await pair.advance(15_000);
  assertEquals([silent.isUp, pair.listening.channels.size], [true, 3]);
  await Promise.all([plain.close(), silent.channel.close(), pair.advance(1_000)]);
  assertEquals(pair.listening.channels.size, 1);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionResponder ends a link without a session where one is required", async () => {
  const pair = await new Pair({ registry: { required: true } }).start(1_500);
  const plain = await raw(pair, NIL);
  assertEquals(plain.isUp, false);
  assert(pair.server.errors.pop() instanceof DecodeError);
  pair.say(1);
  await pair.advance(1_000);
  assertEquals(pair.server.events, ["active", "up"]);
  assertEquals(pair.heard.up, [1]);
  assertEquals(await pair.end(), NOTHING);
});

Deno.test("SessionHandler says so where the server keeps no sessions", async () => {
  const pair = await server();
  await pair.listening.close();
  const plain = await new ServerBootstrap({
    transport: pair.transport,
    loop: pair.loop,
    pipeline: (p) => p.addLast(...answerKeepAlive()),
    onUnhandled: () => {},
  }).listen(pair.address);
  pair.startClient();
  await pair.advance(30_000);
  assertEquals(pair.client.events, []);
  assert(pair.client.errors.length > 0);
  await Promise.all([pair.channel.close(), plain.close(), pair.advance(5_000)]);
  assertEquals(pair.loop.pendingTimers, 0);
});
