// Socket.IO: a dead link is noticed within seconds, also by the client. Argument: the server.
import { fixedInterval } from "@longlink/pipeline";
import { KeepAliveWebSocket } from "@longlink/pipeline/web-socket";
import { WebSocket as WebSocketTransport } from "engine.io-client";
import { io } from "socket.io-client";
import { WebSocket } from "ws";

const [server = "http://127.0.0.1:3000"] = Deno.args;

// npm's ws can ask with pings of WebSocket. In a browser: `with({ format: engineIoFormat() })`, which waits for the server's.
// Socket.IO itself notices after 45 s, so ask more often than that.
const Socket = KeepAliveWebSocket.with({ webSocket: WebSocket, strategy: fixedInterval(15_000) });

class KeepAliveTransport extends WebSocketTransport {
  override createSocket(uri: string, protocols?: string | string[]): KeepAliveWebSocket {
    return new Socket(uri, protocols);
  }
}

const socket = io(server, { transports: [KeepAliveTransport] });
socket.on("connect", () => socket.emit("chat", "hello"));
socket.on("disconnect", (reason) => console.error(reason));
socket.on("chat", (message) => console.log(message));
