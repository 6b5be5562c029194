import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertLessOrEqual,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import {
  answerKeepAlive,
  DecodeError,
  keepAlive,
  messagePackFormat,
  SessionError,
  SessionHandler,
  SessionRegistry,
  SessionResponder,
} from "../../handlers/mod.ts";
import {
  decodeSessionFrame,
  encodeSessionFrame,
  isSessionFrame,
  type RefusalReason,
  type SessionFrame,
} from "../../handlers/session/_session_frame.ts";
import { EmbeddedChannel, VirtualEventLoop } from "../../pipeline/mod.ts";
import { Collector } from "../handlers/_rig.ts";
import { countAllocations } from "./_allocations.ts";
import { SESSION_FRAMES } from "./corpus/session_frames.ts";
import { anyHeartbeat, checkSame } from "./_message_pack_values.ts";
import { framed, runPipeline, streamOf } from "./_pipeline_run.ts";
import { anyCuts, anyDamage, bytesOf, cut, damaged, join } from "./_wire.ts";

for (const entry of SESSION_FRAMES) {
  Deno.test(`decodeSessionFrame() corpus: ${entry.what}`, () => {
    const bytes = bytesOf(entry.hex);
    assert(isSessionFrame(bytes));
    if ("refused" in entry) {
      assertThrows(() => decodeSessionFrame(bytes), DecodeError, entry.refused);
      return;
    }
    const frame = "frame" in entry ? entry.frame : undefined;
    assertEquals(decodeSessionFrame(bytes), frame);
    if (frame !== undefined) assertEquals(decodeSessionFrame(encodeSessionFrame(frame)), frame);
  });
}

const anyNumber = fc.oneof(fc.nat(5), fc.nat(300), fc.maxSafeNat());
const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(hex);
const token = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(hex);
const payload = fc.uint8Array({ maxLength: 20 });

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Any frame that can be written. */
const anyFrame: fc.Arbitrary<SessionFrame> = fc.oneof(
  fc.record({ kind: fc.constant("open" as const), version: anyNumber }),
  fc.record({
    kind: fc.constant("resume" as const),
    version: anyNumber,
    id,
    token,
    link: anyNumber,
    received: anyNumber,
  }),
  fc.record({ kind: fc.constant("opened" as const), id, token, retentionMs: anyNumber }),
  fc.record({ kind: fc.constant("resumed" as const), received: anyNumber }),
  fc.record({
    kind: fc.constant("refused" as const),
    reason: fc.constantFrom<RefusalReason>("unknown", "stale", "overloaded", "version"),
    number: anyNumber,
  }),
  fc.record({
    kind: fc.constant("message" as const),
    sequence: anyNumber.map((number) => Math.max(1, number)),
    received: anyNumber,
    payload,
  }),
  fc.record({ kind: fc.constant("acknowledgement" as const), received: anyNumber }),
  fc.record({ kind: fc.constant("end" as const), received: anyNumber }),
);

Deno.test("decodeSessionFrame() reads what encodeSessionFrame() writes", () => {
  fc.assert(
    fc.property(anyFrame, (frame) => {
      const bytes = encodeSessionFrame(frame);
      assert(isSessionFrame(bytes));
      assertEquals(decodeSessionFrame(bytes), frame);
    }),
    { seed: 901, numRuns: 1000 },
  );
});

Deno.test("decodeSessionFrame() meets any bytes with a frame, undefined or a DecodeError", () => {
  const bytes = fc.oneof(
    fc.tuple(anyFrame, anyDamage).map(([frame, damages]) => damaged(encodeSessionFrame(frame), damages)),
    fc.tuple(fc.nat(12), fc.uint8Array({ maxLength: 60 })).map(([code, rest]) => join([[0xc1, code], rest])),
    fc.uint8Array({ maxLength: 4 }),
  );
  fc.assert(
    fc.property(bytes, (bytes) => {
      // 0xc1 0x00 is the authentication's.
      const isOne = bytes.length >= 2 && bytes[0] === 0xc1 && bytes[1] !== 0;
      assertEquals(isSessionFrame(bytes), isOne);
      if (!isOne) return;
      const { result: frame, bytes: allocated } = countAllocations(() => {
        try {
          return decodeSessionFrame(bytes);
        } catch (error) {
          assertInstanceOf(error, DecodeError);
          assertEquals(error.subject, "session frame");
          return undefined;
        }
      });
      assertLessOrEqual(allocated, bytes.length);
      if (frame === undefined) return;
      const again = encodeSessionFrame(frame);
      assertEquals(decodeSessionFrame(again), frame);
      // No longer than it was: numbers may have been written longer than they need be.
      assertLessOrEqual(again.length, bytes.length);
    }),
    { seed: 902, numRuns: 3000 },
  );
});

