import { assertEquals } from "@std/assert";
import { Beat, type BeatLimits, type BeatOwner } from "../../handlers/_beat.ts";
import { VirtualEventLoop } from "../../pipeline/mod.ts";

type Note = [atMs: number, what: string, value: number];

/** A beat, and what it does and tells. */
function beating(limits: Partial<BeatLimits> = {}) {
  const loop = new VirtualEventLoop();
  const notes: Note[] = [];
  const owner = {
    lastReadMs: 0,
    pendingBytes: 0,
    flushedBytes: 0,
    onMissed: (): void => {},
    sendHeartbeat: (sequence: number) => void notes.push([loop.now(), "sent", sequence]),
    beatAnswered: (roundTripMs: number, unanswered: number) =>
      void notes.push([loop.now(), `answered after ${unanswered}`, roundTripMs]),
    beatMissed: (unanswered: number) => {
      notes.push([loop.now(), "missed", unanswered]);
      owner.onMissed();
    },
    beatDied: (unanswered: number) => void notes.push([loop.now(), "died", unanswered]),
  } satisfies BeatOwner & { onMissed: () => void };
  const beat = new Beat(owner, { maxUnanswered: 5, minMs: 1000, maxMs: 10_000, ...limits });
  return { loop, owner, beat, notes };
}

Deno.test("Beat repeats quickly and knows of death in seconds", () => {
  const { loop, beat, notes } = beating();
  beat.start(loop);
  loop.advanceBy(100_000);
  assertEquals(notes, [
    [0, "sent", 0],
    [1000, "missed", 1],
    [1000, "sent", 1],
    [2250, "missed", 2],
    [2250, "sent", 2],
    [3813, "missed", 3],
    [3813, "sent", 3],
    [5767, "missed", 4],
    [5767, "sent", 4],
    [8209, "missed", 5],
    [8209, "died", 5],
  ]);
  assertEquals([beat.isWaiting, loop.pendingTimers], [false, 0]);
});

Deno.test("Beat waits on a slow network as long as its round trip asks for", () => {
  const { loop, beat, notes } = beating();
  beat.measured(2000); // 2000 and four times 1000
  beat.start(loop);
  loop.advanceBy(5999);
  assertEquals(notes, [[0, "sent", 0]]);
  loop.advanceBy(1);
  assertEquals(notes[1], [6000, "missed", 1]);
});

Deno.test("Beat takes the answer to any of its heartbeats, timed from that one", () => {
  for (let answered = 0; answered < 5; answered++) {
    const { loop, beat, notes } = beating();
    beat.start(loop);
    loop.advanceBy(6000);
    const sentMs = notes.filter(([, what]) => what === "sent").map(([atMs]) => atMs);
    assertEquals(sentMs, [0, 1000, 2250, 3813, 5767]);
    assertEquals(beat.answered(loop, answered), "answer");
    assertEquals(notes.at(-1), [6000, "answered after 4", 6000 - sentMs[answered]!]);
    assertEquals([beat.isWaiting, loop.pendingTimers], [false, 0]);
  }
});

Deno.test("Beat takes nothing else for an answer", () => {
  const { loop, beat } = beating();
  assertEquals(beat.answered(loop, 0), "stray");
  beat.start(loop);
  loop.advanceBy(1000);
  assertEquals([2, 511, 100].map((sequence) => beat.answered(loop, sequence)), ["stray", "stray", "stray"]);
  assertEquals(beat.isWaiting, true);
});

Deno.test("Beat takes a second answer for a late one, not for one that nobody asked for", () => {
  const { loop, beat } = beating();
  beat.start(loop);
  loop.advanceBy(1000);
  assertEquals([1, 0, 1].map((sequence) => beat.answered(loop, sequence)), ["answer", "late", "late"]);
  beat.start(loop);
  assertEquals([0, 1, 2, 2].map((sequence) => beat.answered(loop, sequence)), [
    "late",
    "late",
    "answer",
    "late",
  ]);
  assertEquals(beat.answered(loop, 3), "stray");
});

Deno.test("Beat takes nothing of an earlier link for late", () => {
  const { loop, beat } = beating();
  beat.start(loop);
  beat.stop();
  assertEquals(beat.answered(loop, 0), "stray");
});

