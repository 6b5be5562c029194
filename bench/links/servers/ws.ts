/** npm's `ws`, with the ping loop of its README or with none: `ws.ts BEAT_MS HOST`; 0 is none. */

import process from "node:process";
import { control } from "./_control.ts";

interface Socket {
  isAlive?: boolean;
  on(event: string, listener: (this: Socket, ...args: unknown[]) => void): void;
  ping(): void;
  send(data: Uint8Array): void;
  terminate(): void;
}

const beatMs = Number(process.argv[2]);
const host = process.argv[3];
const message = new Uint8Array(100).fill(0x61);
const name = "ws";
const { WebSocketServer } = await import(name);
const server = new WebSocketServer({ host, port: 0 });

function heartbeat(this: Socket) {
  this.isAlive = true;
}

server.on("connection", (socket: Socket) => {
  socket.isAlive = true;
  socket.on("error", console.error);
  socket.on("pong", heartbeat);
  socket.on("message", () => {});
});

if (beatMs > 0) {
  setInterval(() => {
    for (const socket of server.clients as Set<Socket>) {
      if (socket.isAlive === false) {
        socket.terminate();
        continue;
      }
      socket.isAlive = false;
      socket.ping();
    }
  }, beatMs);
}

server.on("listening", () =>
  control({
    port: server.address().port,
    pushBytes: message.length + 2,
    push() {
      for (const socket of server.clients as Set<Socket>) socket.send(message);
    },
    count: () => server.clients.size,
  }));
