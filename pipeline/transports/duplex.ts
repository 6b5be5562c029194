/**
 * Node streams: a channel as one, and one as a link. For Node, Bun and Deno.
 *
 * @module
 */

import { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { Channel, type ChannelOptions } from "../channel.ts";
import type { EventLoop } from "../event_loop.ts";
import type { ConnectOptions, Link, Remote, RemoteSource, Transport } from "../transport.ts";
import { ChannelBridge } from "./_channel_bridge.ts";
import { oneTry } from "./_one_try.ts";
import { TcpLink } from "./_tcp_link.ts";

/**
 * Options of {@linkcode asDuplex}.
 *
 * @example A writer that is told early to wait
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { once } from "node:events";
 * import { Channel, ServerBootstrap } from "@longlink/pipeline";
 * import { asDuplex, type AsDuplexOptions } from "@longlink/pipeline/transports/duplex";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const options: AsDuplexOptions = { writableHighWaterMark: 4 };
 * const transport = memory();
 * const server = await new ServerBootstrap({
 *   transport,
 *   pipeline: (p) => p.addLast({ channelRead() {} }),
 * }).listen("memory://sink");
 * const channel = new Channel({ transport });
 * const stream = asDuplex(channel, options);
 * assertEquals(stream.write("hello"), false); // there is no link yet, and room for 4 bytes
 * const drained = once(stream, "drain");
 * channel.connect("memory://sink");
 * await drained;
 * assertEquals(stream.writableLength, 0);
 * stream.destroy();
 * await server.close();
 * ```
 */
export interface AsDuplexOptions {
  /**
   * How much is read ahead of whoever reads the stream, bytes. While more than
   * this waits, nothing is read, heartbeats neither. This side then does not
   * judge its link and goes on beating, however long that takes. But whoever
   * asks it is not answered: a client drops the link of a server that does not
   * read for some 8 s. Default: 1 MiB.
   */
  readonly readableHighWaterMark?: number;
  /** How much a writer may be ahead of the channel, bytes. Default: 64 KiB. */
  readonly writableHighWaterMark?: number;
  /**
   * Whether the stream can still be written once the peer has ended its
   * direction; whoever sets this has to end the stream. Otherwise it ends by
   * itself then, as a socket of `node:net` does. Default: false.
   */
  readonly allowHalfOpen?: boolean;
  /**
   * Whether the stream outlives its links. Only where a session below loses
   * nothing (`keepAlive({ session: new SessionHandler({ queue: { policy: "block" } }) })`),
   * or there would be a hole in the stream. The queue has to block, that of a
   * server's `SessionRegistry` as well: where it rejects, a peer that is slow to
   * acknowledge fails the stream. Default: false.
   */
  readonly acrossLinks?: boolean;
}

const READ_AHEAD_BYTES = 1024 * 1024;
const WRITE_AHEAD_BYTES = 64 * 1024;

/**
 * A channel as a Node stream of bytes, for whatever wants one: a client library,
 * `tls.connect({ socket })`, `stream.pipeline()`. The channel may have a link
 * already or be connected later; what is written before waits. The stream is
 * the channel's last handler, and closes it.
 *
 * - Backpressure works both ways: data is read while less than
 *   `readableHighWaterMark` waits in the stream, and `write()` returns false while
 *   the channel is not writable.
 * - When the first link stands, `connect` is emitted, as by a socket.
 * - `end()` ends this side's direction once all has left, and the peer's goes on
 *   until it ends too, as with a socket of `node:net`: over TCP, TLS, Node
 *   streams, and web streams that were said to. Where that cannot be, it closes
 *   the channel: what the peer sends meanwhile is read while there is room, the
 *   rest is discarded, and `end` follows. So it is with WebSocket, and over
 *   heartbeats (`keepAlive()`) or a session, which need both directions.
 * - The peer's end of its direction is `end`. The stream then ends its own after
 *   what was written, or, with `allowHalfOpen`, when it is told to.
 * - The peer's orderly end of the link is `end` as well. Any other destroys the
 *   stream with a `LinkDownError`, or with the `PeerError` of a peer that said
 *   why. So does a try to connect that fails, with its error. A protocol on a
 *   byte stream cannot go on on another link, so a `ReconnectHandler` below
 *   makes sense only with a session and `acrossLinks`.
 * - `destroy()` drops the link at once.
 *
 * @param channel The channel, whose pipeline is to give and take `Uint8Array`s: no codec.
 * @param options See {@linkcode AsDuplexOptions}.
 * @returns The stream.
 *
 * @example Echo
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap, ServerBootstrap } from "@longlink/pipeline";
 * import { asDuplex } from "@longlink/pipeline/transports/duplex";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const transport = memory();
 * const server = await new ServerBootstrap({
 *   transport,
 *   pipeline: (_pipeline, channel) => {
 *     const stream = asDuplex(channel);
 *     stream.pipe(stream);
 *   },
 * }).listen("memory://echo");
 *
 * const stream = asDuplex(await new Bootstrap({ transport }).connect("memory://echo"));
 * stream.write("hello");
 * const [chunk] = await stream.take(1).toArray();
 * assertEquals(new TextDecoder().decode(chunk), "hello");
 * await server.close();
 * ```
 */
export function asDuplex(channel: Channel, options: AsDuplexOptions = {}): Duplex {
  return new ChannelDuplex(channel, options);
}

/**
 * Makes a channel, begins to connect it and gives it as a stream, for client
 * libraries that ask for a stream for each try of theirs.
 *
 * @param remote Where to, as for `Channel.connect()`.
 * @param options What carries the channel, and its handlers.
 * @param streamOptions See {@linkcode AsDuplexOptions}.
 * @returns The stream; destroyed with the error where no link comes about.
 * @throws {RangeError} If the water marks or the connect timeout are out of range.
 *
 * @example Nobody listens
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { once } from "node:events";
 * import { connectDuplex } from "@longlink/pipeline/transports/duplex";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const stream = connectDuplex("memory://nobody", { transport: memory() });
 * const [error] = await once(stream, "error");
 * assertEquals(error.name, "ConnectError");
 * ```
 */
export function connectDuplex(
  remote: RemoteSource,
  options: ChannelOptions,
  streamOptions: AsDuplexOptions = {},
): Duplex {
  const channel = new Channel(options);
  const stream = new ChannelDuplex(channel, streamOptions);
  channel.connect(remote);
  return stream;
}

class ChannelDuplex extends Duplex {
  readonly #bridge: ChannelBridge;
  #hasConnected = false;

  constructor(channel: Channel, options: AsDuplexOptions) {
    const {
      readableHighWaterMark = READ_AHEAD_BYTES,
      writableHighWaterMark = WRITE_AHEAD_BYTES,
      allowHalfOpen = false,
      acrossLinks = false,
    } = options;
    super({ readableHighWaterMark, writableHighWaterMark, allowHalfOpen });
    this.#bridge = new ChannelBridge({
      opened: () => this.#opened(),
      received: (bytes) => this.push(bytes),
      inputEnded: () => this.push(null),
      ended: (error) => error === undefined ? this.#ended() : this.destroy(error as Error),
    }, { acrossLinks });
    channel.pipeline.addLast(this.#bridge);
  }

  #opened(): void {
    if (this.#hasConnected) return;
    this.#hasConnected = true;
    this.emit("connect");
  }

  /** Both directions are over, whatever a half-open stream might still want to write. */
  #ended(): void {
    this.allowHalfOpen = false;
    if (this.readableEnded) this.end();
    else this.push(null);
  }

  override _read(): void {
    this.#bridge.ask();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    // A copy: its owner may use the chunk again once this is done, which may be before it has left.
    this.#bridge.send(new Uint8Array(chunk), done as (error?: unknown) => void);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    const whole = new Uint8Array(chunks.reduce((sum, { chunk }) => sum + chunk.length, 0));
    let at = 0;
    for (const { chunk } of chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    this.#bridge.send(whole, done as (error?: unknown) => void);
  }

  override _final(done: () => void): void {
    this.#bridge.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#bridge.destroy(() => done(error));
  }
}

