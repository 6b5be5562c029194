import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import {
  Bootstrap,
  ConnectError,
  EmbeddedChannel,
  ServerBootstrap,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { memory } from "../../pipeline/transports/memory.ts";
import { answerKeepAlive, keepAlive, ReconnectHandler } from "../../handlers/mod.ts";
import { Collector } from "./_rig.ts";

const CLIENTS = 10_000;
const SLICE_MS = 100;
const REFUSED = new ConnectError("embedded://server", "connection refused");

/** How many tries came in each slice of time since a moment. */
class Histogram {
  readonly slices: number[] = [];

  /** A slice ends with its last moment, as timers round up. */
  add(atMs: number): void {
    const slice = Math.max(Math.ceil(atMs / SLICE_MS) - 1, 0);
    this.slices[slice] = (this.slices[slice] ?? 0) + 1;
  }

  count(fromMs: number, toMs: number): number {
    return this.#within(fromMs, toMs).reduce((sum, count) => sum + count, 0);
  }

  /** The most in one slice, as a multiple of the mean over the window. */
  peak(fromMs: number, toMs: number): number {
    const within = this.#within(fromMs, toMs);
    return Math.max(...within) / (this.count(fromMs, toMs) / within.length);
  }

  #within(fromMs: number, toMs: number): number[] {
    const length = (toMs - fromMs) / SLICE_MS;
    return Array.from({ length }, (_, i) => this.slices[fromMs / SLICE_MS + i] ?? 0);
  }
}

/** Very many clients that lose their one server in the same moment, which is away for a while. */
function herd(awayMs: number) {
  const loop = new VirtualEventLoop({ seed: 20_260 });
  let isUp = true;
  const tries = new Histogram();
  const returns = new Histogram();
  const onConnect = () => {
    tries.add(loop.now());
    if (!isUp) throw REFUSED;
    returns.add(loop.now() - awayMs);
  };
  const channels = Array.from({ length: CLIENTS }, () => {
    const channel = new EmbeddedChannel({
      loop,
      active: false,
      onConnect,
      handlers: [new ReconnectHandler()],
    });
    channel.connect("embedded://server");
    channel.pipeline.fireUserEventTriggered({ type: "linkValid", roundTripMs: 1 });
    return channel;
  });
  tries.slices.length = returns.slices.length = 0;
  isUp = awayMs === 0;
  for (const channel of channels) channel.loseLink();
  loop.advanceBy(awayMs);
  isUp = true;
  return { loop, channels, tries, returns };
}

/** No slice of the window in which they come back may have more than this times the mean. */
const MOST = 3;

Deno.test("ReconnectHandler spreads ten thousand clients over the first window when the server stays up", () => {
  const { loop, channels, returns } = herd(0);
  loop.advanceBy(800);
  assert(channels.every(({ isActive }) => isActive));
  assertEquals(returns.count(0, 800), CLIENTS);
  // A uniform spread: nowhere near the three times that would still be allowed.
  assertLess(returns.peak(0, 800), 1.1);
});

Deno.test("ReconnectHandler spreads ten thousand clients of a server that is away for ten seconds", () => {
  const { loop, tries, returns } = herd(10_000);
  assertLess(tries.peak(0, 800), MOST);
  assertLess(tries.peak(800, 10_000), MOST);
  loop.advanceBy(5_000);
  assertEquals(returns.count(0, 5_000), CLIENTS);
  assertLessOrEqual(returns.peak(0, 5_000), MOST);
});

Deno.test("ReconnectHandler spreads ten thousand clients of a server that is away for five minutes", () => {
  const { loop, tries, returns } = herd(300_000);
  // Nor do they come in waves once the longer waits have begun.
  assertLess(tries.peak(10_000, 120_000), MOST);
  assertLess(tries.peak(150_000, 300_000), MOST);
  loop.advanceBy(30_000);
  assertEquals(returns.count(0, 30_000), CLIENTS);
  assertLessOrEqual(returns.peak(0, 30_000), MOST);
});

Deno.test("ReconnectHandler brings a killed link back within a second and a round trip", async () => {
  const roundTripMs = 150;
  for (let seed = 1; seed <= 40; seed++) {
    const loop = new VirtualEventLoop({ seed });
    const transport = memory({ latencyMs: roundTripMs / 2 });
    const server = await new ServerBootstrap({
      transport,
      loop,
      pipeline: (p) => p.addLast(...answerKeepAlive()),
    }).listen("memory://server");
    const end = new Collector();
    const connecting = new Bootstrap({
      transport,
      loop,
      pipeline: (p) =>
        p.addLast(...keepAlive(), {
          userEventTriggered: (context, event) => {
            const { type } = event as { type: string };
            end.userEventTriggered(context, { type, atMs: loop.now() });
          },
        }),
    }).connect(server.address);
    await loop.advanceByAsync(5_000);
    const channel = await connecting;
    end.events.length = 0;
    const killedAtMs = loop.now();
    for (const accepted of server.channels) accepted.drop("reset");
    await loop.advanceByAsync(2_000);
    const [up, ...more] = end.events.filter(({ type }) => type === "linkUp");
    assertEquals(more, []);
    assertLess(up!.atMs - killedAtMs, 1_000 + roundTripMs);
    // Usable at once; and proven by the first heartbeat's answer.
    const [valid] = end.events.filter(({ type }) => type === "linkValid");
    assertLessOrEqual(valid!.atMs, up!.atMs + roundTripMs);
    channel.close();
    server.close();
    await loop.advanceByAsync(5_000);
  }
});
