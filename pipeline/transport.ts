/**
 * The runtime seam: everything a runtime must offer to carry a channel. One
 * transport is one file under `transports/`.
 *
 * @module
 */

import type { EventLoop } from "./event_loop.ts";
import type { LinkDownReason } from "./link_event.ts";

/**
 * What a link carries: bytes, or text where the transport knows text.
 *
 * @example The length on the wire of either
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { WireMessage } from "@longlink/pipeline";
 *
 * const bytesOf = (message: WireMessage) =>
 *   typeof message === "string" ? new TextEncoder().encode(message).length : message.length;
 * assertEquals([bytesOf("é"), bytesOf(new Uint8Array(3))], [2, 3]);
 * ```
 */
export type WireMessage = Uint8Array | string;

/**
 * Where to connect, for one try.
 *
 * @example A fresh ticket for each try
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, type Remote } from "@longlink/pipeline";
 *
 * let tickets = 0;
 * const remote = (): Remote => ({ address: "embedded://peer", credentials: `ticket ${++tickets}` });
 * const channel = new EmbeddedChannel({ active: false });
 * await channel.connect(remote);
 * assertEquals(channel.remote?.credentials, "ticket 1");
 * ```
 */
export interface Remote {
  /** Address as a URL: `tcp://host:port`, `tls://host:port`, `ws://...`, `wss://...`. */
  readonly address: string;
  /**
   * What this try should prove itself with. The pipeline passes it on
   * untouched: transports may use it (the WebSocket transport sends
   * `protocols` and `headers`), handlers find it at `channel.remote`.
   */
  readonly credentials?: unknown;
}

/**
 * Several remotes with the same service behind them, raced as RFC 8305 ("happy
 * eyeballs") does with a host's addresses: the first one is tried, the next one
 * as well once `delayMs` are over or as soon as the one before it has failed,
 * and so on. The first link wins, all other tries are aborted. The connect
 * timeout bounds all of it.
 *
 * @example Two servers, half a second apart
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ConnectError, EmbeddedChannel, type RemoteRace } from "@longlink/pipeline";
 *
 * const failed: string[] = [];
 * const race: RemoteRace = {
 *   remotes: ["embedded://one", "embedded://two"],
 *   delayMs: 500,
 *   onFailed: (address) => failed.push(address),
 * };
 * const channel = new EmbeddedChannel({
 *   active: false,
 *   onConnect: ({ address }) => {
 *     if (address === "embedded://one") throw new ConnectError(address, "connection refused");
 *   },
 * });
 * await channel.connect(race);
 * assertEquals([channel.remote?.address, failed], ["embedded://two", ["embedded://one"]]);
 * ```
 */
export interface RemoteRace {
  /** What to try, best first; at least one. */
  readonly remotes: readonly (string | Remote)[];
  /** How long one is tried alone before the next one is tried as well, in ms, 0 or more. Default: 250. */
  readonly delayMs?: number;
  /**
   * Told of each one that failed or timed out, for who wants to try it later
   * than others next time; not of those that lost the race. Must not throw.
   */
  readonly onFailed?: (address: string) => void;
}

/**
 * Where one try goes: one remote, or several of which the first that answers will do.
 *
 * @example One, or the first that answers
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, type RemoteChoice } from "@longlink/pipeline";
 *
 * const choices: RemoteChoice[] = ["embedded://a", { address: "embedded://b" }, ["embedded://c", "embedded://d"]];
 * const reached: unknown[] = [];
 * for (const choice of choices) {
 *   const channel = new EmbeddedChannel({ active: false });
 *   await channel.connect(choice);
 *   reached.push(channel.remote?.address);
 * }
 * assertEquals(reached, ["embedded://a", "embedded://b", "embedded://c"]);
 * ```
 */
export type RemoteChoice = string | Remote | readonly (string | Remote)[] | RemoteRace;

/**
 * Where to connect: fixed, or asked anew for each try (fresh credentials,
 * another server). The function's promise counts into the connect timeout, and
 * its signal is aborted when the try is given up. A list is short for a
 * {@linkcode RemoteRace} with its defaults.
 *
 * @example Asked anew for each try
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, type RemoteSource } from "@longlink/pipeline";
 *
 * const nearest: RemoteSource = async ({ signal }) => {
 *   signal.throwIfAborted(); // a request to a directory would take the signal
 *   return await Promise.resolve(["embedded://near", "embedded://far"]);
 * };
 * const channel = new EmbeddedChannel({ active: false });
 * await channel.connect(nearest);
 * assertEquals(channel.remote?.address, "embedded://near");
 * ```
 */
