import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  ConnectError,
  type Link,
  type LinkDownReason,
  type LinkSink,
  SystemEventLoop,
  VirtualEventLoop,
} from "../../../pipeline/mod.ts";
import { randomFrom } from "../../../bench/sim/random.ts";
import { transportSuite } from "../../pipeline/transports/_transport_suite.ts";
import { CALM } from "./conditions.ts";
import { FaultNetwork } from "./fault_network.ts";

const system = new SystemEventLoop();

for (
  const [about, conditions] of [
    ["no faults", { ...CALM, latencyMs: 0 }],
    ["latency and jitter", { latencyMs: 2, jitterMs: 3, bytesPerSecond: Infinity }],
    ["5 MB/s", { latencyMs: 1, jitterMs: 0, bytesPerSecond: 5_000_000 }],
  ] as const
) {
  transportSuite(
    `FaultNetwork (${about})`,
    () => ({
      transport: new FaultNetwork({ loop: system, random: randomFrom(1) }).path("phone", conditions),
      listenAddress: "fault://chat",
      refusedAddress: "fault://nobody",
      loop: system,
    }),
    {
      abortResets: true,
      tooMuchBytes: 1024 * 1024,
      flushesInParts: true,
      closeWaitsForPeer: true,
      badAddresses: [
        ["chat", /^Cannot parse the address "chat": it must be fault:\/\/ and a name$/],
        ["fault://", /must be fault/],
        ["tcp://h:80", /must be fault/],
      ],
    },
  );
}

const ADDRESS = "fault://chat";

/** One end, what it was told, and when. */
class Told implements LinkSink {
  readonly log: [atMs: number, what: string | LinkDownReason][] = [];

  constructor(readonly loop: VirtualEventLoop, readonly link: Link) {
    link.open(this);
    link.read();
  }

  say(text: string): void {
    this.link.write(new TextEncoder().encode(text));
    this.link.flush();
  }

  /** What came in, and the end. */
  get heard(): string {
    return this.log.map(([, what]) => what).join(" ");
  }

  onRead(message: Uint8Array): void {
    this.log.push([this.loop.now(), new TextDecoder().decode(message)]);
  }

  onReadComplete(): void {
    this.link.read();
  }

  onFlushed(): void {}

  onClosed(reason: LinkDownReason): void {
    this.log.push([this.loop.now(), `<${reason}>`]);
  }
}

function world(conditions = CALM) {
  const loop = new VirtualEventLoop();
  const network = new FaultNetwork({ loop, random: randomFrom(7) });
  const path = network.path("phone", conditions);
  const accepted: Told[] = [];
  const listen = () =>
    network.listen(ADDRESS, { loop, onLink: (link) => accepted.push(new Told(loop, link)), onError() {} });
  const connect = async (signal = new AbortController().signal) => {
    const connecting = Promise.resolve(path.connect({ address: ADDRESS }, { loop, signal }));
    await loop.advanceByAsync(500);
    return new Told(loop, await connecting);
  };
  return { loop, network, path, accepted, listen, connect };
}

/** A world with one link. */
async function linked(conditions = CALM) {
  const made = world(conditions);
  await made.listen();
  const client = await made.connect();
  return { ...made, client, server: made.accepted[0]!, link: made.path.links[0]! };
}

Deno.test("FaultLink.silence() in one direction leaves the other, and tells nobody", async () => {
  const { loop, client, server, link, network } = await linked();
  link.silence("toServer");
  client.say("lost");
  server.say("heard");
  loop.advanceBy(3_600_000);
  assertEquals([client.heard, server.heard, network.openEnds], ["heard", "", 2]);
  client.link.abort();
  loop.advanceBy(1_000);
  assertEquals([client.heard, server.heard, network.openEnds], ["heard <closed>", "", 1]);
  server.say("anybody?");
  loop.advanceBy(1_000);
  assertEquals(server.heard, ""); // the reset that answers it is lost as well
});

Deno.test("FaultLink.silence() both ways swallows also what is under way", async () => {
  const { loop, client, server, link } = await linked();
  client.say("a");
  server.say("b");
  link.silence("both");
  loop.advanceBy(3_600_000);
  assertEquals([client.heard, server.heard], ["", ""]);
  assertEquals([link.isSound, link.openEnds], [false, 2]);
});

