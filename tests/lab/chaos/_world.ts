/**
 * What the actors of a run share.
 *
 * @module
 */

import type { Channel, SessionLostEvent } from "../../../mod.ts";
import type { ProcessLoop } from "../faults/process_loop.ts";
import { upOf } from "./_names.ts";
import type { Dice } from "./_dice.ts";
import type { Field } from "./_field.ts";
import type { Ledger } from "./_ledger.ts";
import type { Stack } from "./_stack.ts";

/** What a message says. */
export interface Payload {
  readonly stream: string;
  readonly number: number;
}

/** Errors that a faulty network may well lead to, if they are reported and nothing worse comes of them. */
const EXPECTED = new Set(["DecodeError", "HeartbeatError", "LimitError", "SessionError", "StoreFailure"]);
/** Part of the messages on which an application works for a while. */
const SLOW = 0.2;
const SLOW_MS = 400;

/** Options of a {@linkcode World}. */
export interface WorldOptions {
  readonly field: Field;
  readonly stack: Stack;
  readonly ledger: Ledger;
  readonly dice: Dice;
  /** This client has a link, and its session (if there are any) is open on it. */
  readonly onUp: (client: number) => void;
  /** A message of this client, or for it, has arrived. */
  readonly onArrival: (client: number) => void;
  /** This client was told that its session is gone. */
  readonly onSessionLost: (client: number) => void;
  /** Whether a session may be lost by now. */
  readonly mayLoseSessions: () => boolean;
  /** Gets the log, line by line. */
  readonly say: (line: string) => void;
}

/** The ledger, the log, and what all applications do alike. */
export class World {
  readonly field: Field;
  readonly stack: Stack;
  readonly ledger: Ledger;
  readonly say: (line: string) => void;
  readonly #options: WorldOptions;
  readonly #sessions = new Map<string, string>();

  /** Begins with nothing sent. */
  constructor(options: WorldOptions) {
    this.#options = options;
    this.field = options.field;
    this.stack = options.stack;
    this.ledger = options.ledger;
    this.say = options.say;
  }

  /** A client has a link. */
  up(client: number): void {
    this.#options.onUp(client);
  }

  /** A session's name in the log: ids are another one in each run. */
  session(id: string): string {
    let name = this.#sessions.get(id);
    if (name === undefined) this.#sessions.set(id, name = `session ${this.#sessions.size + 1}`);
    return name;
  }

  /** An application writes a message of so many bytes. */
  write(
    channel: Channel,
    stream: string,
    writer: ProcessLoop,
    bytes: number,
    writes: "written" | "acknowledged",
  ): void {
    const { ledger } = this;
    const entry = ledger.write(stream, writer, this.field.loop.now());
    this.say(`writes ${stream} ${entry.number}`);
    channel.writeAndFlush([stream, entry.number, new Uint8Array(bytes)]).onSettled((error) => {
      // What a process learns after its death it does not learn.
      if (writer.isKilled) return;
      ledger.settled(entry, error);
      if (error !== undefined) this.say(`${stream} ${entry.number} failed: ${(error as Error).message}`);
      else if (writes === "acknowledged" && this.stack.hasSessions) ledger.acknowledged(entry);
    });
  }

  /** A message came again that a process before has taken. */
  repeated(whom: string, { stream, number }: Payload): void {
    this.say(`${whom}: drops ${stream} ${number}`);
    this.ledger.taken(stream, number);
  }

  /** A message has arrived; the promise tells when the application is done with it. */
  arrived(client: number, { stream, number }: Payload, process: ProcessLoop): Promise<void> | undefined {
    this.say(`${stream} ${number} arrives`);
    const entry = this.ledger.arrived(stream, number);
    this.#options.onArrival(client);
    if (entry === undefined) return undefined;
    const { dice } = this.#options;
    if (!dice.chance(SLOW)) {
      entry.isDone = true;
      return undefined;
    }
    return new Promise((resolve) => {
      process.schedule(dice.between(1, SLOW_MS), () => {
        entry.isDone = true;
        resolve();
      });
    });
  }

  /** A side was told that its session is gone. */
  sessionLost(client: number | undefined, { sessionId, reason, unconfirmed }: SessionLostEvent): void {
    const { ledger } = this;
    const stream = client === undefined ? undefined : upOf(client);
    if (client !== undefined) this.#options.onSessionLost(client);
    if (!this.#options.mayLoseSessions()) {
      ledger.problems.push(`${this.session(sessionId)} was lost (${reason}) although it was kept`);
    }
    for (const message of unconfirmed) {
      const payload = payloadOf(message);
      if (payload === undefined || (stream !== undefined && payload.stream !== stream)) {
        ledger.problems.push(`${this.session(sessionId)} lists a message that it did not carry`);
      } else ledger.listed(payload.stream, payload.number);
    }
  }

  /** An error that no handler took. */
  failed(whom: string, error: unknown): void {
    this.say(`${whom}: ${error}`);
    if (EXPECTED.has((error as Error)?.name)) return;
    // One that comes again and again would hide what else there is.
    const problem = `${whom}: ${told(error)}`;
    if (!this.ledger.problems.includes(problem)) this.ledger.problems.push(problem);
  }
}

/** What an error says, and where it comes from. */
export function told(error: unknown): string {
  return error instanceof Error ? error.stack ?? String(error) : String(error);
}

/** Reads a message, or undefined if it is none of a run. */
export function payloadOf(message: unknown): Payload | undefined {
  if (!Array.isArray(message)) return undefined;
  const [stream, number] = message;
  return typeof stream === "string" && typeof number === "number" ? { stream, number } : undefined;
}
