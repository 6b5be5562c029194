/** Who is measured, and how each is started. */

import type { Runtimes } from "./_peers.ts";

/** A server and what its clients speak. */
export interface Contender {
  readonly name: string;
  readonly command: readonly string[];
  readonly dialect: string;
  /** Before the host. */
  readonly argument: (beatMs: number) => string;
}

/** A table's row: this library, and by name who is set against it. */
export interface Pairing {
  readonly name: string;
  readonly ours: Contender;
  readonly peers: Readonly<Record<string, Contender>>;
}

/** All pairings. Everybody is compared with the servers that one would use on Node. */
export function pairings({ node, deno, netty }: Runtimes): Pairing[] {
  const longlink = (name: string, command: string[], scheme: string, dialect: string): Contender => ({
    name,
    command,
    dialect,
    argument: () => scheme,
  });
  const bare = (name: string, command: string[], kind: string, dialect = "ping"): Contender => ({
    name,
    command,
    dialect,
    argument: () => kind,
  });
  const beating = { argument: (beatMs: number) => String(beatMs) };
  const peers: Record<string, Contender> = {
    ws: { name: "ws", command: node("ws"), dialect: "ws", ...beating },
    "socket.io": { name: "socket.io", command: node("socket_io"), dialect: "socketIo", ...beating },
    ...(netty === undefined ? {} : { Netty: { name: "Netty", command: netty, dialect: "ping", ...beating } }),
  };
  return [
    {
      name: "TCP, Node",
      ours: longlink("TCP, Node", node("longlink"), "tcp", "longlink"),
      peers: { bare: bare("node:net, Node", node("bare"), "net"), ...peers },
    },
    {
      name: "TCP, Deno",
      ours: longlink("TCP, Deno", deno("longlink"), "tcp", "longlink"),
      peers: {
        bare: bare("node:net, Deno", deno("bare"), "net"),
        "Deno.listen": bare("Deno.listen", deno("bare"), "denoTcp"),
        ...peers,
      },
    },
    {
      name: "WebSocket, Node",
      ours: longlink("WebSocket, Node", node("longlink"), "ws", "longlinkWs"),
      peers: { bare: { ...bare("ws without pings", node("ws"), "0", "ws") }, ...peers },
    },
    {
      name: "WebSocket, Deno",
      ours: longlink("WebSocket, Deno", deno("longlink"), "ws", "longlinkWs"),
      peers: { bare: bare("Deno.serve", deno("bare"), "denoWs", "ws"), ...peers },
    },
  ];
}
