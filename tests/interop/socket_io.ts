/**
 * Socket.IO, and its client on top of the pipeline.
 *
 * @module
 */

import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import type { AddressInfo } from "node:net";
import { createServer } from "node:http";
import { WebSocket as WebSocketTransport } from "engine.io-client";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import { WebSocket as WS } from "ws";
import { engineIoFormat } from "../../mod.ts";
import { KeepAliveWebSocket, type KeepAliveWebSocketOptions } from "../../adapters/keep_alive_web_socket.ts";
import { startNatBox } from "../lab/nat_box.ts";
import { Events, under } from "./_client.ts";
import { testWith } from "./_peers.ts";

const test = testWith();

/** A server of Socket.IO that says so of each WebSocket ping. */
async function startServer(pingInterval: number) {
  const http = createServer();
  const server = new Server(http, { pingInterval, pingTimeout: 20_000, transports: ["websocket"] });
  const pings = { count: 0 };
  server.engine.on("connection", (socket: { transport: { socket: WS } }) => {
    socket.transport.socket.on("ping", () => pings.count++);
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const { port } = http.address() as AddressInfo;
  return {
    server,
    pings,
    tcp: `tcp://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** Socket.IO's client, on our class in its WebSocket transport. */
function connect(address: string, options: KeepAliveWebSocketOptions) {
  const Socket = KeepAliveWebSocket.with(options);
  class KeepAliveTransport extends WebSocketTransport {
    override createSocket(uri: string, protocols: string | string[] | undefined) {
      return new Socket(uri, protocols);
    }
  }
  return io(address.replace("tcp:", "http:"), {
    transports: [KeepAliveTransport],
    reconnectionDelay: 100,
    forceNew: true,
  });
}

function behindNat(target: string, natTimeoutMs: number) {
  return startNatBox({ listen: "tcp://127.0.0.1:0", target, natTimeoutMs, mode: "strict" });
}

test("Socket.IO client: its server's ping that is missing is noticed at once, and it connects again", async () => {
  // Alone it would wait for another 20 s.
  await using server = await startServer(1_500);
  await using nat = await behindNat(server.tcp, 700);
  const events = new Events();
  const socket = connect(nat.address, {
    format: engineIoFormat({ graceMs: 300 }),
    pipeline: (p) => p.addLast(events),
  });
  const reasons: string[] = [];
  socket.on("disconnect", (reason) => reasons.push(reason));
  await new Promise((resolve) =>
    socket.once("connect", () => socket.once("connect", () => resolve(undefined)))
  );
  assertEquals(events.downs, ["unanswered"]);
  assertEquals(reasons.length, 1);
  const heard = new Promise((resolve) => socket.once("news", resolve));
  server.server.emit("news", "after the outage");
  assertEquals(await heard, "after the outage");
  socket.close();
});

test("Socket.IO client on npm's ws: WebSocket pings keep a link that its server's pings would have lost", async () => {
  await using server = await startServer(25_000);
  await using nat = await behindNat(server.tcp, 1_000);
  const events = new Events();
  const socket = connect(nat.address, { webSocket: WS, ...under(600), pipeline: (p) => p.addLast(events) });
  await events.when("four beats", () => events.of("beat").length >= 4);
  const heard = new Promise((resolve) => socket.once("news", resolve));
  server.server.emit("news", "after the silence");
  assertEquals(await heard, "after the silence");
  assertEquals(events.downs, []);
  assertGreaterOrEqual(server.pings.count, 4);
  socket.close();
});
