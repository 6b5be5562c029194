/**
 * `longlink demo`: the demo of the checkout.
 *
 * @module
 */

import type { Command, CommandIo } from "./command.ts";

/** What is used of the demo's module. */
interface DemoModule {
  runDemo(args: readonly string[], io: CommandIo, command: string): Promise<number>;
}

/** The command. */
export const demo: Command = {
  summary: "in a checkout: watch a link learn behind a NAT; --ui: in a page",
  run,
};

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { runDemo } = await load();
  return await runDemo(args, io, "longlink demo");
}

/**
 * By an address that is put together here, so that no packager takes the demo
 * with its NAT, its page and a chart library along with the command line.
 */
async function load(): Promise<DemoModule> {
  const address = new URL("../examples/demo/main.ts", import.meta.url).href;
  try {
    return await import(address);
  } catch (cause) {
    if ((cause as { readonly code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new Error(
      "Cannot run the demo: it is not part of the package; in a checkout of the project: deno task demo --ui",
      { cause },
    );
  }
}
