/**
 * A transport of a process that can be killed, over real sockets.
 *
 * @module
 */

import type {
  ConnectOptions,
  Link,
  LinkDownReason,
  LinkSink,
  Listener,
  ListenOptions,
  Remote,
  Transport,
  WireMessage,
} from "../../../mod.ts";

/** Passes everything on until it is killed: then its sockets are reset, and nobody is told. */
export class KillableTransport implements Transport {
  readonly name: string;
  readonly keepsMessages: boolean;
  readonly #transport: Transport;
  readonly #links = new Set<KillableLink>();
  readonly #listeners = new Set<Listener>();
  #isKilled = false;

  /** @param transport What carries the links. */
  constructor(transport: Transport) {
    this.#transport = transport;
    this.name = transport.name;
    this.keepsMessages = transport.keepsMessages;
  }

  /** How many links and listeners are open. */
  get open(): number {
    return this.#links.size + this.#listeners.size;
  }

  /** The process is gone. */
  kill(): void {
    this.#isKilled = true;
    for (const link of [...this.#links]) link.kill();
    for (const listener of this.#listeners) listener.close();
    this.#listeners.clear();
  }

  async connect(remote: Remote, options: ConnectOptions): Promise<Link> {
    const link = this.#guard(await this.#transport.connect(remote, options));
    if (!this.#isKilled) return link;
    link.kill();
    return new Promise(() => {});
  }

  async listen(address: string, options: ListenOptions): Promise<Listener> {
    const onLink = (link: Link) => {
      const guarded = this.#guard(link);
      if (this.#isKilled) guarded.kill();
      else options.onLink(guarded);
    };
    const listener = await this.#transport.listen!(address, { ...options, onLink });
    this.#listeners.add(listener);
    const close = () => {
      this.#listeners.delete(listener);
      return listener.close();
    };
    return { address: listener.address, close };
  }

  #guard(link: Link): KillableLink {
    const guarded: KillableLink = new KillableLink(link, () => this.#links.delete(guarded));
    this.#links.add(guarded);
    return guarded;
  }
}

class KillableLink implements Link, LinkSink {
  readonly #link: Link;
  readonly #onGone: () => void;
  #sink: LinkSink | undefined = undefined;

  constructor(link: Link, onGone: () => void) {
    this.#link = link;
    this.#onGone = onGone;
  }

  get localAddress(): string {
    return this.#link.localAddress;
  }

  get remoteAddress(): string {
    return this.#link.remoteAddress;
  }

  kill(): void {
    if (this.#sink === undefined) this.#link.open(this);
    this.#sink = undefined;
    this.#link.abort();
  }

  open(sink: LinkSink): void {
    this.#sink = sink;
    this.#link.open(this);
  }

  read(): void {
    this.#link.read();
  }

  write(message: WireMessage): void {
    this.#link.write(message);
  }

  flush(): void {
    this.#link.flush();
  }

  close(): void {
    this.#link.close();
  }

  abort(): void {
    this.#link.abort();
  }

  onRead(message: WireMessage): void {
    this.#sink?.onRead(message);
  }

  onReadComplete(): void {
    this.#sink?.onReadComplete();
  }

  onFlushed(bytes: number): void {
    this.#sink?.onFlushed(bytes);
  }

  onClosed(reason: LinkDownReason, error?: Error): void {
    this.#onGone();
    this.#sink?.onClosed(reason, error);
  }
}
