import { assert, assertEquals, assertFalse, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { ConnectAttempt } from "../../pipeline/_connect_attempt.ts";
import { ConnectError } from "../../pipeline/errors.ts";
import type { Link, RemoteSource, Transport } from "../../pipeline/transport.ts";
import { VirtualEventLoop } from "../../pipeline/virtual_event_loop.ts";
import { ManualLink, ManualTransport } from "./_manual_transport.ts";
import { turn } from "./_turn.ts";

const ADDRESS = "manual://far";

function attempt(source: RemoteSource, transport: Transport = new ManualTransport()) {
  const loop = new VirtualEventLoop();
  const outcomes: unknown[] = [];
  const attempt = new ConnectAttempt({
    source,
    transport,
    loop,
    timeoutMs: 5_000,
    onLink: (link, remote) => outcomes.push({ link, remote }),
    onFailed: (error) => outcomes.push(error),
  });
  return { attempt, loop, outcomes };
}

Deno.test("ConnectAttempt.start() calls back at once where nothing has to be waited for", () => {
  const sources: RemoteSource[] = [
    ADDRESS,
    { address: ADDRESS },
    () => ADDRESS,
    () => ({ address: ADDRESS }),
  ];
  for (const source of sources) {
    const transport = new ManualTransport();
    const link = new ManualLink();
    transport.ready.push(link);
    const { attempt: made, loop, outcomes } = attempt(source, transport);
    assertEquals(outcomes, []);
    made.start();
    assertEquals(outcomes, [{ link, remote: { address: ADDRESS } }]);
    assertEquals(loop.pendingTimers, 0);
    assertFalse(transport.tries[0]!.signal.aborted);
  }
});

Deno.test("ConnectAttempt passes credentials on untouched, and asks a function once", async () => {
  const transport = new ManualTransport();
  const credentials = { token: "t" };
  let asked = 0;
  const { attempt: made, outcomes } = attempt(() => {
    asked++;
    return Promise.resolve({ address: ADDRESS, credentials });
  }, transport);
  made.start();
  assertEquals(transport.tries.length, 0);
  await turn();
  assertStrictEquals(transport.tries[0]!.remote.credentials, credentials);
  const link = new ManualLink();
  transport.tries[0]!.succeed(link);
  await turn();
  assertEquals(outcomes, [{ link, remote: { address: ADDRESS, credentials } }]);
  assertEquals([asked, link.calls], [1, []]);
});

Deno.test("ConnectAttempt times out exactly then, with the address, and aborts a late link", async () => {
  const transport = new ManualTransport();
  const { attempt: made, loop, outcomes } = attempt(ADDRESS, transport);
  made.start();
  loop.advanceBy(4_999);
  assertEquals(outcomes, []);
  loop.advanceBy(1);
  const [error] = outcomes;
  assertInstanceOf(error, ConnectError);
  assertEquals([error.address, error.message], [
    ADDRESS,
    `Cannot connect to ${ADDRESS}: timed out after 5000 ms`,
  ]);
  const { signal, succeed } = transport.tries[0]!;
  assert(signal.aborted);
  assertStrictEquals(signal.reason, error);
  const late = new ManualLink();
  succeed(late);
  await turn();
  assertEquals([late.calls, outcomes.length], [["open", "abort"], 1]);
});

Deno.test("ConnectAttempt counts the time its source takes, and does not dial after that", async () => {
  const transport = new ManualTransport();
  const { promise, resolve } = Promise.withResolvers<string>();
  let given: AbortSignal | undefined;
  const { attempt: made, loop, outcomes } = attempt(({ signal }) => {
    given = signal;
    return promise;
  }, transport);
  made.start();
  loop.advanceBy(5_000);
  assertEquals((outcomes[0] as Error).message, "Cannot connect to the remote: timed out after 5000 ms");
  assert(given!.aborted);
  resolve(ADDRESS);
  await turn();
  assertEquals([transport.tries, outcomes.length], [[], 1]);
});

Deno.test("ConnectAttempt fails with what its source throws or rejects with", async () => {
  const cause = new TypeError("fetch failed");
  const sources: RemoteSource[] = [
    () => {
      throw cause;
    },
    () => Promise.reject(cause),
  ];
  for (const source of sources) {
    const { attempt: made, loop, outcomes } = attempt(source);
    made.start();
    await turn();
    const [error] = outcomes;
    // No TypeError, which would mean an address that is wrong for good.
    assertInstanceOf(error, ConnectError);
    assertStrictEquals(error.cause, cause);
    assertEquals([outcomes.length, loop.pendingTimers], [1, 0]);
  }
});

Deno.test("ConnectAttempt fails with what its transport throws or rejects with", async () => {
  const wrong = new TypeError("Cannot parse the address");
  const refused = new ConnectError(ADDRESS, "connection refused");
  const cases: [() => Promise<Link>, Error][] = [
    [() => {
      throw wrong;
    }, wrong],
    [() => Promise.reject(refused), refused],
  ];
  for (const [connect, error] of cases) {
    const { attempt: made, loop, outcomes } = attempt(ADDRESS, {
      name: "failing",
      keepsMessages: false,
      connect,
    });
    made.start();
    await turn();
    assertEquals(outcomes.length, 1);
    assertStrictEquals(outcomes[0], error);
    assertEquals(loop.pendingTimers, 0);
  }
});

Deno.test("ConnectAttempt takes a TypeError that comes later for no wrong address", async () => {
  const cause = new TypeError("fetch failed");
  const connect = () => Promise.reject(cause);
  const { attempt: made, outcomes } = attempt(ADDRESS, { name: "failing", keepsMessages: false, connect });
  made.start();
  await turn();
  const [error] = outcomes;
  assertInstanceOf(error, ConnectError);
  assertEquals([error.message, error.cause], [`Cannot connect to ${ADDRESS}: fetch failed`, cause]);
});

Deno.test("ConnectAttempt fails on a source that gives no address", async () => {
  const wrong = [undefined, null] as unknown as RemoteSource[];
  for (const source of [...wrong, ...wrong.map((value) => () => value as unknown as string)]) {
    const { attempt: made, loop, outcomes } = attempt(source);
    made.start();
    await turn();
    assertEquals([outcomes.length, outcomes[0] instanceof Error, loop.pendingTimers], [1, true, 0]);
  }
});

Deno.test("ConnectAttempt.fail() gives up once, and ignores what comes later", async () => {
  const transport = new ManualTransport();
  const { attempt: made, loop, outcomes } = attempt(ADDRESS, transport);
  made.start();
  const error = new Error("closed");
  made.fail(error);
  made.fail(new Error("again"));
  transport.tries[0]!.fail(new Error("late"));
  await turn();
  assertEquals(outcomes, [error]);
  assertEquals([loop.pendingTimers, transport.tries[0]!.signal.reason], [0, error]);
});

Deno.test("ConnectAttempt.fail() before it started leaves nothing to start", () => {
  const transport = new ManualTransport();
  const { attempt: made, loop, outcomes } = attempt(ADDRESS, transport);
  made.fail(new Error("closed"));
  made.start();
  assertEquals([transport.tries, outcomes.length, loop.pendingTimers], [[], 1, 0]);
});
