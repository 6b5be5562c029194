/**
 * The server's half of a transport, for a page, which cannot listen: it stands
 * outside, and its links are worked from here over a WebSocket of their own.
 *
 * @module
 */

import type {
  Link,
  LinkDownReason,
  LinkSink,
  Listener,
  ListenOptions,
  WireMessage,
} from "../../../pipeline/mod.ts";

/** What the page asks for; `data` is text, or bytes as code units. */
export type Asked =
  | { readonly type: "listen"; readonly listener: number; readonly address: string }
  | { readonly type: "unlisten"; readonly listener: number }
  | { readonly type: "open" | "read" | "flush" | "close" | "abort"; readonly link: number }
  | { readonly type: "write"; readonly link: number; readonly data: string; readonly isText: boolean };

/** What it is told. */
export type Told =
  | { readonly type: "listening"; readonly listener: number; readonly address: string }
  | { readonly type: "unlistened"; readonly listener: number }
  | {
    readonly type: "link";
    readonly listener: number;
    readonly link: number;
    readonly localAddress: string;
    readonly remoteAddress: string;
  }
  | { readonly type: "onRead"; readonly link: number; readonly data: string; readonly isText: boolean }
  | { readonly type: "onReadComplete"; readonly link: number }
  | { readonly type: "onFlushed"; readonly link: number; readonly bytes: number }
  | {
    readonly type: "onClosed";
    readonly link: number;
    readonly reason: LinkDownReason;
    readonly message: string | undefined;
  };

/** A message as JSON can carry it. */
export function packed(message: WireMessage): { data: string; isText: boolean } {
  if (typeof message === "string") return { data: message, isText: true };
  let data = "";
  for (const byte of message) data += String.fromCharCode(byte);
  return { data, isText: false };
}

/** And back. */
export function unpacked({ data, isText }: { data: string; isText: boolean }): WireMessage {
  return isText ? data : Uint8Array.from(data, (unit) => unit.charCodeAt(0));
}

/** The page's end. */
export class Bridge {
  readonly #socket: WebSocket;
  readonly #links = new Map<number, RemoteLink>();
  readonly #listeners = new Map<
    number,
    { options: ListenOptions; listening(address: string): void; closed(): void }
  >();
  #lastListener = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#told(JSON.parse(data));
  }

  static open(address: string): Promise<Bridge> {
    const socket = new WebSocket(address);
    return new Promise((resolve, reject) => {
      socket.onopen = () => resolve(new Bridge(socket));
      socket.onerror = reject;
    });
  }

  listen(address: string, options: ListenOptions): Promise<Listener> {
    const listener = ++this.#lastListener;
    const closed = Promise.withResolvers<void>();
    return new Promise((resolve) => {
      this.#listeners.set(listener, {
        options,
        closed: closed.resolve,
        listening: (address) => {
          const close = () => {
            this.ask({ type: "unlisten", listener });
            return closed.promise;
          };
          resolve({ address, close });
        },
      });
      this.ask({ type: "listen", listener, address });
    });
  }

  ask(message: Asked): void {
    this.#socket.send(JSON.stringify(message));
  }

  #told(told: Told): void {
    if (told.type === "listening") this.#listeners.get(told.listener)!.listening(told.address);
    else if (told.type === "unlistened") this.#listeners.get(told.listener)!.closed();
    else if (told.type === "link") {
      const link = new RemoteLink(this, told);
      this.#links.set(told.link, link);
      this.#listeners.get(told.listener)!.options.onLink(link);
    } else this.#links.get(told.link)!.told(told);
  }
}

class RemoteLink implements Link {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly #bridge: Bridge;
  readonly #link: number;
  #sink: LinkSink | undefined = undefined;

  constructor(bridge: Bridge, { link, localAddress, remoteAddress }: Extract<Told, { type: "link" }>) {
    this.#bridge = bridge;
    this.#link = link;
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
  }

  open(sink: LinkSink): void {
    this.#sink = sink;
    this.#bridge.ask({ type: "open", link: this.#link });
  }

  read(): void {
    this.#bridge.ask({ type: "read", link: this.#link });
  }

  write(message: WireMessage): void {
    this.#bridge.ask({ type: "write", link: this.#link, ...packed(message) });
  }

  flush(): void {
    this.#bridge.ask({ type: "flush", link: this.#link });
  }

  close(): void {
    this.#bridge.ask({ type: "close", link: this.#link });
  }

  abort(): void {
    this.#bridge.ask({ type: "abort", link: this.#link });
  }

  told(told: Told): void {
    if (told.type === "onRead") this.#sink!.onRead(unpacked(told));
    else if (told.type === "onReadComplete") this.#sink!.onReadComplete();
    else if (told.type === "onFlushed") this.#sink!.onFlushed(told.bytes);
    else if (told.type === "onClosed") {
      this.#sink!.onClosed(told.reason, told.message === undefined ? undefined : new Error(told.message));
    }
  }
}
