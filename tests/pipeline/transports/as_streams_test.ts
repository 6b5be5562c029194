import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import {
  Bootstrap,
  Channel,
  ConnectError,
  EmbeddedChannel,
  LinkDownError,
  PeerError,
  ServerBootstrap,
  VirtualEventLoop,
} from "../../../pipeline/mod.ts";
import { memory } from "../../../pipeline/transports/memory.ts";
import { asStreams, type AsStreamsOptions } from "../../../pipeline/transports/streams.ts";
import { tcp } from "../../../pipeline/transports/tcp.ts";
import { pattern } from "./_link_recorder.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

/** A channel without a socket, and the streams that it is. */
function embedded(options: AsStreamsOptions & { readonly active?: boolean } = {}) {
  const virtual = new VirtualEventLoop();
  const channel = new EmbeddedChannel({ loop: virtual, active: options.active });
  const { readable, writable } = asStreams(channel, options);
  const sent = () =>
    channel.drainOutbound().map((bytes) => new TextDecoder().decode(bytes as Uint8Array)).join("");
  return {
    channel,
    readable,
    writable,
    reader: readable.getReader(),
    writer: writable.getWriter(),
    sent,
    virtual,
  };
}

for (
  const [name, transport, address] of [["tcp", tcp(), "tcp://127.0.0.1:0"], [
    "memory",
    memory(),
    "memory://x",
  ]] as const
) {
  Deno.test(`asStreams() carries megabytes both ways over ${name}, with backpressure`, async () => {
    await using server = await new ServerBootstrap({
      transport,
      pipeline: (_pipeline, channel) => {
        const { readable, writable } = asStreams(channel, { readableHighWaterMark: 16_384 });
        readable.pipeTo(writable);
      },
    }).listen(address);
    const channel = await new Bootstrap({ transport }).connect(server.address);
    const { readable, writable } = asStreams(channel, { readableHighWaterMark: 16_384 });
    const whole = pattern(3_000_000, 7);
    const writer = writable.getWriter();
    const writing = (async () => {
      for (let at = 0; at < whole.length; at += 50_000) await writer.write(whole.subarray(at, at + 50_000));
    })();
    const back = new Uint8Array(whole.length);
    let length = 0;
    const closing = writing.then(() => writer.close()); // the echo goes on, until it is over as well
    for await (const part of readable) {
      back.set(part, length);
      length += part.length;
    }
    await closing;
    assertEquals(back, whole);
    await channel.closed;
  });
}

Deno.test("asStreams() holds what is written until there is a link", async () => {
  const { channel, writer, sent } = embedded({ active: false });
  const written = writer.write(utf8("early"));
  assertEquals(sent(), "");
  await channel.connect("any:where");
  await written;
  assertEquals(sent(), "early");
  await channel.close();
});

Deno.test("asStreams() copies what it is given, and takes nothing but bytes", async () => {
  const { channel, writer } = embedded();
  await turn(); // the stream has started, and hands on at once what it gets
  const bytes = utf8("abc");
  const written = writer.write(bytes);
  bytes.fill(0);
  await written;
  assertEquals(channel.readOutbound(), utf8("abc"));
  await assertRejects(() => writer.write("text" as unknown as Uint8Array), TypeError, "takes Uint8Arrays");
  await channel.close();
});

Deno.test("asStreams() lets nobody write more than the channel takes", async () => {
  const transport = memory();
  const peer = Promise.withResolvers<Channel>();
  await using server = await new ServerBootstrap({
    transport,
    autoRead: false,
    pipeline: (_pipeline, channel) => peer.resolve(channel),
  }).listen("memory://slow");
  const { writable } = asStreams(await new Bootstrap({ transport }).connect(server.address));
  const writer = writable.getWriter();
  let written = 0;
  const writing = (async () => {
    for (; written < 1_000_000; written += 10_000) await writer.write(new Uint8Array(10_000));
  })();
  await turn();
  assert(written < 300_000, `${written}`);
  let received = 0;
  const { pipeline, closed } = await peer.promise;
  pipeline.addLast({ channelRead: (_context, bytes) => received += (bytes as Uint8Array).length });
  (await peer.promise).autoRead = true;
  await writing;
  await writer.close();
  await closed;
  assertEquals(received, 1_000_000);
});

Deno.test("asStreams() reads no more than it may be ahead of its reader", async () => {
  let reads = 0;
  const channel = new EmbeddedChannel({ handlers: [{ read: (context) => (reads++, context.read()) }] });
  const { readable } = asStreams(channel, { readableHighWaterMark: 1_000 });
  await turn();
  let before: number;
  let bytes = 0;
  do {
    before = reads;
    channel.writeInbound(new Uint8Array(300));
    bytes += 300;
    await turn();
  } while (reads > before);
  assertEquals(bytes, 1_200);
  const reader = readable.getReader();
  for (let i = 0; i < 2; i++) await reader.read();
  await turn();
  assertEquals(reads > before, true);
  await channel.close();
});

