/** What messages of a chat cost to encode and decode, and how much of it is msgpack-lite. */

import { type RunOptions, tablesOf } from "./_in_both.ts";
import type { Measurement } from "./_measurement.ts";
import { numbersOf } from "./_table.ts";

/** Measures the MessagePackCodec as it is and with other encoders, and those alone. */
export async function benchCodec(options: RunOptions = { runs: 3 }): Promise<Measurement> {
  const tables = await tablesOf("codec", "messages", options);
  return {
    numbers: numbersOf(tables),
    tables,
    notes: [
      "ns for {id, from, to, text, ts}, 170 bytes of MessagePack, and for an array of 20 of them",
      'the MessagePackCodec as it is, on msgpack-lite; "on" another library: with that as its encode and decode',
      "the codec checks what it decodes (lengths, depth, keys) before the library sees it, the libraries alone do not",
      "JSON is with its UTF-8, as the wire carries bytes; frames and hops are not in it",
    ],
  };
}
