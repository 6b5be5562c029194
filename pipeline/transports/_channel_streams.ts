/**
 * A channel as two web streams.
 *
 * @module
 */

import type { Channel } from "../channel.ts";
import { LinkDownError } from "../errors.ts";
import { ChannelBridge } from "./_channel_bridge.ts";
import type { AsStreamsOptions, ChannelStreams } from "./streams.ts";

const READ_AHEAD_BYTES = 1024 * 1024;

/** Makes the streams; see `asStreams()`. */
export function channelStreams(channel: Channel, options: AsStreamsOptions): ChannelStreams {
  const { readableHighWaterMark = READ_AHEAD_BYTES, acrossLinks = false } = options;
  let reading: ReadableStreamDefaultController<Uint8Array>;
  let writing: WritableStreamDefaultController;
  /** Whether nobody reads any more: what comes is then discarded, so that heartbeats go on being answered. */
  let isCanceled = false;
  let isReadEnded = false;
  let isClosed = false;

  const bridge = new ChannelBridge({
    opened() {},
    received(bytes) {
      if (isCanceled) {
        bridge.ask();
        return true;
      }
      reading.enqueue(bytes);
      return reading.desiredSize! > 0;
    },
    inputEnded: endReading,
    ended(error) {
      if (error === undefined) endReading();
      else if (!isCanceled) reading.error(error);
      // After an orderly end of the peer only a write fails: whoever pipes is about to close.
      if (error !== undefined && !isClosed) writing.error(error);
    },
  }, { acrossLinks });
  function endReading() {
    if (isCanceled || isReadEnded) return;
    isReadEnded = true;
    reading.close();
  }
  const readable = new ReadableStream<Uint8Array>({
    start: (controller) => void (reading = controller),
    pull: () => bridge.ask(),
    cancel() {
      isCanceled = true;
      if (isClosed) bridge.end(() => {}, false);
      else bridge.ask();
    },
  }, new ByteLengthQueuingStrategy({ highWaterMark: readableHighWaterMark }));
  const writable = new WritableStream<Uint8Array>({
    start: (controller) => void (writing = controller),
    write: (chunk) =>
      new Promise((resolve, reject) => {
        if (!(chunk instanceof Uint8Array)) throw new TypeError("Cannot write: the stream takes Uint8Arrays");
        // A copy: its owner may use the chunk again once this is done, which may be before it has left.
        bridge.send(chunk.slice(), (error) => error === undefined ? resolve() : reject(error));
      }),
    close() {
      isClosed = true;
      return new Promise((resolve) => bridge.end(resolve, !isCanceled));
    },
    abort() {
      isClosed = true;
      if (!isCanceled) reading.error(new LinkDownError("read", "closed"));
      return new Promise((resolve) => bridge.destroy(resolve));
    },
  });
  channel.pipeline.addLast(bridge);
  return { readable, writable };
}
