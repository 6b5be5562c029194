import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { Channel } from "../../pipeline/channel.ts";
import type { ChannelHandler } from "../../pipeline/channel_handler.ts";
import type { ChannelHandlerContext } from "../../pipeline/channel_handler_context.ts";
import { EmbeddedChannel } from "../../pipeline/embedded_channel.ts";
import { ChannelClosedError, LinkDownError } from "../../pipeline/errors.ts";
import { linkedChannel, manualChannel, ready } from "./_manual_channel.ts";
import { ManualLink } from "./_manual_transport.ts";
import { recorder } from "./_recorder.ts";

// How a link comes and goes, above all when handlers act on it while they are being told.

const ADDRESS = "manual://far";
const ignore = () => {};

/** What a link's whole life looks like to a handler. */
const LIFE = ["active", "linkUp", "linkDown reset", "inactive"];
/** The entries about the link of one handler. */
const lifeOf = (name: string, log: string[]) =>
  log.filter((entry) => entry.startsWith(`${name} `)).map((entry) => entry.slice(name.length + 1)).filter((
    entry,
  ) => /active|link/.test(entry));

Deno.test("Channel.drop() loses the link before it returns, and aborts it", () => {
  const log: string[] = [];
  const { channel, link } = linkedChannel([recorder("h", log)]);
  channel.autoClose = false;
  log.length = 0;
  channel.drop("unanswered");
  log.push("returned");
  assertEquals(log, ["h linkDown unanswered", "h inactive", "returned"]);
  assertEquals([channel.state, link.calls.at(-1)], ["idle", "abort"]);
  link.down("closed"); // the link's own report comes late
  channel.drop("reset");
  assertEquals(log.length, 3);
});

Deno.test("Channel.drop() fails the writes that are pending with the reason and the cause", async () => {
  const { channel } = linkedChannel();
  channel.autoClose = false;
  const writes = [channel.write("flushed"), channel.write("too")];
  channel.flush();
  writes.push(channel.write("not flushed"));
  const cause = new Error("bad frame");
  channel.drop("protocol", cause);
  for (const write of writes) {
    const error = await write.catch((error) => error);
    assertInstanceOf(error, LinkDownError);
    assertEquals([error.reason, error.message], ["protocol", "Cannot write: the link is down (protocol)"]);
    assertStrictEquals(error.cause, cause);
  }
  assertEquals(channel.pendingBytes, 0);
});

Deno.test("Channel.drop() while connecting fails the try, and without a link does nothing", async () => {
  const { channel, transport, loop } = manualChannel();
  channel.drop("reset");
  assertEquals(channel.state, "idle");
  const connected = channel.connect(ADDRESS);
  channel.drop("networkChanged");
  await assertRejects(
    () => connected.then(),
    LinkDownError,
    "Cannot connect: the link is down (networkChanged)",
  );
  assertEquals([channel.state, transport.tries[0]!.signal.aborted, loop.pendingTimers], ["idle", true, 0]);
  await channel.close();
  channel.drop("reset");
  assertEquals(channel.state, "closed");
});

Deno.test("Channel.drop() during channelRead ends the batch", () => {
  const log: string[] = [];
  const dropper: ChannelHandler = {
    channelRead: (context, message) =>
      message === "bad" ? context.channel.drop("protocol") : context.fireChannelRead(message),
  };
  const { channel, link } = linkedChannel([dropper, recorder("h", log)]);
  channel.autoClose = false;
  log.length = 0;
  link.deliver("good", "bad", "late");
  assertEquals(log, ["h read good", "h linkDown protocol", "h inactive"]);
  assertEquals(link.calls, ["open", "read", "abort"]);
});

Deno.test("Channel shows each handler a link's whole life, in order, wherever it is dropped", () => {
  const places: Record<string, (drop: () => void) => ChannelHandler> = {
    "before passing channelActive on": (drop) => ({
      channelActive(context) {
        drop();
        context.fireChannelActive();
      },
    }),
    "after passing channelActive on": (drop) => ({
      channelActive(context) {
        context.fireChannelActive();
        drop();
      },
    }),
    "at linkUp": (drop) => ({
      userEventTriggered(context, event) {
        if ((event as { type: string }).type === "linkUp") drop();
        context.fireUserEventTriggered(event);
      },
    }),
    "at a read request": (drop) => ({ read: drop }),
  };
  for (const [place, make] of Object.entries(places)) {
    const log: string[] = [];
    const { channel, loop } = manualChannel();
    channel.autoClose = false;
    const dropper = make(() => {
      channel.drop("reset");
      assertEquals(channel.isActive, false);
    });
    channel.pipeline.addLast(recorder("a", log), dropper, recorder("b", log));
    channel.attach(new ManualLink());
    assertEquals([lifeOf("a", log), lifeOf("b", log)], [LIFE, LIFE], place);
    assertEquals([channel.state, loop.pendingTimers], ["idle", 0]);
  }
});

Deno.test("Channel shows a link's whole life if it is dropped by who waited for it, or gone before it was opened", async () => {
  const log: string[] = [];
  const { channel, transport } = manualChannel([recorder("h", log)]);
  channel.autoClose = false;
  ready(transport);
  channel.connect(ADDRESS).onSettled(() => channel.drop("reset"));
  assertEquals(lifeOf("h", log), LIFE);
  log.length = 0;
  const gone = ready(transport);
  gone.onCall = (call) => call === "open" && gone.down("reset");
  await channel.connect(ADDRESS);
  assertEquals(lifeOf("h", log), LIFE);
  assertEquals(channel.state, "idle");
});

