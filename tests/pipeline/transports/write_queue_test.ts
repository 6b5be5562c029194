import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { byteLength, WriteQueue } from "../../../pipeline/transports/_write_queue.ts";
import { concat } from "./_link_recorder.ts";

const seed = 20240501;

Deno.test("WriteQueue.take() gives the bytes that were flushed, in order, within the limit", () => {
  const size = fc.oneof(fc.nat(8), fc.nat(40_000));
  const step = fc.record({
    sizes: fc.array(size, { maxLength: 6 }),
    limit: fc.integer({ min: 1, max: 70_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const queue = new WriteQueue(false);
      const given: Uint8Array[] = [];
      const taken: Uint8Array[] = [];
      for (const { sizes, limit } of steps) {
        for (const size of sizes) {
          given.push(new Uint8Array(size).fill(given.length));
          queue.add(given.at(-1)!);
        }
        queue.flush();
        const part = queue.take(limit) as Uint8Array | undefined;
        assert(part === undefined || part.length <= limit);
        if (part !== undefined) taken.push(part);
      }
      for (let part; (part = queue.take(65_536)) !== undefined;) taken.push(part as Uint8Array);
      assert(queue.isDrained);
      assertEquals(concat(taken), concat(given));
    }),
    { seed, numRuns: 200 },
  );
});

Deno.test("WriteQueue.take() leaves what was not flushed", () => {
  const queue = new WriteQueue(false);
  queue.add(new Uint8Array([1]));
  assertEquals([queue.isDrained, queue.take(10)], [true, undefined]);
  queue.flush();
  queue.add(new Uint8Array([2]));
  assertEquals(queue.take(10), new Uint8Array([1]));
  assertEquals([queue.isDrained, queue.take(10)], [true, undefined]);
});

Deno.test("WriteQueue.take() keeps messages whole where it has to", () => {
  const queue = new WriteQueue(true);
  for (const message of ["text", new Uint8Array(100), ""]) queue.add(message);
  queue.flush();
  assertEquals([queue.take(1), queue.take(1), queue.take(1)], ["text", new Uint8Array(100), ""]);
  assert(queue.isDrained);
});

Deno.test("byteLength() counts what text has in UTF-8", () => {
  assertEquals(["a", "é", "你", "🙂", new Uint8Array(3)].map(byteLength), [1, 2, 3, 4, 3]);
});
