/**
 * What an idle link costs in memory: embedded channels with the whole
 * `keepAlive()` pipeline on one shared virtual loop.
 *
 * Counted: everything that stays on the heap after a collection, per channel.
 * Not counted: sockets, and what the operating system keeps for them.
 */

import { answerKeepAlive, EmbeddedChannel, keepAlive, VirtualEventLoop } from "../mod.ts";
import type { Measurement } from "./_measurement.ts";

const CHANNELS = 100_000;

/** Numbers of the memory part. */
export interface MemoryNumbers extends Record<string, number | null> {
  channels: number;
  handlers: number;
  /** Just made: the first heartbeat lies in the embedded wire and is unanswered. */
  bytesPerChannel: number;
  /** Idle: the heartbeats were answered, as on a link that lives. */
  bytesPerIdleChannel: number;
}

/** Measures the memory of channels without sockets. Needs `--v8-flags=--expose-gc`. */
export function benchMemory(): Measurement<MemoryNumbers> {
  const loop = new VirtualEventLoop();
  const server = new EmbeddedChannel({ loop, handlers: answerKeepAlive() });
  // One before, so that code and shapes that all channels share are not counted.
  const first = new EmbeddedChannel({ loop, handlers: keepAlive() });
  answer(first, server);
  const channels = new Array<EmbeddedChannel>(CHANNELS);
  const before = heapUsed();
  const bytesEach = () => Math.round((heapUsed() - before) / CHANNELS);

  for (let i = 0; i < CHANNELS; i++) channels[i] = new EmbeddedChannel({ loop, handlers: keepAlive() });
  const bytesPerChannel = bytesEach();
  console.error(`  ${CHANNELS} channels just made: ${bytesPerChannel} bytes each`);
  for (const channel of channels) answer(channel, server);
  const bytesPerIdleChannel = bytesEach();
  console.error(`  ${CHANNELS} idle channels: ${bytesPerIdleChannel} bytes each`);
  return {
    numbers: {
      channels: channels.length,
      handlers: first.pipeline.names().length,
      bytesPerChannel,
      bytesPerIdleChannel,
    },
    notes: [
      "bytes that stay after a collection, per channel with a link and its timers running",
      "just made: with its first heartbeat in the embedded wire; idle: after its heartbeats were answered",
    ],
  };
}

/** Carries heartbeats and answers until both sides are silent. */
function answer(client: EmbeddedChannel, server: EmbeddedChannel): void {
  for (let beats = client.drainOutbound(); beats.length > 0; beats = client.drainOutbound()) {
    for (const beat of beats) server.writeInbound(beat);
    for (const pong of server.drainOutbound()) client.writeInbound(pong);
  }
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
