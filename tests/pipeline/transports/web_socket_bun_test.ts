import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import {
  ControlFrame,
  type EventLoop,
  type Link,
  SystemEventLoop,
  VirtualEventLoop,
} from "../../../pipeline/mod.ts";
import type { BunSocket, ServerSocket } from "../../../pipeline/transports/_bun_socket.ts";
import {
  type BunServeOptions,
  type BunServer,
  listenInBun,
} from "../../../pipeline/transports/_web_socket_bun.ts";
import { webSocket, type WebSocketLink } from "../../../pipeline/transports/web_socket.ts";
import { LinkRecorder, pattern, steady } from "./_link_recorder.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "./_test_certificate.ts";

const unwanted = (error: Error): void => {
  throw error;
};

/** Bun's server without a network. */
class FakeBun implements BunServer {
  readonly hostname = "127.0.0.1";
  readonly port = 7000;
  options!: BunServeOptions;
  /** What came with the handshake that was last accepted. */
  data: BunSocket | undefined = undefined;
  stops = 0;

  serve(options: BunServeOptions): BunServer {
    this.options = options;
    return this;
  }

  requestIP(): { address: string; port: number } {
    return { address: "::1", port: 9 };
  }

  upgrade(request: Request, { data }: { data: BunSocket }): boolean {
    if (!request.headers.has("sec-websocket-key")) return false;
    this.data = data;
    return true;
  }

  stop(): void {
    this.stops++;
  }
}

/** A socket of it; `held` is what it cannot get rid of. */
class FakeSocket implements ServerSocket {
  binaryType = "nodebuffer";
  readyState = 1;
  held = 0;
  takes = Infinity;
  readonly sent: unknown[] = [];
  readonly calls: unknown[][] = [];

  constructor(readonly data: BunSocket, readonly bun: FakeBun) {}

  send(data: Uint8Array | string): number {
    this.sent.push(data);
    const length = data.length + (data.length < 126 ? 2 : data.length < 65_536 ? 4 : 10);
    this.held += Math.max(0, length - this.takes);
    this.takes = Math.max(0, this.takes - length);
    return this.held === 0 ? length : -1;
  }

  ping(data: Uint8Array): number {
    this.calls.push(["ping", ...data]);
    return data.length;
  }

  close(...args: [code?: number, reason?: string]): void {
    this.calls.push(["close", ...args]);
    this.readyState = 3;
    this.bun.options.websocket.close(this, args[0] ?? 1000, args[1] ?? ""); // at once, as Bun does
  }

  terminate(): void {
    this.calls.push(["terminate"]);
  }

  getBufferedAmount(): number {
    return this.held;
  }

  drainTo(held: number): void {
    this.held = held;
    this.bun.options.websocket.drain(this);
  }
}

/** One that can be paused, as in newer versions of Bun. */
class PausableSocket extends FakeSocket {
  pause(): void {
    this.calls.push(["pause"]);
  }

  resume(): void {
    this.calls.push(["resume"]);
  }
}

