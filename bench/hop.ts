/**
 * What one handler hop costs, next to Netty in Java and to what Node offers.
 *
 * Counted: `pipeline.fireChannelRead(message)` and `pipeline.write(message)`
 * through handlers that pass the message on and do nothing else, up to a sink
 * that counts it. The whole call, with its entry, the sink and (for a write)
 * making and settling its promise, divided by the handlers. Not counted: flush,
 * sockets, codecs.
 */

import { netty } from "./_netty.ts";
import { inDeno, inNode, removeBundles } from "./_programs.ts";
import { numbersOf, type Row, type Table } from "./_table.ts";
import type { Measurement } from "./_measurement.ts";

/** A pipeline: how many handlers forward, of how many classes, with how many skipped before each. */
type Shape = readonly [handlers: number, classes: number, skipped: number];

const USUAL: Shape = [10, 5, 0];
const SHAPES: readonly Shape[] = [USUAL, [1, 1, 0], [30, 5, 0], [10, 1, 0], [30, 1, 0], [10, 5, 1]];
/** Of these Netty is measured with a ByteBuf as well. */
const WITH_BYTE_BUF: readonly Shape[] = [USUAL, [10, 5, 1]];
const LENGTHS = [1, 10, 30];
const CHAINS = { EventEmitter: "emitter", "stream.pipeline": "pipeline", TransformStream: "transform" };

/** How much is measured; less for a quick check. */
export interface HopOptions {
  readonly runs: number;
  readonly shapes?: readonly Shape[];
  readonly lengths?: readonly number[];
}

/** Measures a hop here and elsewhere, one after the other, several times. */
export async function benchHop(options: HopOptions = { runs: 3 }): Promise<Measurement> {
  const { runs, shapes = SHAPES, lengths = LENGTHS } = options;
  const found = new Map<string, Record<string, number[]>>();
  const note = (row: string, who: string, ns: number) => {
    const who2ns = found.get(row) ?? {};
    found.set(row, who2ns);
    (who2ns[who] ??= []).push(ns);
  };
  const java = await netty();
  for (let run = 1; run <= runs; run++) {
    console.error(`  hop: run ${run} of ${runs}`);
    for (const shape of shapes) await inShape(shape, java, note);
    for (const length of lengths) await inNodeChains(length, note);
  }
  await removeBundles();
  if (typeof java !== "string") await java[Symbol.asyncDispose]();
  const rows = Array.from(found, ([name, runs]): Row => ({ name, runs }));
  const tables: Table[] = [
    { title: "a hop in Deno", unit: "ns", rows: rows.filter(({ name }) => !name.endsWith("in Node")) },
    { title: "a hop in Node", unit: "ns", rows: rows.filter(({ name }) => name.endsWith("in Node")) },
  ];
  return {
    numbers: numbersOf(tables),
    tables,
    notes: [
      "ns a handler that forwards: the whole call, with its sink, divided by them; flush and sockets are not in it",
      '"bare" is no pipeline: objects that call each other by a function they were given, as any pipeline has to',
      "streams and emitters have one direction; streams are measured by batches of 1,000 messages",
      typeof java === "string"
        ? `no numbers for Netty: ${java}`
        : "Netty runs with its defaults: at each hop it asks whether a message is reference counted, which Java answers slowly for a plain object",
    ],
  };
}

async function inShape(
  shape: Shape,
  java: Awaited<ReturnType<typeof netty>>,
  note: (row: string, who: string, ns: number) => void,
): Promise<void> {
  const args = shape.map(String);
  const [handlers, classes, skipped] = shape;
  const name = `${handlers} of ${classes} class${classes > 1 ? "es" : ""}${
    skipped > 0 ? ", as many skipped" : ""
  }`;
  const hop = async (direction: string) => (await inDeno<{ ns: number }>("hop", direction, ...args)).ns;
  note(`inbound, ${name}`, "longlink", await hop("inbound"));
  note(`outbound, ${name}`, "longlink", await hop("outbound"));
  if (typeof java !== "string") {
    const messages = WITH_BYTE_BUF.some((other) => `${other}` === `${shape}`)
      ? ["object", "bytebuf"]
      : ["object"];
    for (const message of messages) {
      const who = message === "object" ? "Netty, object" : "Netty, ByteBuf";
      const { inboundNs, outboundNs } = await java.run<{ inboundNs: number; outboundNs: number }>(
        "HopBench",
        message,
        ...args,
      );
      note(`inbound, ${name}`, who, inboundNs);
      note(`outbound, ${name}`, who, outboundNs);
    }
  }
  if (skipped === 0) note(`inbound, ${name}`, "bare", await hop("bare"));
}

async function inNodeChains(
  length: number,
  note: (row: string, who: string, ns: number) => void,
): Promise<void> {
  const row = `inbound, ${length} of 5 classes, in Node`;
  const { ns } = await inNode<{ ns: number }>("hop", "inbound", `${length}`, "5", "0");
  note(row, "longlink", ns);
  for (const [who, kind] of Object.entries(CHAINS)) {
    note(row, who, (await inNode<{ ns: number }>("chain", kind, `${length}`)).ns);
  }
}
