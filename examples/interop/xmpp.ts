// XMPP over WebSocket: a client without pings gets some. Arguments: server, domain, user, password.
import { xmppFormat } from "@longlink/pipeline";
import { KeepAliveWebSocket } from "@longlink/pipeline/web-socket";
import { client, xml } from "@xmpp/client";

const [service = "ws://127.0.0.1:5280/xmpp-websocket", domain = "localhost", username, password] = Deno.args;

// This client takes the class that is there when it connects.
globalThis.WebSocket = KeepAliveWebSocket.with({ format: xmppFormat() });

const xmpp = client({ service, domain, username, password });
xmpp.on("error", (error: Error) => console.error(error.message)); // it connects again by itself
xmpp.on("stanza", (stanza: { is(name: string): boolean; getChildText(name: string): string | null }) => {
  if (stanza.is("message")) console.log(stanza.getChildText("body"));
});
xmpp.on("online", async (address: { bare(): string }) => {
  await xmpp.send(xml("presence"));
  await xmpp.send(xml("message", { to: address.bare(), type: "chat" }, xml("body", {}, "hello")));
});
await xmpp.start();
