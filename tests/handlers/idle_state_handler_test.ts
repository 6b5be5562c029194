import { assert, assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import {
  Channel,
  type ChannelHandler,
  EmbeddedChannel,
  type Link,
  type LinkSink,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { type IdleState, type IdleStateEvent, IdleStateHandler, type IdleTimes } from "../../handlers/mod.ts";
import { CountingLoop } from "./_rig.ts";

type Told = [atMs: number, state: IdleState, first: boolean];

/** A channel that notes each idle event and when it came. */
function watching(times: IdleTimes, onIdle?: (event: IdleStateEvent, channel: EmbeddedChannel) => void) {
  const loop = new VirtualEventLoop();
  const handler = new IdleStateHandler(times);
  const told: Told[] = [];
  const notes: ChannelHandler = {
    userEventTriggered: (_context, event) => {
      const idle = event as IdleStateEvent;
      if (idle.type !== "idle") return;
      told.push([loop.now(), idle.state, idle.first]);
      onIdle?.(idle, channel);
    },
  };
  const channel = new EmbeddedChannel({ loop, handlers: [handler, notes], active: false });
  channel.autoClose = false;
  channel.reopen();
  return { loop, handler, channel, told };
}

type Step = number | "read" | "write" | IdleTimes;

/** Numbers are waits in ms. Like Netty's IdleStateHandlerTest.anyIdle, as a table. */
const TABLE: readonly { name: string; times: IdleTimes; steps: readonly Step[]; told: readonly Told[] }[] = [
  {
    name: "tells of each period without a read, the first one as such",
    times: { readerIdleMs: 1000 },
    steps: [3000],
    told: [[1000, "reader", true], [2000, "reader", false], [3000, "reader", false]],
  },
  {
    name: "tells of each period without a write",
    times: { writerIdleMs: 1000 },
    steps: [2999],
    told: [[1000, "writer", true], [2000, "writer", false]],
  },
  {
    name: "tells of each period without either",
    times: { allIdleMs: 1000 },
    steps: [2000],
    told: [[1000, "all", true], [2000, "all", false]],
  },
  {
    name: "counts from the last read, and begins with first again",
    times: { readerIdleMs: 1000 },
    steps: [500, "read", 999, "read", 1000, 1000, 300, "read", 1000],
    told: [[2499, "reader", true], [3499, "reader", false], [4799, "reader", true]],
  },
  {
    name: "counts from the last write",
    times: { writerIdleMs: 1000 },
    steps: [900, "write", 1000, 500, "write", 1000],
    told: [[1900, "writer", true], [3400, "writer", true]],
  },
  {
    name: "counts all from whichever came last",
    times: { allIdleMs: 1000 },
    steps: [600, "read", 600, "write", 999, 1],
    told: [[2200, "all", true]],
  },
  {
    name: "does not take a write for a read",
    times: { readerIdleMs: 1000 },
    steps: [500, "write", 500],
    told: [[1000, "reader", true]],
  },
  {
    name: "does not take a read for a write",
    times: { writerIdleMs: 1000 },
    steps: [500, "read", 500],
    told: [[1000, "writer", true]],
  },
  {
    name: "keeps three clocks apart",
    times: { readerIdleMs: 1000, writerIdleMs: 700, allIdleMs: 900 },
    steps: [600, "read", 1000],
    told: [[700, "writer", true], [1400, "writer", false], [1500, "all", true], [1600, "reader", true]],
  },
  {
    name: "tells nothing with no times",
    times: {},
    steps: [1_000_000],
    told: [],
  },
  {
    name: "tells of traffic in the same instant as silence",
    times: { readerIdleMs: 1000 },
    steps: [1000, "read", 1000],
    told: [[1000, "reader", true], [2000, "reader", true]],
  },
  {
    name: "counts what has passed when times are shortened",
    times: { readerIdleMs: 10_000 },
    steps: [3000, { readerIdleMs: 4000 }, 1000],
    told: [[4000, "reader", true]],
  },
  {
    name: "tells at once when more than the new time has passed",
    times: { readerIdleMs: 10_000 },
    steps: [3000, { readerIdleMs: 2000 }, 0, 2000],
    told: [[3000, "reader", true], [5000, "reader", false]],
  },
  {
    name: "counts what has passed when times are lengthened",
    times: { writerIdleMs: 1000 },
    steps: [900, { writerIdleMs: 5000 }, 4099, 1],
    told: [[5000, "writer", true]],
  },
  {
    name: "goes on where an event was when times change",
    times: { writerIdleMs: 1000 },
    steps: [1500, { writerIdleMs: 3000 }, 2500],
    told: [[1000, "writer", true], [4000, "writer", false]],
  },
  {
    name: "is switched off and on",
    times: { readerIdleMs: 1000 },
    steps: [500, {}, 5000, { writerIdleMs: 6000 }, 500],
    told: [[6000, "writer", true]],
  },
];

for (const { name, times, steps, told: wanted } of TABLE) {
  Deno.test(`IdleStateHandler ${name}`, () => {
    const { handler, channel, told } = watching(times);
    for (const step of steps) {
      if (typeof step === "number") channel.advanceBy(step);
      else if (step === "read") channel.writeInbound("in");
      else if (step === "write") channel.writeOutbound("out");
      else handler.setIdleTimes(step);
    }
    assertEquals(told, [...wanted]);
  });
}

Deno.test("IdleStateHandler.setIdleTimes() works from within an event", () => {
  const { channel, told, handler } = watching({ readerIdleMs: 1000, allIdleMs: 1000 }, ({ first }) => {
    if (first) handler.setIdleTimes({ writerIdleMs: 400 });
  });
  channel.advanceBy(1400);
  // The second event of the first instant is no longer wanted, and the writer's time is over already.
  assertEquals(told, [[1000, "reader", true], [1000, "writer", true], [1400, "writer", false]]);
});

Deno.test("IdleStateHandler.setIdleTimes() refuses what is no time, and changes nothing then", () => {
  const { handler, channel, told } = watching({ readerIdleMs: 1000 });
  for (const value of [-1, NaN, Infinity]) {
    for (const name of ["readerIdleMs", "writerIdleMs", "allIdleMs"]) {
      assertThrows(
        () => handler.setIdleTimes({ writerIdleMs: 5, [name]: value }),
        RangeError,
        `Cannot watch for idleness: ${name} must be a finite number of ms, 0 or more, got ${value}`,
      );
      assertThrows(() => new IdleStateHandler({ [name]: value }), RangeError);
    }
  }
  channel.advanceBy(1000);
  assertEquals(told, [[1000, "reader", true]]);
});

Deno.test("IdleStateHandler does not call a link idle while a batch is being read", () => {
  const { channel, told } = watching({ readerIdleMs: 1000, allIdleMs: 1000 });
  channel.advanceBy(500);
  channel.pipeline.fireChannelRead("the first of many");
  channel.advanceBy(3000);
  assertEquals(told, []);
  channel.pipeline.fireChannelReadComplete();
  channel.advanceBy(999);
  assertEquals(told, []);
  channel.advanceBy(1);
  assertEquals(told, [[4500, "reader", true], [4500, "all", true]]);
});

Deno.test("IdleStateHandler takes no empty batch for traffic", () => {
  const { channel, told } = watching({ readerIdleMs: 1000 });
  channel.advanceBy(900);
  channel.pipeline.fireChannelReadComplete();
  channel.advanceBy(100);
  assertEquals(told, [[1000, "reader", true]]);
});

Deno.test("IdleStateHandler takes no failed write for traffic", () => {
  const { channel, handler, told } = watching({ writerIdleMs: 1000 });
  channel.pipeline.addFirst({
    write: (_context, _message, promise) => void promise.reject(new Error("no")),
  });
  channel.advanceBy(900);
  channel.write("lost").onSettled(() => {});
  channel.advanceBy(100);
  assertEquals(told, [[1000, "writer", true]]);
  assertEquals(handler.lastWriteMs, 0);
});

Deno.test("IdleStateHandler takes a write for traffic when it leaves, not when it is made", () => {
  const { channel, handler } = watching({});
  channel.advanceBy(100);
  channel.write("waits");
  channel.advanceBy(100);
  assertEquals(handler.lastWriteMs, 0);
  channel.flush();
  assertEquals(handler.lastWriteMs, 200);
});

Deno.test("IdleStateHandler has the clocks of both directions", () => {
  const { channel, handler } = watching({});
  channel.advanceBy(1000);
  channel.writeInbound("in");
  channel.advanceBy(500);
  channel.writeOutbound("out");
  channel.advanceBy(250);
  assertEquals([handler.lastReadMs, handler.lastWriteMs, handler.idleForMs], [1000, 1500, 250]);
  channel.loseLink();
  channel.advanceBy(250);
  channel.reopen();
  assertEquals([handler.lastReadMs, handler.lastWriteMs, handler.idleForMs], [2000, 2000, 0]);
});

Deno.test("IdleStateHandler arms again for each link of a channel", () => {
  // Netty's does not: once destroyed by channelInactive it stays so.
  const { channel, loop, told } = watching({ readerIdleMs: 1000 });
  channel.advanceBy(1500);
  channel.loseLink();
  assertEquals(loop.pendingTimers, 0);
  channel.advanceBy(10_000);
  channel.reopen();
  assertEquals(loop.pendingTimers, 1);
  channel.advanceBy(1000);
  assertEquals(told, [[1000, "reader", true], [12_500, "reader", true]]);
});

Deno.test("IdleStateHandler takes idle times while there is no link", () => {
  const { channel, handler, loop, told } = watching({ readerIdleMs: 1000 });
  channel.loseLink();
  handler.setIdleTimes({ writerIdleMs: 500 });
  assertEquals(loop.pendingTimers, 0);
  channel.reopen();
  channel.advanceBy(500);
  assertEquals(told, [[500, "writer", true]]);
});

Deno.test("IdleStateHandler starts where a link stands when it is added", () => {
  const channel = new EmbeddedChannel();
  channel.advanceBy(700);
  const told: unknown[] = [];
  channel.pipeline.addLast(new IdleStateHandler({ allIdleMs: 1000 }), {
    userEventTriggered: (_context, event) => told.push(event),
  });
  channel.advanceBy(999);
  assertEquals(told, []);
  channel.advanceBy(1);
  assertEquals(told, [{ type: "idle", state: "all", first: true }]);
});

Deno.test("IdleStateHandler leaves no timer when removed, closed, or switched off", async () => {
  const removed = watching({ readerIdleMs: 1000 });
  removed.channel.pipeline.remove(removed.handler);
  assertEquals(removed.loop.pendingTimers, 0);
  removed.handler.setIdleTimes({ readerIdleMs: 10 });
  assertEquals(removed.loop.pendingTimers, 0);

  const closed = watching({ readerIdleMs: 1000 });
  await closed.channel.close();
  assertEquals(closed.loop.pendingTimers, 0);

  const off = watching({ readerIdleMs: 1000 });
  off.handler.setIdleTimes({});
  assertEquals(off.loop.pendingTimers, 0);
});

Deno.test("IdleStateHandler stands it to be removed, closed or cut off by its own event", () => {
  for (const act of ["remove", "close", "loseLink"] as const) {
    const { channel, loop, told, handler } = watching(
      { readerIdleMs: 1000, writerIdleMs: 1000, allIdleMs: 1000 },
      (_event, channel) => {
        if (act === "remove") channel.pipeline.remove(handler);
        else if (act === "close") channel.close();
        else channel.loseLink();
      },
    );
    channel.advanceBy(10_000);
    assertEquals(told, [[1000, "reader", true]], act);
    assertEquals(loop.pendingTimers, 0, act);
  }
});

Deno.test("IdleStateHandler counts from the new link when its event led to one", () => {
  let reopened = false;
  const { channel, told, loop } = watching({ readerIdleMs: 1000, allIdleMs: 1000 }, (_event, channel) => {
    if (reopened) return;
    reopened = true;
    channel.loseLink();
    channel.reopen();
  });
  channel.advanceBy(2000);
  assertEquals(told, [[1000, "reader", true], [2000, "reader", true], [2000, "all", true]]);
  assertEquals(loop.pendingTimers, 1);
});

Deno.test("IdleStateHandler tells once of the silence of a machine that slept", () => {
  const { loop, told } = watching({ readerIdleMs: 1000 });
  loop.sleep(3_600_000);
  assertEquals(told, [[3_600_000, "reader", true]]);
  loop.advanceBy(1000);
  assertEquals(told.length, 2);
});

Deno.test("IdleStateHandler pays one look at the clock for a read or a write, and no timer operation", () => {
  const loop = new CountingLoop();
  const handler = new IdleStateHandler({ readerIdleMs: 60_000, writerIdleMs: 60_000, allIdleMs: 60_000 });
  const channel = new EmbeddedChannel({ loop, handlers: [handler] });
  const { scheduled, cancelled } = loop;
  assertEquals(scheduled, 1);
  loop.clockReads = 0;
  for (let i = 0; i < 1000; i++) {
    channel.writeInbound("in");
    channel.writeOutbound("out");
  }
  assertEquals([loop.scheduled, loop.cancelled, loop.clockReads], [scheduled, cancelled, 2000]);
  channel.drainInbound();
  channel.drainOutbound();
});

Deno.test("IdleStateHandler keeps one timer whatever it watches", () => {
  const { loop, channel, handler } = watching({ readerIdleMs: 300, writerIdleMs: 500, allIdleMs: 700 });
  for (let i = 0; i < 20; i++) {
    channel.advanceBy(170);
    channel.writeInbound("in");
    handler.setIdleTimes({ readerIdleMs: 300, writerIdleMs: 400 + i });
    assertEquals(loop.pendingTimers, 1);
  }
});

Deno.test("IdleStateHandler.setIdleTimes() costs nothing where nothing changes", () => {
  const loop = new CountingLoop();
  const handler = new IdleStateHandler({ readerIdleMs: 1000 });
  new EmbeddedChannel({ loop, handlers: [handler] });
  const { scheduled } = loop;
  handler.setIdleTimes({ readerIdleMs: 1000 });
  assertEquals(loop.scheduled, scheduled);
});

Deno.test("IdleStateHandler events cannot be changed by a handler", () => {
  const events: IdleStateEvent[] = [];
  const { channel } = watching({ readerIdleMs: 10 }, (event) => events.push(event));
  channel.advanceBy(30);
  assertStrictEquals(events[1], events[2]);
  assert(events.every(Object.isFrozen));
});

/** A link that sends as much, and when, as the test says. */
class SlowLink implements Link {
  readonly localAddress = "";
  readonly remoteAddress = "";
  sink!: LinkSink;

  open(sink: LinkSink): void {
    this.sink = sink;
  }
  read(): void {}
  write(): void {}
  flush(): void {}
  close(): void {
    this.sink.onClosed("closed");
  }
  abort(): void {
    this.sink.onClosed("closed");
  }
}

/** A channel that has 10,000 bytes to send over a slow link. */
function sending(options: { observeOutput?: boolean } & IdleTimes) {
  const loop = new VirtualEventLoop();
  const link = new SlowLink();
  const told: Told[] = [];
  const channel = new Channel({
    loop,
    transport: { name: "slow", keepsMessages: false, connect: () => link },
    pipeline: (p) =>
      p.addLast(new IdleStateHandler(options), {
        userEventTriggered: (_context, event) => {
          const { type, state, first } = event as IdleStateEvent;
          if (type === "idle") told.push([loop.now(), state, first]);
        },
      }),
  });
  channel.attach(link);
  const sent = channel.writeAndFlush(new Uint8Array(10_000));
  sent.onSettled(() => {});
  return { loop, link, told, channel, sent };
}

Deno.test("IdleStateHandler takes the progress of a large message for writing", () => {
  const { loop, link, told, sent } = sending({ writerIdleMs: 1000, allIdleMs: 1000 });
  for (let i = 0; i < 5; i++) {
    loop.advanceBy(500);
    link.sink.onFlushed(1000);
    loop.advanceBy(500);
  }
  assertFalse(sent.isDone);
  assertEquals(told, []);
  // The peer takes no more: now the link is idle, one period after that was last seen.
  loop.advanceBy(1000);
  assertEquals(told, [[6000, "writer", true], [6000, "all", true]]);
  link.sink.onFlushed(5000);
  assert(sent.isDone);
  loop.advanceBy(1000);
  assertEquals(told.slice(2), [[7000, "writer", true], [7000, "all", true]]);
});

Deno.test("IdleStateHandler takes no stuck message for writing", () => {
  const { loop, told } = sending({ writerIdleMs: 1000 });
  loop.advanceBy(2000);
  assertEquals(told, [[1000, "writer", true], [2000, "writer", false]]);
});

Deno.test("IdleStateHandler does not look at progress without observeOutput", () => {
  const { loop, link, told } = sending({ writerIdleMs: 1000, observeOutput: false });
  loop.advanceBy(500);
  link.sink.onFlushed(1000);
  loop.advanceBy(500);
  assertEquals(told, [[1000, "writer", true]]);
});

Deno.test("IdleStateHandler takes no progress of writing for reading", () => {
  const { loop, link, told } = sending({ readerIdleMs: 1000 });
  loop.advanceBy(500);
  link.sink.onFlushed(1000);
  loop.advanceBy(500);
  assertEquals(told, [[1000, "reader", true]]);
});
