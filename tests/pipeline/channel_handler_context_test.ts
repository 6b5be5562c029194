import { assert, assertEquals, assertFalse, assertInstanceOf, assertStrictEquals } from "@std/assert";
import type { ChannelHandler } from "../../pipeline/channel_handler.ts";
import type { ChannelHandlerContext } from "../../pipeline/channel_handler_context.ts";
import { ChannelPromise } from "../../pipeline/channel_promise.ts";
import { EmbeddedChannel } from "../../pipeline/embedded_channel.ts";
import { LinkDownError } from "../../pipeline/errors.ts";
import { recorder } from "./_recorder.ts";
import { turn } from "./_turn.ts";

/** A channel's unhandled errors, taken out. */
function unhandled(channel: EmbeddedChannel): unknown[] {
  const errors: unknown[] = [];
  for (;;) {
    try {
      channel.checkException();
      return errors;
    } catch (error) {
      errors.push(error);
    }
  }
}

const INBOUND = {
  channelActive: (context: ChannelHandlerContext) => context.fireChannelActive(),
  channelInactive: (context: ChannelHandlerContext) => context.fireChannelInactive(),
  channelRead: (context: ChannelHandlerContext) => context.fireChannelRead("message"),
  channelReadComplete: (context: ChannelHandlerContext) => context.fireChannelReadComplete(),
  channelWritabilityChanged: (context: ChannelHandlerContext) => context.fireChannelWritabilityChanged(),
  userEventTriggered: (context: ChannelHandlerContext) => context.fireUserEventTriggered("event"),
};

Deno.test("ChannelHandlerContext shows its place", () => {
  const handler = {};
  const channel = new EmbeddedChannel();
  channel.pipeline.addLast("place", handler);
  const context = channel.pipeline.context("place")!;
  assertEquals(context.name, "place");
  assertStrictEquals(context.handler, handler);
  assertStrictEquals(context.channel, channel);
  assertStrictEquals(context.pipeline, channel.pipeline);
  assertStrictEquals(context.loop, channel.loop);
  assertFalse(context.isRemoved);
  channel.pipeline.remove(handler);
  assert(context.isRemoved);
  assertEquals(context.name, "place");
});

Deno.test("ChannelHandlerContext passes each event on to the next handler that has a method for it", () => {
  for (const [event, pass] of Object.entries(INBOUND)) {
    const log: string[] = [];
    const source: ChannelHandler = {};
    const others = Object.keys(INBOUND).filter((method) => method !== event);
    const deaf = Object.fromEntries(others.map((method) => [method, () => log.push(`wrong ${method}`)]));
    const channel = new EmbeddedChannel({ handlers: [source, {}, deaf, { [event]: () => log.push(event) }] });
    log.length = 0;
    pass(channel.pipeline.context(source)!);
    assertEquals(log, [event]);
  }
});

Deno.test("ChannelHandlerContext's operations start at its place, Channel's at the tail", () => {
  const log: string[] = [];
  const first = recorder("first", log);
  const second = recorder("second", log);
  const channel = new EmbeddedChannel({ handlers: [first, second], autoRead: false });
  const operate = (target: Pick<ChannelHandlerContext, "write" | "flush" | "read" | "writeAndFlush">) => {
    log.length = 0;
    target.write("a");
    target.flush();
    target.read();
    target.writeAndFlush("b");
    return log.slice();
  };
  const one = ["first write a", "first flush", "first read", "first write b", "first flush"];
  assertEquals(operate(channel.pipeline.context(second)!), one);
  assertEquals(operate(channel.pipeline.context(first)!), []);
  const both = one.flatMap((entry) => [entry.replace("first", "second"), entry]);
  assertEquals(operate(channel), both);
  assertEquals(operate(channel.pipeline), both);
  assertEquals(channel.drainOutbound(), ["a", "b", "a", "b", "a", "b", "a", "b"]);
});

Deno.test("ChannelHandlerContext.write() settles the promise it was given", () => {
  const given: ChannelPromise[] = [];
  const source: ChannelHandler = {};
  const channel = new EmbeddedChannel({
    handlers: [{
      write(context, message, promise) {
        given.push(promise);
        context.write(`<${message}>`, promise);
      },
    }, source],
  });
  const context = channel.pipeline.context(source)!;
  const own = new ChannelPromise();
  assertStrictEquals(context.write("a", own), own);
  const made = context.writeAndFlush("b");
  assertStrictEquals(given[0], own);
  assertStrictEquals(given[1], made);
  assert(own.isSuccess && made.isSuccess);
  assertEquals(channel.drainOutbound(), ["<a>", "<b>"]);
});

