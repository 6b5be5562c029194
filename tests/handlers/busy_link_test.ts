import { assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { AdaptiveIntervalHandler, fixedInterval, keepAlive } from "../../handlers/mod.ts";
import { linkedChannel } from "../pipeline/_manual_channel.ts";
import { Collector } from "./_rig.ts";
import { SlowWire, type SlowWireOptions } from "./_slow_wire.ts";

const LARGE = 5_000_000;

/** A client on a slow line. */
function slowClient(
  { intervalMs = 10_000, ...options }: Partial<SlowWireOptions> & { intervalMs?: number } = {},
) {
  const end = new Collector();
  const received: Uint8Array[] = [];
  const { channel, loop, link } = linkedChannel([
    ...keepAlive({
      strategy: fixedInterval(intervalMs),
      warmUpIntervalMs: intervalMs,
      maxFrameBytes: 2 * LARGE,
      codec: null,
      reconnect: null,
    }),
    { channelRead: (_context, message) => void received.push(message as Uint8Array) },
    end,
  ]);
  const wire = new SlowWire(loop, link, { bytesPerS: 50_000, bufferBytes: 65_536, ...options });
  loop.advanceBy(5_000);
  const handler = channel.pipeline.get(AdaptiveIntervalHandler)!;
  const answered = () => end.events.filter(({ outcome }) => outcome === "answered").length;
  return { channel, loop, wire, end, received, handler, answered };
}

type SlowClient = ReturnType<typeof slowClient>;

const DIRECTIONS: Readonly<Record<string, (client: SlowClient) => void>> = {
  receiving: ({ wire }) => wire.send(new Uint8Array(LARGE)),
  sending: ({ channel }) => void channel.writeAndFlush(new Uint8Array(LARGE)).onSettled(() => {}),
};

/** What may make somebody ask in the middle of it. */
const QUESTIONS: Readonly<Record<string, (client: SlowClient) => void>> = {
  "nobody asks": () => {},
  "a session asks": ({ handler }) => handler.ask({ unanswered: 1 }),
  "the network is back": ({ channel }) =>
    channel.pipeline.fireUserEventTriggered({ type: "network", state: "online" }),
  "the application is shown": ({ channel }) =>
    channel.pipeline.fireUserEventTriggered({ type: "appState", state: "foreground" }),
};

for (const [direction, begin] of Object.entries(DIRECTIONS)) {
  for (const [question, ask] of Object.entries(QUESTIONS)) {
    Deno.test(`AdaptiveIntervalHandler keeps a link that is busy ${direction} 5 MB at 50 kB/s while ${question}`, () => {
      for (const beginMs of [0, 1_000, 7_000]) {
        const client = slowClient();
        const { loop, channel, end, answered, handler } = client;
        begin(client);
        loop.advanceBy(beginMs);
        const before = answered();
        ask(client);
        loop.advanceBy(200_000 - beginMs);
        assertEquals([channel.isActive, end.errors], [true, []]);
        // The answers come in the end, and then it goes on as ever.
        assertGreater(answered(), before + 5);
        assertEquals(handler.snapshot()!.strayPongs, 0);
      }
    });
  }

  Deno.test(`AdaptiveIntervalHandler knows that a link died in the middle of ${direction} 5 MB`, () => {
    for (const question of Object.keys(QUESTIONS)) {
      const client = slowClient();
      const { loop, channel, wire, end } = client;
      begin(client);
      loop.advanceBy(30_000);
      wire.isDead = true;
      const diedMs = loop.now();
      QUESTIONS[question]!(client);
      loop.advanceBy(1);
      while (channel.isActive) {
        loop.advanceBy(10);
        assertLess(loop.now() - diedMs, 30_000, question);
      }
      // A beat every 10 s at the latest, and at most 8.2 s after it, or after the last sign of life during it.
      assertLessOrEqual(loop.now() - diedMs, 20_000, question);
      assertEquals(end.events.at(-1), { type: "linkDown", reason: "unanswered" });
    }
  });
}

Deno.test("AdaptiveIntervalHandler keeps a link on which a large message leaves at 10 kB/s", () => {
  const client = slowClient({ bytesPerS: 10_000 });
  DIRECTIONS.sending!(client);
  client.loop.advanceBy(550_000);
  assertEquals([client.channel.isActive, client.end.errors], [true, []]);
});

Deno.test("AdaptiveIntervalHandler knows soon that a busy link is gone since the network changed", () => {
  for (const [direction, knownMs] of [["receiving", 3_000], ["sending", 8_300]] as const) {
    const client = slowClient();
    DIRECTIONS[direction]!(client);
    client.loop.advanceBy(20_000);
    client.wire.isDead = true;
    // As long as it may take to see the last progress.
    client.loop.advanceBy(1_500);
    QUESTIONS["the network is back"]!(client);
    client.loop.advanceBy(knownMs);
    assertEquals(client.channel.isActive, false, direction);
  }
});

Deno.test("AdaptiveIntervalHandler is in no hurry while anything is leaving that the system has no room for", () => {
  const client = slowClient({ bytesPerS: 5_000, bufferBytes: 8_192, partBytes: 16_384, intervalMs: 60_000 });
  client.channel.writeAndFlush(new Uint8Array(60_000)).onSettled(() => {});
  client.loop.advanceBy(100);
  QUESTIONS["the application is shown"]!(client);
  client.loop.advanceBy(20_000);
  assertEquals([client.channel.isActive, client.answered()], [true, 2]);
});

Deno.test("AdaptiveIntervalHandler is in no hurry just after a large message either, and in a hurry later", () => {
  for (const [afterMs, isHurried] of [[10, false], [7_000, false], [11_000, true]] as const) {
    const client = slowClient({ bytesPerS: 1e6, bufferBytes: 1e6, intervalMs: 60_000 });
    DIRECTIONS.sending!(client);
    while (client.channel.pendingBytes > 0) client.loop.advanceBy(10);
    client.wire.isDead = true;
    client.loop.advanceBy(afterMs);
    const { isActive } = client.channel;
    QUESTIONS["the application is shown"]!(client);
    client.loop.advanceBy(3_000);
    assertEquals([isActive, client.channel.isActive], [true, !isHurried], `${afterMs} ms after it`);
  }
});

Deno.test("AdaptiveIntervalHandler is in a hurry on waking, whatever is leaving", () => {
  const client = slowClient();
  DIRECTIONS.sending!(client);
  client.loop.advanceBy(20_000);
  client.wire.isDead = true;
  client.loop.sleep(3_600_000);
  client.loop.advanceBy(3_000);
  assertEquals(client.channel.isActive, false);
});

Deno.test("AdaptiveIntervalHandler takes what was behind a large message for no round trip", () => {
  for (const begin of Object.values(DIRECTIONS)) {
    const client = slowClient();
    const before = client.handler.snapshot()!.roundTripMs;
    begin(client);
    client.loop.advanceBy(150_000);
    assertLess(client.handler.snapshot()!.roundTripMs!, before! + 100);
  }
});
