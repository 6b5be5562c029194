import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  answerKeepAlive,
  AuthenticationError,
  AuthenticationHandler,
  type AuthenticationOptions,
  type AuthenticationRequest,
  CredentialsHandler,
  DecodeError,
  Heartbeat,
  HeartbeatResponder,
  keepAlive,
  type LimitError,
  principalOf,
  ReconnectHandler,
} from "../../handlers/mod.ts";
import {
  Bootstrap,
  type Channel,
  type ChannelHandler,
  type ChannelHandlerContext,
  EmbeddedChannel,
  LinkDownError,
  ServerBootstrap,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { memory } from "../../pipeline/transports/memory.ts";
import { serving } from "./_door.ts";
import { Collector } from "./_rig.ts";

/** The frame with the credentials "key". */
const KEY = Uint8Array.of(0xc1, 0, 0xa3, 0x6b, 0x65, 0x79);
const ping = new Heartbeat("ping", { timeMs: 240_000, sequence: 1 });

/** The application: notes all that it is told, in order. */
class Application extends Collector {
  readonly told: unknown[] = [];

  channelActive(): void {
    this.told.push("active");
  }
  channelInactive(): void {
    this.told.push("inactive");
  }
  channelRead(_context: ChannelHandlerContext, message: unknown): void {
    this.told.push(message);
  }
  channelReadComplete(): void {
    this.told.push("complete");
  }
  override userEventTriggered(_context: ChannelHandlerContext, event: unknown): void {
    this.told.push((event as { type: string }).type);
  }
}

/** The handler alone, with an application behind it. */
function alone(options: Partial<AuthenticationOptions> = {}) {
  const handler = new AuthenticationHandler({
    authenticate: (credentials) => credentials === "key",
    ...options,
  });
  const application = new Application();
  const channel = new EmbeddedChannel({ handlers: [handler, application] });
  return { channel, handler, application, loop: channel.loop as VirtualEventLoop };
}

/** A server whose clients have to prove who they are. */
async function guarded(options: Partial<AuthenticationOptions> = {}) {
  const applications: Application[] = [];
  const channels: Channel[] = [];
  const handlers: AuthenticationHandler[] = [];
  const made = await serving(() => {
    const handler = new AuthenticationHandler({
      authenticate: (credentials) => credentials === "key",
      ...options,
    });
    const application = new Application();
    handlers.push(handler);
    applications.push(application);
    const all = answerKeepAlive({ codec: null });
    const door = { handlerAdded: ({ channel }: ChannelHandlerContext) => void channels.push(channel) };
    return [...withAfter(all, HeartbeatResponder, handler), application, door];
  });
  return { ...made, handlers, applications, channels };
}

function withAfter(
  handlers: readonly ChannelHandler[],
  base: new () => ChannelHandler,
  added: ChannelHandler,
): ChannelHandler[] {
  const at = handlers.findIndex((handler) => handler instanceof base) + 1;
  return [...handlers.slice(0, at), added, ...handlers.slice(at)];
}

Deno.test("AuthenticationHandler lets all through once the credentials are accepted, and nothing before", () => {
  const { channel, handler, application, loop } = alone();
  assertEquals(application.told, []);
  channel.writeInbound(KEY, "one", "two");
  assertEquals(application.told, ["active", "linkUp", "one", "two", "complete"]);
  assertEquals([principalOf(channel), handler.accepted, handler.refused], [true, 1, 0]);
  assertEquals([loop.pendingTimers, channel.pipeline.names().length], [0, 2]);
  channel.writeOutbound("answer");
  assertEquals(channel.drainOutbound(), ["answer"]);
  channel.loseLink();
  assertEquals(application.told.slice(5), ["linkDown", "inactive"]);
});

Deno.test("AuthenticationHandler delivers in order what came while it was deciding, and reads no more", async () => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const { channel, application } = alone({ authenticate: () => promise });
  let reads = 0;
  channel.pipeline.addFirst({ read: () => void reads++ });
  channel.writeInbound(KEY, "one", "two");
  channel.pipeline.read();
  assertEquals([application.told, reads], [[], 0]);
  resolve({ name: "Ann" });
  await channel.advanceByAsync(0);
  assertEquals(application.told, ["active", "linkUp", "one", "two", "complete"]);
  assertEquals([principalOf(channel), reads], [{ name: "Ann" }, 1]);
});

Deno.test("AuthenticationHandler keeps the order of what comes in while it delivers", async () => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const { channel, application } = alone({ authenticate: () => promise });
  channel.pipeline.addBefore(application, {
    channelActive(context) {
      context.fireChannelActive();
      channel.writeInbound("three");
    },
  });
  channel.writeInbound(KEY, "one", "two");
  resolve(true);
  await channel.advanceByAsync(0);
  assertEquals(application.told.filter((told) => typeof told === "string" && told.length <= 5), [
    "one",
    "two",
    "three",
  ]);
});

