import { rename } from "node:fs/promises";
import { join } from "node:path";
import manifest from "../deno.json" with { type: "json" };

/** Runs a command in a folder and shows what it says; a status other than 0 is an error. */
export async function run(cwd: string, command: string, ...args: string[]): Promise<void> {
  const { success, code } = await new Deno.Command(command, { args, cwd, stdin: "null" }).spawn().status;
  if (!success) throw new Error(`"${command} ${args.join(" ")}" ended with status ${code}`);
}

/** Makes the tarball of a package's folder, and gives its path. */
export async function packed(source: string, folder: string): Promise<string> {
  await run(folder, "npm", "pack", "--silent", "--pack-destination", folder, source);
  const tarball = join(folder, "package.tgz");
  await rename(join(folder, `${manifest.name.slice(1).replace("/", "-")}-${manifest.version}.tgz`), tarball);
  return tarball;
}
