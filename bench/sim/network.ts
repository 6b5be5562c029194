/**
 * A simulated network: clients behind a box that forgets idle connections, and
 * one server.
 *
 * @module
 */

import type {
  ConnectOptions,
  EventLoop,
  Link,
  Listener,
  ListenOptions,
  Remote,
  Timer,
  Transport,
} from "../../pipeline/mod.ts";
import { type ExpiryMode, NatEntry, type TimeoutFrom } from "./nat.ts";
import { type OutageOptions, Outages } from "./outages.ts";
import { randomFrom } from "./random.ts";
import { type Packet, TcpEnd, type Wire } from "./tcp_end.ts";

/** What the network is like. */
export interface NetworkOptions {
  readonly mode: ExpiryMode;
  /** The idle timeout, and how it changes; ascending, the first from 0 ms on. */
  readonly timeouts: readonly TimeoutFrom[];
  /** There and back, in ms, even. Default: 100. */
  readonly roundTripMs?: number;
  /** Share of the packets that are lost, each way. Default: 0. */
  readonly loss?: number;
  /** Default: none. */
  readonly outages?: OutageOptions;
  /** Seed of losses and outages. Default: 1. */
  readonly seed?: number;
}

/** A SYN is repeated after 1, 3 and 7 s. */
const SYN_MS = [0, 1_000, 3_000, 7_000];
const RESET: Packet = { isReset: true, sequence: 0, acknowledged: 0, bytes: undefined };

/**
 * The transport of both sides. The box stands next to the client: what is lost
 * on the radio link in front of it was seen by the box if it came from the
 * server, and keeps its entry alive although nobody got it.
 */
export class SimulatedNetwork implements Transport {
  readonly name = "simulated";
  readonly keepsMessages = false;
  readonly loop: EventLoop;
  readonly mode: ExpiryMode;
  readonly timeouts: readonly TimeoutFrom[];
  readonly roundTripMs: number;
  /** The connection that was made last. */
  newest: Connection | undefined = undefined;
  readonly #loss: number;
  readonly #outages: Outages;
  readonly #random: () => number;
  #server: ListenOptions | undefined = undefined;

  constructor(loop: EventLoop, options: NetworkOptions) {
    const { mode, timeouts, roundTripMs = 100, loss = 0, outages = { perHour: 0, lengthMs: 0 }, seed = 1 } =
      options;
    this.loop = loop;
    this.mode = mode;
    this.timeouts = timeouts;
    this.roundTripMs = roundTripMs;
    this.#loss = loss;
    this.#outages = new Outages(outages, randomFrom(seed * 2 + 1));
    this.#random = randomFrom(seed * 2);
  }

  /** Whether a packet that is on the radio link now is lost. */
  loses(): boolean {
    return this.#outages.isDown(this.loop.now()) || (this.#loss > 0 && this.#random() < this.#loss);
  }

  /**
   * Settles within a timer of the loop instead of behind `await`, so that one
   * `advanceTo` may run a week: a promise would need a turn of the host's loop.
   */
  connect(_remote: Remote, { signal }: ConnectOptions): Promise<Link> {
    return new Dialing(this, this.#server!, signal) as unknown as Promise<Link>;
  }

  listen(address: string, options: ListenOptions): Promise<Listener> {
    this.#server = options;
    return Promise.resolve({ address, close: () => Promise.resolve() });
  }
}

/** A connect in progress; what a pipeline asks of a promise and no more. */
class Dialing {
  readonly #network: SimulatedNetwork;
  readonly #server: ListenOptions;
  readonly #timers: Timer[] = [];
  #connection: Connection | undefined = undefined;
  #onLink: ((link: Link) => void) | undefined = undefined;

  constructor(network: SimulatedNetwork, server: ListenOptions, signal: AbortSignal) {
    this.#network = network;
    this.#server = server;
    for (const delayMs of SYN_MS) this.#timers.push(network.loop.schedule(delayMs, () => this.#syn()));
    signal.addEventListener("abort", () => this.#giveUp(), { once: true });
  }

  /** A connect in this network does not fail, it is given up by the channel. */
  then(onLink: (link: Link) => void): void {
    this.#onLink = onLink;
  }

  #syn(): void {
    const { loop, roundTripMs } = this.#network;
    if (this.#connection !== undefined || this.#network.loses()) return;
    const connection = this.#connection = new Connection(this.#network);
    this.#timers.push(loop.schedule(roundTripMs / 2, () => this.#server.onLink(connection.server)));
    this.#timers.push(loop.schedule(roundTripMs, () => {
      this.#network.newest = connection;
      connection.client.isUp ? this.#onLink!(connection.client) : undefined;
    }));
  }

  #giveUp(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#connection?.client.abort();
  }
}

/** What is under way in one direction: packets in order, and one timer for the first. */
interface Pipe {
  readonly packets: Packet[];
  readonly dueMs: number[];
  isRunning: boolean;
}

