import { WebSocket as NodeWebSocket } from "ws";

type Listener = ((event: unknown) => unknown) | null;

/**
 * React Native's WebSocket class over that of npm's `ws`, with what is its own:
 * headers as a third argument; `bufferedAmount` is declared and never set; the
 * only binary types are `blob` and `arraybuffer`, and others throw; an error
 * says nothing, and the reason of the close after it says what went wrong.
 */
export class FakeReactNativeWebSocket {
  static readonly asked: { readonly url: string; readonly protocols: unknown; readonly options: unknown }[] =
    [];
  declare readonly bufferedAmount: number;
  readyState = 0;
  onopen: Listener = null;
  onmessage: Listener = null;
  onerror: Listener = null;
  onclose: Listener = null;
  #binaryType: string | undefined = undefined;
  // deno-lint-ignore no-explicit-any
  readonly #socket: any;

  constructor(url: string, protocols: string[] | null, options: { headers?: Record<string, string> } | null) {
    FakeReactNativeWebSocket.asked.push({ url, protocols, options });
    this.#socket = new NodeWebSocket(url, protocols ?? [], { headers: options?.headers ?? {} });
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => {
      this.readyState = 1;
      this.onopen?.({});
    };
    this.#socket.onmessage = ({ data }: { data: unknown }) => this.onmessage?.({ data });
    let failure: string | undefined;
    this.#socket.onerror = ({ message }: { message: string }) => {
      failure = message;
      this.readyState = 3;
      this.onerror?.({ type: "error" });
    };
    this.#socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
      this.readyState = 3;
      this.onclose?.(failure === undefined ? { code, reason } : { code: 1006, reason: failure });
    };
  }

  get binaryType(): string {
    return this.#binaryType!;
  }

  set binaryType(binaryType: string) {
    if (binaryType !== "blob" && binaryType !== "arraybuffer") {
      throw new Error("binaryType must be either 'blob' or 'arraybuffer'");
    }
    this.#binaryType = binaryType;
  }

  send(data: string | ArrayBuffer | ArrayBufferView): void {
    if (this.readyState === 0) throw new Error("INVALID_STATE_ERR");
    this.#socket.send(data);
  }

  close(code = 1000, reason = ""): void {
    if (this.readyState >= 2) return;
    this.readyState = 2;
    this.#socket.close(code, reason);
  }
}
