/**
 * A server's channel whose link carries a session of another channel.
 *
 * @module
 */

import type { ChannelHandlerContext } from "../../pipeline/mod.ts";
import { acknowledgeWith } from "./_acknowledgements.ts";
import { CarriedLink } from "./_carried_link.ts";
import type { SessionClosing } from "./_session_closing.ts";
import type { SessionHome } from "./_session_home.ts";

/** What the channel of a later link is, from the moment its client goes on with a session that lives on another channel. */
export class SessionCarrier {
  readonly kind = "carrying";
  /** The link that the session's own channel gets. */
  readonly link: CarriedLink;
  readonly #context: ChannelHandlerContext;
  readonly #home: SessionHome;

  /** @param context The session handler's, on the channel that carries. */
  constructor(context: ChannelHandlerContext, home: SessionHome) {
    const { channel } = this.#context = context;
    this.#home = home;
    channel.withdraw();
    channel.autoRead = false;
    this.link = new CarriedLink(context);
  }

  /** Where the link's events and errors go; undefined once nobody is there any more. */
  get listener(): ChannelHandlerContext | undefined {
    const { context } = this.#home;
    return context.isRemoved ? undefined : context;
  }

  /** What the session's channel has still to say goes over this one: who closes this one waits for that. */
  get closing(): SessionClosing | undefined {
    return this.link.isClosing ? undefined : this.#home.closing;
  }

  /** Keeps of the pipeline what belongs to a link: the application's handlers are on the session's own channel. */
  begin(): void {
    const { pipeline, handler } = this.#context;
    let isBehind = false;
    for (const entry of [...pipeline.iterate()]) {
      if (isBehind) pipeline.remove(entry.handler);
      if (entry.handler === handler) isBehind = true;
    }
    acknowledgeWith(pipeline, this.#home.acknowledgements);
  }
}
