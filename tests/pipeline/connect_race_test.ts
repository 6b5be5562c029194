import { assert, assertEquals, assertFalse, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { ConnectAttempt } from "../../pipeline/_connect_attempt.ts";
import { ConnectError } from "../../pipeline/errors.ts";
import type { RemoteSource } from "../../pipeline/transport.ts";
import { VirtualEventLoop } from "../../pipeline/virtual_event_loop.ts";
import { ManualLink, ManualTransport } from "./_manual_transport.ts";
import { turn } from "./_turn.ts";

const A = "manual://a";
const B = "manual://b";
const C = "manual://c";

/** A try with several remotes that has begun, on a transport that waits for the test. */
function race(source: RemoteSource = [A, B, C], timeoutMs = 5_000) {
  const loop = new VirtualEventLoop();
  const transport = new ManualTransport();
  const outcomes: unknown[] = [];
  const attempt = new ConnectAttempt({
    source,
    transport,
    loop,
    timeoutMs,
    onLink: (link, remote) => outcomes.push({ link, remote }),
    onFailed: (error) => outcomes.push(error),
  });
  attempt.start();
  const tried = () => transport.tries.map(({ remote }) => remote.address);
  const refuse = async (index: number) => {
    const { remote, fail } = transport.tries[index]!;
    fail(new ConnectError(remote.address, "connection refused"));
    await turn();
  };
  return { attempt, loop, transport, tries: transport.tries, outcomes, tried, refuse };
}

Deno.test("ConnectAttempt starts one remote after the other, 250 ms apart", () => {
  const { loop, tried } = race();
  assertEquals(tried(), [A]);
  loop.advanceBy(249);
  assertEquals(tried(), [A]);
  loop.advanceBy(1);
  assertEquals(tried(), [A, B]);
  loop.advanceBy(250);
  assertEquals(tried(), [A, B, C]);
});

Deno.test("ConnectAttempt starts the next remote as soon as the one before has failed", async () => {
  const { loop, tried, refuse } = race();
  loop.advanceBy(100);
  await refuse(0);
  assertEquals(tried(), [A, B]);
  // Which has its 250 ms from then on.
  loop.advanceBy(249);
  assertEquals(tried(), [A, B]);
  loop.advanceBy(1);
  assertEquals(tried(), [A, B, C]);
});

Deno.test("ConnectAttempt leaves the next remote its time when an earlier one fails", async () => {
  const { loop, tried, refuse } = race();
  loop.advanceBy(250);
  await refuse(0);
  assertEquals(tried(), [A, B]);
  loop.advanceBy(250);
  assertEquals(tried(), [A, B, C]);
});

Deno.test("ConnectAttempt takes the first link, aborts the other tries and refuses their links", async () => {
  const { loop, tries, outcomes } = race();
  loop.advanceBy(500);
  const [a, b, c] = tries;
  const link = new ManualLink(), late = new ManualLink();
  b!.succeed(link);
  await turn();
  assertEquals(outcomes, [{ link, remote: { address: B } }]);
  assertEquals([a, b, c].map((each) => each!.signal.aborted), [true, false, true]);
  a!.succeed(late);
  c!.fail(new Error("aborted"));
  await turn();
  assertEquals([late.calls, link.calls, outcomes.length, loop.pendingTimers], [["open", "abort"], [], 1, 0]);
});

Deno.test("ConnectAttempt starts no remote after the one that gave a link at once", () => {
  const { transport, attempt, loop, outcomes } = race(() => new Promise(() => {}));
  attempt.fail(new Error("not this one"));
  outcomes.length = 0;
  transport.ready.push(new ManualLink());
  const second = new ConnectAttempt({
    source: [A, B],
    transport,
    loop,
    timeoutMs: 1_000,
    onLink: (_link, remote) => outcomes.push(remote.address),
    onFailed: (error) => outcomes.push(error),
  });
  second.start();
  assertEquals([outcomes, transport.tries.length, loop.pendingTimers], [[A], 1, 0]);
});

Deno.test("ConnectAttempt fails once all remotes have failed, and names them all", async () => {
  const { loop, outcomes, refuse } = race();
  loop.advanceBy(500);
  await refuse(2);
  await refuse(0);
  assertEquals(outcomes, []);
  await refuse(1);
  const [error, ...more] = outcomes;
  assertInstanceOf(error, ConnectError);
  assertEquals([error.address, more], [`${A}, ${B}, ${C}`, []]);
  assertEquals(error.message, `Cannot connect to ${A}, ${B}, ${C}: none of them could be reached`);
  assertInstanceOf(error.cause, AggregateError);
  assertEquals(error.cause.errors.map(({ address }) => address), [A, B, C]);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("ConnectAttempt bounds all remotes together by its timeout", async () => {
  const { loop, tries, outcomes, refuse } = race([A, B, C], 400);
  await refuse(0);
  loop.advanceBy(400);
  const [error] = outcomes;
  assertInstanceOf(error, ConnectError);
  assertEquals(error.message, `Cannot connect to ${A}, ${B}, ${C}: timed out after 400 ms`);
  assertEquals((error.cause as AggregateError).errors.map(({ message }) => message), [
    `Cannot connect to ${A}: connection refused`,
    `Cannot connect to ${B}: timed out after 400 ms`,
    `Cannot connect to ${C}: timed out after 400 ms`,
  ]);
  assert(tries[1]!.signal.aborted && tries[2]!.signal.aborted);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("ConnectAttempt.fail() aborts all remotes and starts no more", async () => {
  const { attempt, loop, tries, outcomes, tried, refuse } = race();
  loop.advanceBy(250);
  const error = new Error("closed");
  attempt.fail(error);
  assertEquals(tries.map(({ signal }) => signal.reason), [error, error]);
  await refuse(1);
  loop.advanceBy(5_000);
  assertEquals([outcomes, tried().length, loop.pendingTimers], [[error], 2, 0]);
});

Deno.test("ConnectAttempt takes a list of one for that one", async () => {
  const { outcomes, tries, refuse } = race([{ address: A, credentials: "c" }]);
  assertEquals(tries[0]!.remote.credentials, "c");
  await refuse(0);
  assertEquals((outcomes[0] as Error).message, `Cannot connect to ${A}: connection refused`);
});

Deno.test("ConnectAttempt tells a race of each remote that failed, and of none that lost", async () => {
  const failed: string[] = [];
  const onFailed = (address: string) => void failed.push(address);
  const { loop, tries, refuse } = race({ remotes: [`${A}?ticket=1`, B, C], delayMs: 10, onFailed });
  loop.advanceBy(20);
  assertEquals(tries.length, 3);
  await refuse(0);
  tries[1]!.succeed(new ManualLink());
  await turn();
  assertEquals(failed, [`${A}?ticket=1`]);

  const silent = race({ remotes: [A, B], onFailed }, 1_000);
  failed.length = 0;
  silent.loop.advanceBy(1_000);
  assertEquals(failed, [A, B]);
});

Deno.test("ConnectAttempt names no ticket or password in its errors", () => {
  for (
    const remotes of [["manual://me:secret@a/?ticket=secret"], ["manual://me:secret@a/?ticket=secret", B]]
  ) {
    const { loop, outcomes } = race(remotes);
    loop.advanceBy(5_000);
    const error = outcomes[0] as ConnectError;
    assertFalse(`${error.message} ${error.address} ${error.cause}`.includes("secret"));
    assert(error.message.includes("manual://a/"));
  }
});

Deno.test("ConnectAttempt fails for good only where every remote is wrong for good", async () => {
  const wrong = new TypeError("Cannot parse the address");
  const attempts = [[A, B], [A, C]].map((source) => {
    const outcomes: unknown[] = [];
    new ConnectAttempt({
      source,
      transport: {
        name: "picky",
        keepsMessages: false,
        connect: ({ address }) => {
          if (address === C) return Promise.reject(new ConnectError(C, "connection refused"));
          throw wrong;
        },
      },
      loop: new VirtualEventLoop(),
      timeoutMs: 1_000,
      onLink: () => {},
      onFailed: (error) => outcomes.push(error),
    }).start();
    return outcomes;
  });
  await turn();
  const [[bad], [mixed]] = attempts as [[Error], [Error]];
  assertInstanceOf(bad, TypeError);
  assertEquals(bad.message, `Cannot connect to ${A}, ${B}: all of these addresses are wrong`);
  assertStrictEquals((bad.cause as AggregateError).errors[0], wrong);
  assertInstanceOf(mixed, ConnectError);
});

Deno.test("ConnectAttempt fails on a list with nothing in it, or with a delay that makes no sense", async () => {
  const { outcomes: fixed } = race([]);
  assertInstanceOf(fixed[0], TypeError);
  // A directory that knows no server just now is asked again.
  const { outcomes: asked } = race(() => Promise.resolve([]));
  await turn();
  assertInstanceOf(asked[0], ConnectError);
  for (const delayMs of [-1, NaN, Infinity]) {
    const { outcomes, loop } = race({ remotes: [A, B], delayMs });
    assertInstanceOf(outcomes[0], TypeError);
    assertEquals(loop.pendingTimers, 0);
  }
});
