import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  Bootstrap,
  ConnectError,
  EmbeddedChannel,
  type RemoteSource,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { memory } from "../../pipeline/transports/memory.ts";
import { ReconnectHandler, type ReconnectOptions } from "../../handlers/mod.ts";
import { Collector, ListenerCountingLoop } from "./_rig.ts";

const LIST = ["embedded://a", "embedded://b", "embedded://c"];

/** A channel with several servers, each of which is up, down, or silent. */
function several(source: RemoteSource = LIST, options?: ReconnectOptions) {
  const loop = new ListenerCountingLoop();
  const end = new Collector();
  const tries: { readonly server: string; readonly atMs: number; readonly signal: AbortSignal }[] = [];
  const servers: Record<string, "up" | "down" | "silent"> = { a: "up", b: "up", c: "up" };
  const handler = new ReconnectHandler(options);
  const channel = new EmbeddedChannel({
    loop,
    active: false,
    connectTimeoutMs: 2_000,
    onConnect: ({ address }, signal) => {
      const server = address.at(-1)!;
      tries.push({ server, atMs: loop.now(), signal });
      if (servers[server] === "down") throw new ConnectError(address, "connection refused");
      if (servers[server] === "silent") return new Promise(() => {});
    },
    handlers: [handler, end],
  });
  const connect = channel.connect(source);
  connect.onSettled(() => {});
  /** Which servers were tried since the last time, in order. */
  const tried = () => tries.splice(0).map(({ server }) => server).join("");
  const at = () => channel.remote?.address.at(-1);
  /** Loses a link that had proved valid, and waits for the next one. */
  const again = () => {
    if (channel.isActive) channel.writeInbound("hello");
    channel.loseLink();
    channel.advanceBy(800);
  };
  return { loop, end, tries, servers, handler, channel, connect, tried, at, again };
}

Deno.test("ReconnectHandler tries several addresses in one try, and begins with the winner next time", () => {
  const rig = several();
  rig.servers.a = "down";
  rig.servers.b = "down";
  rig.again();
  assertEquals([rig.at(), rig.tried()], ["c", "aabc"]);
  rig.servers.a = "up";
  rig.again();
  assertEquals([rig.at(), rig.tried()], ["c", "c"]);
});

Deno.test("ReconnectHandler moves an address that failed to the end", () => {
  const rig = several();
  assertEquals([rig.at(), rig.tried()], ["a", "a"]);
  rig.servers.a = "down";
  rig.again();
  assertEquals([rig.at(), rig.tried()], ["b", "ab"]);
  rig.servers.b = "down";
  rig.servers.a = "up";
  rig.again();
  // a failed first, and so comes after c, which has not failed.
  assertEquals([rig.at(), rig.tried()], ["c", "bc"]);
});

Deno.test("ReconnectHandler moves an address to the end whose link never proved valid", () => {
  const rig = several();
  const visited = [];
  for (let i = 0; i < 6; i++) {
    visited.push(rig.at());
    rig.channel.loseLink("remoteClosed");
    rig.channel.advanceBy(10_000);
  }
  assertEquals(visited.join(""), "abcabc");
});

Deno.test("ReconnectHandler starts the next address after raceDelayMs, and the winner aborts the others", async () => {
  for (
    const [options, delayMs] of [[undefined, 250], [{ raceDelayMs: 40 }, 40], [
      { raceDelayMs: 0 },
      0,
    ]] as const
  ) {
    const slow = several(LIST, options);
    slow.channel.loseLink();
    slow.servers.a = slow.servers.b = "silent";
    slow.tries.length = 0;
    slow.channel.pipeline.fireUserEventTriggered({ type: "network", state: "online" });
    // a was tried last, as its link never proved valid.
    await slow.channel.advanceByAsync(2_000);
    assertEquals(slow.tries.map(({ server, atMs }) => [server, atMs]), [["b", 0], ["c", delayMs]]);
    assertEquals(slow.at(), "c");
    assertEquals(slow.tries.map(({ signal }) => signal.aborted), [true, false]);
    await slow.channel.close();
    assertEquals([slow.loop.pendingTimers, slow.loop.listeners], [0, 0]);
  }
});

Deno.test("ReconnectHandler lets a try with all its addresses take as long as the connect timeout", () => {
  const rig = several();
  rig.servers.a = rig.servers.b = rig.servers.c = "silent";
  rig.again();
  rig.channel.advanceBy(3_000);
  const [failed] = rig.end.take("reconnect").slice(-1);
  assertInstanceOf(failed!.error, ConnectError);
  assertEquals(
    failed!.error.message,
    "Cannot connect to embedded://a, embedded://b, embedded://c: timed out after 2000 ms",
  );
});

Deno.test("ReconnectHandler counts a try once, however many addresses it has, and names them all", async () => {
  const rig = several(LIST, { maxAttempts: 2 });
  rig.servers.a = rig.servers.b = rig.servers.c = "down";
  rig.channel.loseLink();
  rig.channel.advanceBy(10_000);
  await rig.channel.closed;
  const [failed] = rig.end.take("reconnectFailed");
  assertEquals([failed!.attempts, failed!.reason, rig.tried()], [
    2,
    "maxAttempts",
    "abca",
  ]);
  const { cause } = failed!.error as ConnectError;
  assertInstanceOf(cause, AggregateError);
  assertEquals(cause.errors.map(({ message }) => message), [
    "Cannot connect to embedded://b: connection refused",
    "Cannot connect to embedded://c: connection refused",
    "Cannot connect to embedded://a: connection refused",
  ]);
});

Deno.test("ReconnectHandler asks a function for the list anew for each try, and keeps the winner while it is in it", async () => {
  let list = LIST;
  const rig = several(() => Promise.resolve(list));
  await rig.channel.advanceByAsync(0);
  rig.servers.a = "down";
  rig.channel.writeInbound("hello");
  rig.channel.loseLink();
  await rig.channel.advanceByAsync(800);
  assertEquals([rig.at(), rig.tried()], ["b", "aab"]);
  list = ["embedded://c", "embedded://a"];
  rig.channel.writeInbound("hello");
  rig.channel.loseLink();
  await rig.channel.advanceByAsync(800);
  assertEquals([rig.at(), rig.tried()], ["c", "c"]);
});

Deno.test("ReconnectHandler takes its time over a list that is empty just now, and gives up on one that always is", async () => {
  let list: string[] = [];
  const rig = several(() => list);
  assertEquals(rig.handler.state, "waiting");
  list = ["embedded://a"];
  rig.channel.advanceBy(1_600);
  assert(rig.channel.isActive);

  const never = several([]);
  await never.channel.closed;
  assertEquals(never.end.take("reconnectFailed").map(({ reason }) => reason), ["badAddress"]);
});

Deno.test("ReconnectHandler goes on with the good ones of several addresses, and gives up if all are bad", async () => {
  const loop = new VirtualEventLoop();
  const transport = memory();
  const onLink = () => {};
  await transport.listen!("memory://there", { loop, onLink, onError: () => {} });
  const bootstrap = new Bootstrap({ transport, loop, pipeline: (p) => p.addLast(new ReconnectHandler()) });
  const channel = await bootstrap.connect(["nonsense", "memory://there"]);
  assertEquals(channel.remote?.address, "memory://there");
  channel.close();
  const error = await assertRejects(() => bootstrap.connect(["nonsense", "too"]), TypeError, "nonsense, too");
  assertInstanceOf(error.cause, AggregateError);
  loop.advanceBy(2_000);
});
