/**
 * Web streams: links over whatever offers a readable and a writable side, and
 * a channel as such a pair.
 *
 * @module
 */

import type { Channel } from "../channel.ts";
import type { EventLoop } from "../event_loop.ts";
import type { ConnectOptions, Link, Remote, Transport } from "../transport.ts";
import { channelStreams } from "./_channel_streams.ts";
import { oneTry } from "./_one_try.ts";
import { StreamLink } from "./_stream_link.ts";

/**
 * Two streams that together are one connection, such as a `Deno.Conn`, the two
 * ends of a `TransformStream` pair, or what `WebSocketStream.opened` gives.
 *
 * @example What lies beneath is freed with the link
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { SystemEventLoop } from "@longlink/pipeline";
 * import { streamLink, type StreamPair } from "@longlink/pipeline/transports/streams";
 *
 * const port = { isOpen: true };
 * const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
 * const pair: StreamPair = { readable, writable, close: () => port.isOpen = false };
 * const link = streamLink(pair, { loop: new SystemEventLoop() });
 * const ignore = { onRead() {}, onReadComplete() {}, onFlushed() {} };
 * const closed = new Promise((resolve) => link.open({ ...ignore, onClosed: resolve }));
 * link.abort();
 * assertEquals([await closed, port.isOpen], ["closed", false]);
 * ```
 */
export interface StreamPair {
  /** What the peer sends. It must give `Uint8Array`s, or text where messages are kept. */
  // deno-lint-ignore no-explicit-any
  readonly readable: ReadableStream<any>;
  /** What goes to the peer. */
  // deno-lint-ignore no-explicit-any
  readonly writable: WritableStream<any>;
  /** Frees what lies beneath. Called once, when the link is gone; its failure is ignored, nothing can follow from it. */
  close?(): unknown;
}

/**
 * Options of {@linkcode streamLink}.
 *
 * @example Streams of text
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Channel, SystemEventLoop } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 * import { streamLink, type StreamLinkOptions } from "@longlink/pipeline/transports/streams";
 *
 * const loop = new SystemEventLoop();
 * const options: StreamLinkOptions = { loop, keepsMessages: true, remoteAddress: "loop:back" };
 * const echo = Promise.withResolvers<unknown>();
 * const channel = new Channel({
 *   transport: memory({ keepsMessages: true }), // for `connect`, which this one does not need
 *   loop,
 *   pipeline: (p) => p.addLast({ channelRead: (_context, message) => echo.resolve(message) }),
 * });
 * channel.attach(streamLink(new TransformStream<string, string>(), options));
 * await channel.writeAndFlush("hi");
 * assertEquals([await echo.promise, channel.remoteAddress], ["hi", "loop:back"]);
 * channel.drop("closed");
 * ```
 */
export interface StreamLinkOptions {
  /** Clock and timers. */
  readonly loop: EventLoop;
  /** Whether one chunk is one message. Default: false, the chunks are parts of a byte stream. */
  readonly keepsMessages?: boolean;
  /**
   * Whether each of the two streams may end while the other goes on, as with
   * the two ends of `TransformStream`s and with streams of WebTransport; not so
   * with a `Deno.Conn`, where the end of one ends both. Default: false, the
   * link ends with the first of them.
   */
  readonly halfCloses?: boolean;
  /** This end, as a URL. Default: "". */
  readonly localAddress?: string;
  /** The other end, as a URL. Default: "". */
  readonly remoteAddress?: string;
}

/**
 * Options of {@linkcode streams}.
 *
 * @example Text over a pair of streams, with addresses of one's own
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap } from "@longlink/pipeline";
 * import { streams, type StreamsOptions } from "@longlink/pipeline/transports/streams";
 *
 * const greet = (name: string) => ({
 *   transform: (text: string, output: TransformStreamDefaultController) => output.enqueue(`${text} ${name}`),
 * });
 * const options: StreamsOptions = {
 *   connect: ({ address }) => new TransformStream(greet(address.slice("room:".length))),
 *   keepsMessages: true,
 * };
 * const answer = Promise.withResolvers<unknown>();
 * const channel = await new Bootstrap({
 *   transport: streams(options),
 *   pipeline: (p) => p.addLast({ channelRead: (_context, message) => answer.resolve(message) }),
 * }).connect("room:ann");
 * await channel.writeAndFlush("hello");
 * assertEquals(await answer.promise, "hello ann");
 * channel.drop("closed");
 * ```
 */
