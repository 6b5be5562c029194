import {
  answerKeepAlive,
  type AnswerKeepAliveOptions,
  HeartbeatDecoder,
  HeartbeatEncoder,
  IdleStateHandler,
  VarintFrameDecoder,
  VarintFrameEncoder,
} from "../../handlers/mod.ts";
import { type ChannelHandler, ServerBootstrap, VirtualEventLoop } from "../../pipeline/mod.ts";
import { NatNetwork } from "./_nat_network.ts";

/** The handlers below a probe, and below its scouts. */
export function wire(): ChannelHandler[] {
  return [
    new IdleStateHandler(),
    new VarintFrameDecoder(),
    new VarintFrameEncoder(),
    new HeartbeatDecoder(),
    new HeartbeatEncoder(),
  ];
}

/** A server at "nat://server" behind a strict NAT, on virtual time. */
export async function serverBehindNat(
  timeoutMs: number,
  options: AnswerKeepAliveOptions = {},
  handlers: () => ChannelHandler[] = () => answerKeepAlive(options),
): Promise<{ readonly loop: VirtualEventLoop; readonly network: NatNetwork }> {
  const loop = new VirtualEventLoop();
  const network = new NatNetwork(loop, { timeoutMs });
  await new ServerBootstrap({
    transport: network,
    loop,
    pipeline: (p) => p.addLast(...handlers()),
    onUnhandled: () => {},
  }).listen("nat://server");
  return { loop, network };
}

/** Moves the time on until something has come about. */
export async function until(loop: VirtualEventLoop, isThere: () => boolean, withinMs: number): Promise<void> {
  const endMs = loop.now() + withinMs;
  while (!isThere()) {
    if (loop.now() >= endMs) throw new Error(`Cannot wait any longer: ${withinMs} ms have passed`);
    await loop.advanceByAsync(100);
  }
}
