import { Channel, type ChannelOptions, type UnhandledReport } from "../../pipeline/channel.ts";
import type { ChannelHandler } from "../../pipeline/channel_handler.ts";
import { VirtualEventLoop } from "../../pipeline/virtual_event_loop.ts";
import { ManualLink, ManualTransport } from "./_manual_transport.ts";

/** A channel on virtual time whose links the test plays. */
export function manualChannel(
  handlers: readonly ChannelHandler[] = [],
  options: Partial<ChannelOptions> = {},
) {
  const loop = new VirtualEventLoop();
  const transport = new ManualTransport();
  const reports: UnhandledReport[] = [];
  const channel = new Channel({
    transport,
    loop,
    onUnhandled: (report) => reports.push(report),
    pipeline: (pipeline) => pipeline.addLast(...handlers),
    ...options,
  });
  return { channel, loop, transport, reports };
}

/** The same, with a link. */
export function linkedChannel(
  handlers: readonly ChannelHandler[] = [],
  options: Partial<ChannelOptions> = {},
) {
  const made = manualChannel(handlers, options);
  const link = new ManualLink();
  made.channel.attach(link);
  return { ...made, link };
}

/** Has the transport give a link at once. */
export function ready(transport: ManualTransport): ManualLink {
  const link = new ManualLink();
  transport.ready.push(link);
  return link;
}
