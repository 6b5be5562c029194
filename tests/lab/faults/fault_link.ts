/**
 * One link of the fault network: two ends, two directions, and what can be
 * done to them.
 *
 * @module
 */

import type { EventLoop, Link, Timer } from "../../../pipeline/mod.ts";
import type { Conditions, Direction } from "./conditions.ts";
import { FaultEnd } from "./_fault_end.ts";
import { type AfterCut, type Packet, Pipe } from "./_pipe.ts";

export type { AfterCut } from "./_pipe.ts";

/** How much of what a client says first is kept, to be said once more, bytes. */
const FIRST_FLIGHT_BYTES = 4096;

/** The server's side, as a link sees it. */
export interface Door {
  /** Clock and timers of whoever listens, and what takes the link; undefined where nobody listens. */
  listener(): { readonly loop: EventLoop; readonly onLink: (link: Link) => void } | undefined;
  /** Whether there is a host that could answer for a link that nobody knows. */
  isHostUp(): boolean;
}

/** Options of a {@linkcode FaultLink}. */
export interface FaultLinkOptions {
  /** The network's clock. */
  readonly loop: EventLoop;
  /** The client's. */
  readonly clientLoop: EventLoop;
  readonly random: () => number;
  readonly conditions: () => Conditions;
  readonly clientAddress: string;
  readonly serverAddress: string;
  readonly door: Door;
  /** Neither end knows it any more. */
  readonly onGone: () => void;
}

/** A link. Its faults are commands; what they do to the ends comes about on the loop. */
export class FaultLink {
  /** The client's end. */
  readonly client: FaultEnd;
  readonly #options: FaultLinkOptions;
  readonly #toServer: Pipe;
  readonly #toClient: Pipe;
  #server: FaultEnd | undefined = undefined;
  /** Whether the server is still to come to know it. */
  #isOpening = false;
  #firstFlight: Uint8Array[] | undefined = [];
  #firstFlightBytes = 0;
  #wasAnswered = false;
  /** Whether nobody answers for the client once it is gone. */
  #isClientHostDown = false;
  #isDoomed = false;
  readonly #drips = new Set<Timer>();

