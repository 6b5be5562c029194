/**
 * A client application in a run.
 *
 * @module
 */

import { type Channel, MemorySessionStore, type SessionPosition } from "../../../mod.ts";
import { ProcessLoop } from "../faults/process_loop.ts";
import { AppRecord, type OpenRecord } from "./_app_record.ts";
import type { Death } from "./_field.ts";
import { payloadOf, type World } from "./_world.ts";
import { downOf, nameOf, upOf } from "./_names.ts";
import { ProcessStore } from "./_process_store.ts";
import type { App } from "./_stack.ts";

/** What a client's applications, one after the other, have in common. */
export interface ClientOptions {
  readonly index: number;
  /** Whether its session outlives its process. */
  readonly hasStore: boolean;
  readonly storeLatencyMs: () => number;
  readonly writes: "written" | "acknowledged";
}

/** Writes messages, takes messages, and may be killed. */
export class ClientActor {
  readonly #world: World;
  readonly #options: ClientOptions;
  readonly #store: MemorySessionStore | undefined;
  readonly #record = new AppRecord();
  #process: ProcessLoop;
  #channel: Channel;
  #upSinceMs: number | undefined = undefined;

  /** Starts its first process. */
  constructor(world: World, options: ClientOptions) {
    this.#world = world;
    this.#options = options;
    this.#store = options.hasStore ? new MemorySessionStore() : undefined;
    this.#process = new ProcessLoop(world.field.loop);
    this.#channel = this.#connect();
  }

  /** Whether it can be killed and come back to its session. */
  get hasStore(): boolean {
    return this.#options.hasStore;
  }

  /** Its process. */
  get process(): ProcessLoop {
    return this.#process;
  }

  /** Since when it has had a link without a break, or undefined. */
  get upSinceMs(): number | undefined {
    return this.#upSinceMs;
  }

  /** Writes a message of so many bytes. */
  write(bytes: number): void {
    const { index, writes } = this.#options;
    this.#world.write(this.#channel, upOf(index), this.#process, bytes, writes);
  }

  /** Its process ends between two instructions, and another one is started. */
  restart(how: Death): void {
    const { field, ledger } = this.#world;
    this.#process.kill();
    this.#upSinceMs = undefined;
    field.clientDied(this.#options.index, how);
    ledger.writerDied(this.#process);
    this.#process = new ProcessLoop(field.loop);
    this.#channel = this.#connect();
  }

  /** Closes its channel. */
  close(): void {
    this.#channel.close().onSettled(() => {});
  }

  /** What its process holds although everything was closed, in words. */
  leftovers(): string[] {
    const { pending } = this.#process;
    const name = nameOf(this.#options.index);
    return [
      ...(pending > 0 ? [`${name} has ${pending} timers or listeners`] : []),
      ...(this.#channel.state === "closed" ? [] : [`${name}'s channel is ${this.#channel.state}`]),
    ];
  }

  #connect(): Channel {
    const { field, stack } = this.#world;
    const { index, storeLatencyMs, writes } = this.#options;
    const process = this.#process;
    return stack.client({
      loop: process,
      transport: field.transport(index),
      address: field.addressFor(index),
      store: this.#store &&
        new ProcessStore(this.#store, process, { latencyMs: storeLatencyMs, isFailing: () => false }),
      writes,
      app: this.#app(this.#record.open()),
    });
  }

  #app(record: OpenRecord): App {
    const world = this.#world;
    const { index } = this.#options;
    const process = this.#process;
    const say = (what: string) => world.say(`${nameOf(index)}: ${what}`);
    return {
      up: (_channel, sessionId) => {
        this.#upSinceMs = world.field.loop.now();
        world.up(index);
        say(`up${sessionId === undefined ? "" : `, ${world.session(sessionId)}`}`);
      },
      down: (_channel, reason) => {
        this.#upSinceMs = undefined;
        say(`down (${reason})`);
      },
      read: (_channel, message, position: SessionPosition | undefined) => {
        const payload = payloadOf(message);
        if (payload === undefined || payload.stream !== downOf(index)) {
          world.ledger.problems.push(`${nameOf(index)} got a message that is not for it`);
          return;
        }
        if (position !== undefined && record.take(position)) return world.repeated(nameOf(index), payload);
        return world.arrived(index, payload, process);
      },
      lost: (_channel, event) => {
        const { length } = event.unconfirmed;
        say(`${world.session(event.sessionId)} is lost (${event.reason}), ${length} unconfirmed`);
        world.sessionLost(index, event);
      },
      failed: (error) => world.failed(nameOf(index), error),
    };
  }
}