Deno.test("FaultLink.reset() tells both ends", async () => {
  const { loop, client, server, link, network } = await linked();
  link.reset();
  loop.advanceBy(0);
  assertEquals([client.heard, server.heard, network.openEnds], ["<reset>", "<reset>", 0]);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("FaultLink.halfOpen() answers what the other end sends with a reset, a round trip later", async () => {
  const { loop, client, server, link } = await linked();
  link.halfOpen("server");
  loop.advanceBy(3_600_000);
  assertEquals([client.heard, server.heard], ["", "<error>"]);
  const atMs = loop.now();
  client.say("still there?");
  loop.advanceBy(1_000);
  assertEquals(client.log, [[atMs + 20, "<reset>"]]);
});

Deno.test("FaultLink.cutNext() lets a part of one write arrive, then resets both ends or says nothing", async () => {
  const text = "0123456789";
  for (const afterwards of ["reset", "silence"] as const) {
    const { loop, client, server, link, network } = await linked();
    client.say("whole");
    link.cutNext("toServer", afterwards);
    client.say(text);
    client.say("never");
    loop.advanceBy(3_600_000);
    const [whole, part = "", ...rest] = server.heard.split(" ");
    assertEquals(whole, "whole");
    assert(part.length > 0 && part.length < text.length && text.startsWith(part), part);
    assertEquals(rest, afterwards === "reset" ? ["<reset>"] : []);
    assertEquals(network.openEnds, afterwards === "reset" ? 0 : 2);
  }
});

Deno.test("FaultPath.conditions delay each packet, and none overtakes another", async () => {
  const { loop, client, server } = await linked({ latencyMs: 30, jitterMs: 100, bytesPerSecond: Infinity });
  loop.advanceBy(1_000);
  const fromMs = loop.now();
  const expected = [];
  for (let i = 0; i < 50; i++) {
    client.say(`${i}`);
    expected.push(`${i}`);
    loop.advanceBy(1);
  }
  loop.advanceBy(1_000);
  assertEquals(server.heard.split(" "), expected);
  for (const [i, [atMs]] of server.log.entries()) assert(atMs >= fromMs + i + 30 && atMs <= fromMs + 181);
});

Deno.test("FaultPath.conditions limit the bytes a second", async () => {
  const { loop, client, server } = await linked({ latencyMs: 5, jitterMs: 0, bytesPerSecond: 1_000 });
  const fromMs = loop.now();
  client.say("x".repeat(500));
  client.say("y".repeat(250));
  loop.advanceBy(5_000);
  assertEquals(server.log.map(([atMs]) => atMs - fromMs), [505, 755]);
});

Deno.test("FaultPath.hold() keeps what is sent until release(), unless its sender has given up", async () => {
  const { loop, path, client, server } = await linked();
  client.say("a");
  path.hold();
  client.say("b");
  loop.advanceBy(60_000);
  assertEquals(server.heard, "");
  path.release();
  loop.advanceBy(10);
  assertEquals(server.heard, "a b");
  path.hold();
  client.say("c");
  client.link.abort();
  loop.advanceBy(60_000);
  path.release();
  loop.advanceBy(60_000);
  assertEquals(server.heard, "a b");
  server.say("anybody?");
  loop.advanceBy(20);
  assertEquals(server.heard, "a b <reset>");
});

Deno.test("FaultPath.hold() holds connects as well", async () => {
  const { loop, path, listen, accepted } = world();
  await listen();
  path.hold();
  const { signal } = new AbortController();
  const connecting = path.connect({ address: ADDRESS }, { loop, signal });
  await loop.advanceByAsync(60_000);
  assertEquals(accepted.length, 0);
  path.release();
  await loop.advanceByAsync(1_050);
  await connecting;
  assertEquals(accepted.length, 1);
});

Deno.test("a writer is slowed down by a reader that does not read", async () => {
  const { loop, client, server, network } = await linked();
  server.onReadComplete = () => {};
  const part = new Uint8Array(16 * 1024);
  for (let i = 0; i < 16; i++) client.link.write(part);
  client.link.flush();
  let flushed = 0;
  client.onFlushed = (...[bytes]: number[]) => void (flushed += bytes!);
  loop.advanceBy(60_000);
  assert(flushed < 16 * part.length, `${flushed}`);
  assertEquals(network.openEnds, 2);
});

Deno.test('FaultPath.connects "refused" refuses', async () => {
  const { loop, path, listen } = world();
  await listen();
  path.connects = "refused";
  const { signal } = new AbortController();
  const refused = assertRejects(
    () => Promise.resolve(path.connect({ address: ADDRESS }, { loop, signal })),
    ConnectError,
    "connection refused",
  );
  await loop.advanceByAsync(20);
  await refused;
});

Deno.test('FaultPath.connects "blackHole" accepts and says nothing, "slowLoris" a byte now and then', async () => {
  for (const mode of ["blackHole", "slowLoris"] as const) {
    const { loop, path, listen, connect, accepted, network } = world();
    await listen();
    path.connects = mode;
    const client = await connect();
    client.say("hello?");
    loop.advanceBy(10_000);
    assertEquals([accepted.length, client.heard.length > 0], [0, mode === "slowLoris"]);
    client.link.abort();
    loop.advanceBy(10_000);
    assertEquals([network.openEnds, loop.pendingTimers], [0, 0]);
  }
});

Deno.test("FaultPath.deliverLate() brings a given-up link to the server after a later one, with its words", async () => {
  const { loop, path, listen, connect, accepted } = world();
  await listen();
  path.connects = "late";
  const first = await connect();
  first.say("one");
  loop.advanceBy(1_000);
  first.link.abort();
  path.connects = "accepted";
  const second = await connect();
  second.say("two");
  loop.advanceBy(1_000);
  assertEquals(path.lateLinks, 1);
  path.deliverLate();
  loop.advanceBy(1_000);
  assertEquals(accepted.map(({ heard }) => heard), ["two", "one"]);
  accepted[1]!.say("answer");
  loop.advanceBy(1_000);
  assertEquals(accepted[1]!.heard, "one <reset>");
});

Deno.test("FaultPath.phantom() says a link's first words once more, at once or a byte at a time", async () => {
  const { loop, path, client, server, accepted, link, network } = await linked();
  client.say("resume");
  loop.advanceBy(1_000);
  server.say("resumed");
  loop.advanceBy(1_000);
  client.say("later words");
  loop.advanceBy(1_000);
  path.phantom(ADDRESS, link.firstFlight!, "vanishes");
  path.phantom(ADDRESS, link.firstFlight!, "resets", 100);
  loop.advanceBy(1_000);
  assertEquals(accepted.map(({ heard }) => heard), ["resume later words", "resume", "r e s u m e"]);
  for (const phantom of accepted.slice(1)) phantom.say("answer");
  loop.advanceBy(1_000);
  assertEquals(accepted.map(({ heard }) => heard), ["resume later words", "resume", "r e s u m e <reset>"]);
  assertEquals(network.openEnds, 3);
});

Deno.test("FaultPath.crash() ends a client's links and connects, and nobody there is told", async () => {
  for (const how of ["resets", "vanishes"] as const) {
    const { loop, path, client, server, accepted, network } = await linked();
    const { signal } = new AbortController();
    let isSettled = false;
    Promise.resolve(path.connect({ address: ADDRESS }, { loop, signal })).finally(() => isSettled = true);
    path.crash(how);
    server.say("anybody?");
    await loop.advanceByAsync(60_000);
    assertEquals([client.heard, server.heard], ["", how === "resets" ? "<reset>" : ""]);
    assertEquals([isSettled, accepted.length, loop.pendingTimers], [false, 1, 0]);
    assertEquals(network.openEnds, how === "resets" ? 0 : 1);
  }
});

Deno.test("FaultNetwork.crash() resets the links and refuses new ones", async () => {
  const { loop, path, client, server, network } = await linked();
  server.say("written before");
  network.crash(ADDRESS, "resets");
  loop.advanceBy(1_000);
  assertEquals([client.heard, server.heard, network.openEnds], ["written before <reset>", "", 0]);
  const { signal } = new AbortController();
  const refused = assertRejects(
    () => Promise.resolve(path.connect({ address: ADDRESS }, { loop, signal })),
    ConnectError,
  );
  await loop.advanceByAsync(20);
  await refused;
});

Deno.test("FaultNetwork.crash() with the host: silence, and resets once the host is up again", async () => {
  const { loop, client, server, network, listen, connect, accepted } = await linked();
  network.crash(ADDRESS, "vanishes");
  client.say("anybody?");
  await loop.advanceByAsync(60_000);
  assertEquals([client.heard, server.heard], ["", ""]);
  await listen();
  client.say("and now?");
  await loop.advanceByAsync(1_000);
  assertEquals(client.heard, "<reset>");
  (await connect()).say("again");
  loop.advanceBy(1_000);
  assertEquals(accepted[1]!.heard, "again");
});

Deno.test("FaultNetwork repeats a run exactly", async () => {
  const run = async () => {
    const { loop, client, server, link } = await linked({
      latencyMs: 20,
      jitterMs: 50,
      bytesPerSecond: 10_000,
    });
    for (let i = 0; i < 20; i++) client.say("x".repeat(i + 1));
    loop.advanceBy(100);
    link.cutNext("toServer", "reset");
    client.say("the last words");
    loop.advanceBy(10_000);
    return [client.log, server.log];
  };
  assertEquals(await run(), await run());
});
