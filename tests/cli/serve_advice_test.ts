import { assertEquals, assertMatch } from "@std/assert";
import { peerNetworkOf } from "../../handlers/_peer_address.ts";
import { textHash } from "../../handlers/_text_hash.ts";
import { FileIntervalStore } from "../../handlers/stores/file.ts";
import { RedisIntervalStore } from "../../handlers/stores/redis.ts";
import { Heartbeat, type IntervalRecord, messagePackFormat } from "../../mod.ts";
import { hasRedis, RedisServer } from "../handlers/stores/_redis_server.ts";
import { Command } from "./_command.ts";

/** An address of this machine that others would see: of the loopback's nothing is learned. */
const address = Deno.networkInterfaces().find(({ family, address }) =>
  family === "IPv4" && !address.startsWith("127.")
)?.address;

const record: IntervalRecord = {
  strategy: "advice",
  intervalMs: 298_500,
  loMs: 298_500,
  hiMs: null,
  isSettled: false,
  atMs: Date.now(),
  direction: "push",
  confirmations: 0,
};
const ping = messagePackFormat().encode(new Heartbeat("ping", { timeMs: 60_000, sequence: 1 })) as Uint8Array;

/** The kinds and times of what a client of this machine hears after its first ping, in so many heartbeats. */
async function heard(count: number, ...args: string[]): Promise<[string, number][]> {
  await using server = new Command("serve", "--listen", `tcp://${address}:0`, ...args);
  const [, port] = /listening on tcp:\/\/.*:(\d+)$/.exec(await server.line())!;
  using client = await Deno.connect({ hostname: address!, port: Number(port) });
  await client.write(Uint8Array.of(ping.length, ...ping));
  const bytes = new Uint8Array(10 * count);
  for (let at = 0; at < bytes.length;) at += (await client.read(bytes.subarray(at)))!;
  const told = Array.from({ length: count }, (_, i): [string, number] => {
    const { kind, timeMs } = messagePackFormat().decode(bytes.subarray(10 * i + 1, 10 * i + 10))!;
    return [kind, timeMs];
  });
  assertEquals(await server.end("SIGTERM"), 0);
  return told.sort();
}

Deno.test({
  name: "longlink serve --advise tells what is in its folder, and nothing without",
  ignore: address === undefined,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const key = `advice-${textHash(peerNetworkOf(`tcp://${address}:1`)!)}`;
    await new FileIntervalStore({ path: `${folder}/advice.json` }).set(key, record);
    assertEquals(await heard(3, "--store", folder, "--advise", "--drain", "0"), [
      ["advice", 298_500],
      ["hello", 7_500_000],
      ["pong", 0],
    ]);
    assertEquals(await heard(2, "--store", folder, "--drain", "0"), [["hello", 7_500_000], ["pong", 0]]);
    assertMatch(await Deno.readTextFile(`${folder}/advice.json`), new RegExp(key));
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "longlink serve --advise tells what is in the Redis that servers share",
  ignore: address === undefined || !hasRedis,
  fn: async () => {
    await using redis = await RedisServer.start({ appendonly: "no" });
    await using store = new RedisIntervalStore({ redis: redis.url });
    await store.set(`advice-${textHash(peerNetworkOf(`tcp://${address}:1`)!)}`, record);
    assertEquals(await heard(3, "--store", redis.url, "--advise", "--drain", "0"), [
      ["advice", 298_500],
      ["hello", 7_500_000],
      ["pong", 0],
    ]);
  },
});
