import { WebSocket as NodeWebSocket } from "ws";
import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { KeepAliveWebSocket, type KeepAliveWebSocketOptions } from "../../adapters/keep_alive_web_socket.ts";
import {
  answerKeepAlive,
  DecodeError,
  engineIoFormat,
  fixedInterval,
  mqttFormat,
  rawFormat,
  SessionHandler,
  SessionRegistry,
} from "../../handlers/mod.ts";
import { type ChannelHandler, ConnectError, ServerBootstrap, VirtualEventLoop } from "../../pipeline/mod.ts";
import { webSocket } from "../../pipeline/transports/web_socket.ts";
import { EchoServer } from "./_echo_server.ts";
import { STANDARD, webSocketSuite } from "./_web_socket_suite.ts";

webSocketSuite("WebSocket of Deno", globalThis.WebSocket, {
  ...STANDARD,
  abnormalCode: false,
  countsWhenClosed: false,
  handlerOrder: false,
  origins: false,
  silentWhenClosing: false,
});
webSocketSuite("WebSocket of ws", NodeWebSocket as unknown as typeof WebSocket, {
  ...STANDARD,
  argumentErrors: false,
  blobs: false,
  sendsBlobs: false,
  eventClasses: false,
  listenerOptions: false,
  scalarValues: false,
  handlerOrder: false,
  httpUrls: false,
  silentWhenClosing: false,
});
webSocketSuite("KeepAliveWebSocket", KeepAliveWebSocket);
webSocketSuite("KeepAliveWebSocket over ws", KeepAliveWebSocket.with({ webSocket: NodeWebSocket }));

/** A WebSocket of the platform that does what a test says. */
class FakeWebSocket {
  static last: FakeWebSocket;
  binaryType = "blob";
  readyState = 0;
  bufferedAmount = 0;
  protocol = "";
  extensions = "";
  onopen: ((event: unknown) => unknown) | null = null;
  onmessage: ((event: unknown) => unknown) | null = null;
  onerror: ((event: unknown) => unknown) | null = null;
  onclose: ((event: unknown) => unknown) | null = null;
  readonly sent: unknown[] = [];
  readonly closes: unknown[][] = [];

  constructor(readonly url: string, readonly protocols?: string[]) {
    FakeWebSocket.last = this;
  }

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(...args: unknown[]): void {
    this.closes.push(args);
  }
}

/** A socket over a fake one, on virtual time. */
async function fake(options: KeepAliveWebSocketOptions = {}) {
  const loop = new VirtualEventLoop();
  const FakeKeepAliveWebSocket = KeepAliveWebSocket.with({ webSocket: FakeWebSocket, loop, ...options });
  const socket = new FakeKeepAliveWebSocket("ws://h/chat");
  const below = FakeWebSocket.last;
  const events: Event[] = [];
  for (const type of ["open", "message", "error", "close"]) {
    socket.addEventListener(type, (event) => events.push(event));
  }
  const take = (): Event[] => events.splice(0);
  below.readyState = 1;
  below.onopen!({});
  await loop.runMicrotasks();
  return { loop, socket, below, take };
}

const ECHO = rawFormat({ ping: "?", pong: "!" });

Deno.test("KeepAliveWebSocket beats in the client's own protocol, and the client sees nothing of it", async () => {
  const { loop, socket, below, take } = await fake({ format: ECHO, strategy: fixedInterval(30_000) });
  assertEquals(take().map(({ type }) => type), ["open"]);
  socket.send("hello");
  loop.advanceBy(100);
  below.onmessage!({ data: "!" });
  below.onmessage!({ data: "hi" });
  assertEquals(take().map((event) => (event as MessageEvent).data), ["hi"]);
  assertEquals(below.sent, ["?", "hello"]);
  loop.advanceBy(30_000);
  assertEquals(below.sent, ["?", "hello", "?"]);
  void socket.channel.close();
});

