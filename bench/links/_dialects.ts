/**
 * Just enough of each protocol for the client to open links, answer or send
 * heartbeats and count what comes: prepared bytes and a look at the first
 * bytes of what was read, no parser. On loopback a small frame arrives whole.
 */

type Bytes = Uint8Array<ArrayBuffer>;

/** How the client speaks. */
export interface Dialect {
  /** What is sent in answer to what came while the link is not up; `step` counts the answers, from 0. */
  next(step: number, read: Bytes): Bytes | "wait" | "up";
  /** First on each link. */
  readonly opening: Bytes;
  /** What an idle link answers to what came, if anything. */
  answer(read: Bytes, beatMs: number): Bytes | undefined;
  /** What starts a link's beats, where the client or a hold does them: the first is due after `firstMs`. */
  firstBeat?(firstMs: number): Bytes;
  /** What the client sends at each beat by a clock of its own. */
  readonly beat?: Bytes;
}

const PING = 0;
const HOLD = 2;
/** How long a peer may be silent, ms; more than any beat here. */
const ANNOUNCED_MS = 3_600_000;

/** A heartbeat of docs/protocol.md, without its length. */
function heartbeat(kind: number, timeMs: number): Bytes {
  const bytes = Uint8Array.of(0xc7, 6, 76, 0, 0, 0, 0, 0, 0);
  new DataView(bytes.buffer).setUint32(3, (kind << 28 | Math.ceil(timeMs / 100) << 11 | 1 << 2) >>> 0);
  return bytes;
}

function framed(payload: Bytes): Bytes {
  return Uint8Array.of(payload.length, ...payload);
}

/** A client's WebSocket frame: masked, by zeros. */
function masked(opcode: number, payload: Bytes): Bytes {
  return Uint8Array.of(0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0, ...payload);
}

function ascii(text: string): Bytes {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function upgrade(path: string): Bytes {
  return ascii(
    `GET ${path} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
}

const BINARY = 2;
const TEXT = 1;
const WS_PING = 0x89;
const WS_PONG = masked(10, new Uint8Array(0));
const PINGED = heartbeat(PING, ANNOUNCED_MS);
/** Bytes of a heartbeat in a server's WebSocket frame. */
const WS_HEARTBEAT = 11;
const SOCKET_IO_CONNECT = masked(TEXT, ascii("40"));
const SOCKET_IO_PONG = masked(TEXT, ascii("3"));

/** Frames of every hold that is asked for are made once. */
const holds = new Map<string, Bytes>();
function hold(timeMs: number, wrap: "tcp" | "ws"): Bytes {
  const key = wrap + timeMs;
  let bytes = holds.get(key);
  if (bytes === undefined) {
    const beat = heartbeat(HOLD, timeMs);
    holds.set(key, bytes = wrap === "tcp" ? framed(beat) : masked(BINARY, beat));
  }
  return bytes;
}

/** By name. */
export const DIALECTS: Record<string, Dialect> = {
  /** Ten bytes, which come back. */
  echo: {
    opening: framed(PINGED),
    next: () => "up",
    answer: () => undefined,
  },
  /** Pings by the client's clock, as to a server that knows no holds. */
  ping: {
    opening: framed(PINGED),
    next: () => "up",
    answer: () => undefined,
    beat: framed(PINGED),
  },
  /** A ping, its answer, and from then on holds: what a settled client does. */
  longlink: {
    opening: framed(PINGED),
    next: (_step, read) => endsWithPong(read) ? "up" : "wait",
    firstBeat: (firstMs) => hold(firstMs, "tcp"),
    answer: (read, beatMs) => read.length === 10 ? hold(beatMs, "tcp") : undefined,
  },
  /** The same in WebSocket frames. */
  longlinkWs: {
    opening: upgrade("/"),
    next: (step, read) => {
      if (step === 0) return masked(BINARY, PINGED);
      return endsWithPong(read) ? "up" : "wait";
    },
    firstBeat: (firstMs) => hold(firstMs, "ws"),
    answer: (read, beatMs) => read.length === WS_HEARTBEAT ? hold(beatMs, "ws") : undefined,
  },
  /** Answers the server's pings. */
  ws: {
    opening: upgrade("/"),
    next: () => "up",
    answer: (read) => read[0] === WS_PING ? WS_PONG : undefined,
  },
  /** engine.io over WebSocket alone, and socket.io's own connect in it. */
  socketIo: {
    opening: upgrade("/socket.io/?EIO=4&transport=websocket"),
    next: (step, read) => {
      if (step === 0) return SOCKET_IO_CONNECT;
      return includes(read, "40{") ? "up" : "wait";
    },
    answer: (read) => read.length === 3 && read[2] === 0x32 ? SOCKET_IO_PONG : undefined,
  },
};

/** The hello before it may come in a packet of its own. */
function endsWithPong(read: Bytes): boolean {
  return read.at(-6)! >> 4 === 1;
}

function includes(bytes: Bytes, text: string): boolean {
  return String.fromCharCode(...bytes).includes(text);
}
