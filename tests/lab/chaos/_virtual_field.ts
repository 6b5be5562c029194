/**
 * The fault network on virtual time, as the place of a run.
 *
 * @module
 */

import { type Transport, VirtualEventLoop } from "../../../mod.ts";
import type { Conditions, Direction } from "../faults/conditions.ts";
import type { FaultLink } from "../faults/fault_link.ts";
import { type ConnectMode, FaultNetwork, type FaultPath } from "../faults/fault_network.ts";
import type { Dice } from "./_dice.ts";
import { FAULT_KINDS, type FaultKind } from "./fault_kind.ts";
import type { Begun, Death, Field } from "./_field.ts";

const SERVER = "fault://server";

/** Where any number of runs take no time. */
export class VirtualField implements Field {
  readonly loop: VirtualEventLoop;
  readonly kinds: ReadonlySet<FaultKind> = new Set(FAULT_KINDS);
  readonly listenAddress = SERVER;
  readonly #dice: Dice;
  readonly #network: FaultNetwork;
  readonly #server: FaultPath;
  readonly #paths: FaultPath[] = [];
  readonly #calm: Conditions[] = [];
  readonly #dripping = new Set<FaultLink>();

  /** Makes a network with a path for each client. */
  constructor(seed: number, clients: number, dice: Dice) {
    this.loop = new VirtualEventLoop({ seed });
    this.#dice = dice;
    this.#network = new FaultNetwork({ loop: this.loop, random: dice.next });
    this.#server = this.#network.path("server");
    for (let i = 0; i < clients; i++) {
      const calm = { latencyMs: dice.whole(1, 50), jitterMs: 0, bytesPerSecond: 1_000_000 };
      this.#calm.push(calm);
      this.#paths.push(this.#network.path(`client${i + 1}`, calm));
    }
  }

  transport(client?: number): Transport {
    return client === undefined ? this.#server : this.#paths[client]!;
  }

  addressFor(): string {
    return SERVER;
  }

  begin(kind: FaultKind, client: number): Begun | undefined {
    const path = this.#paths[client]!;
    const dice = this.#dice;
    const link = main(path);
    switch (kind) {
      case "latency":
        return this.#change(path, client, { latencyMs: dice.whole(100, 1_500) });
      case "jitter":
        return this.#change(path, client, { jitterMs: dice.whole(50, 1_000) });
      case "bandwidth":
        return this.#change(path, client, { bytesPerSecond: dice.whole(2_000, 20_000) });
      case "outage":
        path.hold();
        return { what: "nothing gets through", end: () => path.release() };
      case "refuse":
        return this.#connects(path, "refused", "connects are refused");
      case "blackHole":
        return this.#connects(path, "blackHole", "connects end in a black hole");
      case "slowLoris":
        if (dice.chance(0.5)) return this.#connects(path, "slowLoris", "connects meet a slow loris");
        return this.#slowLoris(path, link);
      case "lateConnect":
        return this.#late(path);
    }
    return link === undefined ? undefined : this.#onLink(kind, path, link);
  }

  isSound(client: number): boolean {
    return main(this.#paths[client]!)?.isSound ?? false;
  }

  roundTripMs(client: number): number {
    return 2 * this.#calm[client]!.latencyMs;
  }

  serverDied(how: Death): void {
    this.#network.crash(SERVER, how);
  }

  clientDied(client: number, how: Death): void {
    this.#paths[client]!.crash(how);
  }

  heal(): void {
    for (const [i, path] of this.#paths.entries()) {
      path.conditions = this.#calm[i]!;
      path.connects = "accepted";
      path.release();
      while (path.deliverLate() !== undefined) { /* one after the other */ }
    }
    for (const link of this.#dripping) link.stopDripping();
    this.#dripping.clear();
  }

  async advance(ms: number): Promise<void> {
    await this.loop.advanceByAsync(ms);
  }

  leftovers(): string[] {
    const { openEnds } = this.#network;
    const { pendingTimers } = this.loop;
    return [
      ...(openEnds > 0 ? [`${openEnds} ends of links are open`] : []),
      ...(pendingTimers > 0 ? [`${pendingTimers} timers are pending`] : []),
    ];
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #change(path: FaultPath, client: number, change: Partial<Conditions>): Begun {
    path.conditions = { ...path.conditions, ...change };
    const [[name, value]] = Object.entries(change) as [[keyof Conditions, number]];
    const end = () => {
      path.conditions = { ...path.conditions, [name]: this.#calm[client]![name] };
    };
    return { what: `${name} is ${value}`, end };
  }

  #connects(path: FaultPath, mode: ConnectMode, what: string): Begun {
    this.#lose(path);
    path.connects = mode;
    const end = () => {
      if (path.connects === mode) path.connects = "accepted";
    };
    return { what, end };
  }

  /** So that the client has to connect. */
  #lose(path: FaultPath): void {
    if (this.#dice.chance(0.7)) resetAll(path);
    else silenceAll(path, "both");
  }

  #late(path: FaultPath): Begun {
    const begun = this.#connects(path, "late", "connects arrive late");
    const deliver = () => {
      path.deliverLate();
      if (path.lateLinks > 0) this.loop.schedule(this.#dice.between(0, 1_000), deliver);
    };
    const end = () => {
      begun.end!();
      if (path.lateLinks > 0) this.loop.schedule(this.#dice.between(0, 15_000), deliver);
    };
    return { what: begun.what, end };
  }

  #slowLoris(path: FaultPath, link: FaultLink | undefined): Begun {
    const said = link?.firstFlight ?? [];
    const bytes = said.length > 0 && this.#dice.chance(0.5) ? said : [new Uint8Array(200).fill(0xff, 0, 2)];
    const loris = path.phantom(SERVER, bytes, this.#death(), this.#dice.whole(100, 2_000));
    this.#dripping.add(loris);
    return { what: "a slow loris comes to the server" };
  }

  #onLink(kind: FaultKind, path: FaultPath, link: FaultLink): Begun | undefined {
    const dice = this.#dice;
    switch (kind) {
      case "reset":
        resetAll(path);
        return { what: "the link is reset" };
      case "silence":
        silenceAll(path, "both");
        return { what: "the link is silent" };
      case "silenceToServer":
        silenceAll(path, "toServer");
        return { what: "the link is silent to the server" };
      case "silenceToClient":
        silenceAll(path, "toClient");
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
      case "duplicateResume":
        if (link.firstFlight === undefined || link.firstFlight.length === 0) return undefined;
        path.phantom(SERVER, link.firstFlight, this.#death());
        return { what: "the link's first words come once more" };
    }
    return undefined;
  }

  #death(): Death {
    return this.#dice.pick(["resets", "vanishes"]);
  }
}

/** The client's main link, if it has one: its scouts are younger. */
function main(path: FaultPath): FaultLink | undefined {
  return path.links.find(({ client }) => client.knowsLink);
}

function resetAll(path: FaultPath): void {
  for (const link of [...path.links]) if (link.client.knowsLink) link.reset();
}

function silenceAll(path: FaultPath, direction: Direction): void {
  for (const link of [...path.links]) if (link.client.knowsLink) link.silence(direction);
}
