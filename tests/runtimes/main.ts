/**
 * Runs the behaviour suites in another runtime, the same files as in Deno.
 *
 * `deno run -A tests/runtimes/main.ts node [VERSION]`: default, the Node on the path.
 * `deno run -A tests/runtimes/main.ts bun [VERSION]`
 *
 * A version is taken from npm. The last line counts as `deno test` does.
 */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { bundle } from "./_bundle.ts";
import { DENO_ONLY, DENO_ONLY_FILES, type Runtime } from "./deno_only.ts";

const SUITES = ["tests/adapters", "tests/handlers", "tests/pipeline"];
const BUN_VERSION = "1.4.5";
/** More than any test takes; what hangs is named all the same. */
const TEST_TIMEOUT_MS = 60_000;
/** A process that does not end after its tests is nobody's test, and would be waited for without end. */
const RUN_TIMEOUT_MS = 300_000;

const [named, version] = Deno.args;
if (named !== "node" && named !== "bun") {
  console.error(`Cannot run the tests: the runtime must be node or bun, got ${named ?? "none"}`);
  Deno.exit(2);
}
const runtime: Runtime = named;

const startMs = performance.now();
const folder = await mkdtemp(join(tmpdir(), "longlink-runtimes-"));
try {
  const { files, packages } = await bundle(
    SUITES.flatMap(testsIn).filter((path) => !(path in DENO_ONLY_FILES)).sort(),
    folder,
  );
  const listed = join(folder, "listed");
  await writeFile(listed, "");
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await npmInstall(packages);
  const command = runtime === "node" ? await node() : await bun();
  console.log(
    `${files.length} test files in ${runtime} ${(await output([...command, "--version"])).replace("v", "")}`,
  );
  const { passed, failed } = runtime === "node"
    ? await runNode(command, files, listed)
    : await runBun(command, files, listed);
  const isListRight = report(await readFile(listed, "utf8"));
  if (failed > 0 || passed === 0 || !isListRight) process.exitCode = 1;
  const seconds = Math.round((performance.now() - startMs) / 1000);
  console.log(`${process.exitCode ? "FAILED" : "ok"} | ${passed} passed | ${failed} failed (${seconds}s)`);
} finally {
  await rm(folder, { recursive: true });
}

function testsIn(path: string): string[] {
  return Array.from(Deno.readDirSync(new URL(`../../${path}`, import.meta.url))).flatMap((
    { name, isDirectory },
  ) => isDirectory ? testsIn(`${path}/${name}`) : name.endsWith("_test.ts") ? [`${path}/${name}`] : []);
}

async function npmInstall(packages: readonly string[]): Promise<void> {
  await output(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", ...packages]);
}

async function node(): Promise<string[]> {
  if (version === undefined) return ["node"];
  await npmInstall([`node@${version}`]);
  return [join(folder, "node_modules/.bin/node")];
}

async function bun(): Promise<string[]> {
  await npmInstall([`bun@${version ?? BUN_VERSION}`]);
  return [join(folder, "node_modules/.bin/bun")];
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** A process for each file, as in `deno test`. */
async function runNode(command: string[], files: readonly string[], listed: string): Promise<Counts> {
  const { text } = await run(
    [
      ...command,
      "--enable-source-maps",
      "--test",
      `--test-timeout=${TEST_TIMEOUT_MS}`,
      `--test-concurrency=${navigator.hardwareConcurrency}`,
      "--test-reporter=spec",
      ...files,
    ],
    listed,
  );
  const failures = text.indexOf("failing tests:");
  if (failures >= 0) console.log(text.slice(failures));
  const count = (what: string) => Number(text.match(new RegExp(`^ℹ ${what} (\\d+)$`, "m"))?.[1] ?? NaN);
  return checked({ passed: count("pass"), failed: count("fail") + count("cancelled") }, text);
}

async function runBun(command: string[], files: readonly string[], listed: string): Promise<Counts> {
  const { text } = await run(
    [
      ...command,
      "test",
      "--only-failures",
      "--timeout",
      `${TEST_TIMEOUT_MS}`,
      ...files.map((file) => `./${file}`),
    ],
    listed,
  );
  const count = (what: string) => Number(text.match(new RegExp(`^ *(\\d+) ${what}$`, "m"))?.[1] ?? 0);
  // A file that cannot be loaded is an error and no failed test.
  const failed = count("fail") + (/^ *\d+ errors?$/m.test(text) ? 1 : 0);
  if (failed > 0) console.log(text);
  return checked({ passed: count("pass"), failed }, text);
}

/** What cannot be counted is shown, and did not pass. */
function checked(counts: Counts, text: string): Counts {
  if (counts.passed > 0 && Number.isFinite(counts.failed)) return counts;
  console.log(text);
  return { passed: counts.passed || 0, failed: counts.failed || 1 };
}

/** Says what was skipped; false if the list names a test that there is not. */
function report(listed: string): boolean {
  const skipped = new Map<string, number>();
  const known = new Set<string>();
  for (const line of listed.split("\n").slice(0, -1)) {
    const [isSkipped, test] = line.split("\t") as [string, string];
    known.add(test);
    if (isSkipped === "true") skipped.set(test, (skipped.get(test) ?? 0) + 1);
  }
  console.log(`${Array.from(skipped.values()).reduce((sum, count) => sum + count, 0)} tests were skipped:`);
  const here = DENO_ONLY.flatMap(({ test, reason, runtime: where = runtime }) =>
    where === runtime ? [{ test: String(test), reason }] : []
  );
  for (const { test, reason } of here) {
    if (skipped.has(test)) console.log(`  ${skipped.get(test)} x ${test}: ${reason}`);
  }
  for (const [file, reason] of Object.entries(DENO_ONLY_FILES)) console.log(`  all of ${file}: ${reason}`);
  const unknown = here.filter(({ test }) => !known.has(test));
  for (const { test } of unknown) console.log(`No test fits "${test}": correct tests/runtimes/deno_only.ts`);
  return unknown.length === 0;
}

/** Runs a command in the folder; with its output, which is not shown. */
async function run(command: string[], listed = ""): Promise<{ code: number; text: string }> {
  const [name, ...args] = command as [string, ...string[]];
  const { code, stdout, stderr } = await new Deno.Command(name, {
    args,
    cwd: folder,
    env: { LONGLINK_LISTED: listed, NO_COLOR: "1" },
    stdin: "null",
    signal: AbortSignal.timeout(RUN_TIMEOUT_MS),
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

async function output(command: string[]): Promise<string> {
  const { code, text } = await run(command);
  if (code !== 0) {
    throw new Error(`Cannot run the tests: "${command.join(" ")}" ended with status ${code}: ${text}`);
  }
  return text.trim();
}
