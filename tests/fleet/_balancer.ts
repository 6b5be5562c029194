/** HAProxy in TCP mode, with two servers behind it. */

/** Whether Debian's haproxy is here. */
export const hasBalancer = await new Deno.Command("haproxy", { args: ["-v"], stdout: "null", stderr: "null" })
  .output().then(({ success }) => success, () => false);

/** Sends each new connection to one of the servers that are there and wanted. */
export class Balancer implements AsyncDisposable {
  readonly #folder: string;
  readonly #process: Deno.ChildProcess;

  private constructor(folder: string, process: Deno.ChildProcess) {
    this.#folder = folder;
    this.#process = process;
  }

  /** @param servers Their ports, by name. */
  static async start(port: number, servers: Readonly<Record<string, number>>): Promise<Balancer> {
    const folder = await Deno.makeTempDir();
    const lines = [
      "global",
      `  stats socket ${folder}/admin.sock mode 600 level admin`,
      "defaults",
      "  mode tcp",
      "  timeout connect 1s",
      "  timeout client 1h",
      "  timeout server 1h",
      "  retries 1",
      "  option redispatch",
      "frontend clients",
      `  bind 127.0.0.1:${port}`,
      "  default_backend fleet",
      "backend fleet",
      "  balance leastconn",
      "  default-server check inter 200ms fall 1 rise 1 on-marked-down shutdown-sessions",
      ...Object.entries(servers).map(([name, at]) => `  server ${name} 127.0.0.1:${at}`),
    ];
    await Deno.writeTextFile(`${folder}/haproxy.cfg`, lines.join("\n") + "\n");
    const process = new Deno.Command("haproxy", {
      args: ["-db", "-f", `${folder}/haproxy.cfg`],
      stdout: "null",
      stderr: "null",
    }).spawn();
    const balancer = new Balancer(folder, process);
    while (await balancer.#tell("show info").then(() => false, () => true)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return balancer;
  }

  /** Cuts a server's connections, and gives it no new ones. */
  async disable(name: string): Promise<void> {
    await this.#tell(`disable server fleet/${name}`);
    await this.#tell(`shutdown sessions server fleet/${name}`);
  }

  async enable(name: string): Promise<void> {
    await this.#tell(`enable server fleet/${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #tell(command: string): Promise<string> {
    using socket = await Deno.connect({ transport: "unix", path: `${this.#folder}/admin.sock` });
    await socket.write(new TextEncoder().encode(`${command}\n`));
    return await new Response(socket.readable).text();
  }
}
