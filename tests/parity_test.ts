import { assert, assertEquals, assertMatch } from "@std/assert";
import manifest from "../deno.json" with { type: "json" };

const root = new URL("../", import.meta.url);

/** Names of the files in a folder, sorted; a leading _ marks what is private to it. */
function publicFiles(folder: string): string[] {
  return Array.from(Deno.readDirSync(new URL(folder, root)))
    .filter(({ isFile, name }) => isFile && name.endsWith(".ts") && !name.startsWith("_"))
    .map(({ name }) => name)
    .sort();
}

/** Paths of all files under a folder that end with the suffix, from the root on. */
function filesUnder(folder: string, suffix: string): string[] {
  return Array.from(Deno.readDirSync(new URL(folder, root))).flatMap(({ isDirectory, name }) => {
    if (isDirectory) return filesUnder(`${folder}${name}/`, suffix);
    return name.endsWith(suffix) ? [folder + name] : [];
  }).sort();
}

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, root));
}

/** Source without comments, where examples import as a user would. */
function code(path: string): string {
  return read(path).replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
}

/** What a module imports or re-exports, as written. */
function specifiersOf(path: string): string[] {
  const statements = code(path).matchAll(/\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g);
  return Array.from(statements, (match) => match[1]!);
}

/** A relative specifier as a path from the root. */
function resolve(specifier: string, from: string): string {
  return new URL(specifier, new URL(from, root)).href.slice(root.href.length);
}

/** Every module that a module pulls in, itself included, and the specifiers that lead out of the project. */
function graphOf(entry: string): { modules: Set<string>; outside: Set<string> } {
  const modules = new Set<string>();
  const outside = new Set<string>();
  const open = [entry];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (modules.has(path)) continue;
    modules.add(path);
    for (const specifier of specifiersOf(path)) {
      if (specifier.startsWith(".")) open.push(resolve(specifier, path));
      else outside.add(specifier);
    }
  }
  return { modules, outside };
}

Deno.test("deno.json exports every transport under its kebab-case name", () => {
  const wanted = publicFiles("pipeline/transports/").map((file) => {
    const name = file.slice(0, -".ts".length).replaceAll("_", "-");
    return [`./transports/${name}`, `./pipeline/transports/${file}`];
  });
  const actual = Object.entries(manifest.exports).filter(([name]) => name.startsWith("./transports/"));
  assertEquals(actual.sort(), wanted.sort());
});

Deno.test("deno.json exports files that exist and are published", () => {
  for (const path of Object.values(manifest.exports)) {
    assert(Deno.statSync(new URL(path, root)).isFile, path);
    const isPublished = manifest.publish.include.some((include) => path.slice(2).startsWith(include));
    assert(isPublished, `${path} is not in publish.include`);
  }
});

Deno.test("deno.json checks the documentation of every export", () => {
  const linted = manifest.tasks.check.command.split("doc --lint ")[1]!.split(" ");
  for (const path of Object.values(manifest.exports)) {
    const folder = path.slice(2, path.lastIndexOf("/") + 1);
    assert(
      linted.includes(path.slice(2)) || linted.includes(`${folder}[!_]*.ts`),
      `${path} is not in the check task`,
    );
  }
});

for (const folder of ["pipeline/", "handlers/"]) {
  Deno.test(`${folder}mod.ts re-exports every public file of its folder that is no export of its own`, () => {
    const own: string[] = Object.values(manifest.exports);
    const wanted = publicFiles(folder)
      .filter((file) => file !== "mod.ts" && !own.includes(`./${folder}${file}`))
      .map((file) => `./${file}`);
    const actual = specifiersOf(`${folder}mod.ts`).filter((specifier) => specifier.lastIndexOf("/") === 1);
    assertEquals(actual.sort(), wanted);
  });
}

Deno.test("handlers/mod.ts re-exports every public file of its subfolders that is no export of its own", () => {
  const { modules } = graphOf("handlers/mod.ts");
  // An export may be a module that only names others, as the one of the file stores does.
  const own = Object.values(manifest.exports).flatMap((path) => [
    path.slice("./".length),
    ...Array.from(code(path).matchAll(/export \* from "([^"]+)"/g), (match) => resolve(match[1]!, path)),
  ]);
  const wanted = filesUnder("handlers/", ".ts")
    .filter((path) => path.split("/").length === 3 && !/\/_|\.d\.ts$/.test(path));
  assertEquals(wanted.filter((path) => modules.has(path) === own.includes(path)), []);
});

Deno.test("pipeline/ never imports handlers/", () => {
  for (const path of filesUnder("pipeline/", ".ts")) {
    for (const specifier of specifiersOf(path).filter((specifier) => specifier.startsWith("."))) {
      assertMatch(resolve(specifier, path), /^pipeline\//, `${path} imports ${specifier}`);
    }
  }
});

Deno.test("handlers/ imports pipeline/mod.ts and nothing else of the project", () => {
  for (const path of filesUnder("handlers/", ".ts")) {
    for (const specifier of specifiersOf(path).filter((specifier) => specifier.startsWith("."))) {
      assertMatch(
        resolve(specifier, path),
        /^(handlers\/.*|pipeline\/mod\.ts)$/,
        `${path} imports ${specifier}`,
      );
    }
  }
});

Deno.test("mod.ts pulls in nothing that a browser lacks", () => {
  const { modules, outside } = graphOf("mod.ts");
  assert(modules.size > 10, "the walk over the imports found too little");
  assertEquals([...modules].filter((path) => path.startsWith("pipeline/transports/")), []);
  assertEquals([...outside], ["msgpack-lite"]);
});

Deno.test("pipeline/ and handlers/ take time and chance from the event loop", () => {
  const globals =
    /(?<![.#\w])(?:globalThis\.)?(?:Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval|Math\.random)\b/;
  const allowed = ["pipeline/system_event_loop.ts", "pipeline/worker_timers.ts"];
  for (const path of [...filesUnder("pipeline/", ".ts"), ...filesUnder("handlers/", ".ts")]) {
    if (!allowed.includes(path)) {
      assert(!globals.test(code(path)), `${path}: ${globals.exec(code(path))?.[0]}`);
    }
  }
});

Deno.test("README.md has one Deno version, which .ci/run takes from there", () => {
  const places = [read("README.md"), read("CONTRIBUTING.md"), ...filesUnder("docs/", ".md").map(read)];
  const versions = places.flatMap((text) =>
    Array.from(text.matchAll(/\bdeno@([0-9.]*[0-9])/g), (match) => match[1]!)
  );
  assertEquals(new Set(versions).size, 1, `versions: ${versions.join(", ")}`);
  assertMatch(read("README.md"), /^npx -y deno@[0-9.]+ task test\b/m);
  assertMatch(read("README.md"), /^npx -y deno@[0-9.]+ task demo\b/m);
  assertEquals(read(".ci/run").match(/deno@[0-9]/), null);
});
