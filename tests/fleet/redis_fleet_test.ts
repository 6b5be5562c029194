import {
  answerKeepAlive,
  Channel,
  fixedInterval,
  keepAlive,
  type LinkUpEvent,
  ServerBootstrap,
  type ServerChannel,
  SessionHandler,
  type SessionLostEvent,
  SessionRegistry,
  type Transport,
} from "@longlink/pipeline";
import { RedisSessionStore } from "@longlink/pipeline/stores/redis";
import { memory } from "@longlink/pipeline/transports/memory";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { hasRedis, RedisServer } from "../handlers/stores/_redis_server.ts";

/** Something that is waited for. */
class Signal {
  #changed = Promise.withResolvers<void>();

  change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await this.#changed.promise;
  }
}

/** Two servers in one process, each with a store of its own on the same Redis, and a client that is sent to one of them. */
class Fleet implements AsyncDisposable {
  readonly signal = new Signal();
  readonly read: Record<string, unknown[]> = { a: [], b: [] };
  readonly pushed: unknown[] = [];
  readonly events: string[] = [];
  readonly lost: SessionLostEvent[] = [];
  readonly errors: string[] = [];
  readonly servers: ServerChannel[] = [];
  readonly stores: Record<string, RedisSessionStore> = {};
  readonly channels: Record<string, Channel> = {};
  readonly #transport = memory();
  client!: Channel;
  /** Where the balancer sends the next connection. */
  target = "a";

  private constructor(readonly redis: RedisServer) {}

  static async start(): Promise<Fleet> {
    const fleet = new Fleet(await RedisServer.start());
    for (const name of ["a", "b"]) await fleet.#listen(name);
    await fleet.startClient();
    return fleet;
  }

  /** In place of one that has closed. */
  async startClient(): Promise<void> {
    const transport = this.#transport;
    const ups = this.events.length;
    // deno-lint-ignore no-this-alias -- for what the transport asks later
    const fleet = this;
    const balanced: Transport = {
      name: transport.name,
      keepsMessages: transport.keepsMessages,
      connect: (remote, options) =>
        transport.connect({ ...remote, address: `memory://${fleet.target}` }, options),
    };
    fleet.client = new Channel({
      transport: balanced,
      pipeline: (p) =>
        p.addLast(
          ...keepAlive({
            strategy: fixedInterval(60_000),
            session: new SessionHandler(),
            reconnect: { firstMs: 20, capMs: 50 },
          }),
          {
            channelRead: (_context: unknown, message: unknown) =>
              fleet.#told(() => fleet.pushed.push(message)),
            userEventTriggered: (_context: unknown, event: unknown) =>
              fleet.#told(() => {
                const { type, resumed } = event as LinkUpEvent;
                if (type === "linkUp") fleet.events.push(resumed ? "resumed" : "up");
                if ((event as { type: string }).type === "sessionLost") {
                  fleet.lost.push(event as SessionLostEvent);
                }
              }),
          },
        ),
    });
    fleet.client.connect("memory://fleet").onSettled(() => {});
    await fleet.signal.until(() => fleet.events.length > ups);
  }

  async #listen(name: string): Promise<void> {
    const store = this.stores[name] = new RedisSessionStore({
      redis: this.redis.url,
      timeoutMs: 200,
      onState: () => this.signal.change(),
    });
    const sessions = new SessionRegistry({ store, comeBackMs: 50 });
    this.servers.push(
      await new ServerBootstrap({
        transport: this.#transport,
        pipeline: (p, channel) =>
          p.addLast(...answerKeepAlive({ sessions }), {
            channelActive: () => void (this.channels[name] = channel),
            channelRead: (_context: unknown, message: unknown) => {
              this.#told(() => this.read[name]!.push(message));
              // The application is not done with this one.
              return (message === "unconfirmed" ? new Promise(() => {}) : undefined) as void;
            },
            exceptionCaught: (_context: unknown, error: unknown) =>
              this.#told(() => this.errors.push(String(error))),
          }),
      }).listen(`memory://${name}`),
    );
  }

  #told(what: () => void): void {
    what();
    this.signal.change();
  }

  /** The name of the session's record in Redis. */
  get key(): string {
    return `longlink:session:{${this.session.sessionId}}`;
  }

  get session(): SessionHandler {
    return this.client.pipeline.get(SessionHandler)!;
  }

  async acknowledged(): Promise<void> {
    await this.session.whenAcknowledged();
  }

  say(...messages: unknown[]): void {
    for (const message of messages) this.client.writeAndFlush(message).onSettled(() => {});
  }

  /** Cuts the link; the next one goes to this server. */
  moveTo(name: string): void {
    this.target = name;
    this.client.drop("error");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    for (const server of this.servers) await server.close();
    for (const store of Object.values(this.stores)) await store.close();
    await this.redis[Symbol.asyncDispose]();
  }
}

