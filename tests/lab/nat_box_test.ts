import { connect, createServer, type Socket } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { VirtualEventLoop } from "../../mod.ts";
import { type NatEvent, type NatMode, startNatBox } from "./nat_box.ts";

/** One end of a link, and what it was told. */
class End {
  text = "";
  #changed = Promise.withResolvers<void>();

  constructor(readonly socket: Socket) {
    socket.on("data", (bytes) => this.#told(bytes.toString()));
    socket.on("end", () => this.#told("<end>"));
    socket.on("error", () => this.#told("<reset>"));
  }

  async heard(text: string): Promise<void> {
    while (this.text !== text) await this.#changed.promise;
  }

  #told(text: string): void {
    this.text += text;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** A client and a server with a box between them. The sockets are real, the box's clock is not. */
async function linkThrough(mode: NatMode) {
  const loop = new VirtualEventLoop();
  const events: NatEvent[] = [];
  let changed = Promise.withResolvers<void>();
  const accepted = Promise.withResolvers<End>();
  const server = createServer((socket) => accepted.resolve(new End(socket)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const box = await startNatBox({
    listen: "tcp://127.0.0.1:0",
    target: `tcp://127.0.0.1:${(server.address() as { port: number }).port}`,
    natTimeoutMs: 1_000,
    mode,
    loop,
    onEvent: (event) => {
      events.push(event);
      changed.resolve();
      changed = Promise.withResolvers();
    },
  });
  const client = new End(connect(Number(box.address.split(":").at(-1)), "127.0.0.1"));
  const peer = await accepted.promise;
  return {
    loop,
    events,
    box,
    client,
    peer,
    async event(wanted: NatEvent): Promise<void> {
      const isThere = () => events.some((event) => isDeepStrictEqual(event, wanted));
      while (!isThere()) await changed.promise;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      client.socket.destroy();
      peer.socket.destroy();
      await box.close();
      await closed;
      assertEquals(loop.pendingTimers, 0);
    },
  };
}

for (const mode of ["strict", "loose"] as const) {
  Deno.test(`startNatBox() relays both ways while the link is not idle for too long (${mode})`, async () => {
    await using link = await linkThrough(mode);
    const { client, peer, loop } = link;
    client.socket.write("ping");
    await peer.heard("ping");
    loop.advanceBy(999);
    peer.socket.write("pong");
    await client.heard("pong");
    loop.advanceBy(999);
    client.socket.end();
    await peer.heard("ping<end>");
    await link.event({ type: "closed", link: 1 });
    assertEquals(link.events.map(({ type }) => type), ["opened", "closed"]);
  });

  Deno.test(`startNatBox() passes a reset on while the entry is alive (${mode})`, async () => {
    await using link = await linkThrough(mode);
    link.client.socket.write("hello");
    await link.peer.heard("hello");
    link.client.socket.resetAndDestroy();
    await link.peer.heard("hello<reset>");
  });
}

Deno.test("startNatBox() swallows both sides after expiry in strict mode, and tells nobody", async () => {
  await using link = await linkThrough("strict");
  const { client, peer, loop } = link;
  client.socket.write("a");
  await peer.heard("a");
  loop.advanceBy(1_000);
  await link.event({ type: "forgotten", link: 1 });
  client.socket.write("lost");
  await link.event({ type: "swallowed", link: 1, from: "client", bytes: 4 });
  peer.socket.write("gone too");
  await link.event({ type: "swallowed", link: 1, from: "server", bytes: 8 });
  client.socket.end();
  await link.event({ type: "swallowed", link: 1, from: "client", bytes: 0 });
  // The server goes on believing in its link, and is still not told.
  peer.socket.write("hello?");
  await link.event({ type: "swallowed", link: 1, from: "server", bytes: 6 });
  assertEquals(peer.text, "a");
});

Deno.test("startNatBox() revives a forgotten link for a client in loose mode", async () => {
  await using link = await linkThrough("loose");
  const { client, peer, loop } = link;
  client.socket.write("a");
  await peer.heard("a");
  loop.advanceBy(1_000);
  client.socket.write("b");
  await peer.heard("ab");
  await link.event({ type: "revived", link: 1 });
  peer.socket.write("c");
  await client.heard("c");
});

Deno.test("startNatBox() resets a push after expiry in loose mode, and the client when it speaks next", async () => {
  await using link = await linkThrough("loose");
  const { client, peer, loop } = link;
  client.socket.write("a");
  await peer.heard("a");
  loop.advanceBy(1_000);
  peer.socket.write("push");
  await link.event({ type: "reset", link: 1, from: "server", bytes: 4 });
  await peer.heard("a<reset>");
  assertEquals(client.text, "");
  client.socket.write("ping");
  await client.heard("<reset>");
  await link.event({ type: "closed", link: 1 });
});

Deno.test("startNatBox() refuses a timeout that is not above 0", async () => {
  await assertRejects(
    () =>
      startNatBox({
        listen: "tcp://127.0.0.1:0",
        target: "tcp://127.0.0.1:9",
        natTimeoutMs: 0,
        mode: "strict",
      }),
    RangeError,
    "Cannot start the NAT box: natTimeoutMs must be finite and above 0, got 0",
  );
});

Deno.test("NatBox.change() counts for links that stand", async () => {
  await using link = await linkThrough("strict");
  const { client, peer, loop, box } = link;
  client.socket.write("a");
  await peer.heard("a");
  box.change({ natTimeoutMs: 3_000, mode: "strict" });
  loop.advanceBy(2_000);
  client.socket.write("b");
  await peer.heard("ab");
  box.change({ natTimeoutMs: 500, mode: "loose" });
  loop.advanceBy(600);
  client.socket.write("c");
  await link.event({ type: "revived", link: 1 });
  await peer.heard("abc");
  assertThrows(
    () => box.change({ natTimeoutMs: 0, mode: "strict" }),
    RangeError,
    "Cannot change the NAT box",
  );
});

Deno.test("NatBox.cut() swallows both ways, whatever the mode, and tells neither end", async () => {
  await using link = await linkThrough("loose");
  const { client, peer, box } = link;
  client.socket.write("a");
  await peer.heard("a");
  box.cut();
  client.socket.write("bc");
  peer.socket.write("d");
  await link.event({ type: "swallowed", link: 1, from: "client", bytes: 2 });
  await link.event({ type: "swallowed", link: 1, from: "server", bytes: 1 });
  assertEquals([client.text, peer.text], ["", "a"]);
});
