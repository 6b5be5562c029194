import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import type { ChannelHandler } from "../../pipeline/channel_handler.ts";
import type { ChannelPipeline } from "../../pipeline/channel_pipeline.ts";
import { EmbeddedChannel } from "../../pipeline/embedded_channel.ts";
import { ChannelClosedError, PipelineError } from "../../pipeline/errors.ts";
import { recorder } from "./_recorder.ts";
import { turn } from "./_turn.ts";

class Codec implements ChannelHandler {
  channelRead(): void {}
}
class SubCodec extends Codec {}

function pipelineOf(...names: string[]): ChannelPipeline {
  const { pipeline } = new EmbeddedChannel();
  for (const name of names) pipeline.addLast(name, {});
  return pipeline;
}

Deno.test("ChannelPipeline.addFirst(), addLast(), addBefore() and addAfter() keep the order of what they are given", () => {
  const log: string[] = [];
  const { pipeline } = new EmbeddedChannel();
  const [a, b, c, d, e, f, g, h] = ["a", "b", "c", "d", "e", "f", "g", "h"].map((name) =>
    recorder(name, log)
  ) as [
    ChannelHandler,
    ...ChannelHandler[],
  ];
  pipeline.addLast(c!, d!).addFirst(a, b!).addBefore(d!, e!, f!).addAfter(d!, g!, h!);
  log.length = 0;
  pipeline.fireChannelRead("x");
  assertEquals(log.map((entry) => entry[0]).join(""), "abcefdgh");
  pipeline.addFirst().addLast().addBefore(a).addAfter(a);
  assertEquals(pipeline.names().length, 8);
});

Deno.test("ChannelPipeline adds one handler by name", () => {
  const pipeline = pipelineOf("b");
  pipeline.addFirst("a", {}).addLast("e", {}).addBefore("e", "c", {}).addAfter("c", "d", {});
  assertEquals(pipeline.names(), ["a", "b", "c", "d", "e"]);
});

Deno.test("ChannelPipeline makes names of the class and a number, and none twice", () => {
  const { pipeline } = new EmbeddedChannel();
  const foreign = Object.create(null) as ChannelHandler;
  pipeline.addLast(new Codec(), new SubCodec(), {}, new Codec(), foreign, new class {}());
  assertEquals(pipeline.names(), ["Codec#0", "SubCodec#0", "Handler#0", "Codec#1", "Handler#1", "Handler#2"]);
  pipeline.remove("Codec#0");
  pipeline.addLast(new Codec());
  assertEquals(pipeline.names().at(-1), "Codec#0");
});

Deno.test("ChannelPipeline's made names and given names never collide", () => {
  const given = pipelineOf("Codec#0");
  given.addLast(new Codec());
  assertEquals(given.names(), ["Codec#0", "Codec#1"]);
  const { pipeline: made } = new EmbeddedChannel();
  made.addLast(new Codec());
  assertThrows(
    () => made.addLast("Codec#0", {}),
    TypeError,
    'Cannot add the handler "Codec#0": the name is taken',
  );
  assertEquals(made.names(), ["Codec#0"]);
});

Deno.test("ChannelPipeline refuses a name that is taken, and leaves the handler free", () => {
  const pipeline = pipelineOf("a", "b");
  const handler = {};
  const taken = 'Cannot add the handler "a": the name is taken';
  assertThrows(() => pipeline.addFirst("a", handler), TypeError, taken);
  assertThrows(() => pipeline.addLast("a", handler), TypeError, taken);
  assertThrows(() => pipeline.addBefore("b", "a", handler), TypeError, taken);
  assertThrows(() => pipeline.addAfter("b", "a", handler), TypeError, taken);
  assertThrows(() => pipeline.replace("b", handler, "a"), TypeError, taken);
  pipeline.replace("a", handler, "a");
  assertEquals(pipeline.names(), ["a", "b"]);
});

