import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import type { ChannelHandler } from "../../pipeline/channel_handler.ts";
import { EmbeddedChannel } from "../../pipeline/embedded_channel.ts";
import { ChannelClosedError, LinkDownError } from "../../pipeline/errors.ts";
import { SystemEventLoop } from "../../pipeline/system_event_loop.ts";
import { VirtualEventLoop } from "../../pipeline/virtual_event_loop.ts";
import { recorder } from "./_recorder.ts";
import { turn } from "./_turn.ts";

Deno.test("EmbeddedChannel starts with a link, or without", () => {
  const log: string[] = [];
  const active = new EmbeddedChannel({ handlers: [recorder("h", log)] });
  assertEquals([active.state, active.remoteAddress], ["active", "embedded://peer"]);
  assertEquals(log, ["h added", "h active", "h linkUp", "h read"]);
  const idle = new EmbeddedChannel({ active: false, keepsMessages: true });
  assertEquals([idle.state, idle.keepsMessages, active.keepsMessages], ["idle", true, false]);
});

Deno.test("EmbeddedChannel.writeInbound() lets messages in, then channelReadComplete", () => {
  const log: string[] = [];
  const channel = new EmbeddedChannel({ handlers: [recorder("h", log)] });
  log.length = 0;
  assert(channel.writeInbound("a", { b: 1 }));
  assertEquals(log, ["h read a", "h read [object Object]", "h readComplete"]);
  assertEquals([channel.readInbound(), channel.readInbound(), channel.readInbound()], [
    "a",
    { b: 1 },
    undefined,
  ]);
  channel.writeInbound(1, 2);
  channel.writeInbound(3);
  assertEquals([channel.drainInbound(), channel.drainInbound()], [[1, 2, 3], []]);
  assertFalse(new EmbeddedChannel({ handlers: [{ channelRead() {} }] }).writeInbound("taken"));
});

Deno.test("EmbeddedChannel.writeInbound() lets nothing in without a link, and stops where it is lost", () => {
  const log: string[] = [];
  const dropper: ChannelHandler = {
    channelRead: (context, message) =>
      message === "bad" ? context.channel.drop("protocol") : context.fireChannelRead(message),
  };
  const channel = new EmbeddedChannel({ handlers: [dropper, recorder("h", log)] });
  channel.autoClose = false;
  log.length = 0;
  channel.writeInbound("good", "bad", "late");
  assertFalse(new EmbeddedChannel({ active: false }).writeInbound("x"));
  assertEquals(log, ["h read good", "h linkDown protocol", "h inactive"]);
});

Deno.test("EmbeddedChannel.writeInbound() throws the first error that no handler handled", () => {
  const channel = new EmbeddedChannel({
    handlers: [{
      channelRead(_context, message) {
        throw message;
      },
    }],
  });
  const error = new Error("first");
  assertStrictEquals(assertThrows(() => channel.writeInbound(error, new Error("second"))), error);
  assertThrows(() => channel.checkException(), Error, "second");
  channel.checkException();
});

Deno.test("EmbeddedChannel.writeOutbound() writes and flushes; only what was flushed comes out", () => {
  const channel = new EmbeddedChannel();
  assert(channel.writeOutbound("a", { b: 1 }));
  channel.write("not flushed");
  assertEquals([channel.readOutbound(), channel.readOutbound(), channel.readOutbound()], [
    "a",
    { b: 1 },
    undefined,
  ]);
  channel.flush();
  assertEquals([channel.drainOutbound(), channel.drainOutbound()], [["not flushed"], []]);
  assertFalse(new EmbeddedChannel({ handlers: [{ write() {} }] }).writeOutbound("kept"));
});

Deno.test("EmbeddedChannel.writeOutbound() throws the first failure, and reports none of them again", async () => {
  const channel = new EmbeddedChannel({ active: false });
  assertThrows(() => channel.writeOutbound("a", "b", "c"), LinkDownError);
  await turn();
  channel.checkException();
  await channel.close();
  assertThrows(() => channel.writeOutbound("a"), ChannelClosedError);
});

Deno.test("EmbeddedChannel.writeOutbound() leaves a write that fails later to checkException()", async () => {
  const channel = new EmbeddedChannel({
    handlers: [{
      async write() {
        await Promise.resolve();
        throw new Error("later");
      },
    }],
  });
  assertFalse(channel.writeOutbound("x"));
  await turn();
  assertThrows(() => channel.checkException(), Error, "later");
});

Deno.test("EmbeddedChannel counts messages that are no bytes as one, and settles with the flush", () => {
  const channel = new EmbeddedChannel({ waterMarks: { lowBytes: 1, highBytes: 2 } });
  const write = channel.write({});
  channel.write([]);
  assertEquals([channel.pendingBytes, channel.isWritable], [2, true]);
  channel.write(new Uint8Array(5));
  assertEquals([channel.pendingBytes, channel.isWritable, write.isDone], [7, false, false]);
  channel.flush();
  assertEquals([channel.pendingBytes, channel.isWritable, write.isSuccess, channel.flushedBytes], [
    0,
    true,
    true,
    7,
  ]);
});

