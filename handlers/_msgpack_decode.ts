/**
 * From MessagePack to values.
 *
 * @module
 */

import { decodeHeartbeatData, HEARTBEAT_EXT_TYPE } from "./heartbeat/_heartbeat_bytes.ts";
import { decoder } from "./_msgpack_lite.ts";
import { READERS } from "./_msgpack_read.ts";
import { scanMessagePack } from "./_msgpack_scan.ts";
import { MessagePackExtension } from "./message_pack_extension.ts";

/** msgpack-lite's own ext type of dates: the ms since 1970 as a MessagePack number. */
export const DATE_EXT_TYPE = 0x0d;
/** MessagePack's timestamp, which other languages' libraries write. */
const TIMESTAMP_EXT_TYPE = -1;

const decode = decoder(READERS, unpackExt);

/**
 * Decodes exactly one value.
 *
 * @throws {DecodeError} If the bytes are malformed or beyond a limit.
 */
export function decodeMessagePack(bytes: Uint8Array, maxDepth: number): unknown {
  scanMessagePack(bytes, maxDepth);
  // A plain Uint8Array, so that a runtime's Buffer takes no other way through msgpack-lite.
  return decode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

function unpackExt(type: number, data: Uint8Array): unknown {
  if (type === HEARTBEAT_EXT_TYPE) return decodeHeartbeatData(data);
  const date = type === DATE_EXT_TYPE
    ? numericDate(data)
    : type === TIMESTAMP_EXT_TYPE
    ? timestamp(data)
    : undefined;
  return date ?? new MessagePackExtension(type, data);
}

/** A peer may put anything under this type; what is no number stays an extension. */
function numericDate(data: Uint8Array): Date | undefined {
  const token = data[0]!;
  const isNumber = token < 0x80 || token >= 0xe0 || token >= 0xca && token <= 0xd3;
  if (!isNumber || data.length !== 1 + (NUMBER_BYTES[token] ?? 0)) return undefined;
  return new Date(Number(decode(data)));
}

/** How many bytes follow the token of a number that is no fixint: float 32 to int 64. */
const NUMBER_BYTES: Readonly<Record<number, number>> = {
  0xca: 4,
  0xcb: 8,
  0xcc: 1,
  0xcd: 2,
  0xce: 4,
  0xcf: 8,
  0xd0: 1,
  0xd1: 2,
  0xd2: 4,
  0xd3: 8,
};

/** Seconds in 32 bits; or nanoseconds in 30 and seconds in 34; or nanoseconds in 32 and seconds in 64. */
function timestamp(data: Uint8Array): Date | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  switch (data.length) {
    case 4:
      return new Date(view.getUint32(0) * 1000);
    case 8: {
      const high = view.getUint32(0);
      return new Date(((high & 3) * 2 ** 32 + view.getUint32(4)) * 1000 + Math.floor((high >>> 2) / 1e6));
    }
    case 12:
      return new Date(Number(view.getBigInt64(4)) * 1000 + Math.floor(view.getUint32(0) / 1e6));
    default:
      return undefined;
  }
}
