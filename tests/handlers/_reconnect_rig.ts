import {
  type ChannelHandler,
  ConnectError,
  EmbeddedChannel,
  type EmbeddedChannelOptions,
  type Remote,
} from "../../pipeline/mod.ts";
import { ReconnectHandler, type ReconnectOptions } from "../../handlers/mod.ts";
import { Collector, ListenerCountingLoop } from "./_rig.ts";

export interface Options extends ReconnectOptions {
  readonly seed?: number;
  readonly after?: readonly ChannelHandler[];
  readonly connectTimeoutMs?: number;
}

/** A channel that reconnects, and a server that can be up, down, or silent. */
export function reconnecting({ seed = 1, after = [], connectTimeoutMs, ...options }: Options = {}) {
  const loop = new ListenerCountingLoop({ seed });
  const end = new Collector();
  const tries: { readonly atMs: number; readonly remote: Remote; readonly signal: AbortSignal }[] = [];
  const server = { is: "up" as "up" | "down" | "silent" };
  const onConnect: EmbeddedChannelOptions["onConnect"] = (remote, signal) => {
    tries.push({ atMs: loop.now(), remote, signal });
    if (server.is === "down") throw new ConnectError(remote.address, "connection refused");
    if (server.is === "silent") return new Promise(() => {});
  };
  const handler = new ReconnectHandler(options);
  const channel = new EmbeddedChannel({
    loop,
    active: false,
    connectTimeoutMs,
    onConnect,
    handlers: [handler, ...after, end],
  });
  return { loop, end, tries, server, handler, channel };
}

export type Reconnecting = ReturnType<typeof reconnecting>;

/** The same with a link that proved valid, and forgets how it came about. */
export function connected(options?: Options): Reconnecting {
  const rig = reconnecting(options);
  rig.channel.connect("embedded://peer").onSettled(() => {});
  prove(rig);
  rig.tries.length = 0;
  rig.end.events.length = 0;
  return rig;
}

export function prove({ channel }: Reconnecting): void {
  channel.pipeline.fireUserEventTriggered({ type: "linkValid", roundTripMs: 1 });
}

export function network({ channel }: Reconnecting, state: "online" | "offline" | "changed"): void {
  channel.pipeline.fireUserEventTriggered({ type: "network", state });
}

/** Brings a rig into each state in which it looks after a link. */
export const STATES: Readonly<Record<string, (rig: Reconnecting) => void>> = {
  idle: () => {},
  connecting: ({ server, channel }) => {
    server.is = "silent";
    channel.connect("embedded://peer").onSettled(() => {});
  },
  up: ({ channel }) => channel.connect("embedded://peer").onSettled(() => {}),
  waiting: ({ server, channel }) => {
    server.is = "down";
    channel.connect("embedded://peer").onSettled(() => {});
  },
  offline: (rig) => {
    rig.server.is = "down";
    rig.channel.connect("embedded://peer").onSettled(() => {});
    network(rig, "offline");
  },
};