Deno.test("EmbeddedChannel.advanceBy() runs each timer at its time, and throws what went unhandled", () => {
  const ranAt: number[] = [];
  const channel = new EmbeddedChannel({
    handlers: [{
      handlerAdded({ loop }) {
        for (const ms of [30, 10, 20]) loop.schedule(ms, () => ranAt.push(loop.now()));
      },
    }],
  });
  channel.advanceBy(25);
  assertEquals([ranAt, channel.loop.now()], [[10, 20], 25]);
  channel.loop.schedule(5, () => channel.pipeline.fireExceptionCaught(new Error("in a timer")));
  assertThrows(() => channel.advanceBy(5), Error, "in a timer");
  assertEquals(ranAt, [10, 20, 30]);
});

Deno.test("EmbeddedChannel.advanceByAsync() lets what waits behind await run at each step", async () => {
  const steps: number[] = [];
  const channel = new EmbeddedChannel({
    handlers: [{
      async channelRead({ loop }) {
        for (let i = 0; i < 3; i++) {
          await new Promise<void>((resolve) => loop.schedule(10, () => resolve()));
          steps.push(loop.now());
        }
        throw new Error("done");
      },
    }],
  });
  channel.writeInbound("go");
  await channel.advanceByAsync(25);
  assertEquals(steps, [10, 20]);
  await assertRejects(() => channel.advanceByAsync(5), Error, "done");
});

Deno.test("EmbeddedChannel shares a loop, and moves time only on a virtual one", async () => {
  const loop = new VirtualEventLoop({ startMs: 100 });
  const channels = [new EmbeddedChannel({ loop }), new EmbeddedChannel({ loop })] as const;
  channels[0].advanceBy(50);
  assertEquals(channels[1].loop.now(), 150);
  const real = new EmbeddedChannel({ loop: new SystemEventLoop() });
  assertThrows(
    () => real.advanceBy(1),
    TypeError,
    "Cannot advance the time: the channel's loop is not a virtual one",
  );
  await real.close();
});

Deno.test("EmbeddedChannel.loseLink() and reopen() play links that come and go", () => {
  const log: string[] = [];
  const channel = new EmbeddedChannel({ handlers: [recorder("h", log)] });
  channel.autoClose = false;
  log.length = 0;
  channel.write("lost").onSettled((error) => log.push((error as LinkDownError).reason));
  channel.loseLink();
  channel.loseLink();
  channel.reopen();
  channel.loseLink("unanswered");
  assertEquals(log, [
    "h write lost",
    "reset",
    "h linkDown reset",
    "h inactive",
    "h active",
    "h linkUp",
    "h read",
    "h linkDown unanswered",
    "h inactive",
  ]);
  channel.reopen();
  assertEquals(channel.drainOutbound(), []);
  assertThrows(() => channel.reopen(), TypeError, "Cannot attach the link: the channel is active");
});

Deno.test("EmbeddedChannel.reopen() of a channel that closed with its link is an error", () => {
  const channel = new EmbeddedChannel();
  channel.loseLink();
  assertEquals(channel.state, "closed");
  assertThrows(() => channel.reopen(), ChannelClosedError);
});

Deno.test("EmbeddedChannel.connect() succeeds at once, unless onConnect decides otherwise", async () => {
  const easy = new EmbeddedChannel({ active: false });
  assert(easy.connect("embedded://peer").isSuccess);
  const tries: string[] = [];
  const channel = new EmbeddedChannel({
    active: false,
    connectTimeoutMs: 1_000,
    onConnect({ address }, signal) {
      tries.push(address);
      if (tries.length === 1) throw new Error("refused");
      if (tries.length === 2) return Promise.reject(new Error("refused later"));
      if (tries.length === 3) {
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      }
    },
  });
  await assertRejects(() => channel.connect("a").then(), Error, "refused");
  await assertRejects(() => channel.connect("b").then(), Error, "refused later");
  const slow = channel.connect("c").catch((error) => (error as Error).message);
  channel.advanceBy(1_000);
  assertEquals(await slow, "Cannot connect to c: timed out after 1000 ms");
  await channel.connect("d");
  assertEquals([tries, channel.isActive, channel.remote], [["a", "b", "c", "d"], true, { address: "d" }]);
});

Deno.test("EmbeddedChannel lets a handler close or connect it when it is added", () => {
  const closed = new EmbeddedChannel({ handlers: [{ handlerAdded: (context) => void context.close() }] });
  assertEquals(closed.state, "closed");
  const log: string[] = [];
  const connected = new EmbeddedChannel({
    handlers: [recorder("h", log), { handlerAdded: (context) => context.connect("embedded://early") }],
  });
  assertEquals([connected.state, connected.remote], ["active", { address: "embedded://early" }]);
  assertEquals(log.filter((entry) => entry === "h active").length, 1);
});

Deno.test("EmbeddedChannel.close() closes at once and leaves nothing", async () => {
  const channel = new EmbeddedChannel();
  channel.write("not flushed").onSettled(() => {});
  assert(channel.close().isSuccess);
  await channel.closed;
  assertEquals([channel.state, (channel.loop as VirtualEventLoop).pendingTimers], ["closed", 0]);
  assertEquals(channel.drainOutbound(), []);
});
