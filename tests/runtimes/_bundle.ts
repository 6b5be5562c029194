/**
 * Bundles the test files as they are, for runtimes that read no TypeScript
 * (Node 20) and have no `Deno`: what they use of it comes from _deno.ts.
 */

import { build, type Plugin } from "esbuild";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import manifest from "../../deno.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The parts of deno.json that say what a bare specifier is. */
const PACKAGES: Readonly<Record<string, string>> = manifest.imports;
const OWN_EXPORTS = Object.entries(manifest.exports).map((
  [subpath, path],
) => [manifest.name + subpath.slice(1), path]);
const LINKED = manifest.links.map((folder) => [`@std/${folder.split("/").at(-1)}`, `${folder}/mod.ts`]);
/** The specifiers that are files of this checkout, and which. */
const OWN_FILES = new Map(
  [...OWN_EXPORTS, ...LINKED].map(([specifier, path]) => [specifier, join(ROOT, path!)]),
);

/** What was bundled. */
export interface Bundle {
  /** The bundled test files, each by its path within the checkout. */
  readonly files: readonly string[];
  /** The npm packages that they need, as `npm install` wants them. */
  readonly packages: readonly string[];
}

/**
 * @param tests Test files, by their paths within the checkout.
 * @param folder Where the bundles go, under the same paths, with `.mjs` in place of `.ts`.
 */
export async function bundle(tests: readonly string[], folder: string): Promise<Bundle> {
  const packages = new Set<string>();
  await build({
    absWorkingDir: ROOT,
    entryPoints: [...tests],
    outbase: ROOT,
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    // Each shared module is a chunk, so that no class exists twice.
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "linked",
    logLevel: "warning",
    // Not a global: then the library would take the runtime for Deno.
    inject: [join(ROOT, "tests/runtimes/_deno.ts")],
    plugins: [checkout(packages)],
  });
  return { files: tests.map((path) => path.replace(/\.ts$/, ".mjs")), packages: [...packages].sort() };
}

/** Resolves as deno.json does, and leaves each module the address that its source has. */
function checkout(packages: Set<string>): Plugin {
  return {
    name: "checkout",
    setup(build) {
      build.onResolve({ filter: /^(@|[a-z])/ }, ({ path, kind }) => {
        if (kind === "entry-point" || path.startsWith("node:")) return undefined;
        const file = OWN_FILES.get(path);
        if (file !== undefined) return { path: file };
        const [, name, range] = /^npm:((?:@[^/]+\/)?[^@/]+)(?:@([^/]+))?$/.exec(PACKAGES[path] ?? path) ?? [];
        if (name === undefined) {
          return { errors: [{ text: `"${path}" is neither in deno.json nor an npm package` }] };
        }
        packages.add(range === undefined ? name : `${name}@${range}`);
        return { path: name, external: true };
      });
      build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const contents = (await Deno.readTextFile(path))
          .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href))
          .replaceAll("import.meta.dirname", JSON.stringify(dirname(path)));
        // Node 20 lacks it. The tests may use it all the same; the library may not, and fails where it does.
        const isTest = path.startsWith(join(ROOT, "tests/"));
        return {
          contents: isTest ? contents.replaceAll(/\bPromise\.withResolvers\b/g, "withResolvers") : contents,
          loader: "ts",
        };
      });
    },
  };
}
