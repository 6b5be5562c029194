/**
 * What a WebSocket class must do, run against the platform's own and ours.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { EchoServer } from "./_echo_server.ts";

/** In what classes may differ from the standard; all true for one that does not. */
export interface Conformance {
  /** Errors of arguments are `DOMException`s with the standard's names. */
  readonly argumentErrors: boolean;
  /** The default of `binaryType` is `blob`. */
  readonly blobs: boolean;
  /** A Blob can be sent, in its turn. */
  readonly sendsBlobs: boolean;
  /** Events are of the global classes. */
  readonly eventClasses: boolean;
  /** Listeners are as those of any `EventTarget`: objects, `once`, `signal`. */
  readonly listenerOptions: boolean;
  /** `close` after a lost connection, or one that never was, has code 1006. */
  readonly abnormalCode: boolean;
  /** What is sent once it is closing counts in `bufferedAmount`. */
  readonly countsWhenClosed: boolean;
  /** A lone surrogate is sent as U+FFFD. */
  readonly scalarValues: boolean;
  /** `close()` while connecting fires `error` and `close` later. */
  readonly closesEarly: boolean;
  /** `on...` properties keep their place among the listeners, and take what is no function for null. */
  readonly handlerOrder: boolean;
  /** `http:` URLs become `ws:` ones. */
  readonly httpUrls: boolean;
  /** A message's `origin` is that of the URL. */
  readonly origins: boolean;
  /** No message is delivered once it is closing. */
  readonly silentWhenClosing: boolean;
}

/** The standard. */
export const STANDARD: Conformance = {
  argumentErrors: true,
  blobs: true,
  sendsBlobs: true,
  eventClasses: true,
  listenerOptions: true,
  abnormalCode: true,
  countsWhenClosed: true,
  scalarValues: true,
  closesEarly: true,
  handlerOrder: true,
  httpUrls: true,
  origins: true,
  silentWhenClosing: true,
};

