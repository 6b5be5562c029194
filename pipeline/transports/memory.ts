/**
 * Links in memory, for tests: on a virtual event loop they are exact to the
 * millisecond and need no waiting.
 *
 * @module
 */

import { ConnectError } from "../errors.ts";
import type { EventLoop } from "../event_loop.ts";
import type { ConnectOptions, Link, Listener, ListenOptions, Remote, Transport } from "../transport.ts";
import { cannotParse } from "./_address.ts";
import { givenUp } from "./_failure.ts";
import { MemoryEnd, type MemoryLink, type Wire } from "./_memory_link.ts";

export type { MemoryLink };

/**
 * Options of {@linkcode memory}.
 *
 * @example A connect takes one round trip
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap, ServerBootstrap, VirtualEventLoop } from "@longlink/pipeline";
 * import { memory, type MemoryOptions } from "@longlink/pipeline/transports/memory";
 *
 * const satellite: MemoryOptions = { latencyMs: 300 };
 * const [loop, transport] = [new VirtualEventLoop(), memory(satellite)];
 * await new ServerBootstrap({ transport, loop }).listen("memory://far");
 * const startMs = loop.now();
 * const connected = new Bootstrap({ transport, loop }).connect("memory://far").then(() => loop.now() - startMs);
 * await loop.advanceByAsync(1_000);
 * assertEquals(await connected, 600);
 * ```
 */
export interface MemoryOptions {
  /** How long everything takes from one end to the other, ms, 0 or more. Default: 0. */
  readonly latencyMs?: number;
  /** Whether one write arrives as one read, as over WebSocket, and text as text. Default: false, bytes stream. */
  readonly keepsMessages?: boolean;
}

/**
 * Options of {@linkcode memoryPair}.
 *
 * @example Two texts stay two
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { VirtualEventLoop } from "@longlink/pipeline";
 * import { memoryPair, type MemoryPairOptions } from "@longlink/pipeline/transports/memory";
 *
 * const loop = new VirtualEventLoop();
 * const options: MemoryPairOptions = { loop, keepsMessages: true, latencyMs: 5 };
 * const [one, other] = memoryPair(options);
 * const read: unknown[] = [];
 * const ignore = { onRead() {}, onReadComplete() {}, onFlushed() {}, onClosed() {} };
 * one.open(ignore);
 * other.open({ ...ignore, onRead: (message) => read.push(message) });
 * other.read();
 * one.write("a");
 * one.flush();
 * one.write("b");
 * one.flush();
 * loop.advanceBy(4);
 * assertEquals(read, []);
 * loop.advanceBy(1);
 * other.read();
 * loop.advanceBy(0);
 * assertEquals(read, ["a", "b"]);
 * ```
 */
export interface MemoryPairOptions extends MemoryOptions {
  /** Clock and timers of both ends. */
  readonly loop: EventLoop;
}

/**
 * Makes two links that are each other's peer. Nothing happens before the loop
 * runs: data, flush reports and ends are tasks of it. A writer is 64 KiB ahead
 * of its reader at most, then `onFlushed` waits for reads.
 *
 * @param options See {@linkcode MemoryPairOptions}.
 * @returns Both ends.
 * @throws {RangeError} If the latency is negative or not a finite number.
 *
 * @example What one end writes, the other reads
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { VirtualEventLoop } from "@longlink/pipeline";
 * import { memoryPair } from "@longlink/pipeline/transports/memory";
 *
 * const loop = new VirtualEventLoop();
 * const [one, other] = memoryPair({ loop, latencyMs: 20 });
 * const read: unknown[] = [];
 * const ignore = { onRead() {}, onReadComplete() {}, onFlushed() {}, onClosed() {} };
 * one.open(ignore);
 * other.open({ ...ignore, onRead: (message) => read.push(message) });
 * other.read();
 * one.write(new Uint8Array([1, 2]));
 * one.flush();
 * loop.advanceBy(20);
 * assertEquals(read, [new Uint8Array([1, 2])]);
 * ```
 */
export function memoryPair(options: MemoryPairOptions): [MemoryLink, MemoryLink] {
  const { latencyMs, keepsMessages } = checked(options);
  return joined({ latencyMs, keepsMessages, isCut: false }, options.loop, "", options.loop, "");
}