const handshake = (path: string, headers: Record<string, string> = {}) =>
  new Request(`http://127.0.0.1:7000${path}`, {
    headers: { upgrade: "websocket", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", ...headers },
  });

async function listen(loop: EventLoop, onLink: (link: Link) => void, onError = unwanted) {
  const bun = new FakeBun();
  const url = new URL("ws://127.0.0.1:0/chat");
  const target = { url, tls: undefined, maxQueuedBytes: 100, loop, onLink, onError };
  return { bun, listener: await listenInBun(bun, target) };
}

/** A link of the server, on virtual time. */
async function fakeLink({ autoRead = true, Socket = PausableSocket as typeof FakeSocket } = {}) {
  const virtual = new VirtualEventLoop();
  let recorder!: LinkRecorder;
  const { bun } = await listen(virtual, (link) => recorder = new LinkRecorder(link, { autoRead }));
  const request = handshake("/chat", { "sec-websocket-protocol": "chat.v2, chat.v1" });
  assertEquals(bun.options.fetch(request, bun), undefined);
  const socket = new Socket(bun.data!, bun);
  bun.options.websocket.open(socket);
  return { virtual, bun, socket, recorder, link: recorder.link as WebSocketLink };
}

Deno.test("listenInBun() has Bun send no pings, cut no silent link and drop no message", async () => {
  const { bun, listener } = await listen(new VirtualEventLoop(), () => {});
  const { websocket, development, reusePort } = bun.options;
  assertEquals(
    [websocket.sendPings, websocket.idleTimeout, websocket.perMessageDeflate, websocket.backpressureLimit],
    [false, 0, false, 0],
  );
  assertGreater(websocket.maxPayloadLength, 1_048_576); // what a frame decoder takes by default
  assertEquals([development, reusePort], [false, false]);
  await listener.close();
  await listener.close();
  assertEquals(bun.stops, 1);
});

Deno.test("listenInBun() refuses what is no handshake for it", async () => {
  const errors: Error[] = [];
  const { bun } = await listen(new VirtualEventLoop(), () => {}, (error) => errors.push(error));
  const statusOf = (request: Request) => bun.options.fetch(request, bun)?.status;
  assertEquals(statusOf(new Request("http://127.0.0.1:7000/chat")), 426);
  assertEquals(statusOf(handshake("/other")), 404);
  assertEquals(statusOf(new Request("http://h/chat", { headers: { upgrade: "websocket" } })), 400);
  bun.upgrade = () => {
    throw new Error("no more sockets");
  };
  assertEquals([statusOf(handshake("/chat")), errors.map(({ message }) => message)], [
    400,
    ["Cannot accept a peer on ws://127.0.0.1:7000/chat: no more sockets"],
  ]);
});

Deno.test("listenInBun() makes links that know their ends and their subprotocol", async () => {
  const { link } = await fakeLink();
  assertEquals(
    [link.localAddress, link.remoteAddress, link.protocol],
    ["ws://127.0.0.1:7000/chat", "ws://[::1]:9", "chat.v2"],
  );
});

Deno.test("BunSocket gives bytes as bytes and text as text", async () => {
  const { bun, socket, recorder } = await fakeLink();
  assertEquals(socket.binaryType, "arraybuffer");
  bun.options.websocket.message(socket, new Uint8Array([1, 2]).buffer);
  bun.options.websocket.message(socket, "text");
  assertEquals(recorder.messages, [new Uint8Array([1, 2]), "text"]);
});

Deno.test("BunSocket reports a send once its bytes have left", async () => {
  const { socket, recorder } = await fakeLink();
  recorder.send(new Uint8Array(60), "né");
  assertEquals(recorder.flushes, []);
  await Promise.resolve();
  assertEquals(recorder.flushes, [63]);
  socket.takes = 50;
  recorder.send(new Uint8Array(200)); // 204 on the wire, 154 held
  recorder.send(new Uint8Array(100)); // 102 more
  socket.drainTo(103);
  assertEquals(recorder.flushes, [63]);
  socket.drainTo(102);
  assertEquals(recorder.flushes, [63, 200]);
  recorder.send(new Uint8Array(70_000)); // 70,010 more
  socket.drainTo(70_010);
  assertEquals(recorder.flushes, [63, 200, 100]);
  socket.drainTo(1);
  socket.drainTo(0);
  assertEquals(recorder.flushes, [63, 200, 100, 70_000]);
  socket.takes = 1;
  recorder.send(new Uint8Array(8)); // another backlog, after the first one
  socket.drainTo(1);
  assertEquals(recorder.flushedBytes, 70_363);
  socket.drainTo(0);
  assertEquals(recorder.flushedBytes, 70_371);
});

Deno.test("BunSocket closes once Bun holds nothing, and counts as closed no sooner", async () => {
  const { virtual, socket, recorder } = await fakeLink();
  socket.takes = 0;
  recorder.send(new Uint8Array(10));
  recorder.close();
  socket.drainTo(5);
  await Promise.resolve();
  assertEquals([socket.calls, recorder.closed], [[], undefined]);
  socket.drainTo(0);
  await Promise.resolve();
  assertEquals([socket.calls[0], recorder.closed?.reason, recorder.flushedBytes], [
    ["close", 1000, undefined],
    "closed",
    10,
  ]);
  assertEquals(virtual.pendingTimers, 0);
});

Deno.test("BunSocket is cut after 2 s where the peer takes nothing", async () => {
  const { virtual, socket, recorder } = await fakeLink();
  socket.takes = 0;
  recorder.send(new Uint8Array(10));
  recorder.close();
  virtual.advanceBy(2000);
  assertEquals([socket.calls, recorder.closed?.reason], [[["terminate"]], "closed"]);
});

Deno.test("BunSocket closes with a code and a reason, or with none", async () => {
  for (
    const [args, expected] of [
      [[], [1005, undefined]],
      [[3000], [3000, undefined]],
      [[4001, "bye"], [4001, "bye"]],
    ] as const
  ) {
    const { socket, recorder, link } = await fakeLink();
    link.closeWith(...args as readonly [number?, string?]);
    assertEquals(recorder.closed, undefined); // told later than in the call
    await Promise.resolve();
    assertEquals(socket.calls[0], ["close", ...expected]);
    assertEquals(recorder.closed?.reason, "closed");
  }
});

Deno.test("BunSocket tells why Bun gave up on a peer", async () => {
  const { bun, socket, recorder } = await fakeLink();
  socket.readyState = 3;
  bun.options.websocket.close(socket, 1006, "Received too big message");
  await Promise.resolve();
  assertEquals([recorder.closed?.reason, recorder.closed?.error?.message], [
    "reset",
    "Received too big message",
  ]);
});

Deno.test("BunSocket lets a peer wait that sends more than may be queued", async () => {
  const { virtual, bun, socket, recorder } = await fakeLink({ autoRead: false });
  bun.options.websocket.message(socket, new ArrayBuffer(100));
  assertEquals(socket.calls, []);
  bun.options.websocket.message(socket, new ArrayBuffer(1));
  assertEquals(socket.calls, [["pause"]]);
  recorder.read();
  virtual.advanceBy(0);
  assertEquals([socket.calls, recorder.receivedBytes], [[["pause"], ["resume"]], 101]);
});

Deno.test("BunSocket cannot be paused in an older Bun, and its link ends instead", async () => {
  const { bun, socket, recorder } = await fakeLink({ autoRead: false, Socket: FakeSocket });
  bun.options.websocket.message(socket, new ArrayBuffer(101));
  assertEquals(recorder.closed?.reason, "error");
  assertMatch(recorder.closed!.error!.message, /101 bytes wait to be read, maxQueuedBytes is 100$/);
  assertEquals(socket.calls, [["terminate"]]);
});

Deno.test("BunSocket carries control frames", async () => {
  const { bun, socket, recorder } = await fakeLink();
  bun.options.websocket.pong(socket, new Uint8Array([7]).buffer); // nobody asked for this
  recorder.send(new ControlFrame("ping", Uint8Array.of(1, 2)));
  assertEquals(socket.calls, [["ping", 1, 2]]);
  bun.options.websocket.pong(socket, new Uint8Array([1, 2]).buffer);
  const [pong] = recorder.messages as ControlFrame[];
  assertEquals([recorder.messages.length, pong!.kind, ...pong!], [1, "pong", 1, 2]);
  await Promise.resolve();
  assertEquals(recorder.flushes, [2]);
});

/** With a real Bun. */
function bunTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `webSocket() in Bun ${name}`, ignore: !("Bun" in globalThis), fn });
}

