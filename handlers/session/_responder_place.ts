/**
 * Where a server's session handler stands.
 *
 * @module
 */

import type { ChannelHandlerContext, LinkUpEvent } from "../../pipeline/mod.ts";
import type { ArrivingLink } from "./_arriving_link.ts";
import type { SessionCarrier } from "./_session_carrier.ts";
import type { SessionClosing } from "./_session_closing.ts";
import type { SessionHome } from "./_session_home.ts";
import type { RegistryAccess } from "./session_registry.ts";

/**
 * What a server's channel is to sessions:
 *
 * - `down`: no link, and no session.
 * - `arriving`: a link stands, and has no session, or none yet.
 * - `home`: this is the session's own channel, with a link or without.
 * - `carrying`: a later link of a session whose own channel is another one.
 * - `closed`: for good; `closing` may still have to wait for the store.
 */
export type ResponderState =
  | { readonly kind: "down" }
  | ArrivingLink
  | SessionHome
  | SessionCarrier
  | { readonly kind: "closed"; readonly closing: SessionClosing | undefined };

/**
 * A server's session handler in its pipeline, as far as its states have to do
 * with it: what one of them leaves to the next.
 */
export class ResponderPlace {
  #isShown: boolean;

  /** @param become Takes the handler's next state. */
  constructor(
    readonly context: ChannelHandlerContext,
    readonly registry: RegistryAccess,
    readonly become: (next: ResponderState) => void,
  ) {
    this.#isShown = context.channel.isActive;
  }

  /** Whether the application sees that a link stands on this channel. */
  get isShown(): boolean {
    return this.#isShown;
  }

  /** Tells the application of the link, unless it knows. */
  show(resumed: boolean): void {
    if (this.#isShown) return;
    this.#isShown = true;
    this.context.channel.present();
    this.context.fireChannelActive();
    if (this.#isShown) {
      this.context.fireUserEventTriggered({ type: "linkUp", resumed } satisfies LinkUpEvent);
    }
  }

  /** The link is gone, or not the application's. @returns Whether the application is to be told. */
  hide(): boolean {
    const wasShown = this.#isShown;
    this.#isShown = false;
    return wasShown;
  }
}
