import { once } from "node:events";
import { Buffer } from "node:buffer";
import { createServer, Socket } from "node:net";
import { type Duplex, PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Bootstrap,
  Channel,
  type ChannelHandler,
  type ChannelPromise,
  ConnectError,
  EmbeddedChannel,
  LinkDownError,
  type Listener,
  PeerError,
  ServerBootstrap,
  SystemEventLoop,
  type Transport,
  VirtualEventLoop,
} from "../../../pipeline/mod.ts";
import {
  asDuplex,
  type AsDuplexOptions,
  connectDuplex,
  duplex,
  fromDuplex,
} from "../../../pipeline/transports/duplex.ts";
import { memory } from "../../../pipeline/transports/memory.ts";
import { tcp } from "../../../pipeline/transports/tcp.ts";
import { concat, LinkRecorder, pattern } from "./_link_recorder.ts";
import { transportSuite } from "./_transport_suite.ts";

const loop = new SystemEventLoop();
const { signal } = new AbortController();

/** Streams have no addresses: sockets made elsewhere, and a listener of the test's own. */
function socketsMadeElsewhere(): Transport {
  const transport = duplex({
    connect: async ({ address }) => {
      const socket = new Socket();
      const port = new URL(address).port;
      socket.connect(Number(port), "127.0.0.1");
      await once(socket, "connect");
      return socket;
    },
  });
  return {
    name: transport.name,
    keepsMessages: transport.keepsMessages,
    connect: (remote, options) => transport.connect(remote, options),
    async listen(_address, { loop, onLink }): Promise<Listener> {
      const server = createServer({ pauseOnConnect: true }, (socket) => onLink(fromDuplex(socket, { loop })));
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as { port: number };
      return { address: `tcp://127.0.0.1:${port}`, close: () => Promise.resolve(void server.close()) };
    },
  };
}

transportSuite("duplex", () => ({
  transport: socketsMadeElsewhere(),
  listenAddress: "tcp://127.0.0.1:0",
  refusedAddress: "tcp://127.0.0.1:1",
  loop,
}), {
  abortResets: true,
  tooMuchBytes: 32 * 1024 * 1024,
  flushesInParts: true,
  closeWaitsForPeer: true,
  halfCloses: true,
  tellsPause: true,
  badAddresses: [],
});

Deno.test("fromDuplex() refuses streams of text or objects, and those that have ended", () => {
  const ended = new PassThrough();
  ended.end();
  const destroyed = new PassThrough();
  destroyed.destroy();
  for (const stream of [new PassThrough({ objectMode: true }), new PassThrough({ encoding: "utf8" })]) {
    assertThrows(
      () => fromDuplex(stream, { loop }),
      TypeError,
      "it gives text or objects where bytes are due",
    );
  }
  for (const stream of [ended, destroyed]) {
    assertThrows(() => fromDuplex(stream, { loop }), TypeError, "it has ended");
  }
});

Deno.test("fromDuplex() tells why a stream failed", async () => {
  const stream = new PassThrough();
  const recorder = new LinkRecorder(fromDuplex(stream, { loop }));
  const error = new Error("gone");
  stream.destroy(error);
  assertEquals(await recorder.end(), "error");
  assertStrictEquals(recorder.closed?.error, error);
});

Deno.test("duplex() wraps what connect throws, and destroys a stream that comes too late", async () => {
  const cause = new Error("the proxy said no");
  const failing = duplex({ connect: () => Promise.reject(cause) });
  const error = await assertRejects(
    async () => await failing.connect({ address: "proxy:1" }, { loop, signal }),
    ConnectError,
    "Cannot connect to proxy:1: the proxy said no",
  );
  assertStrictEquals(error.cause, cause);

  const late = Promise.withResolvers<Duplex>();
  const controller = new AbortController();
  const connecting = duplex({ connect: () => late.promise })
    .connect({ address: "late:1" }, { loop, signal: controller.signal });
  controller.abort();
  await assertRejects(async () => await connecting, ConnectError, "the try was given up");
  const stream = new PassThrough();
  late.resolve(stream);
  await closed(stream);
});

