/**
 * The arguments of `longlink probe`.
 *
 * @module
 */

import {
  type ChannelHandler,
  HeartbeatDecoder,
  HeartbeatEncoder,
  type HeartbeatFormat,
  IdleStateHandler,
  messagePackFormat,
  rawFormat,
  VarintFrameDecoder,
  VarintFrameEncoder,
} from "../mod.ts";
import { UsageError } from "./command.ts";
import { milliseconds, oneOf, parseOptions, wholeNumber } from "./options.ts";

/** What the user asked for. */
export interface ProbeArguments {
  readonly url: string;
  readonly json: boolean;
  readonly startMs: number;
  readonly maxMs: number;
  readonly precisionMs: number;
  readonly precision: number;
  readonly parallel: number;
  readonly scoutHandlers: () => ChannelHandler[];
}

/** What `--help` prints. */
export const PROBE_HELP = `Usage: longlink probe URL [options]

Measures how long the network between here and a server lets a link idle before
it forgets it. URL is tcp://HOST:PORT, tls://, ws:// or wss://. The time
includes whatever the server itself does with an idle link.

Asks a longlink server (longlink serve, or your own) to answer after a silence,
on links beside the main one: what is measured is how long pushes get through.
Any other server that answers pings is measured with pings from here, which
does not prove that pushes get through.

Options:
  --start SECONDS      first idle time to try, 1 or more (28)
  --max SECONDS        longest idle time to try, up to 13107 (7200)
  --precision P        how narrow the bracket must be: seconds (1s), a share of
                       it (2%), or both (1s,2%: the wider one counts) (2%)
  --parallel N         trials at once, 1 to 16; a server may allow fewer (1)
  --format NAME        heartbeats of the server: messagepack, raw (messagepack)
  --ping HEX           with --format raw: the bytes of a ping
  --pong HEX           with --format raw: the bytes that answer it
  --json               print the result as one JSON object on the last line:
                       {url, loMs, hiMs, intervalMs, direction, trials,
                       durationMs}
                       hiMs is null where nothing failed up to --max,
                       intervalMs where nothing survived; direction is "push"
                       or "client"; trials: [{idleMs, verdict, reason}]
  --help               print this

Examples:
  longlink probe tcp://chat.example:7000
  longlink probe wss://chat.example/link --max 600 --precision 5%
  longlink probe tcp://127.0.0.1:7000 --parallel 4 --json | tail -n 1
  longlink probe tcp://10.0.0.1:9000 --format raw --ping 00 --pong 01

Ctrl-C prints what is known so far.

Exit status: 0 measured, 1 not measured (no link, no answers, too many trials
that said nothing), 2 wrong arguments, 130 interrupted by SIGINT or SIGTERM.`;

/**
 * Reads the arguments.
 *
 * @returns Them, or undefined for `--help`.
 * @throws {UsageError} If one is unknown or cannot be understood.
 */
export function probeArguments(args: readonly string[]): ProbeArguments | undefined {
  const { values, positionals } = parseOptions(args, {
    start: { type: "string", default: "28" },
    max: { type: "string", default: "7200" },
    precision: { type: "string", default: "2%" },
    parallel: { type: "string", default: "1" },
    format: { type: "string", default: "messagepack" },
    ping: { type: "string" },
    pong: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  });
  if (values.help) return undefined;
  const [url, extra] = positionals;
  if (url === undefined) throw new UsageError("URL is missing");
  if (extra !== undefined) throw new UsageError(`Unexpected argument '${extra}'`);
  const format = formatOf(values.format, values.ping, values.pong);
  // A peer of another protocol has frames of its own, or none.
  const isFramed = values.format !== "raw";
  return {
    url,
    json: values.json,
    startMs: milliseconds("--start", values.start)!,
    maxMs: milliseconds("--max", values.max)!,
    ...precisionOf(values.precision),
    parallel: wholeNumber("--parallel", values.parallel),
    scoutHandlers: () => [
      new IdleStateHandler(),
      ...(isFramed ? [new VarintFrameDecoder(), new VarintFrameEncoder()] : []),
      new HeartbeatDecoder({ format }),
      new HeartbeatEncoder({ format }),
    ],
  };
}

function precisionOf(text: string): { readonly precisionMs: number; readonly precision: number } {
  let precisionMs = 0;
  let precision = 0;
  for (const part of text.split(",")) {
    const [, value, unit] = /^\s*(\d+(?:\.\d+)?)\s*(s|%)\s*$/.exec(part) ?? [];
    if (unit === "s") precisionMs = 1_000 * Number(value);
    else if (unit === "%") precision = Number(value) / 100;
    else throw new UsageError(`--precision must be like 1s, 2% or 1s,2%, got "${text}"`);
  }
  return { precisionMs, precision };
}

function formatOf(name: string, ping: string | undefined, pong: string | undefined): HeartbeatFormat {
  if (oneOf("--format", name, ["messagepack", "raw"]) === "messagepack") {
    if (ping === undefined && pong === undefined) return messagePackFormat();
    throw new UsageError("--ping and --pong mean nothing without --format raw");
  }
  if (ping === undefined || pong === undefined) {
    throw new UsageError("--format raw needs --ping and --pong, in hexadecimal");
  }
  try {
    return rawFormat({ ping: bytesOf("--ping", ping), pong: bytesOf("--pong", pong) });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function bytesOf(name: string, hex: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})+$/i.test(hex)) {
    throw new UsageError(`${name} must be bytes in hexadecimal, got "${hex}"`);
  }
  return Uint8Array.from(hex.match(/../g)!, (byte) => parseInt(byte, 16));
}
