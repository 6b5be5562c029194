import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { Channel, type UnhandledReport } from "../../pipeline/channel.ts";
import { ChannelClosedError, LinkDownError } from "../../pipeline/errors.ts";
import { linkedChannel, manualChannel, ready } from "./_manual_channel.ts";
import { ManualLink, ManualTransport } from "./_manual_transport.ts";
import { recorder } from "./_recorder.ts";
import { turn, uncaught } from "./_turn.ts";

const ADDRESS = "manual://far";
const bytes = (length: number) => new Uint8Array(length);

Deno.test("Channel() checks its options", () => {
  const make = (options: object) => () => new Channel({ transport: new ManualTransport(), ...options });
  for (const [lowBytes, highBytes] of [[-1, 5], [6, 5], [NaN, 5], [0, NaN]]) {
    assertThrows(
      make({ waterMarks: { lowBytes, highBytes } }),
      RangeError,
      `Cannot make the channel: water marks must be 0 <= lowBytes <= highBytes, got ${lowBytes} and ${highBytes}`,
    );
  }
  for (const connectTimeoutMs of [0, -1, NaN, Infinity]) {
    assertThrows(
      make({ connectTimeoutMs }),
      RangeError,
      `Cannot make the channel: connectTimeoutMs must be above 0 and finite, got ${connectTimeoutMs}`,
    );
  }
});

Deno.test("Channel() whose handlers cannot all be added takes those out that were", () => {
  const log: string[] = [];
  const error = new Error("no");
  const caught = assertThrows(() =>
    manualChannel([], {
      pipeline(pipeline) {
        pipeline.addLast(recorder("a", log));
        throw error;
      },
    })
  );
  assertStrictEquals(caught, error);
  assertEquals(log, ["a added", "a removed"]);
});