/** A channel without a socket, and the stream that it is. */
function embedded(options: { active?: boolean; handlers?: ChannelHandler[]; acrossLinks?: boolean } = {}) {
  const { active, handlers, acrossLinks } = options;
  const virtual = new VirtualEventLoop();
  const channel = new EmbeddedChannel({ loop: virtual, active, handlers });
  const stream = asDuplex(channel, { acrossLinks });
  const events: string[] = [];
  for (const event of ["connect", "end", "finish", "close"]) stream.on(event, () => events.push(event));
  const errors: unknown[] = [];
  stream.on("error", (error) => errors.push(error));
  const sent = () =>
    channel.drainOutbound().map((bytes) => new TextDecoder().decode(bytes as Uint8Array)).join("");
  return { channel, stream, events, errors, sent, virtual };
}

for (
  const [name, transport, address] of [["tcp", tcp(), "tcp://127.0.0.1:0"], [
    "memory",
    memory(),
    "memory://x",
  ]] as const
) {
  Deno.test(`asDuplex() carries megabytes both ways over ${name}, with backpressure`, async () => {
    await using server = await new ServerBootstrap({
      transport,
      pipeline: (_pipeline, channel) => {
        const stream = asDuplex(channel, { readableHighWaterMark: 16_384 });
        stream.pipe(stream);
      },
    }).listen(address);
    const stream = asDuplex(await new Bootstrap({ transport }).connect(server.address), {
      readableHighWaterMark: 16_384,
    });
    const whole = pattern(3_000_000, 7);
    const parts: Uint8Array[] = [];
    await pipeline(
      Readable.from((function* () {
        for (let at = 0; at < whole.length; at += 50_000) yield whole.subarray(at, at + 50_000);
      })()),
      stream, // ends its direction, while the echo goes on
      async (source) => {
        for await (const part of source) parts.push(part);
      },
    );
    const back = new Uint8Array(whole.length);
    parts.reduce((at, part) => (back.set(part, at), at + part.length), 0);
    assertEquals(back, whole);
  });
}

Deno.test("asDuplex() holds what is written until there is a link, and says when", async () => {
  const { channel, stream, events, sent } = embedded({ active: false });
  stream.write("hello ");
  stream.write("world");
  assertEquals([events, sent()], [[], ""]);
  await channel.connect("any:where");
  await turn();
  assertEquals([events, sent()], [["connect"], "hello world"]);
  stream.destroy();
});

Deno.test("asDuplex() copies what it is given", async () => {
  const { stream, sent } = embedded();
  const bytes = new TextEncoder().encode("abc");
  stream.write(bytes);
  bytes.fill(0);
  assertEquals(sent(), "abc");
  stream.destroy();
  await closed(stream);
});

Deno.test("asDuplex() lets nobody write more than the channel takes", async () => {
  const transport = memory();
  const peer = Promise.withResolvers<Channel>();
  await using server = await new ServerBootstrap({
    transport,
    autoRead: false,
    pipeline: (_pipeline, channel) => peer.resolve(channel),
  }).listen("memory://slow");
  const stream = asDuplex(await new Bootstrap({ transport }).connect(server.address));
  let written = 0;
  while (!stream.writableNeedDrain && written < 10_000_000) {
    stream.write(new Uint8Array(10_000));
    written += 10_000;
    if (stream.writableNeedDrain) await turn();
  }
  assert(written < 400_000, `${written}`);
  const drained = once(stream, "drain");
  let received = 0;
  (await peer.promise).pipeline.addLast({
    channelRead: (_context, bytes) => received += (bytes as Uint8Array).length,
  });
  (await peer.promise).autoRead = true;
  await drained;
  stream.resume();
  stream.end();
  await (await peer.promise).closed;
  assertEquals(received, written);
});

