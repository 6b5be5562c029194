// A chat server that survives `kill -9`: start it again, and nothing is lost.
import { answerKeepAlive, ServerBootstrap, SessionRegistry } from "@longlink/pipeline";
import { fileSessionStore } from "@longlink/pipeline/stores/file";
import { tcp } from "@longlink/pipeline/transports/tcp";

const [address = "tcp://127.0.0.1:7000", folder = "chat-sessions"] = Deno.args;
const sessions = new SessionRegistry({ store: fileSessionStore({ path: folder }) });

const server = await new ServerBootstrap({
  transport: tcp(),
  pipeline: (p) =>
    p.addLast(...answerKeepAlive({ sessions }), {
      // A message is done with once this has returned; the answer is kept together with that news.
      channelRead: (context, message) => {
        context.channel.writeAndFlush({ heard: message });
      },
    }),
}).listen(address);
console.log(`listening on ${server.address}`);
