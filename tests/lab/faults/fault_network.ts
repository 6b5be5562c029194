/**
 * A network in memory in which anything can go wrong, on command. On a virtual
 * event loop, and with a seeded source of chance, a run repeats exactly.
 *
 * @module
 */

import {
  ConnectError,
  type ConnectOptions,
  type EventLoop,
  type Link,
  type Listener,
  type ListenOptions,
  type Remote,
  type Timer,
  type Transport,
} from "../../../pipeline/mod.ts";
import { cannotParse } from "../../../pipeline/transports/_address.ts";
import { givenUp } from "../../../pipeline/transports/_failure.ts";
import { CALM, type Conditions } from "./conditions.ts";
import { FaultLink } from "./fault_link.ts";

/** A SYN that was not answered is repeated after this time, ms. */
const SYN_MS = 1_000;

/** Options of a {@linkcode FaultNetwork}. */
export interface FaultNetworkOptions {
  /** Clock and timers of the network itself. */
  readonly loop: EventLoop;
  /** Numbers from 0 (included) to 1 (excluded): jitter, where a write is cut, when a SYN is repeated. */
  readonly random: () => number;
}

/**
 * What becomes of a connect.
 *
 * - `accepted`: what should.
 * - `refused`: the server's host says no.
 * - `blackHole`: something accepts, and then says nothing for ever.
 * - `slowLoris`: something accepts, and then says a frame that never ends, a byte at a time.
 * - `late`: something accepts and keeps what the client says, until {@linkcode FaultPath.deliverLate}.
 */
export type ConnectMode = "accepted" | "refused" | "blackHole" | "slowLoris" | "late";

/** The length of a long frame, then nothing that would fill it. */
export const ENDLESS_FRAME = new Uint8Array(400);
ENDLESS_FRAME.set([0xff, 0xff, 0x03]);
/** How often a byte of it comes, ms. */
export const DRIP_MS = 700;

/** Where several clients, each on a path of its own, find servers by address: `fault://name`. */
export class FaultNetwork {
  /** Clock and timers of the network itself. */
  readonly loop: EventLoop;
  /** Its chance. */
  readonly random: () => number;
  readonly #links = new Set<FaultLink>();
  readonly #listeners = new Map<string, ListenOptions>();
  readonly #hostsDown = new Set<string>();

  /** Makes a network without links. */
  constructor({ loop, random }: FaultNetworkOptions) {
    this.loop = loop;
    this.random = random;
  }

  /** Makes the path of one client: the transport to give to it, and to a server. */
  path(name: string, conditions: Conditions = CALM): FaultPath {
    return new FaultPath(this, name, conditions);
  }