Deno.test("isSessionFrame() takes bytes alone", () => {
  for (const message of ["\u00c1\u0001", [0xc1, 1], null, undefined, 0xc1, new ArrayBuffer(2)]) {
    assertFalse(isSessionFrame(message));
  }
});

/** Frames as they may come in a session that is open: nearly all are due. */
const lateFrame: fc.Arbitrary<SessionFrame> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("message" as const),
      sequence: fc.integer({ min: 1, max: 6 }),
      received: fc.nat(2),
      payload: fc.nat(100).map((number) => Uint8Array.of(number)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("acknowledgement" as const), received: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("end" as const), received: fc.nat(2) }) },
  { weight: 1, arbitrary: anyFrame },
);

const OPEN: SessionFrame = { kind: "open", version: 1 };
const OPENED: SessionFrame = {
  kind: "opened",
  id: "00".repeat(16),
  token: "01".repeat(32),
  retentionMs: 60_000,
};

const SIDES = {
  "SessionHandler": { make: () => new SessionHandler(), first: OPENED },
  "SessionResponder": { make: () => new SessionResponder({ sessions: new SessionRegistry() }), first: OPEN },
} as const;

for (const [name, { make, first }] of Object.entries(SIDES)) {
  Deno.test(`${name}.channelRead() hands on each message once and in order, whatever frames come`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(lateFrame, { maxLength: 16 }), fc.nat(2), async (frames, writes) => {
        const loop = new VirtualEventLoop();
        const end = new Collector();
        const session = make();
        const channel = new EmbeddedChannel({ loop, handlers: [session, end] });
        channel.autoClose = false;
        const promises = Array.from({ length: writes }, (_, i) => channel.write(Uint8Array.of(i)));
        for (const promise of promises) promise.onSettled(() => {});
        const due: Uint8Array[] = [];
        let isOver = false;
        for (const frame of [first, ...frames]) {
          const isDue = channel.isActive && !isOver && frame.kind === "message" && frame.received <= writes &&
            frame.sequence === due.length + 1;
          if (isDue) due.push(frame.payload);
          channel.writeInbound(encodeSessionFrame(frame));
          // What comes after a refusal, or for another session, is nobody's.
          isOver ||= !channel.isActive;
          await loop.advanceByAsync(1);
          assert(session.unacknowledged >= 0 && session.unacknowledged <= writes);
        }
        assertEquals(channel.drainInbound(), due);
        for (const error of end.errors) assertInstanceOf(error, DecodeError);
        const closed = channel.close();
        await loop.advanceByAsync(10_000);
        await closed;
        channel.checkException();
        assertEquals([channel.state, loop.pendingTimers], ["closed", 0]);
      }),
      { seed: 903, numRuns: 400 },
    );
  });

  Deno.test(`${name}.channelRead() meets any frames before the session stands`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyFrame, { maxLength: 8 }), async (frames) => {
        const loop = new VirtualEventLoop();
        const end = new Collector();
        const channel = new EmbeddedChannel({ loop, handlers: [make(), end] });
        channel.autoClose = false;
        for (const frame of frames) channel.writeInbound(encodeSessionFrame(frame));
        for (const error of end.errors) {
          assert(error instanceof DecodeError || error instanceof SessionError, String(error));
        }
        if (end.errors.some((error) => error instanceof DecodeError)) assertFalse(channel.isActive);
        const closed = channel.close();
        await loop.advanceByAsync(10_000);
        await closed;
        channel.checkException();
        assertEquals([channel.state, loop.pendingTimers], ["closed", 0]);
      }),
      { seed: 904, numRuns: 400 },
    );
  });
}

/** Frames of a session, heartbeats that acknowledge, and nonsense, as a link brings them. */
const stream = (first: SessionFrame) =>
  fc.tuple(
    fc.boolean(),
    streamOf(fc.oneof(
      { weight: 5, arbitrary: lateFrame.map((frame) => framed(encodeSessionFrame(frame))) },
      {
        weight: 2,
        arbitrary: anyHeartbeat.map((beat) => framed(messagePackFormat().encode(beat) as Uint8Array)),
      },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 8 }) },
    )),
  ).map(([isOpened, rest]) => isOpened ? join([framed(encodeSessionFrame(first)), rest]) : rest);

