/**
 * A process that keeps sessions until somebody kills it:
 * `_session_writer.ts FOLDER SEED`. Each line that it prints says what the
 * store had passed for: the session's key and the number of its last message.
 */

import { FileSessionStore } from "../../../handlers/stores/file_session_store.ts";
import type { SessionRecord } from "../../../handlers/mod.ts";

const [path, seed] = Deno.args as [string, string];
const store = new FileSessionStore({ path });
const id = "00112233445566778899aabbccddeeff";

/** Message number n of a session says so, and is of a length that n decides. */
function messageOf(number: number): Uint8Array {
  return new TextEncoder().encode(`${number} `.padEnd(8 + (number * 7_919) % 3_000, "."));
}

/** Printed at once: what the process still had in memory when it was killed would be missing. */
function report(key: string, last: number): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${key} ${last}\n`));
}

async function keep(key: string): Promise<void> {
  let claimed = await store.claim(key);
  if (claimed === undefined) {
    const record: SessionRecord = {
      id,
      token: "0".repeat(64),
      links: 1,
      received: 0,
      acknowledged: 0,
      messages: [],
      atMs: 1,
    };
    claimed = { record, claim: await store.create(key, record) };
  }
  let { claim } = claimed;
  let { acknowledged } = claimed.record;
  let last = acknowledged + claimed.record.messages.length;
  report(key, last);
  for (let round = 1;; round++) {
    const numbers = Array.from({ length: 1 + (round % 3) }, (_, i) => last + 1 + i);
    last += numbers.length;
    acknowledged = Math.max(acknowledged, last - 4);
    const messages = numbers.map(messageOf);
    await store.update(key, claim, { messages, acknowledged, received: last, atMs: last });
    report(key, last);
    // So that it is killed in the middle of these, too.
    if (round % 20 === 0) claim = (await store.claim(key))!.claim;
    if (round % 50 === 0) {
      const other = `${key} ${round} ${seed}`;
      await store.remove(other, await store.create(other, claimed.record));
    }
  }
}

await Promise.all(["a", "b", "c"].map(keep));