Deno.test("ChannelHandlerContext: an inbound method's throw goes to its own exceptionCaught, then onwards", () => {
  for (const [event, fire] of Object.entries(INBOUND)) {
    const log: string[] = [];
    const source: ChannelHandler = {};
    const error = new Error("no");
    const failing: ChannelHandler = {
      [event]() {
        throw error;
      },
      exceptionCaught(context, caught) {
        log.push("own");
        context.fireExceptionCaught(caught);
      },
    };
    const channel = new EmbeddedChannel({
      handlers: [recorder("before", []), source, failing, recorder("after", log)],
    });
    unhandled(channel);
    log.length = 0;
    fire(channel.pipeline.context(source)!);
    assertEquals(log, ["own", "after error no"], event);
    assertEquals(unhandled(channel), [error]);
  }
});

Deno.test("ChannelHandlerContext: an inbound method's rejected promise goes the same way, later", async () => {
  for (const [event, fire] of Object.entries(INBOUND)) {
    for (const kind of ["async", "channelPromise", "thenable"]) {
      const log: string[] = [];
      const source: ChannelHandler = {};
      const error = new Error("later");
      const failing: ChannelHandler = {
        [event]() {
          if (kind === "async") return Promise.reject(error);
          if (kind === "thenable") {
            return { then: (_: unknown, reject: (error: unknown) => void) => reject(error) };
          }
          const promise = new ChannelPromise(channel);
          promise.reject(error);
          return promise;
        },
        exceptionCaught(context, caught) {
          log.push("own");
          context.fireExceptionCaught(caught);
        },
      };
      const channel: EmbeddedChannel = new EmbeddedChannel({
        active: false,
        handlers: [source, failing, recorder("after", log)],
      });
      log.length = 0;
      fire(channel.pipeline.context(source)!);
      await turn();
      assertEquals(log, ["own", "after error later"], `${event} ${kind}`);
      assertEquals(unhandled(channel), [error]);
    }
  }
});

Deno.test("ChannelHandlerContext: a handler without exceptionCaught lets its error go onwards, and never backwards", () => {
  const log: string[] = [];
  const channel = new EmbeddedChannel({
    handlers: [recorder("before", log), {
      channelRead() {
        throw new Error("no");
      },
    }, recorder("after", log)],
  });
  log.length = 0;
  channel.pipeline.fireChannelRead("x");
  assertEquals(log, ["before read x", "after error no"]);
  assertEquals(unhandled(channel).length, 1);
});

Deno.test("ChannelHandlerContext: an error that a handler does not pass on is handled", () => {
  const seen: unknown[] = [];
  const channel = new EmbeddedChannel({
    handlers: [{
      channelRead() {
        throw "no";
      },
    }, { exceptionCaught: (_context, error) => seen.push(error) }],
  });
  channel.writeInbound("x");
  assertEquals(seen, ["no"]);
});

Deno.test("ChannelHandlerContext: exceptionCaught that fails is reported with the first error, once, and goes no further", async () => {
  for (const kind of ["throw", "reject"]) {
    const log: string[] = [];
    const first = new Error("first");
    const second = new Error("second");
    const channel = new EmbeddedChannel();
    channel.pipeline.addLast("bad", {
      channelRead() {
        throw first;
      },
      exceptionCaught() {
        if (kind === "throw") throw second;
        return Promise.reject(second);
      },
    });
    channel.pipeline.addLast(recorder("after", log));
    log.length = 0;
    channel.pipeline.fireChannelRead("x");
    await turn();
    assertEquals(log, []);
    const [report, ...more] = unhandled(channel);
    assertEquals(more, []);
    assertInstanceOf(report, AggregateError);
    assertEquals(report.errors, [second, first]);
    assertEquals(report.message, 'Cannot handle the error: exceptionCaught of "bad" failed itself');
  }
});

