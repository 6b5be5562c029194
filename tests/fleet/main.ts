/**
 * `deno task test:fleet`: two `longlink serve` processes that share a Redis,
 * behind HAProxy, and a client that is moved between them in every way there
 * is. Counts each message in both directions.
 */

import { hasRedis, RedisServer } from "../handlers/stores/_redis_server.ts";
import { type Account, downward, EMPTY, sum, upward } from "./_account.ts";
import { Balancer, hasBalancer } from "./_balancer.ts";
import { FleetProcess } from "./_process.ts";

if (!hasRedis || !hasBalancer) {
  console.log(`skipped: ${hasRedis ? "" : "redis-server "}${hasBalancer ? "" : "haproxy "}not installed`);
  Deno.exit(0);
}

const SETTLE_MS = 1_500;
/** The client's reconnects, and a server that is asked to come back later. */
const MOVE_WITHIN_MS = 20_000;

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

const [port, a, b] = [freePort(), freePort(), freePort()];
const ports: Readonly<Record<string, number>> = { a, b };
await using redis = await RedisServer.start();
await using balancer = await Balancer.start(port, ports);

/** All that ever ran, for the account. */
const servers: FleetProcess[] = [];
const running: Record<string, FleetProcess> = {};

async function start(name: string): Promise<void> {
  const server = new FleetProcess(`server ${name}`, [
    ...["serve", "--listen", `tcp://127.0.0.1:${ports[name]}`, "--store", redis.url, "--json"],
    ...["--push-every", "0.1", "--retention", "40", "--drain", "5"],
  ]);
  servers.push(server);
  running[name] = server;
  await server.until("listening", () => server.errors.some((line) => line.startsWith("listening")), 20_000);
}

await Promise.all([start("a"), start("b")]);
const client = new FleetProcess("client", [
  ...["connect", `tcp://127.0.0.1:${port}`, "--send-every", "0.1", "--strategy", "fixed", "--json"],
]);
await client.until("the first push", () => client.of("push").length > 0, 20_000);

/** The server that the client is at, and the other one. */
function home(): [string, string] {
  const lastUp = (name: string) => running[name]!.of("up").at(-1)?.cameMs ?? 0;
  return lastUp("a") > lastUp("b") ? ["a", "b"] : ["b", "a"];
}

/** Does something that moves the client, and waits until it is back and messages flow. */
async function move(what: string, action: (from: string, to: string) => Promise<void>): Promise<void> {
  const [from, to] = home();
  const ups = client.of("up").length;
  const startMs = performance.now();
  await action(from, to);
  await client.until(what, () => client.of("up").length > ups, MOVE_WITHIN_MS);
  const tookMs = client.of("up").at(-1)!.cameMs - startMs;
  const pushes = client.of("push").length;
  await client.until(`${what}: a push`, () => client.of("push").length > pushes, MOVE_WITHIN_MS);
  await wait(SETTLE_MS);
  console.log(`${what.padEnd(58)} ${from} -> ${home()[0]}  back after ${(tookMs / 1_000).toFixed(1)} s`);
}

for (let round = 0; round < 2; round++) {
  await move("the balancer takes the server out", async (from) => {
    await balancer.disable(from);
  });
  // Its first home still takes the session for its own.
  await move("and back at once, before its earlier home has noticed", async (from, to) => {
    await balancer.enable(to);
    await balancer.disable(from);
  });
  await Promise.all(["a", "b"].map((name) => balancer.enable(name)));
  await move("kill -9", async (from) => {
    await running[from]!.end("SIGKILL");
  });
  await start(home()[1]);
  await move("drain (SIGTERM)", async (from) => {
    await running[from]!.end("SIGTERM");
    const { code } = await running[from]!.status;
    if (code !== 0) throw new Error(`the server ended with ${code}`);
    await start(from);
  });
}

console.log("Redis is killed, and back after 2 s");
await redis.kill();
await wait(2_000);
await redis.restart();
await wait(3_000);
await move("Redis is killed, the client is moved, Redis is back", async (from) => {
  const fromMs = performance.now();
  await redis.kill();
  await balancer.disable(from);
  await wait(2_000);
  await redis.restart();
  running[from]!.unkept.push({ fromMs, toMs: performance.now() });
});
await Promise.all(["a", "b"].map((name) => balancer.enable(name)));
await move("Redis stands still for 4 s, and the server is killed", async (from) => {
  redis.signal("SIGSTOP");
  running[from]!.unkept.push({ fromMs: performance.now(), toMs: Infinity });
  await wait(1_000);
  await running[from]!.end("SIGKILL");
  await wait(3_000);
  redis.signal("SIGCONT");
});

await wait(3_000);
await client.end("SIGTERM");
await Promise.all(Object.values(running).map((server) => server.end("SIGTERM")));

const up = upward(client, servers);
const down = servers.map((server) => downward(server, client)).reduce(sum, EMPTY);
const sessions = {
  opened: client.of("up").filter(({ reason }) => reason !== "resumed").length,
  lost: client.of("lost").length,
};

function told(what: string, { sent, arrived, lost, doubled, reordered, returned, again }: Account): void {
  console.log(
    `${what}: ${sent} sent, ${arrived} arrived, ${lost.length} lost, ${doubled.length} doubled, ` +
      `${reordered.length} reordered; ${returned.length} back to the sender, or gone with it before Redis had them; ` +
      `${again.length} again, as Redis was gone when the first server handled them`,
  );
}

told("messages", up);
told("pushes", down);
console.log(`sessions: ${sessions.opened} opened, ${sessions.lost} messages never confirmed`);

const wrong = [
  ...[up, down].flatMap(({ lost }) => lost.map((n) => `lost ${n}`)),
  ...[up, down].flatMap(({ doubled }) => doubled.map((n) => `doubled ${n}`)),
  ...[up, down].flatMap(({ reordered }) => reordered.map((n) => `reordered ${n}`)),
  ...(sessions.opened === 1 && sessions.lost === 0 ? [] : ["the session was lost"]),
];
for (const line of wrong) console.error(line);
if (wrong.length > 0) {
  for (const process of [client, ...servers]) {
    for (const line of process.errors) console.error(`${process.name}: ${line}`);
  }
}
console.log(wrong.length === 0 ? "ok" : "FAILED");
Deno.exitCode = wrong.length === 0 ? 0 : 1;
