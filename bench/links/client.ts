/**
 * The other end of all servers: opens links, keeps them alive, counts what
 * arrives. `client.ts DIALECT HOST PORT`, then commands on stdin, one a line;
 * each is answered with a line of JSON.
 *
 * - `connect LINKS BEAT_MS spread|together`: says how long it took until all were up
 * - `expect BYTES`: says when that much has come on every link
 * - `drop`: cuts all links
 */

import { DIALECTS } from "./_dialects.ts";
import { close, dial, type Fd, Poll, read, send } from "./_epoll.ts";

/** Links that are not up yet at any time: below every server's backlog, so that none waits for a retransmission. */
const IN_FLIGHT = 100;
const STDIN = 0;

const [name, host, portText] = Deno.args;
const dialect = DIALECTS[name!]!;
const port = Number(portText);
const poll = new Poll();
const buffer = new Uint8Array(64 * 1024);

/** By file number. */
const steps: number[] = [];
const isUp: boolean[] = [];
const received: number[] = [];

let links: Fd[] = [];
let wanted = 0;
let up = 0;
let startedMs = 0;
let beatMs = 0;
let isSpread = false;
/** When the link at the cursor is to beat, where the client's clock does that. */
let cursor = 0;
let nextBeatMs = Infinity;
let expectedBytes = Infinity;
let arrived = 0;
let line = "";

poll.add(STDIN);
for (;;) {
  const leftMs = nextBeatMs - performance.now();
  poll.wait(leftMs === Infinity ? -1 : Math.max(0, Math.ceil(leftMs)), onReadable);
  while (performance.now() >= nextBeatMs) beatNext();
}

function onReadable(fd: Fd): void {
  const count = read(fd, buffer);
  if (fd === STDIN) return count > 0 ? commands(buffer.subarray(0, count)) : Deno.exit();
  if (count <= 0) {
    console.log(JSON.stringify({ error: `the server ended a link, ${up} of ${wanted} were up` }));
    Deno.exit(1);
  }
  const bytes = buffer.subarray(0, count);
  if (!isUp[fd]) return handshake(fd, bytes);
  const before = received[fd]!;
  received[fd] = before + count;
  if (before < expectedBytes && before + count >= expectedBytes && ++arrived === links.length) {
    say({ arrivedMs: performance.timeOrigin + performance.now() });
  }
  const answer = dialect.answer(bytes, beatMs);
  if (answer !== undefined) send(fd, answer);
}

function handshake(fd: Fd, bytes: Uint8Array<ArrayBuffer>): void {
  const next = dialect.next(steps[fd]!, bytes);
  if (next === "wait") return;
  if (next !== "up") {
    steps[fd]!++;
    send(fd, next);
    return;
  }
  isUp[fd] = true;
  received[fd] = 0;
  // Spread over the first interval, as the beats of clients that came at different times are.
  const first = dialect.firstBeat?.(isSpread ? Math.ceil(beatMs * (up + 1) / wanted) : beatMs);
  if (first !== undefined) send(fd, first);
  if (++up < wanted) return dialMore();
  say({ connectMs: performance.now() - startedMs });
  if (dialect.beat !== undefined && isSpread) nextBeatMs = performance.now() + beatMs / wanted;
}

function dialMore(): void {
  while (links.length < wanted && links.length - up < IN_FLIGHT) {
    const fd = dial(host!, port);
    links.push(fd);
    steps[fd] = 0;
    isUp[fd] = false;
    poll.add(fd);
    send(fd, dialect.opening);
  }
}

function beatNext(): void {
  send(links[cursor]!, dialect.beat!);
  cursor = (cursor + 1) % links.length;
  nextBeatMs += beatMs / links.length;
}

function commands(bytes: Uint8Array): void {
  const lines = (line + new TextDecoder().decode(bytes)).split("\n");
  line = lines.pop()!;
  for (const command of lines) obey(command.split(" "));
}

function obey([command, ...args]: string[]): void {
  if (command === "connect") {
    wanted = Number(args[0]);
    beatMs = Number(args[1]);
    isSpread = args[2] === "spread";
    startedMs = performance.now();
    dialMore();
  } else if (command === "expect") {
    for (const fd of links) received[fd] = 0;
    arrived = 0;
    expectedBytes = Number(args[0]);
    say({ expecting: links.length });
  } else if (command === "drop") {
    for (const fd of links) close(fd);
    links = [];
    up = 0;
    cursor = 0;
    nextBeatMs = Infinity;
    say({ dropped: true });
  }
}

function say(what: object): void {
  console.log(JSON.stringify(what));
}
