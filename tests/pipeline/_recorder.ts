import type { ChannelHandler } from "../../pipeline/channel_handler.ts";

/**
 * A handler that writes down what it sees as `name event` and passes it on.
 *
 * @param name Its mark in the log.
 * @param log Where to.
 * @param before Called before an event is passed on, with what was written down.
 */
export function recorder(
  name: string,
  log: string[],
  before: (entry: string) => void = () => {},
): ChannelHandler {
  const note = (entry: string) => {
    log.push(`${name} ${entry}`);
    before(entry);
  };
  return {
    handlerAdded: () => note("added"),
    handlerRemoved: () => note("removed"),
    channelActive(context) {
      note("active");
      context.fireChannelActive();
    },
    channelInactive(context) {
      note("inactive");
      context.fireChannelInactive();
    },
    channelRead(context, message) {
      note(`read ${text(message)}`);
      context.fireChannelRead(message);
    },
    channelReadComplete(context) {
      note("readComplete");
      context.fireChannelReadComplete();
    },
    channelWritabilityChanged(context) {
      note(context.channel.isWritable ? "writable" : "unwritable");
      context.fireChannelWritabilityChanged();
    },
    userEventTriggered(context, event) {
      const { type, reason } = event as { type: string; reason?: string };
      note(reason === undefined ? type : `${type} ${reason}`);
      context.fireUserEventTriggered(event);
    },
    exceptionCaught(context, error) {
      note(`error ${(error as Error).message}`);
      context.fireExceptionCaught(error);
    },
    connect(context, remote, promise) {
      note("connect");
      context.connect(remote, promise);
    },
    write(context, message, promise) {
      note(`write ${text(message)}`);
      context.write(message, promise);
    },
    flush(context) {
      note("flush");
      context.flush();
    },
    read(context) {
      note("read");
      context.read();
    },
    close(context, promise) {
      note("close");
      context.close(promise);
    },
  };
}

function text(message: unknown): string {
  return message instanceof Uint8Array ? `${message.length} bytes` : String(message);
}
