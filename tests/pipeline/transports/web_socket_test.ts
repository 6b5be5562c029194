import { WebSocket as NodeWebSocket, WebSocketServer } from "ws";
import { assertEquals, assertMatch, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  ConnectError,
  ControlFrame,
  type Link,
  type PeerError,
  SystemEventLoop,
  VirtualEventLoop,
} from "../../../pipeline/mod.ts";
import {
  webSocket,
  type WebSocketLike,
  type WebSocketLink,
  type WebSocketOptions,
} from "../../../pipeline/transports/web_socket.ts";
import { LinkRecorder } from "./_link_recorder.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "./_test_certificate.ts";
import { transportSuite } from "./_transport_suite.ts";

const loop = new SystemEventLoop();
const badAddresses = [
  ["127.0.0.1:80", /^Cannot parse the address "127\.0\.0\.1:80": it is no URL/],
  ["http://127.0.0.1:80", /: it must begin with ws:\/\/ or wss:\/\/$/],
  ["tcp://127.0.0.1:80", /must begin with/],
  ["ws://", /no URL/],
  ["ws://h:65536", /no URL/],
  ["http://name:secret@h", /"http:\/\/h"/],
  ["ws://h:65536/p?ticket=1", /"ws:\/\/h:65536\/p"/],
  ["ws://h/p#part", /"ws:\/\/h\/p#part": it must have no fragment/],
  ["", /no URL/],
] as const;
const addresses = {
  listenAddress: "ws://127.0.0.1:0/chat",
  refusedAddress: "ws://127.0.0.1:1/chat",
  loop,
};

/** Whose class and server are the default here. */
const NATIVE = "Bun" in globalThis ? "Bun" : "Deno";
// Deno's class can neither cut a link nor let its peer wait.
const ofDeno = { abortResets: false, tooMuchBytes: undefined };
const ofBun = { abortResets: true, tooMuchBytes: 32 * 1024 * 1024 };

transportSuite(`WebSocket of ${NATIVE}`, () => ({ transport: webSocket(), ...addresses }), {
  ...NATIVE === "Bun" ? ofBun : ofDeno,
  flushesInParts: false,
  closeWaitsForPeer: false,
  halfCloses: false,
  tellsPause: true,
  badAddresses,
});

transportSuite("WebSocket of ws", () => ({
  transport: webSocket({ webSocket: NodeWebSocket, server: WebSocketServer }),
  ...addresses,
}), {
  abortResets: true,
  tooMuchBytes: 32 * 1024 * 1024,
  flushesInParts: false,
  closeWaitsForPeer: true,
  halfCloses: false,
  tellsPause: true,
  badAddresses,
});

const { signal } = new AbortController();
const unwanted = (error: Error) => {
  throw error;
};

/** A WebSocket that does what a test says. */
class FakeWebSocket implements WebSocketLike {
  static last: FakeWebSocket;
  binaryType = "blob";
  readyState = 0;
  bufferedAmount = 0;
  onopen: ((event: unknown) => unknown) | null = null;
  onmessage: ((event: unknown) => unknown) | null = null;
  onerror: ((event: unknown) => unknown) | null = null;
  onclose: ((event: unknown) => unknown) | null = null;
  readonly closes: (number | undefined)[] = [];

  constructor(readonly url: string, readonly protocols?: string[]) {
    FakeWebSocket.last = this;
  }

  send(data: Uint8Array): void {
    this.bufferedAmount += data.length;
  }

  close(code?: number): void {
    this.closes.push(code);
  }
}

/** A link over a fake socket, on virtual time. */
async function fakeLink(options: WebSocketOptions = {}) {
  const virtual = new VirtualEventLoop();
  const transport = webSocket({ webSocket: FakeWebSocket, ...options });
  const connecting = transport.connect({ address: "ws://h/p?ticket=1" }, { loop: virtual, signal });
  const socket = FakeWebSocket.last;
  socket.readyState = 1;
  socket.onopen!({});
  return { virtual, socket, recorder: new LinkRecorder(await connecting) };
}

