/** What a heartbeat costs to encode and decode, next to MessagePack libraries on the same fields. */

import { type RunOptions, tablesOf } from "./_in_both.ts";
import type { Measurement } from "./_measurement.ts";
import { numbersOf } from "./_table.ts";

/** Measures a heartbeat's way to bytes and back. */
export async function benchHeartbeat(options: RunOptions = { runs: 3 }): Promise<Measurement> {
  const tables = await tablesOf("heartbeat", "a heartbeat", options);
  return {
    numbers: numbersOf(tables),
    tables,
    notes: [
      "ns to encode and decode one of 512 heartbeats that were made before: kind, time, sequence, acknowledgement and its bit",
      "object: the libraries get and give an object with these five keys; array: the five values alone",
      "decoding ends in a Heartbeat, which is checked, here, and in what the library makes there; frames are not in it",
    ],
  };
}
