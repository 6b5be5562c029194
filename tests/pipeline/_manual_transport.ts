import type {
  ConnectOptions,
  Link,
  LinkSink,
  Remote,
  Transport,
  WireMessage,
} from "../../pipeline/transport.ts";
import type { LinkDownReason } from "../../pipeline/link_event.ts";

/** A link that does nothing but what the test plays on it, and writes down what is asked of it. */
export class ManualLink implements Link {
  readonly localAddress = "manual://near";
  readonly remoteAddress = "manual://far";
  /** What the channel asked for: `open`, `read`, `flush`, `close`, `abort`. */
  readonly calls: string[] = [];
  readonly written: WireMessage[] = [];
  /** Called at each call of the link's own methods, to play a transport that answers within them. */
  onCall: (call: string) => void = () => {};
  #sink!: LinkSink;

  open(sink: LinkSink): void {
    this.#sink = sink;
    this.#called("open");
  }
  read(): void {
    this.#called("read");
  }
  write(message: WireMessage): void {
    this.#called("write");
    this.written.push(message);
  }
  flush(): void {
    this.#called("flush");
  }
  close(): void {
    this.#called("close");
  }
  abort(): void {
    this.#called("abort");
  }

  /** One batch comes in. */
  deliver(...messages: WireMessage[]): void {
    for (const message of messages) this.#sink.onRead(message);
    this.#sink.onReadComplete();
  }
  /** So many bytes have left. */
  sent(bytes: number): void {
    this.#sink.onFlushed(bytes);
  }
  /** The link is gone. */
  down(reason: LinkDownReason, error?: Error): void {
    this.#sink.onClosed(reason, error);
  }

  #called(call: string): void {
    if (call !== "write") this.calls.push(call);
    this.onCall(call);
  }
}

/** A try to connect that waits for the test to decide it. */
export interface ManualTry {
  readonly remote: Remote;
  readonly signal: AbortSignal;
  readonly succeed: (link: Link) => void;
  readonly fail: (error: unknown) => void;
}

/** Links come when the test says so. */
export class ManualTransport implements Transport {
  readonly name = "manual";
  readonly keepsMessages = false;
  readonly tries: ManualTry[] = [];
  /** Links for tries that succeed at once; while there are none, tries wait. */
  readonly ready: Link[] = [];

  connect(remote: Remote, { signal }: ConnectOptions): Link | Promise<Link> {
    const link = this.ready.shift();
    const { promise, resolve, reject } = Promise.withResolvers<Link>();
    this.tries.push({ remote, signal, succeed: resolve, fail: reject });
    return link ?? promise;
  }
}
