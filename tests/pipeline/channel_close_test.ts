import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import type { ChannelHandler } from "../../pipeline/channel_handler.ts";
import { EmbeddedChannel } from "../../pipeline/embedded_channel.ts";
import { ChannelClosedError } from "../../pipeline/errors.ts";
import { linkedChannel, manualChannel } from "./_manual_channel.ts";
import { ManualLink } from "./_manual_transport.ts";
import { recorder } from "./_recorder.ts";
import { turn } from "./_turn.ts";

const ADDRESS = "manual://far";

Deno.test("Channel.close() of an idle channel closes it at once", async () => {
  const log: string[] = [];
  const { channel, loop } = manualChannel([recorder("h", log)]);
  const closed = channel.close();
  assert(closed.isSuccess);
  assertEquals([channel.state, log], ["closed", ["h added", "h close", "h removed"]]);
  await channel.closed;
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("Channel.close() while connecting fails the try, and aborts a link that comes late", async () => {
  const { channel, transport, loop } = manualChannel();
  const connected = channel.connect(ADDRESS);
  await channel.close();
  await assertRejects(() => connected.then(), ChannelClosedError, "Cannot connect: the channel is closed");
  assertEquals([loop.pendingTimers, transport.tries[0]!.signal.aborted], [0, true]);
  const late = new ManualLink();
  transport.tries[0]!.succeed(late);
  await turn();
  assertEquals(late.calls, ["open", "abort"]);
});

Deno.test("Channel.close() lets what was flushed go out, and fails the rest", async () => {
  const log: string[] = [];
  const { channel, link } = linkedChannel([recorder("h", log)]);
  const flushed = channel.writeAndFlush("12345");
  const unflushed = channel.write("678");
  log.length = 0;
  const closed = channel.close();
  assertEquals([channel.state, link.calls.at(-1)], ["closing", "close"]);
  await assertRejects(() => channel.write("late").then(), ChannelClosedError, "Cannot write");
  link.deliver("late");
  link.sent(5);
  assert(flushed.isSuccess);
  assertFalse(closed.isDone);
  link.down("closed");
  assert(closed.isSuccess);
  assertInstanceOf(await unflushed.catch((error) => error), ChannelClosedError);
  assertEquals(log, ["h close", "h write late", "h linkDown closed", "h inactive", "h removed"]);
});

Deno.test("Channel.close() says closed whatever its link says", () => {
  for (const reason of ["reset", "error"] as const) {
    const events: unknown[] = [];
    const { channel, link } = linkedChannel([{
      userEventTriggered: (_context, event) => events.push(event),
    }]);
    channel.close();
    link.down(reason, new Error("during the close"));
    assertEquals(events[1], { type: "linkDown", reason: "closed" });
  }
});

Deno.test("Channel.close() is idempotent, and closed resolves once for all", async () => {
  const log: string[] = [];
  const { channel, link } = linkedChannel([recorder("h", log)]);
  const before = channel.closed;
  const closes = [channel.close(), channel.close()];
  assertEquals(link.calls.filter((call) => call === "close").length, 1);
  link.down("closed");
  closes.push(channel.close());
  await Promise.all([...closes, before, channel.closed]);
  assertEquals(log.filter((entry) => entry === "h removed").length, 1);
  assertEquals(log.filter((entry) => entry === "h inactive").length, 1);
});

Deno.test("Channel.closed never rejects, and settles after a link is lost", async () => {
  const { channel, link } = linkedChannel();
  let isClosed = false;
  channel.closed.then(() => isClosed = true);
  await turn();
  assertFalse(isClosed);
  link.down("error", new Error("cable"));
  await turn();
  assert(isClosed);
});

Deno.test("Channel.close() from within handlers takes all out, each once", async () => {
  for (
    const event of [
      "channelRead",
      "channelReadComplete",
      "channelWritabilityChanged",
      "exceptionCaught",
    ] as const
  ) {
    const log: string[] = [];
    const closer: ChannelHandler = {
      [event]: ((context) => context.close()) as ChannelHandler["channelReadComplete"],
    };
    const channel = new EmbeddedChannel({ waterMarks: { lowBytes: 0, highBytes: 0 } });
    channel.pipeline.addLast(recorder("a", log), closer, recorder("b", log));
    if (event === "channelWritabilityChanged") channel.write("x").onSettled(() => {});
    else if (event === "exceptionCaught") channel.pipeline.fireExceptionCaught(new Error("no"));
    else channel.writeInbound("x");
    await channel.closed;
    const end = log.filter((entry) => /linkDown|inactive|removed/.test(entry));
    const wanted = [
      "a linkDown closed",
      "b linkDown closed",
      "a inactive",
      "b inactive",
      "b removed",
      "a removed",
    ];
    assertEquals(end, wanted, event);
  }
});

Deno.test("Channel.close() from within handlerRemoved takes only that one out, or does nothing more", async () => {
  const log: string[] = [];
  const closer: ChannelHandler = {
    handlerRemoved(context) {
      log.push("closer removed");
      context.close();
    },
  };
  const channel = new EmbeddedChannel({ handlers: [recorder("a", log), closer] });
  log.length = 0;
  channel.pipeline.remove(closer);
  assertEquals(log, ["closer removed", "a close", "a linkDown closed", "a inactive", "a removed"]);
  const other = new EmbeddedChannel({ handlers: [recorder("a", log), closer] });
  log.length = 0;
  await other.close();
  assertEquals(log, ["a close", "a linkDown closed", "a inactive", "closer removed", "a close", "a removed"]);
});

Deno.test("Channel.close() fails with what a handler's close throws, and the channel stays open", async () => {
  const error = new Error("not now");
  const channel = new EmbeddedChannel();
  channel.pipeline.addLast("guard", {
    close() {
      throw error;
    },
  });
  assertStrictEquals(await channel.close().catch((error) => error), error);
  assertEquals(channel.state, "active");
  channel.pipeline.remove("guard");
  await channel.close();
});

Deno.test("Channel closes at the end of an `await using` block", async () => {
  const { channel, link, loop } = linkedChannel();
  {
    await using held = channel;
    link.onCall = (call) => call === "close" && queueMicrotask(() => link.down("closed"));
    assertEquals(held.state, "active");
  }
  assertEquals([channel.state, loop.pendingTimers], ["closed", 0]);
});
