import { assert, assertEquals } from "@std/assert";
import { Command, freePort } from "./_command.ts";

for (const scheme of ["tcp", "ws"]) {
  Deno.test(`longlink serve and connect talk over ${scheme}, one line of JSON an event`, async () => {
    const url = `${scheme}://127.0.0.1:${await freePort()}`;
    await using server = new Command("serve", "--listen", url, "--push-every", "0.2", "--json");
    await using client = new Command("connect", url, "--send-every", "0.2", "--json");
    assertEquals((await client.event("push", 3)).n, 3);
    await client.event("sent", 1);
    await server.event("received", 1);
    const numbers = client.seen.filter(({ event }) => event === "push").map(({ n }) => n!);
    assertEquals(numbers, numbers.map((_, index) => numbers[0]! + index));
    assertEquals(client.seen.filter(({ event }) => event === "up").length, 1);
    for (const { atMs } of client.seen) assert(Number.isInteger(atMs) && atMs >= 0);

    assertEquals(await client.end("SIGTERM"), 0);
    assertEquals((await server.event("down")).reason, "remoteClosed");
    assertEquals(await server.end("SIGINT"), 0);
  });
}

Deno.test("longlink connect is back by itself when the server is, and takes its new numbers", async () => {
  const port = await freePort();
  const url = `tcp://127.0.0.1:${port}`;
  await using client = new Command("connect", url, "--json");
  {
    await using server = new Command(
      "serve",
      "--listen",
      url,
      "--push-every",
      "0.1",
      "--drain",
      "0",
      "--json",
    );
    await client.event("push", 2);
    await server.end("SIGTERM");
  }
  assertEquals((await client.event("down")).reason, "remoteClosed");
  await using server = new Command("serve", "--listen", url, "--push-every", "0.1", "--json");
  client.seen.length = 0;
  await client.event("up");
  // Another start of the server counts from 1 again.
  assertEquals((await client.event("push")).n, 1);
  await server.event("push", 1);
});
