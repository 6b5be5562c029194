import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { DecodeError } from "../../handlers/errors.ts";
import { VarintFrameDecoder } from "../../handlers/varint_frame_decoder.ts";
import { VarintFrameEncoder } from "../../handlers/varint_frame_encoder.ts";
import { type ChannelHandler, EmbeddedChannel, type LinkDownEvent } from "../../pipeline/mod.ts";

const SEED = 20_240;

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

/** A channel with a decoder that outlives its links, and what reached the end of it. */
function decoding(options: { maxFrameBytes?: number; keepsMessages?: boolean; after?: ChannelHandler } = {}) {
  const decoder = new VarintFrameDecoder({ maxFrameBytes: options.maxFrameBytes ?? 1000 });
  const errors: unknown[] = [];
  const downs: string[] = [];
  const last: ChannelHandler = {
    exceptionCaught: (_context, error) => errors.push(error),
    userEventTriggered: (_context, event) => {
      if ((event as LinkDownEvent).type === "linkDown") downs.push((event as LinkDownEvent).reason);
    },
  };
  const handlers = options.after === undefined ? [decoder, last] : [decoder, options.after, last];
  const channel = new EmbeddedChannel({ handlers, keepsMessages: options.keepsMessages });
  channel.autoClose = false;
  return { channel, decoder, errors, downs };
}

Deno.test("VarintFrameDecoder.channelRead() hands on a frame within one chunk without a copy", () => {
  const { channel } = decoding();
  const chunk = bytes(2, 7, 8, 0, 1, 9);
  channel.writeInbound(chunk);
  const frames = channel.drainInbound() as Uint8Array[];
  assertEquals(frames, [bytes(7, 8), bytes(), bytes(9)]);
  assertStrictEquals(frames[0]!.buffer, chunk.buffer);
});

Deno.test("VarintFrameDecoder.channelRead() does not keep a chunk for the remainder in it", () => {
  const { channel } = decoding();
  const chunk = new Uint8Array(64 * 1024);
  chunk.set([3, 1], chunk.length - 2);
  // Zero bytes are empty frames.
  channel.writeInbound(chunk);
  channel.drainInbound();
  channel.writeInbound(bytes(2, 3));
  const frame = channel.readInbound() as Uint8Array;
  assertEquals(frame, bytes(1, 2, 3));
  assert(frame.buffer.byteLength < 100, `${frame.buffer.byteLength} bytes kept`);
});

Deno.test("VarintFrameDecoder.channelRead() finds the same frames however the bytes are split", () => {
  const frame = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.array(fc.nat(200), { minLength: 1 }),
      (frames, sizes) => {
        const sender = new EmbeddedChannel({ handlers: [new VarintFrameEncoder()] });
        sender.writeOutbound(...frames);
        const stream = Uint8Array.from(sender.drainOutbound().flatMap((part) => [...part as Uint8Array]));
        const { channel, errors } = decoding();
        for (let at = 0, i = 0; at < stream.length; i++) {
          const end = at + Math.max(1, sizes[i % sizes.length]!);
          channel.writeInbound(stream.slice(at, end));
          at = end;
        }
        assertEquals(channel.drainInbound(), frames);
        assertEquals(errors, []);
      },
    ),
    { seed: SEED },
  );
});

