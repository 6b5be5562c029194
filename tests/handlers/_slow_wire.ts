import type { VirtualEventLoop } from "../../pipeline/mod.ts";
import { decodeHeartbeat, encodeHeartbeat } from "../../handlers/heartbeat/_heartbeat_bytes.ts";
import { Heartbeat } from "../../handlers/mod.ts";
import type { ManualLink } from "../pipeline/_manual_transport.ts";

const TICK_MS = 20;

/** What a {@linkcode SlowWire} is like. */
export interface SlowWireOptions {
  /** Bytes a second, each way. */
  readonly bytesPerS: number;
  /** What the operating system takes before it leaves, bytes: a heartbeat written then is behind it, and nothing shows. */
  readonly bufferBytes: number;
  /** What the transport hands over and reports at once, bytes. Default: 65,536, as TCP does. */
  readonly partBytes?: number;
}

/**
 * The world behind a {@linkcode ManualLink}: a slow line and a peer that
 * answers pings, both in order, as TCP would do it. The peer gives up a client
 * that is silent for longer than it has announced.
 */
export class SlowWire {
  /** A dead wire takes nothing and brings nothing. */
  isDead = false;
  readonly #link: ManualLink;
  readonly #options: Required<SlowWireOptions>;
  /** Written by the client: how long each message is, and whether the peer has to answer it. */
  readonly #out: { bytes: number; readonly ping: Heartbeat | undefined }[] = [];
  /** On its way in. */
  #in: Uint8Array[] = [];
  #seen = 0;
  #written = 0;
  #buffered = 0;
  #heardMs = 0;
  /** For how long the client may be silent: what it said, and a server's grace. */
  #patienceMs = 60_000;
  #reported = 0;

  constructor(readonly loop: VirtualEventLoop, link: ManualLink, options: SlowWireOptions) {
    this.#link = link;
    this.#options = { partBytes: 65_536, ...options };
    const tick = () => {
      this.#tick();
      loop.schedule(TICK_MS, tick);
    };
    loop.schedule(TICK_MS, tick);
  }

  /** Lets the peer send a frame. */
  send(payload: Uint8Array): void {
    const prefix: number[] = [];
    let rest = payload.length;
    for (; rest >= 0x80; rest >>>= 7) prefix.push((rest & 0x7f) | 0x80);
    this.#in.push(new Uint8Array([...prefix, rest]), payload);
  }

  #tick(): void {
    // The operating system takes what it has room for, whether the line is dead or not.
    this.#take();
    this.#hand();
    if (this.isDead) return;
    this.#leave();
    this.#bring();
    if (this.loop.now() - this.#heardMs > this.#patienceMs) {
      this.isDead = true;
      this.#link.down("reset");
    }
  }

  /** Looks at what the client has written. */
  #take(): void {
    const { written } = this.#link;
    for (; this.#seen < written.length; this.#seen++) {
      const message = written[this.#seen] as Uint8Array;
      const ping = message.length === 10 ? decodeHeartbeat(message.subarray(1)) : undefined;
      this.#out.push({ bytes: message.length, ping });
      this.#written += message.length;
    }
  }

  /** Hands parts to the operating system while it has room. */
  #hand(): void {
    const { bufferBytes, partBytes } = this.#options;
    while (this.#reported < this.#written) {
      const part = Math.min(partBytes, this.#written - this.#reported);
      if (this.#buffered > 0 && this.#buffered + part > bufferBytes) return;
      this.#buffered += part;
      this.#reported += part;
      this.#link.sent(part);
    }
  }

  #leave(): void {
    let left = Math.min(this.#buffered, this.#bytesPerTick);
    this.#buffered -= left;
    if (left > 0) this.#heardMs = this.loop.now();
    while (left > 0) {
      const first = this.#out[0]!;
      const bytes = Math.min(left, first.bytes);
      first.bytes -= bytes;
      left -= bytes;
      if (first.bytes > 0) return;
      this.#out.shift();
      if (first.ping === undefined) continue;
      this.#patienceMs = first.ping.timeMs + 15_000;
      this.send(encodeHeartbeat(new Heartbeat("pong", { sequence: first.ping.sequence })));
    }
  }

  #bring(): void {
    let left = this.#bytesPerTick;
    while (left > 0 && this.#in.length > 0) {
      const first = this.#in[0]!;
      const chunk = first.subarray(0, left);
      left -= chunk.length;
      if (chunk.length === first.length) this.#in.shift();
      else this.#in[0] = first.subarray(chunk.length);
      this.#link.deliver(chunk);
    }
  }

  get #bytesPerTick(): number {
    return this.#options.bytesPerS * TICK_MS / 1_000;
  }
}