Deno.test("KeepAliveWebSocket closes within seconds when nobody answers", async () => {
  const { loop, socket, below, take } = await fake({ format: ECHO, strategy: fixedInterval(30_000) });
  loop.advanceBy(100);
  below.onmessage!({ data: "!" });
  take();
  loop.advanceBy(30_000 + 9_000);
  const [error, close] = take() as [ErrorEvent, CloseEvent];
  assertEquals([error.type, error.message], ["error", "Cannot go on: the link is down (unanswered)"]);
  assertEquals([close.code, close.reason, close.wasClean, socket.readyState], [1006, "unanswered", false, 3]);
  assertEquals([below.closes.length, loop.pendingTimers], [1, 0]);
});

Deno.test("KeepAliveWebSocket without a format notices what can be noticed", async () => {
  const changed = await fake();
  changed.take();
  changed.socket.channel.pipeline.fireUserEventTriggered({ type: "network", state: "changed" });
  changed.loop.advanceBy(3_000);
  const [, close] = changed.take() as CloseEvent[];
  assertEquals([close!.code, close!.reason], [1006, "networkChanged"]);

  const silent = await fake({ longestSilenceMs: 20_000 });
  silent.take();
  silent.loop.advanceBy(20_000);
  assertEquals((silent.take()[1] as CloseEvent).reason, "unanswered");

  const engineIo = await fake({ format: engineIoFormat() });
  engineIo.below.onmessage!({ data: '0{"pingInterval":25000,"pingTimeout":20000}' });
  engineIo.take();
  engineIo.loop.advanceBy(30_000);
  assertEquals((engineIo.take()[1] as CloseEvent).reason, "unanswered");
});

Deno.test("KeepAliveWebSocket gives a handshake that takes too long up", () => {
  const loop = new VirtualEventLoop();
  const SlowWebSocket = KeepAliveWebSocket.with({ webSocket: FakeWebSocket, loop, connectTimeoutMs: 5_000 });
  const socket = new SlowWebSocket("ws://h/chat");
  const events: Event[] = [];
  socket.onerror = socket.onclose = (event: Event) => events.push(event);
  loop.advanceBy(5_001);
  const [error, close] = events as [ErrorEvent, CloseEvent];
  assertInstanceOf(error.error, ConnectError);
  assertEquals([close.code, close.wasClean, socket.readyState], [1006, false, 3]);
  assertEquals(FakeWebSocket.last.closes.length, 1);
});

Deno.test("KeepAliveWebSocket closes with the peer's words where it sends text in place of bytes", async () => {
  const { socket, below, take } = await fake({ format: mqttFormat() });
  take();
  below.onmessage!({ data: "error: not from here" });
  const [error, close] = take() as [ErrorEvent, CloseEvent];
  assertInstanceOf(error.error, DecodeError);
  assertStringIncludes(close.reason, 'text where bytes are due: "error: not from here"');
  assertEquals([close.code, socket.readyState], [1006, 3]);
});

Deno.test("KeepAliveWebSocket says no more than the platform where the platform closes", async () => {
  const { socket, below, take } = await fake();
  take();
  below.onclose!({ code: 1008, reason: "too fast", wasClean: true });
  const events = take();
  assertEquals(events.map(({ type }) => type), ["close"]);
  const { code, reason, wasClean } = events[0] as CloseEvent;
  assertEquals([code, reason, wasClean, socket.readyState], [1008, "too fast", true, 3]);
});

Deno.test("KeepAliveWebSocket does not wait for ever to send what it has before it closes", async () => {
  const { loop, socket, below, take } = await fake();
  take();
  socket.send("four");
  below.bufferedAmount = 4;
  socket.close(3000, "bye");
  loop.advanceBy(9_999);
  assertEquals([below.closes, socket.bufferedAmount], [[], 4]);
  loop.advanceBy(1);
  assertEquals(below.closes, [[3000, "bye"]]);
  loop.advanceBy(2_000);
  const events = take();
  assertEquals(events.map(({ type }) => type), ["close"]);
  assertEquals([(events[0] as CloseEvent).code, socket.bufferedAmount, loop.pendingTimers], [1006, 4, 0]);
});

