/**
 * The servers of other projects, each with a configuration of its own on free
 * ports of loopback.
 *
 * @module
 */

import { TEST_CERTIFICATE, TEST_KEY } from "../pipeline/transports/_test_certificate.ts";
import { PEER_ENV } from "./_peers.ts";
import { freePort, Program, temporaryFolder } from "./_program.ts";

/** A server that runs, and where. */
export interface Peer extends AsyncDisposable {
  readonly program: Program;
  /** `tcp://host:port`. */
  readonly tcp: string;
  /** `ws://host:port`. */
  readonly ws: string;
  /** How many lines of its log match. */
  count(pattern: RegExp): number;
}

/**
 * Mosquitto, which logs each packet.
 *
 * @param access Who may come in.
 */
export function startMosquitto(access = "allow_anonymous true"): Promise<Peer> {
  const [tcp, ws] = [freePort(), freePort()];
  const config = [
    access,
    "log_dest stderr",
    "log_type all",
    "persistence false",
    `listener ${tcp} 127.0.0.1`,
    `listener ${ws} 127.0.0.1`,
    "protocol websockets",
  ];
  return start({
    command: "mosquitto",
    file: "mosquitto.conf",
    config: () => config,
    args: (path) => ["-c", path],
    ready: /mosquitto version \S+ running/,
    ports: { tcp, ws },
  });
}

/**
 * nats-server, which logs each line of the protocol.
 *
 * @param extra More lines of its configuration.
 */
export function startNats(extra: readonly string[] = []): Promise<Peer> {
  const [tcp, ws] = [freePort(), freePort()];
  return start({
    command: "nats-server",
    file: "nats.conf",
    config: () => [
      `listen: "127.0.0.1:${tcp}"`,
      `websocket { listen: "127.0.0.1:${ws}", no_tls: true }`,
      ...extra,
    ],
    args: (path) => ["-c", path, "-DV"],
    ready: /Server is ready/,
    ports: { tcp, ws },
  });
}

/** Prosody, and where it speaks TLS from the first byte on. */
export interface Prosody extends Peer {
  /** `host:port`. */
  readonly directTls: string;
}

/** Options of {@linkcode startProsody}. */
export interface ProsodyOptions {
  /** What it does on its port for clients that begin in the clear. Default: `none`. */
  readonly startTls?: "none" | "offered" | "required";
  /** More of its modules. Default: none. */
  readonly modules?: readonly string[];
}

/**
 * Prosody with the accounts alice and bob at localhost, whose password is `secret`.
 *
 * @param options See {@linkcode ProsodyOptions}.
 */
export async function startProsody(options: ProsodyOptions = {}): Promise<Prosody> {
  const { startTls = "none", modules = [] } = options;
  const [tcp, ws, directTls] = [freePort(), freePort(), freePort()];
  const tls = startTls === "none" ? [] : ["tls"];
  const enabled = ["saslauth", "ping", "websocket", ...tls, ...modules].map((name) => `"${name}"`).join(", ");
  const peer = await start({
    command: "prosody",
    file: "prosody.cfg.lua",
    config: (folder) => [
      "run_as_root = true", // as which CI runs; elsewhere it changes nothing
      `data_path = "${folder}"`,
      `pidfile = "${folder}/prosody.pid"`,
      `log = { { levels = { min = "debug" }, to = "console" } }`,
      `interfaces = { "127.0.0.1" }`,
      `c2s_ports = { ${tcp} }`,
      `c2s_direct_tls_ports = { ${directTls} }`,
      `http_ports = { ${ws} }`,
      "https_ports = {}",
      "s2s_ports = {}",
      `c2s_require_encryption = ${startTls === "required"}`,
      `ssl = { certificate = "${folder}/certificate.pem", key = "${folder}/key.pem" }`,
      "consider_websocket_secure = true",
      `modules_enabled = { ${enabled} }`,
      `modules_disabled = { "s2s" }`,
      `authentication = "internal_plain"`,
      `VirtualHost "localhost"`,
    ],
    files: {
      "certificate.pem": TEST_CERTIFICATE,
      "key.pem": TEST_KEY,
      ...Object.fromEntries(
        ["alice", "bob"].map((
          name,
        ) => [`localhost/accounts/${name}.dat`, `return { ["password"] = "secret" };`]),
      ),
    },
    args: (path) => ["--config", path, "-F"],
    ready: /Activated service 'http' on (?!no ports)/,
    ports: { tcp, ws },
  });
  await peer.program.output.times(/Activated service '(c2s|c2s_direct_tls|http)' on (?!no ports)/, 3, 10_000);
  return Object.assign(peer, { directTls: `127.0.0.1:${directTls}` });
}

interface StartOptions {
  readonly command: string;
  readonly file: string;
  readonly config: (folder: string) => readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly args: (configPath: string) => readonly string[];
  readonly ready: RegExp;
  readonly ports: { readonly tcp: number; readonly ws: number };
}

async function start({ command, file, config, files = {}, args, ready, ports }: StartOptions): Promise<Peer> {
  const folder = await temporaryFolder();
  const all = { ...files, [file]: `${config(folder.path).join("\n")}\n` };
  for (const [name, text] of Object.entries(all)) {
    const path = `${folder.path}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, text);
  }
  const program = await Program.start({
    name: command,
    command,
    args: args(`${folder.path}/${file}`),
    ready,
    env: PEER_ENV,
  }).catch(async (error) => {
    await folder[Symbol.asyncDispose]();
    throw error;
  });
  return {
    program,
    tcp: `tcp://127.0.0.1:${ports.tcp}`,
    ws: `ws://127.0.0.1:${ports.ws}`,
    count: (pattern) => program.output.all.filter((line) => pattern.test(line)).length,
    [Symbol.asyncDispose]: async () => {
      await program[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
