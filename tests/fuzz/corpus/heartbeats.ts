import { Heartbeat } from "../../../handlers/mod.ts";

/** One message, and what messagePackFormat() makes of it: a heartbeat, no heartbeat, or an error with this in its message. */
export type HeartbeatCase =
  & { readonly what: string; readonly hex: string }
  & ({ readonly heartbeat: Heartbeat } | { readonly isMessage: true } | { readonly refused: string });

export const HEARTBEATS: readonly HeartbeatCase[] = [
  { what: "all zeros", hex: "c7 06 4c 00 00 00 00 00 00", heartbeat: new Heartbeat("ping") },
  {
    what: "all ones",
    hex: "c7 06 4c ff ff ff ff ff ff",
    heartbeat: new Heartbeat(15, {
      timeMs: 13_107_100,
      sequence: 511,
      acknowledgement: 65_535,
      hasAcknowledgement: true,
    }),
  },
  {
    what: "the spare bit",
    hex: "c7 06 4c 10 00 00 04 00 01",
    heartbeat: new Heartbeat("pong", { sequence: 1 }),
  },
  {
    what: "an acknowledgement of 0",
    hex: "c7 06 4c 10 00 00 04 00 02",
    heartbeat: new Heartbeat("pong", { sequence: 1, hasAcknowledgement: true }),
  },
  {
    what: "an acknowledgement that is none",
    hex: "c7 06 4c 50 f3 08 03 2b f8",
    heartbeat: new Heartbeat("scout", { timeMs: 777_700, acknowledgement: 51_966 }),
  },
  { what: "a void of no reason", hex: "c7 06 4c 30 00 00 00 00 00", heartbeat: new Heartbeat("void") },
  {
    what: "a void of a later reason",
    hex: "c7 06 4c 3f ff f8 00 00 00",
    heartbeat: new Heartbeat("void", { timeMs: 13_107_100 }),
  },
  { what: "a go-away", hex: "c7 06 4c 60 01 90 04 00 00", heartbeat: Heartbeat.goAway("shutdown", 5000) },
  {
    what: "a go-away of a later reason",
    hex: "c7 06 4c 60 00 07 fc 00 00",
    heartbeat: new Heartbeat("goAway", { sequence: 511 }),
  },
  {
    what: "advice",
    hex: "c7 06 4c 70 5d 48 00 00 00",
    heartbeat: new Heartbeat("advice", { timeMs: 298_500 }),
  },
  {
    what: "advice of the longest time, with all that it does not say",
    hex: "c7 06 4c 7f ff ff ff ff fe",
    heartbeat: new Heartbeat("advice", {
      timeMs: 13_107_100,
      sequence: 511,
      acknowledgement: 65_535,
      hasAcknowledgement: true,
    }),
  },
  { what: "advice of no time", hex: "c7 06 4c 70 00 00 00 00 00", heartbeat: new Heartbeat("advice") },
  {
    what: "the first kind of a later version",
    hex: "c7 06 4c 80 00 00 00 00 00",
    heartbeat: new Heartbeat(8),
  },
  {
    what: "a hello of a later version with all abilities",
    hex: "c7 06 4c 40 00 07 fc 00 00",
    heartbeat: new Heartbeat("hello", { sequence: 511 }),
  },
  { what: "nothing", hex: "", isMessage: true },
  { what: "an ext 8 and no more", hex: "c7", isMessage: true },
  { what: "an ext 8 without its type", hex: "c7 06", isMessage: true },
  { what: "an ext 8 of another type", hex: "c7 06 4d 00 00 00 00 00 00", isMessage: true },
  { what: "the type where the length is", hex: "c7 4c 06 00 00 00 00 00 00", isMessage: true },
  {
    what: "an ext 32 of another type, with the type in its length",
    hex: "c9 00 4c 00 00 05",
    isMessage: true,
  },
  { what: "a session frame", hex: "c1 06 4c 00 00 00 00 00 00", isMessage: true },
  { what: "a byte string of it", hex: "c4 09 c7 06 4c 00 00 00 00 00 00", isMessage: true },
  { what: "a header and nothing else", hex: "c7 06 4c", refused: "it announces 6 and has 0" },
  { what: "a byte too few", hex: "c7 06 4c 00 00 00 00 00", refused: "it announces 6 and has 5" },
  { what: "a byte too many", hex: "c7 06 4c 00 00 00 00 00 00 00", refused: "it announces 6 and has 7" },
  {
    what: "another length than it has",
    hex: "c7 05 4c 00 00 00 00 00 00",
    refused: "it announces 5 and has 6",
  },
  { what: "nothing, as an ext 8 of length 0", hex: "c7 00 4c", refused: "it announces 0 and has 0" },
  { what: "a fixext 1", hex: "d4 4c 00", refused: "an ext of kind 0xd4 with 1" },
  { what: "a fixext 16", hex: "d8 4c" + " 00".repeat(16), refused: "an ext of kind 0xd8 with 16" },
  { what: "an ext 16", hex: "c8 00 06 4c 00 00 00 00 00 00", refused: "an ext of kind 0xc8 with 6" },
  { what: "an ext 32 that lies", hex: "c9 ff ff ff ff 4c 00", refused: "an ext of kind 0xc9 with 1" },
  { what: "a long message that begins like one", hex: "c7 06 4c" + " 00".repeat(16), isMessage: true },
];
