/**
 * Timers that keep their time in a hidden page: a dedicated worker holds them.
 *
 * @module
 */

import type { SystemHost } from "./system_event_loop.ts";

/**
 * What the worker runs: it sets and clears timers by number, and says which is
 * due; first of all it says 0. For pages whose policy wants the script to be a
 * file of its own; see {@linkcode WorkerTimerHostOptions.script}.
 *
 * @example A file of one's own
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { WORKER_TIMERS_SCRIPT } from "@longlink/pipeline/worker-timers";
 *
 * assertStringIncludes(WORKER_TIMERS_SCRIPT, "setTimeout"); // save it as timers.js, where the page comes from
 * ```
 */
export const WORKER_TIMERS_SCRIPT: string = `"use strict";
const timers = new Map();
onmessage = ({ data: [id, delayMs] }) => {
  clearTimeout(timers.get(id));
  timers.delete(id);
  if (delayMs === undefined) return;
  timers.set(id, setTimeout(() => {
    timers.delete(id);
    postMessage(id);
  }, delayMs));
};
postMessage(0);
`;

/**
 * The worker does not run, so timers are the page's own, late while it is hidden.
 *
 * @example Telling it once
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { WorkerTimersError } from "@longlink/pipeline/worker-timers";
 *
 * const error = new WorkerTimersError("blocked", "the page's policy forbids it");
 * assertEquals(error.reason, "blocked");
 * assertEquals(
 *   error.message,
 *   "Cannot run timers in a worker: the page's policy forbids it; in a hidden page they may be late by a minute",
 * );
 * ```
 */
export class WorkerTimersError extends Error {
  /** `missing`: there is no `Worker` here; `blocked`: it could not be started, or it failed. */
  readonly reason: "missing" | "blocked";

  /**
   * Makes the error.
   *
   * @param reason Which of the two it is.
   * @param detail What is known of it.
   * @param options The cause, where there is one.
   */
  constructor(reason: "missing" | "blocked", detail: string, options?: ErrorOptions) {
    super(`Cannot run timers in a worker: ${detail}; in a hidden page they may be late by a minute`, options);
    this.name = "WorkerTimersError";
    this.reason = reason;
  }
}

/**
 * Options of {@linkcode workerTimerHost}.
 *
 * @example For a page whose policy wants a file
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { SystemEventLoop } from "@longlink/pipeline";
 * import { workerTimerHost, type WorkerTimerHostOptions } from "@longlink/pipeline/worker-timers";
 *
 * const options: WorkerTimerHostOptions = {
 *   script: "https://chat.example.net/timers.js", // with the text of WORKER_TIMERS_SCRIPT
 *   onFallback: (error) => console.warn(error.reason),
 * };
 * const host = workerTimerHost(options);
 * const loop = new SystemEventLoop({ host });
 * assertEquals([loop.lastLateMs, host.isWorkerRunning], [-Infinity, false]); // it starts with the first timer
 * ```
 */
export interface WorkerTimerHostOptions {
  /**
   * Address of a script with the text {@linkcode WORKER_TIMERS_SCRIPT}, for a
   * page whose Content-Security-Policy does not have `worker-src blob:`.
   *
   * @default {the same text as a Blob}
   */
  readonly script?: string | URL;
  /**
   * Told once if the worker does not run; the page's own timers do its work.
   *
   * @default {console.warn}
   */
  readonly onFallback?: (error: WorkerTimersError) => void;
}

/**
 * What {@linkcode workerTimerHost} makes.
 *
 * @example Ending the worker with the page's chat
 * ```ts
 * import { assertFalse } from "@std/assert";
 * import { workerTimerHost, type WorkerTimerHost } from "@longlink/pipeline/worker-timers";
 *
 * const host: WorkerTimerHost = workerTimerHost();
 * host.close(); // timers that still wait go on as the page's own
 * assertFalse(host.isWorkerRunning);
 * ```
 */
export interface WorkerTimerHost extends SystemHost {
  /** Whether the worker has started and runs. */
  readonly isWorkerRunning: boolean;
  /** Ends the worker; from then on timers are the page's own. */
  close(): void;
}