Deno.test("ChannelHandlerContext: flush and read, which have no promise, fail as inbound methods do", () => {
  for (const method of ["flush", "read"] as const) {
    const log: string[] = [];
    const channel = new EmbeddedChannel({
      autoRead: false,
      handlers: [{
        [method]() {
          throw new Error(method);
        },
        exceptionCaught(context, error) {
          log.push("own");
          context.fireExceptionCaught(error);
        },
      }, recorder("after", log)],
    });
    log.length = 0;
    channel[method]();
    assertEquals(log, [`after ${method}`, "own", `after error ${method}`]);
    assertEquals(unhandled(channel).length, 1);
  }
});

Deno.test("ChannelHandlerContext: an outbound method's throw or rejection fails its promise and fires nothing", async () => {
  const operations = {
    write: (channel: EmbeddedChannel) => channel.write("x"),
    connect: (channel: EmbeddedChannel) => channel.connect("embedded://peer"),
    close: (channel: EmbeddedChannel) => channel.close(),
  };
  for (const [method, operate] of Object.entries(operations)) {
    for (const kind of ["throw", "reject"]) {
      const log: string[] = [];
      const error = new Error("no");
      const channel = new EmbeddedChannel({
        handlers: [{
          [method]() {
            if (kind === "throw") throw error;
            return Promise.reject(error);
          },
          exceptionCaught: () => log.push("own"),
        }, { exceptionCaught: () => log.push("after") }],
      });
      const promise = operate(channel);
      promise.onSettled(() => {});
      await turn();
      assertStrictEquals(promise.error, error, `${method} ${kind}`);
      assertEquals([log, unhandled(channel)], [[], []]);
    }
  }
});

Deno.test("ChannelHandlerContext: an outbound failure that nobody awaits is reported once", async () => {
  for (const kind of ["throw", "reject"]) {
    const error = new Error("no");
    const channel = new EmbeddedChannel({
      handlers: [{
        write() {
          if (kind === "throw") throw error;
          return Promise.reject(error);
        },
      }],
    });
    channel.write("x");
    await turn();
    assertEquals(unhandled(channel), [error]);
  }
});

Deno.test("ChannelHandlerContext: an outbound method that fails after its operation succeeded is reported", async () => {
  const error = new Error("afterwards");
  const channel = new EmbeddedChannel({
    handlers: [{
      write(context, message, promise) {
        context.writeAndFlush(message, promise);
        throw error;
      },
    }],
  });
  const promise = channel.write("x");
  await promise;
  assertEquals(unhandled(channel), [error]);
});

Deno.test("ChannelHandlerContext: an async write that awaits its own promise does not double the failure, and does not hide it", async () => {
  const encoder = (): ChannelHandler => ({
    async write(context, message, promise) {
      await Promise.resolve();
      await context.write(message, promise);
    },
  });
  const returning = (): ChannelHandler => ({
    async write(context, message, promise) {
      await Promise.resolve();
      return context.write(message, promise);
    },
  });
  const rejecting = (): ChannelHandler => ({
    write(_context, _message, promise) {
      const error = new LinkDownError("write", "reset");
      promise.reject(error);
      throw error;
    },
  });
  for (const handlers of [[encoder()], [returning()], [returning(), encoder(), encoder()], [rejecting()]]) {
    const channel = new EmbeddedChannel({ active: false, handlers });
    let caught: unknown;
    await channel.write("awaited").catch((error) => caught = error);
    await turn();
    assertInstanceOf(caught, LinkDownError);
    assertEquals(unhandled(channel), []);
    channel.write("not awaited");
    await turn();
    assertEquals(unhandled(channel).map((error) => (error as Error).name), ["LinkDownError"]);
  }
});

Deno.test("ChannelHandlerContext: channelRead may return what writeAndFlush returns: its failure becomes an inbound error", async () => {
  const errors: unknown[] = [];
  const channel = new EmbeddedChannel({
    handlers: [{
      channelRead: (context, message) => {
        context.channel.drop("protocol");
        return context.writeAndFlush(message);
      },
      exceptionCaught: (_context, error) => errors.push(error),
    }],
  });
  channel.autoClose = false;
  channel.writeInbound("x");
  await turn();
  assertEquals(errors.map((error) => (error as LinkDownError).reason), ["protocol"]);
  channel.checkException();
});

Deno.test("ChannelHandlerContext: what a method returns besides promises means nothing", () => {
  for (const value of [null, 0, "text", {}, [], { then: 1 }]) {
    const channel = new EmbeddedChannel({
      handlers: [{
        channelRead: () => value,
        write: (context, message, promise) => {
          context.write(message, promise);
          return value;
        },
        exceptionCaught: () => value,
      }],
    });
    channel.writeInbound("x");
    channel.pipeline.fireExceptionCaught(new Error("no"));
    assert(channel.writeOutbound("y"));
  }
});

