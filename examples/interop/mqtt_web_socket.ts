// MQTT over WebSocket, as in a browser: mqtt.js, with a class of ours. Arguments: broker, topic.
import { mqttFormat } from "@longlink/pipeline";
import { KeepAliveWebSocket } from "@longlink/pipeline/web-socket";
import mqtt from "mqtt";

const [broker = "ws://127.0.0.1:9001", topic = "news"] = Deno.args;
const MqttWebSocket = KeepAliveWebSocket.with({ format: mqttFormat() });

const client = mqtt.connect(broker, {
  keepalive: 0, // the pipeline beats
  forceNativeWebSocket: true, // outside of browsers, and there in the first connect() of the process
  createWebsocket: (url, protocols) => new MqttWebSocket(url, protocols),
});
client.on("message", (_topic, payload) => console.log(payload.toString()));
client.on("error", (error) => console.error(error.message));
await client.subscribeAsync(topic, { qos: 1 });
await client.publishAsync(topic, "hello", { qos: 1 });
