import { assert, assertEquals, assertFalse, assertInstanceOf, assertRejects } from "@std/assert";
import { ChannelClosedError, type ChannelHandler, LinkDownError } from "../../pipeline/mod.ts";
import { MessageDroppedError, QueueFullError } from "../../handlers/mod.ts";
import { connected, reconnecting } from "./_reconnect_rig.ts";

Deno.test("ReconnectHandler lets writes wait, in order, behind the application's first words", () => {
  const login: ChannelHandler = {
    channelActive: (context) => {
      context.writeAndFlush("login");
      context.fireChannelActive();
    },
  };
  const rig = connected({ after: [login] });
  rig.channel.drainOutbound();
  rig.channel.loseLink();
  const promises = ["a", "b", "c"].map((message) => rig.channel.writeAndFlush(message));
  assertEquals([rig.handler.queuedMessages, rig.channel.drainOutbound()], [3, []]);
  rig.channel.advanceBy(800);
  assertEquals(rig.channel.drainOutbound(), ["login", "a", "b", "c"]);
  assertEquals([rig.handler.queuedMessages, promises.every(({ isSuccess }) => isSuccess)], [0, true]);
});

Deno.test("ReconnectHandler lets writes wait from the moment the link is lost", () => {
  const write = (context: Parameters<NonNullable<ChannelHandler["write"]>>[0], message: string) =>
    void context.write(message).onSettled(() => {});
  const rig = connected({
    after: [{
      userEventTriggered: (context, event) => {
        if ((event as { type: string }).type === "linkDown") write(context, "at linkDown");
      },
      channelInactive: (context) => write(context, "at channelInactive"),
    }],
  });
  rig.channel.loseLink();
  rig.channel.advanceBy(800);
  assertEquals(rig.channel.drainOutbound(), ["at linkDown", "at channelInactive"]);
});

Deno.test("ReconnectHandler keeps the queue over several failed tries, and for the next link", () => {
  const rig = connected();
  rig.server.is = "down";
  rig.channel.loseLink();
  rig.channel.write("a");
  rig.channel.advanceBy(30_000);
  rig.channel.write("b");
  rig.server.is = "up";
  rig.channel.advanceBy(5000);
  assertEquals(rig.channel.drainOutbound(), ["a", "b"]);
  rig.channel.loseLink();
  rig.channel.advanceBy(2000);
  assertEquals(rig.channel.drainOutbound(), []);
});

Deno.test("ReconnectHandler bounds the queue by messages and bytes, and fails what is too much", async () => {
  const rig = connected({ queue: { maxMessages: 2, maxBytes: 10 } });
  rig.server.is = "down";
  rig.channel.loseLink();
  rig.channel.write(new Uint8Array(6));
  const bytes = await assertRejects(async () => await rig.channel.write(new Uint8Array(5)), QueueFullError);
  assertEquals([bytes.unit, bytes.size, bytes.limit], ["bytes", 11, 10]);
  rig.channel.write(new Uint8Array(4));
  const messages = await assertRejects(
    async () => await rig.channel.write(new Uint8Array(0)),
    QueueFullError,
  );
  assertEquals([messages.unit, messages.size, messages.limit], ["messages", 3, 2]);
  assertEquals(rig.handler.queuedMessages, 2);
  rig.server.is = "up";
  rig.channel.advanceBy(10_000);
  assertEquals(rig.channel.drainOutbound(), [new Uint8Array(6), new Uint8Array(4)]);
});

Deno.test("ReconnectHandler holds 1,000 messages and 1 MiB by default", async () => {
  const rig = connected();
  rig.channel.loseLink();
  for (let i = 0; i < 1000; i++) rig.channel.write({ i });
  await assertRejects(async () => await rig.channel.write({}), QueueFullError);
  const other = connected();
  other.channel.loseLink();
  other.channel.write(new Uint8Array(1024 * 1024));
  await assertRejects(async () => await other.channel.write(new Uint8Array(1)), QueueFullError);
});

Deno.test("ReconnectHandler fails writes that were on their way when the link was lost", async () => {
  const rig = connected();
  const onItsWay = rig.channel.write("never flushed");
  rig.channel.loseLink("unanswered");
  const error = await assertRejects(async () => await onItsWay, LinkDownError);
  assertEquals([error.reason, rig.handler.queuedMessages], ["unanswered", 0]);
});

Deno.test("ReconnectHandler lets nothing wait before anybody asked for a link", async () => {
  const rig = reconnecting();
  await assertRejects(async () => await rig.channel.write("early"), LinkDownError, "notConnected");
  // While the first connect is on its way they do wait.
  rig.server.is = "silent";
  rig.channel.connect("embedded://peer").onSettled(() => {});
  rig.channel.write("early");
  assertEquals(rig.handler.queuedMessages, 1);
});

