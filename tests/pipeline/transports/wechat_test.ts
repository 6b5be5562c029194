import { WebSocketServer } from "ws";
import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { ConnectError, type Link, SystemEventLoop, VirtualEventLoop } from "../../../pipeline/mod.ts";
import { weChat, type WeChatSocketTask } from "../../../pipeline/transports/wechat.ts";
import { webSocket } from "../../../pipeline/transports/web_socket.ts";
import { fakeWx } from "./_fake_wx.ts";
import { LinkRecorder } from "./_link_recorder.ts";
import { transportSuite } from "./_transport_suite.ts";

const loop = new SystemEventLoop();
const { signal } = new AbortController();

transportSuite("WeChat's sockets", () => {
  const client = weChat({ wx: fakeWx() });
  const server = webSocket({ server: WebSocketServer });
  return {
    transport: {
      name: client.name,
      keepsMessages: client.keepsMessages,
      connect: client.connect.bind(client),
      listen: server.listen!.bind(server),
    },
    listenAddress: "ws://127.0.0.1:0/chat",
    refusedAddress: "ws://127.0.0.1:1/chat",
    loop,
  };
}, {
  abortResets: false,
  tooMuchBytes: undefined,
  flushesInParts: false,
  closeWaitsForPeer: false,
  halfCloses: false,
  tellsPause: true,
  badAddresses: [
    ["127.0.0.1:80", /^Cannot parse the address "127\.0\.0\.1:80": it must begin with ws:\/\/ or wss:\/\/$/],
    ["http://127.0.0.1:80", /must begin with/],
    ["ws://", /no URL/],
    ["ws://h:65536", /no URL/],
    ["http://name:secret@h", /"http:\/\/h"/],
    ["ws://h:65536/p?ticket=1", /"ws:\/\/h:65536\/p"/],
    ["ws://h/p#part", /must have no fragment/],
    ["", /must begin with/],
  ],
});

/** A task that does what a test says. */
class ToldTask implements WeChatSocketTask {
  readonly closes: { code?: number; reason?: string }[] = [];
  readonly sends: Parameters<WeChatSocketTask["send"]>[0][] = [];
  open = () => {};
  message: (message: { data: string | ArrayBuffer }) => void = () => {};
  error: (failure: unknown) => void = () => {};
  end: (end: { code?: number; reason?: string }) => void = () => {};

  onOpen = (listener: () => void) => this.open = listener;
  onMessage = (listener: ToldTask["message"]) => this.message = listener;
  onError = (listener: ToldTask["error"]) => this.error = listener;
  onClose = (listener: ToldTask["end"]) => this.end = listener;
  send = (options: Parameters<WeChatSocketTask["send"]>[0]) => this.sends.push(options);
  close = (options: { code?: number; reason?: string }) => this.closes.push(options);
}

async function toldLink() {
  const task = new ToldTask();
  const virtual = new VirtualEventLoop();
  const connecting = weChat({ wx: { connectSocket: () => task } })
    .connect({ address: "wss://h/p?ticket=1" }, { loop: virtual, signal });
  task.open();
  return { task, virtual, recorder: new LinkRecorder(await connecting) };
}

Deno.test("weChat() says what the platform refuses, and what to do about a host that is not entered", async () => {
  const transport = weChat({ wx: fakeWx({ domains: ["chat.example"] }) });
  const connect = (address: string) => async () => await transport.connect({ address }, { loop, signal });
  const error = await assertRejects(connect("wss://name:secret@other.example/p?ticket=1"), ConnectError);
  assertEquals(error.address, "wss://other.example/p");
  assertEquals(
    error.message,
    "Cannot connect to wss://other.example/p: url not in domain list: " +
      "the host has to be entered among the socket domains of the mini-program",
  );
  assertEquals(error.cause, { errMsg: "connectSocket:fail url not in domain list" });
});

Deno.test("weChat() has room for five links, and for another one when one has ended", async () => {
  const wx = fakeWx();
  const transport = weChat({ wx });
  const links: LinkRecorder[] = [];
  const onLink = (link: Link) => void links.push(new LinkRecorder(link));
  const onError = (error: Error) => {
    throw error;
  };
  const listener = await webSocket({ server: WebSocketServer }).listen!("ws://127.0.0.1:0", {
    loop,
    onLink,
    onError,
  });
  const connect = async () =>
    new LinkRecorder(await transport.connect({ address: listener.address }, { loop, signal }));
  const clients = [];
  for (let i = 0; i < 5; i++) clients.push(await connect());
  await assertRejects(connect, ConnectError, "too many sockets");
  clients[0]!.close();
  await clients[0]!.end();
  clients.push(await connect());
  for (const link of [...clients, ...links]) {
    link.close();
    await link.end();
  }
  await listener.close();
});

