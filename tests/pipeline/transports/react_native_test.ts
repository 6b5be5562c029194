import { WebSocketServer } from "ws";
import { assertEquals } from "@std/assert";
import { type Link, SystemEventLoop } from "../../../pipeline/mod.ts";
import { webSocket } from "../../../pipeline/transports/web_socket.ts";
import { FakeReactNativeWebSocket } from "./_fake_react_native.ts";
import { LinkRecorder, pattern } from "./_link_recorder.ts";
import { transportSuite } from "./_transport_suite.ts";

const loop = new SystemEventLoop();
const { signal } = new AbortController();
const transport = webSocket({ webSocket: FakeReactNativeWebSocket, server: WebSocketServer });

Deno.test("webSocket() gives React Native's class its headers as a third argument, and reads bytes and text", async () => {
  const onLink = (link: Link) => {
    const server = new LinkRecorder(link);
    server.send(pattern(70_000), "héllo");
    server.close();
  };
  const onError = (error: Error) => {
    throw error;
  };
  const listener = await transport.listen!("ws://127.0.0.1:0/chat", { loop, onLink, onError });
  const headers = { authorization: "Bearer abc" };
  const remote = { address: listener.address, credentials: { protocols: "chat.v2", headers } };
  const client = new LinkRecorder(await transport.connect(remote, { loop, signal }));
  assertEquals(await client.end(), "remoteClosed");
  assertEquals(client.messages, [pattern(70_000), "héllo"]);
  assertEquals(FakeReactNativeWebSocket.asked.at(-1), {
    url: listener.address,
    protocols: ["chat.v2"],
    options: { headers },
  });
  await listener.close();
});

transportSuite("WebSocket of React Native", () => ({
  transport,
  listenAddress: "ws://127.0.0.1:0/chat",
  refusedAddress: "ws://127.0.0.1:1/chat",
  loop,
}), {
  abortResets: false,
  tooMuchBytes: undefined,
  flushesInParts: false,
  closeWaitsForPeer: false,
  halfCloses: false,
  tellsPause: true,
  badAddresses: [["127.0.0.1:80", /no URL/], ["http://127.0.0.1:80", /must begin with/], [
    "ws://h/p#part",
    /fragment/,
  ]],
});