Deno.test("webSocket() tells what a close code means", async () => {
  for (
    const [code, reason, expected, message] of [
      [1000, "", "remoteClosed", undefined],
      [1001, "going away", "remoteClosed", undefined],
      [1005, "", "remoteClosed", undefined],
      [1002, "", "remoteClosed", "The peer closed with code 1002"],
      [1008, "too fast", "remoteClosed", "The peer closed with code 1008: too fast"],
      [4001, "log in", "remoteClosed", "The peer closed with code 4001: log in"],
      [1006, "", "reset", undefined],
      [0, "", "reset", undefined],
    ] as const
  ) {
    const { socket, recorder } = await fakeLink();
    socket.onclose!({ code, reason });
    assertEquals([recorder.closed?.reason, recorder.closed?.error?.message], [expected, message]);
    assertEquals([socket.onmessage, socket.onclose], [null, null]);
  }
});

Deno.test("webSocket() gives the error that came before the end", async () => {
  const { socket, recorder } = await fakeLink();
  const error = new Error("unexpected end of file");
  socket.onerror!({ error });
  socket.onclose!({ code: 1006, reason: "" });
  assertStrictEquals(recorder.closed?.error, error);
});

Deno.test("webSocket() reports as flushed what bufferedAmount no longer holds, and looks only while it holds", async () => {
  const { virtual, socket, recorder } = await fakeLink();
  recorder.send(new Uint8Array(60), new Uint8Array(40));
  virtual.advanceBy(0);
  assertEquals(recorder.flushes, []);
  socket.bufferedAmount = 30;
  virtual.advanceBy(1);
  socket.bufferedAmount = 0;
  virtual.advanceBy(50);
  assertEquals(recorder.flushes, [70, 30]);
  assertEquals(virtual.pendingTimers, 0);
});

Deno.test("webSocket() ends a link whose peer sends more than may be queued", async () => {
  const { socket, recorder } = await fakeLink({ maxQueuedBytes: 100 });
  socket.onmessage!({ data: new ArrayBuffer(101) });
  assertEquals(recorder.receivedBytes, 101); // it was asked for
  const { socket: second, recorder: lazy } = await fakeLinkWithoutReads();
  second.onmessage!({ data: new ArrayBuffer(100) });
  assertEquals([lazy.closed, lazy.messages], [undefined, []]);
  second.onmessage!({ data: "x" });
  assertEquals(lazy.closed?.reason, "error");
  assertMatch(lazy.closed!.error!.message, /101 bytes wait to be read, maxQueuedBytes is 100$/);
});

async function fakeLinkWithoutReads() {
  const transport = webSocket({ webSocket: FakeWebSocket, maxQueuedBytes: 100 });
  const connecting = transport.connect({ address: "ws://h" }, { loop, signal });
  const socket = FakeWebSocket.last;
  socket.onopen!({});
  return { socket, recorder: new LinkRecorder(await connecting, { autoRead: false }) };
}

Deno.test("webSocket() gives up a closing handshake after 2 s", async () => {
  const { virtual, socket, recorder } = await fakeLink();
  recorder.close();
  assertEquals(socket.closes, [1000]);
  virtual.advanceBy(1999);
  assertEquals(recorder.closed, undefined);
  virtual.advanceBy(1);
  assertEquals(recorder.closed?.reason, "closed");
  assertEquals(virtual.pendingTimers, 0);
});

Deno.test("webSocket() keeps tickets and passwords out of its errors", async () => {
  const transport = webSocket({ webSocket: FakeWebSocket });
  const connecting = transport.connect({ address: "ws://name:secret@h/p?ticket=1" }, { loop, signal });
  FakeWebSocket.last.onerror!({ message: "refused" });
  const error = await assertRejects(async () => await connecting, ConnectError);
  assertEquals([error.address, error.message], ["ws://h/p", "Cannot connect to ws://h/p: refused"]);
});

Deno.test("webSocket() refuses headers where the class cannot send them", () => {
  const remote = { address: "ws://h", credentials: { headers: { authorization: "x" } } };
  assertThrows(
    () => webSocket({ webSocket: FakeWebSocket }).connect(remote, { loop, signal }),
    TypeError,
    "Cannot connect to ws://h: this WebSocket class cannot send headers",
  );
});

Deno.test("webSocket() says what to do where there is no WebSocket class", () => {
  const own = globalThis.WebSocket;
  try {
    Object.assign(globalThis, { WebSocket: undefined });
    assertThrows(
      () => webSocket().connect({ address: "ws://h" }, { loop, signal }),
      TypeError,
      "this runtime has no global WebSocket: pass one, such as the npm package ws: webSocket({ webSocket: WS })",
    );
  } finally {
    Object.assign(globalThis, { WebSocket: own });
  }
});

