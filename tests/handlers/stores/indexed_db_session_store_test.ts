import { assertEquals, assertRejects } from "@std/assert";
import { IndexedDbSessionStore, SessionTakenError, StorageFullError } from "../../../handlers/mod.ts";
import { IDBFactory } from "./_fake_indexed_db.ts";
import { bytesOf, changeOf, sessionOf, sessionStoreSuite, textsOf } from "./_session_store_suite.ts";

sessionStoreSuite("IndexedDbSessionStore", () => {
  const factory = new IDBFactory();
  const stores: IndexedDbSessionStore[] = [];
  const open = () => {
    const store = new IndexedDbSessionStore({ factory });
    stores.push(store);
    return store;
  };
  return {
    store: open(),
    reopen: open,
    dispose: () => Promise.all(stores.map((store) => store.close())).then(),
  };
});

function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Does something to the database behind the store's back. */
async function behind<T>(
  factory: IDBFactory,
  body: (sessions: IDBObjectStore, messages: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await answerOf(factory.open("longlink-sessions")) as IDBDatabase;
  const transaction = database.transaction(["sessions", "messages"], "readwrite");
  const result = await answerOf(
    body(transaction.objectStore("sessions"), transaction.objectStore("messages")),
  );
  database.close();
  return result;
}

Deno.test("IndexedDbSessionStore.update() leaves no message behind that is not needed", async () => {
  const factory = new IDBFactory();
  await using store = new IndexedDbSessionStore({ factory });
  const claim = await store.create("phone", sessionOf({ messages: bytesOf(1, 2, 3) }));
  await store.update("phone", claim, changeOf({ acknowledged: 2, messages: bytesOf(4, 5) }));
  assertEquals(await behind(factory, (_, messages) => messages.getAllKeys()), [["phone", 3], ["phone", 4], [
    "phone",
    5,
  ]]);
  const other = await store.create("phone", sessionOf({ acknowledged: 7, messages: bytesOf(8) }));
  assertEquals(await behind(factory, (_, messages) => messages.getAllKeys()), [["phone", 8]]);
  await store.create("laptop", sessionOf({ messages: bytesOf(1), atMs: 5 }));
  await store.expire(6);
  await store.remove("phone", other);
  assertEquals(await behind(factory, (_, messages) => messages.count()), 0);
});

Deno.test("IndexedDbSessionStore.update() stores a part of a buffer without the rest", async () => {
  const factory = new IDBFactory();
  await using store = new IndexedDbSessionStore({ factory });
  const [message] = bytesOf("message");
  await store.create("phone", sessionOf({ messages: [message!.subarray(0, 1)] }));
  const stored = await behind(factory, (_, messages) => messages.get(["phone", 1])) as Uint8Array;
  assertEquals(stored.buffer.byteLength, 1);
});

Deno.test("IndexedDbSessionStore.claim() refuses garbage with the reason, and create() takes its place", async () => {
  const factory = new IDBFactory();
  await using store = new IndexedDbSessionStore({ factory });
  const claim = await store.create("phone", sessionOf({ messages: bytesOf("a", "b") }));
  const row = await behind(factory, (sessions) => sessions.get("phone")) as Record<string, unknown>;
  const cases: [unknown, string][] = [
    ["text", 'it must be an object, got "text"'],
    [null, "it must be an object, got null"],
    [{}, "its version must be 1, got undefined"],
    [{ ...row, version: 2 }, "its version must be 1, got 2"],
    [{ ...row, claim: "1" }, 'its claim must be a whole number, got "1"'],
    [{ ...row, last: -1 }, "last must be a whole number of 0 or more, got -1"],
    [{ ...row, received: -1 }, "received must be a whole number of 0 or more, got -1"],
    [{ ...row, last: 1e9 }, "not all of its 1000000000 messages are there"],
  ];
  for (const [value, reason] of cases) {
    await behind(factory, (sessions) => sessions.put(value, "phone"));
    for (let i = 0; i < 2; i++) {
      await assertRejects(
        () => store.claim("phone"),
        TypeError,
        `Cannot use what is stored of the session "phone": ${reason}`,
      );
    }
    if (!reason.startsWith("not all")) {
      await assertRejects(() => store.update("phone", claim, changeOf()), SessionTakenError);
      await store.remove("phone", claim);
      await store.create("phone", sessionOf());
      assertEquals((await store.claim("phone"))?.record, sessionOf());
    }
  }
  await behind(factory, (sessions) => sessions.put(row, "phone"));
  await behind(factory, (_, messages) => messages.delete(["phone", 2]));
  await assertRejects(() => store.claim("phone"), TypeError, "not all of its 2 messages are there");
  await behind(factory, (_, messages) => messages.put("text", ["phone", 2]));
  await assertRejects(() => store.claim("phone"), TypeError, 'messages[1] must be bytes, got "text"');
});

Deno.test("IndexedDbSessionStore.expire() takes garbage along, unless it is young", async () => {
  const factory = new IDBFactory();
  await using store = new IndexedDbSessionStore({ factory });
  await store.create("young", sessionOf({ atMs: 9 }));
  for (const [i, value] of ["text", null, {}, { version: 2, atMs: 5 }, { version: 2, atMs: 9 }].entries()) {
    await behind(factory, (sessions) => sessions.put(value, `${i}`));
  }
  assertEquals(await store.expire(8), 4);
  assertEquals(await behind(factory, (sessions) => sessions.getAllKeys()), ["4", "young"]);
});

Deno.test("IndexedDbSessionStore goes on when another tab, or the browser, has closed its connection", async () => {
  const factory = new IDBFactory();
  await using store = new IndexedDbSessionStore({ factory });
  await store.create("phone", sessionOf());
  // Waits for no connection to be open, so it ends only because the store closes its own.
  await answerOf(factory.deleteDatabase("longlink-sessions"));
  assertEquals(await store.claim("phone"), undefined);
  const claim = await store.create("phone", sessionOf());
  await store.close();
  await store.update("phone", claim, changeOf({ messages: bytesOf("a") }));
  assertEquals(textsOf((await store.claim("phone"))?.record.messages), ["a"]);
});

Deno.test("IndexedDbSessionStore opens its database again where a connection turns out to be dead", async () => {
  const factory = new IDBFactory();
  const connections: IDBDatabase[] = [];
  const open = (name: string, version?: number) => {
    const request = factory.open(name, version) as IDBOpenDBRequest;
    request.addEventListener("success", () => connections.push(request.result));
    return request;
  };
  await using store = new IndexedDbSessionStore({ factory: { open } });
  const claim = await store.create("phone", sessionOf());
  connections[0]!.close();
  await store.update("phone", claim, changeOf({ received: 1 }));
  assertEquals([(await store.claim("phone"))?.record.received, connections.length], [1, 2]);
});

Deno.test("IndexedDbSessionStore says that there is no indexedDB, that it is of a later version, or full", async () => {
  const store = new IndexedDbSessionStore({ database: "chat" });
  const none = 'Cannot open the database "chat": there is no indexedDB here, and no factory was given';
  for (let i = 0; i < 2; i++) await assertRejects(() => store.claim("chat"), TypeError, none);
  await store.close();

  const factory = new IDBFactory();
  const later = await answerOf(factory.open("chat", 2)) as IDBDatabase;
  later.close();
  await using old = new IndexedDbSessionStore({ database: "chat", factory });
  const wanted = 'Cannot open the database "chat": it is of a later version than 1';
  await assertRejects(() => old.create("chat", sessionOf()), TypeError, wanted);

  const full = new DOMException("no room", "QuotaExceededError");
  const open = (name: string, version?: number) => {
    const request = factory.open(name, version) as IDBOpenDBRequest;
    request.addEventListener("success", () => {
      const { transaction } = request.result;
      request.result.transaction = (...args) => {
        const begun = transaction.apply(request.result, args);
        const stores = begun.objectStore.bind(begun);
        begun.objectStore = (name) => {
          const objects = stores(name);
          if (name === "messages") {
            objects.put = () => {
              throw full;
            };
          }
          return objects;
        };
        return begun;
      };
    });
    return request;
  };
  await using cramped = new IndexedDbSessionStore({ factory: { open } });
  const claim = await cramped.create("phone", sessionOf());
  const error = await assertRejects(
    () => cramped.update("phone", claim, changeOf({ received: 1, messages: bytesOf("a") })),
    StorageFullError,
  );
  assertEquals(error.cause, full);
  assertEquals((await cramped.claim("phone"))?.record, sessionOf());
});
