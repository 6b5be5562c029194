/**
 * What `longlink connect` tells of its link.
 *
 * @module
 */

import type {
  ChannelHandler,
  IntervalEvent,
  LinkDownEvent,
  LinkUpEvent,
  ReconnectEvent,
  SessionLostEvent,
} from "../mod.ts";
import { messageNumber } from "./chat_message.ts";
import type { EventLog } from "./_event_log.ts";
import type { Patience } from "./_patience.ts";

type Event = LinkUpEvent | LinkDownEvent | IntervalEvent | ReconnectEvent | SessionLostEvent;

/** Prints what becomes of the link, and tells the patience; last in the pipeline. */
export function linkWatcher(
  log: Pick<EventLog, "event" | "note">,
  patience: Pick<Patience, "linkUp" | "linkDown">,
): ChannelHandler {
  let isUp = false;
  /** The handlers are told of a link before the end of the pipeline is: what they chose for it comes first. */
  let early: IntervalEvent[] = [];
  const interval = ({ reason, intervalMs }: IntervalEvent) =>
    log.event({ event: "interval", reason, ms: Math.round(intervalMs) });
  const tries = new Tries(log);
  return {
    userEventTriggered(context, event) {
      const known = event as Event;
      switch (known.type) {
        case "linkUp":
          isUp = true;
          patience.linkUp();
          tries.linkUp();
          log.event(
            known.resumed ? { event: "up", reason: "resumed" } : { event: "up" },
            context.channel.remoteAddress,
          );
          early.forEach(interval);
          early = [];
          break;
        case "linkDown":
          isUp = false;
          patience.linkDown();
          log.event({ event: "down", reason: known.reason });
          break;
        case "sessionLost":
          log.note(
            `the session is gone (${known.reason}); messages without confirmation: ${known.unconfirmed.length}`,
          );
          for (const value of known.unconfirmed) {
            log.event({ event: "lost", n: messageNumber(value), reason: known.reason });
          }
          break;
        case "interval":
          if (isUp) interval(known);
          else early.push(known);
          break;
        case "reconnect":
          tries.next(known);
      }
      context.fireUserEventTriggered(event);
    },
  };
}

/** Tells of tries that fail, and of each reason once. */
class Tries {
  readonly #log: Pick<EventLog, "note">;
  #isAdvised = false;
  #reason: string | undefined = undefined;

  constructor(log: Pick<EventLog, "note">) {
    this.#log = log;
  }

  next({ error, delayMs }: ReconnectEvent): void {
    if (error === undefined) return;
    const { message } = error as Error;
    const isNew = message !== this.#reason;
    this.#reason = message;
    if (isNew) this.#log.note(message);
    const advice = this.#isAdvised ? "" : " (Ctrl-C ends it)";
    this.#isAdvised = true;
    this.#log.note(
      `${isNew ? "trying" : "no link yet; trying"} again in ${(delayMs / 1_000).toFixed(1)} s${advice}`,
    );
  }

  linkUp(): void {
    this.#reason = undefined;
  }
}
