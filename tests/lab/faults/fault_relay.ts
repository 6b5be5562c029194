/**
 * A TCP relay on loopback that does to real links what the fault network does
 * to those in memory, as far as a relay can.
 *
 * @module
 */

import { createServer, type Server } from "node:net";
import type { EventLoop } from "../../../pipeline/mod.ts";
import { parseHostPort } from "../../../pipeline/transports/_address.ts";
import type { Conditions } from "./conditions.ts";
import { DRIP_MS, ENDLESS_FRAME } from "./fault_network.ts";
import { RelayLink } from "./_relay_link.ts";

export type { RelayLink } from "./_relay_link.ts";

/** Options of {@linkcode FaultRelay.start}. */
export interface FaultRelayOptions {
  /** Clock and timers. */
  readonly loop: EventLoop;
  /** Numbers from 0 (included) to 1 (excluded): jitter, where a write is cut. */
  readonly random: () => number;
  /** The server behind it: `tcp://host:port`. */
  readonly target: string;
  /** How the path is at first. */
  readonly conditions: Conditions;
}

/**
 * What becomes of a connect: as in the fault network. What is refused is
 * refused by the kernel, as nobody listens meanwhile.
 */
export type RelayConnects = "accepted" | "refused" | "blackHole" | "slowLoris";

/** A running relay: one client's way to the server. */
export class FaultRelay implements AsyncDisposable {
  /** Where clients connect to. */
  readonly address: string;
  /** How it is at the moment; may be changed at any time. */
  conditions: Conditions;
  readonly #options: FaultRelayOptions;
  readonly #port: number;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #links: RelayLink[] = [];
  #listener: Server | undefined;
  #connects: RelayConnects = "accepted";
  #isHeld = false;
  #isClosed = false;
  /** One change of the listener after the other. */
  #changing: Promise<void> = Promise.resolve();

  private constructor(options: FaultRelayOptions, listener: Server) {
    this.#options = options;
    this.conditions = options.conditions;
    this.#target = parseHostPort(options.target, ["tcp"], 1);
    this.#listener = listener;
    this.#port = (listener.address() as { port: number }).port;
    this.address = `tcp://127.0.0.1:${this.#port}`;
    this.#serve(listener);
  }

  /**
   * Starts a relay on a free port of loopback.
   *
   * @throws {TypeError} If the target cannot be parsed.
   */
  static async start(options: FaultRelayOptions): Promise<FaultRelay> {
    parseHostPort(options.target, ["tcp"], 1);
    return new FaultRelay(options, await listening(0));
  }

  /** The links of which a socket is open, the oldest first. */
  get links(): readonly RelayLink[] {
    return this.#links;
  }

  /** What becomes of the connects from now on. Done when it is so. */
  setConnects(mode: RelayConnects): Promise<void> {
    this.#connects = mode;
    return this.#changing = this.#changing.then(async () => {
      const wants = this.#connects !== "refused" && !this.#isClosed;
      const listener = this.#listener;
      if (wants && listener === undefined) {
        this.#serve(this.#listener = await listening(this.#port));
      } else if (!wants && listener !== undefined) {
        this.#listener = undefined;
        // It ends once its last link has; only that it takes no more is waited for.
        listener.close();
      }
    });
  }

  /** What becomes of the connects. */
  get connects(): RelayConnects {
    return this.#connects;
  }

  /** Nothing gets through on any link, until {@linkcode release}. */
  hold(): void {
    this.#isHeld = true;
    for (const link of this.#links) link.hold();
  }

  /** See {@linkcode hold}. */
  release(): void {
    this.#isHeld = false;
    for (const link of this.#links) link.release();
  }

  /** Ends all links and stops listening. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.setConnects("refused");
    for (const link of [...this.#links]) link.reset();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #serve(listener: Server): void {
    listener.on("connection", (client) => {
      const link: RelayLink = new RelayLink({
        loop: this.#options.loop,
        random: this.#options.random,
        conditions: () => this.conditions,
        client,
        target: this.#connects === "accepted" ? this.#target : undefined,
        onGone: () => {
          const index = this.#links.indexOf(link);
          if (index >= 0) this.#links.splice(index, 1);
        },
      });
      this.#links.push(link);
      if (this.#isHeld) link.hold();
      if (this.#connects === "slowLoris") link.drip(ENDLESS_FRAME, DRIP_MS);
    });
  }
}

function listening(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port }, () => {
      server.off("error", reject);
      resolve(server);
    });
  });
}