Deno.test("asDuplex() reads no more than it may be ahead of its reader", async () => {
  let reads = 0;
  const channel = new EmbeddedChannel({ handlers: [{ read: (context) => (reads++, context.read()) }] });
  const stream = asDuplex(channel, { readableHighWaterMark: 1_000 });
  let before: number;
  do {
    before = reads;
    channel.writeInbound(new Uint8Array(300));
    await turn();
  } while (reads > before);
  assertEquals(stream.readableLength, 1_200);
  stream.read(1_200);
  await turn();
  assertEquals(reads, before + 1);
  stream.destroy();
});

/** What a client of `node:net` hears of a server, which is a stream over TCP. */
async function netClient(serve: (stream: Duplex) => void, options?: AsDuplexOptions) {
  const server = await new ServerBootstrap({
    transport: tcp(),
    pipeline: (_pipeline, channel) => serve(asDuplex(channel, options)),
  }).listen("tcp://127.0.0.1:0");
  const socket = new Socket({ allowHalfOpen: true });
  socket.connect(Number(new URL(server.address).port), "127.0.0.1");
  return { server, socket, channel: () => [...server.channels][0]! };
}

Deno.test("asDuplex() ends its direction with end(), and reads until the peer ends", async () => {
  const server = createServer({ allowHalfOpen: true }, async (socket) => {
    let question = "";
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) question += chunk;
    socket.write(`you said "${question}", `);
    await turn();
    socket.end("and I say goodbye");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  for (const isConnected of [true, false]) {
    const channel = new Channel({ transport: tcp() });
    const stream = asDuplex(channel);
    const connecting = channel.connect(`tcp://127.0.0.1:${port}`);
    if (isConnected) await connecting;
    const question = isConnected ? "hello" : "";
    stream.end(question);
    const answer = Buffer.concat(await stream.toArray());
    assertEquals(String(answer), `you said "${question}", and I say goodbye`);
    await channel.closed;
    assertEquals([stream.errored, stream.closed], [null, true]);
  }
  server.close();
  await once(server, "close");
});

Deno.test("asDuplex() ends by itself after the peer has, and after what it has to say", async () => {
  const answer = pattern(1_000_000);
  const { server, socket } = await netClient((stream) => {
    stream.once("data", () => stream.write(answer));
  });
  socket.end("now");
  assertEquals(new Uint8Array(Buffer.concat(await socket.toArray())), answer);
  await until(() => server.channels.size === 0);
  await server.close();
});

Deno.test("asDuplex() with allowHalfOpen is written to after the peer's end, and has to be ended", async () => {
  const { server, socket } = await netClient(
    (stream) =>
      stream.resume().on("end", async () => {
        await turn();
        stream.write("still ");
        await turn();
        stream.end("here");
      }),
    { allowHalfOpen: true },
  );
  socket.end();
  assertEquals(String(Buffer.concat(await socket.toArray())), "still here");
  await until(() => server.channels.size === 0);
  await server.close();

  const other = await netClient((stream) => stream.resume(), { allowHalfOpen: true });
  other.socket.end();
  other.socket.resume();
  const { resolve, promise } = Promise.withResolvers<void>();
  other.socket.on("close", resolve);
  await until(() => other.server.channels.size === 1);
  for (let i = 0; i < 3; i++) await turn();
  assertEquals(other.channel().state, "active");
  await other.server.close();
  await promise;
});

Deno.test("asDuplex() is destroyed where the peer is gone while it is still written to", async () => {
  const failed = Promise.withResolvers<Error>();
  const { server, socket } = await netClient((stream) => {
    stream.resume().on("error", failed.resolve);
    stream.on("end", async () => {
      socket.destroy();
      while (!stream.destroyed) {
        stream.write(new Uint8Array(10_000));
        await turn();
      }
    });
  }, { allowHalfOpen: true });
  socket.end();
  socket.on("error", () => {});
  assertInstanceOf(await failed.promise, LinkDownError);
  await server.close();
});

Deno.test("asDuplex() closes the channel where a handler can do nothing with half a link", async () => {
  const needy: ChannelHandler = {
    userEventTriggered: (context, event) => {
      if ((event as { type: string }).type !== "halfClose") context.fireUserEventTriggered(event);
    },
  };
  const transport = memory();
  const said = Promise.withResolvers<string>();
  await using server = await new ServerBootstrap({
    transport,
    pipeline: (_pipeline, channel) => {
      const stream = asDuplex(channel, { allowHalfOpen: true });
      stream.toArray().then((chunks) => said.resolve(String(Buffer.concat(chunks))));
    },
  }).listen("memory://needy");
  const bootstrap = new Bootstrap({ transport, pipeline: (p) => p.addLast(needy) });
  const channel = await bootstrap.connect(server.address);
  const stream = asDuplex(channel);
  stream.resume();
  stream.end("bye");
  await channel.closed;
  assertEquals([await said.promise, stream.errored], ["bye", null]);
});

Deno.test("asDuplex() writes no more at once than a frame may hold", async () => {
  const { stream, channel } = embedded();
  stream.cork();
  for (let i = 0; i < 10; i++) stream.write(pattern(100_000, i));
  stream.uncork();
  await until(() => stream.writableLength === 0);
  const parts = channel.drainOutbound() as Uint8Array[];
  assert(parts.every(({ length }) => length <= 65_536));
  assertEquals(concat(parts), concat(Array.from({ length: 10 }, (_, i) => pattern(100_000, i))));
  stream.destroy();
});

Deno.test("asDuplex() lets its channel read until it is told of a link, and while that is closed", async () => {
  let hasAgreed = false;
  let isClosing: ChannelPromise | undefined;
  /** Shows the link once the peer has agreed, and closes once it has agreed to that. */
  const careful: ChannelHandler = {
    channelActive() {},
    channelRead(context, message) {
      if (isClosing !== undefined && (message as Uint8Array)[0] === 2) context.close(isClosing);
      else if (hasAgreed) context.fireChannelRead(message);
      else context.fireChannelActive();
      hasAgreed = true;
    },
    close: (context, promise) => {
      if (isClosing !== undefined) return context.close(promise);
      isClosing = promise;
      context.writeAndFlush(new Uint8Array([2]));
    },
  };
  const transport = memory();
  await using server = await new ServerBootstrap({
    transport,
    pipeline: (p) =>
      p.addLast({
        channelActive: (context) => context.writeAndFlush(new Uint8Array([1])),
        channelRead(context) {
          context.writeAndFlush(new Uint8Array(5_000));
          context.writeAndFlush(new Uint8Array([2]));
        },
      }),
  }).listen("memory://careful");
  const channel = new Channel({ transport, pipeline: (p) => p.addLast(careful) });
  const stream = asDuplex(channel, { readableHighWaterMark: 1_000 });
  channel.connect(server.address);
  await once(stream, "connect");
  void channel.close();
  await channel.closed;
  stream.resume();
  await closed(stream);
});

Deno.test("asDuplex() closes the channel when all that was written has left", async () => {
  const { channel, stream, events, sent, errors, virtual } = embedded();
  stream.resume();
  stream.write("last ");
  stream.end("words");
  await closed(stream);
  assertEquals([sent(), events, errors], ["last words", ["finish", "end", "close"], []]);
  assertEquals([channel.state, virtual.pendingTimers], ["closed", 0]);
});

Deno.test("asDuplex() ends where the peer does, after what it had sent", async () => {
  const { channel, stream, events, errors } = embedded();
  channel.writeInbound(new TextEncoder().encode("bye"));
  channel.loseLink("remoteClosed");
  assertEquals(await stream.toArray(), [Buffer.from("bye")]);
  await turn();
  assertEquals([events, errors, channel.state], [["end", "finish", "close"], [], "closed"]);
});

Deno.test("asDuplex() is destroyed with the reason when the link is lost", async () => {
  const { channel, stream, errors } = embedded();
  channel.loseLink("unanswered");
  await closed(stream);
  const [error] = errors;
  assertInstanceOf(error, LinkDownError);
  assertEquals([error.message, error.reason], ["Cannot read: the link is down (unanswered)", "unanswered"]);
});

Deno.test("asDuplex() is destroyed with what the peer complained of before it ended the link", async () => {
  const complaint = new PeerError("The server says: no", { protocol: "nats", reason: "no" });
  const { channel, stream, errors } = embedded();
  channel.pipeline.fireExceptionCaught(complaint);
  channel.loseLink("remoteClosed");
  await closed(stream);
  assertStrictEquals(errors[0], complaint);
});

Deno.test("asDuplex() is destroyed where no link comes about", async () => {
  const stream = connectDuplex("memory://nobody", { transport: memory() });
  stream.write("into the void");
  const [error] = await once(stream, "error");
  assertInstanceOf(error, ConnectError);
});

Deno.test("asDuplex() refuses text, with the peer's words, and what is no bytes", async () => {
  for (
    const [message, wanted, words] of [
      ["go away", PeerError, 'Cannot read: the peer sent text where bytes are due: "go away"'],
      [{}, TypeError, "Cannot read: got Object where bytes are due; is there a codec in the pipeline?"],
    ] as const
  ) {
    const { channel, stream, errors } = embedded();
    channel.writeInbound(message);
    await closed(stream);
    assertInstanceOf(errors[0], wanted);
    assertEquals([(errors[0] as Error).message, channel.state], [words, "closed"]);
  }
});

Deno.test("asDuplex() is destroyed with what an encoder throws", async () => {
  const failure = new RangeError("too long");
  const { channel, stream, errors } = embedded({
    handlers: [{
      write() {
        throw failure;
      },
    }],
  });
  stream.write("x");
  await closed(stream);
  assertStrictEquals(errors[0], failure);
  assertEquals(channel.state, "closed");
});

Deno.test("asDuplex() drops the link at once when it is destroyed", async () => {
  const transport = memory();
  const end = Promise.withResolvers<unknown>();
  await using server = await new ServerBootstrap({
    transport,
    pipeline: (p) =>
      p.addLast({
        userEventTriggered: (_context, event) =>
          (event as { type: string }).type === "linkDown" && end.resolve(event),
      }),
  }).listen("memory://reset");
  const channel = await new Bootstrap({ transport }).connect(server.address);
  const stream = asDuplex(channel);
  const failure = new Error("enough");
  stream.destroy(failure);
  const [error] = await once(stream, "error");
  assertStrictEquals(error, failure);
  assertEquals([channel.state, await end.promise], ["closed", { type: "linkDown", reason: "reset" }]);
});

Deno.test("asDuplex() outlives its links where a session below does", async () => {
  const { channel, stream, events, errors, sent } = embedded({ acrossLinks: true });
  channel.autoClose = false;
  stream.write("one ");
  channel.loseLink();
  stream.write("two ");
  await turn();
  channel.reopen();
  await turn();
  channel.writeInbound(new TextEncoder().encode("back"));
  const [chunk] = await once(stream, "data");
  assertEquals([sent(), String(chunk), errors], ["one two ", "back", []]);
  void channel.close();
  await closed(stream);
  assertEquals(events, ["end", "finish", "close"]);
});

Deno.test("asDuplex() leaves no channel behind that a handler would reconnect for nobody", async () => {
  const { channel, stream } = embedded();
  channel.autoClose = false;
  channel.loseLink();
  await closed(stream);
  assertEquals(channel.state, "closed");
});

/** Not by `once` of node:events, which fails with the first error. */
function closed(stream: Duplex): Promise<void> {
  return new Promise((resolve) => stream.on("close", resolve));
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn();
}

/** Streams tell on the next turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
