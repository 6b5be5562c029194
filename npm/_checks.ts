/**
 * What the npm package must pass, whoever made the tarball: its metadata, its
 * types, and each of its exports in Node, in Bun and in bundlers.
 */

import { copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./_command.ts";

const here = import.meta.dirname!;

// Fixed, so that a check fails because of this package and not because of theirs.
const TOOLS = [
  "@arethetypeswrong/cli@0.18.5",
  "bun@1.4.5",
  "esbuild@0.28.2",
  "node@26.10.0",
  "publint@0.3.25",
  "rollup@4.68.8",
  "typescript@5.9.3",
];
const QUIET = ["--no-audit", "--no-fund", "--loglevel=error"];

/**
 * @param tarball The package, an absolute path.
 * @param folder An empty folder to work in.
 */
export async function check(tarball: string, folder: string): Promise<void> {
  const [tools, consumer] = [join(folder, "tools"), join(folder, "consumer")];
  for (const path of [tools, consumer]) {
    await mkdir(path);
    await writeFile(join(path, "package.json"), JSON.stringify({ private: true, type: "module" }));
  }
  await run(tools, "npm", "install", ...QUIET, ...TOOLS);
  // Beside the tarball only the types that its own types speak of.
  await run(consumer, "npm", "install", ...QUIET, tarball, "@types/node@20");
  const tool = (name: string) => join(tools, "node_modules/.bin", name);

  await run(folder, tool("publint"), "run", "--strict", tarball);
  // ESM alone: what a CommonJS program of Node 20 cannot require() is told by "type".
  await run(
    folder,
    tool("attw"),
    tarball,
    "--profile",
    "esm-only",
    "--format",
    "ascii",
    "--no-emoji",
    "--quiet",
  );

  for (const name of await readdir(join(here, "test"))) {
    await copyFile(join(here, "test", name), join(consumer, name));
  }
  await copyFile(join(here, "../deno.json"), join(consumer, "deno.json"));
  const tests = (await readdir(consumer)).filter((name) => name.endsWith("_test.mjs")).sort();
  await run(consumer, "node", "--test", ...tests);
  await run(consumer, tool("node"), "--test", ...tests);
  await run(consumer, tool("bun"), "test", "--only-failures", ...tests.map((name) => `./${name}`));
  await run(consumer, "node", "bundle_check.mjs", tools);
  for (const resolution of ["nodenext", "bundler"]) {
    const module = resolution === "bundler" ? "esnext" : resolution;
    // Of the newer libraries and the DOM the types say themselves what they need.
    const args = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022", "--types", "node"];
    await run(
      consumer,
      tool("tsc"),
      ...args,
      "--module",
      module,
      "--moduleResolution",
      resolution,
      "exports.ts",
    );
  }
}
