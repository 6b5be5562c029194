/**
 * Defaults and limits of a channel's options.
 *
 * @module
 */

import type { WaterMarks } from "./_outbound_buffer.ts";

export const DEFAULT_MARKS: WaterMarks = { lowBytes: 32 * 1024, highBytes: 64 * 1024 };
export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/** The options that are numbers. */
export interface ChannelNumbers {
  readonly connectTimeoutMs?: number;
  readonly waterMarks?: WaterMarks;
}

/**
 * Checks what is a number. Bootstraps do it before there is a channel: a server
 * would otherwise throw at its first peer, inside the transport.
 *
 * @throws {RangeError} If the water marks or the connect timeout are out of range.
 */
export function checkChannelNumbers(options: ChannelNumbers): void {
  const { waterMarks = DEFAULT_MARKS, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options;
  if (!(waterMarks.lowBytes >= 0 && waterMarks.lowBytes <= waterMarks.highBytes)) {
    throw new RangeError(
      `Cannot make the channel: water marks must be 0 <= lowBytes <= highBytes, got ${waterMarks.lowBytes} and ${waterMarks.highBytes}`,
    );
  }
  if (!(connectTimeoutMs > 0 && connectTimeoutMs < Infinity)) {
    throw new RangeError(
      `Cannot make the channel: connectTimeoutMs must be above 0 and finite, got ${connectTimeoutMs}`,
    );
  }
}
