/** What it takes to load the library, next to clients that keep a link up: import time, and what a browser loads. */

import { build, stop } from "esbuild";
import { brotliCompressSync } from "node:zlib";
import type { Measurement } from "./_measurement.ts";
import { output, peers } from "./_programs.ts";
import { numbersOf, type Row, type Table } from "./_table.ts";

const RUNS = 7;
const ROOT = new URL("..", import.meta.url).pathname;
const SIZE = new URL("size.ts", import.meta.url).pathname;
/** What is imported of each peer, and how a program uses it. */
const PEERS: Record<string, string> = {
  "socket.io-client": "io",
  mqtt: "default",
  "@nats-io/nats-core": "wsconnect",
  partysocket: "WebSocket",
};
const DENO_FLAGS = ["run", "-A", "--quiet", "--no-check", "--no-lock"];

/** Measures loading, each in a process of its own, in turns. */
export async function benchColdStart(): Promise<Measurement> {
  const folder = await peers();
  await using scratch = await packed(folder);
  const tcp = ["@longlink/pipeline", "@longlink/pipeline/transports/tcp"];
  const webSocket = ["@longlink/pipeline", "@longlink/pipeline/transports/web-socket"];
  const ours = (paths: string[]) => paths.map((path) => `file://${ROOT}${path}`);
  const deno = {
    "longlink, tcp": (run: Run) =>
      run.deno(ours(["mod.ts", "pipeline/transports/tcp.ts"]), `${ROOT}deno.json`),
    "longlink, web-socket": (run: Run) =>
      run.deno(ours(["mod.ts", "pipeline/transports/web_socket.ts"]), `${ROOT}deno.json`),
  };
  const node = {
    "longlink, tcp": (run: Run) => run.node(tcp),
    "longlink, web-socket": (run: Run) => run.node(webSocket),
  };
  const run = runIn(scratch.folder);
  const rows: Record<string, Record<string, number[]>> = {};
  for (let i = 0; i < RUNS; i++) {
    for (const [name, start] of Object.entries(deno)) {
      await note(rows, `${name}; in Deno`, "longlink", start(run));
    }
    for (const [name, start] of Object.entries(node)) {
      await note(rows, `${name}; in Node`, "longlink", start(run));
    }
    for (const peer of Object.keys(PEERS)) {
      const inDeno = await run.deno([peer]);
      const inNode = await run.node([peer]);
      for (const name of Object.keys(deno)) await note(rows, `${name}; in Deno`, peer, inDeno);
      for (const name of Object.keys(node)) await note(rows, `${name}; in Node`, peer, inNode);
    }
  }
  const tables: Table[] = [
    { title: "import", unit: "ms", rows: Object.entries(rows).map(([name, runs]) => ({ name, runs })) },
    { title: "bundle, minified, brotli", unit: "bytes", rows: await bundles(scratch.folder) },
  ];
  return {
    numbers: numbersOf(tables),
    tables,
    notes: [
      `import: ms for import() in a fresh process, median of ${RUNS}; the process itself is not in it, all files are in the page cache`,
      "longlink in Deno is its TypeScript, transpiled before, in Node the npm package; the peers are npm packages in both",
      "bundle: keepAlive(), Bootstrap and the WebSocket transport, and the peers' connecting functions, for browsers",
      "the peers do different things: socket.io-client, mqtt and nats-core have protocols of their own, partysocket only reconnects",
    ],
  };
}

interface Run {
  deno(modules: string[], config?: string): Promise<number>;
  node(modules: string[]): Promise<number>;
}

function runIn(folder: string): Run {
  const script = (modules: string[]) =>
    `const modules = ${JSON.stringify(modules)};
const start = performance.now();
// Deno loads what it finds written out beforehand.
for (const name of modules) await import(name);
console.log(performance.now() - start);
process.exit(0);`;
  const written = async (modules: string[]) => {
    const file = `${folder}/start.mjs`;
    await Deno.writeTextFile(file, `import process from "node:process";\n${script(modules)}`);
    return file;
  };
  return {
    async deno(modules, config) {
      const flags = config === undefined
        ? ["--no-config", "--node-modules-dir=manual"]
        : [`--config=${config}`];
      return Number(await output(Deno.execPath(), [...DENO_FLAGS, ...flags, await written(modules)], folder));
    },
    node: async (modules) => Number(await output("node", [await written(modules)], folder)),
  };
}

/** A folder whose node_modules has the peers and this library as npm would install it. */
async function packed(peersFolder: string): Promise<{ folder: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "longlink-bench-" });
  await Deno.writeTextFile(`${folder}/package.json`, '{"private":true,"type":"module"}');
  await Deno.mkdir(`${folder}/node_modules/@longlink/pipeline`, { recursive: true });
  for await (const { name } of Deno.readDir(`${peersFolder}/node_modules`)) {
    if (name.startsWith(".")) continue;
    await Deno.symlink(`${peersFolder}/node_modules/${name}`, `${folder}/node_modules/${name}`);
  }
  const tarball = `${folder}/package.tgz`;
  await output(Deno.execPath(), ["pack", "--quiet", "--allow-dirty", "--output", tarball], ROOT);
  const target = `${folder}/node_modules/@longlink/pipeline`;
  await output("tar", ["xzf", tarball, "--strip-components=1", "-C", target]);
  return { folder, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

async function note(
  rows: Record<string, Record<string, number[]>>,
  row: string,
  who: string,
  ms: number | Promise<number>,
): Promise<void> {
  ((rows[row] ??= {})[who] ??= []).push(await ms);
}

/** Bytes that a browser loads. */
async function bundles(folder: string): Promise<Row[]> {
  // Its status says whether it is within a limit, which is not the question here.
  const size = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", SIZE, "--json"],
    stderr: "inherit",
  })
    .output();
  const ours = JSON.parse(new TextDecoder().decode(size.stdout).trimEnd().split("\n").at(-1)!);
  const bytes: Record<string, number[]> = {};
  for (const [name, used] of Object.entries(PEERS)) {
    const { outputFiles } = await build({
      stdin: {
        contents: `import { ${used} as used } from "${name}"; globalThis.used = used;`,
        resolveDir: folder,
      },
      bundle: true,
      minify: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      write: false,
      logLevel: "warning",
    });
    bytes[name] = [brotliCompressSync(outputFiles[0]!.contents).length];
  }
  await stop();
  return [
    { name: "with msgpack-lite", runs: { longlink: [ours.with.brotli], ...bytes } },
    { name: "with a codec of one's own", runs: { longlink: [ours.without.brotli], ...bytes } },
  ];
}
