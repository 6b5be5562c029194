import type { SessionFrame } from "../../../handlers/session/_session_frame.ts";

/** One frame that begins with 0xc1, and what is made of it: a frame, one of a later version, or an error with this in its message. */
export type SessionFrameCase =
  & { readonly what: string; readonly hex: string }
  & ({ readonly frame: SessionFrame } | { readonly isUnknown: true } | { readonly refused: string });

const ID = "000102030405060708090a0b0c0d0e0f";
const TOKEN = "f0".repeat(32);

export const SESSION_FRAMES: readonly SessionFrameCase[] = [
  { what: "open", hex: "c1 01 01", frame: { kind: "open", version: 1 } },
  {
    what: "an open of a later version with more in it",
    hex: "c1 01 02 aa bb",
    frame: { kind: "open", version: 2 },
  },
  { what: "an open without its version", hex: "c1 01", refused: "in the middle of a number" },
  {
    what: "resume",
    hex: "c1 02 01 05 07" + ID + TOKEN,
    frame: { kind: "resume", version: 1, link: 5, received: 7, id: ID, token: TOKEN },
  },
  { what: "a resume without a token", hex: "c1 02 01 05 07" + ID, refused: "it has 0 of 32 bytes" },
  { what: "a resume with half an id", hex: "c1 02 01 05 07 00 01", refused: "it has 2 of 16 bytes" },
  {
    what: "opened",
    hex: "c1 03 c0 cf 24" + ID + TOKEN,
    frame: { kind: "opened", retentionMs: 600_000, id: ID, token: TOKEN },
  },
  { what: "an opened with a byte too many", hex: "c1 03 00" + ID + TOKEN + "00", refused: "1 bytes follow" },
  { what: "resumed", hex: "c1 04 80 01", frame: { kind: "resumed", received: 128 } },
  { what: "a resumed with a byte too many", hex: "c1 04 00 00", refused: "1 bytes follow" },
  {
    what: "refused for overload",
    hex: "c1 05 03 88 27",
    frame: { kind: "refused", reason: "overloaded", number: 5000 },
  },
  {
    what: "refused for a later reason",
    hex: "c1 05 63 00",
    frame: { kind: "refused", reason: "unknown", number: 0 },
  },
  {
    what: "refused for no reason",
    hex: "c1 05 00 00",
    frame: { kind: "refused", reason: "unknown", number: 0 },
  },
  { what: "refused without a number", hex: "c1 05 01", refused: "in the middle of a number" },
  {
    what: "a message",
    hex: "c1 06 01 00 a1 61",
    frame: { kind: "message", sequence: 1, received: 0, payload: Uint8Array.of(0xa1, 0x61) },
  },
  {
    what: "an empty message",
    hex: "c1 06 02 01",
    frame: { kind: "message", sequence: 2, received: 1, payload: new Uint8Array() },
  },
  {
    what: "a session frame within a message",
    hex: "c1 06 02 01 c1 06 01 00",
    frame: { kind: "message", sequence: 2, received: 1, payload: Uint8Array.of(0xc1, 6, 1, 0) },
  },
  { what: "a message with the number 0", hex: "c1 06 00 00", refused: "its sequence is 0" },
  { what: "a message without an acknowledgement", hex: "c1 06 01", refused: "in the middle of a number" },
  { what: "an acknowledgement", hex: "c1 07 00", frame: { kind: "acknowledgement", received: 0 } },
  {
    what: "a number longer than it need be",
    hex: "c1 07 81 80 80 00",
    frame: { kind: "acknowledgement", received: 1 },
  },
  {
    what: "the largest number",
    hex: "c1 07 ff ff ff ff ff ff ff 0f",
    frame: { kind: "acknowledgement", received: 2 ** 53 - 1 },
  },
  { what: "2^53", hex: "c1 07 80 80 80 80 80 80 80 10", refused: "more than 53 bits" },
  {
    what: "2^53 + 1, which a number cannot hold",
    hex: "c1 07 81 80 80 80 80 80 80 10",
    refused: "more than 53 bits",
  },
  { what: "8 bytes of ones", hex: "c1 07 ff ff ff ff ff ff ff 7f", refused: "more than 53 bits" },
  { what: "a number of 9 bytes", hex: "c1 07 80 80 80 80 80 80 80 80 00", refused: "more than 53 bits" },
  { what: "half a number", hex: "c1 07 ff ff", refused: "in the middle of a number" },
  { what: "end", hex: "c1 08 03", frame: { kind: "end", received: 3 } },
  { what: "the first kind of a later version", hex: "c1 09 ff ff ff", isUnknown: true },
  { what: "the last kind of a later version", hex: "c1 ff", isUnknown: true },
];
