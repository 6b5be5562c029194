import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import {
  ConnectError,
  type Listener,
  type ListenOptions,
  SystemEventLoop,
  type Transport,
} from "../../../pipeline/mod.ts";
import { streamLink, type StreamPair, streams } from "../../../pipeline/transports/streams.ts";
import { LinkRecorder } from "./_link_recorder.ts";
import { transportSuite } from "./_transport_suite.ts";

const loop = new SystemEventLoop();

/** Streams have no addresses: a listener of the test's own, over pairs of identity streams. */
function streamsWithListener(keepsMessages: boolean): Transport {
  let listener: ListenOptions | undefined;
  const transport = streams({
    keepsMessages,
    halfCloses: true,
    connect: () => {
      if (listener === undefined) throw new Error("nobody listens");
      const { loop, onLink } = listener;
      const up = new TransformStream();
      const down = new TransformStream();
      const server = { readable: up.readable, writable: down.writable };
      const link = streamLink(server, {
        loop,
        keepsMessages,
        halfCloses: true,
        localAddress: "streams:test",
      });
      loop.schedule(0, onLink, link);
      return { readable: down.readable, writable: up.writable };
    },
  });
  return {
    name: transport.name,
    keepsMessages,
    connect: (remote, options) => transport.connect(remote, options),
    listen(address, options): Promise<Listener> {
      listener = options;
      return Promise.resolve({ address, close: () => Promise.resolve(void (listener = undefined)) });
    },
  };
}

for (const keepsMessages of [false, true]) {
  transportSuite(`streams${keepsMessages ? " (messages)" : ""}`, () => ({
    transport: streamsWithListener(keepsMessages),
    listenAddress: "streams:test",
    refusedAddress: "streams:nobody",
    loop,
  }), {
    abortResets: true,
    tooMuchBytes: 1024 * 1024,
    flushesInParts: !keepsMessages,
    closeWaitsForPeer: true,
    halfCloses: true,
    tellsPause: true,
    badAddresses: [],
  });
}

const { signal } = new AbortController();

Deno.test("streamLink() ends with a protocol error where the stream gives no bytes", async () => {
  for (
    const [chunk, name] of [["text", "String"], [null, "null"], [new ArrayBuffer(1), "ArrayBuffer"]] as const
  ) {
    const readable = ReadableStream.from([chunk]);
    const recorder = new LinkRecorder(streamLink({ readable, writable: new WritableStream() }, { loop }));
    assertEquals(await recorder.end(), "protocol");
    assertInstanceOf(recorder.closed?.error, TypeError);
    assertEquals(recorder.closed?.error?.message, `Cannot read: the stream gave ${name}, wanted Uint8Array`);
  }
});

Deno.test("streamLink() tells why a stream failed, and closes what lies beneath once", async () => {
  const failure = Object.assign(new Error("gone"), { code: "ECONNRESET" });
  let closes = 0;
  const pair = {
    readable: new ReadableStream({ start: (controller) => controller.error(failure) }),
    writable: new WritableStream(),
    close: () => closes++,
  };
  const recorder = new LinkRecorder(streamLink(pair, { loop }), { autoRead: false });
  assertEquals(await recorder.end(), "reset");
  assertStrictEquals(recorder.closed?.error, failure);
  recorder.abort();
  assertEquals(closes, 1);
});

Deno.test("streamLink() goes down when its writable side fails", async () => {
  const failure = new Error("disk full");
  const writable = new WritableStream({ write: () => Promise.reject(failure) });
  const recorder = new LinkRecorder(streamLink({ readable: new ReadableStream(), writable }, { loop }));
  recorder.send(new Uint8Array(1));
  assertEquals(await recorder.end(), "error");
  assertStrictEquals(recorder.closed?.error, failure);
});

Deno.test("streamLink() pulls no chunk that nobody asked for", async () => {
  let pulls = 0;
  const readable = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array([++pulls])),
  }, { highWaterMark: 0 });
  const link = streamLink({ readable, writable: new WritableStream() }, { loop });
  const recorder = new LinkRecorder(link, { autoRead: false });
  recorder.read();
  await recorder.until(() => recorder.batches === 1);
  assertEquals(pulls, 1);
  recorder.abort();
  assertEquals(await recorder.end(), "closed");
});

Deno.test("streams() wraps what connect throws", async () => {
  const cause = new Error("the proxy said no");
  const transport = streams({ connect: () => Promise.reject(cause) });
  const error = await assertRejects(
    async () => await transport.connect({ address: "proxy:1" }, { loop, signal }),
    ConnectError,
    "Cannot connect to proxy:1: the proxy said no",
  );
  assertStrictEquals(error.cause, cause);
});

Deno.test("streams() closes streams that come after the try was given up", async () => {
  const pair = Promise.withResolvers<StreamPair>();
  const controller = new AbortController();
  const transport = streams({ connect: () => pair.promise });
  const connecting = transport.connect({ address: "late:1" }, { loop, signal: controller.signal });
  controller.abort();
  await assertRejects(async () => await connecting, ConnectError, "the try was given up");
  const closed = Promise.withResolvers<void>();
  pair.resolve({ ...identity(), close: closed.resolve });
  await closed.promise;
});

function identity(): StreamPair {
  const { readable, writable } = new TransformStream();
  return { readable, writable };
}
