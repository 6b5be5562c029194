/**
 * Prosody, and the XMPP client on top of the pipeline.
 *
 * @module
 */

import { assertEquals, assertGreaterOrEqual, assertInstanceOf } from "@std/assert";
import { PeerError, xmppFormat } from "../../mod.ts";
import { KeepAliveWebSocket } from "../../adapters/keep_alive_web_socket.ts";
import { startNatBox } from "../lab/nat_box.ts";
import { Events, under } from "./_client.ts";
import { testWith } from "./_peers.ts";
import { type Peer, startProsody } from "./_servers.ts";
import { chat, login as loginTo, type Xmpp } from "./_xmpp_client.ts";

const test = testWith("prosody");
const PLATFORM = globalThis.WebSocket;

/** Logs in; the client takes the WebSocket class that is global when it connects. */
function login(name: string, resource: string, address: string): Promise<Xmpp> {
  return loginTo({ service: `${address}/xmpp-websocket`, name, resource });
}

/** Puts our class in the place of the platform's until the block ends. */
function classUnder(intervalMs: number, events: Events): Disposable {
  globalThis.WebSocket = KeepAliveWebSocket.with({
    format: xmppFormat(),
    ...under(intervalMs),
    pipeline: (p) => p.addLast(events),
  });
  return { [Symbol.dispose]: () => globalThis.WebSocket = PLATFORM };
}

function behindNat(server: Peer, natTimeoutMs: number) {
  const target = server.ws.replace("ws:", "tcp:");
  return startNatBox({ listen: "tcp://127.0.0.1:0", target, natTimeoutMs, mode: "strict" });
}

test("XMPP client: a message arrives after an idle time that it would not have survived alone", async () => {
  await using server = await startProsody();
  // This client has no pings of its own at all.
  await using nat = await behindNat(server, 2_000);
  const events = new Events();
  using _class = classUnder(1_000, events);
  await using alice = await login("alice", "phone", nat.address.replace("tcp:", "ws:"));
  globalThis.WebSocket = PLATFORM;
  await using bob = await login("bob", "desk", server.ws);
  await events.when("three beats", () => events.of("beat").length >= 3);
  const arrived = alice.next("message");
  await bob.entity.send(chat("alice@localhost/phone", "hello"));
  await arrived;
  assertEquals(alice.heard, ["hello"]);
  assertEquals(events.downs, []);
  assertGreaterOrEqual(server.count(/Received.*longlink-ping/), 3);
});

test("XMPP client: a link that died without a word is noticed, and the client connects again", async () => {
  await using server = await startProsody();
  await using nat = await behindNat(server, 2_000);
  const events = new Events();
  using _class = classUnder(3_000, events);
  await using alice = await login("alice", "phone", nat.address.replace("tcp:", "ws:"));
  await alice.next("online");
  assertEquals(events.downs, ["unanswered"]);
});

test("Prosody ends the stream of a client that is replaced: PeerError with the stream error's condition", async () => {
  await using server = await startProsody();
  const events = new Events();
  using _class = classUnder(60_000, events);
  await using alice = await login("alice", "phone", server.ws);
  alice.entity.reconnect.stop();
  globalThis.WebSocket = PLATFORM;
  await using _other = await login("alice", "phone", server.ws);
  await events.until("linkDown");
  const [error] = events.errors;
  assertInstanceOf(error, PeerError);
  assertEquals({ protocol: error.protocol, code: error.code }, { protocol: "xmpp", code: "conflict" });
});

test("Prosody ends the stream of a client that sends no XML: PeerError with the condition, and the client connects again", async () => {
  await using server = await startProsody();
  const events = new Events();
  using _class = classUnder(60_000, events);
  await using alice = await login("alice", "phone", server.ws);
  const again = alice.next("online");
  await alice.entity.write("<message></presence>");
  await events.until("linkDown");
  const [error] = events.errors;
  assertInstanceOf(error, PeerError);
  assertEquals(error.code, "not-well-formed");
  await again;
});
