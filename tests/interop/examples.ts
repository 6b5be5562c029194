/**
 * Each example of examples/interop, against a real server.
 *
 * @module
 */

import { assertEquals, assertLessOrEqual, assertStringIncludes } from "@std/assert";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import { Bootstrap, keepAlive } from "../../mod.ts";
import { tcp } from "../../pipeline/transports/tcp.ts";
import { Events, quick } from "./_client.ts";
import { JavaPrograms } from "./_java.ts";
import { testWith } from "./_peers.ts";
import { freePort, Program } from "./_program.ts";
import { startMosquitto, startNats, startProsody } from "./_servers.ts";

const FOLDER = new URL("../../examples/interop/", import.meta.url).pathname;
const MAX_LINES = 40;

/** Runs one until it has heard what it said itself. */
function run(file: string, ...args: string[]): Promise<void> {
  return runIn({}, file, ...args);
}

/** The same with more in its environment. */
async function runIn(env: Record<string, string>, file: string, ...args: string[]): Promise<void> {
  await using _example = await Program.start({
    name: file,
    command: Deno.execPath(),
    args: ["run", "-A", "--no-check", "-q", `${FOLDER}${file}`, ...args],
    env,
    ready: /^hello$/,
  });
}

testWith("mosquitto")("Examples mqtt.ts and mqtt_web_socket.ts", async () => {
  await using broker = await startMosquitto();
  await run("mqtt.ts", broker.tcp);
  await run("mqtt_web_socket.ts", broker.ws);
});

testWith("nats-server")("Example nats.ts", async () => {
  await using server = await startNats();
  await run("nats.ts", server.ws);
});

testWith("prosody")("Example xmpp.ts", async () => {
  await using server = await startProsody();
  await run("xmpp.ts", `${server.ws}/xmpp-websocket`, "localhost", "alice", "secret");
});

testWith("prosody")("Example xmpp_tls.ts, with TLS and with STARTTLS", async () => {
  await using server = await startProsody({ startTls: "required" });
  // Nobody vouches for the server's certificate; that it is looked at is tested elsewhere.
  const anyone = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
  for (const service of [`xmpps://${server.directTls}`, server.tcp.replace("tcp", "xmpp")]) {
    await runIn(anyone, "xmpp_tls.ts", service, "localhost", "alice", "secret");
  }
});

testWith()("Example socket_io.ts", async () => {
  const http = createServer();
  const server = new Server(http);
  server.on("connection", (socket) => socket.on("chat", (message) => socket.emit("chat", message)));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  try {
    await run("socket_io.ts", `http://127.0.0.1:${(http.address() as AddressInfo).port}`);
  } finally {
    await server.close();
  }
});

testWith("java", "javac", "/usr/share/java/netty-handler.jar")("Example NettyServer.java", async () => {
  await using java = await JavaPrograms.compile([`${FOLDER}NettyServer.java`]);
  const port = freePort();
  await using _server = await java.start("NettyServer", [String(port)], /listening/);
  const events = new Events();
  const heard = Promise.withResolvers<unknown>();
  await using channel = await new Bootstrap({
    transport: tcp(),
    pipeline: (p) =>
      p.addLast(...keepAlive(quick()), events, {
        channelRead: (_context, message) => heard.resolve(message),
      }),
  }).connect(`tcp://127.0.0.1:${port}`);
  await events.until("coverage", ({ direction }: { direction: string }) => direction === "push");
  await events.until("verdict", ({ outcome }: { outcome: string }) => outcome === "passed");
  await channel.writeAndFlush({ text: "hello" });
  assertEquals(await heard.promise, { text: "hello" });
});

Deno.test("Examples are in docs/interop.md as they are", () => {
  const document = Deno.readTextFileSync(new URL("../../docs/interop.md", import.meta.url));
  for (const { name } of Deno.readDirSync(FOLDER)) {
    assertStringIncludes(document, Deno.readTextFileSync(`${FOLDER}${name}`), name);
  }
});

Deno.test(`Examples have at most ${MAX_LINES} lines`, () => {
  for (const { name } of Deno.readDirSync(FOLDER)) {
    assertLessOrEqual(
      Deno.readTextFileSync(`${FOLDER}${name}`).trimEnd().split("\n").length,
      MAX_LINES,
      name,
    );
  }
});
