import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { type ChannelHandler, ChannelPromise, keepAlive } from "../../../mod.ts";
import { FAULT_KINDS, type FaultKind } from "./fault_kind.ts";
import { help, readOptions } from "./_options.ts";
import { VIRTUAL_PACE } from "./_pace.ts";
import { run, type RunResult } from "./_run.ts";
import { connect, PLAIN, SESSIONS, type SideOptions, type Stack } from "./_stack.ts";
import { VirtualField } from "./_virtual_field.ts";

function chaos(
  seed: number,
  { stack = SESSIONS, faults = [] as readonly FaultKind[], log }: {
    stack?: Stack;
    faults?: readonly FaultKind[];
    log?: (line: string) => void;
  } = {},
): Promise<RunResult> {
  return run({
    seed,
    clients: 3,
    faults,
    stack,
    pace: VIRTUAL_PACE,
    field: (seed, clients, dice) => new VirtualField(seed, clients, dice),
    ...(log && { log }),
  });
}

/** Links that come back, with one more handler before the client's application. */
function withHandler(handler: (options: SideOptions) => ChannelHandler): Stack {
  return {
    ...PLAIN,
    name: "broken",
    client: (options) => connect(options, () => [...keepAlive(), handler(options)]),
  };
}

async function anyOf(seeds: number, options: Parameters<typeof chaos>[1]): Promise<RunResult[]> {
  const found = [];
  for (let seed = 1; seed <= seeds; seed++) found.push(await chaos(seed, options));
  return found;
}

Deno.test("chaos finds nothing wrong where nothing goes wrong", async () => {
  for (const stack of [PLAIN, SESSIONS]) {
    const { sent, delivered, problems, leaks, faults } = await chaos(1, { stack });
    assertEquals([problems, leaks, faults], [[], 0, {}]);
    assertEquals(delivered, sent);
    assertGreater(sent, 10);
  }
});

Deno.test("chaos finds messages that were lost", async () => {
  const results = await anyOf(5, { stack: PLAIN, faults: ["silence"] });
  assert(results.some(({ lost }) => lost > 0));
  for (const { lost, sent, delivered, problems, faults } of results) {
    assertEquals(sent - delivered, lost);
    assertEquals(problems.filter((problem) => problem.endsWith("is lost")).length, lost);
    assertGreater(faults.silence!, 0);
  }
});

Deno.test("chaos finds messages that came twice", async () => {
  const stack = withHandler(() => ({
    write(context, message, promise) {
      context.write(message, promise);
      context.write(message);
    },
  }));
  const { duplicated, lost, reordered } = await chaos(1, { stack });
  assertGreater(duplicated, 5);
  assertEquals([lost, reordered], [0, 0]);
});

Deno.test("chaos finds messages that came in another order", async () => {
  const stack = withHandler(() => {
    let held: [unknown, ChannelPromise] | undefined;
    return {
      write(context, message, promise) {
        if (held === undefined) return void (held = [message, promise]);
        context.write(message, promise);
        context.write(...held);
        held = undefined;
      },
    };
  });
  const results = await anyOf(3, { stack });
  assert(results.every(({ reordered, duplicated }) => reordered > 0 && duplicated === 0));
});

Deno.test("chaos finds timers and promises that were left behind", async () => {
  const timer = withHandler(({ loop }) => ({
    handlerRemoved: () => void loop.schedule(3_600_000, () => {}),
  }));
  const timers = await chaos(1, { stack: timer });
  assertEquals(timers.leaks, 4); // one of each client, and their sum in the loop
  assertEquals(timers.lost, 0);
  const promise = withHandler(() => ({
    write: (context, message) => void context.write(message, new ChannelPromise()),
  }));
  const promises = await chaos(1, { stack: promise });
  assertMatch(promises.problems.join("\n"), /^\d+ writes are not settled$/);
  assertEquals([promises.leaks, promises.lost], [1, 0]);
});

Deno.test("chaos finds a client that does not recover", async () => {
  const stack: Stack = {
    ...PLAIN,
    client: (options) =>
      connect(options, () => keepAlive({ reconnect: { firstMs: 60_000, capMs: 60_000, lateCapMs: 60_000 } })),
  };
  const results = await anyOf(5, { stack, faults: ["reset"] });
  assertStringIncludes(
    results.flatMap(({ problems }) => problems).join("\n"),
    "to recover from the kill, above 10",
  );
});

Deno.test("chaos finds errors that nobody took, and goes on", async () => {
  const stack = withHandler(() => ({
    channelRead: () => {
      throw new TypeError("Cannot read: this handler never can");
    },
  }));
  const { problems, lost } = await chaos(1, { stack });
  assertStringIncludes(problems.join("\n"), "client 1: TypeError: Cannot read: this handler never can");
  assertGreater(lost, 0);
});

Deno.test("chaos repeats a run exactly", async () => {
  const runs = [];
  for (let i = 0; i < 2; i++) {
    const log: string[] = [];
    const result = await chaos(77, { faults: FAULT_KINDS, log: (line) => log.push(line) });
    runs.push({ result, log });
  }
  assertGreater(runs[0]!.log.length, 50);
  assertEquals(runs[0], runs[1]);
});

Deno.test("sessions lose nothing, with every kind of fault alone and all together", async () => {
  let seed = 0;
  for (const faults of [...FAULT_KINDS.map((kind) => [kind]), FAULT_KINDS, FAULT_KINDS]) {
    const { problems } = await chaos(++seed, { faults });
    assertEquals(problems, [], `seed ${seed}`);
  }
});

Deno.test("readOptions() reads what `deno task chaos --` passes on", () => {
  const options = readOptions(["--", "--seed", "7", "--runs", "5", "--faults", "reset,cut", "--json"]);
  assert(options !== "help");
  const { seed, runs, faults, json, real, clients, stack } = options;
  assertEquals([seed, runs, faults, json, real, clients], [7, 5, ["reset", "cut"], true, false, 3]);
  assertEquals(stack, SESSIONS);
  assertEquals(readOptions(["--help"]), "help");
  for (const name of [...FAULT_KINDS, "--seed", "--real", "maxRecoveryMs"]) {
    assertStringIncludes(help(), name);
  }
});

Deno.test("readOptions() refuses what makes no sense", () => {
  assertThrows(
    () => readOptions(["--runs", "0"]),
    Error,
    '--runs must be a whole number from 1 to 10000000, not "0"',
  );
  assertThrows(() => readOptions(["--faults", "rain"]), Error, "--faults knows reset, silence,");
  assertThrows(() => readOptions(["--nonsense"]));
});
