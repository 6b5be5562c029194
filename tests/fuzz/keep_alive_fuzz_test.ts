import fc from "fast-check";
import { answerKeepAlive, IntervalAdviceHandler, keepAlive, rawFormat } from "../../handlers/mod.ts";
import type { ChannelHandler } from "../../pipeline/mod.ts";
import { anyStream, runPipeline } from "./_pipeline_run.ts";
import { checkSame } from "./_message_pack_values.ts";
import { anyCuts, cut } from "./_wire.ts";

const SHOUTS = rawFormat({ ping: Uint8Array.of(0xc0), pong: Uint8Array.of(0xc2) });

const PIPELINES: Readonly<Record<string, () => ChannelHandler[]>> = {
  "keepAlive()": () => keepAlive(),
  "keepAlive() that does not reconnect": () => keepAlive({ reconnect: null, codec: null, maxFrameBytes: 40 }),
  "keepAlive() with raw heartbeats": () => keepAlive({ format: SHOUTS, reconnect: null }),
  "answerKeepAlive()": () => answerKeepAlive(),
  "answerKeepAlive() without holds or scouts": () =>
    answerKeepAlive({ longestHoldMs: 0, maxScouts: 0, hello: false, codec: null, maxFrameBytes: 40 }),
  "answerKeepAlive() with advice": () =>
    answerKeepAlive({ advice: new IntervalAdviceHandler({ networkOf: () => "here" }) }),
  "answerKeepAlive() with raw heartbeats": () => answerKeepAlive({ format: SHOUTS }),
};

for (const [name, make] of Object.entries(PIPELINES)) {
  Deno.test(`${name} does the same with a stream however it is cut, and fails as it should`, async () => {
    await fc.assert(
      fc.asyncProperty(anyStream, anyCuts, async (stream, cuts) => {
        const [whole, parts] = await Promise.all(
          [[Math.max(1, stream.length)], cuts].map((lengths) =>
            runPipeline(make(), cut(stream, lengths).map((chunk) => ({ chunk, pauseMs: 0 })))
          ),
        );
        checkSame(parts, whole);
      }),
      { seed: 801, numRuns: 150 },
    );
  });

  Deno.test(`${name} fails as it should with whatever comes whenever`, async () => {
    const pauses = fc.array(fc.constantFrom(0, 1, 150, 1_000, 4_000, 30_000, 600_000), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(anyStream, anyCuts, pauses, async (stream, cuts, pauses) => {
        const chunks = cut(stream, cuts.map((length) => 3 * length));
        await runPipeline(make(), chunks.map((chunk, i) => ({ chunk, pauseMs: pauses[i % pauses.length]! })));
      }),
      { seed: 802, numRuns: 100 },
    );
  });
}
