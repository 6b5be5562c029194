import { assert, assertEquals, assertFalse } from "@std/assert";
import fc from "fast-check";
import { OutboundBuffer } from "../../pipeline/_outbound_buffer.ts";
import { ChannelPromise } from "../../pipeline/channel_promise.ts";

const MARKS = { lowBytes: 5, highBytes: 10 };

function add(buffer: OutboundBuffer, bytes: number): ChannelPromise {
  const promise = new ChannelPromise();
  buffer.add(bytes, promise);
  return promise;
}

Deno.test("OutboundBuffer.add() and flushed() say when isWritable changed, and only then", () => {
  const buffer = new OutboundBuffer(MARKS);
  assertEquals([buffer.add(10, new ChannelPromise()), buffer.isWritable], [false, true]);
  assertEquals([buffer.add(1, new ChannelPromise()), buffer.isWritable], [true, false]);
  assertEquals([buffer.add(1, new ChannelPromise()), buffer.isWritable], [false, false]);
  assertEquals([buffer.flushed(7), buffer.isWritable, buffer.pendingBytes], [false, false, 5]);
  assertEquals([buffer.flushed(1), buffer.isWritable, buffer.pendingBytes], [true, true, 4]);
  assertEquals([buffer.flushed(4), buffer.isWritable, buffer.isEmpty], [false, true, true]);
});

Deno.test("OutboundBuffer.fail() fails everything pending, in order, and starts afresh", () => {
  const buffer = new OutboundBuffer(MARKS);
  const seen: unknown[] = [];
  const done = add(buffer, 3);
  for (const name of ["a", "b"]) {
    add(buffer, 20).onSettled((error) => seen.push(`${name} ${(error as Error).message}`));
  }
  buffer.flushed(4);
  buffer.fail(new Error("down"));
  assert(done.isSuccess);
  assertEquals(seen, ["a down", "b down"]);
  assertEquals([buffer.pendingBytes, buffer.isWritable], [0, true]);
  const next = add(buffer, 2);
  buffer.flushed(2);
  assert(next.isSuccess);
});

Deno.test("OutboundBuffer.fail() reaches every write even if a listener throws or writes again", () => {
  const buffer = new OutboundBuffer(MARKS);
  const promises = [1, 2, 3].map(() => {
    const promise = new ChannelPromise({ reportUnhandled: () => {} });
    buffer.add(4, promise);
    return promise;
  });
  promises[0]!.onSettled(() => {
    throw new Error("listener");
  });
  let again: ChannelPromise | undefined;
  promises[1]!.onSettled(() => again = add(buffer, 6));
  buffer.fail(new Error("down"));
  assert(promises.every((promise) => promise.error !== undefined));
  assertFalse(again!.isDone);
  assertEquals(buffer.pendingBytes, 6);
});

Deno.test("OutboundBuffer.flushed() does not count an earlier link's bytes for the next one's writes", () => {
  const buffer = new OutboundBuffer(MARKS);
  let next: ChannelPromise | undefined;
  add(buffer, 1).onSettled(() => {
    buffer.fail(new Error("down"));
    next = add(buffer, 2);
  });
  add(buffer, 2).onSettled(() => {});
  buffer.flushed(3);
  assertFalse(next!.isDone);
  buffer.flushed(2);
  assert(next!.isSuccess);
});

Deno.test("OutboundBuffer.flushed() settles all when a listener writes and flushes meanwhile", () => {
  const buffer = new OutboundBuffer(MARKS);
  const settled: string[] = [];
  add(buffer, 3).onSettled(() => {
    settled.push("a");
    add(buffer, 5).onSettled(() => settled.push("c"));
    buffer.flushed(5);
  });
  add(buffer, 4).onSettled(() => settled.push("b"));
  buffer.flushed(7);
  assertEquals([settled, buffer.pendingBytes], [["a", "b", "c"], 0]);
});

Deno.test("OutboundBuffer settles each write with its last byte, for any sizes and parts", () => {
  const sizes = fc.array(fc.nat(20), { maxLength: 60 });
  fc.assert(
    fc.property(sizes, fc.array(fc.nat(30), { maxLength: 60 }), fc.nat(30), (sizes, parts, lowBytes) => {
      const buffer = new OutboundBuffer({ lowBytes, highBytes: lowBytes + 20 });
      const promises: ChannelPromise[] = [];
      let written = 0;
      let sent = 0;
      let wasWritable = true;
      const check = (changed: boolean) => {
        assertEquals(changed, buffer.isWritable !== wasWritable);
        wasWritable = buffer.isWritable;
        assertEquals(buffer.pendingBytes, written - sent);
        if (buffer.pendingBytes > lowBytes + 20) assertFalse(buffer.isWritable);
        if (buffer.pendingBytes < lowBytes || buffer.pendingBytes === 0) assert(buffer.isWritable);
      };
      for (let i = 0; i < Math.max(sizes.length, parts.length); i++) {
        if (i < sizes.length) {
          const promise = new ChannelPromise();
          promises.push(promise);
          written += sizes[i]!;
          check(buffer.add(sizes[i]!, promise));
        }
        if (i < parts.length) {
          const part = Math.min(parts[i]!, written - sent);
          sent += part;
          check(buffer.flushed(part));
          let end = 0;
          for (const [j, size] of sizes.slice(0, promises.length).entries()) {
            end += size;
            assertEquals(promises[j]!.isSuccess, end <= sent, `write ${j}`);
          }
        }
      }
    }),
    { seed: 3, numRuns: 200 },
  );
});

Deno.test("OutboundBuffer that never runs empty stays in order", () => {
  const buffer = new OutboundBuffer(MARKS);
  let settled = 0;
  add(buffer, 1).onSettled(() => settled++);
  for (let i = 0; i < 5000; i++) {
    const expected = i + 1;
    add(buffer, 1).onSettled(() => assertEquals(settled++, expected));
    buffer.flushed(1);
  }
  assertEquals([settled, buffer.pendingBytes], [5000, 1]);
});
