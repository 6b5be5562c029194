import { assertEquals } from "@std/assert";
import { DEFAULT_ADAPTIVE_SETTINGS } from "../../handlers/_adaptive_settings.ts";
import { FailureAttribution } from "../../handlers/_failure_attribution.ts";
import { VirtualEventLoop } from "../../pipeline/mod.ts";

/** Attribution with a notebook; 100 s have passed, and the round trip is 100 ms. */
function attributing(wantsProof = true) {
  const loop = new VirtualEventLoop();
  loop.advanceBy(100_000);
  const judged: [idleMs: number, outcome: string, reason: string][] = [];
  const owner = {
    roundTripMs: 100,
    wantsProof,
    silenceJudged: (idleMs: number, outcome: string, reason: string) =>
      void judged.push([idleMs, outcome, reason]),
  };
  return { loop, judged, attribution: new FailureAttribution(owner, DEFAULT_ADAPTIVE_SETTINGS, loop) };
}

type Attributing = ReturnType<typeof attributing>;

/** A link dies of a silence of 60 s, as it seems. */
function die({ attribution, loop }: Attributing): void {
  attribution.suspect(60_000, loop.now() - 60_000, "unanswered");
  attribution.linkLost();
}

/** A new link comes about after so many tries of which the last takes so long, ms. */
function comeBack({ attribution, loop }: Attributing, waitMs: number, tries: number, tryMs: number): void {
  loop.advanceBy(waitMs);
  for (let i = 0; i < tries; i++) attribution.connecting();
  loop.advanceBy(tryMs);
  attribution.linkValid();
}

const FAILED = [[60_000, "failed", "unanswered"]];
const VOID = [[60_000, "void", "unanswered, and the network was down"]];

Deno.test("FailureAttribution takes a link that is back at once for one that died of its silence", () => {
  const cases = [
    [0, 1, 0, FAILED],
    [800, 1, 200, FAILED],
    [800, 1, 900, FAILED], // half the shortest wait and four round trips
    [800, 1, 901, VOID], // a SYN was repeated
    [800, 2, 100, VOID],
    [4_200, 1, 800, FAILED],
    [4_201, 1, 800, VOID],
    [100, 0, 100, FAILED], // the link came without a connect
  ] as const;
  for (const [waitMs, tries, tryMs, expected] of cases) {
    const rig = attributing();
    die(rig);
    assertEquals(rig.judged, []);
    comeBack(rig, waitMs, tries, tryMs);
    assertEquals(rig.judged, expected as unknown as typeof rig.judged, `${waitMs}, ${tries}, ${tryMs}`);
    // And says so once.
    rig.attribution.linkValid();
    assertEquals(rig.judged.length, 1);
  }
});

Deno.test("FailureAttribution counts the tries since the last link was lost", () => {
  const rig = attributing();
  die(rig);
  rig.attribution.connecting();
  rig.attribution.connecting();
  rig.attribution.linkLost();
  comeBack(rig, 100, 1, 100);
  assertEquals(rig.judged as unknown, FAILED);
});

Deno.test("FailureAttribution takes the word of a strategy that wants no proof", () => {
  const rig = attributing(false);
  die(rig);
  assertEquals(rig.judged as unknown, FAILED);
  rig.attribution.linkValid();
  assertEquals(rig.judged.length, 1);
});

Deno.test("FailureAttribution blames the silence for nothing else that happened during it", () => {
  const slept = attributing();
  slept.loop.sleep(5_000);
  die(slept);
  assertEquals(slept.judged, [[60_000, "void", "unanswered, but the timer was late"]]);

  const moved = attributing();
  moved.attribution.networkChanged();
  moved.loop.advanceBy(10_000);
  die(moved);
  assertEquals(moved.judged, [[60_000, "void", "unanswered, but the network changed"]]);

  const before = attributing();
  before.attribution.networkChanged();
  before.loop.advanceBy(60_001);
  die(before);
  comeBack(before, 100, 1, 100);
  assertEquals(before.judged as unknown, FAILED);
});

Deno.test("FailureAttribution forgets a suspicion when the network changes, or is another one", () => {
  for (const method of ["networkChanged", "forget"] as const) {
    const rig = attributing();
    die(rig);
    rig.attribution[method]();
    comeBack(rig, 100, 1, 100);
    assertEquals(rig.judged, []);
  }
});

Deno.test("FailureAttribution suspects a cut that is no surprise, or the second one", () => {
  const cut = (rig: Attributing, silentMs: number, isExpected: boolean) => {
    const startMs = rig.loop.now() - silentMs;
    rig.attribution.cut({ reason: "reset", silentMs, wantedMs: 60_000, startMs, isExpected });
    rig.attribution.linkLost();
    comeBack(rig, 100, 1, 100);
    return rig.judged.splice(0);
  };
  const why = (ms: number) => `cut (reset) after ${ms} ms of silence`;

  const expected = attributing();
  assertEquals(cut(expected, 50_000, true), [[50_000, "failed", why(50_000)]]);
  assertEquals(cut(expected, 70_000, true), [[60_000, "failed", why(70_000)]]);

  // A server that restarts, and a network that cuts.
  const again = attributing();
  assertEquals(cut(again, 20_000, false), []);
  assertEquals(cut(again, 21_000, false), [[21_000, "failed", why(21_000)]]);

  // What so long a silence survives does not cut after it.
  const survived = attributing();
  cut(survived, 20_000, false);
  survived.attribution.held(19_000);
  assertEquals(cut(survived, 20_000, false).length, 1);
  survived.attribution.held(20_000);
  assertEquals(cut(survived, 20_000, false), []);

  const elsewhere = attributing();
  cut(elsewhere, 20_000, false);
  elsewhere.attribution.forget();
  assertEquals(cut(elsewhere, 20_000, false), []);
});

Deno.test("FailureAttribution takes a second late answer in a row for pushes that do not get through", () => {
  const { attribution, judged } = attributing();
  const outcomes = () => judged.splice(0).map(([, outcome]) => outcome);
  attribution.heldLate(60_000);
  attribution.held(50_000);
  attribution.heldLate(60_000);
  attribution.forget();
  attribution.heldLate(60_000);
  assertEquals(outcomes(), ["void", "void", "void"]);
  attribution.heldLate(60_000);
  attribution.heldLate(60_000);
  assertEquals(outcomes(), ["failed", "void"]);
});
