/**
 * The socket of a mini-program with the interface of a WebSocket.
 *
 * @module
 */

import type { WebSocketLike } from "./web_socket.ts";
import type { WeChatSocketTask } from "./wechat.ts";
import { byteLength } from "./_write_queue.ts";

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;
/** Stands for "no close frame came" (RFC 6455, section 7.1.5). */
const ABNORMAL = 1006;

/** Wraps a `SocketTask`: it has listeners that cannot be taken off, and callbacks in place of `bufferedAmount`. */
export class WeChatSocket implements WebSocketLike {
  /** Bytes always come as an `ArrayBuffer`. */
  binaryType = "arraybuffer";
  readyState = CONNECTING;
  bufferedAmount = 0;
  onopen: WebSocketLike["onopen"] = null;
  onmessage: WebSocketLike["onmessage"] = null;
  onerror: WebSocketLike["onerror"] = null;
  onclose: WebSocketLike["onclose"] = null;
  readonly #task: WeChatSocketTask;
  #isGivenUp = false;

  constructor(task: WeChatSocketTask) {
    this.#task = task;
    task.onOpen(() => {
      if (this.#isGivenUp) return void task.close({ code: 1000 });
      this.readyState = OPEN;
      this.onopen?.({});
    });
    task.onMessage((message) => this.onmessage?.(message));
    task.onError((failure) => this.#failed(failure));
    task.onClose((end) => this.#closed(end.code ?? ABNORMAL, end.reason ?? ""));
  }

  send(message: string | Uint8Array): void {
    const bytes = byteLength(message);
    this.bufferedAmount += bytes;
    this.#task.send({
      data: typeof message === "string" ? message : wholeBuffer(message),
      success: () => void (this.bufferedAmount -= bytes),
      // A message that did not leave would be missing without anybody knowing.
      fail: (failure) => {
        this.#failed(failure);
        this.#closed(ABNORMAL, "");
        this.#task.close({});
      },
    });
  }

  close(code?: number, reason?: string): void {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSING;
    this.#task.close({
      ...(code === undefined ? {} : { code }),
      ...(reason === undefined ? {} : { reason }),
    });
  }

  /** Nobody wants it any more, and it is perhaps not open yet: before that it cannot be closed. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.onopen =
      this.onmessage =
      this.onerror =
      this.onclose =
        null;
    this.#task.close({ code: 1000 });
  }

  #failed(failure: { readonly errMsg?: string } | undefined): void {
    this.onerror?.({ ...failure, message: failure?.errMsg });
  }

  #closed(code: number, reason: string): void {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.onclose?.({ code, reason });
  }
}

/** The bytes in a buffer of their own: what is next to them in the message's buffer must not be sent. */
function wholeBuffer({ buffer, byteOffset, byteLength }: Uint8Array): ArrayBuffer {
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}
