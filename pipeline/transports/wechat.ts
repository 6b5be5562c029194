/**
 * WeChat mini-programs: `wx.connectSocket`. For platforms with the same
 * interface as well, such as `uni.connectSocket` of uni-app, `qq` and `tt`.
 *
 * @module
 */

import { ConnectError } from "../errors.ts";
import type { ConnectOptions, Remote } from "../transport.ts";
import { withoutSecrets } from "../_without_secrets.ts";
import { cannotParse } from "./_address.ts";
import { givenUp } from "./_failure.ts";
import type { WebSocketCredentials, WebSocketLink, WebSocketTransport } from "./web_socket.ts";
import { SocketLink } from "./_web_socket_link.ts";
import { WeChatSocket } from "./_wechat_socket.ts";

/**
 * What a mini-program's functions fail with.
 *
 * @example What the platform says is the error's text
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { Bootstrap, ConnectError } from "@longlink/pipeline";
 * import { weChat, type WeChatFailure } from "@longlink/pipeline/transports/wechat";
 *
 * const failure: WeChatFailure = { errMsg: "connectSocket:fail too many sockets" };
 * const none = () => {};
 * const wx = {
 *   connectSocket({ fail }: { fail?: (failure: WeChatFailure) => void }) {
 *     fail?.(failure);
 *     return { onOpen: none, onMessage: none, onError: none, onClose: none, send: none, close: none };
 *   },
 * };
 * const connected = new Bootstrap({ transport: weChat({ wx }) }).connect("wss://chat.example");
 * await assertRejects(() => connected, ConnectError, "too many sockets");
 * ```
 */
export interface WeChatFailure {
  /** What went wrong, such as `connectSocket:fail url not in domain list`. */
  readonly errMsg?: string;
}

/**
 * The part of WeChat's `SocketTask` that is used.
 *
 * @example A socket made by hand, for a test
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap } from "@longlink/pipeline";
 * import { weChat, type WeChatSocketTask } from "@longlink/pipeline/transports/wechat";
 *
 * const sent: unknown[] = [];
 * const task: WeChatSocketTask = {
 *   ...{ onMessage() {}, onError() {}, onClose() {}, close() {} },
 *   onOpen: queueMicrotask,
 *   send({ data, success }) {
 *     sent.push(data);
 *     success?.();
 *   },
 * };
 * const transport = weChat({ wx: { connectSocket: () => task } });
 * const channel = await new Bootstrap({ transport }).connect("wss://chat.example");
 * await channel.writeAndFlush("hi");
 * assertEquals(sent, ["hi"]);
 * channel.drop("closed");
 * ```
 */
export interface WeChatSocketTask {
  /** Adds a listener for the end of the handshake. */
  onOpen(listener: () => void): unknown;
  /** Adds a listener for messages. */
  onMessage(listener: (message: { data: string | ArrayBuffer }) => void): unknown;
  /** Adds a listener for failures. */
  // deno-lint-ignore no-explicit-any
  onError(listener: (failure: any) => void): unknown;
  /** Adds a listener for the end. */
  onClose(listener: (end: { code?: number; reason?: string }) => void): unknown;
  /** Sends one message. */
  send(options: {
    data: string | ArrayBuffer;
    success?: () => void;
    fail?: (failure: WeChatFailure) => void;
  }): unknown;
  /** Starts the closing handshake; has no effect before the socket is open. */
  close(options: { code?: number; reason?: string }): unknown;
}

/**
 * The part of a mini-program's global object (`wx`, `uni`, `qq`, `tt`) that is used.
 *
 * @example What the platform is asked for
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap } from "@longlink/pipeline";
 * import { weChat, type WeChatSockets } from "@longlink/pipeline/transports/wechat";
 *
 * let asked: unknown;
 * const uni: WeChatSockets = { // in uni-app there is one
 *   connectSocket({ url, header, protocols }) {
 *     asked = { url, header, protocols };
 *     throw new Error("no network");
 *   },
 * };
 * const credentials = { protocols: "chat.v2", headers: { authorization: "Bearer abc" } };
 * const remote = { address: "wss://chat.example", credentials };
 * await new Bootstrap({ transport: weChat({ wx: uni }) }).connect(remote).catch(() => {});
 * const header = { authorization: "Bearer abc" };
 * assertEquals(asked, { url: "wss://chat.example", header, protocols: ["chat.v2"] });
 * ```
 */
