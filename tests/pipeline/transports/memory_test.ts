import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ConnectError,
  type Link,
  SystemEventLoop,
  VirtualEventLoop,
  type WireMessage,
} from "../../../pipeline/mod.ts";
import { memory, type MemoryOptions, memoryPair } from "../../../pipeline/transports/memory.ts";
import { transportSuite } from "./_transport_suite.ts";

const loop = new SystemEventLoop();
const addresses = { listenAddress: "memory://chat", refusedAddress: "memory://nobody", loop };
const badAddresses = [
  ["chat", /^Cannot parse the address "chat": it must be memory:\/\/ and a name$/],
  ["memory://", /must be memory/],
  ["memory://a/b", /must be memory/],
  ["tcp://h:80", /must be memory/],
] as const;

for (const [latencyMs, keepsMessages] of [[0, false], [5, true]] as const) {
  transportSuite(
    `memory (${latencyMs} ms${keepsMessages ? ", messages" : ""})`,
    () => ({ transport: memory({ latencyMs, keepsMessages }), ...addresses }),
    {
      abortResets: true,
      tooMuchBytes: 1024 * 1024,
      flushesInParts: !keepsMessages,
      closeWaitsForPeer: true,
      halfCloses: true,
      tellsPause: true,
      badAddresses,
    },
  );
}

const ignore = { onRead() {}, onReadComplete() {}, onFlushed() {}, onClosed() {} };

/** A pair on virtual time, with what its second end was told and when. */
function watchedPair(options: MemoryOptions = {}) {
  const loop = new VirtualEventLoop();
  const [one, other] = memoryPair({ loop, ...options });
  const told: unknown[] = [];
  const flushed: number[] = [];
  one.open({
    ...ignore,
    onFlushed: (bytes) => flushed.push(bytes),
    onClosed: (reason) => told.push([loop.now(), "one", reason]),
  });
  other.open({
    ...ignore,
    onRead: (message) => told.push([loop.now(), typeof message === "string" ? message : message.length]),
    onReadComplete: () => other.read(),
    onClosed: (reason) => told.push([loop.now(), "other", reason]),
  });
  return { loop, one, other, told, flushed };
}

Deno.test("memoryPair() delivers after exactly the latency", () => {
  const { loop, one, other, told } = watchedPair({ latencyMs: 20 });
  other.read();
  one.write(new Uint8Array(3));
  one.flush();
  loop.advanceBy(19);
  assertEquals(told, []);
  loop.advanceBy(1);
  assertEquals(told, [[20, 3]]);
  one.close();
  loop.advanceBy(20);
  assertEquals(told, [[20, 3], [20, "one", "closed"], [40, "other", "remoteClosed"]]);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("memoryPair() lets a writer be 64 KiB ahead of its reader", () => {
  const { loop, one, other, told, flushed } = watchedPair();
  one.write(new Uint8Array(100_000));
  one.flush();
  loop.advanceBy(1000);
  assertEquals([flushed, told], [[65_536], []]);
  other.read();
  loop.advanceBy(0);
  assertEquals([flushed, told], [[65_536, 34_464], [[1000, 65_536], [1000, 34_464]]]);
});

Deno.test("memoryPair() gives the reader bytes of its own", () => {
  const loop = new VirtualEventLoop();
  const [one, other] = memoryPair({ loop, keepsMessages: true });
  one.open(ignore);
  const read: WireMessage[] = [];
  other.open({ ...ignore, onRead: (message) => read.push(message) });
  other.read();
  const bytes = new Uint8Array([1]);
  one.write(bytes);
  one.write("text");
  one.flush();
  bytes[0] = 2;
  loop.advanceBy(0);
  other.read();
  loop.advanceBy(0);
  assertEquals(read, [new Uint8Array([1]), "text"]);
});

Deno.test("MemoryLink.cut() drops everything in both directions, and tells nobody", () => {
  const { loop, one, other, told, flushed } = watchedPair({ latencyMs: 20 });
  other.read();
  one.write(new Uint8Array(3));
  one.flush();
  loop.advanceBy(10);
  other.cut();
  one.write(new Uint8Array(100_000));
  one.flush();
  other.abort();
  loop.advanceBy(60_000);
  assertEquals(told, [[10, "other", "closed"]]);
  assertEquals(flushed, [3, 65_533]);
  one.close();
  loop.advanceBy(2000);
  assertEquals(told, [[10, "other", "closed"], [62_010, "one", "closed"]]);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("MemoryLink.reset() takes both ends down", () => {
  const { loop, one, told } = watchedPair({ latencyMs: 20 });
  one.reset();
  loop.advanceBy(0);
  assertEquals(told, [[0, "one", "reset"], [0, "other", "reset"]]);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("memory() makes a network of its own each time, which works without microtasks", () => {
  const loop = new VirtualEventLoop();
  const network = memory();
  const links: Link[] = [];
  network.listen!("memory://chat", { loop, onLink: (link) => links.push(link), onError() {} });
  const { signal } = new AbortController();
  const link = network.connect({ address: "memory://chat" }, { loop, signal }) as Link;
  assertEquals(link.remoteAddress, "memory://chat");
  loop.advanceBy(0);
  assertEquals(links.length, 1);
  return assertRejects(
    async () => await memory().connect({ address: "memory://chat" }, { loop, signal }),
    ConnectError,
    "Cannot connect to memory://chat: connection refused",
  ).then(() => {});
});

Deno.test("memory() refuses a second listener on an address", async () => {
  const loop = new VirtualEventLoop();
  const network = memory();
  const options = { loop, onLink() {}, onError() {} };
  const listener = await network.listen!("memory://chat", options);
  await assertRejects(() => network.listen!("memory://chat", options), Error, "in use");
  await listener.close();
  await network.listen!("memory://chat", options);
});

Deno.test("memory() and memoryPair() refuse a latency that makes no sense", () => {
  const loop = new VirtualEventLoop();
  for (const latencyMs of [-1, NaN, Infinity]) {
    assertThrows(() => memory({ latencyMs }), RangeError, `not ${latencyMs}`);
    assertThrows(() => memoryPair({ loop, latencyMs }), RangeError, `not ${latencyMs}`);
  }
});
