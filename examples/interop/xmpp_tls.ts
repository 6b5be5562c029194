// XMPP over TLS, from the start (xmpps://) or by STARTTLS (xmpp://). Arguments: service, domain, user, password.
import { keepAliveUnder, xmppFormat } from "@longlink/pipeline";
import { connectDuplex, duplex } from "@longlink/pipeline/transports/duplex";
import { client, xml } from "@xmpp/client";
import { once } from "node:events";
import tls, { type ConnectionOptions } from "node:tls";

const [service = "xmpp://127.0.0.1:5222", domain = "localhost", username, password] = Deno.args;
const xmpp = client({ service, domain, username, password });

// What this client encrypts with in both cases. The pipeline goes on top of it, where the stream is XML.
xmpp.transports[2].prototype.Socket.prototype.connect = function (options: ConnectionOptions) {
  const ended = options.socket?.listeners("close") ?? []; // the client's, of before STARTTLS
  const stream = connectDuplex(service, {
    transport: duplex({ connect: (_remote, { signal }) => encrypted(options, signal) }),
    pipeline: (p) => p.addLast(...keepAliveUnder(xmppFormat())),
  });
  stream.once("connect", () => {
    for (const listener of ended) options.socket!.off("close", listener as () => void);
    this.emit("connect");
  });
  this._attachSocket(stream);
};
async function encrypted(options: ConnectionOptions, signal: AbortSignal): Promise<tls.TLSSocket> {
  const socket = tls.connect({ ...options, servername: domain });
  signal.addEventListener("abort", () => socket.destroy());
  await once(socket, "secureConnect");
  return socket;
}

xmpp.on("error", (error: Error) => console.error(error.message)); // it connects again by itself
xmpp.on("stanza", (stanza: { is(name: string): boolean; getChildText(name: string): string | null }) => {
  if (stanza.is("message")) console.log(stanza.getChildText("body"));
});
xmpp.on("online", async (address: { bare(): string }) => {
  await xmpp.send(xml("presence"));
  await xmpp.send(xml("message", { to: address.bare(), type: "chat" }, xml("body", {}, "hello")));
});
await xmpp.start();
