/**
 * Which of the project's tests run in a page, and one script with all of them.
 *
 * @module
 */

import { transform } from "esbuild";
import { bundle } from "../../examples/demo/ui/_bundle.ts";

import manifest from "../../deno.json" with { type: "json" };

/** The project's modules as a user imports them, and their files. */
const OWN_EXPORTS = new Map(
  Object.entries(manifest.exports).map((
    [name, path],
  ) => [manifest.name + name.slice(1), path.slice("./".length)]),
);
const ROOT = new URL("../../", import.meta.url);
const FOLDERS = ["tests/pipeline/", "tests/handlers/", "tests/fuzz/"];
/** Tests of a page alone, besides those of the folders. */
const OWN = ["tests/browser/in_page/web_socket_suite.ts"];
/** They use `Deno`, but for one test, which is left out. */
const WITHOUT_SOME = ["tests/pipeline/system_event_loop_test.ts"];

/** Tests whose file runs here and which do not. */
export const LEFT_OUT: ReadonlyMap<string, string> = new Map([
  ["SystemEventLoop lets the process go once nothing is pending", "starts a process"],
  [
    "BrowserEventsHandler adds no listener to the globals of this runtime, and takes a browser's",
    "puts a document in place of the page's, which stays",
  ],
  [
    "ChannelPromise reports what a listener throws, and calls the others",
    "expects the error event a turn sooner",
  ],
  [
    "Channel keeps what onUnhandled throws away from its pipeline and its link",
    "expects the error event a turn sooner",
  ],
  ["streamLink() ends with a protocol error where the stream gives no bytes", "needs ReadableStream.from"],
]);

/** What is found. */
export interface PageSuites {
  readonly files: readonly string[];
  /** Files that need what no page has. */
  readonly others: readonly string[];
}

/** Looks at every test file, and at what it imports of the tests. */
export async function pageSuites(): Promise<PageSuites> {
  const found = (await Promise.all(FOLDERS.map(testFiles))).flat().sort();
  const needs = await Promise.all(found.map(needsMoreThanAPage));
  return {
    files: [...found.filter((path, i) => !needs[i] || WITHOUT_SOME.includes(path)), ...OWN],
    others: found.filter((path, i) => needs[i] && !WITHOUT_SOME.includes(path)),
  };
}

/** Modules that the assertions import, as a page has them. */
export async function nodeModules(): Promise<Record<string, string>> {
  const modules = ["assert", "util"].map(async (name) => {
    return [`node:${name}`, await bundle(new URL(`tests/browser/in_page/node_${name}.ts`, ROOT))];
  });
  return Object.fromEntries(await Promise.all(modules));
}

/** One script with all test files and the library, for a browser. */
export async function bundleSuites(files: readonly string[]): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const entry = new URL(`file://${folder}/suites.ts`);
    const shim = new URL("tests/browser/in_page/test_shim.ts", ROOT);
    const control = new URL("tests/browser/in_page/remote_control.ts", ROOT);
    // First, so that it can tell of a file that cannot be loaded.
    const modules = [control.href, shim.href, ...files.map((path) => new URL(path, ROOT).href)];
    await Deno.writeTextFile(entry, modules.map((url) => `import ${JSON.stringify(url)};\n`).join(""));
    // Tests say `await using`, which not all browsers know yet.
    const { code } = await transform(await bundle(entry), { target: "es2022", format: "esm" });
    // A name of the module, in which all files are one; the global stays missing.
    return `const Deno = { test: (...test) => globalThis.pageTests.define(...test) };\n${code}`;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function testFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) files.push(...await testFiles(`${folder}${name}/`));
    else if (name.endsWith("_test.ts")) files.push(folder + name);
  }
  return files;
}

/** By what a module and all that it imports say. */
async function needsMoreThanAPage(entry: string): Promise<boolean> {
  const modules = new Set([entry]);
  for (const path of modules) {
    const code = await source(path);
    // The library itself asks whether there is a Deno.
    if (path.startsWith("tests/") && /\bDeno\.(?!test\b)/.test(code)) return true;
    for (const [, specifier] of code.matchAll(/\b(?:from |import\()"([^"]+)"/g)) {
      if (/^(node:|npm:|ws$|fake-)/.test(specifier!)) return true;
      const own = OWN_EXPORTS.get(specifier!);
      if (own !== undefined) modules.add(own);
      else if (/^\..*\.ts$/.test(specifier!)) {
        modules.add(new URL(specifier!, new URL(path, ROOT)).href.slice(ROOT.href.length));
      }
    }
  }
  return false;
}

const sources = new Map<string, Promise<string>>();

function source(path: string): Promise<string> {
  let text = sources.get(path);
  if (text === undefined) sources.set(path, text = Deno.readTextFile(new URL(path, ROOT)));
  return text;
}