function test(name: string, body: (fleet: Fleet) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !hasRedis,
    fn: async () => {
      await using fleet = await Fleet.start();
      await body(fleet);
    },
  });
}

test("a client goes on at another server that shares the Redis", async (fleet) => {
  fleet.say(1, 2);
  await fleet.acknowledged();
  fleet.moveTo("b");
  fleet.say(3);
  await fleet.signal.until(() => fleet.read.b!.length === 1);
  fleet.channels.b!.writeAndFlush("hello");
  await fleet.signal.until(() => fleet.pushed.length === 1);
  assertEquals([fleet.read, fleet.events, fleet.lost], [{ a: [1, 2], b: [3] }, ["up", "resumed"], []]);
});

const damages: [string, (key: string) => string[], string][] = [
  ["is of another version", (key) => ["HSET", key, "version", "2"], "version must be 1"],
  ["is garbage", (key) => ["HSET", key, "links", "x"], "links must be"],
  ["is something else", (key) => ["COPY", "text", key, "REPLACE"], "it is a string in Redis"],
  ["lacks messages", (key) => ["HINCRBY", key, "last", "1"], "1 messages must wait, and 0 are there"],
  ["is gone", (key) => ["DEL", key], ""],
];

for (const [what, damage, problem] of damages) {
  test(`a client whose record in Redis ${what} hears so, and what was never confirmed`, async (fleet) => {
    fleet.say("kept");
    await fleet.acknowledged();
    const before = fleet.session.sessionId;
    fleet.say("unconfirmed");
    await fleet.signal.until(() => fleet.read.a!.length === 2);
    await fleet.redis.ask("SET", "text", "what");
    await fleet.redis.ask(...damage(fleet.key));
    fleet.moveTo("b");
    await fleet.signal.until(() => fleet.events.length === 2);
    assertEquals(fleet.lost.map(({ reason, sessionId }) => [reason, sessionId]), [["unknown", before]]);
    assertEquals(fleet.lost[0]!.unconfirmed, ["unconfirmed"]);
    assertEquals(fleet.events, ["up", "up"]);
    fleet.say("anew");
    await fleet.signal.until(() => fleet.read.b!.includes("anew"));
    if (problem !== "") assertStringIncludes(fleet.errors.join(), problem);
  });
}

test("a client gets its session though Redis was killed while it came back", async (fleet) => {
  fleet.say(1);
  await fleet.acknowledged();
  await fleet.redis.kill();
  fleet.moveTo("b");
  fleet.say(2);
  await fleet.signal.until(() => !fleet.stores.b!.isUp);
  await fleet.redis.restart();
  await fleet.signal.until(() => fleet.read.b!.length === 1);
  assertEquals([fleet.read, fleet.events, fleet.lost], [{ a: [1], b: [2] }, ["up", "resumed"], []]);
});

test("a client gets its session though Redis stood still while it came back", async (fleet) => {
  fleet.say(1);
  await fleet.acknowledged();
  fleet.redis.signal("SIGSTOP");
  fleet.moveTo("b");
  fleet.say(2);
  await fleet.signal.until(() => !fleet.stores.b!.isUp);
  // By now it is back where it came from, whose word is not enough without Redis.
  fleet.moveTo("a");
  fleet.redis.signal("SIGCONT");
  await fleet.signal.until(() => fleet.read.a!.length + fleet.read.b!.length === 2);
  assertEquals([fleet.events.at(-1), fleet.lost], ["resumed", []]);
});

test("a session that was opened while Redis was gone is in Redis when that is back", async (fleet) => {
  await fleet.redis.kill();
  await fleet.session.end();
  await fleet.startClient();
  assertEquals(fleet.stores.a!.unkept, 1);
  // It is handled, and not acknowledged yet.
  fleet.say("early");
  await fleet.signal.until(() => fleet.read.a!.length === 1);
  assertEquals(fleet.session.unacknowledged, 1);
  await fleet.redis.restart();
  await fleet.acknowledged();
  fleet.moveTo("b");
  fleet.say("late");
  await fleet.signal.until(() => fleet.read.b!.length === 1);
  assertEquals([fleet.read, fleet.events.at(-1), fleet.lost], [{ a: ["early"], b: ["late"] }, "resumed", []]);
});
