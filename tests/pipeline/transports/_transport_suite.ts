/**
 * What every transport must do, run against each of them.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertExists,
  assertInstanceOf,
  assertLess,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  ConnectError,
  type EventLoop,
  type Link,
  type LinkDownReason,
  type Listener,
  type Transport,
} from "../../../pipeline/mod.ts";
import { concat, HeldLoop, LinkRecorder, pattern, steady } from "./_link_recorder.ts";

/** One transport, made anew for each test. */
export interface TransportUnderTest {
  readonly transport: Transport;
  /** Where to listen; with port 0 where there are ports. */
  readonly listenAddress: string;
  /** Where nobody listens. */
  readonly refusedAddress: string;
  readonly loop: EventLoop;
}

/** In what transports may differ. */
export interface Capabilities {
  /** Whether the peer of an aborted link surely sees a reset, and not perhaps an orderly end. */
  readonly abortResets: boolean;
  /** More than can be flushed while the reader does not read, bytes; undefined if the writer is not slowed. */
  readonly tooMuchBytes: number | undefined;
  /** Whether a large message is flushed in parts. */
  readonly flushesInParts: boolean;
  /** Whether it keeps up a close that the peer does not answer only until the limit. */
  readonly closeWaitsForPeer: boolean;
  /** Whether one direction can end while the other goes on. Default: no. */
  readonly halfCloses?: boolean;
  /** Whether it says that it is not asked to read. Default: no. */
  readonly tellsPause?: boolean;
  /** Addresses that it must refuse, with what the error says. */
  readonly badAddresses: readonly (readonly [address: string, message: RegExp])[];
}