Deno.test("Channel goes from idle over connecting and active to closed", async () => {
  const { channel, transport, loop } = manualChannel();
  const seen = () => [channel.state, channel.isActive, channel.remoteAddress, channel.localAddress];
  assertEquals([...seen(), channel.remote], ["idle", false, "", "", undefined]);
  const connected = channel.connect({ address: ADDRESS, credentials: "secret" });
  assertEquals(seen(), ["connecting", false, "", ""]);
  transport.tries[0]!.succeed(new ManualLink());
  await connected;
  assertEquals(seen(), ["active", true, ADDRESS, "manual://near"]);
  assertEquals(channel.remote, { address: ADDRESS, credentials: "secret" });
  assertEquals(channel.keepsMessages, false);
  const closed = channel.close();
  assertEquals(seen(), ["closing", false, "", ""]);
  assert(!closed.isDone);
  await Promise.resolve();
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("Channel tells of each link once: active, up, reading, down, inactive", async () => {
  const log: string[] = [];
  const { channel, transport } = manualChannel([recorder("h", log)]);
  channel.autoClose = false;
  for (const reason of ["reset", "remoteClosed"] as const) {
    log.length = 0;
    const link = ready(transport);
    await channel.connect(ADDRESS);
    link.deliver(bytes(3), bytes(4));
    link.down(reason);
    assertEquals(log, [
      "h connect",
      "h active",
      "h linkUp",
      "h read",
      "h read 3 bytes",
      "h read 4 bytes",
      "h readComplete",
      "h read",
      `h linkDown ${reason}`,
      "h inactive",
    ]);
    assertEquals(channel.state, "idle");
  }
  log.length = 0;
  await channel.close();
  assertEquals(log, ["h close", "h removed"]);
});

Deno.test("Channel's link events carry the reason and the error", () => {
  const events: unknown[] = [];
  const { link } = linkedChannel([{ userEventTriggered: (_context, event) => events.push(event) }]);
  const error = new Error("cable");
  link.down("error", error);
  assertEquals(events, [{ type: "linkUp", resumed: false }, { type: "linkDown", reason: "error", error }]);
  events.length = 0;
  const { link: other } = linkedChannel([{ userEventTriggered: (_context, event) => events.push(event) }]);
  other.down("remoteClosed");
  assertEquals(events[1], { type: "linkDown", reason: "remoteClosed" });
});

Deno.test("Channel drops late events of an earlier link", async () => {
  const log: string[] = [];
  const { channel, transport } = manualChannel([recorder("h", log)]);
  channel.autoClose = false;
  const old = ready(transport);
  await channel.connect(ADDRESS);
  old.down("reset");
  const now = ready(transport);
  await channel.connect(ADDRESS);
  const written = channel.writeAndFlush(bytes(10));
  log.length = 0;
  old.deliver(bytes(1));
  old.sent(10);
  old.down("reset");
  assertEquals([log, written.isDone, channel.pendingBytes, channel.isActive], [[], false, 10, true]);
  now.sent(10);
  assert(written.isSuccess);
});

Deno.test("Channel closes by itself with its link, unless autoClose is off", async () => {
  const { channel, link, loop } = linkedChannel();
  link.down("reset");
  assertEquals(channel.state, "closed");
  await channel.closed;
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("Channel stays open when a connect fails", async () => {
  const { channel, transport, loop } = manualChannel();
  const connected = channel.connect(ADDRESS);
  transport.tries[0]!.fail(new Error("refused"));
  await assertRejects(() => connected.then(), Error, "refused");
  assertEquals([channel.state, loop.pendingTimers], ["idle", 0]);
});

Deno.test("Channel.connect() while there is a link, or one on its way, is an error", async () => {
  const { channel, transport } = manualChannel();
  const first = channel.connect(ADDRESS);
  await assertRejects(
    () => channel.connect(ADDRESS).then(),
    TypeError,
    "Cannot connect: the channel is connecting",
  );
  transport.tries[0]!.succeed(new ManualLink());
  await first;
  await assertRejects(
    () => channel.connect(ADDRESS).then(),
    TypeError,
    "Cannot connect: the channel is active",
  );
  channel.close();
  await assertRejects(() => channel.connect(ADDRESS).then(), ChannelClosedError, "Cannot connect");
  assertEquals(transport.tries.length, 1);
});

Deno.test("Channel.connect() that fails and is not awaited is reported", async () => {
  const { channel, transport, reports } = manualChannel();
  channel.connect(ADDRESS);
  const error = new Error("refused");
  transport.tries[0]!.fail(error);
  await turn();
  assertEquals(reports, [{ kind: "error", error, channel }]);
});

Deno.test("Channel.connect() with a signal aborted beforehand tries nothing and leaves the channel alone", async () => {
  const { channel, transport } = manualChannel();
  const reason = new Error("changed my mind");
  const caught = await channel.connect(ADDRESS, { signal: AbortSignal.abort(reason) }).catch((error) =>
    error
  );
  assertStrictEquals(caught, reason);
  assertEquals([channel.state, transport.tries.length], ["idle", 0]);
});

Deno.test("Channel.connect() with a signal aborted meanwhile fails with its reason and closes the channel", async () => {
  const { channel, transport, loop } = manualChannel();
  const controller = new AbortController();
  const connected = channel.connect(ADDRESS, { signal: controller.signal });
  const reason = new Error("changed my mind");
  controller.abort(reason);
  assertStrictEquals(await connected.catch((error) => error), reason);
  assertEquals([channel.state, loop.pendingTimers], ["closed", 0]);
  assert(transport.tries[0]!.signal.aborted);
  const late = new ManualLink();
  transport.tries[0]!.succeed(late);
  await turn();
  assertEquals(late.calls, ["open", "abort"]);
});

Deno.test("Channel.connect() with a signal aborted afterwards changes nothing", async () => {
  const { channel, transport } = manualChannel();
  const controller = new AbortController();
  ready(transport);
  await channel.connect(ADDRESS, { signal: controller.signal });
  controller.abort();
  assertEquals(channel.state, "active");
});

Deno.test("Channel.connect() leaves no listener on a signal that outlives it", async () => {
  const { channel, transport } = manualChannel();
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  signal.addEventListener = (_type: string, listener: unknown) => void listeners.add(listener);
  signal.removeEventListener = (_type: string, listener: unknown) => void listeners.delete(listener);
  const connected = channel.connect(ADDRESS, { signal });
  assertEquals(listeners.size, 1);
  transport.tries[0]!.succeed(new ManualLink());
  await connected;
  assertEquals(listeners.size, 0);
});

Deno.test("Channel.attach() takes a link that stands", () => {
  const log: string[] = [];
  const { channel, link } = linkedChannel([recorder("h", log)]);
  assertEquals(log, ["h added", "h active", "h linkUp", "h read"]);
  assertEquals(link.calls, ["open", "read"]);
  assertEquals([channel.remoteAddress, channel.remote], [ADDRESS, undefined]);
  assertThrows(
    () => channel.attach(new ManualLink()),
    TypeError,
    "Cannot attach the link: the channel is active",
  );
});

Deno.test("Channel.attach() to a channel that connects is an error, to a closed one aborts the link", async () => {
  const { channel, loop } = manualChannel();
  channel.connect(ADDRESS).onSettled(() => {});
  assertThrows(() => channel.attach(new ManualLink()), TypeError, "the channel is connecting");
  await channel.close();
  const link = new ManualLink();
  assertThrows(
    () => channel.attach(link),
    ChannelClosedError,
    "Cannot attach the link: the channel is closed",
  );
  assertEquals(link.calls, ["open", "abort"]);
  link.down("closed"); // has nobody to tell
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("Channel.write() without a link fails with the reason why there is none", async () => {
  const { channel, transport } = manualChannel();
  channel.autoClose = false;
  const reason = async () => ((await channel.write("x").catch((error) => error)) as LinkDownError).reason;
  assertEquals(await reason(), "notConnected");
  const link = ready(transport);
  await channel.connect(ADDRESS);
  link.down("networkChanged");
  assertEquals(await reason(), "networkChanged");
  const again = channel.connect(ADDRESS);
  assertEquals(await reason(), "networkChanged");
  transport.tries[1]!.fail(new Error("refused"));
  await again.catch(() => {});
  assertEquals(await reason(), "networkChanged");
  await channel.close();
  await assertRejects(
    () => channel.write("x").then(),
    ChannelClosedError,
    "Cannot write: the channel is closed",
  );
});

Deno.test("Channel.write() of what no transport carries asks for an encoder", async () => {
  const { channel, link } = linkedChannel();
  for (
    const [message, what] of [[{}, "Object"], [null, "null"], [7, "number"], [new Map(), "Map"]] as const
  ) {
    await assertRejects(
      () => channel.write(message).then(),
      TypeError,
      `Cannot write: the transport takes bytes or text, got ${what}; is there an encoder in the pipeline?`,
    );
  }
  assertEquals([link.written, channel.pendingBytes], [[], 0]);
});

Deno.test("Channel.write() that its link refuses fails, and leaves the count right", async () => {
  const { channel, link } = linkedChannel();
  link.onCall = () => {
    throw new Error("full");
  };
  await assertRejects(() => channel.write(bytes(5)).then(), Error, "full");
  link.onCall = () => {};
  assertEquals(channel.pendingBytes, 0);
  const written = channel.writeAndFlush(bytes(3));
  link.sent(3);
  assert(written.isSuccess);
});

Deno.test("Channel.write() that loses its link fails", async () => {
  const { channel, link } = linkedChannel();
  channel.autoClose = false;
  link.onCall = () => link.down("reset");
  await assertRejects(() => channel.write(bytes(5)).then(), LinkDownError, "the link is down (reset)");
  assertEquals(channel.pendingBytes, 0);
});

Deno.test("Channel reports the first message that no handler took, once", () => {
  const { channel, link, reports } = linkedChannel();
  link.deliver("first", "second");
  link.deliver("third");
  assertEquals(reports, [{ kind: "message", message: "first", channel }]);
});

Deno.test("Channel reports every error that no handler handled", () => {
  const { channel, reports } = linkedChannel();
  channel.pipeline.fireExceptionCaught("one");
  channel.pipeline.fireExceptionCaught("two");
  channel.reportUnhandled("three");
  assertEquals(reports.map((report) => (report as UnhandledReport & { kind: "error" }).error), [
    "one",
    "two",
    "three",
  ]);
});

Deno.test("Channel prints what is unhandled if nobody asks for it", () => {
  const printed: unknown[][] = [];
  const original = console.error;
  console.error = (...parts) => printed.push(parts);
  try {
    const { channel, link } = linkedChannel([], { onUnhandled: undefined });
    link.deliver("hello", "again");
    channel.pipeline.fireExceptionCaught("no");
  } finally {
    console.error = original;
  }
  assertEquals(printed, [
    ["longlink: a message reached the tail of the pipeline, no handler took it:", "hello"],
    ["longlink: an error reached the tail of the pipeline:", "no"],
  ]);
});

Deno.test("Channel keeps what onUnhandled throws away from its pipeline and its link", async () => {
  const log: string[] = [];
  const { channel, link } = linkedChannel([recorder("h", log)], {
    onUnhandled() {
      throw new Error("reporter");
    },
  });
  log.length = 0;
  const errors = await uncaught(() => {
    link.deliver("message");
    channel.pipeline.fireExceptionCaught(new Error("no"));
  });
  assertEquals(errors.map((error) => (error as Error).message), ["reporter", "reporter"]);
  assertEquals(log, ["h read message", "h readComplete", "h read", "h error no"]);
  assertEquals(channel.state, "active");
});