/**
 * Options of {@linkcode fromDuplex}.
 *
 * @example A link by hand, without a channel
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { PassThrough } from "node:stream";
 * import { SystemEventLoop } from "@longlink/pipeline";
 * import { fromDuplex, type FromDuplexOptions } from "@longlink/pipeline/transports/duplex";
 *
 * const options: FromDuplexOptions = { loop: new SystemEventLoop() };
 * const link = fromDuplex(new PassThrough(), options);
 * const ignore = { onReadComplete() {}, onFlushed() {}, onClosed() {} };
 * const read = new Promise((resolve) => link.open({ ...ignore, onRead: resolve }));
 * link.read();
 * link.write("hi");
 * link.flush();
 * assertEquals(new TextDecoder().decode(await read as Uint8Array), "hi");
 * link.abort();
 * ```
 */
export interface FromDuplexOptions {
  /** Clock and timers: those of the channel, `channel.loop`. */
  readonly loop: EventLoop;
}

/**
 * Makes a link of a Node stream that exists: a socket that was made elsewhere
 * (through a proxy, by another library), a child process, one end of a pair. It
 * is paused until the channel reads, and belongs to the link from now on. Its
 * directions may end one by one: the link sets its `allowHalfOpen`.
 *
 * @param stream A stream of bytes, which may still be connecting.
 * @param options See {@linkcode FromDuplexOptions}.
 * @returns The link, for `channel.attach()`.
 * @throws {TypeError} If the stream gives text or objects, or has ended.
 *
 * @example A channel over one end of a pair
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { PassThrough } from "node:stream";
 * import { Channel } from "@longlink/pipeline";
 * import { fromDuplex } from "@longlink/pipeline/transports/duplex";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const echo = Promise.withResolvers<unknown>();
 * const channel = new Channel({
 *   transport: memory(), // for `connect`, which this one does not need
 *   pipeline: (p) => p.addLast({ channelRead: (_context, message) => echo.resolve(message) }),
 * });
 * channel.attach(fromDuplex(new PassThrough(), { loop: channel.loop }));
 * await channel.writeAndFlush(new Uint8Array([1, 2]));
 * assertEquals(new Uint8Array(await echo.promise as Uint8Array), new Uint8Array([1, 2]));
 * await channel.close();
 * ```
 */