Deno.test("Channel opens the next link only once all handlers know that this one is gone", () => {
  const places: Record<string, (connect: () => void) => ChannelHandler> = {
    "at linkDown": (connect) => ({
      userEventTriggered(context, event) {
        if ((event as { type: string }).type === "linkDown") connect();
        context.fireUserEventTriggered(event);
      },
    }),
    "at channelInactive": (connect) => ({
      channelInactive(context) {
        connect();
        context.fireChannelInactive();
      },
    }),
  };
  for (const [place, make] of Object.entries(places)) {
    const log: string[] = [];
    const { channel, transport, loop } = manualChannel();
    const connector = make(() => {
      ready(transport);
      channel.connect(ADDRESS);
      assertEquals(channel.state, "connecting");
    });
    channel.pipeline.addLast(recorder("a", log), connector, recorder("b", log));
    const link = new ManualLink();
    channel.attach(link);
    link.down("reset");
    const twice = [...LIFE, "active", "linkUp"];
    assertEquals([lifeOf("a", log), lifeOf("b", log)], [twice, twice], place);
    assertEquals([channel.state, loop.pendingTimers], ["active", 0]);
  }
});

Deno.test("Channel opens the next link after the failed writes of this one asked for it", () => {
  const log: string[] = [];
  const { channel, transport, link } = linkedChannel([recorder("h", log)]);
  ready(transport);
  channel.write("lost").onSettled(() => channel.connect(ADDRESS));
  link.down("reset");
  assertEquals(lifeOf("h", log), [...LIFE, "active", "linkUp"]);
});

Deno.test("Channel that is dropped again while it waits to connect fails that try", async () => {
  const { channel, transport, link, loop } = linkedChannel([{
    channelInactive(context) {
      context.channel.connect(ADDRESS).onSettled((error) => errors.push(error));
      context.channel.drop("networkChanged");
    },
  }]);
  const errors: unknown[] = [];
  channel.autoClose = false;
  link.down("reset");
  assertEquals(errors.map((error) => (error as LinkDownError).reason), ["networkChanged"]);
  assertEquals([channel.state, transport.tries.length, loop.pendingTimers], ["idle", 0, 0]);
  await channel.close();
});

Deno.test("Channel.attach() while the handlers are being told of a loss is an error", () => {
  const { channel, link } = linkedChannel([{
    channelInactive: ({ channel }) => {
      assertThrows(
        () => channel.attach(new ManualLink()),
        TypeError,
        "Cannot attach the link: the channel is just losing",
      );
    },
  }]);
  channel.autoClose = false;
  link.down("reset");
  channel.attach(new ManualLink());
  assertEquals(channel.state, "active");
});

Deno.test("Channel.close() while a link comes or goes still shows each handler its whole life", async () => {
  type Close = (context: ChannelHandlerContext) => void;
  const places: Record<string, (close: Close) => ChannelHandler> = {
    "at channelActive": (close) => ({
      channelActive(context) {
        close(context);
        context.fireChannelActive();
      },
    }),
    "at linkDown": (close) => ({
      userEventTriggered(context, event) {
        if ((event as { type: string }).type === "linkDown") close(context);
        context.fireUserEventTriggered(event);
      },
    }),
    "at channelInactive": (close) => ({
      channelInactive(context) {
        close(context);
        context.fireChannelInactive();
      },
    }),
    "at a failed write": (close) => ({
      channelActive(context) {
        context.fireChannelActive();
        context.write("lost").onSettled(() => close(context));
      },
    }),
  };
  for (const [place, make] of Object.entries(places)) {
    for (const autoClose of [true, false]) {
      const log: string[] = [];
      const channel = new EmbeddedChannel({ active: false });
      channel.autoClose = autoClose;
      const closer = make((context) => context.close().onSettled(() => log.push("closed")));
      channel.pipeline.addLast(recorder("a", log), closer, recorder("b", log));
      channel.reopen();
      channel.loseLink("reset");
      const life = place === "at channelActive" ? ["active", "linkUp", "linkDown closed", "inactive"] : LIFE;
      assertEquals([lifeOf("a", log), lifeOf("b", log)], [life, life], place);
      assertEquals(log.slice(-3), ["b removed", "a removed", "closed"], place);
      await channel.closed;
      assertEquals(channel.state, "closed");
    }
  }
});

Deno.test("Channel closes at once for everybody while its handlers are still being told", async () => {
  const { channel, transport, link } = linkedChannel([{
    channelInactive(context) {
      context.close();
      states.push(context.channel.state);
      context.channel.connect(ADDRESS).onSettled((error) => states.push((error as Error).message));
      context.channel.write("x").onSettled((error) => states.push((error as Error).message));
    },
  }]);
  const states: unknown[] = [];
  channel.autoClose = false;
  link.down("reset");
  await channel.closed;
  const closed = "the channel is closed";
  assertEquals(states, ["closed", `Cannot connect: ${closed}`, `Cannot write: ${closed}`]);
  assertEquals(transport.tries.length, 0);
});

Deno.test("Channel.close() wins over a connect whose failure asks for another one", async () => {
  const { channel, transport, loop } = manualChannel();
  let second: unknown;
  channel.connect(ADDRESS).onSettled(() => channel.connect(ADDRESS).onSettled((error) => second = error));
  await channel.close();
  assertInstanceOf(second, ChannelClosedError);
  assertEquals([channel.state, transport.tries.length, loop.pendingTimers], ["closed", 1, 0]);
});

Deno.test("Channel.close() from a subclass's point of view comes once", async () => {
  let closed = 0;
  class Counting extends Channel {
    protected override onClosed(): void {
      closed++;
    }
  }
  const { transport, loop } = manualChannel();
  const channel = new Counting({ transport, loop });
  channel.close().onSettled(ignore);
  await channel.close();
  assertEquals(closed, 1);
});