Deno.test("VarintFrameDecoder.channelRead() survives any bytes and delivers nothing above the limit", () => {
  const small = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.array(fc.nat(9), { maxLength: 40 }).map((a) => bytes(...a)),
  );
  fc.assert(
    fc.property(fc.array(small, { maxLength: 10 }), (chunks) => {
      const { channel, decoder, errors, downs } = decoding({ maxFrameBytes: 20 });
      for (const chunk of chunks) channel.writeInbound(chunk);
      for (const frame of channel.drainInbound() as Uint8Array[]) assert(frame.length <= 20);
      assert(errors.length <= 1);
      for (const error of errors) assertInstanceOf(error, DecodeError);
      assertEquals(decoder.errors, errors.length);
      assertEquals(downs.length, errors.length);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

Deno.test("VarintFrameDecoder.channelRead() takes a megabyte in chunks of one byte", () => {
  const { channel } = decoding({ maxFrameBytes: 1 << 20 });
  channel.pipeline.fireChannelRead(bytes(0x80, 0x80, 0x40));
  const chunk = bytes(5);
  for (let i = 0; i < 1 << 20; i++) channel.pipeline.fireChannelRead(chunk);
  assertEquals((channel.readInbound() as Uint8Array).length, 1 << 20);
});

Deno.test("VarintFrameDecoder.channelRead() drops the link over a frame above the limit", () => {
  const { channel, decoder, errors, downs } = decoding({ maxFrameBytes: 300 });
  channel.writeInbound(bytes(1, 9, 0xad, 2, 1, 1, 1));
  assertEquals(channel.drainInbound(), [bytes(9)]);
  assertEquals(errors.length, 1);
  assertInstanceOf(errors[0], DecodeError);
  assertEquals(
    (errors[0] as DecodeError).message,
    "Cannot decode the frame: its length 301 is above maxFrameBytes 300",
  );
  assertEquals(downs, ["protocol"]);
  assertEquals(decoder.errors, 1);
  channel.writeInbound(bytes(1, 1));
  assertEquals(channel.drainInbound(), []);
  channel.reopen();
  channel.writeInbound(bytes(1, 2));
  assertEquals(channel.drainInbound(), [bytes(2)]);
});

Deno.test("VarintFrameDecoder.channelRead() takes a frame of exactly the limit, and a length in 5 bytes", () => {
  const { channel } = decoding({ maxFrameBytes: 2 });
  channel.writeInbound(bytes(2, 1, 2, 0x81, 0x80, 0x80, 0x80, 0, 3));
  assertEquals(channel.drainInbound(), [bytes(1, 2), bytes(3)]);
});

Deno.test("VarintFrameDecoder.channelRead() refuses a length of more than 5 bytes or 32 bits", () => {
  for (const prefix of [[0x80, 0x80, 0x80, 0x80, 0x80], [0xff, 0xff, 0xff, 0xff, 0x1f]]) {
    for (const chunks of [[bytes(...prefix)], prefix.map((byte) => bytes(byte))]) {
      const { channel, errors, downs } = decoding({ maxFrameBytes: 2 ** 32 - 1 });
      for (const chunk of chunks) channel.writeInbound(chunk);
      assertMatch(String(errors[0]), /its length prefix is above 2\^32 - 1 or longer than 5 bytes/);
      assertEquals(downs, ["protocol"]);
    }
  }
});

Deno.test("VarintFrameDecoder.channelRead() leaves the link alone if a handler brought a new one over the error", () => {
  const after: ChannelHandler = {
    exceptionCaught: (context, error) => {
      (context.channel as EmbeddedChannel).loseLink("networkChanged");
      (context.channel as EmbeddedChannel).reopen();
      context.fireExceptionCaught(error);
    },
  };
  const { channel, downs } = decoding({ maxFrameBytes: 1, after });
  channel.writeInbound(bytes(2));
  assertEquals(downs, ["networkChanged"]);
  assert(channel.isActive);
});

Deno.test("VarintFrameDecoder.channelInactive() forgets and counts a half frame", () => {
  const { channel, decoder } = decoding();
  channel.writeInbound(bytes(3, 1));
  channel.loseLink();
  assertEquals(decoder.truncated, 1);
  channel.reopen();
  channel.writeInbound(bytes(1, 9));
  assertEquals(channel.drainInbound(), [bytes(9)]);
  channel.loseLink();
  assertEquals(decoder.truncated, 1);
  assertEquals(decoder.errors, 0);
});

Deno.test("VarintFrameDecoder.channelRead() delivers nothing after channelInactive in the middle of a chunk", () => {
  for (const how of ["drop", "close"] as const) {
    const after: ChannelHandler = {
      channelRead: (context, message) => {
        context.fireChannelRead(message);
        if (how === "drop") context.channel.drop("protocol");
        else context.close();
      },
    };
    const { channel, decoder } = decoding({ after });
    channel.writeInbound(bytes(1, 1, 1, 2, 2, 3));
    assertEquals(channel.drainInbound(), [bytes(1)], how);
    assertEquals(decoder.truncated, 0);
  }
});

Deno.test("VarintFrameDecoder.channelRead() drops the rest of a chunk whose link was replaced by a new one", () => {
  let first = true;
  const after: ChannelHandler = {
    channelRead: (context, message) => {
      context.fireChannelRead(message);
      if (!first) return;
      first = false;
      const channel = context.channel as EmbeddedChannel;
      channel.loseLink();
      channel.reopen();
      channel.writeInbound(bytes(1, 50, 2, 60));
    },
  };
  const { channel } = decoding({ after });
  channel.writeInbound(bytes(1, 1, 1, 2));
  channel.writeInbound(bytes(61));
  assertEquals(channel.drainInbound(), [bytes(1), bytes(50), bytes(60, 61)]);
});

Deno.test("VarintFrameDecoder.handlerRemoved() passes on what is left as plain bytes", () => {
  const { channel, decoder } = decoding();
  let completes = 0;
  channel.pipeline.addLast({ channelReadComplete: () => void completes++ });
  channel.writeInbound(bytes(3, 1));
  channel.pipeline.remove(decoder);
  assertEquals(channel.drainInbound(), [bytes(3, 1)]);
  assertEquals(completes, 2);
});

Deno.test("VarintFrameDecoder.handlerRemoved() in the middle of a chunk passes the rest on in order", () => {
  const decoder = new VarintFrameDecoder();
  const after: ChannelHandler = {
    channelRead: (context, message) => {
      context.fireChannelRead(message);
      if (context.pipeline.get(decoder) === undefined) return;
      context.pipeline.fireChannelRead(bytes(99));
      context.pipeline.remove(decoder);
    },
  };
  const channel = new EmbeddedChannel({ handlers: [decoder, after] });
  channel.writeInbound(bytes(1, 1, 2, 2, 2));
  assertEquals(channel.drainInbound(), [bytes(1), bytes(2, 2, 2), bytes(99)]);
});

Deno.test("VarintFrameDecoder.handlerRemoved() passes nothing on after the link is gone", () => {
  const decoder = new VarintFrameDecoder();
  const after: ChannelHandler = {
    channelRead: (context, message) => {
      context.fireChannelRead(message);
      context.pipeline.remove(decoder);
      context.channel.drop("protocol");
    },
  };
  const channel = new EmbeddedChannel({ handlers: [decoder, after] });
  channel.writeInbound(bytes(1, 1, 2, 2, 2));
  assertEquals(channel.drainInbound(), [bytes(1)]);
});

Deno.test("VarintFrameDecoder.channelRead() keeps the order when it is called while it hands on a frame", () => {
  let nested = false;
  const after: ChannelHandler = {
    channelRead: (context, message) => {
      if (!nested) {
        nested = true;
        context.pipeline.fireChannelRead(bytes(22, 1));
        context.pipeline.fireChannelRead(bytes(3, 2, 4));
      }
      context.fireChannelRead(message);
    },
  };
  const { channel } = decoding({ after });
  channel.writeInbound(bytes(1, 1, 2, 21));
  channel.writeInbound(bytes(5));
  assertEquals(channel.drainInbound(), [bytes(1), bytes(21, 22), bytes(3), bytes(4, 5)]);
});

Deno.test("VarintFrameDecoder.channelReadComplete() asks for more if no frame came and autoRead is off", () => {
  let reads = 0;
  const channel = new EmbeddedChannel({
    handlers: [{ read: () => void reads++ }, new VarintFrameDecoder()],
    autoRead: false,
  });
  reads = 0;
  channel.writeInbound(bytes(2));
  assertEquals(reads, 1);
  channel.writeInbound(bytes(1, 1, 1));
  assertEquals(reads, 1);
  channel.pipeline.fireChannelReadComplete();
  assertEquals(reads, 1);
  channel.autoRead = true;
  reads = 0;
  channel.writeInbound(bytes());
  assertEquals(reads, 0);
});

Deno.test("VarintFrameDecoder.channelRead() passes messages through where the transport keeps them", () => {
  const { channel, errors, downs } = decoding({ keepsMessages: true, maxFrameBytes: 3 });
  const message = bytes(200, 1, 2);
  channel.writeInbound(message, "text");
  assertStrictEquals(channel.readInbound(), message);
  assertEquals(channel.readInbound(), "text");
  channel.writeInbound(bytes(1, 2, 3, 4));
  assertMatch(String(errors[0]), /its length 4 is above maxFrameBytes 3/);
  assertEquals(downs, ["protocol"]);
});

Deno.test("VarintFrameDecoder() refuses a limit out of range", () => {
  for (const maxFrameBytes of [0, -1, NaN, 1.5, Infinity, 2 ** 32]) {
    assertThrows(() => new VarintFrameDecoder({ maxFrameBytes }), RangeError, String(maxFrameBytes));
  }
});
