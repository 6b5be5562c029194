/**
 * Where a run takes place: clock, network, and what can go wrong there.
 *
 * @module
 */

import type { EventLoop, Transport } from "../../../mod.ts";
import type { FaultKind } from "./fault_kind.ts";

/** How a process ends: its host resets its links, or is gone as well. */
export type Death = "resets" | "vanishes";

/** A fault that was begun. */
export interface Begun {
  /** What was done, in a few words. */
  readonly what: string;
  /** Ends it, if it does not end by itself. */
  readonly end?: () => void;
}

/** The network of a run, which may be virtual or real. */
export interface Field {
  /** The clock of the world. */
  readonly loop: EventLoop;
  /** What can be begun here, besides the ends of processes. */
  readonly kinds: ReadonlySet<FaultKind>;
  /** What carries the links of this client, or undefined: the server's. */
  transport(client?: number): Transport;
  /** Where this client connects to. */
  addressFor(client: number): string;
  /** Where the server listens. */
  readonly listenAddress: string;
  /**
   * Begins a fault.
   *
   * @returns undefined if it cannot be begun just now.
   */
  begin(kind: FaultKind, client: number): Begun | undefined;
  /** Whether this client's newest link is one that works at both ends. */
  isSound(client: number): boolean;
  /** There and back, ms, while nothing is wrong. */
  roundTripMs(client: number): number;
  /** The server's process is gone. */
  serverDied(how: Death): void;
  /** A client's process is gone. */
  clientDied(client: number, how: Death): void;
  /** Everything that is wrong with the network ends; links that are dead stay dead. */
  heal(): void;
  /** Lets time pass. */
  advance(ms: number): Promise<void>;
  /** What is still open after everything was closed, in words. */
  leftovers(): string[];
  /** Gives up what the network itself holds. */
  close(): Promise<void>;
}
