/**
 * Builds the npm package that is published into npm/dist, with dnt: ESM, types
 * and no shims. Everything it says about the package comes from deno.json.
 *
 * `deno task npm:build [VERSION]`
 */

import manifest from "../deno.json" with { type: "json" };

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
  // npm/test runs against a packed tarball instead; see npm/pack.ts.
  test: false,
  compilerOptions: { target: "ES2022", lib: ["ESNext", "DOM", "DOM.Iterable"] },
  package: {
    name: manifest.name,
    version: Deno.args[0] ?? manifest.version,
    description:
      "Keeps long connections alive: a Netty-style channel pipeline whose handlers learn how long a " +
      "network lets a link idle, beat just often enough, notice a dead link within seconds and bring it back",
    keywords: ["heartbeat", "keepalive", "websocket", "tcp", "nat", "reconnect", "pipeline", "netty"],
    license: manifest.license,
    sideEffects: false,
    engines: { node: ">=20" },
    dependencies: npmDependencies("msgpack-lite"),
    devDependencies: { "@types/node": "^20.19.0" },
  },
  async postBuild() {
    for (const name of ["README.md", "LICENSE", "CHANGELOG.md"]) {
      await Deno.copyFile(`${root}/${name}`, `${outDir}/${name}`);
    }
  },
});

/** The version range of each dependency, as deno.json has it. */
function npmDependencies(...names: (keyof typeof manifest.imports)[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, manifest.imports[name].slice(`npm:${name}@`.length)]));
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
