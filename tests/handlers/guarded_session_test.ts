import { assertEquals } from "@std/assert";
import {
  answerKeepAlive,
  AuthenticationHandler,
  ConnectionLimitHandler,
  CredentialsHandler,
  HeartbeatEncoder,
  HeartbeatResponder,
  keepAlive,
  principalOf,
  RateLimitHandler,
  ReconnectHandler,
  SessionHandler,
  SessionRegistry,
} from "../../handlers/mod.ts";
import {
  Channel,
  type ChannelHandlerContext,
  ServerBootstrap,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { memory } from "../../pipeline/transports/memory.ts";

/** A server with all limits and sessions, and a client of it. */
async function guarded({ framesPerSecond = 1_000, burstFrames = 1_000 } = {}) {
  const loop = new VirtualEventLoop();
  const transport = memory({ latencyMs: 20 });
  const connections = new ConnectionLimitHandler({ maxPerAddress: 2, customerOf: () => "everybody" });
  const received: unknown[] = [];
  const answers: unknown[] = [];
  const asked: unknown[] = [];
  const principals: unknown[] = [];
  const sessions = new SessionRegistry();
  const server = await new ServerBootstrap({
    transport,
    loop,
    pipeline: (p) => {
      p.addLast(...answerKeepAlive({ sessions }), {
        channelActive: ({ channel }) => void principals.push(principalOf(channel)),
        channelRead(context: ChannelHandlerContext, message: unknown) {
          received.push(message);
          context.writeAndFlush(message);
        },
        exceptionCaught() {},
      });
      p.addAfter(
        HeartbeatEncoder,
        connections,
        new RateLimitHandler({ framesPerSecond, burstFrames, policy: "close" }),
      );
      const authenticate = async (credentials: unknown) => {
        asked.push(credentials);
        await new Promise<void>((resolve) => loop.schedule(100, resolve));
        return credentials === "key" && { name: "Ann" };
      };
      p.addAfter(HeartbeatResponder, new AuthenticationHandler({ authenticate }));
    },
  }).listen("memory://guarded");
  const channel = new Channel({
    transport,
    loop,
    pipeline: (p) => {
      p.addLast(...keepAlive({ session: new SessionHandler() }), {
        channelRead: (_context, message) => void answers.push(message),
      });
      p.addAfter(ReconnectHandler, new CredentialsHandler());
    },
  });
  channel.connect({ address: "memory://guarded", credentials: "key" });
  await loop.advanceByAsync(1_000);
  return { loop, server, channel, connections, received, answers, asked, principals };
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

Deno.test("AuthenticationHandler lets a session go on only on links that have proven themselves", async () => {
  const { loop, server, channel, connections, received, answers, asked, principals } = await guarded();
  for (let n = 0; n < 30; n++) {
    channel.writeAndFlush(n);
    if (n % 10 === 5) channel.drop("networkChanged");
    await loop.advanceByAsync(300);
  }
  await loop.advanceByAsync(10_000);
  assertEquals(received, numbers(30));
  assertEquals(answers, numbers(30));
  assertEquals(asked, new Array(4).fill("key"));
  assertEquals(principals, new Array(4).fill({ name: "Ann" }));
  // The session's channel has no link of its own any more; the one that carries it counts.
  assertEquals([server.channels.size, connections.count("any"), connections.refused], [1, 1, 0]);
  channel.close();
  const closing = server.close({ drain: {} });
  await loop.advanceByAsync(10_000);
  await closing;
  assertEquals([loop.pendingTimers, connections.size], [0, 0]);
});

Deno.test("RateLimitHandler with the policy close ends a session's link and not its session", async () => {
  const { loop, server, channel, received, answers, asked } = await guarded({
    framesPerSecond: 20,
    burstFrames: 40,
  });
  for (let n = 0; n < 100; n++) channel.write(n);
  channel.flush();
  await loop.advanceByAsync(60_000);
  assertEquals(received, numbers(100));
  assertEquals(answers, numbers(100));
  assertEquals(asked.length > 1, true);
  channel.close();
  server.close();
  await loop.advanceByAsync(10_000);
});
