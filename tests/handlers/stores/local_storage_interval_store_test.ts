import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { LocalStorageIntervalStore } from "../../../handlers/mod.ts";
import { SmallStorage } from "./_small_storage.ts";
import { recordOf, storeSuite } from "./_store_suite.ts";

storeSuite("LocalStorageIntervalStore", () => {
  const storage = new SmallStorage();
  return {
    store: new LocalStorageIntervalStore({ storage }),
    reopen: () => new LocalStorageIntervalStore({ storage }),
  };
});

// The runtime's own Web Storage, the kind that leaves nothing behind.
storeSuite("LocalStorageIntervalStore(sessionStorage)", () => {
  const prefix = `${crypto.randomUUID()}:`;
  const open = () => new LocalStorageIntervalStore({ storage: sessionStorage, prefix });
  return { store: open(), reopen: open, dispose: () => sessionStorage.clear() };
});

Deno.test("LocalStorageIntervalStore.set() forgets what was learned first, and leaves the site's keys alone", () => {
  const storage = new SmallStorage();
  storage.setItem("theme", "dark");
  const store = new LocalStorageIntervalStore({ storage, maxNetworks: 2 });
  for (const [atMs, network] of [[3, "c"], [1, "a"], [2, "b"], [1, "b"]] as const) {
    store.set(network, recordOf({ atMs }));
  }
  assertEquals(["a", "b", "c"].map((network) => store.get(network)?.atMs), [undefined, 1, 3]);
  store.set("d", recordOf({ atMs: 4 }));
  assertEquals([...storage.rows.keys()].sort(), ["longlink:interval:c", "longlink:interval:d", "theme"]);
});

Deno.test("LocalStorageIntervalStore.set() takes room from its oldest where there is none left", () => {
  const size = "longlink:interval:a".length + JSON.stringify(recordOf()).length;
  const storage = new SmallStorage(3 * size);
  storage.setItem("x".repeat(size), "");
  const store = new LocalStorageIntervalStore({ storage });
  for (const network of ["b", "a"]) store.set(network, recordOf());
  store.set("b", recordOf({ atMs: recordOf().atMs + 1 }));
  store.set("c", recordOf());
  assertEquals(["a", "b", "c"].map((network) => store.get(network) !== undefined), [false, true, true]);
});

Deno.test("LocalStorageIntervalStore.set() throws what the storage throws where nothing of its own is left", () => {
  const storage = new SmallStorage(10);
  storage.setItem("theme", "dark");
  const store = new LocalStorageIntervalStore({ storage });
  const error = assertThrows(() => store.set("home", recordOf()), DOMException);
  assertEquals(error.name, "QuotaExceededError");
  assertEquals([...storage.rows], [["theme", "dark"]]);
});

Deno.test("LocalStorageIntervalStore.get() refuses garbage with the reason, and set() takes its place", () => {
  const storage = new SmallStorage();
  const store = new LocalStorageIntervalStore({ storage, prefix: "p:" });
  storage.setItem("p:home", '{"strategy":');
  const error = assertThrows(
    () => store.get("home"),
    TypeError,
    'Cannot use what is stored of the network "home": it is no JSON',
  );
  assertEquals((error.cause as Error).name, "SyntaxError");
  storage.setItem("p:home", JSON.stringify({ ...recordOf(), direction: "sideways" }));
  assertThrows(() => store.get("home"), TypeError, 'direction must be "push" or "client", got "sideways"');
  store.set("home", recordOf());
  assertEquals(store.get("home"), recordOf());
});

Deno.test("LocalStorageIntervalStore.set() lets garbage go first", () => {
  const storage = new SmallStorage();
  const store = new LocalStorageIntervalStore({ storage, prefix: "", maxNetworks: 2 });
  store.set("old", recordOf({ atMs: 1 }));
  storage.setItem("garbage", "]");
  store.set("new", recordOf());
  assertEquals([...storage.rows.keys()].sort(), ["new", "old"]);
});

Deno.test("LocalStorageIntervalStore() says that there is no localStorage, or that it is refused", () => {
  const refusal = new DOMException("The operation is insecure", "SecurityError");
  const kept = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
  const wanted = "Cannot make the store: there is no localStorage here, and no storage was given";
  try {
    Object.defineProperty(globalThis, "localStorage", { configurable: true, get: () => undefined });
    assertThrows(() => new LocalStorageIntervalStore(), TypeError, wanted);
    const get = () => {
      throw refusal;
    };
    Object.defineProperty(globalThis, "localStorage", { configurable: true, get });
    assertStrictEquals(assertThrows(() => new LocalStorageIntervalStore(), TypeError, wanted).cause, refusal);
    const storage = new SmallStorage();
    Object.defineProperty(globalThis, "localStorage", { configurable: true, get: () => storage });
    new LocalStorageIntervalStore().set("home", recordOf());
    assertEquals([...storage.rows.keys()], ["longlink:interval:home"]);
  } finally {
    if (kept !== undefined) Object.defineProperty(globalThis, "localStorage", kept);
  }
  for (const maxNetworks of [0, 1.5, NaN, Infinity]) {
    const storage = new SmallStorage();
    assertThrows(
      () => new LocalStorageIntervalStore({ storage, maxNetworks }),
      RangeError,
      `got ${maxNetworks}`,
    );
  }
});
