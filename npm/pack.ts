/**
 * Packs the npm tarball with `deno pack`, installs it into an empty folder and
 * runs npm/test there on Node: what a user of npm gets, not what this folder
 * holds.
 *
 * `deno task npm:pack [FILE]`: with a file name the tarball is kept there.
 */

import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const here = import.meta.dirname!;
const folder = await mkdtemp(join(tmpdir(), "longlink-npm-"));
try {
  const tarball = join(folder, "package.tgz");
  await run(join(here, ".."), Deno.execPath(), "pack", "--quiet", "--allow-dirty", "--output", tarball);

  const consumer = join(folder, "consumer");
  await mkdir(consumer);
  await writeFile(join(consumer, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await run(consumer, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error", tarball);

  const tests = (await readdir(join(here, "test"))).filter((name) => name.endsWith(".mjs")).sort();
  for (const name of tests) await copyFile(join(here, "test", name), join(consumer, name));
  await copyFile(join(here, "..", "deno.json"), join(consumer, "deno.json"));
  await run(consumer, "node", "--test", ...tests.filter((name) => name.endsWith("_test.mjs")));

  if (Deno.args[0] !== undefined) await copyFile(tarball, Deno.args[0]);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true });
}

async function run(cwd: string, command: string, ...args: string[]): Promise<void> {
  const { success, code } = await new Deno.Command(command, { args, cwd, stdin: "null" }).spawn().status;
  if (!success) throw new Error(`Cannot pack: "${command} ${args.join(" ")}" ended with status ${code}`);
}
