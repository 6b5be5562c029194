/**
 * A heartbeat to bytes and back, against MessagePack libraries on the same
 * fields: `heartbeat.ts FOLDER [short]`. All walk through the same 512
 * heartbeats, which are made beforehand. Prints the ns of each.
 */

import process from "node:process";
import { Heartbeat } from "../../handlers/heartbeat/heartbeat.ts";
import { messagePackFormat } from "../../handlers/heartbeat/message_pack_format.ts";
import { loadPeers } from "./_message_packs.ts";
import { nsPerCall } from "./_rounds.ts";

const HEARTBEATS = 512;

const format = messagePackFormat();
const heartbeats = Array.from({ length: HEARTBEATS }, (_, sequence) =>
  new Heartbeat("hold", {
    timeMs: 290_000,
    sequence,
    acknowledgement: sequence * 97,
    hasAcknowledgement: true,
  }));
const records = heartbeats.map(({ code, timeMs, sequence, acknowledgement, hasAcknowledgement }) => ({
  code,
  timeMs,
  sequence,
  acknowledgement,
  hasAcknowledgement,
}));
const arrays = records.map((record) => Object.values(record));

let next = 0;
let kept: unknown;
const calls: Record<string, () => void> = {
  longlink: () => kept = format.decode(format.encode(heartbeats[next++ % HEARTBEATS]!)),
};
for (const [name, { encode, decode }] of Object.entries(await loadPeers(process.argv[2]!))) {
  calls[`${name}, object`] = () => kept = decode(encode(records[next++ % HEARTBEATS]));
  calls[`${name}, array`] = () => kept = decode(encode(arrays[next++ % HEARTBEATS]));
}
const options = process.argv[3] === "short" ? { warmUpMs: 60, rounds: 60 } : { warmUpMs: 200, rounds: 200 };
const ns = nsPerCall(calls, options);
if (kept === undefined) throw new Error("Cannot measure: the last heartbeat was not decoded");
console.log(JSON.stringify({ "there and back": ns }));
