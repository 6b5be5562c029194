/**
 * A server's link before it is known whose it is.
 *
 * @module
 */

import {
  type ChannelHandlerContext,
  type ChannelPromise,
  LinkDownError,
  type LinkDownEvent,
  type Timer,
} from "../../pipeline/mod.ts";
import { DecodeError } from "../errors.ts";
import type { CarriedLink } from "./_carried_link.ts";
import { HeldWrites } from "./_held_writes.ts";
import type { ResponderPlace } from "./_responder_place.ts";
import { SessionCarrier } from "./_session_carrier.ts";
import { notDue, type RefusalReason, SESSION_VERSION, type SessionFrame } from "./_session_frame.ts";
import type { SessionHome } from "./_session_home.ts";
import { openSession } from "./_session_opening.ts";
import { resumeSession } from "./_session_resuming.ts";
import { refuseBytes, sendSessionFrame } from "./_session_wire.ts";
import type { RegistryAccess } from "./session_registry.ts";

/**
 * The store, or the session's own channel, is being asked. One object for each
 * time, by which an answer is known that comes too late.
 */
export interface Preparing {
  readonly kind: "preparing";
  readonly held: HeldWrites;
}

/**
 * - `undecided`: the client has not said what it wants; the application has not seen it.
 * - `preparing`: see {@linkcode Preparing}.
 * - `plain`: a client without sessions, so far.
 * - `over`: it is gone, or has a session.
 */
type State =
  | { readonly kind: "undecided"; readonly timer: Timer; readonly held: HeldWrites }
  | Preparing
  | { readonly kind: "plain" }
  | { readonly kind: "over"; readonly error: Error };

const PLAIN: State = { kind: "plain" };

/**
 * Waits for the client's first word, and finds out what it is: a client
 * without sessions, one that opens a session, or one that comes back to its own.
 */
export class ArrivingLink {
  readonly kind = "arriving";
  readonly place: ResponderPlace;
  #state: State;

  constructor(place: ResponderPlace) {
    this.place = place;
    this.#state = this.#waiting(new HeldWrites());
  }

  get context(): ChannelHandlerContext {
    return this.place.context;
  }

  get registry(): RegistryAccess {
    return this.place.registry;
  }

  // --- what comes, and what is written ---

  /** Something else than a session frame has come. */
  messageRead(message: unknown): void {
    if (this.#state.kind === "undecided") this.#becomePlain();
    if (this.#state === PLAIN) this.context.fireChannelRead(message);
    else {
      const error = new DecodeError("session frame", "something else came on a link with a session");
      refuseBytes(this.context, error);
    }
  }

  /** @throws {DecodeError} If the frame makes no sense here. */
  frameRead(frame: SessionFrame): void {
    const isDue = this.#state.kind === "undecided" || this.#state === PLAIN;
    if (!isDue || (frame.kind !== "open" && frame.kind !== "resume")) throw notDue(frame);
    this.registry.sweep(this.context.loop, (error) => this.context.fireExceptionCaught(error));
    if (frame.version !== SESSION_VERSION) this.refuse("version", SESSION_VERSION);
    else if (frame.kind === "open") openSession(this);
    else resumeSession(this, frame);
  }

  write(message: unknown, promise: ChannelPromise): void {
    const state = this.#state;
    if (state === PLAIN) this.context.write(message, promise);
    else if (state.kind === "over") throw state.error;
    else (state as Preparing).held.add(message, promise);
  }

  /** Flushes where the client listens. */
  flush(): void {
    if (this.#state === PLAIN && this.context.channel.isActive) this.context.flush();
  }

  // --- what becomes of it ---

  /** What is written waits until it is known whether the client gets its session. */
  prepare(): Preparing {
    const preparing: Preparing = { kind: "preparing", held: this.#takeHeld() };
    this.#state = preparing;
    return preparing;
  }

  /** Whether the client still waits for what was asked then. */
  isAt(preparing: Preparing): boolean {
    return this.#state === preparing;
  }

  /** The client does not get what it wants; it may ask for something else on the same link. */
  refuse(reason: RefusalReason, number: number): void {
    this.registry.refused();
    if (this.#state.kind === "over") return;
    if (this.#state !== PLAIN) this.#state = this.#waiting(this.#takeHeld());
    sendSessionFrame(this.context, { kind: "refused", reason, number });
  }

  /** To say that it is unknown would make the client give up what it has; there may be room, or a store, soon. */
  refuseForNow(): void {
    this.refuse("overloaded", this.registry.settings.comeBackMs);
  }

  /** This channel is the session's from now on. What was written meanwhile is in what was prepared. */
  becomeHome(home: SessionHome, how: "opened" | "resumed"): void {
    this.#takeHeld();
    this.#state = { kind: "over", error: new LinkDownError("write", "replaced") };
    home.settle(how);
  }

  /** This link is another channel's from now on. */
  becomeCarrier(home: SessionHome): CarriedLink {
    this.end(new LinkDownError("write", "replaced"));
    if (this.place.hide()) {
      // It said so late that the application took it for one without a session.
      const event: LinkDownEvent = { type: "linkDown", reason: "replaced" };
      this.context.fireUserEventTriggered(event);
      this.context.fireChannelInactive();
    }
    const carrier = new SessionCarrier(this.context, home);
    this.place.become(carrier);
    carrier.begin();
    return carrier.link;
  }

  /** The link is gone, or nobody's. */
  end(error: Error): void {
    const held = this.#takeHeld();
    this.#state = { kind: "over", error };
    held.reject(error);
  }

  #waiting(held: HeldWrites): State {
    const { channel, loop } = this.context;
    const { firstFrameMs, required } = this.registry.settings;
    if (!this.place.isShown) channel.withdraw();
    const timer = loop.schedule(firstFrameMs, () => {
      if (!required) this.#becomePlain();
    });
    return { kind: "undecided", timer, held };
  }

  #becomePlain(): void {
    const state = this.#state;
    if (state.kind !== "undecided") return;
    state.timer.cancel();
    if (this.registry.settings.required) {
      const error = new DecodeError("session frame", "a client must have a session here");
      refuseBytes(this.context, error);
      return;
    }
    this.#state = PLAIN;
    this.place.show(false);
    if (this.#state !== PLAIN) return state.held.reject(new LinkDownError("write", "closed"));
    const hasHeld = state.held.writeTo((message, promise) => this.context.write(message, promise));
    if (hasHeld) this.context.flush();
  }

  #takeHeld(): HeldWrites {
    const state = this.#state;
    if (state.kind === "undecided") state.timer.cancel();
    return state.kind === "undecided" || state.kind === "preparing" ? state.held : new HeldWrites();
  }
}
