/**
 * One run: a server, clients, a faulty network, and what must hold at the end.
 *
 * @module
 */

import { ClientActor } from "./_client_actor.ts";
import { downOf, nameOf, upOf } from "./_names.ts";
import { Dice } from "./_dice.ts";
import type { FaultKind } from "./fault_kind.ts";
import type { Death, Field } from "./_field.ts";
import { Ledger, type Totals } from "./_ledger.ts";
import type { Pace } from "./_pace.ts";
import { Recoveries } from "./_recoveries.ts";
import { ServerActor } from "./_server_actor.ts";
import type { Stack } from "./_stack.ts";
import { told, World } from "./_world.ts";

/** Much longer than a calm path and a store take, and shorter than the time to the next heartbeat, ms. */
const ARRIVAL_MS = 4_000;

/** A store that failed is asked again after so long at most, ms. */
const STORE_RETRY_MS = 30_000;

/** What to run. */
export interface RunOptions {
  readonly seed: number;
  readonly clients: number;
  /** The kinds of faults that may come. */
  readonly faults: readonly FaultKind[];
  readonly stack: Stack;
  readonly pace: Pace;
  /** Makes the network. */
  readonly field: (seed: number, clients: number, dice: Dice) => Field | Promise<Field>;
  /** Gets the log, line by line, with the time. */
  readonly log?: (line: string) => void;
}

/** What came of it. */
export interface RunResult extends Totals {
  readonly seed: number;
  /** How many faults there were of each kind. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  /** The slowest recovery from a plain kill with the server up, ms; 0 if there was none. */
  readonly maxRecoveryMs: number;
  /** How many plain kills were measured. */
  readonly recoveries: number;
  /** Timers, links, channels and promises that were left behind. */
  readonly leaks: number;
  /** What is wrong, one sentence each. */
  readonly problems: readonly string[];
}

/** Runs it. */
export async function run(options: RunOptions): Promise<RunResult> {
  // Apart from each other: what the handlers ask for must not change what the network does.
  const dice = new Dice(options.seed * 2);
  const field = await options.field(options.seed, options.clients, new Dice(options.seed * 2 + 1));
  const one = new Run(options, field, dice);
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    one.fail(event.reason);
  };
  addEventListener("unhandledrejection", onRejection);
  try {
    return await one.result();
  } finally {
    removeEventListener("unhandledrejection", onRejection);
    await field.close();
  }
}

/** What one client has had to bear. */
class Disturbance {
  /** How many faults are at work on it. */
  active = 0;
  /** When the last one was, or will have been got over, ms. */
  lastMs = -Infinity;

  by(atMs: number): void {
    this.lastMs = Math.max(this.lastMs, atMs);
  }
}

class Run {
  readonly #options: RunOptions;
  readonly #field: Field;
  readonly #dice: Dice;
  readonly #ledger = new Ledger();
  readonly #recoveries: Recoveries;
  readonly #server: ServerActor;
  readonly #clients: ClientActor[];
  readonly #counts: Partial<Record<FaultKind, number>> = {};
  readonly #disturbed: Disturbance[];
  #mayLoseSessions = false;
  /** Since when the server's store has worked again, ms. */
  #storeWorksMs = -Infinity;
  #isHealing = false;

  constructor(options: RunOptions, field: Field, dice: Dice) {
    this.#options = options;
    this.#field = field;
    this.#dice = dice;
    const { clients, stack, log } = options;
    this.#recoveries = new Recoveries(field.loop, this.#ledger.problems);
    this.#disturbed = Array.from({ length: clients }, () => new Disturbance());
    const world = new World({
      field,
      stack,
      ledger: this.#ledger,
      dice: new Dice(options.seed * 2 + 0x5eed),
      onUp: (client) => this.#expectArrivals(client),
      onArrival: (client) => this.#recoveries.arrived(client),
      // Later, as what was never sent goes out after what is written on hearing of it.
      onSessionLost: (client) => void field.loop.schedule(0, () => this.#clients[client]!.write(10)),
      mayLoseSessions: () => this.#mayLoseSessions,
      say: log === undefined
        ? () => {}
        : (line) => log(`${(field.loop.now() / 1000).toFixed(3).padStart(9)} ${line}`),
    });
    const kind = () => ({
      hasStore: stack.hasSessions && dice.chance(0.7),
      storeLatencyMs: dice.chance(0.5) ? () => 0 : () => dice.whole(1, 40),
      writes: dice.pick(["written", "acknowledged"] as const),
    });
    this.#server = new ServerActor(world, { ...kind(), clients });
    this.#server.start();
    this.#say = world.say;
    this.#clients = Array.from(
      { length: clients },
      (_, index) => new ClientActor(world, { ...kind(), index }),
    );
  }

