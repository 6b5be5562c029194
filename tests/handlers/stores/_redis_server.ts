import { createClient } from "redis";

/** Whether Debian's redis-server is here. */
export const hasRedis = await new Deno.Command("redis-server", {
  args: ["--version"],
  stdout: "null",
  stderr: "null",
})
  .output().then(({ success }) => success, () => false);

/** A Redis of the test's own: on a socket in a folder, whose append-only file has all that it has confirmed. */
export class RedisServer implements AsyncDisposable {
  readonly folder: string;
  #process: Deno.ChildProcess | undefined;

  readonly #settings: Readonly<Record<string, string>>;

  private constructor(folder: string, settings: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.#settings = settings;
  }

  /** @param settings What its configuration says besides. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<RedisServer> {
    const server = new RedisServer(await Deno.makeTempDir(), settings);
    await server.restart();
    return server;
  }

  get url(): string {
    return `redis+unix://${this.folder}/redis.sock`;
  }

  /** Starts it again where it was killed. */
  async restart(): Promise<void> {
    const settings = {
      port: "0",
      unixsocket: `${this.folder}/redis.sock`,
      dir: this.folder,
      save: "",
      appendonly: "yes",
      appendfsync: "always",
      ...this.#settings,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    // Otherwise a socket of the one before answers with a refusal for a moment.
    await Deno.remove(`${this.folder}/redis.sock`).catch(() => {});
    this.#process = new Deno.Command("redis-server", { args, stdout: "null", stderr: "null" }).spawn();
    for (;;) {
      const found = await this.ask("PING").catch(() => undefined);
      if (found === "PONG") return;
    }
  }

  /** Asks it something, on a connection of its own. */
  async ask(...command: string[]): Promise<unknown> {
    const client = createClient({ socket: { path: `${this.folder}/redis.sock`, reconnectStrategy: false } });
    client.on("error", () => {});
    await client.connect();
    try {
      return await client.sendCommand(command);
    } finally {
      client.destroy();
    }
  }

  /** Sends it a signal: `SIGSTOP`, `SIGCONT`. */
  signal(signal: Deno.Signal): void {
    this.#process!.kill(signal);
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.status;
    this.#process = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.folder, { recursive: true });
  }
}