export function fromDuplex(stream: Duplex, options: FromDuplexOptions): Link {
  if (stream.readableObjectMode || stream.writableObjectMode || stream.readableEncoding !== null) {
    throw new TypeError("Cannot make a link of the stream: it gives text or objects where bytes are due");
  }
  if (stream.destroyed || stream.readableEnded || stream.writableEnded) {
    throw new TypeError("Cannot make a link of the stream: it has ended");
  }
  // A socket's link uses of a socket what every stream has, and names its ends where it has some.
  return new TcpLink(stream as Socket, "encrypted" in stream ? "tls" : "tcp", options.loop);
}

/**
 * Options of {@linkcode duplex}.
 *
 * @example A stream per address, and no such address
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { PassThrough } from "node:stream";
 * import { Bootstrap, ConnectError } from "@longlink/pipeline";
 * import { duplex, type DuplexOptions } from "@longlink/pipeline/transports/duplex";
 *
 * const options: DuplexOptions = {
 *   connect({ address }) {
 *     if (address !== "pipe:one") throw new Error("no such pipe");
 *     return new PassThrough();
 *   },
 * };
 * const bootstrap = new Bootstrap({ transport: duplex(options) });
 * const channel = await bootstrap.connect("pipe:one");
 * assertEquals(channel.isActive, true);
 * await channel.close();
 * await assertRejects(async () => await bootstrap.connect("pipe:two"), ConnectError, "no such pipe");
 * ```
 */
export interface DuplexOptions {
  /**
   * Makes one stream. One that comes after the signal was aborted is destroyed
   * by the transport.
   *
   * @param remote Where to; what its address looks like is up to you.
   * @param options The signal that gives the try up.
   */
  readonly connect: (remote: Remote, options: { readonly signal: AbortSignal }) => Duplex | Promise<Duplex>;
}

/**
 * Links over Node streams that you make, one for each try to connect.
 *
 * @param options See {@linkcode DuplexOptions}.
 * @returns The transport. It cannot listen; see {@linkcode fromDuplex}.
 *
 * @example Through whatever makes a stream
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { PassThrough } from "node:stream";
 * import { Bootstrap } from "@longlink/pipeline";
 * import { duplex } from "@longlink/pipeline/transports/duplex";
 *
 * const transport = duplex({ connect: () => new PassThrough() });
 * const channel = await new Bootstrap({ transport }).connect("loop:back");
 * assertEquals(channel.state, "active");
 * await channel.close();
 * ```
 */
export function duplex(options: DuplexOptions): Transport {
  return new DuplexTransport(options);
}

class DuplexTransport implements Transport {
  readonly name = "duplex";
  readonly keepsMessages = false;
  readonly #connect: DuplexOptions["connect"];

  constructor({ connect }: DuplexOptions) {
    this.#connect = connect;
  }

  connect(remote: Remote, { loop, signal }: ConnectOptions): Promise<Link> {
    return oneTry(remote.address, signal, () => this.#link(remote, loop, signal));
  }

  async #link(remote: Remote, loop: EventLoop, signal: AbortSignal): Promise<Link> {
    return fromDuplex(await this.#connect(remote, { signal }), { loop });
  }
}
