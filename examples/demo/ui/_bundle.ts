/**
 * The page's files, made when the demo starts.
 *
 * @module
 */

/** A file that the page is made of. */
export interface PageFile {
  readonly type: string;
  readonly body: string;
}

/**
 * Reads the page and bundles its code, with the library as it is in this checkout.
 *
 * @returns The files by their paths.
 * @throws {Error} If the code cannot be bundled.
 */
export async function pageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const page = new URL("./page/", import.meta.url);
  const [html, css, code] = await Promise.all([
    Deno.readTextFile(new URL("index.html", page)),
    Deno.readTextFile(new URL("style.css", page)),
    bundle(new URL("main.ts", page)),
  ]);
  return new Map([
    ["/", { type: "text/html; charset=utf-8", body: html }],
    ["/style.css", { type: "text/css; charset=utf-8", body: css }],
    ["/main.js", { type: "text/javascript; charset=utf-8", body: code }],
  ]);
}

/** One script with all that the module imports, for a browser. */
export async function bundle(module: URL): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform=browser", module.href],
    cwd: new URL("../../..", import.meta.url), // where deno.json is, wherever the demo was started
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`Cannot bundle the page: ${text.decode(stderr).trim()}`);
  return text.decode(stdout);
}
