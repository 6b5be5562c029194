import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { ChannelPromise } from "../../pipeline/channel_promise.ts";
import { EmbeddedChannel } from "../../pipeline/embedded_channel.ts";
import { LinkDownError } from "../../pipeline/errors.ts";
import { turn, uncaught } from "./_turn.ts";

function sink() {
  const reported: unknown[] = [];
  return { reported, reportUnhandled: (error: unknown) => void reported.push(error) };
}

Deno.test("ChannelPromise.resolve() settles once", () => {
  const promise = new ChannelPromise();
  assertEquals([promise.isDone, promise.isSuccess, promise.error], [false, false, undefined]);
  assert(promise.resolve());
  assertEquals([promise.isDone, promise.isSuccess, promise.error], [true, true, undefined]);
  assertFalse(promise.resolve());
  assertFalse(promise.reject(new Error("late")));
  assert(promise.isSuccess);
});

Deno.test("ChannelPromise.reject() settles once and keeps the error", async () => {
  const unhandled = sink();
  const promise = new ChannelPromise(unhandled);
  const error = new Error("no");
  assert(promise.reject(error));
  assertFalse(promise.reject(new Error("again")));
  assertFalse(promise.resolve());
  assertEquals([promise.isDone, promise.isSuccess], [true, false]);
  assertStrictEquals(promise.error, error);
  assertStrictEquals(await promise.catch((caught) => caught), error);
  assertEquals(unhandled.reported, []);
});

Deno.test("ChannelPromise.reject() without an error makes one", async () => {
  const promise = new ChannelPromise();
  promise.reject(undefined);
  assertInstanceOf(promise.error, Error);
  await assertRejects(() => promise.then(), Error, "it failed without an error");
});

Deno.test("ChannelPromise.onSettled() calls all listeners, in order, at once", () => {
  const promise = new ChannelPromise();
  const seen: unknown[] = [];
  for (const name of ["a", "b", "c"]) promise.onSettled((error) => seen.push([name, error]));
  assertEquals(seen, []);
  promise.resolve();
  promise.onSettled((error) => seen.push(["late", error]));
  assertEquals(seen, [["a", undefined], ["b", undefined], ["c", undefined], ["late", undefined]]);
});

Deno.test("ChannelPromise reports a failure that nobody listens to, once", async () => {
  const unhandled = sink();
  const promise = new ChannelPromise(unhandled);
  promise.reject("lost");
  assertEquals(unhandled.reported, []);
  await turn();
  assertEquals(unhandled.reported, ["lost"]);
});

Deno.test("ChannelPromise.observe() does not take care of a failure, onSettled() does", async () => {
  const unhandled = sink();
  const seen: unknown[] = [];
  const observed = new ChannelPromise(unhandled);
  observed.observe((error) => seen.push(error));
  observed.reject("observed");
  const handled = new ChannelPromise(unhandled);
  handled.observe((error) => seen.push(error));
  handled.onSettled((error) => seen.push(error));
  handled.reject("handled");
  await turn();
  assertEquals(seen, ["observed", "handled", "handled"]);
  assertEquals(unhandled.reported, ["observed"]);
});

Deno.test("ChannelPromise that failed before it is awaited in the same turn is not reported", async () => {
  // await, an async function's return and Promise.all call `then` only a microtask later.
  const ways: ((promise: ChannelPromise) => unknown)[] = [
    async (promise) => await promise,
    (promise) => (async () => await promise)(),
    // deno-lint-ignore require-await
    (promise) => (async () => promise)(),
    (promise) => Promise.all([promise, Promise.resolve()]),
    (promise) => Promise.resolve(promise),
    (promise) => promise.then(),
    (promise) => promise.catch((error) => Promise.reject(error)),
  ];
  for (const way of ways) {
    const unhandled = sink();
    const promise = new ChannelPromise(unhandled);
    promise.reject("at once");
    let caught: unknown;
    try {
      await way(promise);
    } catch (error) {
      caught = error;
    }
    await turn();
    assertEquals([caught, unhandled.reported], ["at once", []], String(way));
  }
});

Deno.test("ChannelPromise.then() follows success", async () => {
  const promise = new ChannelPromise();
  const chained = promise.then(() => "value");
  promise.resolve();
  assertEquals(await chained, "value");
  assertEquals(await promise, undefined);
});

Deno.test("ChannelPromise reports what a listener throws, and calls the others", async () => {
  const unhandled = sink();
  const promise = new ChannelPromise(unhandled);
  const seen: string[] = [];
  promise.onSettled(() => {
    throw "first";
  });
  promise.onSettled(() => seen.push("second"));
  promise.resolve();
  promise.onSettled(() => {
    throw "late";
  });
  assertEquals(seen, ["second"]);
  assertEquals(unhandled.reported, ["first", "late"]);

  const alone = new ChannelPromise();
  alone.onSettled(() => {
    throw new Error("nobody to tell");
  });
  const [error] = await uncaught(() => void alone.resolve());
  assertEquals((error as Error).message, "nobody to tell");
});

Deno.test("ChannelPromise.passedOn() leaves the failure to others, or reports it", async () => {
  const unhandled = sink();
  const promise = new ChannelPromise(unhandled);
  promise.passedOn(); // nobody listened
  promise.onSettled(() => {});
  promise.onSettled(() => {});
  promise.reject("lost");
  promise.passedOn();
  await turn();
  assertEquals(unhandled.reported, []);
  promise.passedOn();
  assertEquals(unhandled.reported, ["lost"]);
});

Deno.test("Channel.write() that fails at once and is awaited is not reported", async () => {
  const channel = new EmbeddedChannel({ active: false });
  await assertRejects(async () => await channel.write("x"), LinkDownError);
  await assertRejects(() => channel.writeAndFlush("x").then(), LinkDownError);
  await turn();
  channel.checkException();
});

Deno.test("Channel.write() that fails and is not awaited is reported, once", async () => {
  const channel = new EmbeddedChannel({ active: false });
  channel.write("x");
  await turn();
  const error = caughtBy(() => channel.checkException());
  assertInstanceOf(error, LinkDownError);
  channel.checkException();
});

function caughtBy(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
}
