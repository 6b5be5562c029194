import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { MemorySessionStore, SessionTakenError } from "../../../handlers/mod.ts";
import { bytesOf, changeOf, sessionOf, sessionStoreSuite } from "./_session_store_suite.ts";

sessionStoreSuite("MemorySessionStore", () => ({ store: new MemorySessionStore() }));

Deno.test("MemorySessionStore.create() forgets the session that was not used for longest", () => {
  const store = new MemorySessionStore({ maxSessions: 2 });
  const first = store.create("a", sessionOf());
  const second = store.create("b", sessionOf());
  store.update("a", first, changeOf());
  store.create("c", sessionOf());
  assertEquals([store.size, store.evicted], [2, 1]);
  assertThrows(() => store.update("b", second, changeOf()), SessionTakenError);
  store.claim("a");
  store.create("d", sessionOf());
  assertEquals(["a", "b", "c", "d"].map((key) => store.claim(key) !== undefined), [true, false, false, true]);
  store.create("a", sessionOf());
  assertEquals([store.size, store.evicted], [2, 2]);
});

Deno.test("MemorySessionStore.expire() is counted", () => {
  const store = new MemorySessionStore();
  for (let atMs = 0; atMs < 10; atMs++) store.create(`${atMs}`, sessionOf({ atMs }));
  assertEquals([store.expire(3), store.expire(5), store.expired, store.size], [3, 2, 5, 5]);
});

Deno.test("MemorySessionStore.update() keeps the very bytes, so that they are in memory once", () => {
  const store = new MemorySessionStore();
  const [message] = bytesOf("a");
  store.update("phone", store.create("phone", sessionOf()), changeOf({ messages: [message!] }));
  assertStrictEquals(store.claim("phone")?.record.messages[0], message);
});

Deno.test("MemorySessionStore() refuses to keep none", () => {
  for (const maxSessions of [0, -1, 1.5, NaN]) {
    assertThrows(() => new MemorySessionStore({ maxSessions }), RangeError, `got ${maxSessions}`);
  }
  assertEquals(new MemorySessionStore({ maxSessions: Infinity }).size, 0);
});
