import {
  ConnectError,
  type ConnectOptions,
  type EventLoop,
  type Link,
  type LinkSink,
  type Listener,
  type ListenOptions,
  type Remote,
  type Transport,
  type WireMessage,
} from "../../pipeline/mod.ts";
import { type MemoryLink, memoryPair } from "../../pipeline/transports/memory.ts";

/** Options of a {@linkcode NatNetwork}. */
export interface NatNetworkOptions {
  /** A link that was idle for as long as this is forgotten: everything on it vanishes. Default: never. */
  readonly timeoutMs?: number;
  /** One way. Default: 50 ms. */
  readonly latencyMs?: number;
}

/** What went over the wire in one go. */
export interface Packet {
  readonly atMs: number;
  readonly from: "client" | "server";
  readonly bytes: number;
}

/** One server behind a strict NAT, on virtual time. */
export class NatNetwork implements Transport {
  readonly name = "nat";
  readonly keepsMessages = false;
  readonly packets: Packet[] = [];
  /** The client's ends of all links so far, which a test can cut. */
  readonly links: MemoryLink[] = [];
  isDown = false;
  timeoutMs: number;
  readonly #latencyMs: number;
  #listening: ListenOptions | undefined = undefined;

  constructor(readonly loop: EventLoop, { timeoutMs = Infinity, latencyMs = 50 }: NatNetworkOptions = {}) {
    this.timeoutMs = timeoutMs;
    this.#latencyMs = latencyMs;
  }

  connect({ address }: Remote, { loop }: ConnectOptions): Link {
    if (this.#listening === undefined || this.isDown) throw new ConnectError(address, "connection refused");
    const [near, far] = memoryPair({ loop, latencyMs: this.#latencyMs });
    this.links.push(near);
    let lastMs = loop.now();
    const pass = (from: Packet["from"], bytes: number) => {
      const atMs = loop.now();
      if (atMs - lastMs >= this.timeoutMs) near.cut();
      lastMs = atMs;
      this.packets.push({ atMs, from, bytes });
    };
    loop.schedule(0, this.#listening.onLink, new NatLink(far, (bytes) => pass("server", bytes)));
    return new NatLink(near, (bytes) => pass("client", bytes));
  }

  listen(address: string, options: ListenOptions): Promise<Listener> {
    this.#listening = options;
    return Promise.resolve({ address, close: () => Promise.resolve() });
  }
}

/** A link that shows the NAT each packet before it leaves. */
class NatLink implements Link {
  readonly localAddress = "";
  readonly remoteAddress = "";
  #bytes = 0;

  constructor(readonly inner: MemoryLink, readonly pass: (bytes: number) => void) {}

  open(sink: LinkSink): void {
    this.inner.open(sink);
  }
  read(): void {
    this.inner.read();
  }
  write(message: WireMessage): void {
    this.#bytes += message.length;
    this.inner.write(message);
  }
  flush(): void {
    if (this.#bytes > 0) this.pass(this.#bytes);
    this.#bytes = 0;
    this.inner.flush();
  }
  close(): void {
    this.inner.close();
  }
  abort(): void {
    this.inner.abort();
  }
}
