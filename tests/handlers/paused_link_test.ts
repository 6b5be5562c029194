import { assertEquals } from "@std/assert";
import {
  AdaptiveIntervalHandler,
  type ChannelHandler,
  EmbeddedChannel,
  fixedInterval,
  Heartbeat,
  IdleStateHandler,
  SilenceHandler,
} from "../../mod.ts";

/** A channel that nobody reads while it is told so. */
class PausableChannel extends EmbeddedChannel {
  paused = false;

  override get isPaused(): boolean {
    return this.paused;
  }
}

function channelWith(...handlers: ChannelHandler[]) {
  const events: string[] = [];
  const channel = new PausableChannel({
    handlers: [...handlers, {
      userEventTriggered: (_context, event) => {
        const { type, state, outcome, reason } = event as Record<string, string>;
        events.push([type, state, outcome, reason].filter(Boolean).join(" "));
      },
    }],
  });
  events.length = 0;
  return { channel, events };
}

Deno.test("IdleStateHandler does not take for the peer's silence that nobody reads", () => {
  const { channel, events } = channelWith(new IdleStateHandler({ readerIdleMs: 1_000, writerIdleMs: 5_000 }));
  channel.paused = true;
  channel.advanceBy(4_500);
  assertEquals(events, []);
  channel.advanceBy(1_000);
  assertEquals(events, ["idle writer"]);
  channel.paused = false;
  channel.advanceBy(1_000);
  assertEquals(events, ["idle writer", "idle reader"]);
});

Deno.test("SilenceHandler does not drop a link that nobody reads", () => {
  const { channel } = channelWith(new IdleStateHandler(), new SilenceHandler({ longestSilenceMs: 1_000 }));
  channel.paused = true;
  channel.pipeline.fireUserEventTriggered({ type: "network", state: "online" });
  channel.advanceBy(60_000);
  assertEquals(channel.state, "active");
  channel.paused = false;
  channel.advanceBy(1_000);
  assertEquals(channel.state, "closed");
});

Deno.test("AdaptiveIntervalHandler beats on while nobody reads, and judges when somebody does", () => {
  const adaptive = new AdaptiveIntervalHandler({ strategy: fixedInterval(30_000), appState: "background" });
  const { channel } = channelWith(new IdleStateHandler(), adaptive);
  const beats = () => channel.drainOutbound().map((message) => (message as Heartbeat).kind);
  const [first] = channel.drainOutbound() as Heartbeat[];
  channel.writeInbound(new Heartbeat("pong", { sequence: first!.sequence }));
  channel.paused = true;
  channel.advanceBy(300_000);
  assertEquals(beats(), Array(10).fill("ping"));
  assertEquals([channel.state, adaptive.snapshot()!.missed], ["active", 0]);
  channel.paused = false;
  // An answer to one that is no longer waited for is no stray.
  channel.writeInbound(new Heartbeat("pong", { sequence: first!.sequence + 3 }));
  assertEquals(adaptive.snapshot()!.strayPongs, 0);
  channel.advanceBy(40_000);
  assertEquals(channel.state, "closed");
});

Deno.test("AdaptiveIntervalHandler gives a hold up whose answer nobody reads", () => {
  const adaptive = new AdaptiveIntervalHandler({ appState: "background", warmUpBeats: 1 });
  const { channel, events } = channelWith(new IdleStateHandler(), adaptive);
  const [first] = channel.drainOutbound() as Heartbeat[];
  channel.writeInbound(
    Heartbeat.hello({ longestHoldMs: 7_200_000, abilities: 0 }),
    new Heartbeat("pong", { sequence: first!.sequence }),
  );
  const [hold] = channel.drainOutbound() as Heartbeat[];
  assertEquals(hold!.kind, "hold");
  channel.paused = true;
  channel.advanceBy(hold!.timeMs + 10_000);
  const told = channel.drainOutbound() as Heartbeat[];
  assertEquals(told.slice(0, 2).map(({ kind }) => kind), ["ping", "void"]);
  assertEquals(told[1]!.sequence, hold!.sequence);
  assertEquals(events.includes("verdict void nobody reads"), true);
  channel.paused = false;
  // It comes late: what it would have proven is not known any more.
  channel.writeInbound(new Heartbeat("pong", { sequence: hold!.sequence }));
  assertEquals([channel.state, adaptive.snapshot()!.bracket.loMs, adaptive.snapshot()!.strayPongs], [
    "active",
    0,
    0,
  ]);
});
