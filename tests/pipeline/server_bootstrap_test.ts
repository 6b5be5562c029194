import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Bootstrap } from "../../pipeline/bootstrap.ts";
import type { Channel } from "../../pipeline/channel.ts";
import {
  ServerBootstrap,
  type ServerBootstrapOptions,
  type ServerChannel,
} from "../../pipeline/server_bootstrap.ts";
import type { ListenOptions, Transport } from "../../pipeline/transport.ts";
import { memory } from "../../pipeline/transports/memory.ts";
import { VirtualEventLoop } from "../../pipeline/virtual_event_loop.ts";
import { ManualLink, ManualTransport } from "./_manual_transport.ts";
import { recorder } from "./_recorder.ts";

/** A transport that accepts the links which the test gives it. */
class ManualServerTransport extends ManualTransport {
  options!: ListenOptions;
  closed = 0;
  onClose: () => Promise<void> = () => Promise.resolve();

  listen: Transport["listen"] = (address, options) => {
    this.options = options;
    const close = () => {
      this.closed++;
      return this.onClose();
    };
    return Promise.resolve({ address: `${address}:1`, close });
  };

  accept(): ManualLink {
    const link = new ManualLink();
    // As a socket does: closed soon after it was asked.
    link.onCall = (call) => call === "close" && queueMicrotask(() => link.down("closed"));
    this.options.onLink(link);
    return link;
  }
}

async function listening(options: Partial<ServerBootstrapOptions> = {}) {
  const transport = new ManualServerTransport();
  const loop = new VirtualEventLoop();
  const errors: Error[] = [];
  const server = await new ServerBootstrap({
    transport,
    loop,
    onAcceptError: (error) => errors.push(error),
    ...options,
  }).listen("manual://here");
  return { server, transport, loop, errors };
}

const states = (server: ServerChannel) => Array.from(server.channels, (channel) => channel.state);

Deno.test("ServerBootstrap() needs a transport that can accept", () => {
  assertThrows(
    () => new ServerBootstrap({ transport: new ManualTransport() }),
    TypeError,
    'Cannot make the server: the transport "manual" cannot accept links',
  );
});

Deno.test("ServerBootstrap() refuses at once what would fail at the first peer", () => {
  const options = { transport: memory() };
  assertThrows(() => new ServerBootstrap({ ...options, connectTimeoutMs: -1 }), RangeError, "got -1");
  const waterMarks = { lowBytes: NaN, highBytes: 10 };
  assertThrows(() => new ServerBootstrap({ ...options, waterMarks }), RangeError, "got NaN and 10");
});

Deno.test("ServerBootstrap.listen() makes a channel for each link, of the same options", async () => {
  const log: string[] = [];
  let made = 0;
  const { server, transport, loop } = await listening({
    autoRead: false,
    pipeline: (pipeline) => pipeline.addLast(recorder(String(made++), log)),
  });
  const links = [transport.accept(), transport.accept()];
  assertEquals(server.address, "manual://here:1");
  assertEquals(states(server), ["active", "active"]);
  assertEquals(log, ["0 added", "0 active", "0 linkUp", "1 added", "1 active", "1 linkUp"]);
  assertEquals(links[0]!.calls, ["open"]);
  for (const channel of server.channels) assert(channel.loop === loop && channel.remote === undefined);
});

Deno.test("ServerBootstrap.listen() fails as its transport does", async () => {
  const server = new ServerBootstrap({ transport: memory() });
  await assertRejects(() => server.listen("nonsense"), TypeError);
  const first = await server.listen("memory://taken");
  await assertRejects(() => server.listen("memory://taken"), Error, "the address is in use");
  await first.close();
  await first.close();
  await (await server.listen("memory://taken")).close();
});

Deno.test("ServerChannel.channels holds the channels that are not closed", async () => {
  const { server, transport } = await listening();
  const lost = transport.accept();
  transport.accept();
  const [, other] = Array.from(server.channels) as [Channel, Channel];
  lost.down("reset");
  assertEquals(Array.from(server.channels), [other]);
  await other.close();
  assertEquals(server.channels.size, 0);
});

Deno.test("ServerChannel.close() closes the door and every channel, once", async () => {
  const { server, transport, loop } = await listening();
  const links = [transport.accept(), transport.accept()];
  const written = Array.from(server.channels, (channel) => channel.writeAndFlush("bye"));
  for (const link of links) {
    link.onCall = (call) => {
      if (call === "close") queueMicrotask(() => (link.sent(3), link.down("closed")));
    };
  }
  const closing = server.close();
  assertEquals([transport.closed, states(server)], [1, ["closing", "closing"]]);
  assertEquals(await Promise.all([closing, server.close()]), [undefined, undefined]);
  assertEquals([server.channels.size, transport.closed, loop.pendingTimers], [0, 1, 0]);
  assert(written.every((promise) => promise.isSuccess));
});

