/**
 * What decoders and encoders of frames check alike.
 *
 * @module
 */

/** 1 MiB: enough for a chat message with a picture, too little to exhaust a server with a few links. */
export const DEFAULT_MAX_FRAME_BYTES = 1_048_576;

/** The longest that a 4-byte length can say, and more than a typed array of some runtimes holds. */
const LARGEST_FRAME_BYTES = 2 ** 32 - 1;

/** @throws {RangeError} If it is no whole number from 1 to 2^32 - 1. */
export function checkMaxFrameBytes(action: string, maxFrameBytes: number): void {
  if (Number.isInteger(maxFrameBytes) && maxFrameBytes >= 1 && maxFrameBytes <= LARGEST_FRAME_BYTES) return;
  throw new RangeError(
    `Cannot ${action}: maxFrameBytes must be a whole number from 1 to ${LARGEST_FRAME_BYTES}, got ${maxFrameBytes}`,
  );
}

/** @throws {RangeError} If a session's own words do not fit into such a frame. */
export function checkSessionFrames(maxFrameBytes: number = DEFAULT_MAX_FRAME_BYTES): void {
  if (maxFrameBytes >= 64) return;
  throw new RangeError(`Cannot keep a session: it needs frames of 64 bytes or more, got ${maxFrameBytes}`);
}

/** @throws {RangeError} If a length field cannot have that many bytes. */
export function checkLengthFieldLength(action: string, bytes: number): void {
  if ([1, 2, 3, 4, 8].includes(bytes)) return;
  throw new RangeError(`Cannot ${action}: lengthFieldLength must be 1, 2, 3, 4 or 8, got ${bytes}`);
}

/**
 * Says whether an outbound message needs a header on this channel.
 *
 * @returns false if it is to be passed on as it is: the transport keeps
 * messages apart itself, or it is no bytes and some other handler's business.
 * @throws {RangeError} If it is longer than the peer may be sent.
 * @throws {TypeError} If it is text on a byte stream, where it would land between two frames.
 */
export function needsHeader(
  message: unknown,
  keepsMessages: boolean,
  maxFrameBytes: number,
): message is Uint8Array {
  if (message instanceof Uint8Array) {
    if (message.length > maxFrameBytes) {
      throw new RangeError(
        `Cannot encode the frame: its length ${message.length} is above maxFrameBytes ${maxFrameBytes}`,
      );
    }
    return !keepsMessages;
  }
  if (typeof message === "string" && !keepsMessages) {
    throw new TypeError(
      "Cannot encode the frame: got text where bytes are due; is a codec missing in the pipeline?",
    );
  }
  return false;
}