const PIPELINES = {
  "keepAlive({ session })": { make: () => keepAlive({ session: new SessionHandler() }), first: OPENED },
  "answerKeepAlive({ sessions })": {
    make: () => answerKeepAlive({ sessions: new SessionRegistry() }),
    first: OPEN,
  },
} as const;
const isExpected = (error: unknown) => error instanceof SessionError;

for (const [name, { make, first }] of Object.entries(PIPELINES)) {
  Deno.test(`${name} does the same with a stream however it is cut, and fails as it should`, async () => {
    await fc.assert(
      fc.asyncProperty(stream(first), anyCuts, async (stream, cuts) => {
        const traces = await Promise.all(
          [[Math.max(1, stream.length)], cuts].map((lengths) =>
            runPipeline(make(), cut(stream, lengths).map((chunk) => ({ chunk, pauseMs: 0 })), isExpected)
          ),
        );
        // Each session has another id and token.
        const [whole, parts] = traces.map((trace) => ({ ...trace, sent: trace.sent.length }));
        checkSame(parts, whole);
      }),
      { seed: 905, numRuns: 200 },
    );
  });

  Deno.test(`${name} fails as it should with whatever comes whenever`, async () => {
    const pauses = fc.array(fc.constantFrom(0, 1, 150, 1_000, 4_000, 30_000), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(stream(first), anyCuts, pauses, async (stream, cuts, pauses) => {
        const chunks = cut(stream, cuts.map((length) => 3 * length));
        const arrivals = chunks.map((chunk, i) => ({ chunk, pauseMs: pauses[i % pauses.length]! }));
        await runPipeline(make(), arrivals, isExpected);
      }),
      { seed: 906, numRuns: 150 },
    );
  });
}

Deno.test("SessionResponder.channelRead() resumes for the right token alone, and only on a later link", async () => {
  const change = fc.constantFrom<"id" | "token" | "none">("id", "token", "none");
  await fc.assert(
    fc.asyncProperty(
      change,
      fc.nat(4),
      fc.nat(4),
      fc.nat(2),
      fc.nat(255),
      async (change, link, received, writes, at) => {
        const loop = new VirtualEventLoop();
        const sessions = new SessionRegistry();
        const open = () => {
          const channel = new EmbeddedChannel({
            loop,
            handlers: [new SessionResponder({ sessions }), new Collector()],
          });
          channel.autoClose = false;
          return channel;
        };
        const home = open();
        home.writeInbound(encodeSessionFrame(OPEN));
        for (let i = 0; i < writes; i++) home.pipeline.write(Uint8Array.of(i));
        home.flush();
        const opened = decodeSessionFrame(home.drainOutbound()[0] as Uint8Array) as SessionFrame & {
          kind: "opened";
        };
        const wrong = (text: string) => {
          const place = at % text.length;
          return text.slice(0, place) + (text[place] === "0" ? "1" : "0") + text.slice(place + 1);
        };
        const carrier = open();
        carrier.writeInbound(encodeSessionFrame({
          kind: "resume",
          version: 1,
          id: change === "id" ? wrong(opened.id) : opened.id,
          token: change === "token" ? wrong(opened.token) : opened.token,
          link,
          received,
        }));
        const [answer, ...more] = carrier.drainOutbound().map((frame) =>
          decodeSessionFrame(frame as Uint8Array)!
        );
        const isRight = change === "none" && received <= writes;
        if (isRight && link > 1) {
          assertEquals(answer, { kind: "resumed", received: 0 });
          assertEquals(more.length, writes - received);
        } else {
          const stale: SessionFrame = { kind: "refused", reason: "stale", number: 1 };
          assertEquals(answer, isRight ? stale : { kind: "refused", reason: "unknown", number: 0 });
        }
        assertEquals([sessions.resumed, home.isActive], isRight && link > 1 ? [1, true] : [0, true]);
        const closed = [home.close(), carrier.close()];
        await loop.advanceByAsync(10_000);
        await Promise.all(closed);
        assertEquals([loop.pendingTimers, sessions.size], [0, 0]);
      },
    ),
    { seed: 907, numRuns: 200 },
  );
});