Deno.test("webSocket() refuses a limit that makes no sense", () => {
  for (const maxQueuedBytes of [0, -1, NaN]) {
    assertThrows(() => webSocket({ maxQueuedBytes }), RangeError, `not ${maxQueuedBytes}`);
  }
});

for (const [name, options] of [[NATIVE, {}], ["ws", { webSocket: NodeWebSocket }]] as const) {
  Deno.test(`webSocket() sends protocols and headers with the class of ${name}`, async () => {
    const seen: unknown[] = [];
    const server: WebSocketServer = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    // deno-lint-ignore no-explicit-any
    server.on("connection", (socket: any, request: { headers: Record<string, string> }) => {
      seen.push(request.headers["x-token"], socket.protocol);
      socket.close(1000);
    });
    await new Promise((resolve) => server.on("listening", resolve));
    const credentials = { protocols: ["chat.v2", "chat.v1"], headers: { "x-token": "abc" }, other: 1 };
    const remote = { address: `ws://127.0.0.1:${(server.address() as { port: number }).port}`, credentials };
    const client = new LinkRecorder(await webSocket(options).connect(remote, { loop, signal }));
    assertEquals(await client.end(), "remoteClosed");
    assertEquals(seen, ["abc", "chat.v2"]);
    await new Promise((resolve) => server.close(resolve));
  });

  Deno.test(`webSocket() in ${NATIVE} chooses the first protocol that the class of ${name} offers`, async () => {
    const onLink = (link: Link) => void new LinkRecorder(link);
    const listener = await webSocket().listen!("ws://127.0.0.1:0", { loop, onLink, onError: unwanted });
    const remote = { address: listener.address, credentials: { protocols: ["chat.v2", "chat.v1"] } };
    const client = new LinkRecorder(await webSocket(options).connect(remote, { loop, signal }));
    client.close();
    assertEquals(await client.end(), "closed");
    await listener.close();
  });
}

for (const [name, options] of [[NATIVE, {}], ["ws", { server: WebSocketServer }]] as const) {
  Deno.test(`webSocket() with the server of ${name} answers what is no WebSocket handshake`, async () => {
    const listenOptions = { loop, onLink() {}, onError: unwanted };
    const listener = await webSocket(options).listen!("ws://127.0.0.1:0/chat", listenOptions);
    const response = await fetch(listener.address.replace("ws:", "http:"));
    await response.body?.cancel();
    assertEquals(response.status, 426);
    const elsewhere = { address: listener.address.replace("/chat", "/other") };
    await assertRejects(async () => await webSocket().connect(elsewhere, { loop, signal }), ConnectError);
    await listener.close();
  });

  Deno.test(`webSocket() with the server of ${name} says that an address is in use`, async () => {
    const listenOptions = { loop, onLink() {}, onError: unwanted };
    const listener = await webSocket(options).listen!("ws://127.0.0.1:0", listenOptions);
    const error = await assertRejects(
      () => webSocket(options).listen!(listener.address, listenOptions),
      Error,
    );
    assertEquals(error.message, `Cannot listen on ${listener.address}: the address is in use`);
    await listener.close();
  });
}

Deno.test(`webSocket() listens on wss:// in ${NATIVE}, and only there`, async () => {
  const tls = { cert: TEST_CERTIFICATE, key: TEST_KEY };
  const links: LinkRecorder[] = [];
  const listenOptions = {
    loop,
    onLink: (link: Link) => void links.push(new LinkRecorder(link)),
    onError: unwanted,
  };
  const listener = await webSocket({ tls }).listen!("wss://127.0.0.1:0", listenOptions);
  const client = new NodeWebSocket(listener.address, { ca: TEST_CERTIFICATE });
  client.on("open", () => client.close(1000));
  await new Promise((resolve) => client.on("close", resolve));
  assertEquals(await links[0]!.end(), "remoteClosed");
  await listener.close();
  assertThrows(
    () => webSocket().listen!("wss://127.0.0.1:0", listenOptions),
    TypeError,
    "tls.cert and tls.key",
  );
  assertThrows(
    () => webSocket({ server: WebSocketServer, tls }).listen!("wss://127.0.0.1:0", listenOptions),
    TypeError,
    "wss:// needs Deno.serve or Bun.serve",
  );
});

