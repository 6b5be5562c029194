/**
 * One link through the relay: two sockets, and what can be done to them.
 *
 * @module
 */

import { connect, type Socket } from "node:net";
import type { EventLoop, Timer } from "../../../pipeline/mod.ts";
import type { Conditions, Direction } from "./conditions.ts";
import type { AfterCut } from "./_pipe.ts";
import { RelayStream } from "./_relay_stream.ts";

/** Options of a {@linkcode RelayLink}. */
export interface RelayLinkOptions {
  readonly loop: EventLoop;
  readonly random: () => number;
  readonly conditions: () => Conditions;
  /** The accepted socket: paused, and half-open allowed. */
  readonly client: Socket;
  /** The server behind, or undefined: whatever the client says is for nobody. */
  readonly target: { readonly host: string; readonly port: number } | undefined;
  /** Both sockets are gone. */
  readonly onGone: () => void;
}

/** A link. Its faults are commands. */
export class RelayLink {
  readonly #options: RelayLinkOptions;
  readonly #server: Socket | undefined;
  readonly #toServer: RelayStream | undefined;
  readonly #toClient: RelayStream | undefined;
  readonly #drips = new Set<Timer>();
  #isDoomed = false;

  constructor(options: RelayLinkOptions) {
    this.#options = options;
    const { loop, random, conditions, client, target } = options;
    client.on("close", () => this.#gone());
    if (target === undefined) {
      this.#isDoomed = true;
      client.on("error", () => {});
      client.on("end", () => client.end());
      client.resume();
      return;
    }
    const server = this.#server = connect({ ...target, allowHalfOpen: true, noDelay: true });
    server.on("close", () => this.#gone());
    const common = { loop, random, conditions };
    const cut = (sender: Socket) => (afterwards: AfterCut) => {
      this.#isDoomed = true;
      if (afterwards === "reset") sender.resetAndDestroy();
    };
    this.#toServer = new RelayStream({ ...common, from: client, to: server, onCut: cut(client) });
    this.#toClient = new RelayStream({ ...common, from: server, to: client, onCut: cut(server) });
    server.once("connect", () => client.resume());
  }

  /** Whether both sockets are open, and no fault was done to it that ends it sooner or later. */
  get isSound(): boolean {
    return !this.#options.client.destroyed && this.#server?.destroyed === false && !this.#isDoomed;
  }

  /** Nothing gets through any more, and nobody is told. */
  silence(direction: Direction): void {
    this.#isDoomed = true;
    if (direction !== "toClient") this.#toServer?.die();
    if (direction !== "toServer") this.#toClient?.die();
  }

  /** Both ends are reset, and what is under way is gone. */
  reset(): void {
    this.silence("both");
    this.#options.client.resetAndDestroy();
    this.#server?.resetAndDestroy();
  }

  /** One end is reset; what the other one sends then is answered with a reset. */
  halfOpen(gone: "client" | "server"): void {
    this.silence("both");
    const { client } = this.#options;
    const [end, other] = gone === "client" ? [client, this.#server] : [this.#server, client];
    end?.resetAndDestroy();
    other?.on("data", () => other.resetAndDestroy());
    other?.resume();
  }

  /** Only the first bytes of the next write arrive; then both ends are reset, or hear no more of this direction. */
  cutNext(direction: Exclude<Direction, "both">, afterwards: AfterCut): void {
    (direction === "toServer" ? this.#toServer : this.#toClient)?.cutNext(afterwards);
  }

  /** Nothing gets through before {@linkcode release}. */
  hold(): void {
    this.#toServer?.hold();
    this.#toClient?.hold();
  }

  /** See {@linkcode hold}. */
  release(): void {
    this.#toServer?.release();
    this.#toClient?.release();
  }

  /** Says this to the client, a byte at a time. */
  drip(bytes: Uint8Array, everyMs: number): void {
    for (let i = 0; i < bytes.length; i++) {
      const timer = this.#options.loop.schedule(i * everyMs, () => {
        this.#drips.delete(timer);
        this.#options.client.write(bytes.subarray(i, i + 1));
      });
      this.#drips.add(timer);
    }
  }

  /** No more drops come. */
  stopDripping(): void {
    for (const timer of this.#drips) timer.cancel();
    this.#drips.clear();
  }

  #gone(): void {
    if (!this.#options.client.destroyed || this.#server?.destroyed === false) return;
    this.#toServer?.die();
    this.#toClient?.die();
    this.stopDripping();
    this.#options.onGone();
  }
}
