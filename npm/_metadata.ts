/** What package.json says besides what follows from deno.json's exports. */

import manifest from "../deno.json" with { type: "json" };

/**
 * What bundlers take for browsers in place of a file, both from the root of the
 * checkout: a page cannot listen, and loads nothing of what would.
 */
export const FOR_BROWSERS: Readonly<Record<string, string>> = {
  "./pipeline/transports/_web_socket_server.ts": "./pipeline/transports/_web_socket_no_server.ts",
};

/**
 * The fields that are the same whoever makes the package.
 *
 * @param modules Where its modules are, such as `./esm/`.
 */
export function metadata(modules: string): Record<string, unknown> {
  return {
    description:
      "Keeps long connections alive: a Netty-style channel pipeline whose handlers learn how long a " +
      "network lets a link idle, beat just often enough, notice a dead link within seconds and bring it back",
    keywords: ["heartbeat", "keepalive", "websocket", "tcp", "nat", "reconnect", "pipeline", "netty"],
    // Handlers and transports that nobody imports are left out of a bundle.
    sideEffects: false,
    // msgpack-lite looks for Buffer at the top-level `this`, which rollup (and Vite up to 7) makes
    // undefined: the page would stop there. Its own bundle for browsers does not.
    browser: { ...forBrowsers(modules), "msgpack-lite": "msgpack-lite/dist/msgpack.min.js" },
    engines: { node: ">=20" },
    bin: { longlink: "./bin.js" },
    // npm shows with each version from which commit and by which run it was made.
    publishConfig: { access: "public", provenance: true },
    dependencies: dependencies(),
    ...peers(),
    ...repository(),
  };
}

function forBrowsers(modules: string): Record<string, string> {
  const built = (path: string) => modules + path.slice("./".length).replace(/\.ts$/, ".js");
  return Object.fromEntries(Object.entries(FOR_BROWSERS).map((paths) => paths.map(built)));
}

/** What is installed with the package. */
function dependencies(): Record<string, string> {
  return ranges("msgpack-lite");
}

/** What a user installs who wants the one part that loads it, when it is used. */
function peers(): Record<string, unknown> {
  const peerDependencies = ranges("redis");
  const peerDependenciesMeta = Object.fromEntries(
    Object.keys(peerDependencies).map((name) => [name, { optional: true }]),
  );
  return { peerDependencies, peerDependenciesMeta };
}

/** The version range of each, as deno.json has it. */
function ranges(...names: (keyof typeof manifest.imports)[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, manifest.imports[name].slice(`npm:${name}@`.length)]));
}

/**
 * The command of the package, made of the module that deno.json calls
 * `./cli`: that one runs if it is the main module, which Node 20 cannot tell.
 */
export function binOf(cli: string): string {
  const parts = cli.replace(/^#!.*\n/, "").split("import.meta.main");
  if (parts.length !== 2) throw new Error("Cannot make bin.js: cli.js must look at import.meta.main once");
  return `#!/usr/bin/env node\n${parts.join("true")}`;
}

/** npm believes the provenance only if the package names the repository of the run that publishes it. */
function repository(): Record<string, unknown> {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = Deno.env.toObject();
  if (server === undefined || name === undefined) return {};
  const url = `${server}/${name}`;
  return {
    repository: { type: "git", url: `git+${url}.git` },
    homepage: `${url}#readme`,
    bugs: { url: `${url}/issues` },
  };
}