Deno.test("ChannelPipeline refuses what is no handler", () => {
  const { pipeline } = new EmbeddedChannel();
  for (
    const [wrong, what] of [[null, "null"], [undefined, "undefined"], [Codec, "function"], [
      [],
      "an array: spread it",
    ], [
      7,
      "number",
    ]] as const
  ) {
    const message = `Cannot add the handler: it must be an object, got ${what}`;
    assertThrows(() => pipeline.addLast(wrong as unknown as ChannelHandler), TypeError, message);
    assertThrows(() => pipeline.addLast("name", wrong as unknown as ChannelHandler), TypeError, message);
  }
  assertEquals(pipeline.names(), []);
});

Deno.test("ChannelPipeline.get() and context() find by name, instance and class", () => {
  const { pipeline } = new EmbeddedChannel();
  const sub = new SubCodec();
  const codec = new Codec();
  pipeline.addLast("sub", sub).addLast("codec", codec);
  const found: SubCodec | undefined = pipeline.get(SubCodec);
  assertStrictEquals(found, sub);
  assertStrictEquals(pipeline.get(Codec), sub); // the first one of it, or of a class under it
  assertStrictEquals(pipeline.get("codec"), codec);
  assertStrictEquals(pipeline.get(codec), codec);
  assertStrictEquals(pipeline.context(codec)?.handler, codec);
  assertStrictEquals(pipeline.context("codec"), pipeline.context(codec));
  assertEquals(pipeline.context(SubCodec)?.name, "sub");
  for (const missing of ["nothing", {}, class Missing {}]) {
    assertEquals(pipeline.get(missing), undefined);
    assertEquals(pipeline.context(missing), undefined);
  }
  assertEquals(Array.from(pipeline.iterate(), ({ handler }) => handler), [sub, codec]);
});

Deno.test("ChannelPipeline.remove() and replace() return the old handler, by name, instance and class", () => {
  const { pipeline } = new EmbeddedChannel();
  const codecs = [new Codec(), new Codec(), new SubCodec()] as const;
  pipeline.addLast("a", codecs[0]).addLast(...codecs.slice(1));
  assertStrictEquals(pipeline.remove("a"), codecs[0]);
  assertStrictEquals(pipeline.remove(codecs[1]), codecs[1]);
  assertStrictEquals(pipeline.replace(SubCodec, codecs[0], "again"), codecs[2]);
  assertEquals(pipeline.names(), ["again"]);
});

Deno.test("ChannelPipeline says what it could not find", () => {
  const pipeline = pipelineOf();
  const attempts: [() => unknown, string][] = [
    [() => pipeline.remove("a"), 'Cannot remove the handler "a": it is not in this pipeline'],
    [() => pipeline.remove(Codec), "Cannot remove the handler Codec: it is not in this pipeline"],
    [() => pipeline.remove(new Codec()), "Cannot remove the handler Codec: it is not in this pipeline"],
    [() => pipeline.replace("a", {}), 'Cannot replace the handler "a": it is not in this pipeline'],
    [() => pipeline.addBefore("a", {}), 'Cannot add before the handler "a": it is not in this pipeline'],
    [() => pipeline.addAfter("a", {}), 'Cannot add after the handler "a": it is not in this pipeline'],
  ];
  for (const [attempt, message] of attempts) assertThrows(attempt, TypeError, message);
});

Deno.test("ChannelPipeline refuses one instance in two places, unless it is sharable or was removed", () => {
  const one = pipelineOf();
  const other = pipelineOf();
  const handler = new Codec();
  one.addLast(handler);
  const message =
    'Cannot add the handler "Codec#0": the instance is in a pipeline already and is not sharable';
  assertThrows(() => other.addLast(handler), TypeError, message);
  assertThrows(() => one.addLast(handler), TypeError, "is not sharable");
  assertThrows(() => one.replace(handler, handler), TypeError, "is not sharable");
  assertEquals(one.names(), ["Codec#0"]);
  one.remove(handler);
  other.addLast(handler);
  other.replace(handler, {});
  one.addLast(handler);

  let added = 0;
  const sharable: ChannelHandler = { isSharable: true, handlerAdded: () => added++ };
  one.addLast(sharable, sharable);
  other.addLast(sharable);
  other.replace(sharable, sharable);
  assertEquals(added, 4);
});