  /** Makes a link whose client knows it already. The server comes to know it once `open` has arrived. */
  constructor(options: FaultLinkOptions) {
    this.#options = options;
    const { loop, random, conditions } = options;
    const resets = (pipe: () => Pipe) => (afterwards: AfterCut) => {
      this.#isDoomed = true;
      if (afterwards === "reset") pipe().send({ kind: "reset" });
    };
    this.#toServer = new Pipe({
      loop,
      random,
      conditions,
      arrive: (packet) => this.#atServer(packet),
      acknowledge: (bytes) => this.#server?.acknowledged(bytes),
      onCut: resets(() => this.#toClient),
      onLost: () => this.#opened(),
    });
    this.#toClient = new Pipe({
      loop,
      random,
      conditions,
      arrive: (packet) => this.#atClient(packet),
      acknowledge: (bytes) => this.client.acknowledged(bytes),
      onCut: resets(() => this.#toServer),
      onLost: () => {},
    });
    this.client = new FaultEnd({
      loop: options.clientLoop,
      localAddress: options.clientAddress,
      remoteAddress: options.serverAddress,
      send: (packet) => this.#fromClient(packet),
      acknowledge: (bytes) => this.#toServer.acknowledge(bytes),
      onGone: () => this.#gone(),
    });
  }

  /** Lets the server know of it. */
  announce(): void {
    this.#isOpening = true;
    this.#toServer.send({ kind: "open" });
  }

  /** Whether both ends know it, and no fault was done to it that ends it sooner or later. */
  get isSound(): boolean {
    return this.client.knowsLink && this.#server?.knowsLink === true && !this.#isDoomed;
  }

  /** How many ends know it. */
  get openEnds(): number {
    return Number(this.client.knowsLink) + Number(this.#server?.knowsLink ?? false);
  }

  /** What the client said before it had an answer, or undefined if that was too much. */
  get firstFlight(): readonly Uint8Array[] | undefined {
    return this.#firstFlight;
  }

  /** Nothing gets through any more, and nobody is told. */
  silence(direction: Direction): void {
    this.#isDoomed = true;
    if (direction !== "toClient") this.#toServer.die();
    if (direction !== "toServer") this.#toClient.die();
  }

  /** Both ends are reset, and what is under way is gone. */
  reset(): void {
    this.silence("both");
    this.client.fail("reset");
    this.#server?.fail("reset");
  }

  /** One end is gone without a word; what the other sends is answered with a reset. */
  halfOpen(gone: "client" | "server"): void {
    this.#isDoomed = true;
    const end = gone === "client" ? this.client : this.#server;
    end?.fail("error", new Error("Cannot reach the peer: timed out"));
  }

  /** Only the first bytes of the next write arrive; then both ends are reset, or hear no more of this direction. */
  cutNext(direction: Exclude<Direction, "both">, afterwards: AfterCut): void {
    (direction === "toServer" ? this.#toServer : this.#toClient).cutNext(afterwards);
  }

  /** Nothing gets through before {@linkcode release}; TCP then repeats what was sent. */
  hold(): void {
    this.#toServer.hold();
    this.#toClient.hold();
  }

  /** See {@linkcode hold}. */
  release(): void {
    this.#toServer.release();
    this.#toClient.release();
  }

  /** Keeps the link, and what the client says on it, from the server until {@linkcode unpark}. */
  park(): void {
    this.#isDoomed = true;
    this.#toServer.park();
  }

  /** The server gets the link with what the client has said on it, even if the client is long gone. */
  unpark(): void {
    this.#toServer.unpark();
  }

  /** The client's process is gone, and its host answers for it or does not. */
  abandon(how: "resets" | "vanishes"): void {
    this.#isClientHostDown = how === "vanishes";
    this.client.vanish();
  }

  /** The server's process is gone. */
  crash(how: "resets" | "vanishes"): void {
    this.#isDoomed = true;
    this.#server?.vanish();
    if (how === "resets") this.#toClient.send({ kind: "reset" });
  }

  /** Says this to one side as if it came from the other one, a byte at a time. */
  drip(direction: Exclude<Direction, "both">, bytes: Uint8Array, everyMs: number): void {
    this.#isDoomed = true;
    for (let i = 0; i < bytes.length; i++) {
      const timer = this.#options.loop.schedule(i * everyMs, () => {
        this.#drips.delete(timer);
        this.say(direction, bytes.slice(i, i + 1));
      });
      this.#drips.add(timer);
    }
  }

  /** Says this to one side as if it came from the other one. */
  say(direction: Exclude<Direction, "both">, bytes: Uint8Array): void {
    (direction === "toServer" ? this.#toServer : this.#toClient).send({ kind: "data", bytes });
  }

  /** No more drops come. */
  stopDripping(): void {
    for (const timer of this.#drips) timer.cancel();
    this.#drips.clear();
  }

  #fromClient(packet: Packet): void {
    if (packet.kind === "data" && !this.#wasAnswered && this.#firstFlight !== undefined) {
      this.#firstFlight.push(packet.bytes);
      this.#firstFlightBytes += packet.bytes.length;
      if (this.#firstFlightBytes > FIRST_FLIGHT_BYTES) this.#firstFlight = undefined;
    }
    this.#toServer.send(packet);
  }

  #atServer(packet: Packet): void {
    const { door, serverAddress, clientAddress } = this.#options;
    const listener = packet.kind === "open" ? door.listener() : undefined;
    if (listener !== undefined) {
      const server = this.#server = new FaultEnd({
        loop: listener.loop,
        localAddress: serverAddress,
        remoteAddress: clientAddress,
        send: (packet) => this.#toClient.send(packet),
        acknowledge: (bytes) => this.#toClient.acknowledge(bytes),
        onGone: () => this.#gone(),
      });
      this.#opened();
      listener.onLink(server);
    } else if (this.#server !== undefined && (this.#server.knowsLink || door.isHostUp())) {
      this.#server.arrive(packet);
    } else if (door.isHostUp() && packet.kind !== "reset") {
      this.#toClient.send({ kind: "reset" });
      this.#opened();
    } else this.#opened();
  }

  #opened(): void {
    if (!this.#isOpening) return;
    this.#isOpening = false;
    this.#gone();
  }

  #atClient(packet: Packet): void {
    this.#wasAnswered = true;
    if (this.client.knowsLink || !this.#isClientHostDown) this.client.arrive(packet);
  }

  #gone(): void {
    if (this.openEnds > 0 || this.#isOpening) return;
    this.stopDripping();
    this.#options.onGone();
  }
}
