/**
 * Follows one link of an XMPP client.
 *
 * @module
 */

import { PeerError, type WireMessage } from "../../pipeline/mod.ts";
import { FollowError } from "../errors.ts";
import { bytesOf } from "./_awaited_pongs.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { ProtocolPart, ProtocolTracker } from "./protocol_format.ts";
import { TLS_HANDSHAKE, tlsWithin } from "./_unfollowable.ts";
import { attributeOf, type XmlTag, XmlTags } from "./_xml_tags.ts";

const PING_ID = "longlink-ping-";
/** A start tag that is longer than this is none of an answer to us, bytes. */
const HELD_BYTES = 1024;
/** Stream Management (XEP-0198): both sides count stanzas. */
const STREAM_MANAGEMENT = /["']urn:xmpp:sm:\d+["']/;

/** What a ping looks like where nothing counts stanzas. */
export function pingStanza(sequence: number): string {
  return `<iq xmlns='jabber:client' type='get' id='${PING_ID}${sequence}'><ping xmlns='urn:xmpp:ping'/></iq>`;
}

/** Whether a start tag begins the answer to such a ping: a result, or an error, as from a server that knows no pings. */
export function isPingAnswer(tag: XmlTag): boolean {
  const type = attributeOf(tag, "type");
  return tag.name === "iq" && (type === "result" || type === "error") &&
    attributeOf(tag, "id")?.startsWith(PING_ID) === true;
}

/** Tells the server's answers to our pings from all else. */
export class XmppTracker implements ProtocolTracker {
  readonly #outbound = new XmlTags();
  readonly #inbound = new XmlTags();
  #state: "connecting" | "ready" | "over" | "opaque" = "connecting";
  /** How deep the stanzas are: within the element that is the stream, or, framed (RFC 7395), by themselves. */
  #top = 1;
  /** How many answers to us are to come. */
  #awaited = 0;
  /** The namespace of Stream Management, once it counts; a stanza of ours would make both sides disagree. */
  #countedBy: string | undefined = undefined;
  /** Whether the client has asked for that: the server counts from there on, the client may not. */
  #isEnabling = false;
  /** Whether the server was asked how far it has counted. */
  #hasAsked = false;
  /** The start tag of the stanza that is coming in. */
  #stanza: XmlTag | undefined = undefined;
  /** The last element right within it. */
  #child = "";
  /** Whether that is an answer to us. */
  #isAnswer = false;
  /** Whether the server has just given the client its address. */
  #isBound = false;
  #errorCondition = "";
  #errorWords = "";
  /** The beginning of what may be an answer to us, which is held back. */
  #held: Uint8Array | undefined = undefined;

  get mayPing(): boolean {
    return this.#state === "ready" && !this.#isEnabling && this.#outbound.depth === this.#top &&
      this.#outbound.begunBytes === 0;
  }

  sent(message: WireMessage): Error | undefined {
    if (this.#state === "over" || this.#state === "opaque") return undefined;
    if (typeof message === "string" && /^\s*<open\b/.test(message)) this.#top = 0;
    const bytes = bytesOf(message);
    // No XML begins with it, nor has it in it.
    if (bytes[0] === TLS_HANDSHAKE) return this.#giveUp(tlsWithin("xmpp"));
    const farewell = this.#top === 0 ? "close" : "stream:stream";
    for (let at = 0;;) {
      const tag = this.#outbound.next(bytes, at);
      if (tag === undefined) return undefined;
      at = tag.end;
      if (tag.depth === this.#top && tag.kind !== "close") {
        if (tag.name === "starttls") return this.#giveUp(startTls());
        if (tag.name === "enable" && STREAM_MANAGEMENT.test(tag.text)) this.#isEnabling = true;
      }
      if (tag.depth === 0 && tag.name === farewell && (this.#top === 0 || tag.kind === "close")) {
        this.#state = "over";
      }
    }
  }

  ping({ sequence }: Heartbeat): string {
    if (this.#countedBy !== undefined) {
      this.#hasAsked = true;
      return `<r xmlns='${this.#countedBy}'/>`;
    }
    this.#awaited++;
    return pingStanza(sequence);
  }

  received(message: WireMessage): readonly ProtocolPart[] {
    if (this.#state === "opaque") return [message];
    const parts: ProtocolPart[] = [];
    const isWhole = typeof message === "string";
    const bytes = bytesOf(message);
    let from = 0;
    const pass = (to: number) => {
      if (isWhole) return;
      if (this.#held !== undefined && to > 0) {
        parts.push(this.#held);
        this.#held = undefined;
      }
      if (to > from) parts.push(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
      from = Math.max(from, to);
    };
    let hasAnswer = false;
    for (let at = 0; !this.#isOpaque;) {
      const tag = this.#inbound.next(bytes, at);
      if (tag === undefined) break;
      at = tag.end;
      const isTop = tag.depth === this.#top;
      if (isTop && tag.kind !== "close") {
        this.#stanza = tag;
        // What was not held back is with the client already.
        this.#isAnswer = this.#awaited > 0 && isPingAnswer(tag) &&
          (tag.start >= 0 || this.#held !== undefined);
        if (this.#isAnswer) {
          hasAnswer = true;
          pass(Math.max(0, tag.start));
          this.#held = undefined;
        }
      }
      if (this.#isAnswer) {
        from = at;
        if (!isTop || tag.kind === "open") continue;
        this.#isAnswer = false;
        this.#awaited--;
        parts.push(new Heartbeat("pong"));
        continue;
      }
      const part = this.#partOf(tag);
      if (part !== undefined) {
        pass(at);
        parts.push(part);
      }
    }
    if (isWhole) return hasAnswer ? parts : [message, ...parts];
    if (!this.#isAnswer) this.#holdOrPass(bytes, pass);
    return parts;
  }

  rest(): Uint8Array | undefined {
    return this.#held;
  }

  get #isOpaque(): boolean {
    return this.#state === "opaque";
  }

  #holdOrPass(bytes: Uint8Array, pass: (to: number) => void): void {
    const { begunBytes, depth } = this.#inbound;
    const start = bytes.length - begunBytes;
    const mayBeOurs = this.#awaited > 0 && begunBytes > 0 && begunBytes <= HELD_BYTES &&
      depth === this.#top &&
      (start >= 0 || this.#held !== undefined) && !this.#isOpaque;
    if (!mayBeOurs) return pass(bytes.length);
    pass(Math.max(0, start));
    const held = this.#held ?? new Uint8Array(0);
    const added = bytes.subarray(Math.max(0, start));
    this.#held = new Uint8Array(held.length + added.length);
    this.#held.set(held);
    this.#held.set(added, held.length);
  }

  /** What the pipeline should know of this tag. */
  #partOf(tag: XmlTag): ProtocolPart | undefined {
    const level = tag.depth - this.#top;
    const stanza = this.#stanza;
    if (level === 0 && tag.kind !== "close") {
      if (tag.name === "compressed" && this.#state === "connecting") {
        return this.#giveUp(new FollowError("xmpp", "after <compressed/> the stream is no XML"));
      }
      if (tag.name === "enabled" || tag.name === "failed") this.#isEnabling = false;
      if (tag.name === "a" && this.#hasAsked && STREAM_MANAGEMENT.test(tag.text)) {
        this.#hasAsked = false;
        return new Heartbeat("pong");
      }
    }
    if (level === 1 && tag.kind !== "close") this.#child = tag.name;
    // Whatever the client does now: either it encrypts, or it gets no further.
    const isTlsRequired = level === 2 && tag.name === "required" && this.#child === "starttls";
    if (isTlsRequired && stanza?.name === "stream:features") return this.#giveUp(startTls());
    if (tag.kind !== "close" && (level === 0 || stanza?.name === "success")) this.#loggedIn(tag, level);
    if (
      stanza?.name === "iq" && level === 1 && tag.name === "bind" && attributeOf(stanza, "type") === "result"
    ) {
      this.#isBound = true;
    }
    if (stanza?.name === "stream:error" && level === 1) this.#failed(tag);
    if (level !== 0 || tag.kind === "open") return undefined;
    if (tag.name === "stream:error") return this.#peerError();
    if (!this.#isBound || this.#state !== "connecting") return undefined;
    this.#state = "ready";
    return { type: "protocolReady" };
  }

  /** Stream Management counts from now on; a session goes on; SASL 2 has bound the client at once. */
  #loggedIn(tag: XmlTag, level: number): void {
    const isCounted = (tag.name === "enabled" || tag.name === "resumed") && STREAM_MANAGEMENT.exec(tag.text);
    if (isCounted) this.#countedBy = isCounted[0].slice(1, -1);
    if (tag.name === "resumed" || (level === 1 && tag.name === "bound")) this.#isBound = true;
  }

  #failed(tag: XmlTag): void {
    if (tag.name !== "text") this.#errorCondition ||= tag.name;
    else if (tag.kind === "close") this.#errorWords = decoder.decode(latin1(tag.before));
  }

  #peerError(): PeerError {
    const code = this.#errorCondition;
    const reason = this.#errorWords || code;
    const message = `The server ended the stream: ${code}${this.#errorWords && ` (${this.#errorWords})`}`;
    return new PeerError(message, { protocol: "xmpp", code, reason });
  }

  #giveUp(error: FollowError): FollowError {
    this.#state = "opaque";
    return error;
  }
}

function startTls(): FollowError {
  return new FollowError(
    "xmpp",
    "with STARTTLS it encrypts within the stream; put the pipeline on top of its TLS, or connect with tls://",
  );
}

const decoder = new TextDecoder();

/** The bytes that a text was made of, one character each. */
function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
