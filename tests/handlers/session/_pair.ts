import {
  answerKeepAlive,
  type AnswerKeepAliveOptions,
  Channel,
  fixedInterval,
  keepAlive,
  type KeepAliveOptions,
  ServerBootstrap,
  type ServerChannel,
  SessionHandler,
  type SessionOptions,
  SessionRegistry,
  type SessionRegistryOptions,
  SessionResponder,
  type Transport,
  VirtualEventLoop,
} from "@longlink/pipeline";
import { randomFrom } from "../../../bench/sim/random.ts";
import { FaultNetwork, type FaultPath } from "../../lab/faults/fault_network.ts";
import { ProcessLoop } from "../../lab/faults/process_loop.ts";

/** What the application of one side was told, over all its processes. */
export interface Told {
  readonly read: unknown[];
  readonly events: string[];
  readonly errors: unknown[];
  readonly channels: Channel[];
}

/** What an application does. A handler's methods, with the side and the channel. */
export interface Application {
  readonly active?: (channel: Channel) => void;
  readonly inactive?: (channel: Channel) => void;
  readonly read?: (message: unknown, channel: Channel) => unknown;
  readonly event?: (event: { readonly type: string }, channel: Channel) => void;
}

export interface PairOptions {
  readonly session?: SessionOptions;
  readonly registry?: SessionRegistryOptions;
  /** Given the loop of a process, as a store's delays end with it. */
  readonly clientStore?: (loop: ProcessLoop) => SessionOptions["store"];
  readonly serverStore?: (loop: ProcessLoop) => SessionRegistryOptions["store"];
  readonly clientApp?: Application;
  readonly serverApp?: Application;
  readonly keepAlive?: Omit<KeepAliveOptions, "session">;
  readonly answer?: Omit<AnswerKeepAliveOptions, "sessions">;
  /** In place of the fault network; then nothing can be killed. */
  readonly transport?: Transport;
  readonly autoRead?: boolean;
}

const ADDRESS = "fault://chat";

/** A client and a server with a session between them, each a process that can be killed, on virtual time. */
export class Pair {
  readonly loop = new VirtualEventLoop();
  readonly network = new FaultNetwork({ loop: this.loop, random: randomFrom(1) });
  readonly path: FaultPath = this.network.path("phone");
  readonly client: Told = { read: [], events: [], errors: [], channels: [] };
  readonly server: Told = { read: [], events: [], errors: [], channels: [] };
  readonly options: PairOptions;
  readonly transport: Transport;
  readonly address: string;
  /** All channels that the server ever had, also those that the application is not shown. */
  readonly accepted: Channel[] = [];
  clientLoop!: ProcessLoop;
  serverLoop!: ProcessLoop;
  registry!: SessionRegistry;
  channel!: Channel;
  listening!: ServerChannel;

  constructor(options: PairOptions = {}) {
    this.options = options;
    this.transport = options.transport ?? this.path;
    this.address = options.transport === undefined ? ADDRESS : "memory://chat";
  }

  async start(advanceMs = 500): Promise<this> {
    await this.startServer();
    this.startClient();
    await this.advance(advanceMs);
    return this;
  }

