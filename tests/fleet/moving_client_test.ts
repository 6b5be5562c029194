import {
  answerKeepAlive,
  type Channel,
  type EventLoop,
  MemorySessionStore,
  ServerBootstrap,
  type SessionLostEvent,
  SessionRegistry,
  SessionResponder,
  SessionTakenError,
  UnusableSessionError,
  VirtualEventLoop,
} from "@longlink/pipeline";
import { memory } from "@longlink/pipeline/transports/memory";
import { assertEquals, assertInstanceOf } from "@std/assert";
import { RawPeer } from "../handlers/session/_raw_peer.ts";
import { SlowStore } from "../handlers/session/_stores.ts";

const STORE_MS = 10;
const RETENTION_MS = 40_000;

/** One of several servers that share a store, on virtual time. */
class Server {
  readonly sessions: SessionRegistry;
  readonly store: SlowStore;
  readonly read: string[] = [];
  readonly lost: SessionLostEvent[] = [];
  readonly errors: unknown[] = [];
  readonly channels: Channel[] = [];
  /** What the application does with a message; it is done with it when that settles. */
  handle: () => unknown = () => {};

  constructor(readonly name: string, kept: MemorySessionStore, readonly loop: EventLoop) {
    this.store = new SlowStore(kept, loop, STORE_MS);
    this.sessions = new SessionRegistry({ store: this.store, retentionMs: RETENTION_MS, comeBackMs: 3_000 });
  }

  async listen(transport: ReturnType<typeof memory>): Promise<this> {
    await new ServerBootstrap({
      transport,
      loop: this.loop,
      pipeline: (p, channel) => {
        p.addLast(...answerKeepAlive({ sessions: this.sessions }).slice(0, -1), {
          channelActive: () => void this.channels.push(channel),
          channelRead: (_context: unknown, message: unknown) => {
            this.read.push(new TextDecoder().decode(message as Uint8Array));
            return this.handle() as void;
          },
          userEventTriggered: (_context: unknown, event: unknown) => {
            const lost = event as SessionLostEvent;
            if (lost.type === "sessionLost") this.lost.push(lost);
          },
          exceptionCaught: (_context: unknown, error: unknown) => void this.errors.push(error),
        });
      },
    }).listen(`memory://${this.name}`);
    return this;
  }

  push(text: string): void {
    this.channels.at(-1)!.writeAndFlush(new TextEncoder().encode(text)).onSettled(() => {});
  }
}

/** Servers A and B, and a client that has opened its session at A. */
async function fleet() {
  const loop = new VirtualEventLoop();
  const transport = memory();
  const kept = new MemorySessionStore();
  const a = await new Server("a", kept, loop).listen(transport);
  const b = await new Server("b", kept, loop).listen(transport);
  const advance = (ms: number) => loop.advanceByAsync(ms);
  const connect = async ({ name }: Server) => {
    const peer = new RawPeer(transport, loop, `memory://${name}`);
    await advance(20);
    return peer;
  };
  const first = await connect(a);
  first.say({ kind: "open", version: 1 });
  await advance(100);
  const { id, token } = first.first("opened");
  const resume = (link: number, received = 0) =>
    ({ kind: "resume", version: 1, link, received, id, token }) as const;
  return { loop, kept, a, b, advance, connect, first, resume, id };
}

function said(sequence: number, text: string, received = 0) {
  return { kind: "message", sequence, received, payload: new TextEncoder().encode(text) } as const;
}

/** What a server has pushed, with the numbers. */
function pushes(peer: RawPeer): string[] {
  return peer.heard.flatMap((frame) =>
    frame !== undefined && "kind" in frame && frame.kind === "message"
      ? [`${frame.sequence} ${new TextDecoder().decode(frame.payload)}`]
      : []
  );
}

Deno.test("a session is not taken from its home by who may not have it, or comes too late", async () => {
  const { a, b, advance, connect, first, resume } = await fleet();
  first.say(said(1, "one"));
  await advance(300);
  const wrong = [
    { ...resume(2), token: "00".repeat(32) },
    { ...resume(2), received: 7 }, // more than was ever sent
    resume(1),
  ];
  const reasons: unknown[] = [];
  for (const frame of wrong) {
    const peer = await connect(b);
    peer.say(frame);
    await advance(100);
    reasons.push(peer.first("refused").reason);
  }
  assertEquals(reasons, ["unknown", "unknown", "stale"]);
  first.say(said(2, "two"));
  a.push("still here");
  await advance(300);
  assertEquals([a.read, b.read, a.lost, a.errors], [["one", "two"], [], [], []]);
  assertEquals(pushes(first), ["1 still here"]);
  assertEquals([a.sessions.size, b.sessions.size], [1, 0]);
});