export interface StreamsOptions {
  /**
   * Makes one connection. Streams that come after the signal was aborted are
   * closed by the transport.
   *
   * @param remote Where to; what its address looks like is up to you.
   * @param options The signal that gives the try up.
   */
  readonly connect: (
    remote: Remote,
    options: { readonly signal: AbortSignal },
  ) => StreamPair | Promise<StreamPair>;
  /** Whether one chunk is one message. Default: false, the chunks are parts of a byte stream. */
  readonly keepsMessages?: boolean;
  /**
   * Whether each of the two streams may end while the other goes on, as with
   * the two ends of `TransformStream`s and with streams of WebTransport; not so
   * with a `Deno.Conn`, where the end of one ends both. Default: false, the
   * link ends with the first of them.
   */
  readonly halfCloses?: boolean;
}

/**
 * Makes a link of two streams that stand, for a server or for one end of a pair.
 *
 * Backpressure works both ways: a chunk is pulled only when the link is asked
 * to read, and one part of at most 64 KiB is written at a time, the next when
 * the stream has taken it. Closing closes the writable side and waits for the
 * end of the readable one; aborting aborts both with an `AbortError`, which
 * the peer, where it is a link of this kind, takes for a reset.
 *
 * @param pair The two streams. They get locked.
 * @param options See {@linkcode StreamLinkOptions}.
 * @returns The link.
 * @throws {TypeError} If one of the streams is locked already.
 *
 * @example Two links over two identity streams
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { SystemEventLoop } from "@longlink/pipeline";
 * import { streamLink } from "@longlink/pipeline/transports/streams";
 *
 * const loop = new SystemEventLoop();
 * const up = new TransformStream<Uint8Array, Uint8Array>();
 * const down = new TransformStream<Uint8Array, Uint8Array>();
 * const client = streamLink({ readable: down.readable, writable: up.writable }, { loop });
 * const server = streamLink({ readable: up.readable, writable: down.writable }, { loop });
 * const ignore = { onRead() {}, onReadComplete() {}, onFlushed() {}, onClosed() {} };
 * client.open(ignore);
 * const message = new Promise((resolve) => server.open({ ...ignore, onRead: resolve }));
 * server.read();
 * client.write(new Uint8Array([1, 2]));
 * client.flush();
 * assertEquals(await message, new Uint8Array([1, 2]));
 * ```
 */
export function streamLink(pair: StreamPair, options: StreamLinkOptions): Link {
  return new StreamLink(pair, options);
}

/**
 * Links over any streams that you can make: the transport for what has none of
 * its own, such as WebTransport, a serial port or a connection through a proxy.
 *
 * @param options See {@linkcode StreamsOptions}.
 * @returns The transport. It cannot listen; see {@linkcode streamLink}.
 *
 * @example A transport over a pair that is made for each try
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { SystemEventLoop } from "@longlink/pipeline";
 * import { streams } from "@longlink/pipeline/transports/streams";
 *
 * const transport = streams({ connect: () => new TransformStream<Uint8Array, Uint8Array>() });
 * const { signal } = new AbortController();
 * const loop = new SystemEventLoop();
 * const link = await transport.connect({ address: "loop:back" }, { loop, signal });
 * assertEquals(link.remoteAddress, "loop:back");
 * link.abort();
 * ```
 */
export function streams(options: StreamsOptions): Transport {
  return new StreamsTransport(options);
}

/**
 * Options of {@linkcode asStreams}.
 *
 * @example While nobody reads the stream, the peer waits
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Channel, VirtualEventLoop } from "@longlink/pipeline";
 * import { memory, memoryPair } from "@longlink/pipeline/transports/memory";
 * import { asStreams, type AsStreamsOptions } from "@longlink/pipeline/transports/streams";
 *
 * const options: AsStreamsOptions = { readableHighWaterMark: 4 };
 * const loop = new VirtualEventLoop();
 * const [link, peer] = memoryPair({ loop });
 * const channel = new Channel({ transport: memory(), loop });
 * const { readable } = asStreams(channel, options);
 * channel.attach(link);
 * peer.open({ onRead() {}, onReadComplete() {}, onFlushed() {}, onClosed() {} });
 * peer.write(new Uint8Array(5));
 * peer.flush();
 * await loop.advanceByAsync(1);
 * assertEquals(link.isPaused, true);
 * await readable.getReader().read();
 * await loop.advanceByAsync(1);
 * assertEquals(link.isPaused, false);
 * ```
 */
export interface AsStreamsOptions {
  /**
   * How much is read ahead of whoever reads the stream, bytes. While more than
   * this waits, nothing is read, heartbeats neither. This side then does not
   * judge its link and goes on beating, however long that takes. But whoever
   * asks it is not answered: a client drops the link of a server that does not
   * read for some 8 s. Default: 1 MiB.
   */
  readonly readableHighWaterMark?: number;
  /**
   * Whether the streams outlive their links. Only where a session below loses
   * nothing (`keepAlive({ session: new SessionHandler({ queue: { policy: "block" } }) })`),
   * or there would be a hole in the stream. The queue has to block, that of a
   * server's `SessionRegistry` as well: where it rejects, a peer that is slow to
   * acknowledge fails the stream. Default: false.
   */
  readonly acrossLinks?: boolean;
}

