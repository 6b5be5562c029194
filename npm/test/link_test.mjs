// The package at work on Node: a pipeline, a TCP link over loopback, heartbeats.

import {
  answerKeepAlive,
  Bootstrap,
  EmbeddedChannel,
  keepAlive,
  ServerBootstrap,
  VirtualEventLoop,
} from "@longlink/pipeline";
import { tcp } from "@longlink/pipeline/transports/tcp";
import assert from "node:assert/strict";
import { test } from "node:test";

test("a pipeline passes messages in both directions", () => {
  const channel = new EmbeddedChannel({
    handlers: [{
      channelRead: (context, message) => context.fireChannelRead(message.toUpperCase()),
      write: (context, message, promise) => context.write(message + "!", promise),
    }],
  });
  channel.writeInbound("hello");
  channel.writeOutbound("bye");
  assert.equal(channel.readInbound(), "HELLO");
  assert.equal(channel.readOutbound(), "bye!");
});

test("a chat message goes over a TCP link and back", { timeout: 20_000 }, async () => {
  const server = await new ServerBootstrap({
    transport: tcp(),
    pipeline: (p) =>
      p.addLast(...answerKeepAlive(), {
        channelRead: (context, message) => context.writeAndFlush({ echo: message }),
      }),
  }).listen("tcp://127.0.0.1:0");
  try {
    const { promise: answered, resolve } = withResolvers();
    const channel = await new Bootstrap({
      transport: tcp(),
      pipeline: (p) => p.addLast(...keepAlive(), { channelRead: (_context, message) => resolve(message) }),
    }).connect(server.address);
    try {
      await channel.writeAndFlush({ text: "hello" });
      assert.deepEqual(await answered, { echo: { text: "hello" } });
    } finally {
      await channel.close();
    }
  } finally {
    await server.close();
  }
});

test("heartbeats are exchanged and keep an idle link", () => {
  const loop = new VirtualEventLoop();
  const client = new EmbeddedChannel({ loop, handlers: keepAlive() });
  const server = new EmbeddedChannel({ loop, handlers: answerKeepAlive() });
  const heartbeats = { client: 0, server: 0 };
  for (let second = 0; second < 3600; second++) {
    loop.advanceBy(1_000);
    for (const bytes of client.drainOutbound()) {
      heartbeats.client++;
      server.writeInbound(bytes);
    }
    for (const bytes of server.drainOutbound()) {
      heartbeats.server++;
      client.writeInbound(bytes);
    }
  }
  assert.ok(heartbeats.client > 3, `the client sent ${heartbeats.client} heartbeats in an hour`);
  assert.ok(heartbeats.server > 3, `the server answered ${heartbeats.server} heartbeats in an hour`);
  assert.ok(client.isActive && server.isActive);
});

/** `Promise.withResolvers`, which Node 20 lacks. */
function withResolvers() {
  let resolve;
  const promise = new Promise((settle) => resolve = settle);
  return { promise, resolve };
}
