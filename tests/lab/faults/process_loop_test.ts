import { assertEquals } from "@std/assert";
import { VirtualEventLoop } from "../../../pipeline/mod.ts";
import { ProcessLoop } from "./process_loop.ts";

Deno.test("ProcessLoop.pending counts timers and listeners of its process alone", () => {
  const loop = new VirtualEventLoop();
  const [one, other] = [new ProcessLoop(loop), new ProcessLoop(loop)];
  const ran: string[] = [];
  const timer = one.schedule(10, (what) => ran.push(what), "one");
  one.schedule(20, () => ran.push("cancelled")).cancel();
  const stop = one.onLate(() => {});
  other.schedule(10, () => ran.push("other"));
  assertEquals([one.pending, other.pending, timer.pending, timer.dueMs], [2, 1, true, 10]);
  loop.advanceBy(30);
  stop();
  assertEquals([one.pending, other.pending, timer.pending], [0, 0, false]);
  assertEquals(ran, ["one", "other"]);
});

Deno.test("ProcessLoop.kill() ends what is scheduled, and what would be", () => {
  const loop = new VirtualEventLoop();
  const process = new ProcessLoop(loop);
  const fail = () => {
    throw new Error("it was killed");
  };
  process.schedule(10, fail);
  process.onLate(fail);
  process.kill();
  process.schedule(10, fail);
  process.onLate(fail);
  loop.sleep(1_000);
  assertEquals([process.pending, loop.pendingTimers], [0, 0]);
});