Deno.test("weChat() fails where no task is made, or the platform throws", async () => {
  for (
    const [connectSocket, message] of [
      [() => undefined, "the platform has opened no socket"],
      [() => {
        throw { errMsg: "connectSocket:fail:createSocket" };
      }, "createSocket"],
    ] as const
  ) {
    const transport = weChat({ wx: { connectSocket: connectSocket as never } });
    const error = await assertRejects(
      async () => await transport.connect({ address: "wss://h/" }, { loop, signal }),
      ConnectError,
    );
    assertEquals(error.message, `Cannot connect to wss://h: ${message}`);
  }
});

Deno.test("weChat() closes a socket that was given up as soon as it opens", async () => {
  const task = new ToldTask();
  const controller = new AbortController();
  const connecting = weChat({ wx: { connectSocket: () => task } })
    .connect({ address: "wss://h" }, { loop, signal: controller.signal });
  controller.abort(new Error("timeout"));
  const error = await assertRejects(async () => await connecting, ConnectError);
  assertEquals((error.cause as Error).message, "timeout");
  assertEquals(task.closes, [{ code: 1000 }]); // of no effect on the platform
  task.open();
  assertEquals(task.closes, [{ code: 1000 }, { code: 1000 }]);
  task.end({ code: 1000, reason: "" });
});

Deno.test("weChat() sends protocols and headers, and nothing else of the credentials", async () => {
  const wx = fakeWx({ domains: [] });
  const credentials = { protocols: "chat.v2", headers: { "x-token": "abc" }, password: "secret" };
  const connect = async (remote: { address: string; credentials?: unknown }) =>
    await weChat({ wx }).connect(remote, { loop, signal });
  await assertRejects(() => connect({ address: "wss://h", credentials }), ConnectError);
  await assertRejects(() => connect({ address: "wss://h" }), ConnectError);
  const [first, second] = wx.asked.map(({ fail: _fail, ...rest }) => rest);
  assertEquals(first, { url: "wss://h", protocols: ["chat.v2"], header: { "x-token": "abc" } });
  assertEquals(second, { url: "wss://h" });
});

Deno.test("weChat() sends the message's bytes and not those next to them", async () => {
  const { task, recorder } = await toldLink();
  recorder.send(new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4), "hé");
  assertEquals(task.sends.map(({ data }) => data), [new Uint8Array([1, 2, 3]).buffer, "hé"]);
});

Deno.test("weChat() reports as flushed what the platform says it has sent", async () => {
  const { task, virtual, recorder } = await toldLink();
  recorder.send(new Uint8Array(60), "hé");
  virtual.advanceBy(10);
  assertEquals(recorder.flushes, []);
  task.sends[0]!.success!();
  virtual.advanceBy(50);
  task.sends[1]!.success!();
  virtual.advanceBy(50);
  assertEquals([recorder.flushes, virtual.pendingTimers], [[60, 3], 0]);
});

Deno.test("weChat() ends the link when a message could not be sent", async () => {
  const { task, virtual, recorder } = await toldLink();
  recorder.send(new Uint8Array(60));
  task.sends[0]!.fail!({ errMsg: "sendSocketMessage:fail WebSocket is not connected" });
  virtual.advanceBy(0);
  assertEquals(recorder.closed?.reason, "reset");
  assertMatch(recorder.closed!.error!.message, /not connected/);
  assertEquals(virtual.pendingTimers, 0);
});

Deno.test("weChat() tells what a close code means, also where the platform gives none", async () => {
  for (
    const [end, reason, message] of [
      [{ code: 1000, reason: "" }, "remoteClosed", undefined],
      [{ code: 4001, reason: "log in" }, "remoteClosed", "The peer closed with code 4001: log in"],
      [{ code: 1006, reason: "abnormal closure" }, "reset", undefined],
      [{}, "reset", undefined],
    ] as const
  ) {
    const { task, recorder } = await toldLink();
    task.end(end);
    assertEquals([recorder.closed?.reason, recorder.closed?.error?.message], [reason, message]);
  }
});

Deno.test("weChat() refuses a limit that makes no sense", () => {
  for (const maxQueuedBytes of [0, -1, NaN]) {
    assertThrows(() => weChat({ wx: fakeWx(), maxQueuedBytes }), RangeError, `not ${maxQueuedBytes}`);
  }
});

Deno.test("weChat() takes addresses without the help of a URL class", async () => {
  for (const address of ["wss://h", "ws://[::1]:80/p", "WSS://chat.example:443/a/b?x=/y", "wss://n:s@h?q"]) {
    const task = new ToldTask();
    const connecting = weChat({ wx: { connectSocket: () => task } }).connect({ address }, { loop, signal });
    task.open();
    new LinkRecorder(await connecting).abort();
  }
  for (const address of ["wss://h p", "wss://h:1x", "wss://:80", "wss://[::1", "wss://h\\x"]) {
    assertThrows(() => weChat({ wx: fakeWx() }).connect({ address }, { loop, signal }), TypeError);
  }
});
