/**
 * The server's application in a run.
 *
 * @module
 */

import { type Channel, MemorySessionStore } from "../../../mod.ts";
import { ProcessLoop } from "../faults/process_loop.ts";
import { AppRecord, type OpenRecord } from "./_app_record.ts";
import { downOf } from "./_names.ts";
import type { Death } from "./_field.ts";
import { ProcessStore } from "./_process_store.ts";
import type { App, ServerSide } from "./_stack.ts";
import { payloadOf, type World } from "./_world.ts";

/** What the server's processes, one after the other, have in common. */
export interface ServerOptions {
  /** Whether its sessions outlive its process. */
  readonly hasStore: boolean;
  readonly storeLatencyMs: () => number;
  readonly writes: "written" | "acknowledged";
  readonly clients: number;
}

type State =
  | { readonly kind: "down" }
  | { readonly kind: "starting" | "up"; readonly process: ProcessLoop; side: ServerSide | undefined };

const DOWN: State = { kind: "down" };

/** Takes messages, writes to whoever it knows, and may be killed. */
export class ServerActor {
  readonly #world: World;
  readonly #options: ServerOptions;
  #store: MemorySessionStore | undefined = undefined;
  #record = new AppRecord();
  #state: State = DOWN;
  #isStoreFailing = false;
  /** Where each client is that has said who it is. */
  #channels = new Map<number, Channel>();

  /** Makes a server that is not started. */
  constructor(world: World, options: ServerOptions) {
    this.#world = world;
    this.#options = options;
    if (options.hasStore) this.#store = new MemorySessionStore();
  }

  /** Whether its sessions outlive its process. */
  get hasStore(): boolean {
    return this.#store !== undefined;
  }

  /** Whether its store fails. */
  get isStoreFailing(): boolean {
    return this.#isStoreFailing;
  }
  set isStoreFailing(isFailing: boolean) {
    this.#isStoreFailing = isFailing;
  }

  /** Whether it is running. */
  get isUp(): boolean {
    return this.#state.kind !== "down";
  }

  /** Its process, if it is running. */
  get process(): ProcessLoop | undefined {
    return this.#state.kind === "down" ? undefined : this.#state.process;
  }

  /** Starts a process. */
  start(): void {
    const { field, stack } = this.#world;
    const { storeLatencyMs, writes } = this.#options;
    const process = new ProcessLoop(field.loop);
    this.#channels = new Map();
    const state: State = { kind: "up", process, side: undefined };
    this.#state = state;
    stack.server({
      loop: process,
      transport: field.transport(),
      address: field.listenAddress,
      store: this.#store && new ProcessStore(this.#store, process, {
        latencyMs: storeLatencyMs,
        isFailing: () => this.#isStoreFailing,
      }),
      writes,
      app: this.#app(process, this.#record, this.#record.open()),
    }).then((side) => void (state.side = side), (error) => this.#world.failed("server", error));
  }

  /**
   * Its process ends between two instructions.
   *
   * @param how What its host does.
   * @param keeps Whether its store is there for the next one.
   */
  kill(how: Death, keeps: boolean): void {
    if (this.#state.kind === "down") return;
    const { field, ledger } = this.#world;
    const { process } = this.#state;
    this.#state = DOWN;
    process.kill();
    field.serverDied(how);
    ledger.writerDied(process);
    if (keeps) return;
    if (this.#store !== undefined) this.#store = new MemorySessionStore();
    this.#record = new AppRecord();
    ledger.keptLost(Array.from({ length: this.#options.clients }, (_, client) => downOf(client)));
  }

  /** Writes a message to a client. @returns Whether the server knows where that is. */
  push(client: number, bytes: number): boolean {
    const channel = this.#channels.get(client);
    if (this.#state.kind === "down" || channel === undefined) return false;
    this.#world.write(channel, downOf(client), this.#state.process, bytes, this.#options.writes);
    return true;
  }

  /** Closes the server. */
  async close(): Promise<void> {
    if (this.#state.kind !== "down") await this.#state.side?.close();
  }

  /** What its process holds although everything was closed, in words. */
  leftovers(): string[] {
    const pending = this.process?.pending ?? 0;
    return pending > 0 ? [`the server has ${pending} timers or listeners`] : [];
  }

  #app(process: ProcessLoop, owners: AppRecord, record: OpenRecord): App {
    const world = this.#world;
    const say = (what: string) => world.say(`server: ${what}`);
    return {
      up: (channel, sessionId) => {
        const client = sessionId === undefined ? undefined : owners.ownerOf(sessionId);
        if (client !== undefined) this.#channels.set(client, channel);
        say(`up${sessionId === undefined ? "" : `, ${world.session(sessionId)}`}`);
      },
      down: (channel, reason) => {
        say(`down (${reason})`);
        if (channel.autoClose) this.#forget(channel);
      },
      read: (channel, message, position) => {
        const payload = payloadOf(message);
        const client = payload === undefined ? NaN : Number(/^up(\d+)$/.exec(payload.stream)?.[1] ?? NaN) - 1;
        if (payload === undefined || !(client >= 0)) {
          world.ledger.problems.push("the server got a message that is not for it");
          return;
        }
        this.#channels.set(client, channel);
        if (position !== undefined) owners.own(position.sessionId, client);
        if (position !== undefined && record.take(position)) {
          return world.repeated("server", payload);
        }
        return world.arrived(client, payload, process);
      },
      lost: (channel, event) => {
        const { length } = event.unconfirmed;
        say(`${world.session(event.sessionId)} is lost (${event.reason}), ${length} unconfirmed`);
        this.#forget(channel);
        world.sessionLost(undefined, event);
      },
      failed: (error) => world.failed("server", error),
    };
  }

  #forget(channel: Channel): void {
    for (const [client, its] of this.#channels) if (its === channel) this.#channels.delete(client);
  }
}