Deno.test("ChannelPipeline keeps isAdded of a handler that declares it, and goes by it", async () => {
  class Declaring implements ChannelHandler {
    isAdded = false;
  }
  const handler = new Declaring();
  const channel = new EmbeddedChannel({ handlers: [handler] });
  assertEquals(handler.isAdded, true);
  assertThrows(() => pipelineOf().addLast(handler), TypeError, "is not sharable");
  channel.pipeline.replace(handler, {});
  assertEquals(handler.isAdded, false);
  channel.pipeline.addLast(handler);
  await channel.close();
  assertEquals(handler.isAdded, false);
});

Deno.test("ChannelPipeline frees a handler when its channel closes", async () => {
  const handler = new Codec();
  const channel = new EmbeddedChannel({ handlers: [handler] });
  await channel.close();
  new EmbeddedChannel({ handlers: [handler] });
});

Deno.test("ChannelPipeline lets a handler be added elsewhere from within its own handlerRemoved", () => {
  const other = pipelineOf();
  const handler: ChannelHandler = { handlerRemoved: () => other.addLast(handler) };
  const pipeline = pipelineOf();
  pipeline.addLast(handler);
  pipeline.remove(handler);
  assertStrictEquals(other.context(handler)?.handler, handler);
});

Deno.test("ChannelPipeline refuses to add to a closed channel", async () => {
  const channel = new EmbeddedChannel();
  channel.pipeline.addLast("a", {});
  await channel.close();
  const handler: ChannelHandler = { handlerAdded: () => assert(false, "was added") };
  const attempts = [
    () => channel.pipeline.addFirst(handler),
    () => channel.pipeline.addLast(handler),
    () => channel.pipeline.addBefore("a", handler),
    () => channel.pipeline.addAfter("a", handler),
    () => channel.pipeline.replace("a", handler),
  ];
  for (const attempt of attempts) {
    assertThrows(attempt, ChannelClosedError, "Cannot add the handler: the channel is closed");
  }
  assertEquals(channel.pipeline.names(), []);
  new EmbeddedChannel({ handlers: [{ ...handler, handlerAdded: undefined }] });
});

Deno.test("ChannelPipeline calls handlerAdded when the handler is in its place, handlerRemoved when it is out", () => {
  const log: unknown[] = [];
  const pipeline = pipelineOf("a", "c");
  const handler: ChannelHandler = {
    handlerAdded: (context) => log.push("added", pipeline.names(), context.isRemoved),
    handlerRemoved: (context) => log.push("removed", pipeline.names(), context.isRemoved),
  };
  pipeline.addAfter("a", "b", handler);
  pipeline.remove(handler);
  assertEquals(log, ["added", ["a", "b", "c"], false, "removed", ["a", "c"], true]);
});

Deno.test("ChannelPipeline takes all handlers out from tail to head when the channel closes, each once", async () => {
  const log: string[] = [];
  const channel = new EmbeddedChannel({
    handlers: ["a", "b", "c"].map((name) => ({ handlerRemoved: () => log.push(name) })),
  });
  await channel.close();
  await channel.close();
  channel.pipeline.destroy();
  assertEquals(log, ["c", "b", "a"]);
  assertEquals(channel.pipeline.names(), []);
});

Deno.test("ChannelPipeline survives handlers that take each other out while the channel closes", async () => {
  const log: string[] = [];
  const channel = new EmbeddedChannel();
  const { pipeline } = channel;
  pipeline.addLast("a", { handlerRemoved: () => log.push("a") });
  pipeline.addLast("b", { handlerRemoved: () => log.push("b") });
  pipeline.addLast("c", {
    handlerRemoved() {
      log.push("c");
      pipeline.remove("a");
      pipeline.remove("b");
    },
  });
  await channel.close();
  assertEquals(log, ["c", "a", "b"]);
  channel.checkException();
});

Deno.test("ChannelPipeline takes out a handler whose handlerAdded throws, and says so", () => {
  const log: string[] = [];
  const channel = new EmbeddedChannel({ handlers: [recorder("other", log)] });
  log.length = 0;
  const cause = new Error("no");
  const handler: ChannelHandler = {
    handlerAdded() {
      throw cause;
    },
    handlerRemoved: () => log.push("removed"),
    exceptionCaught: () => log.push("own"),
  };
  channel.pipeline.addLast("bad", handler);
  assertEquals(log, ["removed", 'other error Cannot add the handler "bad": it threw']);
  assertEquals(channel.pipeline.get("bad"), undefined);
  const error = assertThrows(() => channel.checkException(), PipelineError);
  assertEquals([error.handlerName, error.cause], ["bad", cause]);
  handler.handlerAdded = undefined;
  channel.pipeline.addLast(handler);
});