export type RemoteSource =
  | RemoteChoice
  | ((options: { readonly signal: AbortSignal }) => RemoteChoice | Promise<RemoteChoice>);

/**
 * What a transport gets for one try.
 *
 * @example A transport that gives up when it is told to
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { Channel, type ConnectOptions, type Link, type Remote, VirtualEventLoop } from "@longlink/pipeline";
 *
 * const never = (_remote: Remote, { signal }: ConnectOptions) =>
 *   new Promise<Link>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
 * const loop = new VirtualEventLoop();
 * const transport = { name: "never", keepsMessages: false, connect: never };
 * const connected = new Channel({ transport, loop, connectTimeoutMs: 1_000 }).connect("never://there");
 * const rejected = assertRejects(async () => await connected, Error);
 * await loop.advanceByAsync(1_000);
 * await rejected;
 * ```
 */
export interface ConnectOptions {
  /** Clock and timers. */
  readonly loop: EventLoop;
  /** Aborted when the try is given up (timeout, close). A late link is aborted by the channel. */
  readonly signal: AbortSignal;
}

/**
 * What a server transport gets.
 *
 * @example Listening without a bootstrap
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type Link, type ListenOptions, VirtualEventLoop } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const loop = new VirtualEventLoop();
 * const links: Link[] = [];
 * const options: ListenOptions = { loop, onLink: (link) => links.push(link), onError: console.error };
 * const transport = memory();
 * const listener = await transport.listen!("memory://door", options);
 * const { signal } = new AbortController();
 * transport.connect({ address: listener.address }, { loop, signal });
 * await loop.advanceByAsync(1);
 * assertEquals(links.length, 1);
 * ```
 */
export interface ListenOptions {
  /** Clock and timers. */
  readonly loop: EventLoop;
  /** Called with each new link. The link delivers nothing before {@linkcode Link.open}. */
  readonly onLink: (link: Link) => void;
  /** Called when a single peer could not be accepted; the listener goes on. */
  readonly onError: (error: Error) => void;
}

/**
 * A server's open door.
 *
 * @example Closed for those who come, open for those who are there
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { Bootstrap, type Listener, VirtualEventLoop } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const transport = memory();
 * const loop = new VirtualEventLoop();
 * const listener: Listener = await transport.listen!("memory://hall", {
 *   loop,
 *   onLink: (link) => link.close(),
 *   onError: console.error,
 * });
 * await listener.close();
 * await assertRejects(async () => await new Bootstrap({ transport }).connect(listener.address), Error);
 * ```
 */
export interface Listener {
  /** Where it listens, with the real port where 0 was asked for. */
  readonly address: string;
  /** Stops accepting. Links that exist stay. */
  close(): Promise<void>;
}

/**
 * What a link tells its channel.
 *
 * @example A link used by hand
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type LinkSink, VirtualEventLoop } from "@longlink/pipeline";
 * import { memoryPair } from "@longlink/pipeline/transports/memory";
 *
 * const loop = new VirtualEventLoop();
 * const [one, two] = memoryPair({ loop, keepsMessages: true });
 * const read: unknown[] = [];
 * const ignore = { onReadComplete() {}, onFlushed() {}, onClosed() {} };
 * const sink: LinkSink = { ...ignore, onRead: (message) => read.push(message) };
 * two.open(sink);
 * two.read();
 * one.open({ ...ignore, onRead() {} });
 * one.write("hello");
 * one.flush();
 * await loop.advanceByAsync(1);
 * assertEquals(read, ["hello"]);
 * ```
 */
