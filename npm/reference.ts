/**
 * Builds the reference, the pages that JSR shows for a version, of all exports
 * of deno.json into reference/.
 *
 * `deno task doc`
 */

import { join } from "node:path";
import process from "node:process";
import manifest from "../deno.json" with { type: "json" };
import { run } from "./_command.ts";

const root = join(import.meta.dirname!, "..");
try {
  const modules = Object.values(manifest.exports);
  await run(
    root,
    Deno.execPath(),
    "doc",
    "--html",
    `--name=${manifest.name}`,
    "--output=reference",
    ...modules,
  );
} catch (error) {
  console.error(`Cannot build the reference: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
