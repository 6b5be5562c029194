// NATS over WebSocket: a dead link is noticed within seconds, not after minutes. Arguments: server, subject.
import { natsFormat } from "@longlink/pipeline";
import { KeepAliveWebSocket } from "@longlink/pipeline/web-socket";
import { wsconnect } from "@nats-io/nats-core";

const [server = "ws://127.0.0.1:8080", subject = "news"] = Deno.args;
const NatsWebSocket = KeepAliveWebSocket.with({ format: natsFormat() });

const connection = await wsconnect({
  servers: server,
  maxReconnectAttempts: -1,
  pingInterval: 2 ** 31 - 1, // never: the pipeline beats
  wsFactory: (url) => Promise.resolve({ socket: new NatsWebSocket(url), encrypted: url.startsWith("wss:") }),
});
const subscription = connection.subscribe(subject);
connection.publish(subject, "hello");
for await (const message of subscription) console.log(message.string());
