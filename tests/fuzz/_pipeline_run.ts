import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { DecodeError, HeartbeatError, LimitError, messagePackFormat } from "../../handlers/mod.ts";
import {
  type ChannelHandler,
  EmbeddedChannel,
  type LinkDownEvent,
  type LinkDownReason,
  VirtualEventLoop,
} from "../../pipeline/mod.ts";
import { Collector } from "../handlers/_rig.ts";
import { anyHeartbeat, anyWritten } from "./_message_pack_values.ts";
import { anyDamage, damaged, hexOf, join } from "./_wire.ts";

/** Puts the length in front, of which one byte is enough for what is made here, or two. */
export function framed(payload: Uint8Array): Uint8Array {
  const { length } = payload;
  return join([length < 0x80 ? [length] : [length & 0x7f | 0x80, length >> 7], payload]);
}

/** A heartbeat or a message in its frame, or anything. */
const anyPiece = fc.oneof(
  {
    weight: 8,
    arbitrary: anyHeartbeat.map((heartbeat) => framed(messagePackFormat().encode(heartbeat) as Uint8Array)),
  },
  {
    weight: 6,
    arbitrary: anyWritten.filter(({ bytes }) => bytes.length < 2 ** 14).map(({ bytes }) => framed(bytes)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }) },
);

/** What a peer may send over one link: in order, damaged, or nonsense. */
export function streamOf(piece: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc.tuple(fc.array(piece, { maxLength: 12 }), fc.option(anyDamage, { freq: 1 })).map((
    [pieces, damages],
  ) => damages === null ? join(pieces) : damaged(join(pieces), damages));
}

/** A stream of heartbeats and messages. */
export const anyStream: fc.Arbitrary<Uint8Array> = streamOf(anyPiece);

/** A chunk, and how long it takes until the next one comes. */
export interface Arrival {
  readonly chunk: Uint8Array;
  readonly pauseMs: number;
}

/** What a pipeline did. */
export interface Trace {
  readonly received: readonly unknown[];
  readonly sent: string;
  readonly errors: readonly string[];
  readonly downs: readonly string[];
}

/**
 * Feeds a pipeline, sees that it fails as it should, and that nothing of it is
 * left in the loop after it was closed.
 *
 * @param isExpected Whether an error is one that the pipeline may have.
 */
export async function runPipeline(
  handlers: readonly ChannelHandler[],
  arrivals: readonly Arrival[],
  isExpected: (error: unknown) => boolean = () => false,
): Promise<Trace> {
  const loop = new VirtualEventLoop();
  const end = new Collector();
  const downs: LinkDownReason[] = [];
  // At the head: an application that was not shown a link is not told of its end either.
  const head: ChannelHandler = {
    userEventTriggered: (context, event) => {
      if ((event as LinkDownEvent).type === "linkDown") downs.push((event as LinkDownEvent).reason);
      context.fireUserEventTriggered(event);
    },
  };
  const channel = new EmbeddedChannel({ loop, handlers: [head, ...handlers, end] });
  const received: unknown[] = [];
  const sent: Uint8Array[] = [];
  for (const { chunk, pauseMs } of arrivals) {
    // What the peer sends after its link was dropped does not come to the next link.
    if (downs.length > 0) break;
    channel.writeInbound(chunk);
    received.push(...channel.drainInbound());
    sent.push(...channel.drainOutbound() as Uint8Array[]);
    if (pauseMs > 0) await channel.advanceByAsync(pauseMs);
  }
  // A client comes back meanwhile, and a server gives up on a client that does not.
  if (arrivals.some(({ pauseMs }) => pauseMs > 0)) await channel.advanceByAsync(100_000);
  const decodeErrors = end.errors.filter((error) => error instanceof DecodeError);
  for (const error of end.errors) {
    assert(
      error instanceof DecodeError || error instanceof HeartbeatError || error instanceof LimitError ||
        isExpected(error),
      String(error),
    );
  }
  // Whatever could not be decoded is the end of its link, once.
  const others = end.errors.filter(isExpected).length;
  const ends = downs.filter((reason) => reason === "protocol").length;
  assert(ends >= decodeErrors.length && ends <= decodeErrors.length + others);

  const downsBefore = [...downs];
  const closed = channel.close();
  await channel.advanceByAsync(10_000);
  await closed;
  channel.checkException();
  assertEquals([channel.state, loop.pendingTimers], ["closed", 0]);
  return { received, sent: hexOf(join(sent)), errors: end.errors.map(String), downs: downsBefore };
}