  readonly #say: (line: string) => void;

  /** Something was thrown, and nobody caught it. */
  fail(error: unknown): void {
    this.#ledger.problems.push(told(error));
  }

  async result(): Promise<RunResult> {
    const { pace, seed } = this.#options;
    const spanMs = this.#dice.between(...pace.faultsMs);
    await this.#advance(pace.startMs);
    this.#plan(spanMs);
    await this.#advance(spanMs);
    this.#heal();
    await this.#untilComplete();
    const leaks = await this.#close();
    const totals = this.#ledger.totals();
    this.#recoveries.end();
    return {
      seed,
      faults: this.#counts,
      ...totals,
      maxRecoveryMs: this.#recoveries.maxKillMs,
      recoveries: this.#recoveries.kills,
      leaks,
      problems: this.#ledger.problems,
    };
  }

  /** When which messages are written, and which faults come. */
  #plan(spanMs: number): void {
    const { clients, pace } = this.#options;
    const dice = this.#dice;
    const { loop, kinds } = this.#field;
    const faults = this.#options.faults.filter((kind) => kinds.has(kind));
    for (let i = dice.whole(4, 10) * clients; i > 0; i--) {
      const client = dice.whole(0, clients - 1);
      loop.schedule(dice.between(0, spanMs), () => this.#talk(client));
    }
    if (faults.length === 0) return;
    for (let i = dice.whole(2, pace.maxFaults); i > 0; i--) {
      const kind = dice.pick(faults);
      const client = dice.whole(0, clients - 1);
      // A fault does most harm to what is under way.
      const isTalking = dice.chance(0.6);
      loop.schedule(dice.between(0, spanMs), () => {
        if (isTalking) this.#talk(client);
        loop.schedule(dice.between(0, 120), () => this.#fault(kind, client));
      });
    }
  }

  /** One message, or several in a row, both ways or one. */
  #talk(client: number): void {
    if (this.#isHealing) return;
    const dice = this.#dice;
    for (let i = dice.chance(0.6) ? 1 : dice.chance(0.9) ? dice.whole(2, 5) : dice.whole(6, 20); i > 0; i--) {
      if (dice.chance(0.5)) this.#clients[client]!.write(this.#size());
      else this.#server.push(client, this.#size());
    }
  }

  #size(): number {
    const dice = this.#dice;
    return dice.chance(0.02)
      ? dice.whole(10_000, 100_000)
      : dice.chance(0.1)
      ? dice.whole(500, 5_000)
      : dice.whole(0, 100);
  }

  #fault(kind: FaultKind, client: number): void {
    if (this.#isHealing) return;
    const isServers = kind === "restart" || kind === "restartWithout" || kind === "storeFailure";
    if (this.#recoveries.isMeasuring(isServers ? undefined : client)) {
      // It would not be a plain kill any more.
      this.#field.loop.schedule(2_000, () => this.#fault(kind, client));
      return;
    }
    if (kind === "storeFailure") this.#failStore();
    else if (isServers) this.#restart(kind);
    else if (kind === "clientRestart") this.#restartClient(client);
    else this.#network(kind, client);
  }

  #network(kind: FaultKind, client: number): void {
    const { loop } = this.#field;
    const isPlainKill = kind === "reset" && this.#isCalm(client);
    const begun = this.#field.begin(kind, client);
    if (begun === undefined) return;
    this.#count(kind, `${nameOf(client)}: ${begun.what}`);
    const disturbed = this.#disturbed[client]!;
    disturbed.by(loop.now());
    if (isPlainKill) {
      this.#recoveries.killed(client, 1_000 + this.#field.roundTripMs(client));
      this.#clients[client]!.write(this.#dice.whole(0, 100));
    }
    if (begun.end === undefined) return;
    disturbed.active++;
    const forMs = this.#dice.between(0.02, 1) * this.#options.pace.faultMs;
    loop.schedule(forMs, () => {
      disturbed.active--;
      // A link that came late is one more disturbance, and comes some time after.
      disturbed.by(loop.now() + (kind === "lateConnect" ? 30_000 : 0));
      if (this.#isHealing) return;
      this.#say(`${nameOf(client)}: ${kind} ends`);
      begun.end!();
    });
  }

