/**
 * The runtime's sockets with nothing on them but a listener that sends back
 * what came: `bare.ts net|denoTcp|denoWs HOST`.
 */

import process from "node:process";
import { createServer, type Socket } from "node:net";
import { control } from "./_control.ts";

const [kind, host] = process.argv.slice(2);
const message = new Uint8Array(100).fill(0x61);

if (kind === "net") serveNet();
else if (kind === "denoTcp") serveDenoTcp();
else serveDenoWs();

function serveNet(): void {
  const sockets = new Set<Socket>();
  // One function each for all sockets, as anybody with very many would have it.
  const echo = function (this: Socket, bytes: Uint8Array) {
    this.write(bytes);
  };
  const gone = function (this: Socket) {
    sockets.delete(this);
  };
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on("data", echo);
    socket.on("error", gone);
    socket.on("close", gone);
  });
  server.listen(0, host, () =>
    control({
      port: (server.address() as { port: number }).port,
      pushBytes: message.length,
      push() {
        for (const socket of sockets) socket.write(message);
      },
      count: () => sockets.size,
    }));
}

async function serveDenoTcp(): Promise<void> {
  const connections = new Set<Deno.TcpConn>();
  const listener = Deno.listen({ hostname: host, port: 0 });
  control({
    port: listener.addr.port,
    pushBytes: message.length,
    push() {
      for (const connection of connections) connection.write(message);
    },
    count: () => connections.size,
  });
  for await (const connection of listener) echoAll(connection, connections);
}

async function echoAll(connection: Deno.TcpConn, connections: Set<Deno.TcpConn>): Promise<void> {
  connection.setNoDelay();
  connections.add(connection);
  const buffer = new Uint8Array(64);
  try {
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      await connection.write(buffer.subarray(0, count));
    }
  } catch {
    // The client cuts its links with a reset.
  }
  connections.delete(connection);
}

function serveDenoWs(): void {
  const sockets = new Set<WebSocket>();
  const server = Deno.serve({ hostname: host, port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    socket.binaryType = "arraybuffer";
    socket.onopen = () => sockets.add(socket);
    socket.onmessage = (event) => socket.send(event.data);
    socket.onclose = () => sockets.delete(socket);
    return response;
  });
  control({
    port: server.addr.port,
    pushBytes: message.length + 2,
    push() {
      for (const socket of sockets) socket.send(message);
    },
    count: () => sockets.size,
  });
}
