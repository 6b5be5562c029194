/**
 * Packs the npm tarball with `deno pack`, completes its package.json, and runs
 * the checks of the npm package: on what a user of npm gets, not on what this
 * folder holds.
 *
 * `deno task npm:pack [FILE]`: with a file name the tarball is kept there.
 */

import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { check } from "./_checks.ts";
import { packed, run } from "./_command.ts";
import { binOf, metadata } from "./_metadata.ts";

/** Types that a program's `lib` need not have, by what names them: its compiler would not know these names. */
const LIBRARIES = {
  "esnext.disposable": /\bAsyncDisposable\b|\bSymbol\.asyncDispose\b/,
  "dom": /\bWebSocketEventMap\b/,
};

const folder = await mkdtemp(join(tmpdir(), "longlink-npm-"));
try {
  const root = join(import.meta.dirname!, "..");
  const raw = join(folder, "raw.tgz");
  // Source maps would name this folder, and the modules read well without.
  await run(root, Deno.execPath(), "pack", "--quiet", "--allow-dirty", "--no-source-maps", "--output", raw);
  const tarball = await completed(raw);
  await check(tarball, folder);
  if (Deno.args[0] !== undefined) await copyFile(tarball, Deno.args[0]);
} catch (error) {
  console.error(`Cannot pack: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true });
}

/** `deno pack` has no option for most of package.json, nor for a command. */
async function completed(raw: string): Promise<string> {
  await run(folder, "tar", "-xzf", raw);
  const unpacked = join(folder, "package");
  const path = join(unpacked, "package.json");
  const manifest = JSON.parse(await readFile(path, "utf8"));
  const complete = { ...manifest, ...metadata("./") };
  for (const name of Object.keys(manifest.dependencies)) {
    if (!(name in complete.dependencies || name in complete.peerDependencies)) {
      throw new Error(
        `"${name}" is imported: say in _metadata.ts whether it is a dependency or an optional peer`,
      );
    }
  }
  await writeFile(path, JSON.stringify(complete, null, 2) + "\n");
  for (const { types } of Object.values(manifest.exports) as { types: string }[]) {
    const text = await readFile(join(unpacked, types), "utf8");
    // TypeScript refuses to import a file of declarations without one, as that of the command line is.
    if (!/^(\/\*[^]*?\*\/ )?export\b/m.test(text)) {
      await writeFile(join(unpacked, types), `${text}\nexport {};\n`);
    }
  }
  await nameLibraries(unpacked);
  await writeFile(join(unpacked, "bin.js"), binOf(await readFile(join(unpacked, "cli.js"), "utf8")), {
    mode: 0o755,
  });
  return await packed(unpacked, folder);
}

/** `deno pack` drops such lines of the sources. */
async function nameLibraries(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith(".d.ts")) continue;
    const path = join(folder, name);
    const text = await readFile(path, "utf8");
    const lines = Object.entries(LIBRARIES).filter(([, names]) => names.test(text))
      .map(([library]) => `/// <reference lib="${library}" />\n`);
    if (lines.length > 0) await writeFile(path, lines.join("") + text);
  }
}
