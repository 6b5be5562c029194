/**
 * Builds the npm package that is published into npm/dist, with dnt: ESM, types
 * and no shims; then runs the checks of the npm package on it. Everything it
 * says about the package comes from deno.json and _metadata.ts.
 *
 * `deno task npm:build`
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import manifest from "../deno.json" with { type: "json" };
import { check } from "./_checks.ts";
import { packed } from "./_command.ts";
import { metadata } from "./_metadata.ts";

// dnt turns import.meta.main into a look at the script that Node was started with.
const BIN = `#!/usr/bin/env node
import process from "node:process";
import { fileURLToPath } from "node:url";

process.argv[1] = fileURLToPath(new URL("./esm/cli.js", import.meta.url));
await import("./esm/cli.js");
`;

const root = `${import.meta.dirname}/..`;
// Not the folder of this script: dnt's emptyDir would delete it.
const outDir = `${import.meta.dirname}/dist`;

const { build, emptyDir } = await loadDnt();
await emptyDir(outDir);
await build({
  entryPoints: Object.entries(manifest.exports).map(([name, path]) => ({ name, path: `${root}/${path}` })),
  outDir,
  configFile: import.meta.resolve("../deno.json"),
  shims: {},
  // ESM alone: a dual package can load two copies of each class, and `instanceof` fails between them.
  scriptModule: false,
  // npm/test runs against a packed tarball instead; see _checks.ts.
  test: false,
  compilerOptions: { target: "ES2022", lib: ["ESNext", "DOM", "DOM.Iterable"] },
  package: {
    name: manifest.name,
    version: manifest.version,
    license: manifest.license,
    ...metadata("./esm/"),
    devDependencies: { "@types/node": "^20.19.0" },
  },
  async postBuild() {
    for (const name of ["README.md", "LICENSE", "CHANGELOG.md"]) {
      await Deno.copyFile(`${root}/${name}`, `${outDir}/${name}`);
    }
    await writeFile(`${outDir}/bin.js`, BIN, { mode: 0o755 });
  },
});
const folder = await mkdtemp(join(tmpdir(), "longlink-npm-"));
try {
  await check(await packed(outDir, folder), folder);
} finally {
  await rm(folder, { recursive: true });
}

async function loadDnt(): Promise<typeof import("@deno/dnt")> {
  try {
    return await import("@deno/dnt");
  } catch (error) {
    console.error(
      `Cannot build: dnt (${manifest.imports["@deno/dnt"]}) could not be loaded from JSR, the registry`,
    );
    console.error(
      "it is published on. Build where JSR can be reached, or take the tarball of `deno task npm:pack`,",
    );
    console.error("which needs npm alone.");
    console.error(`Reason: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}
