/**
 * Two web streams as a link.
 *
 * @module
 */

import type { WireMessage } from "../transport.ts";
import { asError, reasonOf } from "./_failure.ts";
import { BaseLink } from "./_link.ts";
import { byteLength, outputEnded, PART_BYTES, WriteQueue } from "./_write_queue.ts";
import type { StreamLinkOptions, StreamPair } from "./streams.ts";

/** Carries messages over a readable and a writable stream. */
export class StreamLink extends BaseLink {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly shutdownOutput: (() => void) | undefined;
  readonly #pair: StreamPair;
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  readonly #writer: WritableStreamDefaultWriter<unknown>;
  readonly #keepsMessages: boolean;
  readonly #queue: WriteQueue;
  #isWriting = false;
  #isAsked = false;
  #isPulling = false;
  /** Whether this side's direction ends once all has left. */
  #isEnding = false;
  #hasEnded = false;
  #hasPeerEnded = false;

  constructor(pair: StreamPair, options: StreamLinkOptions) {
    const { loop, keepsMessages = false, halfCloses = false, localAddress = "", remoteAddress = "" } =
      options;
    super(loop);
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
    this.shutdownOutput = halfCloses ? () => this.#shutdownOutput() : undefined;
    this.#pair = pair;
    this.#reader = pair.readable.getReader();
    this.#writer = pair.writable.getWriter();
    this.#keepsMessages = keepsMessages;
    this.#queue = new WriteQueue(keepsMessages);
    // Even a link that was not asked to read learns that the other side is gone.
    this.#reader.closed.then(() => this.#peerEnded(), (error) => this.#failed(error));
    this.#writer.closed.catch((error) => this.#failed(error));
    this.#writer.ready.catch(ignore); // `closed` tells
  }

  read(): void {
    if (this.receiver === undefined) return;
    this.#isAsked = true;
    this.#pull();
  }

  get isPaused(): boolean {
    return !this.#isAsked;
  }

  write(message: WireMessage): void {
    if (this.receiver === undefined) return;
    if (this.#isEnding) throw outputEnded();
    this.#queue.add(message);
  }

  flush(): void {
    if (!this.#isEnding) this.#queue.flush();
    this.#pump();
  }

  protected override shutdown(): void {
    this.#pull();
    this.#pump();
  }

  protected override release(abort: boolean): void {
    const isTruncated = this.#isWriting || !this.#queue.isDrained;
    this.#queue.clear();
    if (abort || isTruncated) {
      const reason = new DOMException("The link was aborted", "AbortError");
      this.#writer.abort(reason).catch(ignore);
      this.#reader.cancel(reason).catch(ignore);
    } else {
      this.#writer.close().catch(ignore);
      this.#reader.cancel().catch(ignore);
    }
    try {
      Promise.resolve(this.#pair.close?.()).catch(ignore);
    } catch {
      // The link is gone already; see StreamPair.close.
    }
  }

  #pump(): void {
    if (this.#isWriting || !this.isUp) return;
    const part = this.#queue.take(PART_BYTES);
    if (part === undefined) {
      if (this.isClosing || this.#isEnding) this.#end();
      return;
    }
    this.#isWriting = true;
    this.#writer.write(part).then(() => {
      this.#isWriting = false;
      this.flushed(byteLength(part));
      this.#pump();
    }, (error) => this.#failed(error));
  }

  #shutdownOutput(): void {
    if (this.receiver === undefined) return;
    this.#isEnding = true;
    this.#pump();
  }

  /** The link's end follows when the peer has ended its side too. */
  #end(): void {
    this.#writer.close().then(() => {
      this.#hasEnded = true;
      if (this.#hasPeerEnded) this.down("remoteClosed");
    }, ignore); // `closed` tells
  }

  #peerEnded(): void {
    if (this.#hasPeerEnded) return;
    this.#hasPeerEnded = true;
    // What was flushed still goes out, and this side's own end; then `#end()` tells.
    const isKept = this.shutdownOutput !== undefined && !this.#hasEnded &&
      (this.isClosing || this.receiver?.onInputEnded?.());
    if (!isKept) this.down("remoteClosed");
  }

  #pull(): void {
    if (this.#isPulling) return;
    this.#isPulling = true;
    this.#reader.read().then(({ done, value }) => {
      this.#isPulling = false;
      if (done) return this.#peerEnded();
      if (this.isClosing) return this.#pull(); // discarding it, so that the peer's writes do not hang
      this.#received(value);
      if (this.#isAsked && this.receiver !== undefined) this.#pull();
    }, (error) => this.#failed(error));
  }

  #received(message: unknown): void {
    const sink = this.receiver;
    if (sink === undefined) return;
    if (!(message instanceof Uint8Array || typeof message === "string" && this.#keepsMessages)) {
      const wanted = this.#keepsMessages ? "Uint8Array or text" : "Uint8Array";
      const given = message === null ? "null" : (message as object)?.constructor?.name ?? typeof message;
      return this.down("protocol", new TypeError(`Cannot read: the stream gave ${given}, wanted ${wanted}`));
    }
    this.#isAsked = false;
    sink.onRead(message);
    if (this.receiver !== undefined) sink.onReadComplete();
  }

  #failed(thrown: unknown): void {
    this.down(reasonOf(thrown), asError(thrown, "The stream failed"));
  }
}

function ignore(): void {}
