import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { EmbeddedChannel, type LinkDownEvent, VirtualEventLoop } from "../../pipeline/mod.ts";
import { IdleStateHandler, SilenceHandler, type SilenceOptions } from "../../handlers/mod.ts";
import { Collector } from "./_rig.ts";

function silentLink(options?: SilenceOptions) {
  const loop = new VirtualEventLoop();
  const collector = new Collector();
  const channel = new EmbeddedChannel({
    loop,
    handlers: [new IdleStateHandler(), new SilenceHandler(options), collector],
  });
  const down = () => collector.events.find(({ type }) => type === "linkDown") as LinkDownEvent | undefined;
  return { loop, channel, down };
}

Deno.test("SilenceHandler does nothing about silence that nobody has announced", () => {
  const { loop, channel } = silentLink();
  loop.advanceBy(86_400_000);
  assertEquals(channel.state, "active");
});

Deno.test("SilenceHandler drops a link that was silent for longer than announced", () => {
  const { loop, channel, down } = silentLink();
  channel.pipeline.fireUserEventTriggered({ type: "serverPings", longestSilenceMs: 30_000 });
  for (let i = 0; i < 10; i++) {
    loop.advanceBy(29_999);
    channel.writeInbound("2");
  }
  loop.advanceBy(29_999);
  assertEquals(channel.state, "active");
  loop.advanceBy(1);
  assertEquals(down()?.reason, "unanswered");
  assertStringIncludes(down()!.error!.message, "nothing came for 30000 ms");
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("SilenceHandler drops a link that says nothing after the network changed or the machine slept", () => {
  for (
    const [doubt, words] of [
      [(channel: EmbeddedChannel) => fire(channel, "changed"), "the network is changed"],
      [(channel: EmbeddedChannel) => fire(channel, "online"), "the network is online"],
      [(channel: EmbeddedChannel) => (channel.loop as VirtualEventLoop).sleep(60_000), "the machine slept"],
      [
        (channel: EmbeddedChannel) => (channel.loop as VirtualEventLoop).throttle(60_000),
        "the machine stood still",
      ],
    ] as const
  ) {
    const { loop, channel, down } = silentLink();
    doubt(channel);
    loop.advanceBy(2_999);
    assertEquals(channel.state, "active");
    loop.advanceBy(1);
    assertEquals(down()?.reason, "networkChanged");
    assertStringIncludes(down()!.error!.message, words);

    const lively = silentLink();
    doubt(lively.channel);
    lively.loop.advanceBy(1_000);
    lively.channel.writeInbound("2");
    lively.loop.advanceBy(60_000);
    assertEquals(lively.channel.state, "active");
    void lively.channel.close();
  }
});

Deno.test("SilenceHandler has no doubts after a short sleep, or when the network goes away", () => {
  const { loop, channel } = silentLink();
  loop.sleep(59_999);
  fire(channel, "offline");
  loop.advanceBy(60_000);
  assertEquals(channel.state, "active");
});

Deno.test("SilenceHandler takes a sleep as long as the announced silence for a long one, and reads first", () => {
  const { loop, channel } = silentLink({ longestSilenceMs: 10_000 });
  loop.sleep(20_000);
  loop.advanceBy(10);
  assertEquals(channel.state, "active"); // what came meanwhile may be read only now
  channel.writeInbound("2");
  loop.advanceBy(9_999);
  assertEquals(channel.state, "active");
  loop.advanceBy(1);
  assertEquals(channel.state, "closed");
});

Deno.test("SilenceHandler starts over with each link", () => {
  const { loop, channel } = silentLink();
  channel.autoClose = false;
  channel.pipeline.fireUserEventTriggered({ type: "serverPings", longestSilenceMs: 5_000 });
  fire(channel, "changed");
  channel.loseLink();
  channel.reopen();
  loop.advanceBy(60_000);
  assertEquals([channel.state, loop.pendingTimers], ["active", 0]);
});

Deno.test("SilenceHandler refuses times out of range", () => {
  for (const longestSilenceMs of [0, -1, NaN, 86_400_001]) {
    assertThrows(() => new SilenceHandler({ longestSilenceMs }), RangeError, `got ${longestSilenceMs}`);
  }
});

function fire(channel: EmbeddedChannel, state: string): void {
  channel.pipeline.fireUserEventTriggered({ type: "network", state });
}
