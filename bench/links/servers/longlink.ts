/** longlink's default server pipeline over TCP, or over WebSocket: `longlink.ts tcp|ws HOST`. */

import process from "node:process";
import { answerKeepAlive, type ChannelHandler, ServerBootstrap } from "../../../mod.ts";
import { tcp } from "../../../pipeline/transports/tcp.ts";
import { webSocket, type WebSocketServerClass } from "../../../pipeline/transports/web_socket.ts";
import { control } from "./_control.ts";

/** An application that has nothing to say. The client cuts its links with a reset, which is no news here. */
class Application implements ChannelHandler {
  channelRead(): void {}
  exceptionCaught(): void {}
}

const [scheme, host] = process.argv.slice(2);
const message = new Uint8Array(100).fill(0x61);
const server = await new ServerBootstrap({
  transport: scheme === "tcp" ? tcp() : webSocket({ server: await serverClass() }),
  pipeline: (pipeline) => pipeline.addLast(...answerKeepAlive(), new Application()),
}).listen(`${scheme}://${host}:0`);

control({
  port: Number(new URL(server.address).port),
  // MessagePack puts 2 bytes before it, and a frame 1 (TCP) or 2 (WebSocket).
  pushBytes: message.length + (scheme === "tcp" ? 3 : 4),
  push() {
    for (const channel of server.channels) channel.writeAndFlush(message);
  },
  count: () => server.channels.size,
});

/** Deno has a server of its own. */
async function serverClass(): Promise<WebSocketServerClass | undefined> {
  if ("Deno" in globalThis) return undefined;
  const name = "ws";
  return (await import(name)).WebSocketServer;
}