Deno.test("a session that was at another server meanwhile goes on with what happened there", async () => {
  const { a, b, advance, connect, first, resume } = await fleet();
  first.say(said(1, "one"));
  a.push("from a");
  await advance(300);
  first.channel.drop("error");
  const second = await connect(b);
  second.say(resume(2, 1));
  await advance(100);
  assertEquals(second.first("resumed").received, 1);
  second.say(said(2, "two", 1), said(3, "three", 1));
  b.push("from b");
  await advance(300);
  assertEquals(pushes(second), ["2 from b"]);
  // A still takes the session for its own, as it was when the client left.
  assertEquals(a.sessions.size, 1);
  second.channel.drop("error");
  const third = await connect(a);
  third.say(resume(3, 2));
  await advance(300);
  assertEquals(third.first("resumed").received, 3);
  third.say(said(4, "four", 2));
  a.push("from a again");
  await advance(300);
  assertEquals(pushes(third), ["3 from a again"]);
  assertEquals([a.read, b.read], [["one", "four"], ["two", "three"]]);
  assertEquals(a.lost.map(({ reason, unconfirmed }) => [reason, unconfirmed.length]), [["taken", 1]]);
  assertInstanceOf(a.errors[0], SessionTakenError);
});

Deno.test("a server finds out that a session has moved though nobody says anything", async () => {
  const { a, b, advance, connect, resume } = await fleet();
  const second = await connect(b);
  second.say(resume(2));
  await advance(100);
  const [channel] = a.channels;
  assertEquals([a.sessions.size, channel!.state], [1, "active"]);
  await advance(RETENTION_MS / 4);
  assertEquals([a.sessions.size, channel!.state], [0, "closed"]);
  assertEquals(a.lost.map(({ reason }) => reason), ["taken"]);
  b.push("here");
  await advance(100);
  assertEquals(pushes(second), ["1 here"]);
});

Deno.test("a server acknowledges and sends nothing any more once the session has moved", async () => {
  const { a, b, advance, connect, first, resume } = await fleet();
  const second = await connect(b);
  second.say(resume(2));
  await advance(100);
  const heard = first.heard.length;
  // What came late on the old link, which the client has sent again at the new home.
  first.say(said(1, "one"));
  a.push("nobody gets this");
  second.say(said(1, "one"));
  b.push("from b");
  await advance(500);
  assertEquals(first.heard.length, heard);
  assertEquals(pushes(second), ["1 from b"]);
  // Its application has handled what the new home's has handled, too: at least once, over both.
  assertEquals([a.read, b.read], [["one"], ["one"]]);
  assertEquals(
    a.lost.map(({ unconfirmed }) =>
      unconfirmed.map((bytes) => new TextDecoder().decode(bytes as Uint8Array))
    ),
    [
      ["nobody gets this"],
    ],
  );
});

Deno.test("a message that its home has handled and not noted comes again at the next one", async () => {
  const { a, b, advance, connect, first, resume } = await fleet();
  a.handle = () => new Promise(() => {});
  first.say(said(1, "one"));
  await advance(300);
  first.channel.drop("error");
  const second = await connect(b);
  second.say(resume(2));
  await advance(100);
  assertEquals(second.first("resumed").received, 0);
  second.say(said(1, "one"));
  await advance(300);
  assertEquals([a.read, b.read, second.first("acknowledgement").received], [["one"], ["one"], 1]);
});

Deno.test("a client waits at its home while the store does not answer, and loses nothing", async () => {
  const { a, advance, connect, first, resume } = await fleet();
  a.store.failure = new Error("gone");
  first.say(said(1, "one"));
  await advance(300);
  first.channel.drop("error");
  const second = await connect(a);
  second.say(resume(2));
  await advance(6_000);
  const { reason, number } = second.first("refused");
  assertEquals([reason, number], ["overloaded", 3_000]);
  assertEquals([a.sessions.size, a.lost], [1, []]);
  a.store.failure = undefined;
  await advance(30_000);
  second.say(resume(3));
  await advance(100);
  assertEquals(second.first("resumed").received, 1);
});

Deno.test("of two resumes that wait for the store the one that was sent later goes on", async () => {
  const { a, advance, connect, resume } = await fleet();
  const early = await connect(a);
  const late = await connect(a);
  early.say(resume(2));
  late.say(resume(3));
  await advance(300);
  assertEquals(late.first("resumed").received, 0);
  const { reason, number } = early.first("refused");
  assertEquals([reason, number], ["stale", 3]);
});

Deno.test("a resume whose link dies while the store is asked leaves the session where it is", async () => {
  const { a, b, advance, connect, first, resume } = await fleet();
  for (const [link, server] of [[2, a], [3, b]] as const) {
    const second = await connect(server);
    second.say(resume(link));
    await advance(STORE_MS / 2);
    second.channel.drop("error");
    await advance(100);
  }
  a.push("on the old link");
  await advance(100);
  assertEquals(pushes(first), ["1 on the old link"]);
});

Deno.test("a session that the store cannot read counts as not there", async () => {
  const { b, advance, connect, resume, id } = await fleet();
  b.store.failure = new UnusableSessionError(id, "its version must be 1, got 2");
  const second = await connect(b);
  second.say(resume(2));
  await advance(100);
  assertEquals(second.first("refused").reason, "unknown");
  assertEquals(b.errors.filter((error) => error instanceof UnusableSessionError).length > 0, true);
  assertEquals(b.channels[0]?.pipeline.get(SessionResponder)?.sessionId, undefined);
});