Deno.test("ChannelHandlerContext: a removed handler's late rejection goes on from where it was", async () => {
  const log: string[] = [];
  const { promise, reject } = Promise.withResolvers<void>();
  const slow: ChannelHandler = { channelRead: () => promise, exceptionCaught: () => log.push("own") };
  const channel = new EmbeddedChannel({ handlers: [recorder("before", []), slow, recorder("after", log)] });
  channel.writeInbound("x");
  channel.pipeline.remove(slow);
  log.length = 0;
  reject(new Error("late"));
  await turn();
  assertEquals(log, ["after error late"]);
  assertEquals(unhandled(channel).length, 1);
});

Deno.test("ChannelHandlerContext: a handler's late rejection after the channel closed is reported", async () => {
  const { promise, reject } = Promise.withResolvers<void>();
  const channel = new EmbeddedChannel({ handlers: [{ channelRead: () => promise }] });
  channel.writeInbound("x");
  await channel.close();
  reject(new Error("late"));
  await turn();
  assertEquals(unhandled(channel).map((error) => (error as Error).message), ["late"]);
});

Deno.test("ChannelHandlerContext: a removed context still passes everything on, to where its neighbours are", () => {
  const log: string[] = [];
  const middle: ChannelHandler = {};
  const channel = new EmbeddedChannel({ handlers: [recorder("left", log), middle, recorder("right", log)] });
  const context = channel.pipeline.context(middle)!;
  channel.pipeline.remove(middle);
  log.length = 0;
  context.fireChannelRead("a");
  context.fireUserEventTriggered({ type: "event" });
  context.write("b");
  context.flush();
  context.close();
  assertEquals(log.slice(0, 5), ["right read a", "right event", "left write b", "left flush", "left close"]);
  // Its neighbours are gone as well now; what is passed on ends at the tail and at the head.
  log.length = 0;
  context.fireChannelRead("late");
  assertEquals(log, []);
  assertEquals(channel.drainInbound(), ["a", "late"]);
});

Deno.test("ChannelHandlerContext: a removed context steps over neighbours that were removed after it, and meets those that came", () => {
  const log: string[] = [];
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => recorder(name, log)) as [
    ChannelHandler,
    ChannelHandler,
    ChannelHandler,
    ChannelHandler,
  ];
  const channel = new EmbeddedChannel({ handlers: [a, b, c, d] });
  const context = channel.pipeline.context(b)!;
  channel.pipeline.remove(b);
  log.length = 0;
  context.fireChannelRead("x");
  context.write("y");
  assertEquals(log, ["c read x", "d read x", "a write y"]);
  channel.pipeline.remove(c);
  channel.pipeline.replace(d, recorder("e", log));
  log.length = 0;
  context.fireChannelRead("x");
  assertEquals(log, ["e read x"]);
  channel.pipeline.remove(a);
  log.length = 0;
  assertEquals(context.write("y").error, undefined);
  assertEquals(log, []);
});

Deno.test("ChannelHandlerContext: what exceptionCaught of a removed handler would get goes to the next one", () => {
  const log: string[] = [];
  const leaving: ChannelHandler = {
    channelRead(context) {
      context.pipeline.remove(this);
      throw new Error("last words");
    },
    exceptionCaught: () => log.push("own"),
  };
  const channel = new EmbeddedChannel({ handlers: [leaving, recorder("after", log)] });
  log.length = 0;
  channel.pipeline.fireChannelRead("x");
  assertEquals(log, ["after error last words"]);
  unhandled(channel);
});

Deno.test("ChannelHandlerContext keeps `this` for methods of a class", () => {
  class Counter implements ChannelHandler {
    reads = 0;
    writes = 0;
    actives = 0;
    channelRead(): void {
      this.reads++;
    }
    write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
      this.writes++;
      context.write(message, promise);
    }
    channelActive(): void {
      this.actives++;
    }
  }
  const counter = new Counter();
  const channel = new EmbeddedChannel({ handlers: [counter] });
  channel.writeInbound("a", "b");
  channel.writeOutbound("c");
  assertEquals([counter.reads, counter.writes, counter.actives], [2, 1, 1]);
});
