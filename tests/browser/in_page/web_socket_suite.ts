/**
 * The transports' suite with a page's own WebSocket.
 *
 * @module
 */

import { SystemEventLoop } from "../../../pipeline/mod.ts";
import { webSocket } from "../../../pipeline/transports/web_socket.ts";
import { workerTimerHost } from "../../../pipeline/worker_timers.ts";
import { transportSuite } from "../../pipeline/transports/_transport_suite.ts";
import { Bridge } from "./_bridge.ts";

let bridge: Promise<Bridge> | undefined;

async function transport() {
  bridge ??= Bridge.open(new URLSearchParams(location.search).get("bridge")!);
  const [real, door] = [webSocket(), await bridge];
  return Object.assign(Object.create(real) as typeof real, {
    name: real.name,
    keepsMessages: real.keepsMessages,
    connect: real.connect.bind(real),
    listen(address: string, options: Parameters<Bridge["listen"]>[1]) {
      try {
        real.listen!(address, options); // throws in any case
      } catch (error) {
        if (!(error as Error).message.includes("no WebSocket server")) throw error;
      }
      return door.listen(address, options);
    },
  });
}

for (
  const [name, loop] of [
    ["", new SystemEventLoop()],
    [" with timers in a worker", new SystemEventLoop({ host: workerTimerHost() })],
  ] as const
) {
  transportSuite(`WebSocket of a page${name}`, async () => ({
    transport: await transport(),
    listenAddress: "ws://127.0.0.1:0/chat",
    refusedAddress: "ws://127.0.0.1:1/chat",
    loop,
  }), {
    abortResets: false,
    tooMuchBytes: undefined,
    flushesInParts: false,
    closeWaitsForPeer: false,
    badAddresses: [
      ["127.0.0.1:80", /it is no URL/],
      ["http://127.0.0.1:80", /: it must begin with ws:\/\/ or wss:\/\/$/],
      ["ws://h:65536", /no URL/],
      ["ws://h/p#part", /"ws:\/\/h\/p#part": it must have no fragment/],
      ["", /no URL/],
    ],
  });
}
