import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  answerKeepAlive,
  ConnectionLimitHandler,
  type ConnectionLimitOptions,
  Heartbeat,
  HeartbeatEncoder,
  LimitError,
} from "../../handlers/mod.ts";
import { onlyChannel, serving } from "./_door.ts";
import { Collector } from "./_rig.ts";

/** Notes that it was told of a link, and of its end. */
class Links extends Collector {
  readonly told: string[] = [];

  channelActive(): void {
    this.told.push("active");
  }
  channelInactive(): void {
    this.told.push("inactive");
  }
}

/** A server with the limit where it belongs, before the responder. */
async function limited(options: ConnectionLimitOptions) {
  const limit = new ConnectionLimitHandler(options);
  const ends: Links[] = [];
  const made = await serving(() => {
    const handlers = answerKeepAlive({ maxScouts: 2 });
    const end = new Links();
    ends.push(end);
    const after = handlers.findIndex((handler) => handler instanceof HeartbeatEncoder) + 1;
    return [...handlers.slice(0, after), limit, ...handlers.slice(after), end];
  });
  return { ...made, limit, ends };
}

const ping = new Heartbeat("ping", { timeMs: 240_000, sequence: 1 });

Deno.test("ConnectionLimitHandler refuses a link too many, says why, and tells nobody of it", async () => {
  const { door, loop, server, limit, ends } = await limited({ maxPerAddress: 2, comeBackMs: 7_000 });
  const clients = [door.enter("tcp://192.0.2.1:1"), door.enter("tcp://192.0.2.1:2")];
  for (const client of clients) client.sendHeartbeat(ping);
  const refused = door.enter("tcp://192.0.2.1:3");
  const other = door.enter("tcp://192.0.2.2:3");
  refused.sendHeartbeat(ping);
  other.sendHeartbeat(ping);
  loop.advanceBy(10);
  assertEquals(refused.takeHeartbeats(), [Heartbeat.goAway("tooManyConnections", 7_000)]);
  assertEquals(refused.reason, "remoteClosed");
  for (const client of [...clients, other]) {
    assertEquals(client.takeHeartbeats().map(({ kind }) => kind), ["hello", "pong"]);
    assertEquals(client.reason, undefined);
  }
  assertEquals(ends.map(({ told }) => told), [["active"], ["active"], [], ["active"]]);
  assertEquals(ends[2]!.events, []);
  const [error] = ends[2]!.errors;
  assertInstanceOf(error, LimitError);
  assertEquals([error.limit, error.value, error.most], ["maxPerAddress", 3, 2]);
  assertEquals([limit.refused, limit.size, server.channels.size], [1, 3, 3]);
});

Deno.test("ConnectionLimitHandler gives a place to the next one when a link is gone", async () => {
  const { door, loop, limit } = await limited({ maxPerAddress: 1 });
  const first = door.enter();
  assertEquals(limit.count("tcp://192.0.2.1:9"), 1);
  first.link.close();
  loop.advanceBy(10);
  assertEquals([limit.count("tcp://192.0.2.1:9"), limit.size], [0, 0]);
  const second = door.enter();
  loop.advanceBy(10);
  assertEquals([second.reason, limit.refused, limit.size], [undefined, 0, 1]);
});

Deno.test("ConnectionLimitHandler resets links from twice the limit on without a word", async () => {
  const { door, loop, limit, ends, reports } = await limited({ maxPerAddress: 1 });
  const [, refused, third] = [door.arrive(), door.arrive(), door.arrive()];
  loop.advanceBy(10);
  assertEquals(refused.takeHeartbeats().length, 1);
  assertEquals([third.reason, third.bytes], ["reset", []]);
  assertEquals(ends.map(({ told, errors }) => [told.length, errors.length]), [[0, 0], [0, 1], [0, 0]]);
  assertEquals([limit.refused, limit.size, reports], [2, 1, []]);
});

Deno.test("ConnectionLimitHandler takes the first 64 bits of an IPv6 address for one customer", async () => {
  const { door, limit } = await limited({ maxPerAddress: 9 });
  for (
    const address of [
      "tcp://[2001:db8:0:1::1]:1",
      "tls://[2001:DB8::1:aaaa:bbbb:cccc:dddd]:2",
      "ws://[2001:0db8:0000:0001:0:0:0:2]:3/chat",
    ]
  ) door.enter(address);
  assertEquals(limit.count("tcp://[2001:db8:0:1:ffff::]:9"), 3);
  assertEquals(limit.count("tcp://[2001:db8:0:2::1]:9"), 0);
  door.enter("tcp://[::ffff:192.0.2.7]:1");
  assertEquals(limit.count("tcp://192.0.2.7:9"), 1);
});

Deno.test("ConnectionLimitHandler does not count the machine's own addresses, nor what is none", async () => {
  const { door, limit } = await limited({ maxPerAddress: 1 });
  for (
    const address of ["tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://[::ffff:127.0.0.1]:1", "", "memory://x"]
  ) {
    for (let i = 0; i < 3; i++) assertEquals(door.enter(address).reason, undefined);
    assertEquals(limit.count(address), 0);
  }
  assertEquals([limit.size, limit.refused], [0, 0]);
});

Deno.test("ConnectionLimitHandler counts by what it is told", async () => {
  const customerOf = (address: string) => address.startsWith("tcp://10.") ? "inside" : undefined;
  const { door, limit } = await limited({ maxPerAddress: 5, customerOf });
  for (const host of ["10.0.0.1", "10.9.9.9", "192.0.2.1"]) door.enter(`tcp://${host}:1`);
  assertEquals([limit.count("tcp://10.5.5.5:1"), limit.size], [2, 2]);
});

Deno.test("ConnectionLimitHandler leaves a scout to its main link's limit", async () => {
  const { door, loop, limit, server } = await limited({ maxPerAddress: 2 });
  const main = door.enter();
  main.sendHeartbeat(ping);
  loop.advanceBy(10);
  main.takeHeartbeats();
  main.sendHeartbeat(new Heartbeat("scout", { sequence: 5 }));
  loop.advanceBy(10);
  const [{ timeMs, acknowledgement }] = main.takeHeartbeats() as [Heartbeat];
  const scout = door.enter();
  assertEquals(limit.size, 2);
  scout.sendHeartbeat(new Heartbeat("scout", { timeMs, acknowledgement }));
  loop.advanceBy(10);
  assertEquals([limit.size, server.channels.size, scout.reason], [1, 1, undefined]);
  assertEquals(onlyChannel(server).remoteAddress, "tcp://192.0.2.1:40000");
  scout.link.close();
  loop.advanceBy(10);
  assertEquals(limit.size, 1);
});

Deno.test("ConnectionLimitHandler leaves nothing behind when the server closes", async () => {
  const { door, loop, limit, server } = await limited({ maxPerAddress: 1 });
  door.enter();
  door.enter();
  const closing = server.close();
  await loop.advanceByAsync(3_000);
  await closing;
  assertEquals([limit.size, loop.pendingTimers, server.channels.size], [0, 0, 0]);
  assert(limit.isSharable);
});

Deno.test("ConnectionLimitHandler() refuses numbers out of range", () => {
  for (const maxPerAddress of [0, -1, 1.5, NaN]) {
    assertThrows(() => new ConnectionLimitHandler({ maxPerAddress }), RangeError, "maxPerAddress");
  }
  assertThrows(() => new ConnectionLimitHandler({ comeBackMs: 13_107_101 }), RangeError, "comeBackMs");
});
