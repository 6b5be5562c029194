import { assert, assertEquals } from "@std/assert";
import { MemorySessionStore, type SessionPosition } from "@longlink/pipeline";
import fc from "fast-check";
import type { ProcessLoop } from "../../lab/faults/process_loop.ts";
import { NOTHING, Pair } from "./_pair.ts";
import { SlowStore } from "./_stores.ts";

type Step =
  | { readonly kind: "say" | "push"; readonly count: number }
  | { readonly kind: "advance"; readonly ms: number }
  | { readonly kind: "break" | "halfOpen" | "silence" | "killServer" | "killClient" | "wake" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("say" as const), count: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("push" as const), count: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("advance" as const),
      ms: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 40, max: 2_500 })),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom("break", "halfOpen", "silence", "killServer", "killClient", "wake"),
    }),
  },
);

/** What one direction is to bring: the numbers in order, of which some may be missing. */
interface Expected {
  readonly sent: number[];
  /** Written by a process that died before its store had them, or may not have. */
  readonly doubtful: Set<number>;
}

/** The messages that an application has done something about, for one that remembers where it was. */
class Committed {
  readonly done: number[] = [];
  #last = 0;

  /** A store that is slow knows of a message later than the application: it may come again after a crash. */
  take({ sequence }: SessionPosition, number: number): void {
    if (sequence <= this.#last) return;
    this.#last = sequence;
    this.done.push(number);
  }
}

function check(expected: Expected, done: readonly number[], about: string): void {
  const { sent, doubtful } = expected;
  assertEquals(done, sent.filter((number) => !doubtful.has(number) || done.includes(number)), about);
}

interface World {
  readonly clientStoreMs: number;
  readonly serverStoreMs: number;
  readonly latencyMs: number;
  readonly handlerMs: number;
  readonly steps: readonly Step[];
}

async function run({ clientStoreMs, serverStoreMs, latencyMs, handlerMs, steps }: World): Promise<void> {
  const [clientKept, serverKept] = [new MemorySessionStore(), new MemorySessionStore()];
  const store = (kept: MemorySessionStore, ms: number) => (loop: ProcessLoop) =>
    ms === 0 ? kept : new SlowStore(kept, loop, ms);
  const [atServer, atClient] = [new Committed(), new Committed()];
  const handle = (loop: () => ProcessLoop) =>
    handlerMs === 0 ? undefined : new Promise<void>((resolve) => loop().schedule(handlerMs, resolve));
  const pair: Pair = new Pair({
    clientStore: store(clientKept, clientStoreMs),
    serverStore: store(serverKept, serverStoreMs),
    serverApp: {
      read: (message) => {
        atServer.take(pair.responder.receiving!, (message as { up: number }).up);
        return handle(() => pair.serverLoop);
      },
    },
    clientApp: {
      read: (message) => {
        atClient.take(pair.handler.receiving!, (message as { down: number }).down);
        return handle(() => pair.clientLoop);
      },
    },
  });
  pair.path.conditions = { latencyMs, jitterMs: latencyMs, bytesPerSecond: Infinity };
  await pair.start(2_000);
  const id = pair.handler.sessionId!;
  const up: Expected = { sent: [], doubtful: new Set() };
  const down: Expected = { sent: [], doubtful: new Set() };
  /** Those that this process has written. */
  let [said, pushed]: [number[], number[]] = [[], []];
  for (const step of steps) {
    switch (step.kind) {
      case "say":
        for (let i = 0; i < step.count; i++) {
          up.sent.push(up.sent.length);
          said.push(up.sent.length - 1);
          pair.say(up.sent.length - 1);
        }
        break;
      case "push":
        for (let i = 0; i < step.count && pair.registry.find(id) !== undefined; i++) {
          down.sent.push(down.sent.length);
          pushed.push(down.sent.length - 1);
          pair.registry.find(id)!.writeAndFlush({ down: down.sent.length - 1 }).onSettled(() => {});
        }
        break;
      case "advance":
        await pair.advance(step.ms);
        break;
      case "break":
        pair.breakLink();
        break;
      case "halfOpen":
        pair.path.links.at(-1)?.halfOpen(up.sent.length % 2 ? "client" : "server");
        break;
      case "silence":
        pair.path.links.at(-1)?.silence(up.sent.length % 2 ? "both" : "toClient");
        break;
      case "wake":
        pair.channel.pipeline.fireUserEventTriggered({ type: "network", state: "online" });
        break;
      case "killServer":
        pair.killServer();
        if (serverStoreMs > 0) { for (const number of pushed) down.doubtful.add(number); }
        pushed = [];
        await pair.startServer();
        break;
      case "killClient":
        pair.killClient();
        if (clientStoreMs > 0) { for (const number of said) up.doubtful.add(number); }
        said = [];
        pair.startClient();
        break;
    }
  }
  // Or one that died silently would be noticed with the next heartbeat only.
  pair.breakLink();
  await pair.advance(60_000);
  check(up, atServer.done, "client to server");
  check(down, atClient.done, "server to client");
  if (clientStoreMs + serverStoreMs + handlerMs === 0) {
    assertEquals(pair.heard, { up: up.sent, down: down.sent });
  }
  const { events } = pair.client;
  assertEquals([...events, ...pair.server.events].filter((event) => event.startsWith("lost")), []);
  assertEquals([pair.handler.unacknowledged, pair.registry.find(id)!.isActive], [0, true]);
  assertEquals([pair.client.errors, pair.server.errors], [[], []]);
  assert(pair.registry.size === 1 && pair.registry.retainedBytes === 0);
  await Promise.all([pair.handler.end(), pair.advance(5_000)]);
  assertEquals([clientKept.size, serverKept.size], [0, 0]);
  assertEquals(await pair.end(20_000), NOTHING);
}

Deno.test("a session brings everything once and in order, whatever happens to links and processes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        clientStoreMs: fc.constantFrom(0, 0, 3, 60),
        serverStoreMs: fc.constantFrom(0, 0, 3, 60),
        latencyMs: fc.constantFrom(1, 10, 80),
        handlerMs: fc.constantFrom(0, 0, 30, 700),
        steps: fc.array(step, { maxLength: 30 }),
      }),
      run,
    ),
    { seed: 20_261_125, numRuns: Number(Deno.env.get("SESSION_RUNS") ?? 150) },
  );
});