/**
 * A network in memory: links and listeners of one transport find each other by
 * address, `memory://name`. Each call makes a network of its own.
 *
 * With no latency `connect` returns the link itself; otherwise a promise that
 * the loop settles after one round trip.
 *
 * @param options See {@linkcode MemoryOptions}.
 * @returns The transport.
 * @throws {RangeError} If the latency is negative or not a finite number.
 *
 * @example A listener and a link to it
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type Link, VirtualEventLoop } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const loop = new VirtualEventLoop();
 * const network = memory();
 * const accepted: Link[] = [];
 * const onError = () => {};
 * await network.listen!("memory://chat", { loop, onLink: (link) => accepted.push(link), onError });
 * const { signal } = new AbortController();
 * const link = await network.connect({ address: "memory://chat" }, { loop, signal });
 * loop.advanceBy(0);
 * assertEquals(accepted.length, 1);
 * assertEquals(link.remoteAddress, "memory://chat");
 * ```
 */
export function memory(options: MemoryOptions = {}): Transport {
  return new MemoryTransport(checked(options));
}

class MemoryTransport implements Transport {
  readonly name = "memory";
  readonly keepsMessages: boolean;
  readonly #latencyMs: number;
  readonly #listeners = new Map<string, ListenOptions>();

  constructor({ latencyMs, keepsMessages }: Required<MemoryOptions>) {
    this.#latencyMs = latencyMs;
    this.keepsMessages = keepsMessages;
  }

  connect({ address }: Remote, { loop, signal }: ConnectOptions): Link | Promise<Link> {
    check(address);
    if (signal.aborted) return Promise.reject(givenUp(address, signal));
    if (this.#latencyMs === 0) {
      try {
        return this.#link(address, loop);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return new Promise((resolve, reject) => {
      const timer = loop.schedule(2 * this.#latencyMs, () => {
        signal.removeEventListener("abort", onAbort);
        try {
          resolve(this.#link(address, loop));
        } catch (error) {
          reject(error);
        }
      });
      const onAbort = () => {
        timer.cancel();
        reject(givenUp(address, signal));
      };
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  listen(address: string, options: ListenOptions): Promise<Listener> {
    check(address);
    if (this.#listeners.has(address)) {
      return Promise.reject(new Error(`Cannot listen on ${address}: the address is in use`));
    }
    this.#listeners.set(address, options);
    const close = () => {
      if (this.#listeners.get(address) === options) this.#listeners.delete(address);
      return Promise.resolve();
    };
    return Promise.resolve({ address, close });
  }

  #link(address: string, loop: EventLoop): Link {
    const listener = this.#listeners.get(address);
    if (listener === undefined) {
      const cause = new Error(`nobody listens on ${address}`);
      throw new ConnectError(address, "connection refused", { cause });
    }
    const wire = { latencyMs: this.#latencyMs, keepsMessages: this.keepsMessages, isCut: false };
    const [near, far] = joined(wire, loop, address, listener.loop, "");
    listener.loop.schedule(0, listener.onLink, far);
    return near;
  }
}

function joined(
  wire: Wire,
  nearLoop: EventLoop,
  farAddress: string,
  farLoop: EventLoop,
  nearAddress: string,
): [MemoryEnd, MemoryEnd] {
  const near = new MemoryEnd(wire, nearLoop, nearAddress, farAddress);
  const far = new MemoryEnd(wire, farLoop, farAddress, nearAddress);
  MemoryEnd.join(near, far);
  return [near, far];
}

function checked({ latencyMs = 0, keepsMessages = false }: MemoryOptions): Required<MemoryOptions> {
  if (!(latencyMs >= 0 && latencyMs < Infinity)) {
    throw new RangeError(
      `Cannot make a link in memory: latencyMs must be a number of 0 or more, not ${latencyMs}`,
    );
  }
  return { latencyMs, keepsMessages };
}

function check(address: string): void {
  if (!/^memory:\/\/[^\s/?#@]+$/.test(address)) {
    throw cannotParse(address, "it must be memory:// and a name");
  }
}
