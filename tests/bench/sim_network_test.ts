import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { type Link, type LinkDownReason, type LinkSink, VirtualEventLoop } from "../../pipeline/mod.ts";
import { type ExpiryMode, NatEntry } from "../../bench/sim/nat.ts";
import { type Connection, type NetworkOptions, SimulatedNetwork } from "../../bench/sim/network.ts";
import { Outages } from "../../bench/sim/outages.ts";
import { randomFrom } from "../../bench/sim/random.ts";

const T_MS = 60_000;
const TIMEOUTS = [{ fromMs: 0, timeoutMs: T_MS }];

/** One end as a channel sees it. */
class End implements LinkSink {
  link: Link | undefined = undefined;
  readonly received: number[] = [];
  readonly receivedMs: number[] = [];
  closed: LinkDownReason | undefined = undefined;
  closedMs = -1;

  constructor(readonly loop: VirtualEventLoop) {}

  open(link: Link): void {
    this.link = link;
    link.open(this);
    link.read();
  }

  send(...bytes: number[]): void {
    this.link!.write(new Uint8Array(bytes));
    this.link!.flush();
  }

  onRead(message: Uint8Array | string): void {
    for (const byte of message as Uint8Array) {
      this.received.push(byte);
      this.receivedMs.push(this.loop.now());
    }
  }
  onReadComplete(): void {
    this.link!.read();
  }
  onFlushed(): void {}
  onClosed(reason: LinkDownReason): void {
    assertEquals(this.closed, undefined);
    this.closed = reason;
    this.closedMs = this.loop.now();
  }
}

/** A client and a server that are connected, at 100 ms. */
async function connected(options: Partial<NetworkOptions> & { readonly mode: ExpiryMode }) {
  const loop = new VirtualEventLoop();
  const network = new SimulatedNetwork(loop, { timeouts: TIMEOUTS, ...options });
  const [client, server] = [new End(loop), new End(loop)];
  await network.listen("simulated://server", { loop, onLink: (link) => server.open(link), onError() {} });
  const { signal } = new AbortController();
  const link = network.connect({ address: "simulated://server" }, { loop, signal });
  link.then((link) => client.open(link));
  loop.advanceTo(100);
  assert(client.link !== undefined && server.link !== undefined);
  const connection: Connection = network.newest!;
  return { loop, client, server, connection };
}

Deno.test("SimulatedNetwork carries bytes in half a round trip each way", async () => {
  const { loop, client, server } = await connected({ mode: "strict" });
  client.send(1, 2);
  loop.advanceBy(49);
  assertEquals(server.received, []);
  loop.advanceBy(1);
  assertEquals(server.received, [1, 2]);
  server.send(3);
  loop.advanceBy(50);
  assertEquals(client.received, [3]);
});

