/**
 * Where the elements of an XML stream begin and end.
 *
 * @module
 */

/** Of a tag so much is looked at, characters; what XMPP says in tags that matter here is shorter. */
const KEPT = 4096;
const TEXT_KEPT = 512;

const LESS = 0x3c;
const GREATER = 0x3e;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;

/** A tag whose end has come. */
export interface XmlTag {
  readonly kind: "open" | "close" | "empty";
  /** Its name with prefix. */
  readonly name: string;
  /** All of it, at most 4,096 characters. */
  readonly text: string;
  /** What stood between the tag before and this one, at most 512 characters. */
  readonly before: string;
  /** How deep the element is: 0 for the outermost ones. */
  readonly depth: number;
  /** Where in the chunk it begins; below 0 if it began before. */
  readonly start: number;
  /** Where in the chunk it ends. */
  readonly end: number;
}

/** What no tag is, and how it ends: CDATA, comments, processing instructions, declarations. */
const SPECIAL: readonly (readonly [begin: string, end: string])[] = [
  ["<?", "?>"],
  ["<!--", "-->"],
  ["<![", "]]>"],
];

/** Finds the tags of one direction of a stream without keeping it. As much of XML as XMPP allows, and CDATA. */
export class XmlTags {
  #depth = 0;
  /** The beginning of the tag that has begun, from "<" on; undefined: none has. */
  #tag: string | undefined = undefined;
  /** The last three characters of it. */
  #tail = "";
  #quote = 0;
  /** What ends it, if it is none of an element. */
  #specialEnd: string | undefined = undefined;
  #text = "";
  /** How many bytes of it came in chunks before. */
  #before = 0;

  /** How many elements are open. */
  get depth(): number {
    return this.#depth;
  }

  /** How many bytes came of the tag that has begun; 0: none has. */
  get begunBytes(): number {
    return this.#before;
  }

  /**
   * Goes through a chunk up to the end of a tag.
   *
   * @returns The tag, or undefined if none ends in the chunk.
   */
  next(chunk: Uint8Array, from: number): XmlTag | undefined {
    let start = from - this.#before;
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (this.#tag === undefined) {
        if (byte === LESS) {
          this.#tag = this.#tail = "<";
          start = at;
        } else if (this.#text.length < TEXT_KEPT) this.#text += String.fromCharCode(byte);
      } else if (this.#isOver(byte, this.#tag)) {
        const tag = this.#finish(start, at + 1);
        if (tag !== undefined) return tag;
      }
    }
    this.#before = this.#tag === undefined ? 0 : chunk.length - start;
    return undefined;
  }

  #isOver(byte: number, before: string): boolean {
    const character = String.fromCharCode(byte);
    this.#tail = (this.#tail + character).slice(-3);
    const tag = this.#tag = before.length < KEPT ? before + character : before;
    if (tag !== before && tag.length <= 4) {
      this.#specialEnd ??= SPECIAL.find(([begin]) => begin === tag)?.[1];
      if (tag === SPECIAL[1]![0]) this.#tail = ""; // "<!-->" is no whole comment
    }
    if (this.#specialEnd !== undefined) return this.#tail.endsWith(this.#specialEnd);
    if (this.#quote !== 0) {
      if (byte === this.#quote) this.#quote = 0;
      return false;
    }
    if (byte === QUOTE || byte === APOSTROPHE) this.#quote = byte;
    return byte === GREATER;
  }

  #finish(start: number, end: number): XmlTag | undefined {
    const text = this.#tag!;
    const isSpecial = this.#specialEnd !== undefined || text.startsWith("<!");
    const kind = text.startsWith("</") ? "close" : this.#tail.endsWith("/>") ? "empty" : "open";
    this.#tag = this.#specialEnd = undefined;
    this.#before = 0;
    if (isSpecial) return undefined;
    const before = this.#text;
    this.#text = "";
    const name = /^<\/?([^\s/>]*)/.exec(text)![1]!;
    if (kind === "close") this.#depth = Math.max(0, this.#depth - 1);
    // A client that has logged in begins a new stream within the old one (RFC 6120, section 4.3.3).
    if (kind === "open" && name === "stream:stream") this.#depth = 0;
    const depth = this.#depth;
    if (kind === "open") this.#depth++;
    return { kind, name, text, before, depth, start, end };
  }
}

/** The value of an attribute, or undefined. */
export function attributeOf(tag: XmlTag, name: string): string | undefined {
  const match = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(tag.text);
  return match === null ? undefined : match[1] ?? match[2];
}
