/**
 * Mosquitto, and mqtt.js on top of the pipeline.
 *
 * @module
 */

import {
  assertEquals,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLessOrEqual,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { delay } from "@std/async";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { WebSocketServer } from "ws";
import { type ChannelHandler, DecodeError, keepAliveUnder, mqttFormat, PeerError } from "../../mod.ts";
import { KeepAliveWebSocket } from "../../adapters/keep_alive_web_socket.ts";
import { connectDuplex } from "../../pipeline/transports/duplex.ts";
import { tcp } from "../../pipeline/transports/tcp.ts";
import { startNatBox } from "../lab/nat_box.ts";
import { Events, under } from "./_client.ts";
import { testWith } from "./_peers.ts";
import { startMosquitto } from "./_servers.ts";

const test = testWith("mosquitto");
const TOPIC = "news";

/** mqtt.js on a pipeline of ours over TCP, its own keep alive off. */
function overTcp(
  address: string,
  intervalMs: number,
  events: Events,
  options: IClientOptions = {},
  handlers: () => ChannelHandler[] = () => [],
) {
  return new mqtt.MqttClient(
    () =>
      connectDuplex(address, {
        transport: tcp(),
        pipeline: (p) => p.addLast(...keepAliveUnder(mqttFormat(), under(intervalMs)), events, ...handlers()),
      }),
    { clientId: "ours", keepalive: 0, reconnectPeriod: 100, ...options },
  );
}

/** The same over WebSocket, with mqtt.js' own hook for a class. */
function overWebSocket(address: string, intervalMs: number, events: Events) {
  const MqttWebSocket = KeepAliveWebSocket.with({
    format: mqttFormat(),
    ...under(intervalMs),
    pipeline: (p) => p.addLast(events),
  });
  return mqtt.connect(address.replace("tcp:", "ws:"), {
    clientId: "ours",
    keepalive: 0,
    reconnectPeriod: 100,
    forceNativeWebSocket: true, // on Node and Deno; browsers need no such word
    createWebsocket: (url, protocols) => new MqttWebSocket(url, protocols),
  });
}

const CARRIERS = { TCP: overTcp, WebSocket: overWebSocket };

/** mqtt.js as it is. */
function plain(address: string, options: IClientOptions): MqttClient {
  return new mqtt.MqttClient(() => connectDuplex(address, { transport: tcp() }), options);
}

/** Subscribes, and collects what is published. */
async function subscribed(client: MqttClient): Promise<string[]> {
  const heard: string[] = [];
  client.on("message", (_topic, payload) => heard.push(payload.toString()));
  await client.subscribeAsync(TOPIC, { qos: 1 });
  return heard;
}

/** Publishes until the subscriber has heard something: right after a reconnect it has not subscribed yet. */
async function published(publisher: MqttClient, heard: string[], text: string): Promise<void> {
  while (!heard.includes(text)) {
    await publisher.publishAsync(TOPIC, text, { qos: 1 });
    await delay(50);
  }
}

async function endAll(...clients: MqttClient[]): Promise<void> {
  await Promise.all(clients.map((client) => client.endAsync(true)));
}

for (const [carrier, connect] of Object.entries(CARRIERS)) {
  test(`mqtt.js over ${carrier}: a publish arrives after the time of five of its own beats, for one or two of ours`, async () => {
    await using broker = await startMosquitto();
    // A sixtieth of what is usual: mqtt.js beats every 60 s, we every 4 min, the network forgets after 5 min.
    await using nat = await startNatBox({
      listen: "tcp://127.0.0.1:0",
      target: carrier === "TCP" ? broker.tcp : broker.ws.replace("ws:", "tcp:"),
      natTimeoutMs: 5_000,
      mode: "strict",
    });
    const events = new Events();
    const ours = connect(nat.address, 4_000, events);
    const theirs = plain(broker.tcp, { clientId: "theirs", keepalive: 1 });
    const publisher = plain(broker.tcp, { keepalive: 0 });
    const heard = await subscribed(ours);
    await broker.program.output.times(/Received PINGREQ from theirs/, 5, 10_000);
    const arrived = new Promise((resolve) => ours.once("message", resolve));
    await publisher.publishAsync(TOPIC, "after the silence", { qos: 1 });
    await arrived;
    assertEquals(heard, ["after the silence"]);
    assertEquals(events.downs, []);
    const beats = broker.count(/Received PINGREQ from ours/);
    assertGreaterOrEqual(beats, 1);
    assertLessOrEqual(beats, 2);
    await endAll(ours, theirs, publisher);
  });

  test(`mqtt.js over ${carrier}: a link that died without a word is noticed, and mqtt.js connects again`, async () => {
    await using broker = await startMosquitto();
    await using nat = await startNatBox({
      listen: "tcp://127.0.0.1:0",
      target: carrier === "TCP" ? broker.tcp : broker.ws.replace("ws:", "tcp:"),
      natTimeoutMs: 500,
      mode: "strict",
    });
    const events = new Events();
    const ours = connect(nat.address, 1_000, events);
    const publisher = plain(broker.tcp, { keepalive: 0 });
    const heard = await subscribed(ours);
    await events.until("linkDown");
    assertEquals(events.downs, ["unanswered"]);
    await published(publisher, heard, "after the outage");
    await endAll(ours, publisher);
  });
}

/** Answers the client's PINGREQs itself and lets none through, so that the promise of its CONNECT is broken. */
const gag = (): ChannelHandler => ({
  write: (context, message, promise) => {
    if ((message as Uint8Array)[0] !== 0xc0) return context.write(message, promise);
    promise.resolve();
    context.fireChannelRead(Uint8Array.of(0xd0, 0));
  },
});

// This Mosquitto gives no reason in MQTT 5 either: the rules of the protocol tell it.
for (const protocolVersion of [4, 5] as const) {
  test(`Mosquitto drops an MQTT ${protocolVersion} client that breaks its keep alive: PeerError, mqtt.js connects again`, async () => {
    await using broker = await startMosquitto();
    const events = new Events();
    const ours = overTcp(broker.tcp, 60_000, events, { keepalive: 2, protocolVersion }, () => [gag()]);
    const again = new Promise((resolve) => ours.once("close", () => ours.once("connect", resolve)));
    await events.until("linkDown");
    const [error] = events.errors;
    assertInstanceOf(error, PeerError);
    assertEquals(error.protocol, "mqtt");
    assertMatch(error.reason, /^keep alive timeout: nothing was sent for \d s, the keep alive is 2 s$/);
    await again;
    await endAll(ours);
  });
}

testWith()(
  "mqtt.js over WebSocket: a peer that says text in place of an answer: DecodeError with its words, mqtt.js connects again",
  async () => {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, handleProtocols: () => "mqtt" });
    server.on("connection", (socket) => socket.send("error: not allowed from here"));
    await once(server, "listening");
    try {
      const events = new Events();
      const address = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const ours = overWebSocket(address, 60_000, events);
      const again = once(server, "connection").then(() => once(server, "connection"));
      await events.until("linkDown");
      const [error] = events.errors;
      assertInstanceOf(error, DecodeError);
      assertStringIncludes(error.message, 'text where bytes are due: "error: not allowed from here"');
      assertEquals(events.downs[0], "protocol");
      await again;
      await endAll(ours);
    } finally {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    }
  },
);

for (
  const [protocolVersion, code, reason] of [[4, 5, "not authorized"], [5, 0x87, "not authorized"]] as const
) {
  test(`Mosquitto refuses an MQTT ${protocolVersion} client: PeerError with code and words, and mqtt.js' own error`, async () => {
    await using broker = await startMosquitto("allow_anonymous false");
    const events = new Events();
    const ours = overTcp(broker.tcp, 60_000, events, { protocolVersion, reconnectPeriod: 0 });
    const refused = new Promise<Error>((resolve) => ours.once("error", resolve));
    assertMatch((await refused).message, /Connection refused: Not authorized/);
    const [error] = events.errors;
    assertInstanceOf(error, PeerError);
    assertEquals({ code: error.code, reason: error.reason }, { code, reason });
    await endAll(ours);
  });
}
