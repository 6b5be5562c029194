/** One server with its client, from start to end. */

import type { Contender } from "./_contenders.ts";
import { Program } from "./_process.ts";

/** What one run of one server found, a link. */
export interface Found {
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly connectMs: number;
  readonly connectCpuUs: number;
  readonly pushUs: number;
  readonly pushCpuUs: number;
}

const WARM_UP_LINKS = 200;
const PUSHES = 7;
/** Longer than any run: nobody beats meanwhile. */
const NO_BEAT_MS = 3_600_000;
const CLIENT = `${import.meta.dirname}/client.ts`;
let sessions = 0;

/** A server and a client that knows where it is. */
export class Session {
  readonly #server: Program;
  readonly #client: Program;
  readonly #pushBytes: number;

  private constructor(server: Program, client: Program, pushBytes: number) {
    this.#server = server;
    this.#client = client;
    this.#pushBytes = pushBytes;
  }

  /** Starts both. Each session has an address of its own, so that none runs out of ports. */
  static async start(
    { command, dialect, argument }: Contender,
    beatMs: number,
    cwd: string,
  ): Promise<Session> {
    const host = `127.0.0.${2 + sessions++ % 250}`;
    const [program, ...args] = command as [string, ...string[]];
    const server = new Program(program, [...args, argument(beatMs), host], cwd);
    const { port, pushBytes } = await server.hear();
    const client = new Program(Deno.execPath(), ["run", "-A", CLIENT, dialect, host, String(port)]);
    return new Session(server, client, pushBytes!);
  }

  /** Connects, measures and pushes; the server has seen some links before. */
  static async measure(contender: Contender, links: number, cwd: string): Promise<Found> {
    const session = await Session.start(contender, NO_BEAT_MS, cwd);
    try {
      await session.connect(WARM_UP_LINKS, NO_BEAT_MS, "together");
      for (let i = 0; i < PUSHES; i++) await session.#push(WARM_UP_LINKS);
      await session.#client.ask("drop");
      await session.#untilCount(0);
      const before = await session.memory();
      const cpuMs = session.cpuMs();
      const connectMs = await session.connect(links, NO_BEAT_MS, "together");
      const connectCpuUs = 1000 * (session.cpuMs() - cpuMs) / links;
      const after = await session.memory();
      const pushes = [];
      for (let i = 0; i < PUSHES; i++) pushes.push(await session.#push(links));
      return {
        residentBytes: (after.residentBytes - before.residentBytes) / links,
        heapBytes: (after.heapBytes - before.heapBytes) / links,
        connectMs,
        connectCpuUs,
        pushUs: middle(pushes.map((push) => push.us)) / links,
        pushCpuUs: pushes.reduce((sum, push) => sum + push.cpuUs, 0) / PUSHES / links,
      };
    } finally {
      await session.end();
    }
  }

  /** @returns How long it took until all links were up, ms. */
  async connect(links: number, beatMs: number, when: "together" | "spread"): Promise<number> {
    const { connectMs } = await this.#client.ask(`connect ${links} ${beatMs} ${when}`);
    await this.#untilCount(links);
    return connectMs!;
  }

  /** After collections. */
  async memory(): Promise<{ heapBytes: number; residentBytes: number }> {
    const { heapBytes } = await this.#server.ask("memory");
    return { heapBytes: heapBytes!, residentBytes: this.#server.residentBytes() };
  }

  /** The server's time on a processor so far, ms. */
  cpuMs(): number {
    return this.#server.cpuMs();
  }

  async end(): Promise<void> {
    await this.#client.end();
    await this.#server.end();
  }

  async #push(links: number): Promise<{ us: number; cpuUs: number }> {
    const { expecting } = await this.#client.ask(`expect ${this.#pushBytes}`);
    if (expecting !== links) throw new Error(`Cannot push: ${expecting} of ${links} links are up`);
    const cpuMs = this.#server.cpuMs();
    const { startedMs } = await this.#server.ask("push");
    const { arrivedMs } = await this.#client.hear();
    return { us: 1000 * (arrivedMs! - startedMs!), cpuUs: 1000 * (this.#server.cpuMs() - cpuMs) };
  }

  async #untilCount(links: number): Promise<void> {
    while ((await this.#server.ask("count")).links !== links) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
