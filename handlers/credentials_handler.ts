/**
 * The client's half of authentication.
 *
 * @module
 */

import type { Channel, ChannelHandler, ChannelHandlerContext } from "../pipeline/mod.ts";
import { encodeCredentials } from "./_credentials_frame.ts";

/**
 * Options of {@linkcode CredentialsHandler}.
 *
 * @example A token that differs from link to link
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AuthenticationHandler, CredentialsHandler, type CredentialsHandlerOptions } from "@longlink/pipeline";
 * import { EmbeddedChannel, principalOf } from "@longlink/pipeline";
 *
 * const options: CredentialsHandlerOptions = {
 *   credentials: (channel) => ({ user: "ann", atMs: channel.loop.wallNow() }),
 * };
 * const client = new EmbeddedChannel({ handlers: [new CredentialsHandler(options)] });
 * const authentication = new AuthenticationHandler({ authenticate: (credentials) => credentials });
 * const server = new EmbeddedChannel({ handlers: [authentication] });
 * server.writeInbound(client.readOutbound());
 * assertEquals(principalOf(server), { user: "ann", atMs: client.loop.wallNow() });
 * ```
 */
export interface CredentialsHandlerOptions {
  /**
   * Gives what this link is to prove itself with: any value that a
   * `MessagePackCodec` can encode; undefined sends nothing. Asked anew for each
   * link. Where it takes time to get (a token to be refreshed), connect with a
   * function that returns address and credentials: its promise is awaited
   * before each try. Default: the `credentials` of what was connected to.
   *
   * @param channel The channel whose link stands.
   */
  readonly credentials?: (channel: Channel) => unknown;
}

/**
 * Sends credentials as the first frame of each link, before any message, for
 * a server that has an `AuthenticationHandler`. Has its place after the
 * `ReconnectHandler` and before whatever speaks on a new link: a
 * `SessionHandler`, a codec, the application.
 *
 * Credentials that cannot be had or encoded go to `exceptionCaught`, and the
 * link is dropped with the reason `error`: the next one asks again.
 *
 * @example Credentials of each try
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { CredentialsHandler, EmbeddedChannel } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ active: false, handlers: [new CredentialsHandler()] });
 * await channel.connect(() => ({ address: "embedded://peer", credentials: "key" }));
 * assertEquals(channel.readOutbound(), new Uint8Array([0xc1, 0, 0xa3, 0x6b, 0x65, 0x79]));
 * ```
 */
export class CredentialsHandler implements ChannelHandler {
  /** It has no state of a channel, so one instance serves any number. */
  readonly isSharable = true;
  readonly #credentials: (channel: Channel) => unknown;

  /**
   * Makes a handler.
   *
   * @param options Where the credentials come from.
   */
  constructor(options: CredentialsHandlerOptions = {}) {
    this.#credentials = options.credentials ?? ((channel) => channel.remote?.credentials);
  }

  /** Sends the credentials, before others send anything. */
  channelActive(context: ChannelHandlerContext): void {
    const { channel } = context;
    const failed = (error: unknown) => {
      // Lost with its link it is no error: the next link has credentials of its own.
      if (error === undefined || !channel.isActive) return;
      context.fireExceptionCaught(error);
      channel.drop("error", error instanceof Error ? error : undefined);
    };
    try {
      const credentials = this.#credentials(channel);
      if (credentials instanceof Promise) {
        credentials.catch(ignore);
        throw new TypeError(
          "Cannot send the credentials: got a promise; connect with a function that returns them instead",
        );
      }
      if (credentials !== undefined) context.writeAndFlush(encodeCredentials(credentials)).onSettled(failed);
    } catch (error) {
      failed(error);
    }
    context.fireChannelActive();
  }
}

function ignore(): void {}
