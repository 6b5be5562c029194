// MQTT: mqtt.js, on a link whose death is noticed within seconds. Arguments: broker, topic.
import { keepAliveUnder, mqttFormat } from "@longlink/pipeline";
import { connectDuplex } from "@longlink/pipeline/transports/duplex";
import { tcp } from "@longlink/pipeline/transports/tcp";
import mqtt from "mqtt";

const [broker = "tcp://127.0.0.1:1883", topic = "news"] = Deno.args;

// A stream for each try of mqtt.js to connect; `tls()` options and `tls://` addresses work as well.
const client = new mqtt.MqttClient(
  () =>
    connectDuplex(broker, {
      transport: tcp(),
      pipeline: (p) =>
        p.addLast(...keepAliveUnder(mqttFormat()), {
          userEventTriggered: (_context, event) => console.error(event), // what becomes of the link
        }),
    }),
  { keepalive: 0 }, // the pipeline beats
);
client.on("message", (_topic, payload) => console.log(payload.toString()));
client.on("error", (error) => console.error(error.message));
await client.subscribeAsync(topic, { qos: 1 });
await client.publishAsync(topic, "hello", { qos: 1 });