export interface WeChatSockets {
  /** Opens a socket. */
  connectSocket(options: {
    url: string;
    header?: Record<string, string>;
    protocols?: string[];
    fail?: (failure: WeChatFailure) => void;
  }): WeChatSocketTask;
}

/**
 * Options of {@linkcode weChat}.
 *
 * @example Who sends more than is read is cut off
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { VirtualEventLoop } from "@longlink/pipeline";
 * import { weChat, type WeChatOptions } from "@longlink/pipeline/transports/wechat";
 *
 * let receive = (_message: { data: string }) => {};
 * const task = {
 *   ...{ onError() {}, onClose() {}, send() {}, close() {} },
 *   onOpen: queueMicrotask,
 *   onMessage: (listener: typeof receive) => receive = listener,
 * };
 * const options: WeChatOptions = { wx: { connectSocket: () => task }, maxQueuedBytes: 4 };
 * const { signal } = new AbortController();
 * const link = await weChat(options).connect({ address: "wss://chat.example" }, { loop: new VirtualEventLoop(), signal });
 * const ignore = { onRead() {}, onReadComplete() {}, onFlushed() {} };
 * const closed = new Promise((resolve) => link.open({ ...ignore, onClosed: resolve }));
 * receive({ data: "hello" });
 * assertEquals(await closed, "error");
 * ```
 */
export interface WeChatOptions {
  /** `wx`, or another object that opens sockets in the same way. */
  readonly wx: WeChatSockets;
  /**
   * How much may wait in a link that was not asked to read, bytes; above this
   * it goes down with an error, as the platform cannot be told to stop
   * reading. Default: 1 MiB.
   */
  readonly maxQueuedBytes?: number;
}