// What timers call: one function for all connections. Assigned by the class, which alone reaches its parts.
let arriveAtServer: (connection: Connection) => void;
let arriveAtBox: (connection: Connection) => void;
let resetClient: (connection: Connection) => void;
let watch: (connection: Connection) => void;

/** One TCP connection and the box's entry for it. */
export class Connection implements Wire {
  readonly client: TcpEnd;
  readonly server: TcpEnd;
  readonly loop: EventLoop;
  readonly roundTripMs: number;
  /** Told each stretch of time in which a push would have been lost, once it is over. */
  onGap: ((fromMs: number, toMs: number) => void) | undefined = undefined;
  readonly #network: SimulatedNetwork;
  readonly #entry: NatEntry;
  readonly #toServer: Pipe = { packets: [], dueMs: [], isRunning: false };
  readonly #toClient: Pipe = { packets: [], dueMs: [], isRunning: false };
  #lostFromMs: number | undefined = undefined;
  #wasForgotten = false;

  constructor(network: SimulatedNetwork) {
    this.#network = network;
    this.loop = network.loop;
    this.roundTripMs = network.roundTripMs;
    this.#entry = new NatEntry(network.mode, network.timeouts, network.loop.now());
    this.client = new TcpEnd(this, true);
    this.server = new TcpEnd(this, false);
    if (network.mode === "reset") this.#watch();
  }

  /** When the box last saw a packet of it. */
  get lastMs(): number {
    return this.#entry.lastMs;
  }

  /** Since when a push is lost; undefined while it would get through. */
  get lostFromMs(): number | undefined {
    this.#noticeExpiry();
    return this.#lostFromMs;
  }

  /** Whether the box has ever forgotten it. */
  get wasForgotten(): boolean {
    this.#noticeExpiry();
    return this.#wasForgotten;
  }

  send(from: TcpEnd, packet: Packet): void {
    if (from.isClient) this.#fromClient(packet);
    else this.#put(this.#toClient, packet, arriveAtBox);
  }

  ended(): void {
    this.#noticeExpiry();
    this.#lostFromMs ??= this.loop.now();
  }

  #fromClient(packet: Packet): void {
    if (this.#network.loses()) return;
    this.#noticeExpiry();
    const passage = this.#entry.pass(true, this.loop.now());
    if (passage === "passes") {
      this.#noticeRevival();
      this.#put(this.#toServer, packet, arriveAtServer);
    } else if (passage === "reset" && !packet.isReset) {
      this.loop.schedule(0, resetClient, this);
    }
  }

  #atBox(packet: Packet): void {
    this.#noticeExpiry();
    const passage = this.#entry.pass(false, this.loop.now());
    if (passage === "passes") {
      if (!this.#network.loses()) this.client.receive(packet);
    } else if (passage === "reset" && !packet.isReset) {
      this.#put(this.#toServer, RESET, arriveAtServer);
    }
  }

  #noticeExpiry(): void {
    const { expiryMs } = this.#entry;
    if (expiryMs > this.loop.now()) return;
    this.#wasForgotten = true;
    this.#lostFromMs ??= expiryMs;
  }

  /** Its own packet has let the client be heard again: what was pushed in between was lost, what follows is not. */
  #noticeRevival(): void {
    if (this.#lostFromMs === undefined || !this.client.isUp || !this.server.isUp) return;
    this.onGap?.(this.#lostFromMs, this.loop.now());
    this.#lostFromMs = undefined;
  }

  /** In mode `reset` the box acts at the moment of forgetting. */
  #watch(): void {
    const { expiryMs } = this.#entry;
    const nowMs = this.loop.now();
    if (expiryMs === Infinity || !(this.client.isUp || this.server.isUp)) return;
    if (expiryMs > nowMs) {
      this.loop.schedule(expiryMs - nowMs, watch, this);
      return;
    }
    this.#noticeExpiry();
    this.#put(this.#toServer, RESET, arriveAtServer);
    if (!this.#network.loses()) this.client.receive(RESET);
  }

  #put(pipe: Pipe, packet: Packet, arrive: (connection: Connection) => void): void {
    const delayMs = this.roundTripMs / 2;
    pipe.packets.push(packet);
    pipe.dueMs.push(this.loop.now() + delayMs);
    if (pipe.isRunning) return;
    pipe.isRunning = true;
    this.loop.schedule(delayMs, arrive, this);
  }

  /** Takes the first packet; the timer goes on to the next. */
  #take(pipe: Pipe, arrive: (connection: Connection) => void): Packet {
    pipe.dueMs.shift();
    const packet = pipe.packets.shift()!;
    const nextMs = pipe.dueMs[0];
    pipe.isRunning = nextMs !== undefined;
    if (nextMs !== undefined) this.loop.schedule(nextMs - this.loop.now(), arrive, this);
    return packet;
  }

  static {
    arriveAtServer = (connection) =>
      connection.server.receive(connection.#take(connection.#toServer, arriveAtServer));
    arriveAtBox = (connection) => connection.#atBox(connection.#take(connection.#toClient, arriveAtBox));
    resetClient = (connection) => connection.client.receive(RESET);
    watch = (connection) => connection.#watch();
  }
}