export interface LinkSink {
  /** Data came in. The receiver owns the bytes: the link does not reuse them. */
  onRead(message: WireMessage): void;
  /** This batch of reads is over. Ask for more with {@linkcode Link.read}. */
  onReadComplete(): void;
  /**
   * So many more of the written bytes (UTF-8 length for text) have left for
   * the operating system. May come in parts of one large message, and that is
   * wanted: it shows that a busy link is not a dead one.
   */
  onFlushed(bytes: number): void;
  /**
   * The peer has ended its direction (FIN) after all that was read, and this
   * side may go on writing. Called at most once; not where this side has sent
   * its own end, as the link is then gone.
   *
   * @returns Whether the link stays until this side ends as well; without this
   *   method, or if not, it goes down with the reason `remoteClosed`.
   */
  onInputEnded?(): boolean;
  /** The link is gone. Called exactly once, and nothing is called after it. */
  onClosed(reason: LinkDownReason, error?: Error): void;
}

/**
 * One connection, from when it stands until it is gone.
 *
 * @example A link that somebody else made becomes a channel's
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Channel, type Link, VirtualEventLoop } from "@longlink/pipeline";
 * import { memory, memoryPair } from "@longlink/pipeline/transports/memory";
 *
 * const loop = new VirtualEventLoop();
 * const [link]: readonly Link[] = memoryPair({ loop });
 * const channel = new Channel({ transport: memory(), loop });
 * channel.attach(link!);
 * assertEquals(channel.isActive, true);
 * channel.drop("closed");
 * ```
 */
export interface Link {
  /** This end, as a URL, or "" where the platform does not say. */
  readonly localAddress: string;
  /** The other end, as a URL, or "" where the platform does not say. */
  readonly remoteAddress: string;
  /** What whoever accepted it knows of it, such as a user's name from a cookie. Absent where nobody said anything. */
  readonly details?: unknown;
  /** Binds the link to its channel; called once, before anything else. Reading starts paused. */
  open(sink: LinkSink): void;
  /**
   * Asks for one more batch of data (one or more `onRead`, then one
   * `onReadComplete`). Calling it twice before a batch is the same as once. A
   * link that was not asked reads nothing, so the peer is slowed down.
   */
  read(): void;
  /**
   * Whether it reads nothing, since nobody asked for a batch after the last
   * one: what the peer sends, answers to heartbeats as well, then waits here.
   * Absent where a link cannot tell; it then counts as not paused.
   */
  readonly isPaused?: boolean;
  /** Buffers one message (a chunk, on a byte stream) until {@linkcode flush}. */
  write(message: WireMessage): void;
  /** Sends what was buffered, in order. */
  flush(): void;
  /**
   * Ends this direction alone: what was flushed goes out, then the peer sees
   * the end (FIN) and may go on sending. A write fails from now on. The link
   * goes down with the reason `remoteClosed` once both sides have ended, and
   * not before: nothing limits how long the peer takes. Absent where there is
   * no such thing, as in WebSocket.
   */
  shutdownOutput?(): void;
  /**
   * Closes in an orderly way: what was flushed still goes out, then
   * `onClosed("closed")`. Ends by itself within 2 s even if the peer is silent.
   */
  close(): void;
  /** Drops the link at once (a reset where the platform can); `onClosed("closed")` follows. */
  abort(): void;
}

/**
 * A way to make links.
 *
 * @example A transport that only counts
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap, type Transport } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * let tries = 0;
 * const below = memory();
 * const counting: Transport = {
 *   name: below.name,
 *   keepsMessages: below.keepsMessages,
 *   connect(remote, options) {
 *     tries++;
 *     return below.connect(remote, options);
 *   },
 * };
 * await new Bootstrap({ transport: counting }).connect("memory://nobody").catch(() => {});
 * assertEquals(tries, 1);
 * ```
 */
export interface Transport {
  /** Short name: `tcp`, `websocket`, `streams`, `memory`. */
  readonly name: string;
  /** Whether one write arrives as one read (WebSocket), or bytes simply stream (TCP). */
  readonly keepsMessages: boolean;
  /**
   * Makes one link.
   *
   * @throws {TypeError} At once, if the address cannot be parsed or is of another scheme.
   * @throws {ConnectError} (as a rejection) If no link came about; with address and cause.
   */
  connect(remote: Remote, options: ConnectOptions): Link | Promise<Link>;
  /**
   * Accepts links. Absent where the platform cannot.
   *
   * @throws {TypeError} At once, if the address cannot be parsed or is of another scheme.
   */
  listen?(address: string, options: ListenOptions): Promise<Listener>;
}