const DEFAULT_MAX_QUEUED_BYTES = 1024 * 1024;
/** Nothing else is there to parse one with: a mini-program has no `URL`. */
const ADDRESS =
  /^wss?:\/\/(?:[^\s/?#@]*@)?(?:\[[0-9a-f:.]+\]|[^\s/?#@:[\]\\]+)(?::(\d{1,5}))?(?:[/?][^\s#]*)?$/i;

/**
 * Links over the sockets of a WeChat mini-program (`wss://`; `ws://` in the
 * developer tools). They behave as those of the WebSocket transport: messages
 * are kept, `protocols` and `headers` of the credentials are sent.
 *
 * The platform opens sockets only to hosts that are entered as socket domains
 * of the mini-program, and has room for five at the same time; what it refuses
 * fails with a `ConnectError` that says why. A scout takes one of the five; to
 * do without, `keepAlive({ strategy: edge({ where: "main" }) })`.
 *
 * A socket that is being opened cannot be closed there: one that is given up
 * (connect timeout) is closed as soon as it opens.
 *
 * Not tried on a device, but against objects of this shape.
 *
 * @param options See {@linkcode WeChatOptions}.
 * @returns The transport, for any number of links. It cannot listen.
 * @throws {RangeError} If `maxQueuedBytes` is not a positive number.
 *
 * @example In a mini-program
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { Bootstrap, ConnectError } from "@longlink/pipeline";
 * import { weChat, type WeChatSockets } from "@longlink/pipeline/transports/wechat";
 *
 * const wx: WeChatSockets = { // in a mini-program there is one
 *   connectSocket({ fail }) {
 *     fail?.({ errMsg: "connectSocket:fail url not in domain list" });
 *     const none = () => {};
 *     return { onOpen: none, onMessage: none, onError: none, onClose: none, send: none, close: none };
 *   },
 * };
 * const bootstrap = new Bootstrap({ transport: weChat({ wx }) });
 * await assertRejects(
 *   async () => await bootstrap.connect("wss://chat.example/socket"),
 *   ConnectError,
 *   "url not in domain list",
 * );
 * ```
 */
export function weChat(options: WeChatOptions): WebSocketTransport {
  return new WeChatTransport(options);
}

class WeChatTransport implements WebSocketTransport {
  readonly name = "wechat";
  readonly keepsMessages = true;
  readonly #wx: WeChatSockets;
  readonly #maxQueuedBytes: number;

  constructor({ wx, maxQueuedBytes = DEFAULT_MAX_QUEUED_BYTES }: WeChatOptions) {
    if (!(maxQueuedBytes > 0)) {
      throw new RangeError(
        `Cannot make a WeChat transport: maxQueuedBytes must be above 0, not ${maxQueuedBytes}`,
      );
    }
    this.#wx = wx;
    this.#maxQueuedBytes = maxQueuedBytes;
  }

  connect(remote: Remote, { loop, signal }: ConnectOptions): Promise<WebSocketLink> {
    checkAddress(remote.address);
    const address = withoutSecrets(remote.address).replace(/^(\w+:\/\/[^/]*)\/$/, "$1");
    if (signal.aborted) return Promise.reject(givenUp(address, signal));
    return new Promise((resolve, reject) => {
      let giveUp = () => {};
      const onAbort = () => {
        giveUp();
        fail(givenUp(address, signal));
      };
      const fail = (error: ConnectError) => {
        signal.removeEventListener("abort", onAbort);
        reject(error);
      };
      const onFailure = (failure: unknown) =>
        fail(new ConnectError(address, detailOf(failure), { cause: failure }));
      signal.addEventListener("abort", onAbort);
      let task: WeChatSocketTask | undefined;
      try {
        task = this.#wx.connectSocket({
          url: remote.address,
          ...handshakeOf(remote.credentials),
          // Also makes uni-app return the task instead of a promise.
          fail: onFailure,
        });
      } catch (error) {
        return onFailure(error);
      }
      // What no socket is made for need not have a task.
      if (!task) return onFailure(undefined);
      const socket = new WeChatSocket(task);
      giveUp = () => socket.giveUp();
      socket.onerror = onFailure;
      socket.onclose = onFailure;
      socket.onopen = () => {
        signal.removeEventListener("abort", onAbort);
        const maxQueuedBytes = this.#maxQueuedBytes;
        resolve(new SocketLink(socket, { loop, maxQueuedBytes, localAddress: "", remoteAddress: address }));
      };
    });
  }
}

function handshakeOf(credentials: unknown): { protocols?: string[]; header?: Record<string, string> } {
  const { protocols = [], headers } = (credentials ?? {}) as WebSocketCredentials;
  const offered = typeof protocols === "string" ? [protocols] : [...protocols];
  return {
    ...(offered.length > 0 ? { protocols: offered } : {}),
    ...(headers === undefined ? {} : { header: { ...headers } }),
  };
}

function checkAddress(address: string): void {
  if (!/^wss?:\/\//i.test(address)) {
    throw cannotParse(address, "it must begin with ws:// or wss://");
  }
  if (address.includes("#")) throw cannotParse(address, "it must have no fragment (#...)");
  const [match, port = "0"] = ADDRESS.exec(address) ?? [];
  if (match === undefined || Number(port) > 65_535) {
    throw cannotParse(address, "it is no URL with a valid host and port");
  }
}

/** What the platform says, or what must be done where that is known. */
function detailOf(failure: unknown): string {
  const { errMsg, message, reason } = (failure ?? {}) as {
    errMsg?: string;
    message?: string;
    reason?: string;
  };
  const text = (errMsg ?? message ?? reason ?? "").replace(/^\w+:fail:?\s*/, "");
  if (/domain list/i.test(text)) {
    return `${text}: the host has to be entered among the socket domains of the mini-program`;
  }
  return text === "" ? "the platform has opened no socket" : text;
}
