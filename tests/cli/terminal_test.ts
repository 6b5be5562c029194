import { assertEquals, assertStringIncludes } from "@std/assert";
import type { CommandIo } from "../../cli/command.ts";
import { EventLog } from "../../cli/_event_log.ts";
import { ProbeScreen } from "../../cli/_probe_screen.ts";
import { VirtualEventLoop } from "../../mod.ts";

/** A world whose output is kept; a width makes it a terminal. */
function world(columns?: number, hasColours = false) {
  const loop = new VirtualEventLoop();
  const lines: string[] = [];
  const written: string[] = [];
  const io: CommandIo = {
    out: (line) => lines.push(line),
    error: (line) => lines.push(`error: ${line}`),
    terminal: columns === undefined
      ? undefined
      : { columns, hasColours, write: (text) => written.push(text) },
    signal: new AbortController().signal,
    loop,
  };
  return { io, loop, lines, written };
}

Deno.test("EventLog.event() is coloured on a terminal with colours only", () => {
  const tell = (columns?: number, hasColours?: boolean, json = false) => {
    const { io, lines } = world(columns, hasColours);
    const log = new EventLog(io, json);
    log.event({ event: "up" }, "tcp://h:1");
    log.event({ event: "lost", n: 3, reason: "expired" });
    log.event({ event: "interval", ms: 5_000, reason: "link up" });
    log.event({ event: "push", n: 1 });
    log.note("more");
    return lines;
  };
  const plain = [
    "    0.000 s  up       tcp://h:1",
    "    0.000 s  lost     #3 (expired)",
    "    0.000 s  interval 5.0 s (link up)",
    "    0.000 s  push     #1",
    "    0.000 s  more",
  ];
  assertEquals(tell(), plain);
  assertEquals(tell(80, false), plain);
  const time = "\x1b[2m    0.000 s \x1b[0m ";
  assertEquals(tell(80, true), [
    `${time}\x1b[32mup      \x1b[0m tcp://h:1`,
    `${time}\x1b[31mlost    \x1b[0m #3 (expired)`,
    `${time}\x1b[36minterval\x1b[0m 5.0 s (link up)`,
    `${time}push     #1`,
    `${time}more`,
  ]);
  assertEquals(tell(80, true, true), [
    '{"atMs":0,"event":"up"}',
    '{"atMs":0,"event":"lost","n":3,"reason":"expired"}',
    '{"atMs":0,"event":"interval","reason":"link up","ms":5000}',
    '{"atMs":0,"event":"push","n":1}',
    "error: more",
  ]);
});

Deno.test("ProbeScreen.say() draws the last line once the news is true, not before", () => {
  const { io, loop, lines, written } = world(80);
  let status = "old";
  const screen = new ProbeScreen(io, () => status);
  screen.start();
  written.length = 0;
  screen.say("something new");
  assertEquals(written, ["\r\x1b[2K"]);
  status = "new";
  loop.advanceBy(0);
  assertEquals([lines, written.at(-1)], [["something new"], "\r\x1b[2Knew"]);
  written.length = 0;
  loop.advanceBy(1_000);
  assertEquals(written.length, 2);
  screen.stop();
  assertEquals([loop.pendingTimers, written.at(-1)], [0, "\r\x1b[2K"]);
});

Deno.test("ProbeScreen cuts the last line to the terminal, and colours the first line of news", () => {
  const { io, lines, written } = world(20, true);
  const screen = new ProbeScreen(io, () => "x".repeat(30));
  screen.start();
  assertEquals(written.at(-1), `\r\x1b[2K\x1b[2m${"x".repeat(18)}…\x1b[0m`);
  screen.say("3 s survived\n  more", "green");
  assertEquals(lines, ["\x1b[32m3 s survived\x1b[0m\n  more"]);
  screen.stop();
});

Deno.test("ProbeScreen in a pipe prints the news alone", () => {
  const { io, loop, lines } = world();
  const screen = new ProbeScreen(io, () => "never seen");
  screen.start();
  screen.say("news", "red");
  screen.stop();
  assertEquals([lines, loop.pendingTimers], [["news"], 0]);
});

for (
  const [settings, isTerminal, hasColours] of [
    [{ TERM: "xterm" }, true, true],
    [{ TERM: "xterm", NO_COLOR: "1" }, true, false],
    [{ TERM: "dumb" }, false, false],
  ] as const
) {
  Deno.test({
    name: `systemTerminal() with ${JSON.stringify(settings)} is ${isTerminal ? "one" : "none"}`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      const module = new URL("../../cli/_terminal.ts", import.meta.url).href;
      const code = `import { systemTerminal } from "${module}";` +
        `const it = systemTerminal(); console.log(JSON.stringify([it !== undefined, it?.hasColours ?? false]));`;
      const folder = await Deno.makeTempDir();
      await Deno.writeTextFile(`${folder}/main.ts`, code);
      const command = `${Deno.execPath()} run -A --no-check ${folder}/main.ts`;
      const { stdout } = await new Deno.Command("script", {
        args: ["-qc", command, "/dev/null"],
        env: { ...settings, ...("NO_COLOR" in settings ? {} : { NO_COLOR: "" }) },
      }).output();
      await Deno.remove(folder, { recursive: true });
      assertStringIncludes(new TextDecoder().decode(stdout), JSON.stringify([isTerminal, hasColours]));
    },
  });
}