/** Defines the tests. */
export function transportSuite(
  name: string,
  make: () => TransportUnderTest | Promise<TransportUnderTest>,
  capabilities: Capabilities,
): void {
  const test = (behaviour: string, body: (world: World) => Promise<void>) =>
    Deno.test(`${name} ${behaviour}`, async () => {
      const world = new World(await make());
      await body(world);
      await world.dispose();
    });

  test("carries bytes both ways, complete and in order", async (world) => {
    const [client, server] = await world.pair();
    const sent = [1, 100, 20_000, 3, 70_000, 200_000, 7].map((length, i) => pattern(length, i + 1));
    const whole = sent.reduce((sum, part) => sum + part.length, 0);
    for (const [from, to] of [[client, server], [server, client]] as const) {
      from.send(...sent.slice(0, 3));
      from.send(...sent.slice(3));
      await to.until(() => to.receivedBytes === whole);
      assertEquals(to.bytes, concat(sent));
      await from.until(() => from.flushedBytes === whole);
      if (world.transport.keepsMessages) assertEquals(to.messages, sent);
    }
  });

  test("carries text, as text where messages are kept", async (world) => {
    const [client, server] = await world.pair();
    const text = "héllo wörld, 你好 🙂";
    client.send(text);
    const bytes = new TextEncoder().encode(text);
    await client.until(() => client.flushedBytes === bytes.length);
    if (world.transport.keepsMessages) {
      await server.until(() => server.messages.length === 1);
      assertEquals(server.messages, [text]);
    } else {
      await server.until(() => server.receivedBytes === bytes.length);
      assertEquals(server.bytes, bytes);
    }
  });

  test("reports the flush of empty messages", async (world) => {
    const [client] = await world.pair();
    client.send(new Uint8Array(0), new Uint8Array(0));
    await client.until(() => client.flushes.length > 0);
    assertEquals(client.flushedBytes, 0);
  });

  test("sends nothing before flush()", async (world) => {
    const [client, server] = await world.pair();
    client.link.write(new Uint8Array([1, 2, 3]));
    await steady(world.loop, () => server.receivedBytes);
    assertEquals([server.receivedBytes, client.flushes.length], [0, 0]);
    client.link.flush();
    await server.until(() => server.receivedBytes === 3);
  });

  test("delivers one batch for each read()", async (world) => {
    const [client, server] = await world.pair({ serverReads: false });
    client.send(pattern(1000));
    await steady(world.loop, () => server.messages.length);
    assertEquals(server.messages.length, 0);
    server.read();
    server.read();
    await server.until(() => server.receivedBytes === 1000);
    client.send(pattern(1000));
    await steady(world.loop, () => server.messages.length);
    assertEquals([server.receivedBytes, server.batches], [1000, 1]);
    server.read();
    await server.until(() => server.receivedBytes === 2000);
  });

  const { tooMuchBytes } = capabilities;
  if (tooMuchBytes !== undefined) {
    test("makes the writer wait for a reader that does not read", async (world) => {
      const [client, server] = await world.pair({ serverReads: false });
      const part = pattern(tooMuchBytes / 16);
      for (let sent = 0; sent < tooMuchBytes; sent += part.length) client.send(part);
      await steady(world.loop, () => client.flushedBytes);
      assertEquals(server.messages.length, 0);
      assertLess(client.flushedBytes, tooMuchBytes);
      server.readAll();
      await client.until(() => client.flushedBytes === tooMuchBytes);
      await server.until(() => server.receivedBytes === tooMuchBytes);
    });
  }

  if (capabilities.flushesInParts) {
    test("shows the progress of one large message", async (world) => {
      const [client, server] = await world.pair();
      const message = pattern(500_000);
      client.send(message);
      await client.until(() => client.flushedBytes === message.length);
      await server.until(() => server.receivedBytes === message.length);
      assert(client.flushes.length >= 3, `flushed in ${client.flushes.length} parts`);
    });
  }

  test("close() sends what was flushed, then both ends are told once", async (world) => {
    const [client, server] = await world.pair();
    const message = pattern(1_000_000);
    client.send(message);
    client.link.write(new Uint8Array(10)); // was not flushed, and does not go out
    client.close();
    client.close();
    assertEquals(await client.end(), "closed");
    assertEquals(await server.end(), "remoteClosed");
    assertEquals(server.bytes, message);
    assertEquals([client.closed?.error, server.closed?.error], [undefined, undefined]);
    assertEquals(world.loop.heldMs, []);
  });

  test("close() loses nothing although the closing end has unread data", async (world) => {
    const [client, server] = await world.pair({ clientReads: false, serverReads: false });
    server.send(pattern(200_000));
    await steady(world.loop, () => server.flushedBytes);
    const message = pattern(100_000);
    client.send(message);
    client.close();
    server.readAll();
    assertEquals(await server.end(), "remoteClosed");
    assertEquals(server.bytes, message);
    assertEquals(await client.end(), "closed");
  });

  if (capabilities.closeWaitsForPeer && tooMuchBytes !== undefined) {
    test("close() ends within 2 s although the peer is silent", async (world) => {
      const [client] = await world.pair({ serverReads: false });
      const part = pattern(tooMuchBytes / 16);
      for (let sent = 0; sent < tooMuchBytes; sent += part.length) client.send(part);
      client.close();
      await steady(world.loop, () => client.flushedBytes);
      assertEquals(client.closed, undefined);
      assertEquals(world.loop.heldMs, [2000]);
      world.loop.fireHeld();
      assertEquals(await client.end(), "closed");
    });
  }

  if (capabilities.halfCloses) {
    test("shutdownOutput() ends one direction, and the other goes on", async (world) => {
      const [client, server] = await world.pair();
      const [request, answer] = [pattern(1_000_000), pattern(1_000_000, 2)];
      server.keepsHalf = true;
      client.send(request);
      client.link.write(new Uint8Array(10)); // was not flushed, and does not go out
      client.shutdownOutput();
      client.shutdownOutput();
      assertThrows(() => client.link.write(new Uint8Array(1)), TypeError, "Cannot write: the output");
      await server.until(() => server.inputEnded);
      assertEquals(server.bytes, request);
      server.send(answer);
      await client.until(() => client.receivedBytes === answer.length);
      await steady(world.loop, () => client.receivedBytes);
      assertEquals(client.bytes, answer);
      server.send(pattern(10));
      server.shutdownOutput();
      assertEquals([await client.end(), await server.end()], ["remoteClosed", "remoteClosed"]);
      assertEquals([client.receivedBytes, client.inputEnded], [answer.length + 10, false]);
      assertEquals([client.closed?.error, server.closed?.error], [undefined, undefined]);
    });

    test("shutdownOutput() on both sides at once loses nothing", async (world) => {
      const [client, server] = await world.pair();
      const ends = [client, server] as const;
      for (const end of ends) {
        end.keepsHalf = true;
        end.send(pattern(300_000));
        end.shutdownOutput();
      }
      for (const end of ends) {
        assertEquals(await end.end(), "remoteClosed");
        assertEquals(end.bytes, pattern(300_000));
      }
    });

    test("the peer's end takes a link down that nobody keeps", async (world) => {
      const [client, server] = await world.pair();
      client.send(pattern(1000));
      client.shutdownOutput();
      assertEquals(await server.end(), "remoteClosed");
      assertEquals([server.bytes, server.inputEnded], [pattern(1000), true]);
      assertEquals(await client.end(), "remoteClosed");
    });

    test("the peer's end is told after what is unread", async (world) => {
      const [client, server] = await world.pair({ serverReads: false });
      server.keepsHalf = true;
      client.send(pattern(1000));
      client.shutdownOutput();
      await steady(world.loop, () => client.flushedBytes);
      assertEquals(server.inputEnded, false);
      server.readAll();
      await server.until(() => server.inputEnded);
      assertEquals(server.bytes, pattern(1000));
      server.read();
      server.send(pattern(10));
      await client.until(() => client.receivedBytes === 10);
    });

    test("close() after the peer's end sends what was flushed", async (world) => {
      const [client, server] = await world.pair();
      server.keepsHalf = true;
      client.shutdownOutput();
      await server.until(() => server.inputEnded);
      server.send(pattern(1_000_000));
      server.close();
      assertEquals([await client.end(), await server.end()], ["remoteClosed", "closed"]);
      assertEquals(client.bytes, pattern(1_000_000));
      assertEquals(world.loop.heldMs, []);
    });

    test("close() after shutdownOutput() ends both", async (world) => {
      const [client, server] = await world.pair();
      client.send(pattern(1000));
      client.shutdownOutput();
      client.close();
      assertEquals([await client.end(), await server.end()], ["closed", "remoteClosed"]);
      assertEquals(server.bytes, pattern(1000));
      assertEquals(world.loop.heldMs, []);
    });

    test("abort() after shutdownOutput() drops the link", async (world) => {
      const [client, server] = await world.pair();
      server.keepsHalf = true;
      client.shutdownOutput();
      await server.until(() => server.inputEnded);
      client.abort();
      assertEquals(await client.end(), "closed");
      // What nobody takes any more fails, sooner or later.
      while (server.closed === undefined) {
        server.send(pattern(10_000));
        await steady(world.loop, () => server.flushedBytes);
      }
      assertEquals(server.closed.reason, "reset");
    });
  } else {
    test("cannot end one direction alone", async (world) => {
      const [client] = await world.pair();
      assertEquals(client.link.shutdownOutput, undefined);
    });
  }

  if (capabilities.tellsPause) {
    test("Link.isPaused tells whether nobody asked", async (world) => {
      const [client, server] = await world.pair({ serverReads: false });
      assertEquals([client.link.isPaused, server.link.isPaused], [false, true]);
      server.read();
      assertEquals(server.link.isPaused, false);
      client.send(pattern(10));
      await server.until(() => server.batches === 1);
      assertEquals(server.link.isPaused, true);
    });
  }

  test("abort() drops the link at once, also during a close", async (world) => {
    const [client, server] = await world.pair();
    client.send(pattern(100));
    await server.until(() => server.receivedBytes === 100);
    client.close();
    client.abort();
    client.abort();
    assertEquals(await client.end(), "closed");
    await server.end();
    assertEquals(world.loop.heldMs, []);
  });

  const looksAborted = (reason: LinkDownReason) =>
    reason === "reset" || !capabilities.abortResets && reason === "remoteClosed";

  test("abort() resets the peer, where it can", async (world) => {
    const [client, server] = await world.pair();
    client.send(pattern(100));
    await server.until(() => server.receivedBytes === 100);
    client.abort();
    assert(looksAborted(await server.end()), server.closed?.reason);
    assertEquals(await client.end(), "closed");
  });

  test("does nothing more once it is closed", async (world) => {
    const [client, server] = await world.pair();
    server.close();
    assertEquals(await client.end(), "remoteClosed");
    await server.end();
    for (const { link } of [client, server]) {
      link.write(new Uint8Array(1));
      link.flush();
      link.read();
      link.close();
      link.abort();
    }
    await steady(world.loop, () => client.flushes.length + client.messages.length); // the recorder throws if told more
    assertEquals(world.loop.heldMs, []);
  });

  test("loses nothing that comes, nor the end, between connect() and open()", async (world) => {
    const listener = await world.listen((link) => {
      const server = world.record(link);
      server.send(pattern(5000));
      server.close();
    });
    const link = await world.connect(listener.address);
    await steady(world.loop, () => 0);
    const client = world.record(link);
    assertEquals(await client.end(), "remoteClosed");
    assertEquals(client.bytes, pattern(5000));
  });

  test("an end that comes before open() is told after it", async (world) => {
    const accepted = Promise.withResolvers<Link>();
    const listener = await world.listen(accepted.resolve);
    const link = await world.connect(listener.address);
    world.record(await accepted.promise).abort();
    await steady(world.loop, () => 0);
    const client = world.record(link);
    assert(looksAborted(await client.end()), client.closed?.reason);
  });

  test("Listener.close() refuses new links and keeps those that exist", async (world) => {
    const accepted: Link[] = [];
    const listener = await world.listen((link) => accepted.push(link));
    const client = world.record(await world.connect(listener.address));
    await steady(world.loop, () => accepted.length);
    await listener.close();
    await listener.close();
    await assertRejects(() => world.connect(listener.address), ConnectError);
    const server = world.record(accepted[0]!);
    client.send(pattern(10));
    await server.until(() => server.receivedBytes === 10);
  });

  test("Listener.address and the links' addresses are real", async (world) => {
    const accepted: Link[] = [];
    const listener = await world.listen((link) => accepted.push(link));
    assert(!/:0(\/|$)/.test(listener.address), listener.address);
    const link = await world.connect(listener.address);
    assertEquals(link.remoteAddress, listener.address);
    await steady(world.loop, () => accepted.length);
    assertEquals(accepted[0]!.localAddress, listener.address);
    if (link.localAddress !== "") assertEquals(accepted[0]!.remoteAddress, link.localAddress);
    world.record(link);
    world.record(accepted[0]!);
  });

  test("connect() rejects with address and cause where nobody listens", async (world) => {
    const error = await assertRejects(() => world.connect(world.refusedAddress), ConnectError);
    assertEquals(error.address, world.refusedAddress);
    assertMatch(error.message, /^Cannot connect to .*: [a-z]/);
    assertExists(error.cause);
  });

  test("connect() is given up by its signal", async (world) => {
    const listener = await world.listen((link) => void world.record(link));
    const reason = new Error("changed my mind");
    const early = await assertRejects(
      () => world.connect(listener.address, AbortSignal.abort(reason)),
      ConnectError,
    );
    assertEquals([early.address, early.cause], [listener.address, reason]);
    const controller = new AbortController();
    const connecting = world.connect(listener.address, controller.signal);
    controller.abort(reason);
    const [outcome] = await Promise.allSettled([connecting]);
    if (outcome.status === "rejected") assertEquals(outcome.reason.cause, reason);
    else world.record(outcome.value); // it was faster than the signal, as it may be
  });

  test("refuses addresses that make no sense, at once", async (world) => {
    const loop = world.loop;
    const { signal } = new AbortController();
    for (const [address, message] of capabilities.badAddresses) {
      const error = assertThrows(() => world.transport.connect({ address }, { loop, signal }), TypeError);
      assertMatch(error.message, message);
      assertInstanceOf(error, TypeError);
      assertThrows(
        () => world.transport.listen?.(address.replace(/:0$/, ":x"), { loop, onLink() {}, onError() {} }),
        TypeError,
      );
    }
    await Promise.resolve();
  });
}