  /** How many ends of links are open. */
  get openEnds(): number {
    let sum = 0;
    for (const link of this.#links) sum += link.openEnds;
    return sum;
  }

  /** Whoever listens there now. */
  listener(address: string): ListenOptions | undefined {
    return this.#listeners.get(address);
  }

  /** Whether the host of that address answers at all. */
  isHostUp(address: string): boolean {
    return !this.#hostsDown.has(address);
  }

  /** As {@linkcode Transport.listen}. Brings a host up that is down. */
  listen(address: string, options: ListenOptions): Promise<Listener> {
    check(address);
    if (this.#listeners.has(address)) {
      return Promise.reject(new Error(`Cannot listen on ${address}: the address is in use`));
    }
    this.#listeners.set(address, options);
    this.#hostsDown.delete(address);
    const close = () => {
      if (this.#listeners.get(address) === options) this.#listeners.delete(address);
      return Promise.resolve();
    };
    return Promise.resolve({ address, close });
  }

  /**
   * The server's process ends between two instructions, with all its links.
   *
   * @param address Where it listened.
   * @param how `resets`: its host is up, resets its links and refuses new
   *   ones. `vanishes`: the host is gone as well, and nobody is told anything
   *   until somebody listens there again.
   */
  crash(address: string, how: "resets" | "vanishes"): void {
    this.#listeners.delete(address);
    if (how === "vanishes") this.#hostsDown.add(address);
    for (const link of [...this.#links]) link.crash(how);
  }

  /** Makes a link. For paths alone. */
  link(path: FaultPath, serverAddress: string, clientLoop: EventLoop): FaultLink {
    const link: FaultLink = new FaultLink({
      loop: this.loop,
      clientLoop,
      random: this.random,
      conditions: () => path.conditions,
      clientAddress: path.address,
      serverAddress,
      door: {
        listener: () => this.listener(serverAddress),
        isHostUp: () => this.isHostUp(serverAddress),
      },
      onGone: () => {
        this.#links.delete(link);
        path.forget(link);
      },
    });
    this.#links.add(link);
    return link;
  }
}

/** One client's way to the servers, and what goes wrong on it. */
export class FaultPath implements Transport {
  readonly name = "fault";
  readonly keepsMessages = false;
  /** The client's address. */
  readonly address: string;
  /** How it is at the moment; may be changed at any time. */
  conditions: Conditions;
  /** What becomes of the connects from now on. */
  connects: ConnectMode = "accepted";
  readonly #network: FaultNetwork;
  readonly #links: FaultLink[] = [];
  readonly #late: FaultLink[] = [];
  readonly #waiting = new Set<() => void>();
  /** The connects that are on their way: what ends them without a word. */
  readonly #dials = new Set<() => void>();
  #isHeld = false;

  /** Made by {@linkcode FaultNetwork.path}. */
  constructor(network: FaultNetwork, name: string, conditions: Conditions) {
    this.#network = network;
    this.address = `fault://${name}`;
    this.conditions = conditions;
  }

  /** The links that an end still knows, the oldest first; also such as only a server knows. */
  get links(): readonly FaultLink[] {
    return this.#links;
  }

  /** How many links wait to be delivered late. */
  get lateLinks(): number {
    return this.#late.length;
  }

  connect({ address }: Remote, { loop, signal }: ConnectOptions): Promise<Link> {
    check(address);
    if (signal.aborted) return Promise.reject(givenUp(address, signal));
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined;
      const dial = (waitMs: number) => {
        const { latencyMs, jitterMs } = this.conditions;
        const roundTripMs = 2 * latencyMs + this.#network.random() * jitterMs;
        timer = this.#network.loop.schedule(waitMs + roundTripMs, answer);
      };
      const again = () => dial(this.#network.random() * SYN_MS);
      const answer = () => {
        timer = undefined;
        // Nobody has heard it, or nobody hears the answer: the kernel asks again, until the client gives up.
        if (this.#isHeld) return void this.#waiting.add(again);
        if (!this.#network.isHostUp(address)) return again();
        forget();
        const isKnown = this.#network.listener(address) !== undefined || this.#isTaken();
        if (this.connects === "refused" || !isKnown) {
          const cause = new Error(`nobody listens on ${address}`);
          reject(new ConnectError(address, "connection refused", { cause }));
        } else {
          resolve(this.#open(address, loop).client);
        }
      };
      const forget = () => {
        timer?.cancel();
        this.#waiting.delete(again);
        this.#dials.delete(forget);
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        forget();
        reject(givenUp(address, signal));
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#dials.add(forget);
      dial(0);
    });
  }

  listen(address: string, options: ListenOptions): Promise<Listener> {
    return this.#network.listen(address, options);
  }

  /** Nothing gets through on any link or connect, until {@linkcode release}. TCP then repeats what was sent. */
  hold(): void {
    this.#isHeld = true;
    for (const link of this.#links) link.hold();
  }

  /** See {@linkcode hold}. */
  release(): void {
    this.#isHeld = false;
    for (const link of [...this.#links]) link.release();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const again of waiting) again();
  }

  /** The client's process is gone, with all its links and connects; its host answers for them or does not. */
  crash(how: "resets" | "vanishes"): void {
    for (const forget of [...this.#dials]) forget();
    for (const link of [...this.#links]) link.abandon(how);
  }

  /** The oldest link that was kept from the server arrives there, with what its client had said. */
  deliverLate(): FaultLink | undefined {
    const link = this.#late.shift();
    link?.unpark();
    return link;
  }

  /**
   * The server gets a link that says what the client has said first on another
   * one, and no client hears the answers.
   *
   * @param address Where the server listens.
   * @param bytes What it says.
   * @param how What the answers meet.
   * @param everyMs undefined: said at once; else a byte at a time.
   */
  phantom(
    address: string,
    bytes: readonly Uint8Array[],
    how: "resets" | "vanishes",
    everyMs?: number,
  ): FaultLink {
    const link = this.#new(address, this.#network.loop);
    link.announce();
    if (everyMs === undefined) { for (const part of bytes) link.say("toServer", part.slice()); }
    else link.drip("toServer", joined(bytes), everyMs);
    link.abandon(how);
    return link;
  }

  /** For the network alone. */
  forget(link: FaultLink): void {
    const index = this.#links.indexOf(link);
    if (index >= 0) this.#links.splice(index, 1);
  }

  #isTaken(): boolean {
    return this.connects === "blackHole" || this.connects === "slowLoris" || this.connects === "late";
  }

  #open(address: string, loop: EventLoop): FaultLink {
    const link = this.#new(address, loop);
    link.announce();
    switch (this.connects) {
      case "blackHole":
        link.silence("toServer");
        break;
      case "slowLoris":
        link.silence("toServer");
        link.drip("toClient", ENDLESS_FRAME, DRIP_MS);
        break;
      case "late":
        link.park();
        this.#late.push(link);
        break;
    }
    return link;
  }

  #new(address: string, loop: EventLoop): FaultLink {
    const link = this.#network.link(this, address, loop);
    this.#links.push(link);
    if (this.#isHeld) link.hold();
    return link;
  }
}

function check(address: string): void {
  if (!/^fault:\/\/[^\s/?#@]+$/.test(address)) {
    throw cannotParse(address, "it must be fault:// and a name");
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