/** Defines the tests. */
export function webSocketSuite(
  name: string,
  WebSocketClass: typeof WebSocket,
  conformance: Conformance = STANDARD,
): void {
  const test = (behaviour: string, body: (server: EchoServer) => Promise<void>, isMet = true) =>
    Deno.test({
      name: `${name} ${behaviour}`,
      ignore: !isMet,
      async fn() {
        const server = await EchoServer.start();
        try {
          await body(server);
        } finally {
          await server.stop();
        }
      },
    });

  async function open(server: EchoServer, protocols?: string | string[]) {
    const socket = new WebSocketClass(server.url, protocols);
    socket.binaryType = "arraybuffer";
    await once(socket, "open");
    return socket;
  }

  /** Sends all, and gives what comes back for each. */
  async function echo(socket: WebSocket, ...data: unknown[]): Promise<unknown[]> {
    const echoes: unknown[] = [];
    const done = new Promise<void>((resolve) => {
      socket.onmessage = ({ data: echo }) => {
        echoes.push(echo);
        if (echoes.length === data.length) resolve();
      };
    });
    for (const each of data) socket.send(each as string);
    await done;
    return echoes;
  }

  async function close(socket: WebSocket): Promise<void> {
    const closed = once(socket, "close");
    socket.close();
    await closed;
  }

  test("has the states as constants of the class and its instances", async (server) => {
    const socket = await open(server);
    for (const owner of [WebSocketClass, socket]) {
      const { CONNECTING, OPEN, CLOSING, CLOSED } = owner;
      assertEquals([CONNECTING, OPEN, CLOSING, CLOSED], [0, 1, 2, 3]);
    }
    await close(socket);
  });

  test("goes from connecting to open to closing to closed", async (server) => {
    const socket = new WebSocketClass(server.url);
    const states: number[] = [socket.readyState];
    socket.onopen = (event) => {
      states.push(socket.readyState);
      assertEquals([event.type, event.target], ["open", socket]);
      if (conformance.eventClasses) assertInstanceOf(event, Event);
    };
    await once(socket, "open");
    const closed = once(socket, "close");
    socket.close();
    states.push(socket.readyState);
    await closed;
    states.push(socket.readyState);
    assertEquals(states, [0, 1, 2, 3]);
  });

  test("begins with the standard's values", async (server) => {
    const socket = new WebSocketClass(server.url);
    const { url, protocol, extensions, bufferedAmount, onopen, onmessage, onerror, onclose } = socket;
    assertEquals([url, protocol, extensions, bufferedAmount], [server.url, "", "", 0]);
    assertEquals([onopen, onmessage, onerror, onclose], [null, null, null, null]);
    if (conformance.blobs) assertEquals(socket.binaryType, "blob");
    await once(socket, "open");
    await close(socket);
  });

  test("refuses URLs and subprotocols that make no sense", () => {
    for (const url of ["", "ws://", "foo", "ws://h:99999/", "ftp://h/", "ws://h/#part", "ws://h/#"]) {
      assertSyntaxError(() => new WebSocketClass(url));
    }
    for (const protocols of ["a b", "", "é", ["a", "a"], ["a", ""], ["a", "b,c"]]) {
      assertSyntaxError(() => new WebSocketClass("ws://127.0.0.1:1/", protocols));
    }
    return Promise.resolve();
  }, conformance.argumentErrors);

  test("takes http: URLs, URL objects, and makes paths absolute", async (server) => {
    const socket = new WebSocketClass(
      new URL(server.url.replace("ws:", "http:").replace("/echo", "/other/../echo")),
    );
    assertEquals(socket.url, server.url);
    await once(socket, "open");
    await close(socket);
  }, conformance.httpUrls);

  test("offers subprotocols and tells which was chosen", async (server) => {
    for (
      const [protocols, offered] of [["chat", "chat"], [
        ["chat.v2", "chat.v1"],
        /^chat\.v2, ?chat\.v1$/,
      ]] as const
    ) {
      const socket = await open(server, protocols as string | string[]);
      assertEquals(socket.protocol, typeof protocols === "string" ? protocols : protocols[0]);
      assert(new RegExp(offered).test(server.seen.at(-1)!.protocols));
      await close(socket);
    }
    const socket = await open(server, []);
    assertEquals([socket.protocol, server.seen.at(-1)!.protocols], ["", ""]);
    await close(socket);
  });

  test("sends and receives text", async (server) => {
    const socket = await open(server);
    const texts = ["hello", "", "héllo 你好 🙂", "x".repeat(100_000)];
    assertEquals(await echo(socket, ...texts), texts);
    if (conformance.scalarValues) assertEquals(await echo(socket, "a\ud800b"), ["a\ufffdb"]);
    assertEquals(await echo(socket, 12, null, { toString: () => "object" }), ["12", "null", "object"]);
    await close(socket);
  }, conformance.scalarValues);

  test("sends bytes of every kind and receives ArrayBuffers", async (server) => {
    const socket = await open(server);
    const bytes = Uint8Array.of(0, 1, 2, 253, 254, 255);
    const echoes = await echo(
      socket,
      bytes.buffer,
      bytes,
      bytes.subarray(2, 4),
      new DataView(bytes.buffer, 1, 2),
      new Uint16Array([1, 2]),
      new Uint8Array(0),
    );
    assertEquals(
      echoes.map((echo) => [...new Uint8Array(echo as ArrayBuffer)]),
      [[...bytes], [...bytes], [2, 253], [1, 2], [1, 0, 2, 0], []],
    );
    for (const echo of echoes) assertInstanceOf(echo, ArrayBuffer);
    await close(socket);
  });

  test("receives Blobs when binaryType says so", async (server) => {
    const socket = await open(server);
    socket.binaryType = "blob";
    socket.binaryType = "nonsense" as BinaryType;
    assertEquals(socket.binaryType, "blob");
    const [blob] = await echo(socket, Uint8Array.of(1, 2, 3));
    assertInstanceOf(blob, Blob);
    assertEquals([...new Uint8Array(await (blob as Blob).arrayBuffer())], [1, 2, 3]);
    await close(socket);
  }, conformance.blobs);

  test("sends Blobs in their turn", async (server) => {
    const socket = await open(server);
    const sent = echo(socket, "before", new Blob(["blob"]), "after", Uint8Array.of(7));
    const echoes = (await sent).map((echo) =>
      typeof echo === "string" ? echo : new TextDecoder().decode(echo as ArrayBuffer)
    );
    assertEquals(echoes, ["before", "blob", "after", "\x07"]);
    const last = server.seen[0]!.close;
    socket.send(new Blob(["!close"]));
    socket.close(3001, "after the blob");
    assertEquals(await last, { code: 3001, reason: "after the blob" });
  }, conformance.sendsBlobs);

  test("lets the owner of what was sent change it", async (server) => {
    const socket = await open(server);
    const bytes = new Uint8Array(50_000).fill(1);
    const answer = new Promise<ArrayBuffer>((resolve) => socket.onmessage = ({ data }) => resolve(data));
    socket.send(bytes);
    bytes.fill(2);
    assert(new Uint8Array(await answer).every((byte) => byte === 1));
    await close(socket);
  });

  test("keeps the order of many messages, and sends all before it closes", async (server) => {
    const socket = await open(server);
    const texts = Array.from({ length: 500 }, (_, i) => `${i}`);
    assertEquals(await echo(socket, ...texts), texts);
    socket.send(new Uint8Array(1_000_000));
    socket.send("!close 4000 last");
    socket.close();
    const { code } = await once(socket, "close") as CloseEvent;
    assert(code === 4000 || code === 1005, `${code}`);
  });

  test("counts what has not left", async (server) => {
    const socket = await open(server);
    await echo(socket, "one");
    while (socket.bufferedAmount > 0) await new Promise((resolve) => setTimeout(resolve));
    await close(socket);
    if (!conformance.countsWhenClosed) return;
    socket.send("1234");
    socket.send(new Uint8Array(6));
    assertEquals(socket.bufferedAmount, 10);
  });

  test("refuses to send while it connects", async (server) => {
    const socket = new WebSocketClass(server.url);
    const error = assertThrows(() => socket.send("early"));
    if (conformance.argumentErrors) assertEquals((error as DOMException).name, "InvalidStateError");
    await once(socket, "open");
    await close(socket);
  });

  test("tells the server code and reason of its close, and gets them back", async (server) => {
    for (
      const [args, code, reason] of [
        [[1000], 1000, ""],
        [[3000, "bye"], 3000, "bye"],
        [[4999, "é".repeat(61)], 4999, "é".repeat(61)],
      ] as const
    ) {
      const socket = await open(server);
      const closed = once(socket, "close");
      socket.close(...args as readonly [number, string?]);
      socket.close(4000, "a second close changes nothing");
      const event = await closed as CloseEvent;
      assertEquals([event.code, event.reason, event.wasClean], [code, reason, true]);
      assertEquals(await server.seen.at(-1)!.close, { code, reason });
    }
  });

  test("closes without a code where none is given", async (server) => {
    const socket = await open(server);
    const closed = once(socket, "close");
    socket.close();
    const { code, wasClean } = await closed as CloseEvent;
    assertEquals([code, wasClean], [1005, true]);
    assertEquals((await server.seen[0]!.close).code, 1005);
  });

  test("refuses codes and reasons that a client must not send", async (server) => {
    const socket = await open(server);
    for (const code of [0, 999, 1001, 1005, 1006, 2999, 5000, NaN, 70_000]) {
      assertStrictEquals(assertThrows(() => socket.close(code), DOMException).name, "InvalidAccessError");
    }
    const tooLong = assertThrows(() => socket.close(1000, "é".repeat(62)), DOMException);
    assertStrictEquals(tooLong.name, "SyntaxError");
    assertStrictEquals(socket.readyState, 1);
    await close(socket);
    assertThrows(() => socket.close(1001), DOMException);
  }, conformance.argumentErrors);

  test("tells code and reason of the server's close", async (server) => {
    for (
      const [code, reason] of [[1000, ""], [1001, "restart"], [1008, "too fast"], [4001, "log in"]] as const
    ) {
      const socket = await open(server);
      socket.onerror = () => assert(false, "a clean close is no error");
      const closed = once(socket, "close");
      socket.send(`!close ${code} ${reason}`);
      const event = await closed as CloseEvent;
      assertEquals([event.code, event.reason, event.wasClean], [code, reason, true]);
      assertEquals(socket.readyState, 3);
    }
  });

  test("tells of a connection that was cut", async (server) => {
    const socket = await open(server);
    const closed = once(socket, "close");
    socket.send("!terminate");
    const event = await closed as CloseEvent;
    assertEquals(event.wasClean, false);
    if (conformance.abnormalCode) assertEquals(event.code, 1006);
    assertEquals(socket.readyState, 3);
  });

  test("fires error and close where nobody listens, or the handshake is refused", async (server) => {
    for (const url of ["ws://127.0.0.1:1/", server.url.replace("/echo", "/refused")]) {
      const socket = new WebSocketClass(url);
      const events: string[] = [];
      for (const type of ["open", "error", "close"]) socket.addEventListener(type, () => events.push(type));
      const event = await once(socket, "close") as CloseEvent;
      assertEquals(events, ["error", "close"]);
      assertEquals([event.wasClean, socket.readyState], [false, 3]);
      if (conformance.abnormalCode) assertEquals(event.code, 1006);
      socket.close();
    }
  });

  test("may be closed while it connects", async (server) => {
    const socket = new WebSocketClass(server.url);
    const events: string[] = [];
    for (const type of ["open", "error", "close"]) socket.addEventListener(type, () => events.push(type));
    const closed = once(socket, "close");
    socket.close();
    assertEquals([socket.readyState, events], [2, []]);
    const { code, wasClean } = await closed as CloseEvent;
    assertEquals([events, wasClean], [["error", "close"], false]);
    if (conformance.abnormalCode) assertEquals(code, 1006);
  }, conformance.closesEarly);

  test("delivers nothing once it is closing", async (server) => {
    const socket = await open(server);
    let messages = 0;
    socket.onmessage = () => {
      if (++messages === 1) socket.close();
    };
    for (let i = 0; i < 20; i++) socket.send("x");
    await once(socket, "close");
    assertEquals(messages, 1);
  }, conformance.silentWhenClosing);

  test("calls listeners in order, once where asked, and none that was taken out", async (server) => {
    const socket = await open(server);
    const calls: string[] = [];
    const removed = () => calls.push("removed");
    const controller = new AbortController();
    socket.addEventListener("message", () => calls.push("first"));
    socket.addEventListener("message", () => calls.push("once"), { once: true });
    socket.addEventListener("message", { handleEvent: () => void calls.push("object") });
    socket.addEventListener("message", removed);
    socket.addEventListener("message", () => calls.push("signal"), { signal: controller.signal });
    socket.removeEventListener("message", removed);
    socket.addEventListener("message", null as unknown as () => void);
    await echo(socket, "1");
    controller.abort();
    await echo(socket, "2");
    assertEquals(calls, ["first", "once", "object", "signal", "first", "object"]);
    await close(socket);
  }, conformance.listenerOptions);

  test("has handlers as properties, which keep their place", async (server) => {
    const socket = await open(server);
    const calls: unknown[] = [];
    const message = () =>
      new Promise<void>((resolve) => {
        socket.addEventListener("message", () => resolve(), { once: true });
        socket.send("x");
      });
    socket.onmessage = () => calls.push("old");
    socket.addEventListener("message", () => calls.push("listener"));
    socket.onmessage = function () {
      calls.push("new", this === socket);
    };
    await message();
    socket.onmessage = "no function" as unknown as null;
    assertEquals(socket.onmessage, null);
    await message();
    socket.onmessage = () => calls.push("last");
    await message();
    assertEquals(calls, ["new", true, "listener", "listener", "listener", "last"]);
    await close(socket);
  }, conformance.handlerOrder);

  test("fires events of the right classes", async (server) => {
    const socket = await open(server);
    const message = new Promise<MessageEvent>((resolve) => socket.onmessage = resolve);
    socket.send("x");
    const event = await message;
    assertInstanceOf(event, MessageEvent);
    assertEquals([event.data, event.target], ["x", socket]);
    if (conformance.origins) assertEquals(event.origin, new URL(server.url).origin);
    assertEquals([event.bubbles, event.cancelable, event.lastEventId], [false, false, ""]);
    const closed = once(socket, "close");
    socket.close();
    assertInstanceOf(await closed, CloseEvent);
    assertInstanceOf(socket, EventTarget);
  }, conformance.eventClasses);

  test("carries a megabyte each way", async (server) => {
    const socket = await open(server);
    const bytes = Uint8Array.from({ length: 1_000_000 }, (_, i) => i * 31);
    const [back] = await echo(socket, bytes);
    assertEquals(new Uint8Array(back as ArrayBuffer), bytes);
    await close(socket);
  });
}

function once(target: EventTarget, type: string): Promise<Event> {
  return new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
}

function assertSyntaxError(body: () => unknown): void {
  assertEquals(assertThrows(body, DOMException).name, "SyntaxError");
}
