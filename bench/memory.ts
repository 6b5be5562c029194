/**
 * What an idle link costs in memory, and how what it costs grows with their
 * number: embedded channels with the whole `keepAlive()` pipeline, without a
 * session, on one shared virtual loop.
 *
 * Counted: everything that stays on the heap after a collection, per channel;
 * time to make the links, to answer their first heartbeats and to close them,
 * with the collections that fall due meanwhile. Not counted: sockets, and what the operating
 * system keeps for them.
 */

import { answerKeepAlive, EmbeddedChannel, keepAlive, VirtualEventLoop } from "../mod.ts";
import { median } from "./_table.ts";
import type { Measurement } from "./_measurement.ts";

/** How many links, and how often: few of them take so little time that one run says nothing. */
const SIZES: readonly [channels: number, runs: number][] = [
  [10_000, 7],
  [32_000, 3],
  [100_000, 2],
  [320_000, 1],
  [1_000_000, 1],
];

/** Numbers of the memory part; without a number in the name they are those of the most channels. */
export interface MemoryNumbers extends Record<string, number | null> {
  channels: number;
  handlers: number;
  /** Just made: the first heartbeat lies in the embedded wire and is unanswered. */
  bytesPerChannel: number;
  /** Idle: the heartbeats were answered, as on a link that lives. */
  bytesPerIdleChannel: number;
  /** All of a link's life, µs. */
  microsPerChannel: number;
  /** How total time grows with the number of links, from the fewest on: 1 is in proportion. */
  timeExponent: number;
  /** The same of memory. */
  memoryExponent: number;
}

interface Found {
  readonly bytesMade: number;
  readonly bytesIdle: number;
  readonly ms: number;
}

/** Measures links without sockets, up to a million. Needs `--v8-flags=--expose-gc` and a heap of 6 GB. */
export function benchMemory(): Measurement<MemoryNumbers> {
  life(10_000); // code and shapes that all channels share are there from now on
  const found = SIZES.map(([channels, runs]) => {
    const lives = Array.from({ length: runs }, () => life(channels));
    const one = {
      channels,
      bytesMade: median(lives.map((life) => life.bytesMade)),
      bytesIdle: median(lives.map((life) => life.bytesIdle)),
      ms: median(lives.map((life) => life.ms)),
    };
    console.error(
      `  ${channels} channels: ${Math.round(one.bytesMade / channels)} bytes just made, ` +
        `${Math.round(one.bytesIdle / channels)} idle, ${(1000 * one.ms / channels).toFixed(1)} µs each`,
    );
    return one;
  });
  const most = found.at(-1)!;
  return {
    numbers: {
      channels: most.channels,
      handlers: new EmbeddedChannel({ handlers: keepAlive() }).pipeline.names().length,
      bytesPerChannel: Math.round(most.bytesMade / most.channels),
      bytesPerIdleChannel: Math.round(most.bytesIdle / most.channels),
      microsPerChannel: 1000 * most.ms / most.channels,
      timeExponent: exponent(found.map(({ channels, ms }) => [channels, ms])),
      memoryExponent: exponent(found.map(({ channels, bytesIdle }) => [channels, bytesIdle])),
    },
    notes: [
      "bytes that stay after a collection, per channel with a link and its timers running",
      "just made: with its first heartbeat in the embedded wire; idle: after its heartbeats were answered",
      "time: made, first heartbeats answered, closed; with the collections that fall due meanwhile",
      `exponents: least squares of the logarithms at ${
        found.map(({ channels }) => channels).join(", ")
      } channels`,
    ],
  };
}

/** The whole life of so many links. */
function life(count: number): Found {
  const loop = new VirtualEventLoop();
  const server = new EmbeddedChannel({ loop, handlers: answerKeepAlive() });
  const channels = new Array<EmbeddedChannel>(count);
  const before = heapUsed();
  let ms = 0;
  const timed = (work: (channel: EmbeddedChannel) => void) => {
    const start = performance.now();
    for (const channel of channels) work(channel);
    ms += performance.now() - start;
  };

  const start = performance.now();
  for (let i = 0; i < count; i++) channels[i] = new EmbeddedChannel({ loop, handlers: keepAlive() });
  ms += performance.now() - start;
  const bytesMade = heapUsed() - before;
  timed((channel) => answer(channel, server));
  const bytesIdle = heapUsed() - before;
  timed((channel) => void channel.close());
  return { bytesMade, bytesIdle, ms };
}

/** Carries heartbeats and answers until both sides are silent. */
function answer(client: EmbeddedChannel, server: EmbeddedChannel): void {
  for (let beats = client.drainOutbound(); beats.length > 0; beats = client.drainOutbound()) {
    for (const beat of beats) server.writeInbound(beat);
    for (const pong of server.drainOutbound()) client.writeInbound(pong);
  }
}

/** The slope of a line through the points in a plot with logarithmic axes. */
function exponent(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const meanX = logs.reduce((sum, [x]) => sum + x, 0) / logs.length;
  const meanY = logs.reduce((sum, [, y]) => sum + y, 0) / logs.length;
  const covariance = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

function heapUsed(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("Cannot measure memory: run with --v8-flags=--expose-gc");
  // Twice: the first collection may leave what only finalizers held.
  gc();
  gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}
