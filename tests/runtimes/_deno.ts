/**
 * What the tests use of `Deno`, on Node's modules: `Deno.test` and a few files
 * and folders. Takes the place of the name `Deno` in the bundled test files.
 */

import { appendFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { denoOnly, isMissing } from "./deno_only.ts";

const runtime = process.versions.bun === undefined ? "node" : "bun";
type Path = string | URL;
type Body = () => void | Promise<void>;

/** A test as one object; what else Deno takes says what may leak, which others do not look at. */
interface Definition {
  readonly name: string;
  readonly fn: Body;
  readonly ignore?: boolean;
}

export const Deno = {
  test(...[first, second]: [string, Body] | [Definition]): void {
    const { name, fn: body, ignore = false } = typeof first === "string"
      ? { name: first, fn: second! }
      : first;
    if (ignore) return void test(name, { skip: true }, () => {});
    const entry = denoOnly(name, runtime);
    const isSkipped = entry !== undefined && isMissing(entry);
    // Told to who started the run, who counts them, and finds what in the list fits no test.
    if (entry !== undefined) {
      appendFileSync(process.env.LONGLINK_LISTED!, `${isSkipped}\t${String(entry.test)}\n`);
    }
    if (isSkipped) test(name, { skip: true }, () => {});
    else test(name, async () => await body());
  },

  build: { os: process.platform === "win32" ? "windows" : process.platform },
  env: { get: (name: string): string | undefined => process.env[name] },
  memoryUsage: () => process.memoryUsage(),

  mkdir,
  symlink,
  writeFile,
  writeTextFile: writeFile,
  writeTextFileSync: writeFileSync,
  readFile: async (path: Path) => new Uint8Array(await readFile(path)),
  readTextFile: (path: Path) => readFile(path, "utf8"),
  readTextFileSync: (path: Path) => readFileSync(path, "utf8"),
  removeSync: (path: Path) => rmSync(path),
  remove: (path: Path, options?: { recursive?: boolean }) =>
    rm(path, options?.recursive ? options : { recursive: true }),
  makeTempDir: () => mkdtemp(join(tmpdir(), "longlink-")),
  stat: async (path: Path) => info(await stat(path)),
  statSync: (path: Path) => info(statSync(path)),
  *readDirSync(path: Path) {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      yield { name: entry.name, isDirectory: entry.isDirectory(), isFile: entry.isFile() };
    }
  },
};

/** `Promise.withResolvers`, which Node 20 lacks. */
export function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve!: (value: T | PromiseLike<T>) => void;
  let reject!: (reason?: unknown) => void;
  const promise = new Promise<T>((onFulfilled, onRejected) => {
    resolve = onFulfilled;
    reject = onRejected;
  });
  return { promise, resolve, reject };
}

function info(stats: { size: number; mode: number; isFile(): boolean; isDirectory(): boolean }) {
  return { size: stats.size, mode: stats.mode, isFile: stats.isFile(), isDirectory: stats.isDirectory() };
}
