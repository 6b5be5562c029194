// Says a number every tenth of a second, and prints what the server heard: each number once, in order.
import { Bootstrap, keepAlive, SessionHandler } from "@longlink/pipeline";
import { tcp } from "@longlink/pipeline/transports/tcp";

const [address = "tcp://127.0.0.1:7000", last = "Infinity"] = Deno.args;

const channel = await new Bootstrap({
  transport: tcp(),
  pipeline: (p) =>
    p.addLast(...keepAlive({ session: new SessionHandler() }), {
      channelRead: (_context, message) => console.log(JSON.stringify(message)),
      userEventTriggered: (_context, event) => {
        const { type, resumed } = event as { type: string; resumed?: boolean };
        if (type === "linkUp" || type === "linkDown" || type === "sessionLost") {
          console.error(type, resumed ?? "");
        }
      },
    }),
}).connect(address);

for (let number = 1; number <= Number(last); number++) {
  channel.writeAndFlush({ number }); // also while there is no link
  await new Promise((resolve) => setTimeout(resolve, 100));
}
