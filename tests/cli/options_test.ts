import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { CommandIo } from "../../cli/command.ts";
import { main } from "../../cli/main.ts";
import { VirtualEventLoop } from "../../mod.ts";

/** Runs the command line in this process; what it does not refuse ends at once. */
async function run(...args: string[]): Promise<{ status: number; out: string; error: string }> {
  const lines: { out: string[]; error: string[] } = { out: [], error: [] };
  const io: CommandIo = {
    out: (line) => lines.out.push(line),
    error: (line) => lines.error.push(line),
    signal: AbortSignal.abort(),
    loop: new VirtualEventLoop(),
  };
  const status = await main(args, io);
  return { status, out: lines.out.join("\n"), error: lines.error.join("\n") };
}

const SERVE = ["serve", "--listen", "tcp://127.0.0.1:0"];
const CONNECT = ["connect", "tcp://127.0.0.1:1"];

const WRONG: readonly [args: string[], message: string][] = [
  [["fly"], "Unknown command 'fly'"],
  [["toString"], "Unknown command 'toString'"],
  [["conect"], "Unknown command 'conect'\nDid you mean connect?"],
  [["--colour"], "Unknown option '--colour'"],
  [["--verison"], "Unknown option '--verison'\nDid you mean --version?"],
  [["demo", "--nat-timeuot", "3"], "Unknown option '--nat-timeuot'\nDid you mean --nat-timeout?"],
  [["serve"], "--listen ADDRESS is missing"],
  [["serve", "--listen"], "--listen needs a value"],
  [[...SERVE, "--push-every", "--json"], "--push-every needs a value"],
  [[...SERVE, "--json=1"], "--json takes no value"],
  [[...SERVE, "--push-every", "-3"], '--push-every must be a number of seconds above 0, got "-3"'],
  [[...SERVE, "--colour"], "Unknown option '--colour'"],
  [[...SERVE, "--push"], "Unknown option '--push'\nDid you mean --push-every?"],
  [[...SERVE, "more"], "Unexpected argument 'more'"],
  [["serve", "--listen", "ftp://h:1"], '--listen must begin with tcp:// or ws://, got "ftp://h:1"'],
  [["serve", "--listen", "[::1]:7000"], 'got "[::1]:7000"\nDid you mean tcp://[::1]:7000?'],
  [["serve", "--listen", "tcp://h:99999"], "the port must be a number from 0 to 65535, not 99999"],
  ...["", " ", "0", "-1", "x", "NaN", "Infinity"].map((text): [string[], string] => [
    [...SERVE, `--push-every=${text}`],
    `--push-every must be a number of seconds above 0, got "${text}"`,
  ]),
  [[...SERVE, "--push-gaps", "5,,8"], '--push-gaps must be a number of seconds above 0, got ""'],
  [[...SERVE, "--push-gaps", "5", "--push-every", "5"], "--push-every and --push-gaps exclude each other"],
  [["connect"], "URL is missing"],
  [[...CONNECT, "more"], "Unexpected argument 'more'"],
  [["connect", "ftp://h:1"], 'URL must begin with tcp://, tls://, ws:// or wss://, got "ftp://h:1"'],
  [["connect", "127.0.0.1:7000"], 'got "127.0.0.1:7000"\nDid you mean tcp://127.0.0.1:7000?'],
  [[...CONNECT, "--give-up", "0"], '--give-up must be a number of seconds above 0, got "0"'],
  [["connect", "tcp://h"], "the port is missing"],
  [[...CONNECT, "--send-every", "soon"], '--send-every must be a number of seconds above 0, got "soon"'],
  [[...CONNECT, "--strategy", "guess"], '--strategy must be edge or stepwise or fixed, got "guess"'],
  [[...CONNECT, "--interval", "5"], "--interval means nothing with --strategy edge"],
  [[...CONNECT, "--strategy", "fixed", "--start", "5"], "--start means nothing with --strategy fixed"],
  [
    [...CONNECT, "--strategy", "stepwise", "--where", "main"],
    "--where means nothing with --strategy stepwise",
  ],
  [[...CONNECT, "--where", "moon"], '--where must be scout or main, got "moon"'],
  [
    [...CONNECT, "--max", "20000"],
    '--max must be a number of seconds above 0 and at most 13107, got "20000"',
  ],
  [[...CONNECT, "--strategy", "stepwise", "--start", "60", "--max", "50"], "maxMs"],
];

for (const [args, message] of WRONG) {
  Deno.test(`longlink ${args.join(" ")} is refused with status 2`, async () => {
    const { status, out, error } = await run(...args);
    assertEquals({ status, out }, { status: 2, out: "" });
    assertStringIncludes(error, message);
    assertStringIncludes(error, "--help tells how it is used");
  });
}

const HELPS = [["--help"], ["serve", "--help"], ["connect", "-h"], ["probe", "--help"], ["demo", "--help"]];
for (const args of HELPS) {
  Deno.test(`longlink ${args.join(" ")} prints examples and the exit status, in 79 columns`, async () => {
    const { status, out, error } = await run(...args);
    assertEquals({ status, error }, { status: 0, error: "" });
    assertMatch(out, /^Usage: longlink .*/);
    assertMatch(out, /^Examples:\n {2}longlink /m);
    assertStringIncludes(out, "Exit status:");
    assertEquals(out.split("\n").filter((line) => line.length > 79), []);
  });
}

Deno.test("longlink alone prints its help where errors go, with status 2", async () => {
  const { status, out, error } = await run();
  assertEquals({ status, out }, { status: 2, out: "" });
  assertStringIncludes(error, "130 interrupted");
});

Deno.test("longlink --version prints the version of deno.json", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  assertEquals(await run("--version"), { status: 0, out: `longlink ${version}`, error: "" });
});

for (const args of [SERVE, CONNECT]) {
  Deno.test(`longlink ${args[0]} --store that cannot be used says so with status 1`, async () => {
    const file = await Deno.makeTempFile();
    const refused = { status: 1, out: "", error: `Cannot keep anything in ${file}: it is no folder` };
    assertEquals(await run(...args, "--store", file), refused);
    assertEquals(
      (await run(...args, "--store", `${file}/below`)).error,
      refused.error.replace(":", "/below:"),
    );
    await Deno.remove(file);
  });
}

Deno.test("longlink connect ends at once, with status 0, where it is not wanted any more", async () => {
  assertEquals(await run(...CONNECT), { status: 0, out: "", error: "" });
});

Deno.test("longlink serve that cannot listen says so with status 1", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `tcp://127.0.0.1:${taken.addr.port}`;
  const { status, error } = await run("serve", "--listen", address);
  taken.close();
  assertEquals(status, 1);
  assertStringIncludes(error, `Cannot listen on ${address}`);
});

for (const json of [false, true]) {
  Deno.test(`longlink serve says where it listens${json ? " on stderr with --json" : ""}, and ends in order`, async () => {
    const { status, out, error } = await run(...SERVE, "--push-gaps", "5,8", ...(json ? ["--json"] : []));
    assertEquals(status, 0);
    assertStringIncludes(json ? error : out, "listening on tcp://127.0.0.1:");
    assertEquals(json ? out : error, "");
  });
}
