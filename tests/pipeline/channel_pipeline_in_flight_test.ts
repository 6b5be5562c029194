import { assertEquals } from "@std/assert";
import type { ChannelHandler } from "../../pipeline/channel_handler.ts";
import type { ChannelPipeline } from "../../pipeline/channel_pipeline.ts";
import { EmbeddedChannel } from "../../pipeline/embedded_channel.ts";
import { recorder } from "./_recorder.ts";

function pipelineOf(...names: string[]): ChannelPipeline {
  const { pipeline } = new EmbeddedChannel();
  for (const name of names) pipeline.addLast(name, {});
  return pipeline;
}

Deno.test("ChannelPipeline: a handler removes itself: it sees nothing more, the message goes on", () => {
  const log: string[] = [];
  const once = recorder("once", log, (entry) => {
    if (entry.startsWith("read ")) channel.pipeline.remove(once);
  });
  const channel = new EmbeddedChannel({ handlers: [once, recorder("after", log)] });
  log.length = 0;
  channel.writeInbound("x", "y");
  assertEquals(log, [
    "once read x",
    "once removed",
    "after read x",
    "after read y",
    "after readComplete",
  ]);
});

Deno.test("ChannelPipeline: a handler removes the next one, and the one before", () => {
  const log: string[] = [];
  const handlers: ChannelHandler[] = [
    recorder("a", log),
    recorder("b", log, (entry) => {
      if (entry === "read x") channel.pipeline.remove(handlers[2]!);
      if (entry === "write y") channel.pipeline.remove(handlers[0]!);
    }),
    recorder("c", log),
    recorder("d", log),
  ];
  const channel = new EmbeddedChannel({ handlers });
  log.length = 0;
  channel.pipeline.fireChannelRead("x");
  assertEquals(log, ["a read x", "b read x", "c removed", "d read x"]);
  log.length = 0;
  channel.write("y");
  assertEquals(log, ["d write y", "b write y", "a removed"]);
});

Deno.test("ChannelPipeline: a handler adds one after itself, which sees what is passed on", () => {
  const log: string[] = [];
  const adding = recorder("a", log, (entry) => {
    if (entry === "read x") channel.pipeline.addAfter(adding, recorder("new", log));
  });
  const channel = new EmbeddedChannel({ handlers: [adding, recorder("b", log)] });
  log.length = 0;
  channel.pipeline.fireChannelRead("x");
  assertEquals(log, ["a read x", "new added", "new read x", "b read x"]);
});

Deno.test("ChannelPipeline: a handler adds one before itself, which does not see what is under way", () => {
  const log: string[] = [];
  const adding = recorder("a", log, (entry) => {
    if (entry === "read x") channel.pipeline.addBefore(adding, recorder("new", log));
  });
  const channel = new EmbeddedChannel({ handlers: [adding] });
  log.length = 0;
  channel.pipeline.fireChannelRead("x");
  channel.pipeline.fireChannelRead("y");
  assertEquals(log, ["a read x", "new added", "new read y", "a read y"]);
});

Deno.test("ChannelPipeline: a handler replaces itself: its replacement sees what it still passes on, in both directions", () => {
  const log: string[] = [];
  const upgrade: ChannelHandler = {
    channelRead(context, message) {
      context.pipeline.replace(this, recorder("new", log), "upgraded");
      context.fireChannelRead(message);
      context.write("answer");
    },
    handlerRemoved: () => log.push("old removed"),
  };
  const channel = new EmbeddedChannel({ handlers: [recorder("a", log), upgrade, recorder("b", log)] });
  log.length = 0;
  channel.pipeline.fireChannelRead("x");
  assertEquals(log, [
    "a read x",
    "new added",
    "old removed",
    "new read x",
    "b read x",
    "new write answer",
    "a write answer",
  ]);
  assertEquals(channel.pipeline.names()[1], "upgraded");
});

Deno.test("ChannelPipeline: what an old handler passes on from handlerRemoved does not miss its replacement", () => {
  const log: string[] = [];
  const buffering: ChannelHandler = { handlerRemoved: (context) => context.fireChannelRead("rest") };
  const channel = new EmbeddedChannel({ handlers: [buffering] });
  channel.pipeline.replace(buffering, recorder("new", log));
  assertEquals(log, ["new added", "new read rest"]);
  const last: ChannelHandler = { handlerRemoved: (context) => context.fireChannelRead("last") };
  channel.pipeline.addFirst(last);
  channel.pipeline.remove(last);
  assertEquals(log.at(-1), "new read last");
});

Deno.test("ChannelPipeline: an initializer puts others in its place when it is added, before what is added with it", () => {
  for (const add of ["addFirst", "addLast", "addBefore", "addAfter"] as const) {
    const pipeline = pipelineOf("base", "end");
    const initializer: ChannelHandler = {
      handlerAdded(context) {
        context.pipeline.addAfter(initializer, "y", {}).addAfter(initializer, "x", {});
        context.pipeline.remove(initializer);
      },
    };
    if (add === "addFirst" || add === "addLast") pipeline[add](initializer, {});
    else pipeline[add]("base", initializer, {});
    const added = "x y Handler#0";
    const wanted = {
      addFirst: `${added} base end`,
      addLast: `base end ${added}`,
      addBefore: `${added} base end`,
      addAfter: `base ${added} end`,
    };
    assertEquals(pipeline.names().join(" "), wanted[add]);
  }
});

Deno.test("ChannelPipeline: handlerAdded takes out the handler next to which the rest is being added", () => {
  const cases: [(pipeline: ChannelPipeline) => unknown, string][] = [
    [(pipeline) => pipeline.remove("next"), "base Handler#0 Handler#1 end"],
    [(pipeline) => pipeline.remove("base"), "Handler#0 Handler#1 next end"],
    [(pipeline) => pipeline.replace("next", {}, "other"), "base Handler#0 Handler#1 other end"],
    [(pipeline) => pipeline.replace("base", {}, "other"), "other Handler#0 Handler#1 next end"],
  ];
  for (const [meddle, names] of cases) {
    const log: string[] = [];
    const pipeline = pipelineOf("base", "next", "end");
    const meddler: ChannelHandler = {
      handlerAdded() {
        meddle(pipeline);
        pipeline.remove(meddler);
      },
    };
    pipeline.addAfter("base", meddler, recorder("a", log), recorder("b", log));
    assertEquals(pipeline.names().join(" "), names);
    log.length = 0;
    pipeline.fireChannelRead("x");
    pipeline.write("y");
    assertEquals(log, ["a read x", "b read x", "b write y", "a write y"]);
  }
});
