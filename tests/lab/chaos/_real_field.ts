/**
 * Real sockets on loopback, a relay for each client: as the place of a run.
 *
 * @module
 */

import { createServer } from "node:net";
import { SystemEventLoop, type Transport } from "../../../mod.ts";
import { tcp } from "../../../pipeline/transports/tcp.ts";
import type { Conditions } from "../faults/conditions.ts";
import { FaultRelay, type RelayConnects, type RelayLink } from "../faults/fault_relay.ts";
import { ProcessLoop } from "../faults/process_loop.ts";
import type { Dice } from "./_dice.ts";
import type { FaultKind } from "./fault_kind.ts";
import type { Begun, Death, Field } from "./_field.ts";
import { KillableTransport } from "./_killable_transport.ts";

/** What a busy machine adds to a round trip, ms. */
const BUSY_MS = 250;

/** Where a run takes its time. */
export class RealField implements Field {
  readonly loop = new ProcessLoop(new SystemEventLoop());
  readonly kinds: ReadonlySet<FaultKind> = new Set(
    [
      "reset",
      "silence",
      "silenceToServer",
      "silenceToClient",
      "halfOpen",
      "cut",
      "outage",
      "latency",
      "jitter",
      "bandwidth",
      "refuse",
      "blackHole",
      "slowLoris",
      "restart",
      "restartWithout",
      "clientRestart",
      "storeFailure",
    ] as const,
  );
  readonly listenAddress: string;
  readonly #dice: Dice;
  readonly #relays: readonly FaultRelay[];
  readonly #calm: readonly Conditions[];
  readonly #transports: KillableTransport[];
  #server = new KillableTransport(tcp());

  private constructor(listenAddress: string, dice: Dice, relays: FaultRelay[]) {
    this.listenAddress = listenAddress;
    this.#dice = dice;
    this.#relays = relays;
    this.#calm = relays.map(({ conditions }) => conditions);
    this.#transports = relays.map(() => new KillableTransport(tcp()));
  }

  /** Makes a relay for each client. */
  static async make(_seed: number, clients: number, dice: Dice): Promise<RealField> {
    const target = `tcp://127.0.0.1:${await freePort()}`;
    const loop = new SystemEventLoop();
    const relays = [];
    for (let i = 0; i < clients; i++) {
      const conditions = { latencyMs: dice.whole(1, 50), jitterMs: 0, bytesPerSecond: 1_000_000 };
      relays.push(await FaultRelay.start({ loop, random: dice.next, target, conditions }));
    }
    return new RealField(target, dice, relays);
  }

  transport(client?: number): Transport {
    return client === undefined ? this.#server : this.#transports[client]!;
  }

  addressFor(client: number): string {
    return this.#relays[client]!.address;
  }

  begin(kind: FaultKind, client: number): Begun | undefined {
    const relay = this.#relays[client]!;
    const dice = this.#dice;
    switch (kind) {
      case "latency":
        return this.#change(relay, client, { latencyMs: dice.whole(100, 800) });
      case "jitter":
        return this.#change(relay, client, { jitterMs: dice.whole(50, 500) });
      case "bandwidth":
        return this.#change(relay, client, { bytesPerSecond: dice.whole(4_000, 20_000) });
      case "outage":
        relay.hold();
        return { what: "nothing gets through", end: () => relay.release() };
      case "refuse":
        return this.#connects(relay, "refused", "connects are refused");
      case "blackHole":
        return this.#connects(relay, "blackHole", "connects end in a black hole");
      case "slowLoris":
        return this.#connects(relay, "slowLoris", "connects meet a slow loris");
    }
    const link = relay.links[0];
    return link === undefined ? undefined : this.#onLink(kind, relay, link);
  }

  isSound(client: number): boolean {
    return this.#relays[client]!.links[0]?.isSound ?? false;
  }

  roundTripMs(client: number): number {
    return 2 * this.#calm[client]!.latencyMs + BUSY_MS;
  }

  serverDied(how: Death): void {
    // The relay's sockets would be told.
    if (how === "vanishes") { for (const relay of this.#relays) silenceAll(relay); }
    this.#server.kill();
    this.#server = new KillableTransport(tcp());
  }

  clientDied(client: number, how: Death): void {
    if (how === "vanishes") silenceAll(this.#relays[client]!);
    this.#transports[client]!.kill();
    this.#transports[client] = new KillableTransport(tcp());
  }

  heal(): void {
    for (const [i, relay] of this.#relays.entries()) {
      relay.conditions = this.#calm[i]!;
      void relay.setConnects("accepted");
      relay.release();
      for (const link of relay.links) link.stopDripping();
    }
  }

  async advance(ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.loop.schedule(ms, resolve));
  }

  leftovers(): string[] {
    const links = [this.#server, ...this.#transports].reduce((sum, { open }) => sum + open, 0);
    const { pending } = this.loop;
    return [
      ...(links > 0 ? [`${links} links or listeners are open`] : []),
      ...(pending > 0 ? [`${pending} timers or listeners are pending`] : []),
    ];
  }

  async close(): Promise<void> {
    for (const transport of [this.#server, ...this.#transports]) transport.kill();
    for (const relay of this.#relays) await relay.close();
    this.loop.kill();
  }

  #change(relay: FaultRelay, client: number, change: Partial<Conditions>): Begun {
    relay.conditions = { ...relay.conditions, ...change };
    const [[name, value]] = Object.entries(change) as [[keyof Conditions, number]];
    const end = () => {
      relay.conditions = { ...relay.conditions, [name]: this.#calm[client]![name] };
    };
    return { what: `${name} is ${value}`, end };
  }

  #connects(relay: FaultRelay, mode: RelayConnects, what: string): Begun {
    void relay.setConnects(mode);
    if (this.#dice.chance(0.7)) { for (const link of [...relay.links]) link.reset(); }
    else silenceAll(relay);
    const end = () => {
      if (relay.connects === mode) void relay.setConnects("accepted");
      for (const link of relay.links) link.stopDripping();
    };
    return { what, end };
  }

  #onLink(kind: FaultKind, relay: FaultRelay, link: RelayLink): Begun | undefined {
    const dice = this.#dice;
    switch (kind) {
      case "reset":
        for (const each of [...relay.links]) each.reset();
        return { what: "the link is reset" };
      case "silence":
        silenceAll(relay);
        return { what: "the link is silent" };
      case "silenceToServer":
        link.silence("toServer");
        return { what: "the link is silent to the server" };
      case "silenceToClient":
        link.silence("toClient");
        return { what: "the link is silent to the client" };
      case "halfOpen": {
        const gone = dice.pick(["client", "server"] as const);
        link.halfOpen(gone);
        return { what: `the ${gone}'s end is gone` };
      }
      case "cut": {
        const direction = dice.pick(["toServer", "toClient"] as const);
        const afterwards = dice.pick(["reset", "silence"] as const);
        link.cutNext(direction, afterwards);
        return { what: `the next write ${direction} is cut, then ${afterwards}` };
      }
    }
    return undefined;
  }
}

function silenceAll(relay: FaultRelay): void {
  for (const link of relay.links) link.silence("both");
}

/** A port that the server can have again each time it is started. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: 0 }, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