Deno.test("SimulatedNetwork, strict, swallows everything once the entry has expired", async () => {
  const { loop, client, server, connection } = await connected({ mode: "strict" });
  loop.advanceTo(T_MS - 1);
  server.send(1); // passes the box too late
  loop.advanceBy(10_000);
  client.send(2);
  loop.advanceBy(60_000);
  assertEquals([client.received, server.received], [[], []]);
  assertEquals([client.closed, server.closed], [undefined, undefined]);
  assert(connection.wasForgotten);
  assertEquals(connection.lostFromMs, T_MS);
  // Linux gives up after about a quarter of an hour.
  loop.advanceBy(1_200_000);
  assertEquals([client.closed, server.closed], ["error", "error"]);
  assertGreater(server.closedMs, T_MS + 900_000);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("SimulatedNetwork keeps the entry as long as a packet passes in time, whoever sends it", async () => {
  const { loop, client, server, connection } = await connected({ mode: "strict" });
  for (let round = 1; round <= 5; round++) {
    loop.advanceBy(T_MS - 1_000);
    (round % 2 === 0 ? client : server).send(round);
  }
  loop.advanceBy(1_000);
  assertEquals(client.received, [1, 3, 5]);
  assertEquals(server.received, [2, 4]);
  assertEquals(connection.lostFromMs, undefined);
});

Deno.test("SimulatedNetwork, loose, lets a client's packet revive the entry", async () => {
  const { loop, client, server, connection } = await connected({ mode: "loose" });
  const gaps: [number, number][] = [];
  connection.onGap = (fromMs, toMs) => gaps.push([fromMs, toMs]);
  loop.advanceTo(2 * T_MS);
  assertEquals(connection.lostFromMs, T_MS);
  client.send(1);
  loop.advanceBy(1_000);
  assertEquals(server.received, [1]);
  server.send(2);
  loop.advanceBy(1_000);
  assertEquals(client.received, [2]);
  assertEquals(gaps, [[T_MS, 2 * T_MS]]);
  assertEquals(connection.lostFromMs, undefined);
});

Deno.test("SimulatedNetwork, loose, answers a push after expiry with a reset, and the client learns when it speaks", async () => {
  const { loop, client, server, connection } = await connected({ mode: "loose" });
  loop.advanceTo(T_MS + 5_000);
  server.send(1);
  loop.advanceBy(100);
  assertEquals(server.closed, "reset");
  assertEquals([client.received, client.closed], [[], undefined]);
  loop.advanceBy(5_000);
  client.send(2);
  loop.advanceBy(100);
  assertEquals(client.closed, "reset");
  assertEquals(connection.lostFromMs, T_MS);
});

Deno.test("SimulatedNetwork, reset, tells both ends at the moment of forgetting", async () => {
  const { loop, client, server, connection } = await connected({ mode: "reset" });
  loop.advanceTo(T_MS - 1_000);
  client.send(1);
  loop.advanceTo(2 * T_MS - 1_000);
  // The last packet is the acknowledgement, a round trip after the byte.
  assertEquals(client.closed, undefined);
  loop.advanceBy(200);
  assertEquals([client.closed, client.closedMs], ["reset", 2 * T_MS - 900]);
  assertEquals([server.closed, server.closedMs], ["reset", 2 * T_MS - 850]);
  assertEquals(connection.lostFromMs, 2 * T_MS - 900);
  loop.advanceBy(2 * T_MS);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("SimulatedNetwork brings everything through losses, once and in order", async () => {
  const lossy = { mode: "strict", loss: 0.3, seed: 7, timeouts: [{ fromMs: 0, timeoutMs: 1e9 }] } as const;
  const loop = new VirtualEventLoop();
  const network = new SimulatedNetwork(loop, lossy);
  const [client, server] = [new End(loop), new End(loop)];
  await network.listen("simulated://server", { loop, onLink: (link) => server.open(link), onError() {} });
  network.connect({ address: "" }, { loop, signal: new AbortController().signal }).then((link) =>
    client.open(link)
  );
  loop.advanceBy(10_000);
  const sent = Array.from({ length: 100 }, (_, index) => index);
  for (const byte of sent) {
    client.send(byte);
    server.send(byte);
    loop.advanceBy(37);
  }
  loop.advanceBy(600_000);
  assertEquals(server.received, sent);
  assertEquals(client.received, sent);
});

Deno.test("SimulatedNetwork repeats through an outage, ever more slowly", async () => {
  const loop = new VirtualEventLoop();
  const outages = { perHour: 2, lengthMs: 30_000 };
  const expected = new Outages(outages, randomFrom(3 * 2 + 1));
  let startMs = 0;
  while (!expected.isDown(startMs)) startMs++;
  const network = new SimulatedNetwork(loop, {
    mode: "strict",
    timeouts: [{ fromMs: 0, timeoutMs: 1e9 }],
    outages,
    seed: 3,
  });
  const [client, server] = [new End(loop), new End(loop)];
  await network.listen("simulated://server", { loop, onLink: (link) => server.open(link), onError() {} });
  network.connect({ address: "" }, { loop, signal: new AbortController().signal }).then((link) =>
    client.open(link)
  );
  loop.advanceTo(startMs + 1_000);
  client.send(1);
  loop.advanceTo(startMs + 30_000);
  assertEquals(server.received, []);
  loop.advanceBy(30_000);
  assertEquals(server.received, [1]);
  // 0.3 + 0.6 + 1.2 ... s after it was sent: the first repeat after the outage is the eighth.
  assertEquals(server.receivedMs[0]! - startMs - 1_050, 300 * (2 ** 7 - 1));
});

Deno.test("SimulatedNetwork connects with a later SYN where the first is lost, and not once it was given up", async () => {
  const loop = new VirtualEventLoop();
  const outages = { perHour: 3_600, lengthMs: 2_000 };
  const network = new SimulatedNetwork(loop, { mode: "strict", timeouts: TIMEOUTS, outages, seed: 1 });
  let [accepted, links] = [0, 0];
  await network.listen("", { loop, onLink: (link) => (accepted++, new End(loop).open(link)), onError() {} });
  for (let attempt = 0; attempt < 50; attempt++) {
    const abort = new AbortController();
    network.connect({ address: "" }, { loop, signal: abort.signal }).then((
      link,
    ) => (links++, link.open(new End(loop)), link.abort()));
    loop.advanceBy(attempt % 2 === 0 ? 10_000 : 60);
    abort.abort();
    loop.advanceBy(20_000);
  }
  assertGreater(links, 10);
  assertLess(links, 50);
  assertLessOrEqual(links, accepted);
});

Deno.test("NatEntry.expiryMs follows a timeout that changes", () => {
  const timeouts = [{ fromMs: 0, timeoutMs: 300 }, { fromMs: 1_000, timeoutMs: 50 }, {
    fromMs: 2_000,
    timeoutMs: 500,
  }];
  const cases: [lastMs: number, expiryMs: number][] = [
    [0, 300],
    [699, 999],
    [800, 1_000], // fell while it was silent, for too long already
    [960, 1_010],
    [1_940, 1_990],
    [1_960, 2_460],
    [3_000, 3_500],
  ];
  for (const [lastMs, expiryMs] of cases) {
    assertEquals(new NatEntry("strict", timeouts, lastMs).expiryMs, expiryMs);
  }
});

Deno.test("Outages.isDown() is down for as long and as often as asked, the same for each asker", () => {
  const options = { perHour: 6, lengthMs: 30_000 };
  const [one, other] = [new Outages(options, randomFrom(5)), new Outages(options, randomFrom(5))];
  let downMs = 0;
  for (let ms = 0; ms < 100 * 3_600_000; ms += 500) {
    if (one.isDown(ms)) downMs += 500;
    if (ms % 7_000 === 0) assertEquals(other.isDown(ms), one.isDown(ms));
  }
  const perHour = downMs / 30_000 / 100;
  assertGreater(perHour, 4.8);
  assertLess(perHour, 6.8);
});