  async startServer(registry: SessionRegistryOptions | undefined = this.options.registry): Promise<void> {
    const { serverStore, autoRead } = this.options;
    const loop = this.serverLoop = new ProcessLoop(this.loop);
    const store = serverStore?.(loop);
    const sessions = this.registry = new SessionRegistry(
      store === undefined ? registry : { store, ...registry },
    );
    this.listening = await new ServerBootstrap({
      transport: this.transport,
      loop,
      ...(autoRead === undefined ? {} : { autoRead }),
      pipeline: (p, channel) => {
        this.accepted.push(channel);
        p.addLast(...answerKeepAlive({ ...this.options.answer, sessions }), this.#watcher("server", channel));
      },
      onUnhandled: (report) => this.server.errors.push(report.kind === "error" ? report.error : report),
    }).listen(this.address);
  }

  startClient(session: SessionOptions | undefined = this.options.session): Channel {
    const { clientStore, autoRead } = this.options;
    const loop = this.clientLoop = new ProcessLoop(this.loop);
    const store = clientStore?.(loop);
    this.channel = new Channel({
      transport: ofProcess(this.transport, loop),
      loop,
      ...(autoRead === undefined ? {} : { autoRead }),
      pipeline: (p, channel) =>
        p.addLast(
          ...keepAlive({
            strategy: fixedInterval(60_000),
            ...this.options.keepAlive,
            session: new SessionHandler(store === undefined ? session : { store, ...session }),
          }),
          this.#watcher("client", channel),
        ),
      onUnhandled: (report) => this.client.errors.push(report.kind === "error" ? report.error : report),
    });
    this.client.channels.push(this.channel);
    this.channel.connect(this.address).onSettled(() => {});
    return this.channel;
  }

  killServer(how: "resets" | "vanishes" = "resets"): void {
    this.serverLoop.kill();
    this.network.crash(ADDRESS, how);
  }

  /** The client's process ends, and its host tells the server so. All links are taken for its own. */
  killClient(): void {
    this.clientLoop.kill();
    for (const link of [...this.path.links]) {
      link.reset();
      link.abandon("resets");
    }
  }

  /** The link is reset, and both ends are told. */
  breakLink(): void {
    for (const link of [...this.path.links]) link.reset();
  }

  /** The server's channel that the application was shown last. */
  get serverChannel(): Channel {
    return this.server.channels.at(-1)!;
  }

  get handler(): SessionHandler {
    return this.channel.pipeline.get(SessionHandler)!;
  }

  get responder(): SessionResponder {
    return this.serverChannel.pipeline.get(SessionResponder)!;
  }

  say(...numbers: number[]): void {
    for (const up of numbers) this.channel.writeAndFlush({ up }).onSettled(() => {});
  }

  push(...numbers: number[]): void {
    for (const down of numbers) this.serverChannel.writeAndFlush({ down }).onSettled(() => {});
  }

  /** The numbers that arrived, in order. */
  get heard(): { readonly up: unknown[]; readonly down: unknown[] } {
    return {
      up: this.server.read.map((message) => (message as { up: unknown }).up),
      down: this.client.read.map((message) => (message as { down: unknown }).down),
    };
  }

  async advance(ms: number): Promise<void> {
    await this.loop.advanceByAsync(ms);
  }

  /** Steps until something is so, and says how long that took, ms. */
  async until(isSo: () => boolean, atMostMs = 10_000): Promise<number> {
    let ms = 0;
    for (; !isSo() && ms < atMostMs; ms++) await this.advance(1);
    return ms;
  }

  /** Closes both, gives them time, and says what is left behind. */
  async end(ms = 10_000): Promise<Record<string, number>> {
    const closing = [this.channel.close(), this.listening.close()];
    await this.advance(ms);
    await Promise.all(closing);
    return this.leftBehind();
  }

  /** All zeros when nothing is. */
  leftBehind(): Record<string, number> {
    return {
      timers: this.loop.pendingTimers,
      sessions: this.registry.size,
      away: this.registry.away,
      retainedBytes: this.registry.retainedBytes,
      channels: this.listening.channels.size,
      unacknowledged: this.client.channels.at(-1)!.pipeline.get(SessionHandler)?.unacknowledged ?? 0,
      openEnds: this.network.openEnds,
    };
  }

  #watcher(side: "client" | "server", channel: Channel) {
    const told = this[side];
    const app = side === "client" ? this.options.clientApp : this.options.serverApp;
    return {
      channelActive: () => {
        if (!told.channels.includes(channel)) told.channels.push(channel);
        told.events.push("active");
        app?.active?.(channel);
      },
      channelInactive: () => {
        told.events.push("inactive");
        app?.inactive?.(channel);
      },
      channelRead: (_context: unknown, message: unknown) => {
        told.read.push(message);
        return app?.read?.(message, channel) as void;
      },
      exceptionCaught: (_context: unknown, error: unknown) => void told.errors.push(error),
      userEventTriggered: (_context: unknown, event: unknown) => {
        const { type, resumed, reason, unconfirmed } = event as Record<string, unknown>;
        if (type === "linkUp") told.events.push(resumed ? "resumed" : "up");
        if (type === "linkDown") told.events.push(`down ${reason}`);
        if (type === "drain") told.events.push("drain");
        if (type === "sessionLost") told.events.push(`lost ${reason} ${JSON.stringify(unconfirmed)}`);
        app?.event?.(event as { type: string }, channel);
      },
    };
  }
}

/** A process that is killed while it connects gets no link any more. */
function ofProcess(transport: Transport, loop: ProcessLoop): Transport {
  const { name, keepsMessages } = transport;
  const ignore = () => {};
  const connect: Transport["connect"] = async (remote, options) => {
    const link = await transport.connect(remote, options);
    if (!loop.isKilled) return link;
    link.open({ onRead: ignore, onReadComplete: ignore, onFlushed: ignore, onClosed: ignore });
    link.abort();
    return new Promise(ignore);
  };
  return { name, keepsMessages, connect };
}

/** What {@linkcode Pair.leftBehind} says when nothing is. */
export const NOTHING = {
  timers: 0,
  sessions: 0,
  away: 0,
  retainedBytes: 0,
  channels: 0,
  unacknowledged: 0,
  openEnds: 0,
};
