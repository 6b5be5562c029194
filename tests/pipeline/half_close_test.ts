import { assertEquals, assertRejects } from "@std/assert";
import {
  Channel,
  type ChannelHandler,
  EmbeddedChannel,
  type HalfCloseEvent,
  LinkDownError,
  ServerBootstrap,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { memory } from "../../pipeline/transports/memory.ts";

/** Both ends of a link in memory, with what the server's handler does about half of it. */
async function pair(onHalfClose: (event: HalfCloseEvent) => void) {
  const loop = new VirtualEventLoop();
  const transport = memory();
  const log: string[] = [];
  const logging = (name: string): ChannelHandler => ({
    channelRead: (_context, message) =>
      log.push(`${name} read ${new TextDecoder().decode(message as Uint8Array)}`),
    userEventTriggered(_context, event) {
      const known = event as HalfCloseEvent | { readonly type: "linkDown"; readonly reason: string };
      if (known.type === "linkDown") log.push(`${name} down ${known.reason}`);
      if (known.type !== "halfClose") return;
      log.push(`${name} ${known.ended} ended`);
      onHalfClose(known);
    },
  });
  let accepted!: Channel;
  await new ServerBootstrap({
    transport,
    loop,
    pipeline: (pipeline, channel) => {
      accepted = channel;
      pipeline.addLast(logging("server"));
    },
  }).listen("memory://half");
  const client = new Channel({ transport, loop, pipeline: (p) => p.addLast(logging("client")) });
  const connected = client.connect("memory://half");
  loop.advanceBy(1);
  await connected;
  return { loop, client, server: accepted, log };
}

Deno.test("Channel.shutdownOutput() ends one direction, and a handler keeps the other", async () => {
  const { loop, client, server, log } = await pair((event) => event.keep());
  client.writeAndFlush("last words");
  assertEquals(client.shutdownOutput(), true);
  loop.advanceBy(1);
  assertEquals(log, ["server read last words", "server input ended"]);
  await assertRejects(
    async () => await client.writeAndFlush("more"),
    TypeError,
    "the output of the link was shut down",
  );
  server.writeAndFlush("answer");
  loop.advanceBy(1);
  assertEquals([server.shutdownOutput(), client.isActive], [true, true]);
  loop.advanceBy(1);
  assertEquals(log.slice(2), ["client read answer", "server down remoteClosed", "client down remoteClosed"]);
  assertEquals([client.state, server.state, loop.pendingTimers], ["closed", "closed", 0]);
});

Deno.test("Channel.shutdownOutput() ends the link where no handler keeps it", async () => {
  const { loop, client, server, log } = await pair(() => {});
  client.shutdownOutput();
  loop.advanceBy(1);
  assertEquals(log, ["server input ended", "server down remoteClosed", "client down remoteClosed"]);
  assertEquals([client.state, server.state], ["closed", "closed"]);
});

Deno.test("Channel.shutdownOutput() fails what was not flushed when the link ends", async () => {
  const { loop, client } = await pair(() => {});
  const write = client.write("not flushed");
  client.shutdownOutput();
  client.flush();
  loop.advanceBy(1);
  await assertRejects(async () => await write, LinkDownError);
});

Deno.test("Channel.shutdownOutput() does nothing without a link, and where the transport cannot", async () => {
  const none = new EmbeddedChannel({ active: false });
  const embedded = new EmbeddedChannel();
  assertEquals([none.shutdownOutput(), embedded.shutdownOutput()], [false, false]);
  assertEquals(embedded.isActive, true);
  await Promise.all([none.close(), embedded.close()]);
});

Deno.test("Channel.close() ends both directions of a half-closed link", async () => {
  const { loop, client, server, log } = await pair((event) => event.keep());
  client.shutdownOutput();
  loop.advanceBy(1);
  server.writeAndFlush("answer");
  void server.close();
  loop.advanceBy(1);
  assertEquals(log.slice(1), ["client read answer", "server down closed", "client down remoteClosed"]);
  assertEquals([client.state, server.state, loop.pendingTimers], ["closed", "closed", 0]);
});

Deno.test("Channel.close() on the side that has ended its direction is noticed by who goes on writing", async () => {
  const { loop, client, server, log } = await pair((event) => event.keep());
  client.shutdownOutput();
  loop.advanceBy(1);
  void client.close();
  loop.advanceBy(1);
  assertEquals([client.state, server.state], ["closed", "active"]);
  server.writeAndFlush("to nobody").onSettled(() => {});
  loop.advanceBy(1);
  assertEquals(log.slice(1), ["client down closed", "server down reset"]);
  assertEquals([server.state, loop.pendingTimers], ["closed", 0]);
});

Deno.test("Channel.isPaused tells that nobody asked for data", async () => {
  const { loop, client, server } = await pair(() => {});
  assertEquals([client.isPaused, server.isPaused], [false, false]);
  server.autoRead = false;
  client.writeAndFlush("a"); // the batch that was asked for before
  loop.advanceBy(1);
  assertEquals(server.isPaused, true);
  server.read();
  assertEquals(server.isPaused, false);
  void client.close();
  loop.advanceBy(1);
  assertEquals([client.isPaused, server.isPaused], [false, false]);
});
