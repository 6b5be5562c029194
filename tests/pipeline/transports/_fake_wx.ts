import { WebSocket } from "ws";
import type { WeChatSockets, WeChatSocketTask } from "../../../pipeline/transports/wechat.ts";

const MAX_SOCKETS = 5;

/** What a test can do with it beyond what a mini-program can. */
export interface FakeWx extends WeChatSockets {
  /** Sockets that were opened and have not ended. */
  readonly open: Set<FakeTask>;
  /** What was asked for, in order. */
  readonly asked: Parameters<WeChatSockets["connectSocket"]>[0][];
}

/**
 * The sockets of a mini-program over those of npm's `ws`, as the platform's
 * documentation describes them: five at most, only to hosts that were entered,
 * a close has no effect before the socket is open, the listeners stay, bytes
 * are an ArrayBuffer, and what a call comes to is told by its callbacks.
 */
export function fakeWx({ domains = ["127.0.0.1"] }: { domains?: string[] } = {}): FakeWx {
  const open = new Set<FakeTask>();
  const asked: FakeWx["asked"] = [];
  return {
    open,
    asked,
    connectSocket(options) {
      asked.push(options);
      const { url, protocols = [], fail } = options;
      const refuse = (errMsg: string) => {
        queueMicrotask(() => fail?.({ errMsg: `connectSocket:fail ${errMsg}` }));
        // A task that never opens.
        return new FakeTask(undefined, open);
      };
      if (!domains.includes(new URL(url).hostname)) return refuse("url not in domain list");
      if (open.size >= MAX_SOCKETS) return refuse("too many sockets");
      const task = new FakeTask(new WebSocket(url, protocols), open);
      open.add(task);
      return task;
    },
  };
}

class FakeTask implements WeChatSocketTask {
  // deno-lint-ignore no-explicit-any
  readonly #socket: any;

  // deno-lint-ignore no-explicit-any
  constructor(socket: any, open: Set<FakeTask>) {
    this.#socket = socket;
    if (socket === undefined) return;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("close", () => open.delete(this));
  }

  onOpen(listener: () => void): void {
    this.#socket?.addEventListener("open", () => listener());
  }

  onMessage(listener: (message: { data: string | ArrayBuffer }) => void): void {
    this.#socket?.addEventListener(
      "message",
      ({ data }: { data: string | ArrayBuffer }) => listener({ data }),
    );
  }

  onError(listener: (failure: { errMsg: string }) => void): void {
    this.#socket?.addEventListener(
      "error",
      ({ message }: { message: string }) => listener({ errMsg: message }),
    );
  }

  onClose(listener: (end: { code: number; reason: string }) => void): void {
    this.#socket?.addEventListener(
      "close",
      ({ code, reason }: { code: number; reason: string }) => listener({ code, reason }),
    );
  }

  send({ data, success, fail }: Parameters<WeChatSocketTask["send"]>[0]): void {
    // Not instanceof: one of another realm is one as well.
    if (typeof data !== "string" && Object.prototype.toString.call(data) !== "[object ArrayBuffer]") {
      throw new TypeError("a mini-program sends text and ArrayBuffer only");
    }
    if (this.#socket?.readyState !== WebSocket.OPEN) {
      queueMicrotask(() => fail?.({ errMsg: "sendSocketMessage:fail WebSocket is not connected" }));
      return;
    }
    this.#socket.send(data);
    queueMicrotask(() => success?.());
  }

  close({ code, reason }: { code?: number; reason?: string }): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.close(code ?? 1000, reason);
  }
}
