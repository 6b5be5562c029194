/**
 * The nine bytes of a heartbeat. docs/protocol.md is their specification.
 *
 * @module
 */

import { DecodeError } from "../errors.ts";
import { Heartbeat } from "./heartbeat.ts";

/**
 * MessagePack's ext type of heartbeats: "L". Of the types that are free for
 * applications (0 to 127); msgpack-lite itself uses those up to 0x1d.
 */
export const HEARTBEAT_EXT_TYPE = 0x4c;

const EXT8 = 0xc7;
const DATA_BYTES = 6;
const HEADER_BYTES = 3;
/**
 * What is longer is a message, whatever it begins with: among encrypted frames
 * one in some thousands begins like a heartbeat that is malformed.
 */
const MOST_BYTES = 18;

/**
 * Makes the 9 bytes: an ext8 header, then kind 4, time 17, sequence 9,
 * acknowledgement 16, whether that is one 1, spare 1 bit.
 */
export function encodeHeartbeat(heartbeat: Heartbeat): Uint8Array {
  const { code, timeMs, sequence, acknowledgement, hasAcknowledgement } = heartbeat;
  const tenths = timeMs / 100;
  const bytes = nineBytes();
  bytes[0] = EXT8;
  bytes[1] = DATA_BYTES;
  bytes[2] = HEARTBEAT_EXT_TYPE;
  bytes[3] = code << 4 | tenths >>> 13;
  bytes[4] = tenths >>> 5;
  bytes[5] = tenths << 3 | sequence >>> 6;
  bytes[6] = sequence << 2 | acknowledgement >>> 14;
  bytes[7] = acknowledgement >>> 6;
  bytes[8] = acknowledgement << 2 | (hasAcknowledgement ? 2 : 0);
  return bytes;
}

/** How many heartbeats share one buffer: enough to spread its cost, few enough to waste little memory. */
const HEARTBEATS_A_SLAB = 64;
let slab = new ArrayBuffer(0);
let slabUsed = 0;

/** A buffer of its own for nine bytes would cost several times the rest of the encoding in Deno. */
function nineBytes(): Uint8Array {
  if (slabUsed === slab.byteLength) {
    slab = new ArrayBuffer(HEARTBEATS_A_SLAB * (HEADER_BYTES + DATA_BYTES));
    slabUsed = 0;
  }
  const bytes = new Uint8Array(slab, slabUsed, HEADER_BYTES + DATA_BYTES);
  slabUsed += HEADER_BYTES + DATA_BYTES;
  return bytes;
}

/**
 * Reads the 9 bytes.
 *
 * @returns undefined if it is no value of the heartbeats' ext type.
 * @throws {DecodeError} If it is one of another length.
 */
export function decodeHeartbeat(bytes: Uint8Array): Heartbeat | undefined {
  if (bytes.length > MOST_BYTES) return undefined;
  if (bytes[0] === EXT8 && bytes[2] === HEARTBEAT_EXT_TYPE) {
    const announced = bytes[1]!;
    if (announced === DATA_BYTES && bytes.length === HEADER_BYTES + DATA_BYTES) {
      return readHeartbeat(bytes, HEADER_BYTES);
    }
    throw malformed(`it announces ${announced} and has ${bytes.length - HEADER_BYTES}`);
  }
  // The other ways to write an ext, none of which a heartbeat may take.
  const typeAt = TYPE_POSITIONS[bytes[0]!];
  if (typeAt !== undefined && bytes[typeAt] === HEARTBEAT_EXT_TYPE) {
    throw malformed(`it is an ext of kind 0x${bytes[0]!.toString(16)} with ${bytes.length - typeAt - 1}`);
  }
  return undefined;
}

/**
 * Reads what follows the ext header where a MessagePack decoder took that off.
 *
 * @throws {DecodeError} If it is of another length.
 */
export function decodeHeartbeatData(data: Uint8Array): Heartbeat {
  if (data.length !== DATA_BYTES) throw malformed(`it has ${data.length}`);
  return readHeartbeat(data, 0);
}

function readHeartbeat(bytes: Uint8Array, at: number): Heartbeat {
  const first = bytes[at]!;
  const third = bytes[at + 2]!;
  const fourth = bytes[at + 3]!;
  // The spare bit at the end is not looked at: a later version may use it.
  return new Heartbeat(first >>> 4, {
    timeMs: ((first & 0xf) << 13 | bytes[at + 1]! << 5 | third >>> 3) * 100,
    sequence: (third & 0x7) << 6 | fourth >>> 2,
    acknowledgement: (fourth & 0x3) << 14 | bytes[at + 4]! << 6 | bytes[at + 5]! >>> 2,
    hasAcknowledgement: (bytes[at + 5]! & 2) !== 0,
  });
}

/** Where the type byte is: fixext 1 to 16, ext16, ext32. */
const TYPE_POSITIONS: Readonly<Record<number, number>> = {
  0xd4: 1,
  0xd5: 1,
  0xd6: 1,
  0xd7: 1,
  0xd8: 1,
  0xc8: 3,
  0xc9: 5,
};

function malformed(detail: string): DecodeError {
  return new DecodeError("heartbeat", `its data must have ${DATA_BYTES} bytes, ${detail}`);
}