Deno.test("ServerChannel.close() turns away links that arrive meanwhile and afterwards", async () => {
  const log: string[] = [];
  const { server, transport, loop } = await listening({ pipeline: (p) => p.addLast(recorder("h", log)) });
  const { promise, resolve } = Promise.withResolvers<void>();
  transport.onClose = () => promise;
  const closing = server.close();
  const during = transport.accept();
  resolve();
  await closing;
  const after = transport.accept();
  for (const link of [during, after]) assertEquals(link.calls, ["open", "abort"]);
  assertEquals([server.channels.size, log, loop.pendingTimers], [0, [], 0]);
});

Deno.test("ServerChannel closes at the end of an `await using` block", async () => {
  const { server, transport } = await listening();
  {
    await using held = server;
    transport.accept();
    assertEquals(held.channels.size, 1);
  }
  assertEquals([server.channels.size, transport.closed], [0, 1]);
});

Deno.test("ServerBootstrap reports a peer whose handlers could not be added, drops it, and goes on", async () => {
  const log: string[] = [];
  let made = 0;
  const { server, transport, errors, loop } = await listening({
    pipeline(pipeline) {
      pipeline.addLast(recorder(String(made), log));
      if (made++ === 0) throw new Error("no");
    },
  });
  const refused = transport.accept();
  assertEquals(refused.calls, ["open", "abort"]);
  assertEquals(errors.map(({ message }) => message), [
    "Cannot accept a peer: its handlers could not be added",
  ]);
  assertEquals((errors[0]!.cause as Error).message, "no");
  assertEquals(log, ["0 added", "0 close", "0 removed"]);
  transport.accept();
  assertEquals(states(server), ["active"]);
  await server.close();
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("ServerBootstrap with one handler for all channels says so at the second peer", async () => {
  const handler = {};
  const { server, transport, errors } = await listening({
    pipeline: (pipeline) => pipeline.addLast(handler),
  });
  transport.accept();
  transport.accept();
  assertEquals(states(server), ["active"]);
  assertEquals(
    (errors[0]!.cause as Error).message,
    'Cannot add the handler "Handler#0": the instance is in a pipeline already and is not sharable',
  );
});

Deno.test("ServerBootstrap lets a handler refuse a peer when it is added", async () => {
  const { server, transport, errors } = await listening({
    pipeline: (pipeline) => pipeline.addLast({ handlerAdded: (context) => void context.close() }),
  });
  const link = transport.accept();
  assertEquals([link.calls, server.channels.size, errors], [["open", "abort"], 0, []]);
  await server.close();
});

Deno.test("ServerBootstrap hands on what its transport reports, or prints it", async () => {
  const { transport, errors } = await listening();
  const error = new Error("handshake failed");
  transport.options.onError(error);
  assertEquals(errors, [error]);
  const printed: unknown[][] = [];
  const original = console.error;
  console.error = (...parts) => printed.push(parts);
  try {
    const silent = await listening({ onAcceptError: undefined });
    silent.transport.options.onError(error);
  } finally {
    console.error = original;
  }
  assertEquals(printed, [["longlink: a peer could not be accepted:", error]]);
});

Deno.test("ServerBootstrap and Bootstrap talk to each other, and leave nothing behind", async () => {
  const loop = new VirtualEventLoop();
  const transport = memory({ latencyMs: 20 });
  const server = await new ServerBootstrap({
    loop,
    transport,
    pipeline: (pipeline) =>
      pipeline.addLast({ channelRead: (context, message) => context.writeAndFlush(message) }),
  }).listen("memory://echo");
  const echoed: unknown[] = [];
  const connecting = new Bootstrap({
    loop,
    transport,
    pipeline: (pipeline) => pipeline.addLast({ channelRead: (_context, message) => echoed.push(message) }),
  }).connect("memory://echo");
  await loop.advanceByAsync(100);
  const channel = await connecting;
  channel.writeAndFlush(new Uint8Array([1, 2, 3]));
  await loop.advanceByAsync(100);
  assertEquals(echoed, [new Uint8Array([1, 2, 3])]);
  const closing = server.close();
  await loop.advanceByAsync(3_000);
  await closing;
  assertEquals([channel.state, server.channels.size, loop.pendingTimers], ["closed", 0, 0]);
});
