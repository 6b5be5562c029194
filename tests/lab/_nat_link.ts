/**
 * One link through the box: two sockets and what becomes of the bytes between.
 *
 * @module
 */

import { connect, type Socket } from "node:net";
import { NatEntry, type NatEntryOptions, type NatSide } from "./_nat_entry.ts";
import type { NatEvent } from "./nat_box.ts";

type WithoutLink<T> = T extends unknown ? Omit<T, "link"> : never;

/** Options of a {@linkcode NatLink}. */
export interface NatLinkOptions {
  /** The accepted socket: paused, and half-open allowed. */
  readonly client: Socket;
  /** The server to connect it to. */
  readonly target: { readonly host: string; readonly port: number };
  /** How it is remembered; looked at for each packet, since it may change. */
  readonly entry: Omit<NatEntryOptions, "onForgotten">;
  /** Gets everything that happens on it. */
  readonly onEvent: (event: WithoutLink<NatEvent>) => void;
}

/**
 * Relays between two sockets as long as the entry says so. What would be a
 * packet is a chunk, a FIN or a RST here. A socket of the box ends only when
 * its own endpoint is gone, so that a forgotten link looks alive to both.
 */
export class NatLink {
  readonly #sockets: Record<NatSide, Socket>;
  readonly #entry: NatEntry;
  readonly #onEvent: NatLinkOptions["onEvent"];
  #open = 2;

  constructor({ client, target, entry, onEvent }: NatLinkOptions) {
    this.#onEvent = onEvent;
    this.#entry = new NatEntry({
      loop: entry.loop,
      get timeoutMs() {
        return entry.timeoutMs;
      },
      get mode() {
        return entry.mode;
      },
      onForgotten: () => onEvent({ type: "forgotten" }),
    });
    const server = connect({ ...target, allowHalfOpen: true, noDelay: true });
    this.#sockets = { client, server };
    this.#listen("client", "server");
    this.#listen("server", "client");
    server.once("connect", () => client.resume());
  }

  /** From now on all packets vanish, and neither end is told. */
  cut(): void {
    this.#entry.close();
  }

  /** Ends both sockets. */
  close(): void {
    this.#sockets.client.destroy();
    this.#sockets.server.destroy();
  }

  #listen(from: NatSide, to: NatSide): void {
    const socket = this.#sockets[from];
    const other = this.#sockets[to];
    let isBroken = false;
    socket.on("data", (bytes) => {
      if (this.#passes(from, bytes.length) && !other.write(bytes)) {
        socket.pause();
        other.once("drain", () => socket.resume());
      }
    });
    socket.on("end", () => {
      if (this.#passes(from, 0)) other.end();
      else socket.destroy();
    });
    socket.on("error", () => isBroken = true);
    socket.on("close", () => {
      // Nothing drains into this one any more; what the other sends must not wait for it.
      other.resume();
      // A socket that the box itself has reset or ended has no error.
      if (isBroken && !other.destroyed && this.#passes(from, 0)) other.resetAndDestroy();
      if (--this.#open > 0) return;
      this.#entry.close();
      this.#onEvent({ type: "closed" });
    });
  }

  /** Whether a packet gets through. */
  #passes(from: NatSide, bytes: number): boolean {
    switch (this.#entry.packet(from)) {
      case "forward":
        return true;
      case "revive":
        this.#onEvent({ type: "revived" });
        return true;
      case "swallow":
        this.#onEvent({ type: "swallowed", from, bytes });
        return false;
      case "reset":
        this.#sockets[from].resetAndDestroy();
        this.#onEvent({ type: "reset", from, bytes });
        return false;
    }
  }
}
