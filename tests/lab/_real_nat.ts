/** A client, a NAT and a server in network namespaces of their own, with the kernel's connection tracking between them. */

/** How a NAT treats a link that it has forgotten. */
export type NatMode = "loose" | "strict";

/** What the lab needs that is missing here; empty if it can run. */
export async function missing(): Promise<string[]> {
  if (Deno.build.os !== "linux") return ["Linux"];
  const lacks: string[] = [];
  if (Deno.uid() !== 0) lacks.push("root");
  if (!await succeeds(["ip", "-V"])) lacks.push("ip (Debian: iproute2)");
  if (!await succeeds(["nft", "--version"])) lacks.push("nft (Debian: nftables)");
  if (lacks.length > 0) return lacks;
  // Containers have root, and may not make namespaces or load the connection tracking.
  const nat = new RealNat("x", 60, "strict");
  try {
    await nat.open();
  } catch (error) {
    lacks.push((error as Error).message);
  } finally {
    await nat.close();
  }
  return lacks;
}

async function succeeds(command: readonly string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command[0]!, {
      args: command.slice(1),
      stdout: "null",
      stderr: "null",
    })
      .output();
    return success;
  } catch {
    return false;
  }
}

async function run(...command: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command[0]!, { args: command.slice(1), stdout: "null" })
    .output();
  if (success) return;
  throw new Error(`Cannot run ${command.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}

const SERVER_ADDRESS = "10.77.2.1";

/**
 * Three namespaces in a row. The NAT forgets a TCP link that was idle for
 * `timeoutS` seconds. `loose` (Linux's default) lets a client's packet make
 * the entry anew; `strict` drops whatever belongs to no link that it knows.
 */
export class RealNat {
  readonly timeoutS: number;
  readonly mode: NatMode;
  readonly serverUrl = `tcp://${SERVER_ADDRESS}:7000`;
  readonly #client: string;
  readonly #nat: string;
  readonly #server: string;

  /** @param name A letter or two that tells it from the other NATs of this process. */
  constructor(name: string, timeoutS: number, mode: NatMode) {
    this.timeoutS = timeoutS;
    this.mode = mode;
    const prefix = `ll${Deno.pid}${name}`;
    this.#client = `${prefix}c`;
    this.#nat = `${prefix}n`;
    this.#server = `${prefix}s`;
  }

  /** @throws {Error} If a namespace or a rule cannot be made; what was made by then is left to {@linkcode close}. */
  async open(): Promise<void> {
    const nat = this.#nat;
    for (const namespace of [this.#client, nat, this.#server]) {
      await run("ip", "netns", "add", namespace);
      await run("ip", "-n", namespace, "link", "set", "lo", "up");
    }
    await this.#wire(this.#client, "10.77.1.2/24", "inside", "10.77.1.1/24");
    await this.#wire(this.#server, `${SERVER_ADDRESS}/24`, "outside", "10.77.2.2/24");
    await run("ip", "-n", this.#client, "route", "add", "default", "via", "10.77.1.1");
    await this.#inNat("nft", rulesFor(this.mode));
    // Linux since 6.5 repeats the first SYNs every second. Elsewhere the waits
    // double, so that a try in an outage notices its end up to 4 s late.
    await this.#onClient("sh", "-c", "echo 0 > /proc/sys/net/ipv4/tcp_syn_linear_timeouts || true");
    await this.#set("ipv4/ip_forward", 1);
    await this.#set("netfilter/nf_conntrack_tcp_timeout_established", this.timeoutS);
    await this.#set("netfilter/nf_conntrack_tcp_loose", this.mode === "loose" ? 1 : 0);
  }

  /**
   * Drops every packet from now on, both ways, and tells nobody; links do not
   * go down by that. Ahead of the connection tracking, which sees none either.
   */
  cut(): Promise<void> {
    return this.#inNat("nft", "add rule ip lab outage drop");
  }

  /** Lets packets through again. */
  heal(): Promise<void> {
    return this.#inNat("nft", "flush chain ip lab outage");
  }

  /** Takes the namespaces away, and with them their links and rules. Processes in them must have ended. */
  async close(): Promise<void> {
    for (const namespace of [this.#client, this.#nat, this.#server]) {
      await succeeds(["ip", "netns", "delete", namespace]);
    }
  }

  /** The command line that runs a command on the client's or the server's side. */
  at(side: "client" | "server", command: readonly string[]): string[] {
    return ["ip", "netns", "exec", side === "client" ? this.#client : this.#server, ...command];
  }

  #onClient(...command: string[]): Promise<void> {
    return run(...this.at("client", command));
  }

  #inNat(...command: string[]): Promise<void> {
    return run("ip", "netns", "exec", this.#nat, ...command);
  }

  /** These settings are the namespace's own; the rules above have loaded the connection tracking by now. */
  #set(name: string, value: number): Promise<void> {
    return this.#inNat("sh", "-c", `echo ${value} > /proc/sys/net/${name}`);
  }

  async #wire(end: string, address: string, natEnd: string, natAddress: string): Promise<void> {
    await run(
      "ip",
      "link",
      "add",
      "eth0",
      "netns",
      end,
      "type",
      "veth",
      "peer",
      "name",
      natEnd,
      "netns",
      this.#nat,
    );
    await run("ip", "-n", end, "address", "add", address, "dev", "eth0");
    await run("ip", "-n", end, "link", "set", "eth0", "up");
    await run("ip", "-n", this.#nat, "address", "add", natAddress, "dev", natEnd);
    await run("ip", "-n", this.#nat, "link", "set", natEnd, "up");
  }
}

function rulesFor(mode: NatMode): string {
  const drop = mode === "strict" ? "ct state invalid drop;" : "";
  return `
    table ip lab {
      chain outage { type filter hook prerouting priority raw; }
      chain postrouting { type nat hook postrouting priority srcnat; oifname "outside" masquerade; }
      chain forward { type filter hook forward priority filter; ${drop} }
      chain input { type filter hook input priority filter; ${drop} }
    }`;
}
