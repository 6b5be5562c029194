import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
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
  // The peer hears something now and then as well.
  assertEquals(notes, [[0, "sent", 0], [5000, "sent", 1], [10_000, "sent", 2]]);
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
  assertEquals(notes, [0, 1, 2, 3, 4, 5, 6].map((sequence) => [sequence * 5_000, "sent", sequence]));
  loop.advanceBy(30_000);
  assertEquals(notes.at(-1)?.[1], "died");
});

Deno.test("Beat waits on, from the start, while a large message comes in or leaves with pauses", () => {
  for (const direction of ["in", "out"]) {
    const { loop, owner, beat, notes } = beating();
    if (direction === "out") owner.pendingBytes = 1_000_000;
    beat.start(loop);
    // 64 KiB every 6.5 s, as on a link of 10 kB/s.
    for (let i = 0; i < 600; i++) {
      loop.advanceBy(6_500);
      if (direction === "out") owner.flushedBytes += 65_536;
      else owner.lastReadMs = loop.now();
    }
    assert(notes.every(([, what]) => what !== "died"), direction);
    assertEquals(beat.isWaiting, true);
    const lastMs = loop.now();
    loop.advanceBy(20_000);
    const [diedMs, what] = notes.at(-1)!;
    assertEquals(what, "died");
    // The wait that saw it, and five more.
    assertLess(diedMs - lastMs, 2_442 + 8_210);
  }
});

Deno.test("Beat takes an answer after hours behind other traffic, although it remembers few heartbeats", () => {
  const { loop, owner, beat, notes } = beating();
  beat.start(loop);
  for (let i = 0; i < 600; i++) {
    loop.advanceBy(6_500);
    owner.lastReadMs = loop.now();
  }
  const sent = notes.filter(([, what]) => what === "sent");
  assertGreater(sent.length, 512);
  const [askedMs, , sequence] = sent.at(-10)!;
  assertEquals(beat.answered(loop, sequence), "answer");
  assertEquals(notes.at(-1), [loop.now(), "answered after 15", loop.now() - askedMs]);
  assertEquals(beat.roundTrip.roundTripMs, undefined);
});

Deno.test("Beat does not wait for ever for a peer that talks and does not answer", () => {
  const { loop, owner, beat, notes } = beating();
  beat.start(loop);
  while (beat.isWaiting) {
    loop.advanceBy(400);
    owner.lastReadMs = loop.now();
    beat.messageRead();
    assertLess(loop.now(), 200_000);
  }
  const [diedMs, what] = notes.at(-1)!;
  assertEquals(what, "died");
  assertGreater(diedMs, 120_000);
  assertLess(diedMs, 130_000);
});

Deno.test("Beat.start() counts what else was not answered as heartbeats", () => {
  const { loop, beat, notes } = beating();
  beat.start(loop, 1);
  loop.advanceBy(100_000);
  assertEquals(notes, [
    [0, "sent", 0],
    [1250, "missed", 2],
    [1250, "sent", 1],
    [2813, "missed", 3],
    [2813, "sent", 2],
    [4767, "missed", 4],
    [4767, "sent", 3],
    [7209, "missed", 5],
    [7209, "died", 5],
  ]);
  // Nothing is taken for dead that was not asked at all.
  const other = beating();
  other.beat.start(other.loop, 100);
  assertEquals(other.notes, [[0, "sent", 0]]);
  other.loop.advanceBy(1);
  assertEquals(other.beat.answered(other.loop, 0), "answer");
  assertEquals(other.notes.at(-1), [1, "answered after 0", 1]);
});

Deno.test("Beat.start() takes no more than 10 s from the first unanswered heartbeat, for round trips up to 500 ms", () => {
  const roundTrips = fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 30 });
  fc.assert(
    fc.property(roundTrips, fc.boolean(), (roundTrips, isAfterMessage) => {
      const { loop, beat, notes } = beating();
      for (const roundTripMs of roundTrips) beat.measured(roundTripMs);
      // Seen from the message: one wait for its acknowledgement, which may be put off by 200 ms.
      if (isAfterMessage) loop.advanceBy(beat.roundTrip.timeoutMs(0, beat.limits) + 200);
      beat.start(loop, isAfterMessage ? 1 : 0);
      loop.advanceBy(20_000);
      const [diedMs, what] = notes.at(-1)!;
      assertEquals(what, "died");
      assertLessOrEqual(diedMs, 10_000);
      assertEquals(notes.filter(([, what]) => what === "sent").length, isAfterMessage ? 4 : 5);
    }),
    { seed: 5, numRuns: 3000 },
  );
});

Deno.test("Beat.hurry() decides after three equal waits", () => {
  const { loop, beat, notes } = beating();
  beat.hurry(loop);
  loop.advanceBy(100_000);
  assertEquals(notes, [
    [0, "sent", 0],
    [950, "missed", 1],
    [950, "sent", 1],
    [1900, "missed", 2],
    [1900, "sent", 2],
    [2850, "missed", 3],
    [2850, "died", 3],
  ]);
  assertEquals(loop.pendingTimers, 0);
});

