/**
 * What the WebSocket interface demands of its arguments (WHATWG WebSockets).
 *
 * @module
 */

const MAX_REASON_BYTES = 123;
/** A token of RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const encoder = new TextEncoder();

/**
 * The URL as it is to be used: absolute, and of `ws:` or `wss:`.
 *
 * @throws {DOMException} SyntaxError, if it is none.
 */
export function parsedUrl(url: string | URL): URL {
  const base = (globalThis as { location?: { href: string } }).location?.href;
  const text = String(url);
  if (!URL.canParse(text, base)) throw syntaxError(`the URL "${text}" cannot be parsed`);
  const parsed = new URL(text, base);
  if (parsed.protocol === "http:") parsed.protocol = "ws:";
  if (parsed.protocol === "https:") parsed.protocol = "wss:";
  if (parsed.protocol !== "ws:" && parsed.protocol !== "wss:") {
    throw syntaxError(`the URL must begin with ws:// or wss://, not ${parsed.protocol}`);
  }
  if (parsed.href.includes("#")) throw syntaxError("the URL must have no fragment (#...)");
  return parsed;
}

/**
 * The subprotocols as a list.
 *
 * @throws {DOMException} SyntaxError, if one is no token, or is there twice.
 */
export function parsedProtocols(protocols: string | readonly string[]): string[] {
  const list = typeof protocols === "string" ? [protocols] : Array.from(protocols, String);
  for (const protocol of list) {
    if (!TOKEN.test(protocol)) throw syntaxError(`the subprotocol "${protocol}" is no token`);
  }
  if (new Set(list).size !== list.length) throw syntaxError("a subprotocol is there twice");
  return list;
}

/**
 * The close code as a number, or undefined.
 *
 * @throws {DOMException} InvalidAccessError, if a client may not send it.
 */
export function checkedCode(code: number | undefined): number | undefined {
  if (code === undefined) return undefined;
  // As WebIDL's [Clamp] unsigned short.
  const number = Math.min(Math.max(Math.round(Number(code)) || 0, 0), 65535);
  if (number === 1000 || (number >= 3000 && number <= 4999)) return number;
  throw new DOMException(
    `Cannot close the WebSocket: the code must be 1000, or from 3000 to 4999, not ${number}`,
    "InvalidAccessError",
  );
}

/**
 * The reason as a text.
 *
 * @throws {DOMException} SyntaxError, if it is too long.
 */
export function checkedReason(reason: string | undefined): string {
  if (reason === undefined) return "";
  const text = String(reason);
  const bytes = encoder.encode(text).length;
  if (bytes <= MAX_REASON_BYTES) return text;
  throw new DOMException(
    `Cannot close the WebSocket: the reason must have at most ${MAX_REASON_BYTES} bytes of UTF-8, not ${bytes}`,
    "SyntaxError",
  );
}

/** What `send` takes, as what is to be sent: a copy, so that its owner may change it. */
export function messageOf(data: unknown): string | Uint8Array | Blob {
  if (data instanceof Blob) return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data.slice(0));
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  }
  return String(data);
}

/** How many bytes it has on the wire. */
export function sizeOf(message: string | Uint8Array | Blob): number {
  if (typeof message === "string") return encoder.encode(message).length;
  return message instanceof Blob ? message.size : message.length;
}

/** A reason that fits into a close event. */
export function shortened(reason: string): string {
  let short = reason;
  while (encoder.encode(short).length > MAX_REASON_BYTES) short = short.slice(0, -1);
  return short;
}

function syntaxError(detail: string): DOMException {
  return new DOMException(`Cannot make the WebSocket: ${detail}`, "SyntaxError");
}
