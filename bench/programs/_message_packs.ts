/** The MessagePack libraries that the bench installed. */

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

/** What is used of each. */
export interface MessagePack {
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

/** Loads them from the folder that holds them, with their defaults. */
export async function loadPeers(folder: string): Promise<Record<string, MessagePack>> {
  const require = createRequire(pathToFileURL(`${folder}/package.json`));
  const load = async (name: string) => await import(pathToFileURL(require.resolve(name)).href);
  return {
    "msgpack-lite": (await load("msgpack-lite")).default,
    "@msgpack/msgpack": await load("@msgpack/msgpack"),
    msgpackr: await load("msgpackr"),
  };
}
