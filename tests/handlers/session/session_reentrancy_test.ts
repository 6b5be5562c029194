import { assertEquals } from "@std/assert";
import type { Channel } from "@longlink/pipeline";
import { type Application, NOTHING, Pair, type PairOptions } from "./_pair.ts";

/** What an application may do at any moment. */
const ACTS: Record<string, (channel: Channel) => void> = {
  write: (channel) => channel.writeAndFlush("more").onSettled(() => {}),
  drop: (channel) => channel.drop("error"),
  close: (channel) => channel.close().onSettled(() => {}),
  "write and drop": (channel) => {
    channel.writeAndFlush("more").onSettled(() => {});
    channel.drop("error");
  },
  "write and close": (channel) => {
    channel.writeAndFlush("more").onSettled(() => {});
    channel.close().onSettled(() => {});
  },
};

/** When: each application does it once, the n-th time that it comes to that. */
const MOMENTS: Record<string, (act: (channel: Channel) => void) => Application> = {
  channelActive: (act) => ({ active: act }),
  channelInactive: (act) => ({ inactive: act }),
  channelRead: (act) => ({ read: (_message, channel) => act(channel) }),
  linkDown: (act) => ({ event: ({ type }, channel) => type === "linkDown" && act(channel) }),
  linkUp: (act) => ({ event: ({ type }, channel) => type === "linkUp" && act(channel) }),
  sessionLost: (act) => ({ event: ({ type }, channel) => type === "sessionLost" && act(channel) }),
};

function nth(n: number, act: (channel: Channel) => void): (channel: Channel) => void {
  let count = 0;
  return (channel) => {
    if (++count === n) act(channel);
  };
}

function isInOrder(numbers: readonly unknown[]): boolean {
  const own = numbers.filter((number) => number !== undefined) as number[];
  return own.every((number, i) => i === 0 || number > own[i - 1]!);
}

for (const [moment, application] of Object.entries(MOMENTS)) {
  Deno.test(`a session bears whatever its application does in ${moment}`, async () => {
    for (const [what, act] of Object.entries(ACTS)) {
      for (const side of ["client", "server"] as const) {
        for (const n of [1, 2, 3]) {
          const app = application(nth(n, act));
          const options: PairOptions = side === "client" ? { clientApp: app } : { serverApp: app };
          const pair = await new Pair({
            ...options,
            session: { writes: "acknowledged" },
            registry: { retentionMs: 30_000, ...(n === 2 ? { writes: "acknowledged" } : {}) },
          }).start(1_500);
          for (let i = 0; i < 3; i++) {
            pair.say(3 * i, 3 * i + 1);
            pair.push(3 * i, 3 * i + 1);
            await pair.advance(15);
            pair.breakLink();
            pair.say(3 * i + 2);
            pair.push(3 * i + 2);
            await pair.advance(3_000);
            if (i === 1 && moment === "sessionLost") pair.registry.end(pair.handler?.sessionId ?? "");
          }
          await pair.advance(5_000);
          const about = `${what} in ${moment} number ${n} of the ${side}`;
          const { up, down } = pair.heard;
          assertEquals([isInOrder(up), isInOrder(down)], [true, true], `${about}: ${up} ${down}`);
          if (what === "drop" || what === "write" || what === "write and drop") {
            if (moment !== "sessionLost") {
              const all = [0, 1, 2, 3, 4, 5, 6, 7, 8];
              assertEquals(up.filter((x) => x !== undefined), all, about);
              assertEquals(down.filter((x) => x !== undefined), all, about);
            }
          }
          await pair.end();
          await pair.advance(40_000);
          assertEquals(pair.leftBehind(), NOTHING, about);
        }
      }
    }
  });
}

Deno.test("a session bears a listener of a write that drops or closes as the resume tells of it", async () => {
  for (const what of ["drop", "close"]) {
    for (const side of ["client", "server"] as const) {
      const pair = await new Pair({
        session: { writes: "acknowledged" },
        registry: { writes: "acknowledged" },
      })
        .start(1_500);
      const channel = side === "client" ? pair.channel : pair.serverChannel;
      const other = side === "client" ? pair.serverChannel : pair.channel;
      let settled = 0;
      channel.writeAndFlush(side === "client" ? { up: 1 } : { down: 1 }).onSettled(() => {
        settled++;
        ACTS[what]!(channel);
      });
      await pair.advance(12);
      pair.breakLink();
      await pair.advance(5_000);
      assertEquals(settled, 1);
      if (what === "drop") {
        channel.writeAndFlush(side === "client" ? { up: 2 } : { down: 2 }).onSettled(() => {});
        other.writeAndFlush(side === "client" ? { down: 2 } : { up: 2 }).onSettled(() => {});
        await pair.advance(1_000);
        assertEquals(pair.heard, side === "client" ? { up: [1, 2], down: [2] } : { up: [2], down: [1, 2] });
      }
      await pair.end();
      await pair.advance(700_000);
      assertEquals(pair.leftBehind(), NOTHING, `${what} ${side}`);
    }
  }
});
