import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess } from "@std/assert";
import { connected, network, prove, type Reconnecting, reconnecting } from "./_reconnect_rig.ts";

function goAway({ channel }: Reconnecting, afterMs: number): void {
  channel.pipeline.fireUserEventTriggered({ type: "goAway", reason: "shutdown", afterMs });
}

function foreground({ channel }: Reconnecting): void {
  channel.pipeline.fireUserEventTriggered({ type: "appState", state: "foreground" });
}

function triesAt({ tries }: Reconnecting): number[] {
  return tries.map(({ atMs }) => atMs);
}

Deno.test("ReconnectHandler comes back exactly when the server said, counted from when it said so", () => {
  for (const afterMs of [1, 100, 7_000, 600_000]) {
    const rig = connected();
    goAway(rig, afterMs);
    rig.channel.advanceBy(afterMs / 2);
    rig.channel.loseLink("remoteClosed");
    const [state, reconnect] = rig.end.events.slice(-2);
    assertEquals(state, { type: "reconnectState", state: "waiting", previous: "up", reason: "goAway" });
    assertEquals(reconnect, { type: "reconnect", attempt: 1, delayMs: afterMs - afterMs / 2 });
    rig.channel.advanceBy(3_600_000);
    assertEquals(triesAt(rig), [Math.ceil(afterMs)]);
  }
});

Deno.test("ReconnectHandler takes its own backoff where the server leaves it to it", () => {
  const outcomes = [0, NaN, -5].map((afterMs) => {
    const rig = connected({ seed: 7 });
    goAway(rig, afterMs);
    rig.channel.loseLink("remoteClosed");
    rig.channel.advanceBy(800);
    assert(rig.channel.isActive);
    return triesAt(rig);
  });
  const plain = connected({ seed: 7 });
  plain.channel.loseLink("remoteClosed");
  plain.channel.advanceBy(800);
  for (const outcome of outcomes) assertEquals(outcome, triesAt(plain));
});

Deno.test("ReconnectHandler does not come back before the server's time, whatever happens", () => {
  const rig = connected();
  goAway(rig, 60_000);
  rig.channel.loseLink("remoteClosed");
  rig.end.events.length = 0;
  rig.channel.advanceBy(1_000);
  network(rig, "online");
  network(rig, "changed");
  foreground(rig);
  rig.loop.sleep(1_000);
  assertEquals(rig.end.take("reconnectState"), []);
  rig.channel.advanceBy(1_000);
  network(rig, "offline");
  rig.channel.advanceBy(1_000);
  network(rig, "online");
  assertEquals(rig.end.take("reconnect").map(({ delayMs }) => delayMs), [56_000]);
  rig.channel.advanceBy(55_999);
  assertEquals([rig.handler.state, triesAt(rig)], ["waiting", []]);
  rig.channel.advanceBy(1);
  assertEquals([rig.handler.state, triesAt(rig)], ["up", [60_000]]);
});

Deno.test("ReconnectHandler comes back at once when it was away or asleep for longer than the server wanted", () => {
  const offline = connected();
  goAway(offline, 60_000);
  network(offline, "offline");
  offline.channel.loseLink("remoteClosed");
  offline.channel.advanceBy(60_000);
  assertEquals(triesAt(offline), []);
  network(offline, "online");
  assertEquals(triesAt(offline), [60_000]);

  const asleep = connected();
  goAway(asleep, 60_000);
  asleep.channel.loseLink("remoteClosed");
  asleep.loop.sleep(3_600_000);
  assertEquals(triesAt(asleep), [3_600_000]);
});

Deno.test("ReconnectHandler ends a try for which the server has no time, when the network is another one", () => {
  const rig = connected();
  rig.server.is = "silent";
  rig.channel.loseLink();
  rig.channel.advanceBy(800);
  const { atMs, signal } = rig.tries[0]!;
  goAway(rig, 5_000);
  assertEquals([rig.handler.state, signal.aborted], ["connecting", false]);
  rig.server.is = "up";
  network(rig, "changed");
  assertEquals([rig.handler.state, signal.aborted], ["waiting", true]);
  rig.channel.advanceBy(5_000);
  assertEquals(triesAt(rig), [atMs, 5_800]);
});

Deno.test("ReconnectHandler takes the server's last word, also while it waits", () => {
  const rig = connected();
  goAway(rig, 60_000);
  rig.channel.advanceBy(1_000);
  goAway(rig, 20_000);
  rig.channel.loseLink("remoteClosed");
  rig.end.events.length = 0;
  goAway(rig, 5_000);
  const told = rig.end.events.filter(({ type }) => type !== "goAway");
  assertEquals(told, [{ type: "reconnect", attempt: 1, delayMs: 5_000 }] as typeof told);
  rig.channel.advanceBy(60_000);
  assertEquals([triesAt(rig), rig.loop.pendingTimers], [[6_000], 0]);
});

Deno.test("ReconnectHandler waits with the first connect as well", () => {
  const rig = reconnecting();
  goAway(rig, 3_000);
  rig.channel.connect("embedded://peer");
  assertEquals(rig.handler.state, "waiting");
  rig.channel.advanceBy(3_000);
  assertEquals(triesAt(rig), [3_000]);
});

Deno.test("ReconnectHandler keeps the server's time over messages that still come on the old link", () => {
  const rig = connected();
  goAway(rig, 30_000);
  rig.channel.writeInbound("the last one");
  prove(rig);
  rig.channel.loseLink("remoteClosed");
  rig.channel.advanceBy(30_000);
  assertEquals(triesAt(rig), [30_000]);
});

Deno.test("ReconnectHandler forgets the server's time once a later link proved valid", () => {
  const lost = (isProven: boolean) => {
    const rig = connected();
    goAway(rig, 30_000);
    rig.channel.loseLink("remoteClosed");
    rig.channel.reopen(); // a link that came about outside
    if (isProven) rig.channel.writeInbound("hello");
    rig.channel.loseLink();
    rig.channel.advanceBy(30_000);
    return triesAt(rig)[0]!;
  };
  assertLess(lost(true), 800);
  assertEquals(lost(false), 30_000);
});

Deno.test("ReconnectHandler goes on with its own backoff after the server's time, as in a new outage", () => {
  const rig = connected();
  rig.server.is = "down";
  goAway(rig, 300_000);
  rig.channel.loseLink("remoteClosed");
  rig.channel.advanceBy(300_000 + 60_000);
  const [first, ...later] = triesAt(rig);
  assertEquals(first, 300_000);
  // Up to 5 s, as within the first two minutes of an outage.
  assertGreater(later.length, 12);
  assert(later.every((atMs, i) => atMs - (later[i - 1] ?? 300_000) <= 5_000));
});

Deno.test("ReconnectHandler bounds what a server may ask for, and does not come at one moment with others then", () => {
  const delays: number[] = [];
  for (let seed = 1; seed <= 200; seed++) {
    const rig = connected({ seed });
    goAway(rig, seed % 2 === 0 ? 13_000_000 : Infinity);
    rig.channel.loseLink("remoteClosed");
    rig.channel.advanceBy(600_000);
    delays.push(...triesAt(rig));
  }
  assertEquals(delays.length, 200);
  assertGreaterOrEqual(Math.min(...delays), 300_000);
  assertLess(Math.min(...delays), 310_000);
  assertGreater(Math.max(...delays), 590_000);

  const deaf = connected({ maxServerDelayMs: 0 });
  goAway(deaf, 60_000);
  deaf.channel.loseLink("remoteClosed");
  deaf.channel.advanceBy(800);
  assert(deaf.channel.isActive);
});