  #restart(kind: "restart" | "restartWithout"): void {
    const keeps = kind === "restart";
    if (!this.#server.isUp || (keeps && !this.#server.hasStore && this.#options.stack.hasSessions)) return;
    const how = this.#death();
    if (!keeps) this.#mayLoseSessions = true;
    this.#count(kind, `the server dies, its host ${how}`);
    this.#server.kill(how, keeps);
    const { loop } = this.#field;
    loop.schedule(this.#dice.between(0, 1) * this.#options.pace.downMs, () => {
      for (const disturbed of this.#disturbed) disturbed.by(loop.now());
      if (this.#server.isUp) return;
      this.#say("the server starts");
      this.#server.start();
    });
  }

  #failStore(): void {
    if (!this.#server.hasStore || this.#server.isStoreFailing) return;
    this.#count("storeFailure", "the server's store fails");
    this.#server.isStoreFailing = true;
    for (const disturbed of this.#disturbed) disturbed.active++;
    const { loop } = this.#field;
    loop.schedule(this.#dice.between(0.02, 1) * this.#options.pace.faultMs, () => {
      // It asks again after a wait that grows.
      for (const disturbed of this.#disturbed) {
        disturbed.active--;
        disturbed.by(loop.now() + STORE_RETRY_MS);
      }
      this.#server.isStoreFailing = false;
      this.#storeWorksMs = loop.now();
      this.#say("the server's store works");
    });
  }

  #restartClient(client: number): void {
    const actor = this.#clients[client]!;
    if (!actor.hasStore) return;
    const how = this.#death();
    this.#count("clientRestart", `${nameOf(client)} dies, its host ${how}`);
    this.#disturbed[client]!.by(this.#field.loop.now());
    actor.restart(how);
  }

  #isCalm(client: number): boolean {
    const { active, lastMs } = this.#disturbed[client]!;
    const { calmMs } = this.#options.pace;
    const sinceMs = this.#field.loop.now() - calmMs;
    const { upSinceMs } = this.#clients[client]!;
    return active === 0 && lastMs <= sinceMs && this.#server.isUp && this.#field.isSound(client) &&
      upSinceMs !== undefined && upSinceMs <= sinceMs;
  }

  /** What was written before a link came about has to arrive at once on it, if nothing comes in between. */
  #expectArrivals(client: number): void {
    const { loop } = this.#field;
    const upMs = loop.now();
    loop.schedule(ARRIVAL_MS, () => {
      const { active, lastMs } = this.#disturbed[client]!;
      const isUndisturbed = active === 0 && lastMs < upMs && this.#server.isUp &&
        this.#clients[client]!.upSinceMs === upMs && this.#field.isSound(client);
      if (!isUndisturbed) return;
      this.#ledger.expectArrived(upOf(client), upMs);
      this.#ledger.expectArrived(downOf(client), upMs);
    });
  }

  #heal(): void {
    this.#isHealing = true;
    this.#say("everything heals");
    this.#field.heal();
    const wasStoreFailing = this.#server.isStoreFailing ||
      this.#storeWorksMs > this.#field.loop.now() - STORE_RETRY_MS;
    this.#server.isStoreFailing = false;
    if (!this.#server.isUp) this.#server.start();
    for (const [index, client] of this.#clients.entries()) {
      this.#recoveries.healed(index, wasStoreFailing ? STORE_RETRY_MS : 0);
      client.write(10);
      this.#server.push(index, 10);
    }
  }

  /** Until everything has arrived; and for a while longer, in which things may come twice. */
  async #untilComplete(): Promise<void> {
    const { healMs, settleMs } = this.#options.pace;
    const stepMs = settleMs / 4;
    for (let ms = 0; ms < healMs && !this.#ledger.isComplete; ms += stepMs) await this.#advance(stepMs);
    await this.#advance(settleMs);
  }

  async #advance(ms: number): Promise<void> {
    try {
      await this.#field.advance(ms);
    } catch (error) {
      this.fail(error);
    }
  }

  async #close(): Promise<number> {
    this.#say("everything is closed");
    for (const client of this.#clients) client.close();
    await this.#advance(this.#options.pace.closeMs);
    let isServerClosed = false;
    const closed = this.#server.close().then(() => isServerClosed = true);
    await this.#advance(this.#options.pace.closeMs);
    if (isServerClosed) await closed;
    const writers = new Set<object>(this.#clients.map(({ process }) => process));
    if (this.#server.process !== undefined) writers.add(this.#server.process);
    const unsettled = this.#ledger.unsettled(writers);
    const leaks = [
      ...(isServerClosed ? [] : ["the server does not close"]),
      ...(unsettled > 0 ? [`${unsettled} writes are not settled`] : []),
      ...this.#clients.flatMap((client) => client.leftovers()),
      ...this.#server.leftovers(),
      ...this.#field.leftovers(),
    ];
    this.#ledger.problems.push(...leaks);
    return leaks.length;
  }

  #count(kind: FaultKind, what: string): void {
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1;
    this.#say(`FAULT ${kind}: ${what}`);
  }

  #death(): Death {
    return this.#dice.pick(["resets", "vanishes"]);
  }
}
