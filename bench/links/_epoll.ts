/**
 * Sockets and epoll of Linux through FFI: a client of 15,000 links has to cost
 * less than the server that it measures, and a runtime's own sockets do not.
 */

const libc = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
}).symbols;

const AF_INET = 2;
const SOCK_STREAM = 1;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const SOL_SOCKET = 1;
const SO_LINGER = 13;
const MSG_NOSIGNAL = 0x4000;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;

/** struct epoll_event is packed on x86-64 alone. */
const EVENT_BYTES = Deno.build.arch === "x86_64" ? 12 : 16;
const EVENT_FD = EVENT_BYTES - 8;
const MAX_EVENTS = 1024;

const ON = int32s(1);
/** On, 0 s: closing sends a reset, so that no port waits in TIME_WAIT for the next run. */
const NO_LINGER = int32s(1, 0);

/** A file that can be read, by its number. */
export type Fd = number;

/** Opens a connection and waits for it, which takes no time to speak of on loopback. */
export function dial(host: string, port: number): Fd {
  const fd = libc.socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) throw new Error("Cannot open a socket: is the limit of open files too low?");
  const address = new Uint8Array(16);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  address.set(host.split(".").map(Number), 4);
  if (libc.connect(fd, address, address.length) < 0) throw new Error(`Cannot connect to ${host}:${port}`);
  libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ON, ON.length);
  libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, NO_LINGER, NO_LINGER.length);
  return fd;
}

/** Sends a few bytes; false if the peer is gone. */
export function send(fd: Fd, bytes: Uint8Array<ArrayBuffer>): boolean {
  return Number(libc.send(fd, bytes, BigInt(bytes.length), MSG_NOSIGNAL)) === bytes.length;
}

/** Reads what is there; 0 or less at the end. */
export function read(fd: Fd, into: Uint8Array<ArrayBuffer>): number {
  return Number(libc.read(fd, into, BigInt(into.length)));
}

/** Closes it with a reset. */
export function close(fd: Fd): void {
  libc.close(fd);
}

/** Waits for many files to become readable. */
export class Poll {
  readonly #fd = libc.epoll_create1(0);
  readonly #events = new Uint8Array(EVENT_BYTES * MAX_EVENTS);
  readonly #view = new DataView(this.#events.buffer);

  /** Watches a file until it is closed. */
  add(fd: Fd): void {
    const event = new DataView(new ArrayBuffer(EVENT_BYTES));
    event.setUint32(0, EPOLLIN, true);
    event.setInt32(EVENT_FD, fd, true);
    if (libc.epoll_ctl(this.#fd, EPOLL_CTL_ADD, fd, new Uint8Array(event.buffer)) < 0) {
      throw new Error(`Cannot watch file ${fd}`);
    }
  }

  /** Calls back for each file that is readable, after at most `timeoutMs` (-1: no limit). */
  wait(timeoutMs: number, onReadable: (fd: Fd) => void): void {
    const count = libc.epoll_wait(this.#fd, this.#events, MAX_EVENTS, timeoutMs);
    for (let i = 0; i < count; i++) onReadable(this.#view.getInt32(i * EVENT_BYTES + EVENT_FD, true));
  }
}

function int32s(...values: number[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Int32Array.from(values).buffer);
}
