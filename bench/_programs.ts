/** Runs the programs of bench/programs, each in a process of its own, in Deno and in Node. */

import { build, stop } from "esbuild";
import { createHash } from "node:crypto";

/** What one would use instead, from npm; pinned, so that numbers of different days can be compared. */
const PEERS = [
  "@msgpack/msgpack@3.1.3",
  "@nats-io/nats-core@3.4.0",
  "mqtt@5.16.0",
  "msgpack-lite@0.1.26",
  "msgpackr@1.12.1",
  "partysocket@1.3.0",
  "socket.io-client@4.8.4",
];

let peersFolder: Promise<string> | undefined;
const bundles = new Map<string, Promise<string>>();

/** The folder with the peers' node_modules, in the user's cache; none of them is a dependency. */
export function peers(): Promise<string> {
  return peersFolder ??= installPeers();
}

async function installPeers(): Promise<string> {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  const version = createHash("sha256").update(PEERS.join()).digest("hex").slice(0, 12);
  const folder = `${cache}/longlink-bench/${version}`;
  const done = `${folder}/installed`;
  if (await exists(done)) return folder;
  console.error(`  installing ${PEERS.join(", ")}`);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/package.json`, '{"private":true,"type":"module"}');
  await output("npm", ["install", "--silent", "--no-audit", "--no-fund", ...PEERS], folder);
  await Deno.writeTextFile(done, "");
  return folder;
}

/** What a program prints as its last line, run in Deno. */
export async function inDeno<T>(program: string, ...args: readonly string[]): Promise<T> {
  const { folder, script } = await bundled(program);
  const flags = ["run", "-A", "--quiet", "--no-config", "--no-lock", "--node-modules-dir=manual"];
  return lastLine(await output(Deno.execPath(), [...flags, script, folder, ...args], folder));
}

/** What a program prints as its last line, run in Node. */
export async function inNode<T>(program: string, ...args: readonly string[]): Promise<T> {
  const { folder, script } = await bundled(program);
  return lastLine(await output("node", [script, folder, ...args], folder));
}

/** Bundled for both runtimes, so that they run the same code; the peers stay outside, as their users have them. */
async function bundled(program: string): Promise<{ folder: string; script: string }> {
  const folder = await peers();
  let script = bundles.get(program);
  if (script === undefined) bundles.set(program, script = bundle(program, folder));
  return { folder, script: await script };
}

async function bundle(program: string, folder: string): Promise<string> {
  const script = `${folder}/${program}-${Deno.pid}.mjs`;
  await build({
    entryPoints: [`${import.meta.dirname}/programs/${program}.ts`],
    outfile: script,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    logLevel: "warning",
  });
  await stop();
  return script;
}

/** Removes what was bundled; the peers stay for the next time. */
export async function removeBundles(): Promise<void> {
  for (const script of bundles.values()) await Deno.remove(await script);
  bundles.clear();
}

/** Runs a command and returns what it prints; its stderr is shown. */
export async function output(command: string, args: readonly string[], cwd?: string): Promise<string> {
  const child = new Deno.Command(command, { args: [...args], cwd, stdin: "null", stderr: "inherit" });
  const { success, code, stdout } = await child.output();
  if (!success) throw new Error(`Cannot run ${command} ${args.join(" ")}: it ended with status ${code}`);
  return new TextDecoder().decode(stdout);
}

function lastLine<T>(text: string): T {
  return JSON.parse(text.trimEnd().split("\n").at(-1)!);
}

async function exists(file: string): Promise<boolean> {
  try {
    await Deno.stat(file);
    return true;
  } catch {
    return false;
  }
}
