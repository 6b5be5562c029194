/**
 * The events of a WebSocket, and the handlers for them that are properties.
 *
 * @module
 */

type Handler = ((event: Event) => unknown) | null;

/** The `on...` properties of one target: each is a listener whose function can be exchanged. */
export class HandlerProperties {
  readonly #target: EventTarget;
  readonly #entries = new Map<string, { handler: Handler; readonly listener: (event: Event) => void }>();

  constructor(target: EventTarget) {
    this.#target = target;
  }

  /** The handler, or null. */
  // deno-lint-ignore no-explicit-any
  get(type: string): any {
    return this.#entries.get(type)?.handler ?? null;
  }

  /** Sets the handler; it is called in the place where the first one since null was set. */
  set(type: string, value: unknown): void {
    const handler = typeof value === "function" || (typeof value === "object" && value !== null)
      ? value as Handler
      : null;
    const entry = this.#entries.get(type);
    if (handler === null) {
      if (entry === undefined) return;
      this.#target.removeEventListener(type, entry.listener);
      this.#entries.delete(type);
    } else if (entry !== undefined) entry.handler = handler;
    else {
      const listener = (event: Event) => {
        const { handler } = this.#entries.get(type) ?? {};
        if (typeof handler === "function") handler.call(this.#target, event);
      };
      this.#entries.set(type, { handler, listener });
      this.#target.addEventListener(type, listener);
    }
  }
}

interface CloseInit {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

interface ErrorInit {
  readonly message: string;
  readonly error: unknown;
}

type CloseEventClass = new (type: string, init: CloseInit) => Event;
type ErrorEventClass = new (type: string, init: ErrorInit) => Event;

/** A `CloseEvent`; Node has it from version 23 on. */
export function closeEvent(init: CloseInit): Event {
  const { CloseEvent = OwnCloseEvent } = globalThis as { CloseEvent?: CloseEventClass };
  return new CloseEvent("close", init);
}

/** An `ErrorEvent`, where there is one. */
export function errorEvent(init: ErrorInit): Event {
  const { ErrorEvent = OwnErrorEvent } = globalThis as { ErrorEvent?: ErrorEventClass };
  return new ErrorEvent("error", init);
}

class OwnCloseEvent extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;

  constructor(type: string, init: CloseInit) {
    super(type);
    this.code = init.code;
    this.reason = init.reason;
    this.wasClean = init.wasClean;
  }
}

class OwnErrorEvent extends Event {
  readonly message: string;
  readonly error: unknown;

  constructor(type: string, init: ErrorInit) {
    super(type);
    this.message = init.message;
    this.error = init.error;
  }
}
