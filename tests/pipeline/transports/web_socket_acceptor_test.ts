import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket as NodeWebSocket, WebSocketServer } from "ws";
import { assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import {
  Channel,
  type Link,
  type Listener,
  type ListenOptions,
  SystemEventLoop,
  type Transport,
  VirtualEventLoop,
} from "../../../pipeline/mod.ts";
import { webSocket } from "../../../pipeline/transports/web_socket.ts";
import { webSocketAcceptor } from "../../../pipeline/transports/web_socket_acceptor.ts";
import { transportSuite } from "./_transport_suite.ts";

const loop = new SystemEventLoop();

/** Links of `ws` whose server's port is that of an HTTP server, which goes on when the links' listener closes. */
function besideHttp(): Transport {
  const client = webSocket({ webSocket: NodeWebSocket });
  return {
    name: client.name,
    keepsMessages: client.keepsMessages,
    connect: (remote, options) => client.connect(remote, options),
    listen(address: string, options: ListenOptions): Promise<Listener> {
      const acceptor = webSocketAcceptor();
      webSocketAcceptor().listen!(address, options); // throws for what is no address
      const http = createServer((_request, response) => void response.end("hello"));
      const upgrades = new WebSocketServer({ noServer: true, clientTracking: false });
      http.on("upgrade", (request, socket, head) => {
        upgrades.handleUpgrade(request, socket, head, (webSocket) => {
          const { remoteAddress, remotePort } = request.socket;
          acceptor.accept(webSocket, { remoteAddress: `ws://${remoteAddress}:${remotePort}` });
        });
      });
      return new Promise((resolve) => {
        http.listen(0, "127.0.0.1", async () => {
          const { port } = http.address() as AddressInfo;
          const listener = await acceptor.listen!(`ws://127.0.0.1:${port}/chat`, options);
          resolve({
            address: listener.address,
            async close() {
              await listener.close();
              http.close();
            },
          });
        });
      });
    },
  };
}

transportSuite("webSocketAcceptor() beside an HTTP server", () => ({
  transport: besideHttp(),
  listenAddress: "ws://127.0.0.1:0/chat",
  refusedAddress: "ws://127.0.0.1:1/chat",
  loop,
}), {
  abortResets: true,
  tooMuchBytes: 32 * 1024 * 1024,
  flushesInParts: false,
  closeWaitsForPeer: true,
  tellsPause: true,
  badAddresses: [["http://127.0.0.1:80", /it must begin with ws/], ["", /no URL/]],
});

/** A socket whose handshake a test ends. */
class Handshake {
  binaryType = "blob";
  readyState = 0;
  bufferedAmount = 0;
  closes = 0;
  onopen: (() => unknown) | null = null;
  onmessage = null;
  onerror = null;
  onclose = null;
  send(): void {}
  close(): void {
    this.closes++;
  }
}

const ADDRESS = "ws://127.0.0.1/chat";

function listening() {
  const acceptor = webSocketAcceptor();
  const links: Link[] = [];
  const options = {
    loop: new VirtualEventLoop(),
    onLink: (link: Link) => void links.push(link),
    onError: (error: Error) => {
      throw error;
    },
  };
  return { acceptor, links, options };
}

Deno.test("WebSocketAcceptor.accept() waits for the handshake, and tells what is known", async () => {
  const { acceptor, links, options } = listening();
  const listener = await acceptor.listen!(ADDRESS, options);
  assertEquals(listener.address, ADDRESS);
  const socket = new Handshake();
  const details = { user: "ann" };
  assertEquals(acceptor.accept(socket, { remoteAddress: "ws://10.0.0.7:5000", details }), true);
  assertEquals(links.length, 0);
  socket.readyState = 1;
  socket.onopen!();
  const { remoteAddress, localAddress } = links[0]!;
  assertEquals([remoteAddress, localAddress], ["ws://10.0.0.7:5000", ADDRESS]);
  const channel = new Channel({ transport: acceptor, loop: options.loop });
  assertStrictEquals(channel.linkDetails, undefined);
  channel.attach(links[0]!);
  assertStrictEquals(channel.linkDetails, details);
  channel.drop("closed");
  assertStrictEquals(channel.linkDetails, undefined);
  await channel.close();
});

Deno.test("WebSocketAcceptor.accept() closes sockets that nobody listens for", async () => {
  const { acceptor, links, options } = listening();
  const early = new Handshake();
  assertFalse(acceptor.accept(early));
  const listener = await acceptor.listen!(ADDRESS, options);
  const underWay = new Handshake();
  acceptor.accept(underWay);
  await listener.close();
  underWay.readyState = 1;
  underWay.onopen!();
  assertEquals([early.closes, underWay.closes, links.length], [1, 1, 0]);
});

Deno.test("WebSocketAcceptor.listen() has one listener at a time", async () => {
  const { acceptor, options } = listening();
  const first = await acceptor.listen!(ADDRESS, options);
  assertThrows(
    () => acceptor.listen!("ws://other", options),
    TypeError,
    `Cannot listen on ws://other: ${ADDRESS} has this acceptor's sockets`,
  );
  await first.close();
  const second = await acceptor.listen!("ws://other", options);
  await first.close(); // again: not the second one's end
  assertEquals(acceptor.accept(new Handshake()), true);
  await second.close();
});

Deno.test("WebSocketAcceptor.connect() says that it only accepts", () => {
  const { acceptor, options } = listening();
  const { signal } = new AbortController();
  assertThrows(
    () => acceptor.connect({ address: "ws://name:secret@host/p?ticket=1" }, { loop: options.loop, signal }),
    TypeError,
    "Cannot connect to ws://host/p: a WebSocketAcceptor only accepts",
  );
  assertThrows(() => webSocketAcceptor({ maxQueuedBytes: 0 }), RangeError, "maxQueuedBytes must be above 0");
});
