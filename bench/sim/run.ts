/**
 * One strategy on one network, with the library's own handlers at both ends.
 *
 * @module
 */

import {
  answerKeepAlive,
  type IntervalAdviceHandler,
  type IntervalStrategy,
  keepAlive,
} from "../../handlers/mod.ts";
import { Bootstrap, type Channel, ServerBootstrap, VirtualEventLoop } from "../../pipeline/mod.ts";
import { type NetworkOptions, SimulatedNetwork } from "./network.ts";
import { randomFrom } from "./random.ts";
import { Recorder, type RunResult } from "./recorder.ts";

/** What is said on the link besides heartbeats. */
export interface Traffic {
  /** Messages from the server an hour, on average, at random. Default: 0. */
  readonly pushesPerHour?: number;
  /** Messages from the client an hour, on average, at random. Default: 0. */
  readonly messagesPerHour?: number;
}

/** What to run. */
export interface RunOptions extends NetworkOptions, Traffic {
  readonly strategy: IntervalStrategy;
  /** For how long, ms. */
  readonly lengthMs: number;
  /** What the server tells its clients, from run to run. Default: nothing. */
  readonly advice?: IntervalAdviceHandler;
  /** What time it is at first, ms since 1970. Default: that of the loop. */
  readonly wallStartMs?: number;
}

/** Runs it. */
export async function run(options: RunOptions): Promise<RunResult> {
  const { strategy, lengthMs, advice, wallStartMs, seed = 1 } = options;
  const loop = new VirtualEventLoop({ seed, wallStartMs });
  const network = new SimulatedNetwork(loop, options);
  const recorder = new Recorder(network, strategy, options.timeouts[0]!.timeoutMs);
  const onUnhandled = (report: { kind: string; error?: unknown; message?: unknown }) => {
    recorder.errors.push(report.error ?? report.message);
  };
  const server = await new ServerBootstrap({
    loop,
    transport: network,
    onUnhandled,
    pipeline: (p) => p.addLast(...answerKeepAlive({ advice }), recorder.atServer()),
  }).listen("simulated://server");
  const connected = new Bootstrap({
    loop,
    transport: network,
    onUnhandled,
    pipeline: (p) => p.addLast(...keepAlive({ strategy }), recorder),
  }).connect("simulated://server");
  loop.advanceBy(1_000);
  while (recorder.startMs === undefined) loop.advanceBy(1_000);
  const channel = await connected;
  talk(loop, options, recorder, channel);
  for (const { fromMs } of options.timeouts.slice(1)) {
    loop.schedule(fromMs - loop.now() - 1, () => recorder.noteLast());
  }
  loop.advanceTo(recorder.startMs + lengthMs);
  const result = recorder.result(channel, loop.now());
  void channel.close();
  void server.close();
  return result;
}

/** Both sides' messages, at random moments that depend on the seed alone. */
function talk(loop: VirtualEventLoop, options: RunOptions, recorder: Recorder, channel: Channel): void {
  const { pushesPerHour = 0, messagesPerHour = 0, seed = 1 } = options;
  every(loop, pushesPerHour, randomFrom(seed * 3 + 1), () => recorder.push());
  every(loop, messagesPerHour, randomFrom(seed * 3 + 2), () => {
    if (channel.isActive) channel.writeAndFlush("message").onSettled(ignore);
  });
}

function every(loop: VirtualEventLoop, perHour: number, random: () => number, task: () => void): void {
  if (perHour === 0) return;
  const next = () =>
    void loop.schedule(-Math.log(1 - random()) * 3_600_000 / perHour, () => {
      task();
      next();
    });
  next();
}

function ignore(): void {}
