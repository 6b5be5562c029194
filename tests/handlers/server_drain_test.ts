import { assertEquals, assertGreater, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { answerKeepAlive, type GoAwayEvent, keepAlive } from "../../handlers/mod.ts";
import {
  Bootstrap,
  Channel,
  type ChannelHandlerContext,
  ServerBootstrap,
  type ServerChannel,
  type Transport,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { memory } from "../../pipeline/transports/memory.ts";
import { tcp } from "../../pipeline/transports/tcp.ts";

/** A client: what it was told, and when its links came. */
class Client {
  readonly messages: unknown[] = [];
  readonly goAways: GoAwayEvent[] = [];
  readonly upsMs: number[] = [];
  downMs = -1;
  readonly #onDown = Promise.withResolvers<void>();
  readonly down = this.#onDown.promise;

  channelActive({ loop }: ChannelHandlerContext): void {
    this.upsMs.push(loop.now());
  }
  channelInactive({ loop }: ChannelHandlerContext): void {
    this.downMs = loop.now();
    this.#onDown.resolve();
  }
  channelRead(_context: ChannelHandlerContext, message: unknown): void {
    this.messages.push(message);
  }
  userEventTriggered(_context: ChannelHandlerContext, event: unknown): void {
    if ((event as GoAwayEvent).type === "goAway") this.goAways.push(event as GoAwayEvent);
  }
}

/** A server that tells of each link that it shows. */
function listening(
  transport: Transport,
  address: string,
  loop?: VirtualEventLoop,
  onUp: () => void = () => {},
): Promise<ServerChannel> {
  return new ServerBootstrap({
    transport,
    loop,
    pipeline: (p) => p.addLast(...answerKeepAlive(), { channelActive: onUp, channelRead() {} }),
  }).listen(address);
}

Deno.test("ServerChannel.close() with drain brings the clients back spread over the window, nothing cut off", async () => {
  const CLIENTS = 200;
  const loop = new VirtualEventLoop();
  const transport = memory({ latencyMs: 20 });
  const server = await listening(transport, "memory://chat", loop);
  const clients = Array.from({ length: CLIENTS }, () => new Client());
  const channels = clients.map((client) => {
    const channel = new Channel({ transport, loop, pipeline: (p) => p.addLast(...keepAlive(), client) });
    channel.connect("memory://chat");
    return channel;
  });
  await loop.advanceByAsync(60_000);
  assertEquals(clients.map(({ upsMs }) => upsMs.length), new Array(CLIENTS).fill(1));

  let n = 0;
  for (const channel of server.channels) channel.write({ last: "word", n: n++, filling: "x".repeat(30_000) });
  const drainMs = loop.now();
  const closing = server.close({ drain: { windowMs: 20_000 } });
  await loop.advanceByAsync(1_000);
  await closing;
  const again = await listening(transport, "memory://chat", loop);
  await loop.advanceByAsync(30_000);

  const backAfter: number[] = [];
  for (const { messages, goAways, upsMs, downMs } of clients) {
    assertEquals(messages.length, 1);
    assertEquals(goAways.map(({ reason }) => reason), ["shutdown"]);
    assertEquals(upsMs.length, 2);
    assertLessOrEqual(downMs - drainMs, 1_000);
    // Not before it was asked to; a connect takes two round trips.
    assertGreaterOrEqual(upsMs[1]! - drainMs, goAways[0]!.afterMs);
    backAfter.push(upsMs[1]! - drainMs);
  }
  assertLessOrEqual(Math.max(...backAfter), 21_500);
  const perSecond = new Array(22).fill(0);
  for (const ms of backAfter) perSecond[Math.floor(ms / 1_000)]++;
  assertLessOrEqual(Math.max(...perSecond), 3 * CLIENTS / 20);
  assertGreater(perSecond.slice(0, 20).filter((count) => count > 0).length, 15);

  for (const channel of channels) channel.close();
  const ended = again.close();
  await loop.advanceByAsync(3_000);
  await ended;
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("ServerChannel.close() with drain ends by its deadline though a real peer does not read", async () => {
  const bothUp = Promise.withResolvers<void>();
  let up = 0;
  const server = await listening(tcp(), "tcp://127.0.0.1:0", undefined, () => {
    if (++up === 2) bothUp.resolve();
  });
  const reading = new Client();
  await using client = await new Bootstrap({
    transport: tcp(),
    pipeline: (p) => p.addLast(...keepAlive({ reconnect: null }), reading),
  }).connect(server.address);
  // Says a word, so that it is shown, and reads no more.
  await using deaf = await new Bootstrap({ transport: tcp(), autoRead: false }).connect(server.address);
  await deaf.writeAndFlush(Uint8Array.of(1, 0xc0));
  await bothUp.promise;
  const last = { text: "x".repeat(900_000) };
  const [toClient, toDeaf] = server.channels as unknown as [Channel, Channel];
  for (let i = 0; i < 3; i++) toClient.writeAndFlush(last);
  // More than the system takes for a peer that does not read.
  const unread = Array.from({ length: 30 }, () => toDeaf.writeAndFlush(last));
  for (const write of unread) write.onSettled(() => {});
  await server.close({ drain: { deadlineMs: 500 } });
  await reading.down;
  assertEquals(reading.messages.length, 3);
  assertEquals(reading.goAways.map(({ reason }) => reason), ["shutdown"]);
  assertEquals([unread.at(-1)!.isSuccess, client.state, server.channels.size], [false, "closed", 0]);
});
