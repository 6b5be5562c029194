import { assertEquals, assertMatch } from "@std/assert";
import { linkWatcher } from "../../cli/_link_watcher.ts";
import { Patience } from "../../cli/_patience.ts";
import { EmbeddedChannel, VirtualEventLoop } from "../../mod.ts";
import { Command, freePort } from "./_command.ts";

/** What is printed of events that are fired through. */
function told(...events: readonly { readonly type: string; readonly [field: string]: unknown }[]): string[] {
  const lines: string[] = [];
  const watcher = linkWatcher({
    event: ({ event, n, ms, reason }) =>
      lines.push([event, n, ms, reason].filter((each) => each !== undefined).join(" ")),
    note: (text) => lines.push(text),
  }, { linkUp: () => lines.push("(patient)"), linkDown: () => lines.push("(impatient)") });
  const channel = new EmbeddedChannel({ handlers: [watcher] });
  lines.length = 0;
  for (const event of events) channel.pipeline.fireUserEventTriggered(event);
  return lines;
}

const interval = (intervalMs: number) => ({ type: "interval", intervalMs, reason: "link up" });
const DOWN = { type: "linkDown", reason: "unanswered" };
const UP = { type: "linkUp", resumed: false };

Deno.test("linkWatcher() tells of the link before its interval", () => {
  assertEquals(told(DOWN, interval(5_000), UP, interval(9_000)), [
    "(impatient)",
    "down unanswered",
    "(patient)",
    "up",
    "interval 5000 link up",
    "interval 9000 link up",
  ]);
});

Deno.test("linkWatcher() tells each reason for a failed try once, and how to end it once", () => {
  const failed = (message: string, delayMs: number) => ({
    type: "reconnect",
    attempt: 1,
    delayMs,
    error: new Error(message),
  });
  const REFUSED = "Cannot connect to tcp://h:1: connection refused";
  assertEquals(
    told(
      failed(REFUSED, 540),
      failed(REFUSED, 1_000),
      failed("timed out", 2_000),
      UP,
      failed(REFUSED, 3_000),
    ),
    [
      REFUSED,
      "trying again in 0.5 s (Ctrl-C ends it)",
      "no link yet; trying again in 1.0 s",
      "timed out",
      "trying again in 2.0 s",
      "(patient)",
      "up",
      REFUSED,
      "trying again in 3.0 s",
    ],
  );
  assertEquals(told({ type: "reconnect", attempt: 1, delayMs: 500 }), []);
});

Deno.test("linkWatcher() tells which messages a lost session took along", () => {
  assertEquals(
    told({ type: "sessionLost", reason: "expired", unconfirmed: [{ message: 7 }, { message: 8 }] }),
    [
      "the session is gone (expired); messages without confirmation: 2",
      "lost 7 expired",
      "lost 8 expired",
    ],
  );
});

Deno.test("Patience.over passes after so long without a link", async () => {
  const loop = new VirtualEventLoop();
  const patience = new Patience(loop, "tcp://h:1", 5_000);
  let message = "";
  patience.over.then((error) => message = error.message);
  await loop.advanceByAsync(4_999);
  patience.linkUp();
  await loop.advanceByAsync(60_000);
  assertEquals(message, "");
  patience.linkDown();
  await loop.advanceByAsync(3_000);
  patience.linkDown(); // told twice: the time runs from the first
  await loop.advanceByAsync(2_000);
  assertEquals(message, "Cannot go on: no link to tcp://h:1 for 5 s");
});

Deno.test("Patience without a limit, or at its end, leaves no timer", () => {
  const loop = new VirtualEventLoop();
  new Patience(loop, "tcp://h:1", undefined);
  assertEquals(loop.pendingTimers, 0);
  const patience = new Patience(loop, "tcp://h:1", 5_000);
  assertEquals(loop.pendingTimers, 1);
  patience.end();
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("longlink connect --give-up ends at once when asked to, whatever is left of it", async () => {
  const url = `tcp://127.0.0.1:${await freePort()}`;
  await using server = new Command("serve", "--listen", url);
  await server.line();
  await using client = new Command("connect", url, "--give-up", "600");
  assertMatch(await client.line(), /up {7}tcp:/);
  assertEquals(await client.end("SIGINT"), 0);
});

Deno.test("longlink connect --give-up ends with status 1 where there is no server", async () => {
  const url = `tcp://127.0.0.1:${await freePort()}`;
  await using client = new Command("connect", url, "--give-up", "0.2");
  assertMatch(await client.line(), /Cannot connect to .*connection refused$/);
  assertMatch(await client.line(), /trying again in \d\.\d s \(Ctrl-C ends it\)$/);
  assertEquals(await client.ended(), 1);
  assertEquals(await client.errors, `Cannot go on: no link to ${url} for 0.2 s\n`);
});
