/**
 * What a browser loads of the library: `keepAlive()`, a Bootstrap and the
 * WebSocket transport, minified, with and without msgpack-lite, how much of it
 * comes from each folder, and what a pipeline of some of its handlers takes.
 *
 * `deno task size [--limit BYTES] [--json]`: status 1 if it is more than the
 * limit (20 KiB) when compressed, without msgpack-lite.
 */

import { build, type Plugin } from "esbuild";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { brotliCompressSync, gzipSync } from "node:zlib";
import manifest from "../deno.json" with { type: "json" };
import { FOR_BROWSERS } from "../npm/_metadata.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const { values: options } = parseArgs({ options: { limit: { type: "string" }, json: { type: "boolean" } } });
const limitBytes = Number(options.limit ?? 20 * 1024);
if (!(limitBytes > 0)) {
  throw new RangeError(`Cannot measure: --limit must be above 0, got "${options.limit}"`);
}
const FILES_FOR_BROWSERS = new Map(
  Object.entries(FOR_BROWSERS).map(([path, other]) => [join(ROOT, path), join(ROOT, other)]),
);
const KEEP_ALIVE = ["Bootstrap", "keepAlive"];
/** What one may take of it, each with all before it. */
const STEPS = {
  "a channel and WebSocket": ["Bootstrap"],
  "+ heartbeats, messages": [
    "IdleStateHandler",
    "VarintFrameDecoder",
    "VarintFrameEncoder",
    "HeartbeatDecoder",
    "HeartbeatEncoder",
    "MessagePackCodec",
  ],
  "+ reconnecting": ["ReconnectHandler"],
  "+ learning: keepAlive()": KEEP_ALIVE,
  "+ sessions": ["SessionHandler"],
};
/** The bundle for browsers that the package brings along. */
const MESSAGE_PACK = createRequire(import.meta.url).resolve("msgpack-lite/dist/msgpack.min.js");

/**
 * As package.json says of the package: what nobody uses of a module is left out,
 * and so is what it imports; some files are others for browsers.
 */
const asPackaged: Plugin = {
  name: "as packaged",
  setup(build) {
    build.onResolve({ filter: /\.ts$/ }, async ({ path, resolveDir, kind, pluginData }) => {
      if (pluginData === "resolved") return undefined;
      const { path: file } = await build.resolve(path, { resolveDir, kind, pluginData: "resolved" });
      return { path: FILES_FOR_BROWSERS.get(file) ?? file, sideEffects: false };
    });
  },
};

const WITHOUT = { external: ["msgpack-lite"] };
const without = await bundle(KEEP_ALIVE, WITHOUT);
const withMessagePack = await bundle(KEEP_ALIVE, { alias: { "msgpack-lite": MESSAGE_PACK } });
const isTooMuch = without.size.brotli > limitBytes;

console.log("bytes                    minified    gzip  brotli");
row("without msgpack-lite", without.size);
row("with msgpack-lite", withMessagePack.size);
console.log("\nminified bytes by folder, without msgpack-lite");
for (const [folder, bytes] of without.folders) console.log(`${folder.padEnd(24)} ${text(bytes)}`);
console.log("\nstep by step, without msgpack-lite");
const steps: Record<string, Size> = {};
const names = new Set<string>();
for (const [step, more] of Object.entries(STEPS)) {
  for (const name of more) names.add(name);
  row(step, steps[step] = (await bundle([...names], WITHOUT)).size);
}
const verdict = isTooMuch ? "more than" : "within";
console.log(`\n${without.size.brotli} bytes minified and compressed, ${verdict} the limit of ${limitBytes}`);
if (options.json) {
  const folders = Object.fromEntries(without.folders);
  const sizes = { without: without.size, with: withMessagePack.size, folders, steps, limitBytes };
  console.log(JSON.stringify(sizes));
}
if (isTooMuch) process.exitCode = 1;

interface Size {
  readonly minified: number;
  readonly gzip: number;
  readonly brotli: number;
}

/** The names of the root export, and the WebSocket transport. */
function entryOf(names: readonly string[]): string {
  return `
    import { ${names.join(", ")} } from "${manifest.exports["."]}";
    import { webSocket } from "${manifest.exports["./transports/web-socket"]}";
    globalThis.longlink = { ${names.join(", ")}, webSocket };
  `;
}

async function bundle(
  names: readonly string[],
  options: { external?: string[]; alias?: Record<string, string> },
): Promise<{ size: Size; folders: [name: string, bytes: number][] }> {
  const { outputFiles, metafile } = await build({
    ...options,
    absWorkingDir: ROOT,
    stdin: { contents: entryOf(names), resolveDir: ROOT, loader: "ts" },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    metafile: true,
    plugins: [asPackaged],
  });
  const code = outputFiles[0]!.contents;
  const size = {
    minified: code.length,
    gzip: gzipSync(code, { level: 9 }).length,
    brotli: brotliCompressSync(code).length,
  };
  const folders = new Map<string, number>();
  for (const [path, { bytesInOutput }] of Object.entries(Object.values(metafile.outputs)[0]!.inputs)) {
    const folder = path.split("/").slice(0, -1).join("/") || "(the entry)";
    folders.set(folder, (folders.get(folder) ?? 0) + bytesInOutput);
  }
  return { size, folders: [...folders].sort(([, one], [, two]) => two - one) };
}

function row(what: string, { minified, gzip, brotli }: Size): void {
  console.log(`${what.padEnd(24)} ${text(minified)} ${text(gzip)} ${text(brotli)}`);
}

function text(bytes: number): string {
  return String(bytes).padStart(8);
}