/** A transport with what a test has opened on it. */
class World {
  readonly transport: Transport;
  readonly refusedAddress: string;
  readonly loop: HeldLoop;
  readonly #listenAddress: string;
  readonly #recorders: LinkRecorder[] = [];
  readonly #listeners: Listener[] = [];
  readonly #errors: Error[] = [];

  constructor(made: TransportUnderTest) {
    this.transport = made.transport;
    this.refusedAddress = made.refusedAddress;
    this.loop = new HeldLoop(made.loop);
    this.#listenAddress = made.listenAddress;
  }

  async listen(onLink: (link: Link) => void): Promise<Listener> {
    const onError = (error: Error) => void this.#errors.push(error);
    const listener = await this.transport.listen!(this.#listenAddress, { loop: this.loop, onLink, onError });
    this.#listeners.push(listener);
    return listener;
  }

  async connect(address: string, signal = new AbortController().signal): Promise<Link> {
    return await this.transport.connect({ address }, { loop: this.loop, signal });
  }

  record(link: Link, autoRead = true): LinkRecorder {
    const recorder = new LinkRecorder(link, { autoRead });
    this.#recorders.push(recorder);
    return recorder;
  }

  /** Client and server end of a new link. */
  async pair({ clientReads = true, serverReads = true } = {}): Promise<[LinkRecorder, LinkRecorder]> {
    const accepted = Promise.withResolvers<Link>();
    const listener = await this.listen(accepted.resolve);
    const link = await this.connect(listener.address);
    return [this.record(link, clientReads), this.record(await accepted.promise, serverReads)];
  }

  /** Ends everything, so that the runner sees what a link leaves behind. */
  async dispose(): Promise<void> {
    for (const recorder of this.#recorders) {
      recorder.abort();
      await recorder.end();
    }
    for (const listener of this.#listeners) await listener.close();
    assertEquals(this.#errors, []);
  }
}
