/**
 * One stage of what Node offers instead: `chain.ts FOLDER KIND STAGES`, where
 * KIND is `emitter`, `pipeline` (of `node:stream`) or `transform` (web
 * streams), in object mode, with stages that pass each message on.
 *
 * Prints the ns a stage: a batch of messages, from the first write to the last
 * arrival, divided by messages and stages.
 */

import { EventEmitter } from "node:events";
import process from "node:process";
import { pipeline, Readable, Transform, Writable } from "node:stream";
import { nsPerCall } from "./_rounds.ts";

const MESSAGE = { text: "hello" };
/** Streams are quickest with many messages; what it takes to build one is not measured. */
const MESSAGES = 1000;
const WARM_UP_BATCHES = 15;
const BATCHES = 15;

const [, , , kind, stages] = process.argv as unknown as [string, string, string, string, string];
const length = Number(stages);
const ns = kind === "emitter" ? emitters() : await median(kind === "pipeline" ? streams : transforms);
console.log(JSON.stringify({ ns: ns / length }));

function emitters(): number {
  let count = 0;
  let last = new EventEmitter();
  const first = last;
  for (let i = 0; i < length; i++) {
    const next = new EventEmitter();
    last.on("message", (message) => next.emit("message", message));
    last = next;
  }
  last.on("message", () => count++);
  return nsPerCall({ ns: () => void first.emit("message", MESSAGE) }, { warmUpMs: 300, rounds: 250 }).ns;
}

async function median(batch: () => Promise<number>): Promise<number> {
  const nanos: number[] = [];
  for (let i = -WARM_UP_BATCHES; i < BATCHES; i++) {
    const ns = await batch();
    if (i >= 0) nanos.push(ns / MESSAGES);
  }
  return nanos.sort((a, b) => a - b)[BATCHES >> 1]!;
}

/** ns from the first message to the last. */
function streams(): Promise<number> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    let count = 0;
    pipeline(
      [
        Readable.from(messages()),
        ...Array.from(
          { length },
          () =>
            new Transform({ objectMode: true, transform: (message, _encoding, done) => done(null, message) }),
        ),
        new Writable({
          objectMode: true,
          write: (_message, _encoding, done) => {
            count++;
            done();
          },
        }),
      ],
      (error) =>
        error || count !== MESSAGES
          ? reject(error ?? new Error(`Cannot measure: ${count} of ${MESSAGES} messages arrived`))
          : resolve((performance.now() - start) * 1e6),
    );
  });
}

function* messages(): Iterable<unknown> {
  for (let i = 0; i < MESSAGES; i++) yield MESSAGE;
}

async function transforms(): Promise<number> {
  const start = performance.now();
  let stream = new ReadableStream<unknown>({
    start(controller) {
      for (let i = 0; i < MESSAGES; i++) controller.enqueue(MESSAGE);
      controller.close();
    },
  });
  for (let i = 0; i < length; i++) stream = stream.pipeThrough(new TransformStream());
  let count = 0;
  await stream.pipeTo(new WritableStream({ write: () => void count++ }));
  if (count !== MESSAGES) throw new Error(`Cannot measure: ${count} of ${MESSAGES} messages arrived`);
  return (performance.now() - start) * 1e6;
}
