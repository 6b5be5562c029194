/**
 * A TCP or TLS connection as a link.
 *
 * @module
 */

import type { Socket } from "node:net";
import type { EventLoop } from "../event_loop.ts";
import type { WireMessage } from "../transport.ts";
import { endAddress } from "./_address.ts";
import { reasonOf } from "./_failure.ts";
import { BaseLink } from "./_link.ts";
import { outputEnded, PART_BYTES, WriteQueue } from "./_write_queue.ts";

/** Where a socket's shared listeners find its link: a closure each would cost memory per link. */
const LINK = Symbol("link");

type LinkSocket = Socket & { [LINK]?: TcpLink };

/** Carries bytes over a socket that is connected (and, for TLS, secured). */
export class TcpLink extends BaseLink {
  readonly #socket: LinkSocket;
  readonly #scheme: string;
  /** There while something waits to be sent. */
  #queue: WriteQueue | undefined = undefined;
  /** Whether a part is with the platform. One at a time: Node joins what waits into one write, which hides progress. */
  #isWriting = false;
  #isAsked = false;
  #isReading = false;
  /** Whether this side's direction ends once all has left. */
  #isEnding = false;

  /**
   * @param socket The socket. It is paused, so that not a byte is lost before {@linkcode open}.
   * @param scheme `tcp` or `tls`.
   * @param loop Clock and timers.
   */
  constructor(socket: Socket, scheme: string, loop: EventLoop) {
    super(loop);
    this.#socket = socket;
    this.#scheme = scheme;
    this.#socket[LINK] = this;
    // Else the platform answers the peer's end with ours, behind which nothing could be sent.
    socket.allowHalfOpen = true;
    socket.pause();
    socket.on("data", onData);
    socket.on("end", onEnd);
    socket.on("error", onError);
    socket.on("close", onClose);
  }

  // Made when asked for: the socket and its strings would take 400 bytes a link, and few ask.
  get localAddress(): string {
    return endAddress(this.#scheme, this.#socket.localAddress, this.#socket.localPort);
  }

  get remoteAddress(): string {
    return endAddress(this.#scheme, this.#socket.remoteAddress, this.#socket.remotePort);
  }

  read(): void {
    if (this.#isAsked || this.receiver === undefined) return;
    this.#isAsked = true;
    // Asked from within onReadComplete: the socket still flows, which saves a pause and a resume per read.
    if (!this.#isReading) this.#socket.resume();
  }

  get isPaused(): boolean {
    return !this.#isAsked;
  }

  write(message: WireMessage): void {
    if (this.receiver === undefined) return;
    if (this.#isEnding) throw outputEnded();
    (this.#queue ??= WriteQueue.borrow()).add(message);
  }

  flush(): void {
    if (!this.#isEnding) this.#queue?.flush();
    this.#pump();
  }

  shutdownOutput(): void {
    if (this.receiver === undefined) return;
    this.#isEnding = true;
    this.#pump();
  }

  protected override shutdown(): void {
    // Reading on: closing a socket that holds unread data sends a reset, which
    // destroys what we sent and the peer has not read.
    this.#socket.resume();
    this.#pump();
  }

  protected override release(abort: boolean): void {
    // A peer that got only a part must not take it for the whole.
    const isTruncated = this.#isWriting || this.#queue?.isDrained === false;
    this.#queue = undefined;
    if (this.#socket.destroyed) return;
    if ((abort || isTruncated) && isResettable(this.#socket)) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  #pump(): void {
    if (this.#isWriting || !this.isUp) return;
    const queue = this.#queue;
    const part = queue?.take(PART_BYTES);
    if (queue?.isEmpty) {
      this.#queue = undefined;
      queue.giveBack();
    }
    if (part === undefined) {
      if (this.isClosing || this.#isEnding) this.#end();
      return;
    }
    this.#isWriting = true;
    const written = (error?: Error | null) => {
      this.#isWriting = false;
      if (error) return; // the socket's own "error" event tells
      this.flushed(part.length);
      this.#pump();
    };
    // Deno fails an empty write over TLS.
    if (part.length > 0) this.#socket.write(part, written);
    else queueMicrotask(written);
  }

  #end(): void {
    const socket = this.#socket;
    if (socket.writableEnded) return;
    socket.end(() => {
      if (socket.readableEnded) this.down("remoteClosed");
    });
  }

  #peerEnded(): void {
    // What was flushed still goes out, and this side's own end; then `#end()` tells.
    const isKept = !this.#socket.writableFinished && (this.isClosing || this.receiver?.onInputEnded?.());
    if (!isKept) this.down("remoteClosed");
  }

  #received(bytes: Uint8Array): void {
    const sink = this.receiver;
    if (sink === undefined) return;
    this.#isAsked = false;
    this.#isReading = true;
    sink.onRead(bytes);
    if (this.receiver !== undefined) sink.onReadComplete();
    this.#isReading = false;
    if (this.receiver !== undefined && !this.#isAsked) this.#socket.pause();
  }

  /** For the listeners below alone, which the class has outside so that all its sockets share them. */
  static readonly events = {
    data: (link: TcpLink, bytes: Uint8Array): void => link.#received(bytes),
    end: (link: TcpLink): void => link.#peerEnded(),
    error: (link: TcpLink, error: Error): void => link.down(reasonOf(error), error),
    close: (link: TcpLink): void => link.down("reset"),
  };
}

const events = TcpLink.events;

function onData(this: LinkSocket, bytes: Uint8Array): void {
  events.data(this[LINK]!, bytes);
}

function onEnd(this: LinkSocket): void {
  events.end(this[LINK]!);
}

function onError(this: LinkSocket, error: Error): void {
  events.error(this[LINK]!, error);
}

/** Comes after `end` or `error`, if there was one; else the platform dropped the socket. */
function onClose(this: LinkSocket): void {
  events.close(this[LINK]!);
}

/** A TLS socket has the method and throws; after end() Node cannot reset, and would never let the socket go. */
function isResettable(socket: Socket): boolean {
  return !("encrypted" in socket) && !socket.writableEnded && typeof socket.resetAndDestroy === "function";
}
