import {
  type ChannelHandler,
  type ChannelHandlerContext,
  type ChannelPromise,
  EmbeddedChannel,
  type EmbeddedChannelOptions,
  type EventLoop,
  type LateNotice,
  type Timer,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import {
  AdaptiveIntervalHandler,
  type AdaptiveIntervalOptions,
  Heartbeat,
  IdleStateHandler,
} from "../../handlers/mod.ts";

/** Any user event of the pipeline, as a test looks at it. */
// deno-lint-ignore no-explicit-any
export type AnyEvent = { readonly type: string } & Record<string, any>;

/** Collects what reaches the end of a pipeline. */
export class Collector implements ChannelHandler {
  readonly events: AnyEvent[] = [];
  readonly errors: unknown[] = [];

  userEventTriggered(_context: ChannelHandlerContext, event: unknown): void {
    this.events.push(event as AnyEvent);
  }

  exceptionCaught(_context: ChannelHandlerContext, error: unknown): void {
    this.errors.push(error);
  }

  /** The events of one type, oldest first; all events are taken out. */
  take(type: string): AnyEvent[] {
    return this.events.splice(0).filter((event) => event.type === type);
  }
}

/** The other end of the wire: answers pings after a round trip, as long as it is alive. */
export class Peer implements ChannelHandler {
  /** What the client sent, and when. */
  readonly sent: { readonly atMs: number; readonly heartbeat: Heartbeat }[] = [];
  isAlive = true;
  /** The link is dead once it was silent for as long as this. */
  natTimeoutMs = Infinity;
  #context: ChannelHandlerContext | undefined = undefined;
  #lastMs = 0;

  /** @param roundTripMs The time from each question to its answer, ms. */
  constructor(readonly roundTripMs: number | (() => number)) {}

  channelActive(context: ChannelHandlerContext): void {
    this.#context = context;
    this.#lastMs = context.loop.now();
    context.fireChannelActive();
  }

  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    context.write(message, promise);
    if (message instanceof Heartbeat) this.#answer(context, message);
  }

  /** Lets something come in, as a read of its own. */
  say(message: unknown): void {
    this.#lastMs = this.#context!.loop.now();
    this.#context!.fireChannelRead(message);
    this.#context!.fireChannelReadComplete();
  }

  #answer(context: ChannelHandlerContext, heartbeat: Heartbeat): void {
    const { loop, channel } = context;
    this.sent.push({ atMs: loop.now(), heartbeat });
    if (!this.isAlive || loop.now() - this.#lastMs >= this.natTimeoutMs) return;
    this.#lastMs = loop.now();
    const linksBefore = this.#context;
    const { roundTripMs } = this;
    loop.schedule(typeof roundTripMs === "number" ? roundTripMs : roundTripMs(), () => {
      if (!this.isAlive || !channel.isActive || linksBefore !== this.#context) return;
      this.say(new Heartbeat("pong", { sequence: heartbeat.sequence }));
    });
  }
}

/** A channel whose AdaptiveIntervalHandler talks to a {@linkcode Peer}. */
export function beating(
  { roundTripMs = 100, before = [], after = [], channel: channelOptions, ...options }:
    & AdaptiveIntervalOptions
    & {
      readonly roundTripMs?: number | (() => number);
      readonly before?: readonly ChannelHandler[];
      readonly after?: readonly ChannelHandler[];
      readonly channel?: EmbeddedChannelOptions;
    } = {},
) {
  const loop = new VirtualEventLoop();
  const peer = new Peer(roundTripMs);
  const idleState = new IdleStateHandler();
  const handler = new AdaptiveIntervalHandler({ warmUpIntervalMs: 10_000, ...options });
  const end = new Collector();
  const channel = new EmbeddedChannel({
    loop,
    ...channelOptions,
    handlers: [peer, idleState, ...before, handler, ...after, end],
  });
  channel.autoClose = false;
  return { loop, peer, idleState, handler, end, channel };
}

/** Counts what is asked of a loop. */
export class CountingLoop implements EventLoop {
  scheduled = 0;
  cancelled = 0;
  clockReads = 0;

  constructor(readonly inner: VirtualEventLoop = new VirtualEventLoop()) {}

  get lastLateMs(): number {
    return this.inner.lastLateMs;
  }

  now(): number {
    this.clockReads++;
    return this.inner.now();
  }

  wallNow(): number {
    return this.inner.wallNow();
  }

  random(): number {
    return this.inner.random();
  }

  schedule<T = undefined>(delayMs: number, task: (argument: T) => void, argument?: T): Timer {
    this.scheduled++;
    const timer = this.inner.schedule(delayMs, task, argument);
    const cancel = () => {
      this.cancelled++;
      timer.cancel();
    };
    return {
      get dueMs() {
        return timer.dueMs;
      },
      get pending() {
        return timer.pending;
      },
      cancel,
    };
  }

  onLate(listener: (notice: LateNotice) => void): () => void {
    return this.inner.onLate(listener);
  }
}

/** A loop that knows how many late listeners it has. */
export class ListenerCountingLoop extends VirtualEventLoop {
  listeners = 0;

  override onLate(listener: (notice: LateNotice) => void): () => void {
    const stop = super.onLate(listener);
    this.listeners++;
    return () => {
      stop();
      this.listeners--;
    };
  }
}
