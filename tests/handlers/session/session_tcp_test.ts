import { assertEquals } from "@std/assert";
import {
  answerKeepAlive,
  Bootstrap,
  keepAlive,
  ServerBootstrap,
  SessionHandler,
  SessionRegistry,
} from "@longlink/pipeline";
import { tcp } from "@longlink/pipeline/transports/tcp";

Deno.test("a session over TCP brings everything once, though its link is reset in the middle", async () => {
  const count = 60;
  const up: number[] = [];
  const down: number[] = [];
  const done = Promise.withResolvers<void>();
  const look = () => {
    if (up.length >= count && down.length >= count) done.resolve();
  };
  const sessions = new SessionRegistry();
  const shown: string[] = [];
  await using server = await new ServerBootstrap({
    transport: tcp(),
    pipeline: (p) =>
      p.addLast(...answerKeepAlive({ sessions }), {
        channelActive: ({ channel }) => void shown.push(channel.state),
        channelRead: (context, message) => {
          up.push(message as number);
          context.writeAndFlush(message);
          if (up.length === 20) context.channel.drop("reset");
          look();
        },
      }),
  }).listen("tcp://127.0.0.1:0");
  await using channel = await new Bootstrap({
    transport: tcp(),
    pipeline: (p) =>
      p.addLast(
        ...keepAlive({ session: new SessionHandler({ writes: "acknowledged" }), reconnect: { firstMs: 20 } }),
        {
          channelRead: (context, message) => {
            down.push(message as number);
            if (down.length === 40) context.channel.drop("reset");
            look();
          },
        },
      ),
  }).connect(server.address);
  const writes = [];
  for (let n = 0; n < count; n++) writes.push(channel.writeAndFlush(n));
  await done.promise;
  await Promise.all(writes);
  const numbers = Array.from({ length: count }, (_, n) => n);
  assertEquals([up, down], [numbers, numbers]);
  assertEquals([sessions.opened, sessions.resumed >= 1, shown.length], [1, true, 1 + sessions.resumed]);
});
