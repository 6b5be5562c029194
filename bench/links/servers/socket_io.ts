/** socket.io, as it is installed, without its fallback to long polling: `socket_io.ts BEAT_MS HOST`. */

import process from "node:process";
import { createServer } from "node:http";
import { control } from "./_control.ts";

const beatMs = Number(process.argv[2]);
const host = process.argv[3];
const name = "socket.io";
const { Server } = await import(name);
const http = createServer();
const io = new Server(http, { transports: ["websocket"], pingInterval: beatMs });
io.on("connection", (socket: { on(event: string, listener: () => void): void }) => socket.on("m", () => {}));
const text = "a".repeat(100);

http.listen(0, host, () =>
  control({
    port: (http.address() as { port: number }).port,
    // 42["m","..."] in a text frame
    pushBytes: text.length + 12,
    push: () => io.emit("m", text),
    count: () => io.engine.clientsCount,
  }));
