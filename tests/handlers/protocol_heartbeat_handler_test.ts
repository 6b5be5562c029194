import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { EmbeddedChannel, LinkDownError, PipelineError } from "../../pipeline/mod.ts";
import { Heartbeat, natsFormat, ProtocolHeartbeatHandler } from "../../handlers/mod.ts";
import { bytes, ProtocolLink } from "./heartbeat/_protocol_link.ts";
import { Collector } from "./_rig.ts";

const CONNECT = "CONNECT {}\r\nPING\r\n";
const PONG = "PONG\r\n";

function readyLink(): ProtocolLink {
  const link = new ProtocolLink(natsFormat());
  link.send(CONNECT);
  link.receive(PONG);
  link.channel.drainOutbound();
  link.channel.drainInbound();
  return link;
}

Deno.test("ProtocolHeartbeatHandler settles the promise of a ping that had to wait when it has left", async () => {
  const { channel } = readyLink();
  channel.writeOutbound(bytes("PUB a 2\r\n"));
  const first = channel.writeAndFlush(new Heartbeat("ping"));
  const second = channel.writeAndFlush(new Heartbeat("ping"));
  assertEquals([first.isDone, second.isDone], [false, false]);
  channel.writeOutbound(bytes("hi\r\n"));
  await first;
  await second;
  assertEquals(channel.drainOutbound().length, 3);
});

Deno.test("ProtocolHeartbeatHandler fails a ping that waits when the link goes", async () => {
  const { channel } = readyLink();
  channel.writeOutbound(bytes("PUB a 2\r\n"));
  const ping = channel.writeAndFlush(new Heartbeat("ping"));
  const failed = assertRejects(
    async () => await ping,
    LinkDownError,
    "Cannot write: the link is down (reset)",
  );
  channel.loseLink("reset");
  await failed;
});

Deno.test("ProtocolHeartbeatHandler begins anew with each link", () => {
  const link = readyLink();
  link.channel.autoClose = false;
  link.ping();
  link.send("PUB a 100\r\n");
  link.receive("MSG a 1 100\r\n");
  link.channel.loseLink();
  link.channel.reopen();
  link.channel.drainOutbound();
  link.events();
  link.send(CONNECT);
  link.receive(PONG);
  assertEquals(link.events(), ["protocolReady"]);
  link.channel.drainInbound();
  link.ping();
  assertEquals(link.sentText(), CONNECT + "PING\r\n");
  link.receive(PONG);
  assertEquals(link.received().pongs, 1);
});

Deno.test("ProtocolHeartbeatHandler asks for more where a read brought nothing for whoever asked", () => {
  let reads = 0;
  const channel = new EmbeddedChannel({
    autoRead: false,
    handlers: [{ read: (context) => (reads++, context.read()) }, new ProtocolHeartbeatHandler(natsFormat())],
  });
  channel.writeOutbound(bytes(CONNECT));
  channel.writeInbound(bytes(PONG));
  channel.writeOutbound(new Heartbeat("ping"));
  assertEquals(reads, 0);
  channel.writeInbound(bytes(PONG));
  assertEquals(reads, 1);
  channel.writeOutbound(new Heartbeat("ping"));
  channel.writeInbound(bytes(PONG + "+OK\r\n"));
  channel.writeInbound({ of: "another handler" });
  assertEquals(reads, 1);
});

Deno.test("ProtocolHeartbeatHandler passes on what is no wire message, either way", () => {
  const { channel } = readyLink();
  const message = { some: "object" };
  channel.pipeline.fireChannelRead(message);
  assertEquals(channel.drainInbound(), [message]);
});

Deno.test("ProtocolHeartbeatHandler sends no other heartbeats than pings", async () => {
  const { channel } = readyLink();
  await assertRejects(
    async () => await channel.writeAndFlush(new Heartbeat("hold", { timeMs: 1_000 })),
    TypeError,
    "Cannot send the heartbeat: nats has no hold of a client",
  );
});

Deno.test("ProtocolHeartbeatHandler cannot be added to a link that has carried something", () => {
  const collector = new Collector();
  const channel = new EmbeddedChannel({ handlers: [collector] });
  channel.writeOutbound(bytes(CONNECT));
  channel.pipeline.addFirst(new ProtocolHeartbeatHandler(natsFormat()));
  const [error] = collector.errors;
  assertInstanceOf(error, PipelineError);
  assertStringIncludes(String(error.cause), "the handler must be there before the link carries anything");
});

Deno.test("ProtocolHeartbeatHandler tells why the peer wants no more before the client can read it", () => {
  const link = readyLink();
  const told: string[] = [];
  link.channel.pipeline.addBefore(link.collector, {
    channelRead: (context, message) => (told.push("bytes"), context.fireChannelRead(message)),
    exceptionCaught: (context, error) => (told.push("error"), context.fireExceptionCaught(error)),
  });
  link.receive("+OK\r\n-ERR 'go away'\r\n");
  assertEquals(told, ["error", "bytes"]);
  assertEquals(link.received().text, "+OK\r\n-ERR 'go away'\r\n");
});

Deno.test("ProtocolHeartbeatHandler passes nothing more on once its link is dropped over an error", () => {
  const link = readyLink();
  link.channel.pipeline.addBefore(link.collector, {
    exceptionCaught: ({ channel }) => channel.drop("protocol"),
  });
  link.receive("-ERR 'go away'\r\nMSG a 1 2\r\nhi\r\n");
  assertEquals(link.received().text, "");
});

Deno.test("ProtocolHeartbeatHandler stops in the middle of a chunk when its link is dropped over it", () => {
  const link = readyLink();
  link.ping();
  link.channel.pipeline.addBefore(link.collector, {
    channelRead: ({ channel }, message) => message instanceof Heartbeat || channel.drop("protocol"),
  });
  link.receive("MSG a 1 2\r\nhi\r\n" + PONG + "MSG a 1 2\r\nho\r\n");
  assertEquals([link.channel.state, link.received()], ["closed", { text: "", pongs: 0 }]);
});
