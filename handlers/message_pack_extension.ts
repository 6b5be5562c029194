/**
 * MessagePack's ext values.
 *
 * @module
 */

/**
 * A MessagePack ext value of a type that the codec does not know: it arrives
 * as it is, and can be written. Types of 0 and above are the application's,
 * but for 0x0d (dates) and 0x4c (heartbeats).
 *
 * @example An application's own type
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, MessagePackCodec, MessagePackExtension } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ handlers: [new MessagePackCodec()] });
 * channel.writeOutbound(new MessagePackExtension(0x30, new Uint8Array([1])));
 * assertEquals(channel.readOutbound(), new Uint8Array([0xd4, 0x30, 1]));
 * ```
 */
export class MessagePackExtension {
  /** Its type, -128 to 127. */
  readonly type: number;
  /** Its bytes. */
  readonly data: Uint8Array;

  /**
   * Makes an extension.
   *
   * @param type Its type, -128 to 127; below 0 is reserved by MessagePack.
   * @param data Its bytes.
   * @throws {RangeError} If the type is out of range.
   */
  constructor(type: number, data: Uint8Array) {
    if (!(Number.isInteger(type) && type >= -128 && type <= 127)) {
      throw new RangeError(`Cannot make the extension: type must be from -128 to 127, got ${type}`);
    }
    this.type = type;
    this.data = data;
  }
}