Deno.test("ReconnectHandler drops the oldest where that is the policy, and tells whose it was", async () => {
  const rig = connected({ queue: { maxMessages: 3, policy: "dropOldest" } });
  rig.channel.loseLink();
  const promises = ["a", "b", "c", "d", "e"].map((message) => rig.channel.write(message));
  for (const promise of promises) promise.onSettled(() => {});
  const error = await assertRejects(async () => await promises[0], MessageDroppedError);
  assertEquals([error.unit, error.size, error.limit], ["messages", 4, 3]);
  await assertRejects(async () => await promises[1], QueueFullError);
  const { queuedMessages, queuedBytes, droppedMessages, rejectedMessages } = rig.handler;
  assertEquals([queuedMessages, queuedBytes, droppedMessages, rejectedMessages], [3, 9, 2, 0]);
  rig.channel.advanceBy(800);
  assertEquals(rig.channel.drainOutbound(), ["c", "d", "e"]);
  assert(promises.slice(2).every(({ isSuccess }) => isSuccess));
  // What was counted stays, also once nothing waits any more.
  assertEquals([rig.handler.queuedMessages, rig.handler.queuedBytes, rig.handler.droppedMessages], [0, 0, 2]);
});

Deno.test("ReconnectHandler lets writes wait for room where that is the policy, in order", async () => {
  const rig = connected({ queue: { maxMessages: 2, policy: "block", maxBlocked: 2 } });
  rig.channel.loseLink();
  const promises = ["a", "b", "c", "d"].map((message) => rig.channel.write(message));
  await assertRejects(async () => await rig.channel.write("e"), QueueFullError);
  assert(promises.every(({ isDone }) => !isDone));
  const { queuedMessages, blockedMessages, rejectedMessages } = rig.handler;
  assertEquals([queuedMessages, blockedMessages, rejectedMessages], [2, 2, 1]);
  rig.channel.advanceBy(800);
  assertEquals(rig.channel.drainOutbound(), ["a", "b", "c", "d"]);
  assert(promises.every(({ isSuccess }) => isSuccess));
});

Deno.test("ReconnectHandler holds up one who awaits each write, and no more than that", async () => {
  const rig = connected({ queue: { maxMessages: 10, policy: "block" } });
  rig.channel.loseLink();
  let written = 0;
  const writer = (async () => {
    // Ten in flight at a time, as one does who wants to be fast and bounded.
    const inFlight: PromiseLike<void>[] = [];
    for (let i = 0; i < 100; i++) {
      written++;
      inFlight.push(rig.channel.writeAndFlush(String(i)));
      if (inFlight.length === 12) await inFlight.shift();
    }
    await Promise.all(inFlight);
  })();
  await rig.loop.runMicrotasks();
  assertEquals([written, rig.handler.queuedMessages, rig.handler.blockedMessages], [12, 10, 2]);
  await rig.channel.advanceByAsync(800);
  await writer;
  assertEquals(rig.channel.drainOutbound(), Array.from({ length: 100 }, (_, i) => String(i)));
});

Deno.test("ReconnectHandler fails what waits for room when the channel is closed", async () => {
  const rig = connected({ queue: { maxMessages: 1, policy: "block" } });
  rig.channel.loseLink();
  const promises = ["a", "b"].map((message) => rig.channel.write(message));
  for (const promise of promises) promise.onSettled(() => {});
  await rig.channel.close();
  for (const { error } of promises) assertInstanceOf(error, ChannelClosedError);
});

Deno.test("ReconnectHandler sends what is written while it empties its queue behind what waits there", () => {
  const rig = connected();
  rig.channel.pipeline.addFirst({
    write: (context, message, promise) => {
      if (message === "a") promise.reject(new TypeError("refused"));
      else context.write(message, promise);
    },
  });
  rig.channel.loseLink();
  rig.channel.write("a").onSettled(() => rig.channel.write("instead of a"));
  rig.channel.write("b");
  rig.channel.advanceBy(800);
  assertEquals(rig.channel.drainOutbound(), ["b", "instead of a"]);
});

Deno.test("ReconnectHandler changes nothing of the channel's writability with its queue", () => {
  let changes = 0;
  const rig = connected({
    queue: { maxMessages: 1, policy: "dropOldest" },
    after: [{ channelWritabilityChanged: () => void changes++ }],
  });
  assert(rig.channel.isWritable);
  rig.channel.loseLink();
  rig.channel.write("a").onSettled(() => {});
  rig.channel.write("b");
  assertFalse(rig.channel.isWritable);
  rig.channel.advanceBy(800);
  assert(rig.channel.isWritable);
  assertEquals(changes, 0);
});
