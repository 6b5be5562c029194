import type { Duplex } from "node:stream";
import { assert, assertEquals, assertGreater, assertInstanceOf } from "@std/assert";
import {
  answerKeepAlive,
  type AnswerKeepAliveOptions,
  Channel,
  HeartbeatResponder,
  keepAlive,
  type KeepAliveOptions,
  LinkDownError,
  ServerBootstrap,
  type ServerChannel,
  SessionHandler,
  SessionRegistry,
  VirtualEventLoop,
} from "../../mod.ts";
import { asDuplex, type AsDuplexOptions } from "../../pipeline/transports/duplex.ts";
import { memory } from "../../pipeline/transports/memory.ts";
import { tcp } from "../../pipeline/transports/tcp.ts";

interface World {
  readonly loop: VirtualEventLoop;
  readonly server: ServerChannel;
  readonly channel: Channel;
  readonly stream: Duplex;
  /** The server's streams, one for each client that has come. */
  readonly served: Duplex[];
}

interface Setup {
  readonly client?: KeepAliveOptions;
  readonly responder?: AnswerKeepAliveOptions;
  readonly options?: AsDuplexOptions;
  readonly serve: (stream: Duplex) => void;
}

/** A client's stream and its server in memory, on virtual time. */
async function world({ client, responder, options, serve }: Setup): Promise<World> {
  const loop = new VirtualEventLoop();
  const transport = memory();
  const served: Duplex[] = [];
  const server = await new ServerBootstrap({
    transport,
    loop,
    pipeline: (pipeline, channel) => {
      pipeline.addLast(...answerKeepAlive({ codec: null, ...responder }));
      const stream = asDuplex(channel, options);
      stream.on("error", () => {});
      stream.on("connect", () => {
        served.push(stream);
        serve(stream);
      });
    },
  }).listen("memory://server");
  const channel = new Channel({
    transport,
    loop,
    pipeline: (pipeline) => pipeline.addLast(...keepAlive({ codec: null, ...client })),
  });
  const stream = asDuplex(channel, options);
  stream.on("error", () => {});
  channel.connect("memory://server");
  return { loop, server, channel, stream, served };
}

/** Lets virtual time pass, and what waits behind promises and ticks happen, until it is so. */
async function until(loop: VirtualEventLoop, isSo: () => boolean, limitMs = 30_000): Promise<void> {
  for (const endMs = loop.now() + limitMs; !isSo();) {
    assert(loop.now() < endMs, `not within ${limitMs} ms: ${isSo}`);
    loop.advanceBy(10);
    await turn();
  }
}

async function ends(loop: VirtualEventLoop, promise: PromiseLike<unknown>): Promise<void> {
  let hasEnded = false;
  promise.then(() => hasEnded = true);
  await until(loop, () => hasEnded);
}