Deno.test("KeepAliveWebSocket.with() goes on from the class that it is called on", () => {
  const First = KeepAliveWebSocket.with({ webSocket: FakeWebSocket, format: ECHO });
  const Second = First.with({ strategy: fixedInterval(1_000) });
  assertEquals(Second.options.format, ECHO);
  assert(Second.prototype instanceof First);
  assertEquals([Second.CONNECTING, Second.OPEN, Second.CLOSING, Second.CLOSED], [0, 1, 2, 3]);
});

Deno.test("KeepAliveWebSocket hands headers on to classes that can send them", async () => {
  const server = await EchoServer.start();
  for (const webSocket of [undefined, NodeWebSocket]) {
    const WithHeaders = webSocket === undefined ? KeepAliveWebSocket : KeepAliveWebSocket.with({ webSocket });
    const socket = new WithHeaders(server.url, ["chat"], { headers: { "x-token": "abc" } });
    await new Promise((resolve) => socket.onopen = resolve);
    assertEquals([server.seen.at(-1)!.headers["x-token"], socket.protocol], ["abc", "chat"]);
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
  }
  await server.stop();
});

Deno.test("KeepAliveWebSocket asks with control frames where the class can send them", async () => {
  const server = await EchoServer.start();
  const PingingWebSocket = KeepAliveWebSocket.with({
    webSocket: NodeWebSocket,
    strategy: fixedInterval(20),
    minAnswerMs: 20,
    maxUnanswered: 2,
  });
  const socket = new PingingWebSocket(server.url);
  const beats = new Promise<void>((resolve) => {
    let answered = 0;
    socket.channel.pipeline.addLast({
      userEventTriggered: (_context, event) => {
        if ((event as { outcome?: string }).outcome === "answered" && ++answered === 3) resolve();
      },
    });
  });
  await beats;
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  socket.send("!silence");
  assertEquals((await closed).reason, "unanswered");
  await server.stop();
});

/** A server of this library that echoes, and its sessions. */
async function longlinkServer(sessions?: SessionRegistry) {
  const echo: ChannelHandler = {
    isSharable: true,
    channelRead: (context, message) => context.writeAndFlush(message),
  };
  return await new ServerBootstrap({
    transport: webSocket(),
    pipeline: (pipeline) => pipeline.addLast(...answerKeepAlive({ sessions }), echo),
  }).listen("ws://127.0.0.1:0");
}

Deno.test("KeepAliveWebSocket has the whole keep-alive with a server of this library", async () => {
  await using server = await longlinkServer();
  const events: string[] = [];
  const LongWebSocket = KeepAliveWebSocket.with({
    longlink: true,
    pipeline: (pipeline) =>
      pipeline.addLast({
        userEventTriggered: (context, event) => {
          events.push((event as { type: string }).type);
          context.fireUserEventTriggered(event);
        },
      }),
  });
  const socket = new LongWebSocket(server.address);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve) => socket.onopen = resolve);
  const echoes: unknown[] = [];
  const done = new Promise<void>((resolve) => {
    socket.onmessage = ({ data }) => echoes.push(data) === 2 && resolve();
  });
  socket.send("text");
  socket.send(Uint8Array.of(1, 2, 3));
  await done;
  assertEquals(echoes, ["text", Uint8Array.of(1, 2, 3).buffer]);
  while (!events.includes("coverage")) await new Promise((resolve) => setTimeout(resolve, 1));
  assert(events.includes("linkValid"));
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  socket.close();
  assertEquals((await closed).wasClean, true);
});

Deno.test("KeepAliveWebSocket outlives its links with a session", async () => {
  await using server = await longlinkServer(new SessionRegistry());
  const LastingWebSocket = KeepAliveWebSocket.with({
    longlink: () => ({ session: new SessionHandler(), reconnect: { firstMs: 0 } }),
  });
  const socket = new LastingWebSocket(server.address);
  await new Promise((resolve) => socket.onopen = resolve);
  const echo = async (text: string) => {
    const answer = new Promise<string>((resolve) => socket.onmessage = ({ data }) => resolve(data));
    socket.send(text);
    return await answer;
  };
  assertEquals(await echo("one"), "one");
  socket.channel.drop("networkChanged");
  assertEquals([await echo("two"), socket.readyState], ["two", 1]);
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
});
