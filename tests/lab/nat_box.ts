/**
 * A NAT to put between a client and a server: a TCP relay on loopback that
 * forgets idle links.
 *
 * @module
 */

import { createServer, type Server } from "node:net";
import { type EventLoop, systemEventLoop } from "../../mod.ts";
import { parseHostPort } from "../../pipeline/transports/_address.ts";
import type { NatMode, NatSide } from "./_nat_entry.ts";
import { NatLink } from "./_nat_link.ts";

export type { NatMode, NatSide } from "./_nat_entry.ts";

/** What happened in the box. Links are numbered from 1. */
export type NatEvent =
  /** A client has come. */
  | { readonly type: "opened"; readonly link: number }
  /** The link was idle for too long; its ends are not told. */
  | { readonly type: "forgotten"; readonly link: number }
  /** A client's packet got through although the link was forgotten. */
  | { readonly type: "revived"; readonly link: number }
  /** A packet vanished. */
  | { readonly type: "swallowed"; readonly link: number; readonly from: NatSide; readonly bytes: number }
  /** A packet vanished, and its sender got a RST. */
  | { readonly type: "reset"; readonly link: number; readonly from: NatSide; readonly bytes: number }
  /** Both ends are gone. */
  | { readonly type: "closed"; readonly link: number };

/** Options of {@linkcode startNatBox}. */
export interface NatBoxOptions {
  /** Where clients connect to: `tcp://host:port`, port 0 for any free one. */
  readonly listen: string;
  /** The server behind it: `tcp://host:port`. */
  readonly target: string;
  /** After how long without a byte in either direction a link is forgotten, ms, above 0. */
  readonly natTimeoutMs: number;
  /** `strict`: packets on a forgotten link vanish. `loose`: a client's packet revives it, a server's is reset. */
  readonly mode: NatMode;
  /** Gets everything that happens. */
  readonly onEvent?: (event: NatEvent) => void;
  /** Clock and timers. Default: the shared loop. */
  readonly loop?: EventLoop;
}

/** A running box. */
export interface NatBox extends AsyncDisposable {
  /** Where clients connect to, with the real port. */
  readonly address: string;
  /**
   * Remembers links for another time, or treats forgotten ones in another way, from the next packet on.
   *
   * @throws {RangeError} If the timeout is not above 0.
   */
  change(settings: { readonly natTimeoutMs: number; readonly mode: NatMode }): void;
  /** Lets everything on the links of now vanish, as a cut cable does; new ones work. Their ends are not told. */
  cut(): void;
  /** Ends all links and stops listening. */
  close(): Promise<void>;
}

/**
 * Starts a box.
 *
 * @throws {RangeError} If the timeout is not above 0.
 * @throws {TypeError} If an address cannot be parsed.
 * @throws {Error} What the platform says if the address cannot be had.
 */
export async function startNatBox(options: NatBoxOptions): Promise<NatBox> {
  const { listen, target, onEvent = () => {}, loop = systemEventLoop() } = options;
  // One for all links, which look at each packet, so that it can be changed under them.
  const entry = { loop, ...checked("start", options) };
  const { host, port } = parseHostPort(listen, ["tcp"], 0);
  const server = parseHostPort(target, ["tcp"], 1);
  const links = new Set<NatLink>();
  let opened = 0;
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) => {
    const number = ++opened;
    onEvent({ type: "opened", link: number });
    const link: NatLink = new NatLink({
      client,
      target: server,
      entry,
      onEvent: (event) => {
        if (event.type === "closed") links.delete(link);
        onEvent({ ...event, link: number });
      },
    });
    links.add(link);
  });
  await listening(listener, host, port);
  const close = async () => {
    const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
    for (const link of [...links]) link.close();
    await closed;
  };
  let closed: Promise<void> | undefined;
  const closeOnce = () => closed ??= close();
  return {
    address: `tcp://${host.includes(":") ? `[${host}]` : host}:${
      (listener.address() as { port: number }).port
    }`,
    change: (settings) => void Object.assign(entry, checked("change", settings)),
    cut: () => {
      for (const link of links) link.cut();
    },
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  };
}

function checked(
  action: string,
  { natTimeoutMs, mode }: { readonly natTimeoutMs: number; readonly mode: NatMode },
): { timeoutMs: number; mode: NatMode } {
  if (!(natTimeoutMs > 0 && natTimeoutMs < Infinity)) {
    throw new RangeError(
      `Cannot ${action} the NAT box: natTimeoutMs must be finite and above 0, got ${natTimeoutMs}`,
    );
  }
  return { timeoutMs: natTimeoutMs, mode };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
