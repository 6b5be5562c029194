import { assertEquals, assertStringIncludes } from "@std/assert";
import { Command, freePort } from "./_command.ts";

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`longlink serve tells its clients when to come back on ${signal}, and ends in order`, async () => {
    const url = `tcp://127.0.0.1:${await freePort()}`;
    await using server = new Command("serve", "--listen", url, "--push-every", "0.05", "--json");
    await using client = new Command("connect", url, "--json");
    await client.event("push", 1);
    assertEquals(await server.end(signal), 0);
    assertEquals((await client.event("down")).reason, "remoteClosed");
    // Each push that the server has given is with the client.
    const given = server.seen.filter(({ event }) => event === "push").map(({ n }) => n!);
    await client.event("push", given.at(-1)!);
    assertStringIncludes(await server.errors, "Clients told when to come back: 1;");
  });
}

Deno.test("longlink serve ends at once on a second signal, whichever it is", async () => {
  const port = await freePort();
  await using server = new Command("serve", "--listen", `tcp://127.0.0.1:${port}`, "--drain", "600");
  assertStringIncludes(await server.line(), "listening on");
  using peer = await Deno.connect({ hostname: "127.0.0.1", port });
  await peer.write(Uint8Array.of(9, 0xc7, 6, 0x4c, 0, 0x4b, 0, 4, 0, 0)); // a ping
  const bytes = new Uint8Array(100);
  await peer.read(bytes);
  server.kill("SIGINT");
  // Ends its side, and waits 2 s for this one to do so as well.
  while (await peer.read(bytes) !== null);
  assertEquals(await server.end("SIGTERM"), 128 + 15);
});

Deno.test("longlink serve with --drain 0 just closes", async () => {
  const port = await freePort();
  await using server = new Command("serve", "--listen", `tcp://127.0.0.1:${port}`, "--drain", "0");
  await server.line();
  assertEquals(await server.end("SIGTERM"), 0);
  assertEquals(await server.errors, "");
});
