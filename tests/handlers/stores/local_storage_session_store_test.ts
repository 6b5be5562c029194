import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { LocalStorageSessionStore, SessionTakenError, StorageFullError } from "../../../handlers/mod.ts";
import { bytesOf, changeOf, sessionOf, sessionStoreSuite, textsOf } from "./_session_store_suite.ts";
import { SmallStorage } from "./_small_storage.ts";

sessionStoreSuite("LocalStorageSessionStore", () => {
  const storage = new SmallStorage();
  return {
    store: new LocalStorageSessionStore({ storage }),
    reopen: () => new LocalStorageSessionStore({ storage }),
  };
});

// The runtime's own Web Storage, the kind that leaves nothing behind.
sessionStoreSuite("LocalStorageSessionStore(sessionStorage)", () => {
  const open = () => new LocalStorageSessionStore({ storage: sessionStorage, prefix: "test:" });
  return { store: open(), reopen: open, dispose: () => sessionStorage.clear() };
});

Deno.test("LocalStorageSessionStore says that the storage is full, and leaves what is there", () => {
  const storage = new SmallStorage(1_000);
  const store = new LocalStorageSessionStore({ storage });
  const claim = store.create("phone", sessionOf({ messages: bytesOf("a") }));
  const before = [...storage.rows];
  const messages = [new Uint8Array(1_000)];
  const error = assertThrows(
    () => store.update("phone", claim, changeOf({ received: 1, messages })),
    StorageFullError,
    'Cannot keep the session "phone": there is no room left',
  );
  assertEquals([error.name, error.key, (error.cause as Error).name], [
    "StorageFullError",
    "phone",
    "QuotaExceededError",
  ]);
  assertThrows(() => store.create("phone", sessionOf({ messages })), StorageFullError);
  assertEquals([...storage.rows], before);
  store.update("phone", claim, changeOf({ received: 1, acknowledged: 1 }));
  storage.room = 0;
  assertThrows(() => store.claim("phone"), StorageFullError);
});

Deno.test("LocalStorageSessionStore passes on what else the storage throws", () => {
  const storage = new SmallStorage();
  const store = new LocalStorageSessionStore({ storage });
  const refusal = new DOMException("The operation is insecure", "SecurityError");
  storage.setItem = () => {
    throw refusal;
  };
  assertStrictEquals(assertThrows(() => store.create("phone", sessionOf()), DOMException), refusal);
});

Deno.test("LocalStorageSessionStore.claim() refuses garbage with the reason, and create() takes its place", () => {
  const storage = new SmallStorage();
  const store = new LocalStorageSessionStore({ storage, prefix: "p:" });
  const claim = store.create("phone", sessionOf({ messages: bytesOf("a") }));
  const row = JSON.parse(storage.getItem("p:phone")!);
  const cases: [string, string][] = [
    ["", "it is no JSON of an object"],
    ["{", "it is no JSON of an object"],
    ["null", "it is no JSON of an object"],
    ["7", "it is no JSON of an object"],
    ["{}", "its version must be 1, got undefined"],
    [JSON.stringify({ ...row, version: 2 }), "its version must be 1, got 2"],
    [JSON.stringify({ ...row, claim: null }), "its claim must be a whole number, got null"],
    [JSON.stringify({ ...row, messages: "a" }), 'messages must be a list, got "a"'],
    [JSON.stringify({ ...row, messages: ["%"] }), "a message is no base64"],
    [JSON.stringify({ ...row, received: -1 }), "received must be a whole number of 0 or more, got -1"],
    [JSON.stringify({ ...row, id: 5 }), "id must be 32 hexadecimal digits, got 5"],
  ];
  for (const [text, reason] of cases) {
    storage.setItem("p:phone", text);
    for (let i = 0; i < 2; i++) {
      assertThrows(
        () => store.claim("phone"),
        TypeError,
        `Cannot use what is stored of the session "phone": ${reason}`,
      );
    }
    // What a message holds is looked at only when it is needed.
    if (reason !== "a message is no base64") {
      assertThrows(() => store.update("phone", claim, changeOf()), SessionTakenError);
      store.remove("phone", claim);
    }
    assertEquals(storage.getItem("p:phone"), text);
    store.create("phone", sessionOf());
    assertEquals(store.claim("phone")?.record, sessionOf());
  }
});

Deno.test("LocalStorageSessionStore.expire() leaves the site's keys alone, and takes garbage along", () => {
  const storage = new SmallStorage();
  const store = new LocalStorageSessionStore({ storage });
  storage.setItem("theme", "dark");
  for (const [i, text] of ["]", "null", "{}", '{"version":2,"atMs":5}', '{"version":2,"atMs":9}'].entries()) {
    storage.setItem(`longlink:session:${i}`, text);
  }
  store.create("old", sessionOf({ atMs: 6 }));
  store.create("new", sessionOf({ atMs: 7 }));
  assertEquals(store.expire(7), 5);
  assertEquals([...storage.rows.keys()].sort(), ["longlink:session:4", "longlink:session:new", "theme"]);
});

Deno.test("LocalStorageSessionStore keeps bytes of every value and length", () => {
  const store = new LocalStorageSessionStore({ storage: new SmallStorage() });
  const messages = [0, 1, 2, 3, 8_191, 8_192, 8_193, 50_000].map((length) =>
    Uint8Array.from({ length }, (_, i) => i * 7)
  );
  store.create("phone", sessionOf({ messages }));
  assertEquals(store.claim("phone")?.record.messages, messages);
});

Deno.test("LocalStorageSessionStore() says that there is no localStorage", () => {
  const kept = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
  const wanted = "Cannot make the store: there is no localStorage here, and no storage was given";
  try {
    const refusal = new DOMException("The operation is insecure", "SecurityError");
    const get = () => {
      throw refusal;
    };
    Object.defineProperty(globalThis, "localStorage", { configurable: true, get });
    assertStrictEquals(assertThrows(() => new LocalStorageSessionStore(), TypeError, wanted).cause, refusal);
    const storage = new SmallStorage();
    Object.defineProperty(globalThis, "localStorage", { configurable: true, get: () => storage });
    const store = new LocalStorageSessionStore();
    store.update("chat", store.create("chat", sessionOf()), changeOf({ messages: bytesOf("a") }));
    assertEquals([...storage.rows.keys()], ["longlink:session:chat"]);
    assertEquals(textsOf(store.claim("chat")?.record.messages), ["a"]);
  } finally {
    // Node 20 has none.
    if (kept === undefined) Reflect.deleteProperty(globalThis, "localStorage");
    else Object.defineProperty(globalThis, "localStorage", kept);
  }
});
