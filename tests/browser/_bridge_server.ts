/**
 * The end of the bridge outside the page: real listeners and links.
 *
 * @module
 */

import { type Link, type Listener, systemEventLoop } from "../../pipeline/mod.ts";
import { webSocket } from "../../pipeline/transports/web_socket.ts";
import { type Asked, packed, type Told, unpacked } from "./in_page/_bridge.ts";

/** Where the page connects to. */
export interface BridgeServer extends AsyncDisposable {
  readonly url: string;
}

/** Serves pages, each for itself. */
export function serveBridge(): BridgeServer {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    const end = new OutsideEnd((told) => socket.send(JSON.stringify(told)));
    socket.onmessage = ({ data }) => void end.asked(JSON.parse(data));
    return response;
  });
  return { url: `ws://127.0.0.1:${server.addr.port}/`, [Symbol.asyncDispose]: () => server.shutdown() };
}

class OutsideEnd {
  readonly #tell: (told: Told) => void;
  readonly #listeners = new Map<number, Promise<Listener>>();
  readonly #links = new Map<number, Link>();
  #lastLink = 0;

  constructor(tell: (told: Told) => void) {
    this.#tell = tell;
  }

  async asked(asked: Asked): Promise<void> {
    if (asked.type === "listen") {
      const { listener } = asked;
      const listening = webSocket().listen!(asked.address, {
        loop: systemEventLoop(),
        onLink: (link) => this.#accepted(listener, link),
        onError: (error) => {
          throw error;
        },
      });
      this.#listeners.set(listener, listening);
      this.#tell({ type: "listening", listener, address: (await listening).address });
    } else if (asked.type === "unlisten") {
      await (await this.#listeners.get(asked.listener)!).close();
      this.#tell({ type: "unlistened", listener: asked.listener });
    } else this.#act(this.#links.get(asked.link)!, asked);
  }

  #act(link: Link, asked: Extract<Asked, { readonly link: number }>): void {
    if (asked.type === "write") link.write(unpacked(asked));
    else if (asked.type === "open") this.#open(link, asked.link);
    else link[asked.type]();
  }

  #open(target: Link, link: number): void {
    target.open({
      onRead: (message) => this.#tell({ type: "onRead", link, ...packed(message) }),
      onReadComplete: () => this.#tell({ type: "onReadComplete", link }),
      onFlushed: (bytes) => this.#tell({ type: "onFlushed", link, bytes }),
      onClosed: (reason, error) => this.#tell({ type: "onClosed", link, reason, message: error?.message }),
    });
  }

  #accepted(listener: number, link: Link): void {
    const { localAddress, remoteAddress } = link;
    const number = ++this.#lastLink;
    this.#links.set(number, link);
    this.#tell({ type: "link", listener, link: number, localAddress, remoteAddress });
  }
}