async function pass(loop: VirtualEventLoop, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 1_000) {
    loop.advanceBy(1_000);
    await turn();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Sessions whose queue makes a writer wait, as a stream's writers can. */
function withSession(): Pick<Setup, "client" | "responder"> {
  const queue = { policy: "block" } as const;
  return {
    client: { session: new SessionHandler({ queue }) },
    responder: { sessions: new SessionRegistry({ queue }) },
  };
}

Deno.test("asDuplex() over keepAlive() carries bytes at once, with a session and without", async () => {
  for (const session of [{}, withSession()]) {
    const acrossLinks = "client" in session;
    const { loop, server, stream } = await world({
      ...session,
      options: { acrossLinks },
      serve: (stream) => stream.pipe(stream),
    });
    const startMs = loop.now();
    stream.write("hello");
    let echo = "";
    stream.on("data", (chunk) => echo += chunk);
    await until(loop, () => echo === "hello");
    // Not only after the second for which a server waits for a scout's first word.
    assert(loop.now() - startMs < 500, `${loop.now() - startMs}`);
    stream.destroy();
    await ends(loop, server.close());
    assertEquals(loop.pendingTimers, 0);
  }
});

Deno.test("asDuplex() goes on after a batch of nothing but heartbeats", async () => {
  const { loop, server, stream, served } = await world({ serve: () => {} });
  await until(loop, () => served.length === 1);
  await pass(loop, 120_000); // beats and their answers
  served[0]!.write("late");
  let text = "";
  stream.on("data", (chunk) => text += chunk);
  await until(loop, () => text === "late");
  stream.destroy();
  await ends(loop, server.close());
});

Deno.test("asDuplex() over keepAlive() ends whichever way and in whichever order", async () => {
  const ways = {
    break: async (stream: Duplex) => {
      for await (const _ of stream) break;
    },
    destroy: (stream: Duplex) => void stream.destroy(),
    end: (stream: Duplex) => void stream.end(),
  };
  for (const acrossLinks of [false, true]) {
    for (const [way, act] of Object.entries(ways)) {
      for (const unreadBytes of [0, 300_000]) {
        for (const order of ["client first", "server first"]) {
          const name = JSON.stringify({ acrossLinks, way, unreadBytes, order });
          const { loop, server, channel, stream } = await world({
            ...(acrossLinks ? withSession() : {}),
            options: { acrossLinks, readableHighWaterMark: 10_000 },
            serve: (stream) => {
              stream.resume();
              stream.write("hello");
              stream.write(new Uint8Array(unreadBytes));
            },
          });
          await until(loop, () => stream.readableLength > 0);
          if (order === "client first") {
            await Promise.all([act(stream), ends(loop, server.close())]);
          } else {
            const closed = server.close();
            await Promise.all([act(stream), ends(loop, closed)]);
          }
          stream.resume();
          await ends(loop, channel.closed).catch((error) => {
            throw new Error(name, { cause: error });
          });
          assertEquals([loop.pendingTimers, server.channels.size], [0, 0], name);
        }
      }
    }
  }
});

Deno.test("asDuplex() over keepAlive() and TCP: a loop that is left, then the server's end", async () => {
  const transport = tcp();
  const sessions = new SessionRegistry();
  const server = await new ServerBootstrap({
    transport,
    pipeline: (pipeline, channel) => {
      pipeline.addLast(...answerKeepAlive({ codec: null, sessions }));
      const stream = asDuplex(channel, { acrossLinks: true });
      stream.on("error", () => {});
      stream.pipe(stream);
    },
  }).listen("tcp://127.0.0.1:0");
  const session = new SessionHandler();
  const channel = new Channel({
    transport,
    pipeline: (pipeline) => pipeline.addLast(...keepAlive({ codec: null, session })),
  });
  const stream = asDuplex(channel, { acrossLinks: true });
  stream.on("error", () => {});
  channel.connect(server.address);
  stream.write("hello");
  let text = "";
  for await (const chunk of stream) {
    text += chunk;
    break;
  }
  assertEquals(text, "hello");
  await server.close();
  await channel.closed;
});

Deno.test("asDuplex() with acrossLinks goes on, on both sides, on the client's next link", async () => {
  const { loop, server, channel, stream, served } = await world({
    ...withSession(),
    options: { acrossLinks: true },
    serve: (stream) => stream.pipe(stream),
  });
  let echo = "";
  stream.on("data", (chunk) => echo += chunk);
  let sent = "";
  for (let link = 0; link < 3; link++) {
    sent += `before ${link}, `;
    stream.write(`before ${link}, `);
    await until(loop, () => echo === sent);
    sent += `lost ${link}, `;
    stream.write(`lost ${link}, `);
    channel.drop("reset");
    sent += `after ${link}. `;
    stream.write(`after ${link}. `);
    await until(loop, () => echo === sent);
  }
  assertEquals([served.length, server.channels.size], [1, 1]);
  stream.end();
  await ends(loop, channel.closed);
  await ends(loop, server.close());
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("asDuplex() keeps the link of a reader that pauses for a minute, and beats on", async () => {
  const bytes = 4 * 1024 * 1024;
  const { loop, server, channel, stream, served } = await world({
    serve: (stream) => {
      for (let at = 0; at < bytes; at += 65_536) stream.write(new Uint8Array(65_536));
    },
    client: { foregroundIntervalMs: 5_000 },
  });
  const downs: unknown[] = [];
  channel.pipeline.addLast({
    userEventTriggered: (_context, event) => {
      if ((event as { type: string }).type === "linkDown") downs.push(event);
    },
  });
  await until(loop, () => channel.isPaused);
  const [accepted] = server.channels;
  const responder = accepted!.pipeline.get(HeartbeatResponder)!;
  const before = responder.pings;
  await pass(loop, 60_000);
  assertEquals([channel.isPaused, downs], [true, []]);
  assertGreater(served[0]!.writableLength, bytes / 2); // the writer waits
  assertGreater(responder.pings - before, 9);
  let received = 0;
  stream.on("data", (chunk) => received += chunk.length);
  await until(loop, () => received === bytes);
  await pass(loop, 60_000);
  assertEquals([channel.state, downs], ["active", []]);
  stream.destroy();
  await ends(loop, server.close());
});

Deno.test("asDuplex() learns of a link that died while its reader paused, once all is read", async () => {
  const { loop, server, channel, stream } = await world({
    serve: (stream) => void stream.write(new Uint8Array(200_000)),
    options: { readableHighWaterMark: 10_000 },
    client: { reconnect: null },
  });
  await until(loop, () => channel.isPaused);
  const [accepted] = server.channels;
  accepted!.pipeline.addFirst({ write() {} }); // nothing comes from there any more
  await pass(loop, 60_000);
  assertEquals(channel.state, "active");
  stream.resume();
  await until(loop, () => stream.closed);
  assertInstanceOf(stream.errored, LinkDownError);
  assertEquals(stream.errored.reason, "unanswered");
  await ends(loop, server.close());
});

Deno.test("asDuplex() on a server that does not read does not take its client for silent", async () => {
  const { loop, server, channel, stream, served } = await world({
    serve: () => {},
    options: { readableHighWaterMark: 10_000 },
  });
  await until(loop, () => served.length === 1);
  // Its own beats would make an end of it: nobody answers who does not read.
  for (const context of [...channel.pipeline.iterate()]) {
    if (context.name.startsWith("AdaptiveInterval")) channel.pipeline.remove(context.name);
  }
  stream.write(new Uint8Array(500_000));
  const [accepted] = server.channels;
  await until(loop, () => accepted!.isPaused);
  await pass(loop, 600_000);
  assertEquals(accepted!.state, "active");
  let received = 0;
  served[0]!.on("data", (chunk) => received += chunk.length);
  await until(loop, () => received === 500_000);
  stream.destroy();
  await ends(loop, server.close());
});

Deno.test("asDuplex() over keepAlive() does not end one direction alone: nobody could answer", async () => {
  const { loop, server, channel, stream } = await world({ serve: (stream) => void stream.resume() });
  stream.resume();
  stream.end("last words");
  await ends(loop, channel.closed);
  assertEquals(stream.errored, null);
  await ends(loop, server.close());
});
