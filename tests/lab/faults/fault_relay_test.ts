import { connect, createServer, type Socket } from "node:net";
import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { SystemEventLoop, VirtualEventLoop } from "../../../pipeline/mod.ts";
import { randomFrom } from "../../../bench/sim/random.ts";
import { FaultRelay } from "./fault_relay.ts";

const WIDE = { latencyMs: 0, jitterMs: 0, bytesPerSecond: Infinity };

/** One end of a link, and what it was told. */
class End {
  text = "";
  #changed = Promise.withResolvers<void>();

  constructor(readonly socket: Socket) {
    socket.on("data", (bytes) => this.#told(bytes.toString()));
    socket.on("end", () => this.#told("<end>"));
    socket.on("error", () => this.#told("<reset>"));
  }

  async until(condition: (text: string) => boolean): Promise<string> {
    while (!condition(this.text)) await this.#changed.promise;
    return this.text;
  }

  heard(text: string): Promise<string> {
    return this.until((heard) => heard === text);
  }

  #told(text: string): void {
    this.text += text;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** A relay in front of a server, whose clock is virtual unless said otherwise. */
async function relayed(loop = new VirtualEventLoop() as VirtualEventLoop | SystemEventLoop) {
  const accepted: End[] = [];
  let changed = Promise.withResolvers<void>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(new End(socket));
    changed.resolve();
    changed = Promise.withResolvers();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const target = `tcp://127.0.0.1:${(server.address() as { port: number }).port}`;
  const relay = await FaultRelay.start({ loop, random: randomFrom(3), target, conditions: WIDE });
  const clients: End[] = [];
  return {
    relay,
    accepted,
    client(): End {
      const end = new End(connect(Number(relay.address.split(":").at(-1)), "127.0.0.1"));
      clients.push(end);
      return end;
    },
    async link(): Promise<[End, End]> {
      const before = accepted.length;
      const client = this.client();
      while (accepted.length === before) await changed.promise;
      return [client, accepted[before]!];
    },
    async [Symbol.asyncDispose]() {
      await relay.close();
      for (const { socket } of [...clients, ...accepted]) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The relay's clock goes on until this has come about. */
async function meanwhile<T>(loop: VirtualEventLoop, awaited: Promise<T>): Promise<T> {
  let isDone = false;
  const done = awaited.finally(() => isDone = true);
  while (!isDone) {
    loop.advanceBy(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return await done;
}

Deno.test("FaultRelay relays both ways, and ends", async () => {
  await using world = await relayed(new SystemEventLoop());
  const [client, server] = await world.link();
  client.socket.write("ping");
  await server.heard("ping");
  server.socket.write("pong");
  await client.heard("pong");
  client.socket.end();
  await server.heard("ping<end>");
  server.socket.end();
  await client.heard("pong<end>");
});

Deno.test("RelayLink.silence() lets one direction through", async () => {
  await using world = await relayed(new SystemEventLoop());
  const [client, server] = await world.link();
  world.relay.links[0]!.silence("toServer");
  client.socket.write("lost");
  server.socket.write("heard");
  await client.heard("heard");
  assertEquals([server.text, world.relay.links[0]!.isSound], ["", false]);
});

Deno.test("RelayLink.reset() resets both ends", async () => {
  await using world = await relayed(new SystemEventLoop());
  const [client, server] = await world.link();
  world.relay.links[0]!.reset();
  await client.heard("<reset>");
  await server.heard("<reset>");
});

Deno.test("RelayLink.halfOpen() resets the other end once it sends", async () => {
  await using world = await relayed(new SystemEventLoop());
  const [client, server] = await world.link();
  world.relay.links[0]!.halfOpen("server");
  await server.heard("<reset>");
  assertEquals(client.text, "");
  client.socket.write("anybody?");
  await client.heard("<reset>");
});

Deno.test("RelayLink.cutNext() lets a part of one write through, then resets", async () => {
  await using world = await relayed(new SystemEventLoop());
  const [client, server] = await world.link();
  world.relay.links[0]!.cutNext("toServer", "reset");
  client.socket.write("0123456789");
  const text = await server.until((text) => text.endsWith("<reset>"));
  assert(text.length < "0123456789<reset>".length && "0123456789".startsWith(text.slice(0, -7)), text);
  await client.heard("<reset>");
});

Deno.test("FaultRelay.conditions delay what is relayed", async () => {
  const loop = new VirtualEventLoop();
  await using world = await relayed(loop);
  world.relay.conditions = { latencyMs: 300, jitterMs: 0, bytesPerSecond: 10 };
  const [client, server] = await world.link();
  client.socket.write("12345");
  await meanwhile(loop, server.heard("12345"));
  assertGreaterOrEqual(loop.now(), 800);
});

Deno.test("FaultRelay.hold() keeps what is sent until release()", async () => {
  await using world = await relayed(new SystemEventLoop());
  const [client, server] = await world.link();
  world.relay.hold();
  client.socket.write("a");
  server.socket.write("b");
  world.relay.release();
  await server.heard("a");
  await client.heard("b");
});

Deno.test("FaultRelay.setConnects() refuses, accepts and says nothing, or says a byte now and then", async () => {
  const loop = new VirtualEventLoop();
  await using world = await relayed(loop);
  await world.relay.setConnects("refused");
  await world.client().heard("<reset>");
  await world.relay.setConnects("blackHole");
  const silent = world.client();
  silent.socket.write("hello?");
  while (world.relay.links.length < 1) await new Promise((resolve) => setImmediate(resolve));
  await world.relay.setConnects("slowLoris");
  const dripped = world.client();
  await meanwhile(loop, dripped.until((text) => text.length >= 5));
  await world.relay.setConnects("accepted");
  const [client, server] = await world.link();
  client.socket.write("hello");
  await meanwhile(loop, server.heard("hello"));
  assertEquals([silent.text, world.accepted.length], ["", 1]);
});
