import { assertEquals } from "@std/assert";
import {
  answerKeepAlive,
  Heartbeat,
  IntervalAdviceHandler,
  type IntervalAdviceOptions,
} from "../../handlers/mod.ts";
import { type RawClient, serving } from "./_door.ts";
import { Collector } from "./_rig.ts";

/** Two customers of one network. */
export const HOME = "tcp://198.51.100.7:40000";
export const NEXT_DOOR = "tcp://198.51.100.200:50000";

export const ping = (sequence: number) => new Heartbeat("ping", { timeMs: 1_000_000, sequence });
export const hold = (sequence: number, timeMs: number) => new Heartbeat("hold", { timeMs, sequence });

/** A server that gives advice, and the ends of its pipelines. */
export async function advising(
  options: IntervalAdviceOptions = {},
  given = new IntervalAdviceHandler(options),
) {
  const ends: Collector[] = [];
  const made = await serving(() => {
    ends.push(new Collector());
    return [...answerKeepAlive({ advice: given }), ends.at(-1)!];
  });
  /** What a newcomer from there is told after the hello, ms. */
  const told = (address: string) => {
    const client = made.door.enter(address);
    client.sendHeartbeat(ping(1));
    made.loop.advanceBy(1);
    const heard = client.takeHeartbeats();
    client.link.close();
    made.loop.advanceBy(1);
    const [hello, ...rest] = heard;
    const pong = rest.pop();
    assertEquals([hello?.kind, pong?.kind], ["hello", "pong"]);
    return rest.map(({ kind, timeMs }) => [kind, timeMs]);
  };
  /** A client whose hold of so long is answered. */
  const held = (address: string, ms: number, sequence = 7): RawClient => {
    const client = made.door.enter(address);
    client.sendHeartbeat(hold(sequence, ms));
    made.loop.advanceBy(ms + 1);
    assertEquals(client.takeHeartbeats().at(-1), new Heartbeat("pong", { sequence }));
    return client;
  };
  /** A client that shows that it has got the answer to a hold of so long. */
  const teach = (address: string, ms: number) => {
    const client = held(address, ms);
    client.sendHeartbeat(hold(8, ms));
    made.loop.advanceBy(1);
    client.link.close();
    made.loop.advanceBy(1);
  };
  /** What the handlers were told, or who looks after the server if the link had gone meanwhile. */
  const errors = () => [
    ...ends.flatMap((end) => end.errors),
    ...made.reports.flatMap((report) => report.kind === "error" ? report.error : []),
  ];
  return { ...made, advice: given, told, held, teach, errors };
}
