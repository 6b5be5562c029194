// What is in the package: an importable module and its types for each export of deno.json.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const source = JSON.parse(readFileSync(new URL("deno.json", import.meta.url), "utf8"));
const folder = new URL(`node_modules/${source.name}/`, import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));

test("package.json has name, version, license and exports of deno.json", () => {
  assert.equal(manifest.name, source.name);
  assert.equal(manifest.version, source.version);
  assert.equal(manifest.license, source.license);
  assert.equal(manifest.type, "module");
  assert.deepEqual(Object.keys(manifest.exports), Object.keys(source.exports));
});

test("package.json depends on what a user needs and on nothing else", () => {
  assert.deepEqual(Object.keys(manifest.dependencies), ["msgpack-lite"]);
  assert.equal(`npm:msgpack-lite@${manifest.dependencies["msgpack-lite"]}`, source.imports["msgpack-lite"]);
  for (const [name, range] of Object.entries(manifest.peerDependencies)) {
    assert.equal(`npm:${name}@${range}`, source.imports[name]);
    assert.ok(manifest.peerDependenciesMeta[name].optional, name);
  }
});

for (const [subpath, { types }] of Object.entries(manifest.exports)) {
  const specifier = source.name + subpath.slice(1);

  test(`${specifier} can be imported`, async () => {
    assert.equal(typeof await import(specifier), "object");
  });

  test(`${specifier} has types`, () => {
    assert.ok(existsSync(new URL(types, folder)), `${types} is not in the package`);
  });
}