Deno.test("AuthenticationHandler delivers what is left when the application takes it out", () => {
  const { channel, handler, application } = alone();
  channel.pipeline.addBefore(application, {
    channelActive(context) {
      channel.pipeline.remove(handler);
      context.fireChannelActive();
    },
  });
  channel.writeInbound(KEY, "one");
  assertEquals(application.told, ["active", "linkUp", "one", "complete"]);
});

Deno.test("AuthenticationHandler refuses who does not know the word, and tells nobody but the peer", async () => {
  const { door, loop, server, handlers, applications } = await guarded();
  const client = door.enter();
  client.sendHeartbeat(ping);
  client.sendFrame(Uint8Array.of(0xc1, 0, 0xa3, 0x6b, 0x65, 0x80));
  client.sendFrame(Uint8Array.of(1));
  loop.advanceBy(10);
  const heartbeats = client.takeHeartbeats();
  assertEquals(heartbeats.map(({ kind }) => kind), ["hello", "pong", "goAway"]);
  assertEquals(heartbeats[2]!.goAwayReason, "unauthenticated");
  assertEquals([client.reason, applications[0]!.told, server.channels.size], ["remoteClosed", [], 0]);
  assertEquals(handlers[0]!.refused, 1);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("AuthenticationHandler answers heartbeats before the peer is known", async () => {
  const { door, loop, applications } = await guarded();
  const client = door.enter();
  client.sendHeartbeat(ping);
  loop.advanceBy(10);
  assertEquals(client.takeHeartbeats().map(({ kind }) => kind), ["hello", "pong"]);
  assertEquals(applications[0]!.told, []);
});

Deno.test("AuthenticationHandler tells why it refuses: missing, malformed, refused, failed", () => {
  const failure = new Error("the user database is away");
  const cases: [AuthenticationOptions["authenticate"], unknown, string, string][] = [
    [() => true, Uint8Array.of(1), "missing", "unauthenticated"],
    [() => true, "text", "missing", "unauthenticated"],
    [() => true, Uint8Array.of(0xc1, 0), "missing", "unauthenticated"],
    [() => true, Uint8Array.of(0xc1, 0, 1, 2), "missing", "unauthenticated"],
    [() => false, KEY, "refused", "unauthenticated"],
    [() => undefined, KEY, "refused", "unauthenticated"],
    [
      () => {
        throw failure;
      },
      KEY,
      "failed",
      "overloaded",
    ],
  ];
  for (const [authenticate, message, reason, told] of cases) {
    const { channel, application } = alone({ authenticate });
    channel.writeInbound(message);
    const [error] = application.errors;
    assertInstanceOf(error, AuthenticationError);
    assertEquals(error.reason, reason);
    assertEquals((channel.readOutbound() as Heartbeat).goAwayReason, told);
    assertEquals([application.told, channel.state], [[], "closed"]);
    if (reason === "failed") assertEquals(error.cause, failure);
  }
  const { channel, application } = alone();
  channel.writeInbound(Uint8Array.of(0xc1, 0, 0xa3));
  assertInstanceOf((application.errors[0] as Error).cause, DecodeError);
});

Deno.test("AuthenticationHandler refuses when the promise rejects", async () => {
  const { channel, application } = alone({ authenticate: () => Promise.reject(new Error("no")) });
  channel.writeInbound(KEY);
  await channel.advanceByAsync(0);
  assertEquals((application.errors[0] as AuthenticationError).reason, "failed");
  assertEquals(channel.state, "closed");
});

Deno.test("AuthenticationHandler ends a link that is not accepted in time, whatever trickles in", async () => {
  const { door, loop, applications, handlers } = await guarded({ deadlineMs: 5_000 });
  const silent = door.enter();
  const trickling = door.enter();
  const beating = door.enter();
  for (let i = 0; i < 5; i++) {
    trickling.send(i === 0 ? 100 : 1);
    beating.sendHeartbeat(ping);
    loop.advanceBy(999);
  }
  for (const client of [silent, trickling, beating]) assertEquals(client.reason, undefined);
  loop.advanceBy(10);
  for (const client of [silent, trickling, beating]) {
    assertEquals(client.takeHeartbeats().at(-1)!.goAwayReason, "unauthenticated");
    assertEquals(client.reason, "remoteClosed");
  }
  for (const { told, errors } of applications) {
    assertEquals([told, (errors[0] as LimitError).limit, errors.length], [[], "deadlineMs", 1]);
  }
  assertEquals(handlers.map(({ refused }) => refused), [1, 1, 1]);
});

Deno.test("AuthenticationHandler aborts the question when time is up or the link is gone", async () => {
  const requests: AuthenticationRequest[] = [];
  const authenticate = (_credentials: unknown, request: AuthenticationRequest) => {
    requests.push(request);
    return new Promise(() => {});
  };
  const late = alone({ authenticate, deadlineMs: 5_000 });
  late.channel.writeInbound(KEY);
  assertEquals(requests[0]!.channel, late.channel);
  assertEquals(requests[0]!.signal.aborted, false);
  await late.channel.advanceByAsync(5_000);
  assertEquals([requests[0]!.signal.aborted, late.channel.state], [true, "closed"]);
  const lost = alone({ authenticate });
  lost.channel.writeInbound(KEY);
  lost.channel.loseLink();
  assertEquals([requests[1]!.signal.aborted, lost.loop.pendingTimers, lost.application.told], [true, 0, []]);
});

Deno.test("AuthenticationHandler lets go an answer for a link that is gone", async () => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const { channel, handler, application } = alone({ authenticate: () => promise });
  channel.autoClose = false;
  channel.writeInbound(KEY, "one");
  channel.loseLink();
  channel.reopen();
  resolve(true);
  await channel.advanceByAsync(0);
  assertEquals([application.told, principalOf(channel), handler.accepted], [[], undefined, 0]);
});

Deno.test("AuthenticationHandler asks anew on each link of a channel", () => {
  const { channel, handler, application } = alone();
  channel.autoClose = false;
  for (let link = 0; link < 3; link++) {
    channel.writeInbound(KEY, "one");
    channel.loseLink();
    assertEquals(application.told.splice(0), ["active", "linkUp", "one", "complete", "linkDown", "inactive"]);
    channel.reopen();
  }
  channel.writeInbound("one");
  assertEquals([application.told, handler.accepted, handler.refused], [[], 3, 1]);
});

Deno.test("AuthenticationHandler takes few bytes of a peer that it does not know", async () => {
  const { door, loop, applications } = await guarded({ maxUnauthenticatedBytes: 1_000 });
  const client = door.enter();
  client.send(0xff, 0x7f, ...new Array(900).fill(0)); // announces a frame of 16 KiB
  loop.advanceBy(10);
  assertEquals(client.reason, undefined);
  client.send(...new Array(200).fill(0));
  loop.advanceBy(10);
  assertEquals(client.takeHeartbeats()[0]!.goAwayReason, "tooFast");
  const [error] = applications[0]!.errors as LimitError[];
  assertEquals([error!.limit, error!.value, error!.most], ["maxUnauthenticatedBytes", 1_102, 1_000]);
});

Deno.test("AuthenticationHandler lets nothing out to a peer that it does not know", async () => {
  const { door, loop, server, channels } = await guarded();
  const client = door.enter();
  client.sendHeartbeat(ping);
  loop.advanceBy(2_000); // the responder would show the link to an application by now
  client.takeHeartbeats();
  assertEquals(server.channels.size, 0);
  const [channel] = channels as [Channel];
  await assertRejects(
    async () => await channel.writeAndFlush(Uint8Array.of(1)),
    LinkDownError,
    "notConnected",
  );
  client.sendFrame(KEY);
  loop.advanceBy(10);
  channel.writeAndFlush(Uint8Array.of(1));
  loop.advanceBy(10);
  assertEquals(client.takeFrames(), [Uint8Array.of(1)]);
});

Deno.test("AuthenticationHandler asks for the credentials itself where nobody else reads", () => {
  const handler = new AuthenticationHandler({ authenticate: () => true });
  let reads = 0;
  const channel = new EmbeddedChannel({
    autoRead: false,
    handlers: [{ read: () => void reads++ }, handler, new Application()],
  });
  assertEquals(reads, 1);
  channel.writeInbound(); // bytes of a part of a frame
  assertEquals(reads, 2);
  channel.writeInbound(KEY);
  assertEquals(reads, 2); // from now on it is the application's business
});

Deno.test("AuthenticationHandler asks no credentials of a scout", async () => {
  const { door, loop, server, handlers } = await guarded();
  const main = door.enter();
  main.sendHeartbeat(ping);
  main.sendFrame(KEY);
  main.sendHeartbeat(new Heartbeat("scout", { sequence: 5 }));
  loop.advanceBy(10);
  const ticket = main.takeHeartbeats().find(({ kind }) => kind === "scout")!;
  const scout = door.enter();
  scout.sendHeartbeat(
    new Heartbeat("scout", { timeMs: ticket.timeMs, acknowledgement: ticket.acknowledgement }),
  );
  scout.sendHeartbeat(new Heartbeat("hold", { timeMs: 60_000, sequence: 9 }));
  loop.advanceBy(60_000);
  assertEquals(scout.takeHeartbeats(), [new Heartbeat("pong", { sequence: 9 })]);
  assertEquals([server.channels.size, handlers[1]!.refused], [1, 0]);
});

Deno.test("AuthenticationHandler leaves no timer when the server closes", async () => {
  const { door, loop, server } = await guarded({ authenticate: () => new Promise(() => {}) });
  door.enter();
  door.enter().sendFrame(KEY);
  loop.advanceBy(0);
  const closing = server.close();
  await loop.advanceByAsync(3_000);
  await closing;
  assertEquals([loop.pendingTimers, server.channels.size], [0, 0]);
});

Deno.test("AuthenticationHandler passes on what concerns a channel without a link", () => {
  const { channel, application } = alone();
  channel.autoClose = false;
  channel.loseLink();
  channel.pipeline.fireUserEventTriggered({ type: "drain" });
  assertEquals(application.told, ["drain"]);
});

Deno.test("AuthenticationHandler() refuses numbers out of range", () => {
  const authenticate = () => true;
  for (const deadlineMs of [0, -1, NaN, Infinity]) {
    assertThrows(() => new AuthenticationHandler({ authenticate, deadlineMs }), RangeError, "deadlineMs");
  }
  for (const maxUnauthenticatedBytes of [63, 100.5, NaN]) {
    assertThrows(
      () => new AuthenticationHandler({ authenticate, maxUnauthenticatedBytes }),
      RangeError,
      "maxUnauthenticatedBytes",
    );
  }
});

Deno.test("CredentialsHandler and AuthenticationHandler let a client in, on each of its links", async () => {
  const loop = new VirtualEventLoop();
  const transport = memory({ latencyMs: 20 });
  const asked: unknown[] = [];
  const received: unknown[] = [];
  const server = await new ServerBootstrap({
    transport,
    loop,
    pipeline: (p) => {
      p.addLast(...answerKeepAlive(), { channelRead: (_context, message) => received.push(message) });
      const authenticate = async (credentials: unknown) => {
        asked.push(credentials);
        await new Promise<void>((resolve) => loop.schedule(300, resolve));
        return true;
      };
      p.addAfter(HeartbeatResponder, new AuthenticationHandler({ authenticate }));
    },
  }).listen("memory://guarded");
  let tries = 0;
  const connecting = new Bootstrap({
    transport,
    loop,
    pipeline: (p) => {
      p.addLast(...keepAlive(), {
        channelActive: (context) => context.writeAndFlush("hello"),
      });
      p.addAfter(ReconnectHandler, new CredentialsHandler());
    },
  }).connect(() => ({ address: "memory://guarded", credentials: { ticket: ++tries } }));
  await loop.advanceByAsync(1_000);
  const channel = await connecting;
  channel.writeAndFlush("again");
  await loop.advanceByAsync(1_000);
  channel.drop("networkChanged");
  channel.writeAndFlush("queued");
  await loop.advanceByAsync(3_000);
  assertEquals(asked, [{ ticket: 1 }, { ticket: 2 }]);
  assertEquals(received, ["hello", "again", "hello", "queued"]);
  channel.close();
  const closing = server.close();
  await loop.advanceByAsync(3_000);
  await closing;
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("CredentialsHandler asks its function for each link, and sends nothing for undefined", () => {
  const given = ["one", undefined, "three"];
  const channel = new EmbeddedChannel({
    active: false,
    handlers: [new CredentialsHandler({ credentials: () => given.shift() })],
  });
  channel.autoClose = false;
  for (const frames of [1, 0, 1]) {
    channel.reopen();
    assertEquals(channel.drainOutbound().length, frames);
    channel.loseLink();
  }
});

Deno.test("CredentialsHandler drops a link whose credentials cannot be had or encoded", () => {
  const sources: (() => unknown)[] = [
    () => {
      throw new Error("no key");
    },
    () => () => {},
    () => Promise.resolve("key"),
    () => Promise.reject(new Error("no key")),
  ];
  for (const credentials of sources) {
    const application = new Application();
    const channel = new EmbeddedChannel({
      active: false,
      handlers: [new CredentialsHandler({ credentials }), application],
    });
    channel.reopen();
    assertEquals(channel.state, "closed");
    assert(application.errors[0] instanceof Error);
    assertEquals(application.told, ["active", "linkUp", "linkDown", "inactive"]);
    assertEquals(channel.drainOutbound(), []);
  }
});
