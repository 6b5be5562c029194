// What bundlers make of the package. `node bundle_check.mjs FOLDER_OF_THE_BUNDLERS`

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { builtinModules, createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.argv[2], "package.json"));
const esbuild = require("esbuild");
const { rollup } = require("rollup");

const source = JSON.parse(readFileSync("deno.json", "utf8"));
const manifest = JSON.parse(readFileSync(`node_modules/${source.name}/package.json`, "utf8"));
const specifiers = Object.keys(manifest.exports).map((subpath) => source.name + subpath.slice(1));
const external = [
  ...Object.keys(manifest.dependencies),
  ...Object.keys(manifest.peerDependencies),
  ...builtinModules,
  ...builtinModules.map((name) => `node:${name}`),
];

// For the types, which are checked next.
writeFileSync(
  "exports.ts",
  specifiers.map((specifier, i) => `import * as m${i} from "${specifier}";\nexport { m${i} };\n`).join(""),
);

async function withEsbuild(contents, platform) {
  const { outputFiles, warnings } = await esbuild.build({
    stdin: { contents, resolveDir: process.cwd() },
    bundle: true,
    minify: true,
    format: "esm",
    platform,
    external: platform === "node" ? external : Object.keys(manifest.dependencies),
    write: false,
    logLevel: "silent",
  });
  // Of an import of nothing it says that it drops it, which is what is wanted.
  assert.deepEqual(warnings.filter(({ id }) => id !== "ignored-bare-import"), []);
  return outputFiles[0].text;
}

async function withRollup(contents) {
  const ENTRY = "\0entry";
  const resolve = {
    name: "package",
    resolveId: (id) => {
      if (id === ENTRY) return id;
      const target = manifest.exports[`.${id.slice(source.name.length)}`];
      if (!id.startsWith(source.name) || target === undefined) return undefined;
      return {
        id: join(process.cwd(), "node_modules", source.name, target.import),
        moduleSideEffects: false,
      };
    },
    load: (id) => id === ENTRY ? contents : undefined,
    transform: () => ({ moduleSideEffects: manifest.sideEffects ?? true }),
  };
  const build = await rollup({
    input: ENTRY,
    external,
    plugins: [resolve],
    onwarn: ({ code, message }) => assert.equal(code, "EMPTY_BUNDLE", message),
  });
  return (await build.generate({ format: "es" })).output[0].code;
}

for (const specifier of specifiers) {
  // The command line is there to be run, and exports nothing.
  const least = Object.keys(await import(specifier)).length > 0 ? 1 : 0;
  const everything = `export * from "${specifier}";`;
  assert.ok((await withEsbuild(everything, "node")).length >= least, specifier);
  assert.ok((await withRollup(everything)).length >= least, specifier);
  const nothing = `import "${specifier}";`;
  assert.equal(
    (await withEsbuild(nothing, "node")).trim(),
    "",
    `esbuild keeps what nobody uses of ${specifier}`,
  );
}

// The main export must need nothing that a browser lacks.
await withEsbuild(`export * from "${source.name}";`, "browser");
// A page cannot listen, and loads nothing of what would, also of a bundler that makes a single file.
for (const specifier of [`${source.name}/transports/web-socket`, `${source.name}/web-socket`]) {
  const everything = `export * from "${specifier}";`;
  for (const [platform, listens] of [["node", true], ["browser", false]]) {
    const code = await withEsbuild(everything, platform);
    assert.equal(/upgradeWebSocket|sendPings/.test(code), listens, `${specifier} for ${platform}`);
  }
}
const one = `import { VarintFrameEncoder } from "${source.name}"; console.log(VarintFrameEncoder);`;
for (const [bundler, bundle] of [["esbuild", withEsbuild], ["rollup", withRollup]]) {
  const { length } = await bundle(one, "browser");
  assert.ok(length < 8_000, `${bundler} makes ${length} bytes of one small handler`);
}
// Rollup, and Vite up to 7 with it, leave the top-level `this` undefined: what a page gets of msgpack-lite must not need it.
const [, forPages] = Object.entries(manifest.browser).find(([name]) => name === "msgpack-lite");
const messagePack = { exports: {} };
new Function("module", "exports", `"use strict";\n${readFileSync(`node_modules/${forPages}`, "utf8")}`)
  .call(undefined, messagePack, messagePack.exports);
assert.deepEqual(messagePack.exports.decode(messagePack.exports.encode({ text: "hi" })), { text: "hi" });

console.log(`esbuild and rollup bundle ${specifiers.length} exports, and drop what is not used`);