Deno.test("asStreams() goes on in one direction when the other one ends", async () => {
  const transport = memory();
  const accepted = Promise.withResolvers<Channel>();
  await using server = await new ServerBootstrap({
    transport,
    pipeline: (_pipeline, channel) => accepted.resolve(channel),
  }).listen("memory://half");
  const channel = await new Bootstrap({ transport }).connect(server.address);
  const [ours, theirs] = [asStreams(channel), asStreams(await accepted.promise)];
  const [reader, writer] = [ours.readable.getReader(), ours.writable.getWriter()];
  const [theirReader, theirWriter] = [theirs.readable.getReader(), theirs.writable.getWriter()];
  await writer.write(utf8("question"));
  await writer.close();
  assertEquals((await theirReader.read()).value, utf8("question"));
  assertEquals((await theirReader.read()).done, true);
  for (const answer of ["yes", "and no"]) {
    await theirWriter.write(utf8(answer));
    assertEquals((await reader.read()).value, utf8(answer));
  }
  assertEquals([channel.state, (await accepted.promise).state], ["active", "active"]);
  await theirWriter.close();
  assertEquals((await reader.read()).done, true);
  await Promise.all([channel.closed, (await accepted.promise).closed]);
});

Deno.test("asStreams() closes the channel when nobody reads and nobody writes any more", async () => {
  const transport = memory();
  await using server = await new ServerBootstrap({
    transport,
    // It would never end by itself.
    pipeline: (_pipeline, channel) => void asStreams(channel),
  }).listen("memory://left");
  for (const order of ["cancel", "close"]) {
    const channel = await new Bootstrap({ transport }).connect(server.address);
    const { readable, writable } = asStreams(channel);
    if (order === "cancel") await readable.cancel();
    await writable.close();
    if (order === "close") await readable.cancel();
    await channel.closed;
  }
});

Deno.test("asStreams() closes the channel when the writable side is closed", async () => {
  const { channel, reader, writer, sent, virtual } = embedded();
  await writer.write(utf8("last"));
  await writer.close();
  assertEquals((await reader.read()).done, true);
  assertEquals([sent(), channel.state, virtual.pendingTimers], ["last", "closed", 0]);
});

Deno.test("asStreams() ends where the peer does, after what it had sent", async () => {
  const { channel, reader, writer } = embedded();
  channel.writeInbound(utf8("bye"));
  channel.loseLink("remoteClosed");
  assertEquals((await reader.read()).value, utf8("bye"));
  assertEquals((await reader.read()).done, true);
  await assertRejects(() => writer.write(utf8("x")), Error, "the channel is closed");
});

Deno.test("asStreams() fails on both sides with the reason when the link is lost", async () => {
  const complaint = new PeerError("The server says: no", { protocol: "nats", reason: "no" });
  for (const said of [undefined, complaint]) {
    const { channel, reader, writer } = embedded();
    if (said !== undefined) channel.pipeline.fireExceptionCaught(said);
    channel.loseLink("reset");
    const error = await assertRejects(() => reader.read());
    if (said === undefined) assertInstanceOf(error, LinkDownError);
    else assertStrictEquals(error, said);
    assertStrictEquals(await assertRejects(() => writer.write(utf8("x"))), error);
    assertEquals(channel.state, "closed");
  }
});

Deno.test("asStreams() fails where no link comes about", async () => {
  const channel = new Channel({ transport: memory() });
  const { readable } = asStreams(channel);
  channel.connect("memory://nobody");
  await assertRejects(() => readable.getReader().read(), ConnectError);
  await channel.closed;
});

Deno.test("asStreams() drops the link at once when the writable side is aborted", async () => {
  const { channel, reader, writer } = embedded();
  await writer.abort("enough");
  assertEquals(channel.state, "closed");
  await assertRejects(() => reader.read(), LinkDownError);
});

Deno.test("asStreams() discards what comes once nobody reads, and goes on writing", async () => {
  const { channel, reader, writer, sent } = embedded();
  await reader.cancel();
  channel.writeInbound(utf8("unread"));
  await writer.write(utf8("still here"));
  assertEquals([sent(), channel.state], ["still here", "active"]);
  channel.loseLink("remoteClosed");
  await channel.closed;
});

Deno.test("asStreams() outlives its links where a session below does", async () => {
  const { channel, reader, writer, sent } = embedded({ acrossLinks: true });
  channel.autoClose = false;
  await writer.write(utf8("one "));
  channel.loseLink();
  const two = writer.write(utf8("two "));
  channel.reopen();
  await two;
  channel.writeInbound(utf8("back"));
  assertEquals((await reader.read()).value, utf8("back"));
  assertEquals(sent(), "one two ");
  await channel.close();
  assertEquals((await reader.read()).done, true);
});

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
