/**
 * A page of a browser that is only started, with the page's address as its
 * argument: the page calls back, and is told what to run.
 *
 * @module
 */

/** What remote_control.ts says. */
type Told =
  | { readonly names: readonly string[]; readonly userAgent: string }
  | { readonly pageError: string }
  | { readonly error?: string };

/** How long a browser may take to start and to run all that a page's script does at first, ms. */
const START_LIMIT_MS = 60_000;

/** A page that has called back. */
export class RemotePage implements AsyncDisposable {
  /** What the browser says that it is. */
  readonly name: string;
  /** The tests that it has. */
  readonly names: readonly string[];
  /** Errors of the page outside its tests, so far. */
  readonly errors: string[] = [];
  readonly #socket: WebSocket;
  readonly #end: () => Promise<void>;
  #settle: ((error: string | undefined) => void) | undefined = undefined;

  private constructor(
    socket: WebSocket,
    { names, userAgent }: { names: readonly string[]; userAgent: string },
    end: () => Promise<void>,
  ) {
    this.#socket = socket;
    this.names = names;
    this.name = userAgent;
    this.#end = end;
    socket.onmessage = ({ data }) => {
      const told: Told = JSON.parse(data);
      if ("pageError" in told) this.errors.push(told.pageError);
      else this.#settle?.("error" in told ? told.error : undefined);
    };
    socket.onclose = () => this.#settle?.("the browser is gone");
  }

  /**
   * Starts a browser and waits until its page has called back.
   *
   * @param start Opens an address in the browser; what it returns ends that.
   * @param url The page's address, to which the way back is added.
   */
  static async open(start: (url: string) => AsyncDisposable, url: string): Promise<RemotePage> {
    const calls = Promise.withResolvers<{ socket: WebSocket; told: Told }>();
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
      socket.onmessage = ({ data }) => calls.resolve({ socket, told: JSON.parse(data) });
      return response;
    });
    const target = new URL(url);
    target.searchParams.set("control", `ws://127.0.0.1:${server.addr.port}/`);
    const browser = start(target.href);
    const limit = setTimeout(
      () => calls.reject(new Error(`Cannot open the page: it has not called back in ${START_LIMIT_MS} ms`)),
      START_LIMIT_MS,
    );
    const end = async () => {
      await browser[Symbol.asyncDispose]();
      await server.shutdown();
    };
    try {
      const { socket, told } = await calls.promise;
      if (!("names" in told)) throw new Error(`Cannot open the page: ${JSON.stringify(told)}`);
      return new RemotePage(socket, told, end);
    } catch (error) {
      await end();
      throw error;
    } finally {
      clearTimeout(limit);
    }
  }

  /** Runs a test; undefined, or what went wrong. */
  run(name: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#socket.send(name);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}