/**
 * Clocks, randomness and timers for a `SystemEventLoop` in a page. Browsers run
 * the timers of a page that has been hidden for a while once a minute (Chrome,
 * "intensive throttling": after five minutes), so that heartbeats would be up to
 * a minute late and the network would forget the link. A dedicated worker's timers are
 * not throttled like that, and its messages reach a hidden page at once.
 *
 * The page's own timer is set besides, and whichever is first counts. So a
 * worker that is blocked by policy (`worker-src`), missing, or killed by the
 * browser costs punctuality and never a heartbeat. A page that is frozen, or in
 * the back/forward cache, runs nothing, neither does its worker: the loop says
 * so when it goes on (`onLate`), and the keep-alive asks the peer at once.
 *
 * The worker begins with the first timer. It would keep a process alive: this
 * is for pages. Elsewhere timers are on time as they are.
 *
 * @param options Where the script is, and who hears that the worker does not run.
 * @returns The host, for one loop.
 *
 * @example Heartbeats on time in a hidden tab
 * ```ts
 * import { assertFalse } from "@std/assert";
 * import { Bootstrap, keepAlive, SystemEventLoop } from "@longlink/pipeline";
 * import { webSocket } from "@longlink/pipeline/transports/web-socket";
 * import { workerTimerHost } from "@longlink/pipeline/worker-timers";
 *
 * const host = workerTimerHost();
 * const bootstrap = new Bootstrap({
 *   transport: webSocket(),
 *   loop: new SystemEventLoop({ host }),
 *   pipeline: (p) => p.addLast(...keepAlive()),
 * }); // bootstrap.connect("wss://chat.example.net")
 * assertFalse(host.isWorkerRunning); // no timer yet
 * ```
 */
export function workerTimerHost(options: WorkerTimerHostOptions = {}): WorkerTimerHost {
  return new TimerHost(options);
}

interface Pending {
  readonly callback: () => void;
  readonly pageTimer: ReturnType<typeof setTimeout>;
}

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "starting" | "running"; readonly worker: Worker }
  | { readonly kind: "without" };

class TimerHost implements WorkerTimerHost {
  readonly #options: WorkerTimerHostOptions;
  readonly #pending = new Map<number, Pending>();
  #state: State = { kind: "idle" };
  #lastId = 0;

  constructor(options: WorkerTimerHostOptions) {
    this.#options = options;
  }

  get isWorkerRunning(): boolean {
    return this.#state.kind === "running";
  }

  monotonicNow(): number {
    return performance.now();
  }

  wallNow(): number {
    return Date.now();
  }

  random(): number {
    return Math.random();
  }

  setTimeout(callback: () => void, delayMs: number): unknown {
    const id = ++this.#lastId;
    if (this.#state.kind === "idle") this.#start();
    // Always: a worker that is killed (out of memory) tells nobody.
    this.#pending.set(id, { callback, pageTimer: setTimeout(() => this.#due(id), delayMs) });
    this.#tell(id, delayMs);
    return id;
  }

  clearTimeout(handle: unknown): void {
    if (this.#forget(handle as number) !== undefined) this.#tell(handle as number);
  }

  close(): void {
    if ("worker" in this.#state) this.#state.worker.terminate();
    this.#state = { kind: "without" };
  }

  /** Messages to a worker that is still starting wait for it. */
  #tell(id: number, delayMs?: number): void {
    if ("worker" in this.#state) this.#state.worker.postMessage([id, delayMs]);
  }

  #due(id: number): void {
    const pending = this.#forget(id);
    if (pending === undefined) return; // the other one was first
    this.#tell(id);
    pending.callback();
  }

  #forget(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    clearTimeout(pending.pageTimer);
    return pending;
  }

  #start(): void {
    if (typeof Worker === "undefined") {
      return this.#fallBack(new WorkerTimersError("missing", "there is no Worker here"));
    }
    // An address of a Blob is good for as long as the page; it is needed once in it.
    const { script = URL.createObjectURL(new Blob([WORKER_TIMERS_SCRIPT], { type: "text/javascript" })) } =
      this.#options;
    let worker: Worker;
    try {
      worker = new Worker(script, { type: "module" });
    } catch (cause) {
      return this.#fallBack(blocked(cause));
    }
    this.#state = { kind: "starting", worker };
    worker.onmessage = ({ data: id }) => {
      if (id === 0) this.#state = { kind: "running", worker };
      else this.#due(id);
    };
    // A policy that forbids it is told by an event, without a message.
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      this.#fallBack(blocked(event));
    };
  }

  #fallBack(error: WorkerTimersError): void {
    this.#state = { kind: "without" };
    const { onFallback = (error) => console.warn(error.message) } = this.#options;
    onFallback(error);
  }
}

function blocked(cause: unknown): WorkerTimersError {
  const message = (cause as { readonly message?: unknown }).message;
  const detail = typeof message === "string" && message !== ""
    ? message
    : "it was not started (Content-Security-Policy without worker-src blob:, or no such script)";
  return new WorkerTimersError("blocked", detail, { cause });
}