const loop = new SystemEventLoop();

/** A link of the server to a peer that is a plain socket after the handshake. */
async function rawPair({ scheme = "ws", autoRead = true, maxQueuedBytes = 1024 * 1024 } = {}) {
  const accepted = Promise.withResolvers<Link>();
  const tls = { cert: TEST_CERTIFICATE, key: TEST_KEY };
  const listener = await webSocket({ maxQueuedBytes, tls }).listen!(`${scheme}://127.0.0.1:0`, {
    loop,
    onLink: accepted.resolve,
    onError: unwanted,
  });
  const where = { port: Number(new URL(listener.address).port), host: "127.0.0.1" };
  const peer = scheme === "wss" ? connectTls({ ...where, rejectUnauthorized: false }) : connect(where);
  const lines = [
    "GET / HTTP/1.1",
    "Host: 127.0.0.1",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Extensions: permessage-deflate",
  ];
  peer.write(lines.join("\r\n") + "\r\n\r\n");
  const answer = await new Promise<Uint8Array>((resolve) => peer.once("data", resolve));
  assertMatch(new TextDecoder().decode(answer), /^HTTP\/1\.1 101 [^]*\r\n\r\n$/);
  assert(!/extensions/i.test(new TextDecoder().decode(answer)), "nothing is compressed");
  const server = new LinkRecorder(await accepted.promise, { autoRead });
  const dispose = async () => {
    server.abort();
    await server.end();
    peer.destroy();
    await listener.close();
  };
  return { peer, server, dispose };
}