/**
 * A channel's two directions.
 *
 * @example A service that does not know of channels
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel } from "@longlink/pipeline";
 * import { asStreams, type ChannelStreams } from "@longlink/pipeline/transports/streams";
 *
 * function serve({ readable, writable }: ChannelStreams): Promise<void> {
 *   const double = new TransformStream<Uint8Array, Uint8Array>({
 *     transform: (chunk, output) => output.enqueue(chunk.map((byte) => 2 * byte)),
 *   });
 *   return readable.pipeThrough(double).pipeTo(writable);
 * }
 *
 * const channel = new EmbeddedChannel();
 * const served = serve(asStreams(channel));
 * channel.writeInbound(new Uint8Array([1, 2]));
 * await channel.advanceByAsync(1);
 * assertEquals(channel.readOutbound(), new Uint8Array([2, 4]));
 * channel.loseLink("remoteClosed");
 * await served;
 * ```
 */
export interface ChannelStreams {
  /** What the peer sends. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What goes to the peer. */
  readonly writable: WritableStream<Uint8Array>;
}

/**
 * A channel as two web streams of bytes, for whatever wants them. The channel
 * may have a link already or be connected later; what is written before waits.
 * The streams are the channel's last handler, and close it.
 *
 * - Backpressure works both ways: data is read while less than
 *   `readableHighWaterMark` waits in the stream, and a write is done once the
 *   channel is writable.
 * - Closing the writable side ends this direction once all has left, and the
 *   readable side goes on until the peer ends too: over TCP, TLS, Node streams,
 *   and web streams that were said to. Where that cannot be, it closes the
 *   channel: what the peer sends meanwhile is read while there is room, the rest
 *   is discarded, and the readable side ends. So it is with WebSocket, and over
 *   heartbeats (`keepAlive()`) or a session, which need both directions.
 *   Aborting it drops the link at once.
 * - The peer's end of its direction closes the readable side; the writable side
 *   goes on, and has to be closed.
 * - Canceling the readable side discards what comes; the writable side goes on.
 * - The peer's orderly end of the link closes the readable side. Any other
 *   fails both with a `LinkDownError`, or with the `PeerError` of a peer that
 *   said why. So does a try to connect that fails, with its error. A protocol
 *   on a byte stream cannot go on on another link, so a `ReconnectHandler`
 *   below makes sense only with a session and `acrossLinks`.
 *
 * @param channel The channel, whose pipeline is to give and take `Uint8Array`s: no codec.
 * @param options See {@linkcode AsStreamsOptions}.
 * @returns The streams.
 *
 * @example Echo
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap, ServerBootstrap } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 * import { asStreams } from "@longlink/pipeline/transports/streams";
 *
 * const transport = memory();
 * const server = await new ServerBootstrap({
 *   transport,
 *   pipeline: (_pipeline, channel) => {
 *     const { readable, writable } = asStreams(channel);
 *     readable.pipeTo(writable);
 *   },
 * }).listen("memory://echo");
 *
 * const { readable, writable } = asStreams(await new Bootstrap({ transport }).connect("memory://echo"));
 * const writer = writable.getWriter();
 * await writer.write(new Uint8Array([1, 2, 3]));
 * const reader = readable.getReader();
 * assertEquals((await reader.read()).value, new Uint8Array([1, 2, 3]));
 * await writer.close();
 * assertEquals((await reader.read()).done, true);
 * await server.close();
 * ```
 */
export function asStreams(channel: Channel, options: AsStreamsOptions = {}): ChannelStreams {
  return channelStreams(channel, options);
}

class StreamsTransport implements Transport {
  readonly name = "streams";
  readonly keepsMessages: boolean;
  readonly #connect: StreamsOptions["connect"];
  readonly #halfCloses: boolean | undefined;

  constructor({ connect, keepsMessages = false, halfCloses }: StreamsOptions) {
    this.#connect = connect;
    this.#halfCloses = halfCloses;
    this.keepsMessages = keepsMessages;
  }

  connect(remote: Remote, { loop, signal }: ConnectOptions): Promise<Link> {
    return oneTry(remote.address, signal, () => this.#link(remote, loop, signal));
  }

  async #link(remote: Remote, loop: EventLoop, signal: AbortSignal): Promise<StreamLink> {
    const pair = await this.#connect(remote, { signal });
    return new StreamLink(pair, {
      loop,
      keepsMessages: this.keepsMessages,
      halfCloses: this.#halfCloses,
      remoteAddress: remote.address,
    });
  }
}
