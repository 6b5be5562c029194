import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import type { CommandIo } from "../../cli/command.ts";
import { main } from "../../cli/main.ts";
import { probeArguments } from "../../cli/_probe_options.ts";
import { type ProbeNews, type ProbeReport, ProbeSession } from "../../cli/_probe_session.ts";
import { newsText, resultText, startLine, statusLine } from "../../cli/_probe_text.ts";
import { type AnswerKeepAliveOptions, ConnectError, type ProbeOptions, VirtualEventLoop } from "../../mod.ts";
import { serverBehindNat, until, wire } from "../handlers/_probe_rig.ts";

const URL = "nat://server";
const PRECISION = { precisionMs: 0, precision: 0.02 };

/** A measurement on virtual time. */
async function measuring(
  timeoutMs: number,
  options: Partial<ProbeOptions> = {},
  server: AnswerKeepAliveOptions = {},
) {
  const { loop, network } = await serverBehindNat(timeoutMs, server);
  const news: ProbeNews[] = [];
  const onNews = (one: ProbeNews) => void news.push(one);
  const session = new ProbeSession({
    url: URL,
    transport: network,
    loop,
    scoutHandlers: wire,
    onNews,
    ...options,
  });
  let report: ProbeReport | undefined;
  session.run().then((it) => report = it);
  const done = async () => {
    await until(loop, () => report !== undefined, 20 * 3_600_000);
    return report!;
  };
  return { loop, network, session, news, done };
}

Deno.test("ProbeSession.run() reports exactly what was measured", async () => {
  const { done, loop } = await measuring(60_000, { parallel: 4 }, { maxScouts: 4 });
  const { outcome, result } = await done();
  assertEquals(outcome, "bracketed");
  const { trials, durationMs, ...rest } = result;
  assertEquals(rest, { url: URL, loMs: 59_700, hiMs: 60_600, intervalMs: 58_700, direction: "push" });
  assertEquals(Object.keys(result), [
    "url",
    "loMs",
    "hiMs",
    "intervalMs",
    "direction",
    "trials",
    "durationMs",
  ]);
  assertEquals(trials[0], { idleMs: 28_000, verdict: "passed", reason: "the hold was answered" });
  assert(trials.some(({ verdict, idleMs }) => verdict === "failed" && idleMs === 60_600));
  assert(durationMs <= loop.now() && durationMs > 100_000);
});

Deno.test("ProbeSession.run() reports hiMs null where nothing failed", async () => {
  const { done } = await measuring(Infinity, { maxMs: 60_000 });
  const { outcome, result: { loMs, hiMs } } = await done();
  assertEquals([outcome, loMs, hiMs], ["neverFailed", 60_000, null]);
});