Deno.test("Beat.hurry() decides within 3 s for steady round trips up to 500 ms, and takes no answer for late", () => {
  const steady = fc.record({
    baseMs: fc.integer({ min: 1, max: 450 }),
    extraMs: fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 30 }),
  });
  fc.assert(
    fc.property(steady, ({ baseMs, extraMs }) => {
      const { loop, beat, notes } = beating();
      for (const ms of extraMs) beat.measured(baseMs + ms);
      beat.hurry(loop);
      loop.advanceBy(baseMs + 50);
      assertEquals(notes, [[0, "sent", 0]]);
      loop.advanceBy(20_000);
      assertEquals(notes.at(-1), [2850, "died", 3]);
    }),
    { seed: 6, numRuns: 1000 },
  );
});

Deno.test("Beat.hurry() gives a slow network one and a half times as long as an answer may take", () => {
  const { loop, beat, notes } = beating();
  beat.measured(1000);
  const answerMs = beat.roundTrip.timeoutMs(0, beat.limits);
  assertEquals(answerMs, 3000);
  beat.hurry(loop);
  loop.advanceBy(10_000);
  assertEquals(notes.at(-1), [4500, "died", 3]);
});

Deno.test("Beat.hurry() starts anew, and what was asked before proves nothing any more", () => {
  const { loop, beat, notes } = beating();
  beat.start(loop);
  loop.advanceBy(5_000);
  notes.length = 0;
  beat.hurry(loop);
  assertEquals([0, 1, 2, 3].map((sequence) => beat.answered(loop, sequence)), [
    "late",
    "late",
    "late",
    "late",
  ]);
  loop.advanceBy(10_000);
  assertEquals([notes[0], notes.at(-1)], [[5000, "sent", 4], [7850, "died", 3]]);
});

Deno.test("Beat.hurry() takes the right pong where the format has no numbers", () => {
  const { loop, beat, notes } = beating();
  beat.start(loop);
  loop.advanceBy(1_100);
  beat.hurry(loop);
  const answers = [1, 2, 3].map(() => beat.answered(loop, undefined));
  assertEquals(answers, ["late", "late", "answer"]);
  assertEquals(notes.at(-1), [1100, "answered after 0", 0]);
});

Deno.test("Beat.hurry() takes what came in before the first wait was over for no life", () => {
  const { loop, owner, beat, notes } = beating();
  owner.pendingBytes = 1000;
  beat.hurry(loop);
  loop.advanceBy(900);
  owner.lastReadMs = loop.now();
  owner.flushedBytes = 500;
  loop.advanceBy(10_000);
  assertEquals(notes.at(-1), [2850, "died", 3]);
});

Deno.test("Beat.hurry() is in no hurry any more once something came in later than that", () => {
  for (const direction of ["in", "out"]) {
    const { loop, owner, beat, notes } = beating();
    if (direction === "out") owner.pendingBytes = 1_000_000;
    beat.hurry(loop);
    // 5 MB at 50 kB/s, in parts of 64 KiB.
    for (let ms = 1310; ms <= 100_000; ms += 1310) {
      loop.advanceBy(1310);
      if (direction === "in") owner.lastReadMs = loop.now();
      else owner.flushedBytes += 65_536;
    }
    assert(notes.every(([, what]) => what !== "died"), direction);
    const lastMs = loop.now();
    loop.advanceBy(100_000);
    const [diedMs, what] = notes.at(-1)!;
    assertEquals(what, "died");
    assertGreater(diedMs, lastMs + 5_000);
  }
});

Deno.test("Beat.hurry() is in no hurry any more either once a whole message came in later than that", () => {
  const { loop, owner, beat, notes } = beating();
  beat.hurry(loop);
  loop.advanceBy(1_500);
  owner.lastReadMs = loop.now();
  beat.messageRead();
  loop.advanceBy(20_000);
  // One heartbeat was missed by then; the wait that saw the message was over at 1,900.
  const missed = notes.filter(([, what]) => what === "missed").map(([atMs]) => atMs);
  assertEquals(missed, [950, 3150, 4713, 6667, 9109]);
});

Deno.test("Beat.hurry() asks again at more news of the same waking, and decides no later", () => {
  const { loop, beat, notes } = beating();
  beat.hurry(loop);
  loop.advanceBy(100);
  beat.hurry(loop);
  loop.advanceBy(2_400);
  beat.hurry(loop);
  assertEquals(notes.filter(([, what]) => what === "sent").map(([atMs]) => atMs), [0, 950, 1900, 2500]);
  const other = notes.length;
  loop.advanceBy(349);
  assertEquals(notes.length, other);
  loop.advanceBy(1);
  assertEquals(notes.at(-1), [2850, "died", 3]);
});

Deno.test("Beat.hurry() takes the answer to what it asked last", () => {
  const { loop, beat, notes } = beating();
  beat.hurry(loop);
  loop.advanceBy(2_500);
  beat.hurry(loop);
  loop.advanceBy(300);
  assertEquals(beat.answered(loop, 3), "answer");
  assertEquals(notes.at(-1), [2800, "answered after 3", 300]);
});

Deno.test("Beat.hurry() starts over after another sleep", () => {
  const { loop, beat, notes } = beating();
  loop.onLate(() => beat.hurry(loop));
  beat.hurry(loop);
  loop.advanceBy(2_800);
  loop.sleep(3_600_000);
  loop.advanceBy(10_000);
  assertEquals(notes.at(-1), [2_800 + 3_600_000 + 2_850, "died", 3]);
});

Deno.test("Beat.hurry() asks no more often than the limit says", () => {
  const { loop, beat, notes } = beating({ maxUnanswered: 1 });
  beat.hurry(loop);
  loop.advanceBy(10_000);
  assertEquals(notes.slice(1), [[950, "missed", 1], [950, "died", 1]]);
});
