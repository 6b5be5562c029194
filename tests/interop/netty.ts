/**
 * Netty in Java, on both sides, written from docs/protocol.md.
 *
 * @module
 */

import { assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import {
  answerKeepAlive,
  Bootstrap,
  type ChannelHandler,
  fixedInterval,
  IntervalAdviceHandler,
  type IntervalRecord,
  type IntervalStore,
  keepAlive,
  type KeepAliveOptions,
  LengthFieldFrameDecoder,
  LengthFieldFrameEncoder,
  type LinkUpEvent,
  ServerBootstrap,
  SessionHandler,
  SessionRegistry,
  VarintFrameDecoder,
  VarintFrameEncoder,
  type VerdictEvent,
} from "../../mod.ts";
import { tcp } from "../../pipeline/transports/tcp.ts";
import { startNatBox } from "../lab/nat_box.ts";
import { Events, quick } from "./_client.ts";
import { JavaPrograms } from "./_java.ts";
import { testWith } from "./_peers.ts";

const test = testWith("java", "javac", "/usr/share/java/netty-handler.jar");

let programs: Promise<JavaPrograms> | undefined;
/** Compiling takes as long as all that is tested with it. */
const compiled = () => programs ??= JavaPrograms.compile();
Deno.test.afterAll(async () => await (await programs)?.[Symbol.asyncDispose]());

/** The handlers with the frames of Netty's LengthFieldPrepender(4) in place of the varints. */
function framed(handlers: ChannelHandler[], framing: string): ChannelHandler[] {
  if (framing === "varint") return handlers;
  return handlers.map((handler) => {
    if (handler instanceof VarintFrameDecoder) return new LengthFieldFrameDecoder({ initialBytesToStrip: 4 });
    return handler instanceof VarintFrameEncoder ? new LengthFieldFrameEncoder() : handler;
  });
}

/** A store in which is what a server tells each client. */
function advising(ms: number): IntervalStore {
  const record: IntervalRecord = {
    strategy: "advice",
    intervalMs: ms,
    loMs: ms,
    hiMs: null,
    isSettled: false,
    atMs: Date.now(),
    direction: "push",
    confirmations: 0,
  };
  return { get: () => record, set: () => {} };
}

/** A client of ours that writes down what happens and what arrives. */
async function connect(address: string, options: KeepAliveOptions, framing = "varint") {
  const events = new Events();
  const received: unknown[] = [];
  const channel = await new Bootstrap({
    transport: tcp(),
    pipeline: (p) =>
      p.addLast(
        ...framed(keepAlive(options), framing),
        {
          channelRead: (context, message) => {
            received.push(message);
            context.fireUserEventTriggered({ type: "message" });
          },
        },
        events,
      ),
  }).connect(address);
  return { channel, events, received, [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose]() };
}

test("Netty server learns: holds are served, and the interval ends up just below the NAT's timeout", async () => {
  const java = await compiled();
  const { server, address } = await java.serve("LonglinkServer", []);
  await using _server = server;
  await using nat = await startNatBox({
    listen: "tcp://127.0.0.1:0",
    target: address,
    natTimeoutMs: 1_000,
    mode: "strict",
  });
  await using client = await connect(nat.address, { ...quick(), session: new SessionHandler() });
  await client.events.until("coverage", ({ direction }: { direction: string }) => direction === "push");
  await client.events.until("interval", ({ isSettled }: { isSettled: boolean }) => isSettled);
  assertGreater(client.events.interval.intervalMs, 850);
  assertLess(client.events.interval.intervalMs, 1_000);
  assertEquals(client.events.of<VerdictEvent>("verdict").some(({ outcome }) => outcome === "failed"), true);

  await client.channel.writeAndFlush("after all that");
  await client.events.until("message");
  assertEquals(client.received, ["after all that"]);
  await server.say("report");
  const { holds = 0, opened = 0 } = await server.output.event("report");
  assertGreater(holds, 3);
  assertEquals(opened, 1);
});

test("Netty server refuses scouts: the client's link stays, and says why", async () => {
  const java = await compiled();
  const { server, address } = await java.serve("LonglinkServer", ["scouts=refuse"]);
  await using _server = server;
  await using client = await connect(address, quick("scout"));
  const { reason } = await client.events.until<VerdictEvent>("verdict", ({ outcome }) => outcome === "void");
  assertEquals(reason, "the peer takes no scout (notServed)");
  assertEquals(client.events.downs, []);
});

for (const framing of ["varint", "length"]) {
  test(`Netty server keeps sessions, ${framing} frames: links are killed, nothing is lost`, async () => {
    const java = await compiled();
    const { server, address } = await java.serve("LonglinkServer", [`framing=${framing}`]);
    await using _server = server;
    await using client = await connect(address, { ...quick(), session: new SessionHandler() }, framing);
    const { channel, events, received } = client;
    await events.until("linkUp");
    const kills = 5;
    for (let round = 1; round <= kills; round++) {
      for (let i = 1; i <= 200; i++) channel.writeAndFlush({ number: (round - 1) * 200 + i });
      await server.say("push 100");
      await server.say("kill");
      await events.when(`link ${round + 1}`, () => events.of("linkUp").length > round);
    }
    await events.when("all messages", () => received.length >= kills * 300);
    await channel.pipeline.get(SessionHandler)!.whenAcknowledged();

    const echoes = received.filter((message) => typeof message === "object");
    assertEquals(echoes, Array.from({ length: kills * 200 }, (_, i) => ({ number: i + 1 })));
    const pushes = received.filter((message) => typeof message === "number");
    assertEquals(pushes, Array.from({ length: kills * 100 }, (_, i) => i + 1));
    assertEquals(events.of("sessionLost"), []);
    assertEquals(events.of<LinkUpEvent>("linkUp").map(({ resumed }) => resumed), [
      false,
      ...Array(kills).fill(true),
    ]);
    await server.say("report");
    const { resumed, messages, opened } = await server.output.event("report");
    assertEquals({ resumed, messages, opened }, { resumed: kills, messages: kills * 200, opened: 1 });
  });
}

test("Netty server acknowledges by itself when it has nothing to say", async () => {
  const java = await compiled();
  const { server, address } = await java.serve("LonglinkServer", ["echo=no"]);
  await using _server = server;
  // Heartbeats carry acknowledgements as well: here there are none for minutes.
  await using client = await connect(address, {
    strategy: fixedInterval(240_000),
    session: new SessionHandler(),
  });
  await client.events.until("linkValid");
  await client.channel.writeAndFlush("one");
  await client.channel.pipeline.get(SessionHandler)!.whenAcknowledged();
  for (let i = 0; i < 32; i++) client.channel.writeAndFlush(i); // as many as may wait
  await client.channel.pipeline.get(SessionHandler)!.whenAcknowledged();
  await server.say("report");
  const { acknowledgementsAlone, messages } = await server.output.event("report");
  assertEquals({ acknowledgementsAlone, messages }, { acknowledgementsAlone: 2, messages: 33 });
});

test("Netty server says go away: the client comes back when it was told to, and the session goes on", async () => {
  const java = await compiled();
  const { server, address } = await java.serve("LonglinkServer", []);
  await using _server = server;
  await using client = await connect(address, { ...quick(), session: new SessionHandler() });
  await client.events.until("linkValid");
  await server.say("goAway 3");
  await client.events.until("goAway");
  await server.say("push 10"); // while the client is away
  await client.events.until("linkUp", ({ resumed }: LinkUpEvent) => resumed);
  await client.events.when("the pushes", () => client.received.length === 10);
  assertEquals(client.events.of("goAway"), [{ type: "goAway", reason: "shutdown", afterMs: 300 }]);
});

test("Netty server drops a client that is silent for longer than it announced, by its IdleStateHandler", async () => {
  const java = await compiled();
  const { server, address } = await java.serve("LonglinkServer", ["graceMs=200"]);
  await using _server = server;
  using link = await Deno.connect({ hostname: "127.0.0.1", port: Number(address.split(":").at(-1)) });
  // A ping that announces 0.2 s, as docs/protocol.md lays it out, and then nothing more.
  await link.write(new Uint8Array([9, 0xc7, 6, 0x4c, 0, 0, 0x10, 4, 0, 0]));
  const answers = await new Response(link.readable).bytes();
  assertEquals(answers.length, 20); // hello, pong, and the end
  await server.say("report");
  assertEquals((await server.output.event("report")).silent, 1);
});

for (const framing of ["varint", "length"]) {
  test(`Netty client, ${framing} frames: pings, holds, a scout, and a session over four links; no advice`, async () => {
    const java = await compiled();
    const sessions = new SessionRegistry();
    const advice = new IntervalAdviceHandler({ store: advising(298_500), networkOf: () => "here" });
    await using server = await new ServerBootstrap({
      transport: tcp(),
      pipeline: (p) =>
        p.addLast(...framed(answerKeepAlive({ sessions, advice }), framing), {
          channelRead: (context, message) => context.writeAndFlush(message),
        }),
    }).listen("tcp://127.0.0.1:0");
    const port = server.address.split(":").at(-1)!;
    await using client = await java.start(
      "LonglinkClient",
      [port, framing, "600"],
      /"event":"session"|Exception/,
    );
    assertMatch(client.output.all.join("\n"), /"event":"session"/);
    const { longestHoldTenths, ignored } = JSON.parse(client.output.all[0]!);
    assertEquals([longestHoldTenths, ignored], [75_000, 1]);
    const { messages, killed, retentionMs } = JSON.parse(client.output.all[1]!);
    assertEquals({ messages, killed, retentionMs }, { messages: 600, killed: 3, retentionMs: 600_000 });
    assertEquals({ opened: sessions.opened, refused: sessions.refused }, { opened: 1, refused: 2 });
    assertEquals(sessions.resumed, 4);
    assertEquals(sessions.size, 0);
  });
}
