/** Makes ready what is measured: bundles for Node, npm's peers, Netty. */

import { build, stop } from "esbuild";

/** Of npm; pinned, so that numbers can be compared. */
const NPM = ["ws@8.18.3", "socket.io@4.8.1", "msgpack-lite@0.1.26"];
const JARS = ["common", "buffer", "resolver", "transport", "codec", "handler"].map((name) =>
  `/usr/share/java/netty-${name}.jar`
);
const SERVERS = ["longlink", "bare", "ws", "socket_io"];

/** How to start a server, without its arguments. */
export interface Runtimes {
  readonly node: (server: string) => string[];
  readonly deno: (server: string) => string[];
  /** undefined if Java or Netty is not there. */
  readonly netty: string[] | undefined;
  readonly folder: string;
}

/** Builds into a folder that the caller removes. */
export async function makeReady(): Promise<Runtimes> {
  const here = import.meta.dirname!;
  const folder = await Deno.makeTempDir({ prefix: "longlink-bench-" });
  await Deno.writeTextFile(`${folder}/package.json`, '{"private":true,"type":"module"}');
  await run("npm", ["install", "--silent", "--no-audit", "--no-fund", ...NPM], folder);
  await build({
    entryPoints: SERVERS.map((name) => `${here}/servers/${name}.ts`),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    logLevel: "warning",
  });
  await stop();
  return {
    folder,
    node: (server) => ["node", "--expose-gc", `${folder}/${server}.mjs`],
    deno: (server) => [
      Deno.execPath(),
      "run",
      "-A",
      "--v8-flags=--expose-gc",
      `${here}/servers/${server}.ts`,
    ],
    netty: await netty(`${here}/../netty/LinksServer.java`, folder),
  };
}

async function netty(source: string, folder: string): Promise<string[] | undefined> {
  try {
    await run("javac", ["-cp", JARS.join(":"), "-d", folder, source], folder);
  } catch (error) {
    console.error(`  no Netty: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
  return ["java", "-cp", [folder, ...JARS].join(":"), "LinksServer"];
}

async function run(command: string, args: string[], cwd: string): Promise<void> {
  const { success, code } = await new Deno.Command(command, { args, cwd, stdin: "null", stdout: "null" })
    .output();
  if (!success) throw new Error(`Cannot run ${command} ${args.join(" ")}: it ended with status ${code}`);
}
