import { assertEquals, assertStrictEquals } from "@std/assert";
import { AddressOrder, mayBeSeveral } from "../../handlers/_address_order.ts";
import type { RemoteChoice, RemoteRace, RemoteSource } from "../../pipeline/mod.ts";

const { signal } = new AbortController();

/** What a source comes to for one try, in the order in which it would be tried. */
function orderOf(order: AddressOrder, source: RemoteSource): string[] {
  const arranged = order.arrange(source, undefined);
  const choice = typeof arranged === "function" ? arranged({ signal }) as RemoteChoice : arranged;
  return (choice as RemoteRace).remotes.map((remote) => typeof remote === "string" ? remote : remote.address);
}

Deno.test("AddressOrder keeps the source's order until it knows better", () => {
  assertEquals(orderOf(new AddressOrder(), ["a", "b", "c"]), ["a", "b", "c"]);
  assertEquals(orderOf(new AddressOrder(), () => ["b", { address: "a" }]), ["b", "a"]);
  assertEquals(orderOf(new AddressOrder(), { remotes: ["c", "a"] }), ["c", "a"]);
});

Deno.test("AddressOrder begins with the address that gave the last link", () => {
  const order = new AddressOrder();
  order.won("c");
  assertEquals(orderOf(order, ["a", "b", "c"]), ["c", "a", "b"]);
  order.won("b");
  assertEquals(orderOf(order, ["a", "b", "c"]), ["b", "a", "c"]);
});

Deno.test("AddressOrder puts those that failed at the end, the last one last", () => {
  const order = new AddressOrder();
  order.failed("a");
  order.failed("b");
  assertEquals(orderOf(order, ["a", "b", "c"]), ["c", "a", "b"]);
  order.failed("a");
  assertEquals(orderOf(order, ["a", "b", "c"]), ["c", "b", "a"]);
  order.won("a");
  assertEquals(orderOf(order, ["a", "b", "c"]), ["a", "c", "b"]);
  // Also the one that gave a link: it came to nothing.
  order.failed("a");
  assertEquals(orderOf(order, ["a", "b", "c"]), ["c", "b", "a"]);
});

Deno.test("AddressOrder forgets an address that is not in the list any more", () => {
  const order = new AddressOrder();
  order.won("a");
  order.failed("b");
  assertEquals(orderOf(order, ["c", "b"]), ["c", "b"]);
  assertEquals(orderOf(order, ["c", "b", "a"]), ["c", "a", "b"]);
  assertEquals(orderOf(order, ["c"]), ["c"]);
  assertEquals(orderOf(order, ["c", "b", "a"]), ["c", "b", "a"]);
});

Deno.test("AddressOrder is told by the race which have failed, and tells the source", async () => {
  const order = new AddressOrder();
  const told: string[] = [];
  const race: RemoteRace = { remotes: ["a", "b"], onFailed: (address) => void told.push(address) };
  const arranged = order.arrange(() => Promise.resolve(race), 70) as () => Promise<RemoteRace>;
  const { delayMs, onFailed } = await arranged();
  onFailed!("a");
  assertEquals([delayMs, told, orderOf(order, race)], [70, ["a"], ["b", "a"]]);
});

Deno.test("AddressOrder leaves the delay of a race alone", () => {
  const order = new AddressOrder();
  assertEquals((order.arrange({ remotes: ["a"], delayMs: 10 }, 70) as RemoteRace).delayMs, 10);
  assertEquals((order.arrange(["a"], undefined) as RemoteRace).delayMs, undefined);
});

Deno.test("AddressOrder does not touch the list it is given, nor a single remote", () => {
  const order = new AddressOrder();
  order.failed("a");
  const list = Object.freeze(["a", "b"]);
  orderOf(order, list);
  const remote = { address: "a", credentials: {} };
  assertStrictEquals(order.arrange(remote, 70), remote);
});

Deno.test("mayBeSeveral() tells sources that need an order", () => {
  assertEquals([["a"], { remotes: ["a"] }, () => "a"].map((source) => mayBeSeveral(source)), [
    true,
    true,
    true,
  ]);
  assertEquals(["a", { address: "a" }].map((source) => mayBeSeveral(source)), [false, false]);
  assertEquals(mayBeSeveral(undefined as unknown as RemoteSource), false);
});
