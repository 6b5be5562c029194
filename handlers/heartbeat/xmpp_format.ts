/**
 * Heartbeats of XMPP.
 *
 * @module
 */

import { bytesOf } from "./_awaited_pongs.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { ProtocolFormat } from "./protocol_format.ts";
import { XmlTags } from "./_xml_tags.ts";
import { isPingAnswer, pingStanza, XmppTracker } from "./_xmpp_tracker.ts";

const FORMAT: ProtocolFormat = Object.freeze<ProtocolFormat>({
  name: "xmpp",
  kinds: Object.freeze(["ping"] as const),
  carriesFields: false,
  encode: ({ kind, sequence }) => kind === "ping" ? pingStanza(sequence) : undefined,
  decode: (message) => {
    if (!(message instanceof Uint8Array || typeof message === "string")) return undefined;
    const tag = new XmlTags().next(bytesOf(message), 0);
    return tag !== undefined && isPingAnswer(tag) ? new Heartbeat("pong") : undefined;
  },
  track: () => new XmppTracker(),
});

/**
 * Pings of XMPP (XEP-0199) for the link of an XMPP client, over TLS or
 * WebSocket (RFC 7395). They go to the client's own account, which its server
 * answers, between two of the client's stanzas, once the server has bound the
 * client to an address. What answers them, also an error, is told by its id and
 * taken out; everything else passes byte by byte.
 *
 * Where Stream Management (XEP-0198) is on, both sides count stanzas, and one
 * that only one side knows of would make them disagree. The ping is then `<r/>`,
 * "how far are you?", which is not counted; its answer `<a/>` is passed on to
 * the client as well, whom it harms not.
 *
 * What it cannot do: a client that encrypts (STARTTLS) or compresses within the
 * stream cannot be followed. It is left alone without heartbeats, not a byte of
 * it is touched, and a `FollowError` says so. Put the pipeline on top of the
 * client's TLS, or connect with `tls://`. The stream's own elements must have
 * the prefix `stream`, as with all servers known. A blank between stanzas, the
 * other heartbeat of XMPP, is not used: nobody answers it.
 *
 * A stream error becomes a `PeerError` with its condition and words.
 *
 * @returns The format. Always the same object, it has no state.
 *
 * @example A ping
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Heartbeat, xmppFormat } from "@longlink/pipeline";
 *
 * assertEquals(
 *   xmppFormat().encode(new Heartbeat("ping", { sequence: 7 })),
 *   "<iq xmlns='jabber:client' type='get' id='longlink-ping-7'><ping xmlns='urn:xmpp:ping'/></iq>",
 * );
 * assertEquals(xmppFormat().decode("<iq type='result' id='longlink-ping-7'/>")?.kind, "pong");
 * ```
 */
export function xmppFormat(): ProtocolFormat {
  return FORMAT;
}