Deno.test("Beat counts around at 512", () => {
  const { loop, beat, notes } = beating();
  for (let i = 0; i < 1200; i++) {
    beat.start(loop);
    assertEquals(beat.answered(loop, i % 512), "answer", `beat ${i}`);
  }
  assertEquals(notes.filter(([, what, value]) => what === "sent" && value > 511), []);
});

Deno.test("Beat takes answers on both sides of the wrap", () => {
  for (const answered of [510, 511, 0, 1]) {
    const { loop, beat } = beating();
    for (let i = 0; i < 510; i++) {
      beat.start(loop);
      beat.answered(loop, i);
    }
    beat.start(loop);
    loop.advanceBy(4000); // heartbeats 510, 511, 0 and 1
    assertEquals(beat.answered(loop, 2), "stray");
    assertEquals(beat.answered(loop, answered), "answer");
    assertEquals(beat.answered(loop, 510), "late");
  }
});

Deno.test("Beat waits on, without counting, while something comes in", () => {
  const { loop, beat, notes, owner } = beating();
  beat.start(loop);
  for (let i = 0; i < 20; i++) {
    loop.advanceBy(500);
    owner.lastReadMs = loop.now();
  }
  assertEquals(notes, [[0, "sent", 0]]);
  loop.advanceBy(20_000);
  assertEquals(notes.at(-1)![1], "died");
  // Four repeats and one wait more than the last thing that came in.
  assertEquals(notes.filter(([, what]) => what === "missed").length, 5);
});

Deno.test("Beat takes what came in before a heartbeat for no life after it", () => {
  const { loop, beat, notes, owner } = beating();
  loop.advanceBy(50);
  owner.lastReadMs = 50;
  beat.start(loop);
  loop.advanceBy(1000);
  assertEquals(notes[1], [1050, "missed", 1]);
});

Deno.test("Beat takes any pong where the format has no numbers, and samples none of a repeated question", () => {
  const { loop, beat, notes } = beating();
  assertEquals(beat.answered(loop, undefined), "stray");
  beat.start(loop);
  loop.advanceBy(100);
  assertEquals(beat.answered(loop, undefined), "answer");
  assertEquals(beat.roundTrip.roundTripMs, 100);
  beat.start(loop);
  loop.advanceBy(1500);
  assertEquals(beat.answered(loop, undefined), "answer");
  assertEquals(notes.at(-1)![1], "answered after 1");
  assertEquals(beat.roundTrip.roundTripMs, 100);
  assertEquals(beat.answered(loop, undefined), "late");
});

Deno.test("Beat.start() sends nothing while an answer is awaited", () => {
  const { loop, beat, notes } = beating();
  beat.start(loop);
  beat.start(loop);
  assertEquals([notes.length, loop.pendingTimers], [1, 1]);
});

Deno.test("Beat.stop() leaves no timer, also when called by whoever was told of a miss", () => {
  const { loop, beat, notes, owner } = beating();
  owner.onMissed = () => beat.stop();
  beat.start(loop);
  loop.advanceBy(10_000);
  assertEquals(notes, [[0, "sent", 0], [1000, "missed", 1]]);
  assertEquals(loop.pendingTimers, 0);
  beat.start(loop);
  beat.stop();
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("Beat gives up at once where one unanswered heartbeat is enough", () => {
  const { loop, beat, notes } = beating({ maxUnanswered: 1, minMs: 200, maxMs: 200 });
  beat.start(loop);
  loop.advanceBy(200);
  assertEquals(notes.slice(1), [[200, "missed", 1], [200, "died", 1]]);
});

Deno.test("Beat takes a link for alive while a large message is still leaving", () => {
  const { loop, owner, beat, notes } = beating();
  owner.pendingBytes = 1_000_000;
  beat.start(loop);
  for (let i = 0; i < 60; i++) {
    owner.flushedBytes += 1_000;
    loop.advanceBy(500);
  }
  assertEquals(notes, [[0, "sent", 0]]);
  loop.advanceBy(30_000);
  assertEquals(notes.at(-1)?.[1], "died");
});
