/**
 * How acknowledgements come to ride on heartbeats: heartbeats are made and
 * read by handlers nearer to the head than the session is.
 *
 * @module
 */

import type { ChannelPipeline } from "../../pipeline/mod.ts";
import { Heartbeat } from "../heartbeat/heartbeat.ts";

/** A session, as far as heartbeats have to do with it. */
export interface AcknowledgementSource {
  /**
   * The number of the peer's last message that is done with. Whoever asks sends it.
   *
   * @returns undefined while no session stands on this link: an early one would be taken for another session's.
   */
  takeAcknowledgement(): number | undefined;
  /** The peer acknowledges, by the lower 16 bits of a number. */
  acknowledged(lowBits: number): void;
}

/** Kept outside of the pipelines, since most have no session. */
const sources = new WeakMap<ChannelPipeline, AcknowledgementSource>();

const MASK = 0xffff;

/** Pipelines that take sessions, whether or not one stands. */
const willing = new WeakSet<ChannelPipeline>();

/** Says that this pipeline takes sessions, for the server's hello. */
export function offerSessions(pipeline: ChannelPipeline): void {
  willing.add(pipeline);
}

/** Whether this pipeline takes sessions. */
export function keepsSessions(pipeline: ChannelPipeline): boolean {
  return willing.has(pipeline);
}

/** From now on the heartbeats of this pipeline acknowledge for this session; or for none. */
export function acknowledgeWith(pipeline: ChannelPipeline, source: AcknowledgementSource | undefined): void {
  if (source === undefined) sources.delete(pipeline);
  else sources.set(pipeline, source);
}

/** Adds the acknowledgement to a heartbeat that is about to be sent. */
export function withAcknowledgement(pipeline: ChannelPipeline, heartbeat: Heartbeat): Heartbeat {
  // In a scout the bits are the ticket's.
  if (heartbeat.kind === "scout") return heartbeat;
  const received = sources.get(pipeline)?.takeAcknowledgement();
  if (received === undefined) return heartbeat;
  const { code, timeMs, sequence } = heartbeat;
  return new Heartbeat(code, {
    timeMs,
    sequence,
    acknowledgement: received & MASK,
    hasAcknowledgement: true,
  });
}

/** Gives a heartbeat's acknowledgement to the session. */
export function takeAcknowledgement(pipeline: ChannelPipeline, heartbeat: Heartbeat): void {
  if (heartbeat.hasAcknowledgement) sources.get(pipeline)?.acknowledged(heartbeat.acknowledgement);
}

/**
 * The whole number that the lower 16 bits stand for: the first one from
 * `from` on that ends with them. Right as long as fewer than 65,536 messages
 * are unacknowledged.
 */
export function wholeAcknowledgement(from: number, lowBits: number): number {
  return from + ((lowBits - from % (MASK + 1) + MASK + 1) & MASK);
}