/** What comes in until the other end ends it, bytes. */
async function readAll(peer: Socket): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  peer.on("data", (part) => parts.push(part as Uint8Array));
  await new Promise((resolve) => peer.once("end", resolve));
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A frame of a client, with a mask of zeros. */
function frame(opcode: number, payload: Uint8Array): Uint8Array {
  const isShort = payload.length < 126;
  const start = isShort ? 6 : 14;
  const whole = new Uint8Array(start + payload.length);
  whole.set([0x80 | opcode, 0x80 | (isShort ? payload.length : 127)]);
  if (!isShort) new DataView(whole.buffer).setUint32(6, payload.length);
  whole.set(payload, start);
  return whole;
}

for (const scheme of ["ws", "wss"]) {
  bunTest(`makes a writer wait for a peer that does not read, on ${scheme}://`, async () => {
    const { peer, server, dispose } = await rawPair({ scheme });
    peer.pause();
    const part = pattern(1024 * 1024);
    for (let i = 0; i < 32; i++) server.send(part);
    await steady(loop, () => server.flushedBytes);
    assertLess(server.flushedBytes, 32 * part.length);
    server.close(); // loses nothing of it
    const wire = await readAll(peer.resume());
    assertEquals(await server.end(), "closed");
    assertEquals(server.flushedBytes, 32 * part.length);
    assertGreater(server.flushes.length, 2);
    assertEquals(wire.length, 32 * (10 + part.length) + 4);
    assertEquals([...wire.subarray(-4)], [0x88, 2, 1000 >> 8, 1000 & 255]);
    await dispose();
  });
}

bunTest("makes a peer wait for a reader that does not read", async () => {
  const { peer, server, dispose } = await rawPair({ autoRead: false });
  const part = frame(2, pattern(256 * 1024));
  for (let i = 0; i < 128; i++) peer.write(part);
  await steady(loop, () => peer.bytesWritten - peer.writableLength);
  assertGreater(peer.writableLength, 0);
  server.readAll();
  await server.until(() => server.messages.length === 128);
  assertEquals(server.messages[127], pattern(256 * 1024));
  await dispose();
});

bunTest("sends what is asked of it and nothing else", async () => {
  const { peer, server, dispose } = await rawPair();
  const wire = readAll(peer);
  peer.write(frame(9, Uint8Array.of(5))); // a ping, which is answered
  peer.write(frame(1, new TextEncoder().encode("text")));
  await server.until(() => server.messages.length === 1);
  assertEquals(server.messages, ["text"]);
  server.send("né", Uint8Array.of(1));
  server.close();
  assertEquals([...await wire], [0x8a, 1, 5, 0x81, 3, 110, 195, 169, 0x82, 1, 1, 0x88, 2, 3, 232]);
  await dispose();
});

bunTest("ends a link whose peer sends what is no frame", async () => {
  const { peer, server, dispose } = await rawPair();
  peer.write(new Uint8Array(64).fill(0xff));
  assertEquals(await server.end(), "reset");
  assertMatch(server.closed!.error!.message, /\w/);
  await dispose();
});

bunTest("notices that a peer is gone which was made to wait", async () => {
  const { peer, server, dispose } = await rawPair({ autoRead: false, maxQueuedBytes: 1 });
  peer.write(frame(2, pattern(100)));
  await steady(loop, () => 0);
  peer.destroy();
  await steady(loop, () => 0);
  server.readAll();
  assertEquals(await server.end(), "reset");
  assertEquals(server.receivedBytes, 100);
  await dispose();
});
