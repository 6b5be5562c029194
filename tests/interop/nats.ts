/**
 * nats-server, and the NATS client on top of the pipeline.
 *
 * @module
 */

import {
  assertEquals,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLessOrEqual,
  assertRejects,
} from "@std/assert";
import { type ConnectionOptions, wsconnect } from "@nats-io/nats-core";
import { type ChannelHandler, natsFormat, PeerError } from "../../mod.ts";
import { KeepAliveWebSocket } from "../../adapters/keep_alive_web_socket.ts";
import { startNatBox } from "../lab/nat_box.ts";
import { Events, under } from "./_client.ts";
import { testWith } from "./_peers.ts";
import { startNats } from "./_servers.ts";

const test = testWith("nats-server");
/** The client's own pings: as good as never. */
const NEVER_MS = 2 ** 31 - 1;

/** The NATS client on our WebSocket class, its own pings off. */
function connect(
  address: string,
  intervalMs: number,
  events: Events,
  options: ConnectionOptions = {},
  handlers: () => ChannelHandler[] = () => [],
) {
  const NatsWebSocket = KeepAliveWebSocket.with({
    format: natsFormat(),
    ...under(intervalMs),
    pipeline: (p) => p.addLast(events, ...handlers()),
  });
  return wsconnect({
    servers: address,
    name: "ours",
    pingInterval: NEVER_MS,
    reconnectTimeWait: 100,
    maxReconnectAttempts: -1,
    wsFactory: (url) => Promise.resolve({ socket: new NatsWebSocket(url), encrypted: false }),
    ...options,
  });
}

/** What a connection's pings look like in the server's trace; each connection has its number there. */
const pingsOf = (client: number) => new RegExp(`wid:${client} .*<<- \\[PING\\]`);

test("NATS client: a message arrives after the time of seven of its own pings, for one or two of ours", async () => {
  await using server = await startNats();
  // A hundred and twentieth of what is usual: the client pings every 2 min, we every 8 min, the network forgets after 10.
  await using nat = await startNatBox({
    listen: "tcp://127.0.0.1:0",
    target: server.ws.replace("ws:", "tcp:"),
    natTimeoutMs: 5_000,
    mode: "strict",
  });
  const events = new Events();
  const ours = await connect(nat.address.replace("tcp:", "ws:"), 4_000, events);
  const theirs = await wsconnect({ servers: server.ws, pingInterval: 1_000 });
  const [us, them] = [ours.info!.client_id, theirs.info!.client_id];
  const subscription = ours.subscribe("news", { max: 1 });
  await ours.flush();
  const before = server.count(pingsOf(us)); // those of connecting and flushing are no heartbeats
  await server.program.output.times(pingsOf(them), 8, 10_000);
  theirs.publish("news", "after the silence");
  const heard = [];
  for await (const message of subscription) heard.push(message.string());
  assertEquals(heard, ["after the silence"]);
  assertEquals(events.downs, []);
  const beats = server.count(pingsOf(us)) - before;
  assertGreaterOrEqual(beats, 1);
  assertLessOrEqual(beats, 2);
  await Promise.all([ours.close(), theirs.close()]);
});

test("NATS client: a link that died without a word is noticed, and the client connects again", async () => {
  await using server = await startNats();
  await using nat = await startNatBox({
    listen: "tcp://127.0.0.1:0",
    target: server.ws.replace("ws:", "tcp:"),
    natTimeoutMs: 500,
    mode: "strict",
  });
  const events = new Events();
  const ours = await connect(nat.address.replace("tcp:", "ws:"), 1_000, events);
  for await (const { type } of ours.status()) {
    if (type === "reconnect") break;
  }
  assertEquals(events.downs[0], "unanswered");
  await ours.flush();
  await ours.close();
});

test("NATS server refuses the client's token: PeerError with its words, and the client's own error", async () => {
  await using server = await startNats(["authorization { token: right }"]);
  const events = new Events();
  const refused = await assertRejects(() =>
    connect(server.ws, 60_000, events, { token: "wrong", reconnect: false })
  );
  assertEquals((refused as Error).name, "AuthorizationError");
  const [error] = events.errors;
  assertInstanceOf(error, PeerError);
  assertEquals({ protocol: error.protocol, reason: error.reason }, {
    protocol: "nats",
    reason: "Authorization Violation",
  });
});

test("NATS server says -ERR to a client that answers no pings: PeerError, and the client connects again", async () => {
  await using server = await startNats(["ping_interval: 1", "ping_max: 1"]);
  const events = new Events();
  const gag = (): ChannelHandler => ({
    write: (context, message, promise) => {
      if (new TextDecoder().decode(message as Uint8Array) === "PONG\r\n") promise.resolve();
      else context.write(message, promise);
    },
  });
  const ours = await connect(server.ws, 60_000, events, {}, () => [gag()]);
  for await (const { type } of ours.status()) {
    if (type === "reconnect") break;
  }
  const [error] = events.errors;
  assertInstanceOf(error, PeerError);
  assertEquals(error.reason, "Stale Connection");
  await ours.close();
});
