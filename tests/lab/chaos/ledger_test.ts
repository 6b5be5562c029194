import { assertEquals } from "@std/assert";
import { Ledger } from "./_ledger.ts";

const [WRITER, OTHER] = [{}, {}];

/** A ledger with four messages of a stream, all of them accepted. */
function four() {
  const ledger = new Ledger();
  const entries = [1, 2, 3, 4].map((atMs) => ledger.write("up1", atMs < 4 ? WRITER : OTHER, atMs));
  for (const entry of entries) ledger.settled(entry, undefined);
  return { ledger, entries };
}

Deno.test("Ledger.totals() counts what is lost, doubled and out of order", () => {
  const { ledger } = four();
  for (const number of [1, 3, 2, 3]) ledger.arrived("up1", number);
  assertEquals(ledger.totals(), { sent: 4, delivered: 3, lost: 1, duplicated: 1, reordered: 1 });
  assertEquals(ledger.problems, ["up1 2 arrived after 3", "up1 3 arrived again", "up1 4 is lost"]);
});

Deno.test("Ledger excuses what was listed, what failed, and what a dead process was writing", () => {
  const { ledger, entries } = four();
  ledger.listed("up1", 1);
  ledger.settled(entries[1]!, new Error("no room"));
  entries[2]!.state = entries[3]!.state = "pending";
  ledger.writerDied(WRITER);
  assertEquals([ledger.unsettled(new Set([OTHER])), ledger.isComplete], [1, false]);
  ledger.arrived("up1", 4);
  assertEquals(ledger.isComplete, true);
  assertEquals(ledger.totals(), { sent: 3, delivered: 1, lost: 0, duplicated: 0, reordered: 0 });
});

Deno.test("Ledger.keptLost() excuses what has not arrived so far", () => {
  const { ledger } = four();
  ledger.arrived("up1", 1);
  ledger.keptLost(["up1"]);
  ledger.settled(ledger.write("up1", WRITER, 5), undefined);
  assertEquals(ledger.totals().lost, 1);
});

Deno.test("Ledger.acknowledged() is right only once the receiver is done", () => {
  const { ledger, entries } = four();
  ledger.acknowledged(entries[0]!);
  ledger.arrived("up1", 2)!.isDone = true;
  ledger.acknowledged(entries[1]!);
  assertEquals(ledger.problems, ["up1 1 was acknowledged before its receiver was done with it"]);
});

Deno.test("Ledger.expectArrived() names what is stuck", () => {
  const { ledger } = four();
  ledger.arrived("up1", 1);
  ledger.expectArrived("up1", 3);
  assertEquals(ledger.problems, ["up1 2 is stuck, with nothing in its way"]);
});

Deno.test("Ledger names what cannot be", () => {
  const { ledger } = four();
  ledger.arrived("up1", 9);
  ledger.listed("up1", 9);
  ledger.listed("up1", 1);
  ledger.listed("up1", 1);
  ledger.taken("up1", 2);
  assertEquals(ledger.problems, [
    "up1 9 arrived, and was never sent",
    "up1 9 is listed, and was never sent",
    "up1 1 is listed twice",
    "up1 2 is known to be done, and never arrived",
  ]);
});
