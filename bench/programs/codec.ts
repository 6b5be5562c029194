/**
 * Chat messages to bytes and back: `codec.ts FOLDER [short]`. The
 * MessagePackCodec as it is and with other encoders, those encoders alone, and
 * JSON with UTF-8 around it, as the wire carries bytes. Prints, by row, the ns
 * of each.
 */

import process from "node:process";
import { MessagePackCodec } from "../../handlers/message_pack_codec.ts";
import type { ChannelHandlerContext, ChannelPromise } from "../../pipeline/mod.ts";
import { loadPeers, type MessagePack } from "./_message_packs.ts";
import { nsPerCall } from "./_rounds.ts";

const CHAT = {
  id: "01HZX3QK9V7M2J4N8P6R5T0W1Y",
  from: "user-48213",
  to: "room-general",
  text: "Shall we meet at the usual place tomorrow at seven? I will bring the maps. 👋",
  ts: 1_700_000_000_123,
};
const HISTORY = Array.from(
  { length: 20 },
  (_, i) => ({ ...CHAT, ts: CHAT.ts + i, text: CHAT.text.slice(i) }),
);

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder();
const { "msgpack-lite": lite, "@msgpack/msgpack": official, msgpackr } = await loadPeers(process.argv[2]!);
const ways: Record<string, MessagePack> = {
  longlink: inPipeline(new MessagePackCodec()),
  "msgpack-lite": lite!,
  "@msgpack/msgpack": official!,
  msgpackr: msgpackr!,
  JSON: {
    encode: (value) => utf8Encoder.encode(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(utf8Decoder.decode(bytes)),
  },
};
/** The codec with another encoder, by that one's name. */
const withOthers: Record<string, MessagePack> = {
  "@msgpack/msgpack": inPipeline(new MessagePackCodec(official)),
  msgpackr: inPipeline(new MessagePackCodec(msgpackr)),
};
const options = process.argv[3] === "short" ? { warmUpMs: 60, rounds: 40 } : { warmUpMs: 150, rounds: 100 };

let kept: unknown;
const rows: Record<string, Record<string, number>> = {};
for (const [what, value] of Object.entries({ "a message": CHAT, "20 messages": HISTORY })) {
  const encode: Record<string, () => void> = {};
  const decode: Record<string, () => void> = {};
  const add = (name: string, way: MessagePack) => {
    const bytes = way.encode(value);
    encode[name] = () => kept = way.encode(value);
    decode[name] = () => kept = way.decode(bytes);
    decode[name]();
    if (JSON.stringify(kept) !== JSON.stringify(value)) {
      throw new Error(`Cannot measure: ${name} does not give back what it got`);
    }
  };
  for (const [name, way] of Object.entries(ways)) add(name, way);
  for (const [name, way] of Object.entries(withOthers)) add(`on ${name}`, way);
  for (const [verb, calls] of Object.entries({ encode, decode })) {
    const ns = nsPerCall(calls, options);
    rows[`${verb} ${what}`] = Object.fromEntries(Object.keys(ways).map((name) => [name, ns[name]!]));
    for (const name of Object.keys(withOthers)) {
      rows[`${verb} ${what}, on ${name}`] = {
        longlink: ns[`on ${name}`]!,
        [name]: ns[name]!,
        JSON: ns.JSON!,
      };
    }
  }
}
console.log(JSON.stringify(rows));

/** The codec as the pipeline calls it, without the hops: what it passes on is what it made. */
function inPipeline(codec: MessagePackCodec): MessagePack {
  let passed: unknown;
  const context = {
    fireChannelRead: (message: unknown) => passed = message,
    fireExceptionCaught: (error: unknown) => {
      throw error;
    },
    write: (message: unknown) => passed = message,
  } as unknown as ChannelHandlerContext;
  const promise = {} as ChannelPromise;
  return {
    encode(value) {
      codec.write(context, value, promise);
      return passed as Uint8Array;
    },
    decode(bytes) {
      codec.channelRead(context, bytes);
      return passed;
    },
  };
}