Deno.test("ProbeSession.stop() reports what is known so far, and nothing more is told", async () => {
  const { loop, session, news, done } = await measuring(60_000);
  await loop.advanceByAsync(30_000);
  session.stop();
  const told = news.length;
  const { outcome, result } = await done();
  assertEquals([outcome, result.loMs, result.hiMs], ["stopped", 28_000, null]);
  await loop.advanceByAsync(120_000);
  assertEquals(news.length, told);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("ProbeSession.stop() before the server has answered reports nothing", async () => {
  const { session, done } = await measuring(60_000);
  session.stop();
  const { outcome, result } = await done();
  assertEquals([outcome, result.loMs, result.hiMs, result.intervalMs, result.trials], [
    "stopped",
    0,
    null,
    null,
    [],
  ]);
});

Deno.test("ProbeSession.run() fails at once where there is no server", async () => {
  const { loop, network } = await serverBehindNat(60_000);
  network.isDown = true;
  const session = new ProbeSession({
    url: URL,
    transport: network,
    loop,
    scoutHandlers: wire,
    onNews: () => {},
  });
  await assertRejects(() => session.run(), ConnectError, "connection refused");
  await loop.advanceByAsync(60_000);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("ProbeSession.run() fails with a server that does not answer", async () => {
  const { loop, network } = await serverBehindNat(60_000, {}, () => [{ channelRead: () => {} }]);
  const session = new ProbeSession({
    url: URL,
    transport: network,
    loop,
    scoutHandlers: wire,
    onNews: () => {},
  });
  const failed = assertRejects(() => session.run(), Error, `Cannot probe ${URL}: the server does not answer`);
  await loop.advanceByAsync(30_000);
  await failed;
});

Deno.test("newsText() and statusLine() tell bracket, trials and the time left", async () => {
  const { loop, session, news } = await measuring(60_000, { parallel: 2 }, { maxScouts: 2 });
  const status = () => statusLine(session.snapshot, PRECISION, session.elapsedMs);
  assertEquals(status(), "waiting for the server to answer");
  await loop.advanceByAsync(8_300);
  assertEquals(
    news.map((one) => newsText(one, undefined, PRECISION)),
    [
      "connected, round trip 100 ms",
      "the server answers after a silence: testing how long pushes get through",
      "trying 28 s",
      `trying ${session.snapshot!.running[1]!.idleMs / 1_000} s`,
    ],
  );
  assertMatch(status(), /^trying 28 s \(0:20 left\), [\d.]+ s \(\d:\d\d left\); nothing known; 0:09 so far$/);
  await loop.advanceByAsync(21_000);
  const verdict = news.find(({ type }) => type === "verdict")!;
  assertEquals(
    newsText(verdict, session.snapshot, PRECISION),
    "28 s survived: the hold was answered\n  the timeout is above 28 s",
  );
  await until(loop, () => session.snapshot!.bracket.hiMs !== null, 3_600_000);
  assertMatch(status(), /; [\d.]+ to [\d.]+ s; about \d+ more, \d min$/);
  session.stop();
});

Deno.test("newsText() keeps to 79 characters a line, and tells about how much is left", async () => {
  const { loop, network } = await serverBehindNat(3_000_000);
  const texts: string[] = [];
  const session: ProbeSession = new ProbeSession({
    url: URL,
    transport: network,
    loop,
    scoutHandlers: wire,
    onNews: (news) => texts.push(newsText(news, session.snapshot, PRECISION)),
  });
  let isDone = false;
  session.run().then(() => isDone = true);
  await until(loop, () => isDone, 20 * 3_600_000);
  assertEquals(texts.flatMap((text) => text.split("\n")).filter((line) => line.length > 79), []);
  assert(texts.some((text) => /s; about 4 more trials, \d:\d\d h$/.test(text)), texts.join("\n"));
});

Deno.test("startLine() says how long it may take at worst", () => {
  assertEquals(startLine({ maxMs: 7_200_000 }), "This may take hours; Ctrl-C prints what is known");
  assertEquals(startLine({ maxMs: 60_000 }), "This may take minutes; Ctrl-C prints what is known");
});

Deno.test("resultText() says what pings from here do not prove", async () => {
  const client = resultText(await (await measuring(60_000, {}, { longestHoldMs: 0 })).done());
  assertStringIncludes(client, "idle timeout:  between 59.7 s and 60.6 s");
  assertStringIncludes(client, "That pushes get through is not proven");
  const push = resultText(await (await measuring(60_000)).done());
  assertStringIncludes(push, "direction:     pushes");
  assertStringIncludes(push, "beat every:    58.7 s");
  const open = resultText(await (await measuring(Infinity, { maxMs: 60_000 })).done());
  assertStringIncludes(open, "idle timeout:  above 60 s");
});

Deno.test("probeArguments() reads times, precision and formats", () => {
  const defaults = probeArguments([URL])!;
  assertEquals([defaults.startMs, defaults.maxMs, defaults.parallel, defaults.json], [
    28_000,
    7_200_000,
    1,
    false,
  ]);
  assertEquals([defaults.precisionMs, defaults.precision], [0, 0.02]);
  const given = probeArguments([
    URL,
    "--start",
    "4",
    "--max",
    "60.5",
    "--precision",
    "1s,5%",
    "--parallel",
    "3",
    "--json",
  ])!;
  assertEquals([given.startMs, given.maxMs, given.parallel, given.json], [4_000, 60_500, 3, true]);
  assertEquals([given.precisionMs, given.precision], [1_000, 0.05]);
  const raw = probeArguments([URL, "--format", "raw", "--ping", "c000", "--pong", "D000"])!;
  // Without frames: only clock, decoder and encoder.
  assertEquals(raw.scoutHandlers().length, 3);
  assertEquals(probeArguments(["--help"]), undefined);
});

/** Runs the command line in this process. */
async function command(
  args: readonly string[],
  signal: AbortSignal,
): Promise<{ status: number; out: string; error: string }> {
  const lines: { out: string[]; error: string[] } = { out: [], error: [] };
  const io: CommandIo = {
    out: (line) => lines.out.push(line),
    error: (line) => lines.error.push(line),
    signal,
    loop: new VirtualEventLoop(),
  };
  const status = await main(["probe", ...args], io);
  return { status, out: lines.out.join("\n"), error: lines.error.join("\n") };
}

const ADDRESS = "tcp://127.0.0.1:1";
const WRONG: readonly [args: string[], message: string][] = [
  [[], "URL is missing"],
  [[ADDRESS, "more"], "Unexpected argument 'more'"],
  [["ftp://h:1"], 'URL must begin with tcp://, tls://, ws:// or wss://, got "ftp://h:1"'],
  [["::1"], "URL must begin with"],
  [["tcp://127.0.0.1"], 'Cannot parse the address "tcp://127.0.0.1": the port is missing'],
  [[ADDRESS, "--start", "0"], '--start must be a number of seconds above 0, got "0"'],
  [[ADDRESS, "--start", "0.5"], "startMs must be from 1000"],
  [[ADDRESS, "--max", "20"], "maxMs must be from"],
  [[ADDRESS, "--max", "NaN"], "--max must be"],
  [[ADDRESS, "--precision", "3"], '--precision must be like 1s, 2% or 1s,2%, got "3"'],
  [[ADDRESS, "--precision", "200%"], "precision must be from 0 to 1, got 2"],
  [[ADDRESS, "--parallel", "0"], "parallel must be a whole number from 1 to 16, got 0"],
  [[ADDRESS, "--parallel", "1.5"], "--parallel must be a whole number"],
  [[ADDRESS, "--format", "mqtt"], '--format must be messagepack or raw, got "mqtt"'],
  [[ADDRESS, "--ping", "00"], "--ping and --pong mean nothing without --format raw"],
  [[ADDRESS, "--format", "raw", "--ping", "00"], "--format raw needs --ping and --pong"],
  [
    [ADDRESS, "--format", "raw", "--ping", "0", "--pong", "01"],
    '--ping must be bytes in hexadecimal, got "0"',
  ],
  [[ADDRESS, "--format", "raw", "--ping", "01", "--pong", "01"], "ping and pong must differ"],
  [[ADDRESS, "--fast"], "Unknown option '--fast'"],
  [[ADDRESS, "--paralel", "2"], "Unknown option '--paralel'\nDid you mean --parallel?"],
];

for (const [args, message] of WRONG) {
  Deno.test(`longlink probe ${args.join(" ")} is refused with status 2`, async () => {
    const { status, error } = await command(args, new AbortController().signal);
    assertStringIncludes(error, message);
    assertEquals(status, 2);
  });
}

Deno.test("longlink probe --help tells the exit statuses", async () => {
  const { status, out } = await command(["--help"], new AbortController().signal);
  assertEquals(status, 0);
  assertStringIncludes(out, "Exit status: 0 measured, 1 not measured");
});

Deno.test("longlink probe --json prints what is known on the last line when it is interrupted", async () => {
  const { status, out } = await command([ADDRESS, "--json"], AbortSignal.abort());
  assertEquals(status, 130);
  const lines = out.split("\n");
  assertGreater(lines.length, 1);
  const { durationMs: _, ...result } = JSON.parse(lines.at(-1)!);
  assertEquals(result, {
    url: ADDRESS,
    loMs: 0,
    hiMs: null,
    intervalMs: null,
    direction: "client",
    trials: [],
  });
});
