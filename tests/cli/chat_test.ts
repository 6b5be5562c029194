import { assertEquals } from "@std/assert";
import { chatClient } from "../../cli/chat_client.ts";
import { ChatServer, type ChatServerOptions } from "../../cli/chat_server.ts";
import { EmbeddedChannel, type SessionLostEvent } from "../../mod.ts";

/** A server with what it tells. */
function serverWith(options: ChatServerOptions = {}) {
  const pushed: number[] = [];
  const messages: number[] = [];
  const troubles: string[] = [];
  const links: string[] = [];
  const server = new ChatServer({
    onPush: (n) => pushed.push(n),
    onMessage: (n) => messages.push(n),
    onTrouble: (text) => troubles.push(text),
    onUp: (_client, _address, resumed) => links.push(resumed ? "resumed" : "up"),
    onDown: (reason) => links.push(reason),
    onLost: ({ reason, unconfirmed }) => links.push(`lost ${reason} ${unconfirmed.length}`),
    ...options,
  });
  return { server, pushed, messages, troubles, links };
}

/** A link to the server on which the test speaks for the client. */
function linkTo(server: ChatServer) {
  return new EmbeddedChannel({ handlers: [server.handler()] });
}

Deno.test("ChatServer.push() numbers its pushes from 1, once there is a client", () => {
  const { server, pushed } = serverWith();
  assertEquals(server.push(), undefined);
  const a = linkTo(server);
  const b = linkTo(server);
  assertEquals([server.push(), server.push()], [1, 2]);
  assertEquals(a.drainOutbound(), [{ push: 1 }, { push: 2 }]);
  assertEquals(b.drainOutbound(), [{ push: 1 }, { push: 2 }]);
  assertEquals(pushed, [1, 2]);
});

Deno.test("ChatServer.push() goes on after the last number of an earlier run", () => {
  const { server } = serverWith({ lastPush: 41 });
  linkTo(server);
  assertEquals(server.push(), 42);
});

Deno.test("ChatServer takes numbered messages, and survives what makes no sense", () => {
  const { server, messages, troubles } = serverWith();
  const channel = linkTo(server);
  const nonsense = [null, 1, "x", [], {}, { message: 0 }, { message: "1" }, { message: NaN }];
  for (const message of nonsense) channel.writeInbound(message);
  channel.writeInbound({ message: 1 }, { message: 2 });
  assertEquals(messages, [1, 2]);
  assertEquals(troubles.length, nonsense.length);
  assertEquals(channel.isActive, true);
});

Deno.test("ChatServer tells of links and lost sessions, and forgets channels that close", async () => {
  const { server, links } = serverWith();
  const channel = linkTo(server);
  const lost: SessionLostEvent = {
    type: "sessionLost",
    reason: "expired",
    sessionId: "0".repeat(32),
    unconfirmed: [{ push: 1 }],
  };
  channel.pipeline.fireUserEventTriggered(lost);
  await channel.close();
  assertEquals(links, ["up", "lost expired 1", "closed"]);
  assertEquals(server.push(), undefined);
});

Deno.test("ChatServer says so where a push is not taken", async () => {
  const { server, troubles } = serverWith();
  const channel = linkTo(server);
  channel.loseLink();
  assertEquals(server.push(), undefined); // without a session the channel closed with its link
  assertEquals(troubles, []);
  await channel.closed;
});

Deno.test("chatClient() hands pushes over, and nothing else", () => {
  const handedOver: number[] = [];
  const channel = new EmbeddedChannel({ handlers: [chatClient({ onPush: (n) => handedOver.push(n) })] });
  channel.writeInbound({ push: 1 }, null, { push: "5" }, { other: 1 }, { push: 2 });
  assertEquals(handedOver, [1, 2]);
});
