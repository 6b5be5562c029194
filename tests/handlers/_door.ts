import {
  type Channel,
  type ChannelHandler,
  type Link,
  type LinkDownReason,
  type LinkSink,
  type Listener,
  type ListenOptions,
  ServerBootstrap,
  type ServerBootstrapOptions,
  type ServerChannel,
  type Transport,
  type UnhandledReport,
  VirtualEventLoop,
  type WireMessage,
} from "../../pipeline/mod.ts";
import { type MemoryLink, memoryPair } from "../../pipeline/transports/memory.ts";
import { type Heartbeat, messagePackFormat } from "../../handlers/mod.ts";

/** A client that speaks bytes, as one does that wants no good. */
export class RawClient {
  readonly bytes: number[] = [];
  reason: LinkDownReason | undefined = undefined;
  /** Whether it reads what it is sent. */
  isReading = true;

  constructor(readonly link: MemoryLink) {
    link.open({
      onRead: (message) => this.bytes.push(...message as Uint8Array),
      onReadComplete: () => {
        if (this.isReading) link.read();
      },
      onFlushed() {},
      onClosed: (reason) => this.reason = reason,
    });
  }

  read(): void {
    this.link.read();
  }

  send(...bytes: number[]): void {
    this.link.write(Uint8Array.from(bytes));
    this.link.flush();
  }

  /** Sends a frame. */
  sendFrame(payload: Uint8Array): void {
    this.send(...varint(payload.length), ...payload);
  }

  sendHeartbeat(heartbeat: Heartbeat): void {
    this.sendFrame(messagePackFormat().encode(heartbeat) as Uint8Array);
  }

  /** The frames that came so far; they are taken out. */
  takeFrames(): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (let at = 0; at < this.bytes.length;) {
      const length = this.bytes[at]! < 0x80
        ? this.bytes[at++]!
        : (this.bytes[at++]! & 0x7f) + this.bytes[at++]! * 128;
      frames.push(Uint8Array.from(this.bytes.slice(at, at + length)));
      at += length;
    }
    this.bytes.length = 0;
    return frames;
  }

  /** The heartbeats among them. */
  takeHeartbeats(): Heartbeat[] {
    return this.takeFrames().flatMap((frame) => messagePackFormat().decode(frame) ?? []);
  }
}

/** Frames of up to 16,383 bytes. */
function varint(length: number): number[] {
  return length < 0x80 ? [length] : [length & 0x7f | 0x80, length >>> 7];
}

/** A server's door, on virtual time, to which the test comes from any address. */
export class Door implements Transport {
  readonly name = "door";
  readonly keepsMessages = false;
  isOpen = true;
  readonly #loop: VirtualEventLoop;
  #listening!: ListenOptions;

  constructor(loop: VirtualEventLoop) {
    this.#loop = loop;
  }

  connect(): never {
    throw new TypeError("nobody connects by this transport");
  }

  listen(address: string, options: ListenOptions): Promise<Listener> {
    this.#listening = options;
    const close = () => {
      this.isOpen = false;
      return Promise.resolve();
    };
    return Promise.resolve({ address, close });
  }

  /** A client comes in, and what the server does about it at once happens. */
  enter(address?: string): RawClient {
    const client = this.arrive(address);
    this.#loop.advanceBy(0);
    return client;
  }

  /** A client comes in. */
  arrive(address = "tcp://192.0.2.1:40000"): RawClient {
    const [near, far] = memoryPair({ loop: this.#loop });
    const client = new RawClient(near);
    client.read();
    this.#listening.onLink(new From(far, address));
    return client;
  }
}

class From implements Link {
  readonly localAddress = "";

  constructor(readonly inner: Link, readonly remoteAddress: string) {}

  open(sink: LinkSink): void {
    this.inner.open(sink);
  }
  read(): void {
    this.inner.read();
  }
  write(message: WireMessage): void {
    this.inner.write(message);
  }
  flush(): void {
    this.inner.flush();
  }
  close(): void {
    this.inner.close();
  }
  abort(): void {
    this.inner.abort();
  }
}

/** A server with such a door. */
export async function serving(
  handlers: () => readonly ChannelHandler[],
  options: Partial<ServerBootstrapOptions> = {},
): Promise<{ loop: VirtualEventLoop; door: Door; server: ServerChannel; reports: UnhandledReport[] }> {
  const loop = new VirtualEventLoop();
  const door = new Door(loop);
  const reports: UnhandledReport[] = [];
  const server = await new ServerBootstrap({
    transport: door,
    loop,
    pipeline: (p) => p.addLast(...handlers()),
    onUnhandled: (report) => reports.push(report),
    ...options,
  }).listen("door://here");
  return { loop, door, server, reports };
}

/** The only channel of a server. */
export function onlyChannel(server: ServerChannel): Channel {
  const [channel, ...others] = server.channels;
  if (channel === undefined || others.length > 0) {
    throw new Error(`there are ${server.channels.size} channels`);
  }
  return channel;
}
