import { assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { connected, network, reconnecting } from "./_reconnect_rig.ts";

/** How long each try lasted in an outage in which nobody answers, ms. */
function triesIn(rig: ReturnType<typeof connected>, outageMs: number): number[] {
  const { server, channel, tries, loop } = rig;
  const lengths: number[] = [];
  server.is = "silent";
  if (channel.isActive) channel.loseLink();
  const endMs = loop.now() + outageMs;
  let seen = tries.length;
  while (loop.now() < endMs) {
    channel.advanceBy(10);
    for (; seen < tries.length; seen++) {
      const { atMs, signal } = tries[seen]!;
      signal.addEventListener("abort", () => lengths.push(loop.now() - atMs));
    }
  }
  return lengths;
}

Deno.test("ReconnectHandler gives up a try early that nobody answers, and lets each fourth one take its time", () => {
  const rig = connected();
  const lengths = triesIn(rig, 100_000);
  assertEquals(lengths.slice(0, 8), [4_000, 4_000, 4_000, 10_000, 4_000, 4_000, 4_000, 10_000]);
});

Deno.test("ReconnectHandler waits longer for an answer where the round trip is long", () => {
  const rig = connected();
  rig.channel.pipeline.fireUserEventTriggered({ type: "linkValid", roundTripMs: 2_000 });
  assertEquals(triesIn(rig, 30_000).slice(0, 2), [8_000, 8_000]);
});

Deno.test("ReconnectHandler gives a try all of the connect timeout before a first link, and in a long outage", () => {
  const first = reconnecting({ connectTimeoutMs: 10_000 });
  first.server.is = "silent";
  first.channel.connect("embedded://peer").onSettled(() => {});
  first.channel.advanceBy(9_999);
  assertEquals([first.handler.state, first.tries.length], ["connecting", 1]);
  const late = connected();
  triesIn(late, 125_000);
  assertEquals(triesIn(late, 200_000).slice(1).every((ms) => ms === 10_000), true);
});

Deno.test("ReconnectHandler is back within 5 s of the end of an outage, where SYNs are repeated after 1, 3 and 7 s", () => {
  const SYNS_MS = [0, 1_000, 3_000, 7_000];
  const waits: number[] = [];
  for (let seed = 1; seed <= 200; seed++) {
    const rig = connected({ seed });
    triesIn(rig, 80_000);
    const healMs = rig.loop.now();
    triesIn(rig, 20_000);
    const syns = rig.tries.flatMap(({ atMs }, i) =>
      SYNS_MS.map((ms) => atMs + ms).filter((ms) => ms < (rig.tries[i + 1]?.atMs ?? Infinity))
    );
    waits.push(Math.min(...syns.filter((ms) => ms >= healMs)) - healMs);
  }
  waits.sort((a, b) => a - b);
  assertLess(waits[100]!, 1_500);
  assertLessOrEqual(waits.at(-1)!, 5_000);
});

Deno.test("ReconnectHandler leaves no timer of a try behind", async () => {
  for (const end of ["close", "offline", "link"] as const) {
    const rig = connected();
    rig.server.is = "silent";
    rig.channel.loseLink();
    rig.channel.advanceBy(800);
    assertEquals(rig.handler.state, "connecting");
    if (end === "close") await rig.channel.close();
    else if (end === "offline") network(rig, "offline");
    else {
      rig.server.is = "up";
      network(rig, "changed");
      await rig.channel.advanceByAsync(0);
    }
    assertEquals(rig.loop.pendingTimers, 0, end);
  }
});
