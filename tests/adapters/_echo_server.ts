/**
 * The peer of the WebSocket suite, made with npm's `ws`.
 *
 * @module
 */

import { WebSocketServer } from "ws";

/** What the server saw of a connection. */
export interface Seen {
  readonly protocols: string;
  readonly headers: Record<string, string>;
  close: Promise<{ code: number; reason: string }>;
}

/**
 * Echoes every message in its kind. Text that begins with "!" is an order:
 * `!close CODE REASON`, `!terminate`, `!text WORDS`, `!silence` (answers no ping or close any more).
 * Any path but `/echo` is refused with status 401. The first subprotocol that is offered is chosen.
 */
export class EchoServer {
  readonly url: string;
  /** The connections, in order. */
  readonly seen: Seen[] = [];
  readonly #server: WebSocketServer;

  private constructor(server: WebSocketServer) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${(server.address() as { port: number }).port}/echo`;
    // deno-lint-ignore no-explicit-any
    server.on("connection", (socket: any, request: any) => this.#serve(socket, request.headers));
  }

  static async start(): Promise<EchoServer> {
    const server: WebSocketServer = new WebSocketServer({
      host: "127.0.0.1",
      port: 0,
      perMessageDeflate: false,
      // deno-lint-ignore no-explicit-any
      verifyClient: ({ req }: any) => req.url === "/echo",
    });
    await new Promise((resolve) => server.on("listening", resolve));
    return new EchoServer(server);
  }

  async stop(): Promise<void> {
    // deno-lint-ignore no-explicit-any
    for (const socket of (this.#server as any).clients) socket.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  // deno-lint-ignore no-explicit-any
  #serve(socket: any, headers: Record<string, string>): void {
    const close = new Promise<{ code: number; reason: string }>((resolve) =>
      socket.on("close", (code: number, reason: Uint8Array) => resolve({ code, reason: String(reason) }))
    );
    this.seen.push({ protocols: headers["sec-websocket-protocol"] ?? "", headers, close });
    socket.on("message", (data: Uint8Array, isBinary: boolean) => {
      const [order, ...words] = isBinary ? [] : String(data).split(" ");
      if (order === "!close") socket.close(Number(words[0]), words.slice(1).join(" "));
      else if (order === "!terminate") socket.terminate();
      else if (order === "!text") socket.send(words.join(" "));
      else if (order === "!silence") socket._socket.pause();
      else socket.send(data, { binary: isBinary });
    });
    socket.on("error", () => {});
  }
}
