import { assert, assertEquals, assertFalse } from "@std/assert";
import { linkedChannel, manualChannel } from "./_manual_channel.ts";
import { ManualLink } from "./_manual_transport.ts";
import { recorder } from "./_recorder.ts";

// Backpressure, in both directions.

const bytes = (length: number) => new Uint8Array(length);

Deno.test("Channel.isWritable follows the default water marks of 64 and 32 KiB", () => {
  const log: string[] = [];
  const { channel, link } = linkedChannel([recorder("h", log)]);
  channel.writeAndFlush(bytes(64 * 1024));
  assert(channel.isWritable);
  log.length = 0;
  channel.writeAndFlush(bytes(1));
  assertFalse(channel.isWritable);
  assertEquals(log, ["h write 1 bytes", "h unwritable", "h flush"]);
  channel.write(bytes(1000)).onSettled(() => {});
  log.length = 0;
  link.sent(32 * 1024 + 1001);
  assertFalse(channel.isWritable);
  link.sent(1);
  assertEquals([channel.pendingBytes, channel.isWritable, log], [32 * 1024 - 1, true, ["h writable"]]);
  channel.close();
});

Deno.test("Channel.isWritable follows water marks of one's own, down to none", () => {
  for (const [lowBytes, highBytes] of [[5, 10], [0, 10], [0, 0], [10, 10]] as const) {
    const log: string[] = [];
    const { channel, link } = linkedChannel([recorder("h", log)], { waterMarks: { lowBytes, highBytes } });
    const changes = () => log.filter((entry) => entry.endsWith("writable"));
    channel.write(bytes(highBytes));
    assertEquals(changes(), []);
    channel.writeAndFlush(bytes(2));
    assertEquals(changes(), ["h unwritable"]);
    link.sent(highBytes + 2 - Math.max(lowBytes, 1));
    assertEquals(changes(), ["h unwritable"], `${lowBytes} to ${highBytes}`);
    link.sent(Math.max(lowBytes, 1));
    assertEquals(changes(), ["h unwritable", "h writable"]);
    assertEquals(channel.pendingBytes, 0);
  }
});

Deno.test("Channel is not writable without a link, and as good as new with the next one", () => {
  const { channel, link } = linkedChannel([], { waterMarks: { lowBytes: 1, highBytes: 2 } });
  channel.autoClose = false;
  channel.write(bytes(3)).onSettled(() => {});
  assertFalse(channel.isWritable);
  link.down("reset");
  assertFalse(channel.isWritable);
  channel.attach(new ManualLink());
  assert(channel.isWritable);
  channel.close();
  assertFalse(channel.isWritable);
});

Deno.test("Channel counts bytes, of text as UTF-8, over all links", () => {
  const { channel, link } = linkedChannel();
  channel.autoClose = false;
  channel.write("é€😀");
  assertEquals(channel.pendingBytes, 9);
  channel.writeAndFlush(bytes(100)).onSettled(() => {});
  link.sent(50);
  assertEquals([channel.pendingBytes, channel.flushedBytes], [59, 50]);
  link.down("reset");
  assertEquals([channel.pendingBytes, channel.flushedBytes], [0, 50]);
  const next = new ManualLink();
  channel.attach(next);
  channel.writeAndFlush(bytes(7));
  next.sent(7);
  assertEquals(channel.flushedBytes, 57);
});

Deno.test("Channel.write() settles when its last byte left, in order", () => {
  const order: string[] = [];
  const { channel, link } = linkedChannel();
  channel.write(bytes(10)).onSettled(() => order.push("10"));
  channel.write(bytes(0)).onSettled(() => order.push("0"));
  channel.write(bytes(5)).onSettled(() => order.push("5"));
  channel.flush();
  link.sent(9);
  assertEquals(order, []);
  link.sent(1);
  assertEquals(order, ["10", "0"]);
  link.sent(5);
  assertEquals(order, ["10", "0", "5"]);
  channel.writeAndFlush("").onSettled(() => order.push("empty"));
  link.sent(0);
  assertEquals(order.at(-1), "empty");
});

Deno.test("Channel.flush() sends nothing before it is called, and reaches the link as often as it is", () => {
  const { channel, link } = linkedChannel([], { autoRead: false });
  channel.write("a");
  channel.write("b");
  assertEquals([link.calls, link.written], [["open"], ["a", "b"]]);
  channel.flush();
  channel.flush();
  assertEquals(link.calls, ["open", "flush", "flush"]);
  const { channel: idle } = manualChannel();
  idle.flush();
});

Deno.test("Channel with autoRead asks for each batch after the one before", () => {
  const { channel, link } = linkedChannel([{ channelRead() {} }]);
  assertEquals(link.calls, ["open", "read"]);
  link.deliver("a", "b");
  assertEquals(link.calls, ["open", "read", "read"]);
  channel.close();
  link.deliver("late");
  assertEquals(link.calls, ["open", "read", "read", "close"]);
});

Deno.test("Channel without autoRead asks its link exactly as often as it is asked", () => {
  const { channel, link } = linkedChannel([{ channelRead() {} }], { autoRead: false });
  assertEquals(link.calls, ["open"]);
  channel.read();
  link.deliver("a");
  link.deliver("b");
  assertEquals(link.calls, ["open", "read"]);
  channel.pipeline.read();
  channel.read();
  assertEquals(link.calls, ["open", "read", "read", "read"]);
  const { channel: idle, transport } = manualChannel();
  idle.read();
  assertEquals(transport.tries, []);
});

Deno.test("Channel.read() may be held back by a handler", () => {
  let release = () => {};
  const { link } = linkedChannel([{ read: (context) => void (release = () => context.read()) }]);
  assertEquals(link.calls, ["open"]);
  release();
  assertEquals(link.calls, ["open", "read"]);
});

Deno.test("Channel.autoRead can be turned off and on", () => {
  const { channel, link } = linkedChannel([{ channelRead() {} }]);
  channel.autoRead = false;
  link.deliver("was asked for");
  assertEquals(link.calls, ["open", "read"]);
  channel.autoRead = true;
  channel.autoRead = true;
  assertEquals([channel.autoRead, link.calls], [true, ["open", "read", "read"]]);
  const { channel: idle } = manualChannel([], { autoRead: false });
  idle.autoRead = true;
  const later = new ManualLink();
  idle.attach(later);
  assertEquals(later.calls, ["open", "read"]);
});

Deno.test("Channel.autoRead goes on when a link answers within read()", () => {
  const { channel, link } = linkedChannel([{ channelRead() {} }], { autoRead: false });
  let batches = 3;
  link.onCall = (call) => {
    if (call === "read" && batches-- > 0) link.deliver("batch");
  };
  channel.autoRead = true;
  assertEquals(link.calls, ["open", "read", "read", "read", "read"]);
});

Deno.test("Channel.autoRead turned off during a batch stops after it", () => {
  const seen: unknown[] = [];
  const { link } = linkedChannel([{
    channelRead(context, message) {
      seen.push(message);
      context.channel.autoRead = false;
    },
  }]);
  link.deliver("a", "b");
  assertEquals([seen, link.calls], [["a", "b"], ["open", "read"]]);
});