Deno.test("webSocket() gives the peer's code and reason as a PeerError", async () => {
  const { socket, recorder } = await fakeLink();
  socket.onclose!({ code: 4001, reason: "log in", wasClean: true });
  const error = recorder.closed?.error as PeerError;
  assertEquals([error.name, error.protocol, error.code, error.reason], [
    "PeerError",
    "websocket",
    4001,
    "log in",
  ]);
});

Deno.test("WebSocketLink.end tells how it ended, in the standard's words", async () => {
  for (
    const [event, expected] of [
      [{ code: 1000, reason: "bye", wasClean: true }, { code: 1000, reason: "bye", wasClean: true }],
      [{ code: 1005, reason: "" }, { code: 1005, reason: "", wasClean: true }],
      [{ code: 1006, reason: "" }, { code: 1006, reason: "", wasClean: false }],
      [{ code: 0, reason: "", wasClean: false }, { code: 1006, reason: "", wasClean: false }],
    ] as const
  ) {
    const { socket, recorder } = await fakeLink();
    const link = recorder.link as WebSocketLink;
    assertEquals([link.end, link.protocol, link.extensions], [undefined, "", ""]);
    socket.onclose!(event);
    assertEquals(link.end, expected);
  }
});

Deno.test("WebSocketLink.closeWith() closes with a code and a reason, or with none", async () => {
  for (
    const [args, expected] of [
      [[], []],
      [[undefined, "no code, no reason"], []],
      [[3000], [3000]],
      [[3000, ""], [3000]],
      [[4001, "bye"], [4001, "bye"]],
    ] as const
  ) {
    const { socket, recorder } = await fakeLink();
    let given: unknown[] = [];
    socket.close = (...args) => void (given = args);
    (recorder.link as WebSocketLink).closeWith(...args as unknown as [number?, string?]);
    recorder.close(); // changes nothing
    assertEquals(given, [...expected]);
    socket.onclose!({ code: 1000, reason: "" });
    assertEquals(recorder.closed?.reason, "closed");
  }
});

Deno.test("webSocket() tells the subprotocol that was chosen, and hands options to a class that takes them", async () => {
  const server: WebSocketServer = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await new Promise((resolve) => server.on("listening", resolve));
  const credentials = { protocols: ["chat.v2"], options: { origin: "http://a.example" } };
  const origin = new Promise((resolve) =>
    server.on(
      "connection",
      (_: unknown, request: { headers: { origin: string } }) => resolve(request.headers.origin),
    )
  );
  const remote = { address: `ws://127.0.0.1:${(server.address() as { port: number }).port}`, credentials };
  const link = await webSocket({ webSocket: NodeWebSocket }).connect(remote, { loop, signal });
  assertEquals([link.protocol, await origin], ["chat.v2", "http://a.example"]);
  link.abort();
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("webSocket() carries control frames where the class can, each pong for its ping", async () => {
  const server: WebSocketServer = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  // deno-lint-ignore no-explicit-any
  server.on("connection", (socket: any) => {
    socket.pong("nobody asked for this");
    socket.on("message", () => socket.send("message"));
  });
  await new Promise((resolve) => server.on("listening", resolve));
  const remote = { address: `ws://127.0.0.1:${(server.address() as { port: number }).port}` };
  const link = await webSocket({ webSocket: NodeWebSocket }).connect(remote, { loop, signal });
  const client = new LinkRecorder(link);
  client.send("hello");
  await client.until(() => client.messages.length === 1);
  client.send(new ControlFrame("ping", Uint8Array.of(1, 2)), new ControlFrame("ping", Uint8Array.of(3)));
  await client.until(() => client.messages.length === 3);
  const [, first, second] = client.messages as ControlFrame[];
  assertEquals([first!.kind, ...first!], ["pong", 1, 2]);
  assertEquals([second!.kind, ...second!], ["pong", 3]);
  await client.until(() => client.flushedBytes === 8);
  client.abort();
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("webSocket() refuses control frames where the class cannot send them", async () => {
  const { recorder, socket } = await fakeLink();
  assertThrows(
    () => recorder.link.write(new ControlFrame("ping", Uint8Array.of(1))),
    TypeError,
    "this WebSocket class cannot send control frames",
  );
  socket.onclose!({ code: 1000, reason: "" });
});
