/**
 * The options that both sides of a session have.
 *
 * @module
 */

import { checkedCount, checkedMs } from "../_checks.ts";

/**
 * How much may be unacknowledged.
 *
 * @example No more than two messages ahead of the server
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { EmbeddedChannel, QueueFullError, SessionHandler, type SessionQueueLimits } from "@longlink/pipeline";
 *
 * const queue: SessionQueueLimits = { maxMessages: 2, maxBytes: 65_536 };
 * const channel = new EmbeddedChannel({ handlers: [new SessionHandler({ queue })] });
 * channel.write(new Uint8Array([1]));
 * channel.write(new Uint8Array([2]));
 * await assertRejects(async () => await channel.write(new Uint8Array([3])), QueueFullError, "3 messages");
 * ```
 */
export interface SessionQueueLimits {
  /** The most messages, 1 to 65,535. Default: 1,000. */
  readonly maxMessages?: number;
  /** The most bytes, 1 or more. Default: 1 MiB. */
  readonly maxBytes?: number;
  /**
   * What happens to a write beyond that. `reject`: it fails with a
   * `QueueFullError`. `block`: it is taken once there is room, and its promise
   * waits so long; as many may wait as the queue holds. Default: `reject`.
   */
  readonly policy?: "reject" | "block";
}

/**
 * Options that both sides of a session have.
 *
 * @example A write is done when the server's application is done with it
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, SessionHandler, SessionRegistry, SessionResponder, type SessionLimits } from "@longlink/pipeline";
 *
 * const limits: SessionLimits = { writes: "acknowledged", acknowledgeWithinMs: 0 };
 * const sessions = new SessionRegistry(limits);
 * const client = new EmbeddedChannel({ handlers: [new SessionHandler(limits)] });
 * const server = new EmbeddedChannel({ handlers: [new SessionResponder({ sessions })] });
 * const write = client.writeAndFlush(new Uint8Array([1]));
 * server.writeInbound(...client.drainOutbound());
 * client.writeInbound(...server.drainOutbound()); // the session is open
 * server.writeInbound(...client.drainOutbound()); // the message
 * assertEquals(write.isDone, false);
 * server.advanceBy(0);
 * client.writeInbound(...server.drainOutbound()); // its acknowledgement
 * await write;
 * ```
 */
export interface SessionLimits {
  /** How much may be written that the peer has not acknowledged. */
  readonly queue?: SessionQueueLimits;
  /**
   * When `write()` is done: once its bytes have left for the operating system
   * (`written`; it is still sent again if they are lost), or once the peer's
   * application is done with the message (`acknowledged`). Default: `written`.
   */
  readonly writes?: "written" | "acknowledged";
  /**
   * How long an acknowledgement may wait for something to ride on, in ms, 0 to
   * 200. Default: 150.
   */
  readonly acknowledgeWithinMs?: number;
}

/** The same, checked. */
export interface SessionSettings {
  readonly queue: Required<SessionQueueLimits>;
  readonly writes: "written" | "acknowledged";
  readonly acknowledgeWithinMs: number;
}

/**
 * Checks the options.
 *
 * @throws {RangeError} If a number is out of range.
 * @throws {TypeError} If the policy is none of the two (a session drops no message), or `writes` is.
 */
export function sessionSettings(action: string, options: SessionLimits): SessionSettings {
  const { maxMessages = 1_000, maxBytes = 1024 * 1024, policy = "reject" } = options.queue ?? {};
  const { writes = "written", acknowledgeWithinMs = 150 } = options;
  if (policy !== "reject" && policy !== "block") {
    throw new TypeError(
      `Cannot ${action}: queue.policy must be "reject" or "block", got "${policy}"; a session drops no message`,
    );
  }
  if (writes !== "written" && writes !== "acknowledged") {
    throw new TypeError(`Cannot ${action}: writes must be "written" or "acknowledged", got "${writes}"`);
  }
  return {
    queue: {
      maxMessages: checkedCount(action, "queue.maxMessages", maxMessages, 1, 0xffff),
      maxBytes: checkedCount(action, "queue.maxBytes", maxBytes, 1, Infinity),
      policy,
    },
    writes,
    acknowledgeWithinMs: checkedMs(action, "acknowledgeWithinMs", acknowledgeWithinMs, 0, 200),
  };
}