Deno.test("ChannelPipeline calls handlerRemoved once if handlerAdded removes the handler and throws", () => {
  let removed = 0;
  const channel = new EmbeddedChannel();
  channel.pipeline.addLast({
    handlerAdded(context) {
      context.pipeline.remove(this);
      throw new Error("no");
    },
    handlerRemoved: () => removed++,
  });
  assertEquals(removed, 1);
  assertThrows(() => channel.checkException(), PipelineError);
});

Deno.test("ChannelPipeline calls handlerRemoved once if handlerAdded closes the channel", () => {
  const log: string[] = [];
  const channel = new EmbeddedChannel();
  channel.pipeline.addLast({
    handlerAdded(context) {
      context.close();
      log.push("added");
    },
    handlerRemoved: () => log.push("removed"),
  });
  assertEquals(log, ["removed", "added"]);
  assertEquals(channel.state, "closed");
});

Deno.test("ChannelPipeline hands what handlerRemoved throws to the others", async () => {
  const log: string[] = [];
  const bad = (): ChannelHandler => ({
    handlerRemoved() {
      throw new Error("no");
    },
  });
  const channel = new EmbeddedChannel({ handlers: [recorder("other", log)] });
  channel.pipeline.addLast("bad", bad());
  log.length = 0;
  channel.pipeline.remove("bad");
  assertEquals(log, ['other error Cannot remove the handler "bad": it threw']);
  assertThrows(() => channel.checkException(), PipelineError);
  channel.pipeline.addLast("bad", bad());
  await channel.close();
  assertThrows(() => channel.checkException(), PipelineError);
});

Deno.test("ChannelPipeline hands what handlerAdded or handlerRemoved rejects with to the handler, or onwards", async () => {
  const errors: unknown[] = [];
  const channel = new EmbeddedChannel();
  channel.pipeline.addLast("slow", {
    handlerAdded: () => Promise.reject(new Error("added")),
    handlerRemoved: () => Promise.reject(new Error("removed")),
    exceptionCaught: (_context, error) => errors.push((error as Error).cause),
  });
  await turn();
  assertEquals(errors, [new Error("added")]);
  channel.pipeline.remove("slow");
  await assertRejects(() => channel.advanceByAsync(0), PipelineError, 'Cannot remove the handler "slow"');
  assertEquals(errors.length, 1);
});

Deno.test("ChannelPipeline.iterate() can be used to replace and to remove all", () => {
  const pipeline = pipelineOf("a", "b", "c");
  for (const { name } of pipeline.iterate()) pipeline.replace(name, {}, name.toUpperCase());
  assertEquals(pipeline.names(), ["A", "B", "C"]);
  for (const { name } of pipeline.iterate()) {
    if (name === "A") pipeline.remove("B");
    pipeline.remove(name);
  }
  assertEquals(pipeline.names(), []);
});

Deno.test("ChannelPipeline steps over handlers, and finds none, at no cost of correctness after many changes", () => {
  const log: string[] = [];
  const channel = new EmbeddedChannel({ handlers: [recorder("a", log), recorder("b", log)] });
  for (let i = 0; i < 50; i++) channel.pipeline.addFirst(`first${i}`, {}).addLast(`last${i}`, {});
  for (let i = 0; i < 50; i += 2) channel.pipeline.remove(`first${i}`);
  log.length = 0;
  channel.pipeline.fireChannelRead("x");
  assertEquals(log, ["a read x", "b read x"]);
});

Deno.test("PipelineError of a failed addition during construction reaches the tail", () => {
  const channel = new EmbeddedChannel({
    handlers: [{
      handlerAdded() {
        throw new Error("no");
      },
    }, new Codec()],
  });
  assertEquals(channel.pipeline.names(), ["Codec#0"]);
  assertInstanceOf(assertThrows(() => channel.checkException()), PipelineError);
});
