import { assert, assertEquals, assertFalse, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { SystemEventLoop } from "../../mod.ts";
import { workerTimerHost, WorkerTimersError } from "../../pipeline/worker_timers.ts";

Deno.test("workerTimerHost() calls back once, whichever timer is first", async () => {
  const host = workerTimerHost();
  let calls = 0;
  await new Promise<void>((resolve) =>
    host.setTimeout(() => {
      calls++;
      resolve();
    }, 1)
  );
  // By then the slower one has come too.
  while (!host.isWorkerRunning) await new Promise<void>((resolve) => host.setTimeout(resolve, 5));
  await new Promise<void>((resolve) => host.setTimeout(resolve, 5));
  assertEquals(calls, 1);
  host.close();
});

Deno.test("workerTimerHost() drives a SystemEventLoop, in order", async () => {
  const host = workerTimerHost();
  const loop = new SystemEventLoop({ host });
  const ran: string[] = [];
  const cancelled = loop.schedule(2, () => void ran.push("cancelled"));
  await new Promise<void>((resolve) => {
    loop.schedule(20, () => {
      ran.push("last");
      resolve();
    });
    loop.schedule(5, () => void ran.push("first"));
    loop.schedule(10, () => {
      ran.push("second");
      loop.schedule(0, () => void ran.push("of a task"));
    });
    cancelled.cancel();
  });
  assertEquals(ran, ["first", "second", "of a task", "last"]);
  host.close();
});

Deno.test("workerTimerHost() forgets a timer that is cleared", async () => {
  const host = workerTimerHost();
  let calls = 0;
  host.clearTimeout(host.setTimeout(() => calls++, 1));
  host.clearTimeout(999);
  await new Promise<void>((resolve) => host.setTimeout(resolve, 10));
  assertEquals(calls, 0);
  host.close();
});

Deno.test("workerTimerHost() says once that the worker does not run, and goes on", async () => {
  const errors: WorkerTimersError[] = [];
  const script = "data:text/javascript,throw new Error('not this one')";
  const { promise, resolve } = Promise.withResolvers<void>();
  const host = workerTimerHost({
    script,
    onFallback: (error) => {
      errors.push(error);
      resolve();
    },
  });
  await new Promise<void>((resolve) => host.setTimeout(resolve, 1));
  await promise;
  await new Promise<void>((resolve) => host.setTimeout(resolve, 1));
  assertEquals(errors.length, 1);
  assertInstanceOf(errors[0], WorkerTimersError);
  assertEquals(errors[0].reason, "blocked");
  assertStringIncludes(errors[0].message, "Cannot run timers in a worker: ");
  assertFalse(host.isWorkerRunning);
});

Deno.test("workerTimerHost().close() leaves the page's own timers", async () => {
  const host = workerTimerHost();
  const waiting = new Promise<void>((resolve) => host.setTimeout(resolve, 20));
  host.close();
  await waiting;
  assertFalse(host.isWorkerRunning);
  await new Promise<void>((resolve) => host.setTimeout(resolve, 1));
  assert(!host.isWorkerRunning, "a closed host starts no worker");
});
