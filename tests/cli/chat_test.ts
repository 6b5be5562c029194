import { assert, assertEquals } from "@std/assert";
import { ChatClient } from "../../cli/chat_client.ts";
import { ChatServer, type ChatServerOptions } from "../../cli/chat_server.ts";
import { EmbeddedChannel } from "../../mod.ts";

/** A server with what it tells. */
function serverWith(options: ChatServerOptions = {}) {
  const given: string[] = [];
  const messages: string[] = [];
  const troubles: string[] = [];
  const server = new ChatServer({
    onGiven: (n, client) => given.push(`${client} ${n}`),
    onMessage: (n, client) => messages.push(`${client} ${n}`),
    onTrouble: (text) => troubles.push(text),
    ...options,
  });
  return { server, given, messages, troubles };
}

/** A link to the server on which the test speaks for the client. */
function linkTo(server: ChatServer, client?: string) {
  const channel = new EmbeddedChannel({ handlers: [server.handler()] });
  const pushes = () =>
    channel.drainOutbound().flatMap((message) => {
      const { push } = message as { push?: number };
      return push === undefined ? [] : [push];
    });
  if (client !== undefined) channel.writeInbound({ join: client });
  return { channel, pushes };
}

Deno.test("ChatServer.push() numbers its pushes from 1, once somebody has joined", () => {
  const { server, given } = serverWith();
  assertEquals(server.push(), undefined);
  const a = linkTo(server, "a");
  const b = linkTo(server, "b");
  assertEquals([server.push(), server.push()], [1, 2]);
  assertEquals([a.pushes(), b.pushes()], [[1, 2], [1, 2]]);
  assertEquals(given, ["a 1", "b 1", "a 2", "b 2"]);
});

Deno.test("ChatServer repeats after a reconnect what was not confirmed, in order, and reports it once", () => {
  const { server, given } = serverWith();
  const first = linkTo(server, "a");
  for (let i = 0; i < 3; i++) server.push();
  first.channel.writeInbound({ confirm: 1 });
  first.channel.loseLink();
  server.push(); // made while the client is away
  assertEquals(given, ["a 1", "a 2", "a 3"]);
  const second = linkTo(server, "a");
  assertEquals(second.pushes(), [2, 3, 4]);
  assertEquals(given, ["a 1", "a 2", "a 3", "a 4"]);
  second.channel.writeInbound({ confirm: 4 });
  assertEquals(server.unconfirmed, 0);
  second.channel.loseLink();
  assertEquals(linkTo(server, "a").pushes(), []);
});

Deno.test("ChatServer moves to a client's new link before the old one is known to be dead", () => {
  const { server } = serverWith();
  const old = linkTo(server, "a");
  server.push();
  const next = linkTo(server, "a");
  assertEquals(old.channel.state, "closed");
  assertEquals(next.pushes(), [1]);
  server.push();
  assertEquals(next.pushes(), [2]);
});

Deno.test("ChatServer gives up the oldest of more than 1000 pushes for one client, and says so", () => {
  const { server, troubles } = serverWith();
  linkTo(server, "a").channel.loseLink();
  for (let i = 0; i < 1_002; i++) server.push();
  assertEquals(server.unconfirmed, 1_000);
  assertEquals(troubles.length, 2);
  assertEquals(linkTo(server, "a").pushes()[0], 3);
});

Deno.test("ChatServer forgets the client that left longest ago where 1000 are known, and refuses one more than that", () => {
  const { server } = serverWith();
  const links = Array.from({ length: 1_000 }, (_, i) => linkTo(server, `c${i}`));
  const refused = linkTo(server, "new");
  assertEquals(refused.channel.state, "closed");
  links[7]!.channel.loseLink();
  links[3]!.channel.loseLink();
  server.push();
  assertEquals(linkTo(server, "new").pushes(), []);
  assertEquals(linkTo(server, "c3").pushes(), [1]);
  assertEquals(linkTo(server, "c7").channel.state, "closed");
});

Deno.test("ChatServer survives clients that say what makes no sense, and tells of each link once", () => {
  const { server, messages, troubles } = serverWith();
  const { channel } = linkTo(server);
  const nonsense = [
    null,
    1,
    "x",
    [],
    {},
    { join: 5 },
    { join: "" },
    { join: "x".repeat(65) },
    { message: 1 },
    { confirm: 9 },
  ];
  for (const message of nonsense) channel.writeInbound(message);
  assertEquals(troubles.length, 1);
  channel.writeInbound({ join: "a" }, { join: "b" }, { message: 0 }, { message: NaN }, { message: 2 });
  server.push();
  channel.writeInbound({ confirm: -1 }, { confirm: 1.5 });
  assertEquals(server.unconfirmed, 1);
  assertEquals(messages, ["a 2"]);
  assert(channel.isActive);
});

Deno.test("ChatServer takes no confirmation of a push that was not sent on this link", () => {
  const { server } = serverWith();
  const { channel } = linkTo(server, "a");
  channel.writeInbound({ confirm: 1_000_000 });
  server.push();
  assertEquals(server.unconfirmed, 1);
});

Deno.test("ChatClient joins, hands each push over once, and confirms also what it had before", () => {
  const handedOver: number[] = [];
  const client = new ChatClient({ onPush: (n) => handedOver.push(n) });
  const channel = new EmbeddedChannel({ handlers: [client] });
  const [{ join }] = channel.drainOutbound() as [{ join: string }];
  assertEquals(typeof join, "string");
  channel.writeInbound({ welcome: "server" }, { push: 1 }, { push: 3 }, { push: 1 }, { push: 4 });
  channel.writeInbound(null, { push: "5" }, { other: 1 });
  assertEquals(handedOver, [1, 3, 4]);
  assertEquals(channel.drainOutbound(), [1, 3, 1, 4].map((confirm) => ({ confirm })));
  channel.writeInbound({ welcome: "server" }, { push: 4 }, { welcome: "another" }, { push: 1 });
  assertEquals(handedOver, [1, 3, 4, 1]);
});
