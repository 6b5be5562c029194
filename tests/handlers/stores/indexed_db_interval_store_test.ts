import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { IndexedDbIntervalStore, type IntervalRecord } from "../../../handlers/mod.ts";
import { IDBFactory } from "./_fake_indexed_db.ts";
import { recordOf, storeSuite } from "./_store_suite.ts";

storeSuite("IndexedDbIntervalStore", () => {
  const factory = new IDBFactory();
  const stores: IndexedDbIntervalStore[] = [];
  const open = () => {
    const store = new IndexedDbIntervalStore({ factory });
    stores.push(store);
    return store;
  };
  return {
    store: open(),
    reopen: open,
    dispose: () => Promise.all(stores.map((store) => store.close())).then(),
  };
});

Deno.test("IndexedDbIntervalStore.set() forgets what was learned first", async () => {
  await using store = new IndexedDbIntervalStore({ factory: new IDBFactory(), maxNetworks: 2 });
  for (const [atMs, network] of [[3, "c"], [1, "a"], [2, "b"], [1, "b"]] as const) {
    await store.set(network, recordOf({ atMs }));
  }
  const kept = await Promise.all(["a", "b", "c"].map((network) => store.get(network)));
  assertEquals(kept.map((record) => record?.atMs), [undefined, 1, 3]);
  await store.set("garbage", "text" as unknown as IntervalRecord);
  for (const [atMs, network] of [[0, "d"], [1, "e"]] as const) await store.set(network, recordOf({ atMs }));
  const left = await Promise.all(["garbage", "b", "c", "d", "e"].map((network) => store.get(network)));
  assertEquals(left.map((record) => record?.atMs), [undefined, undefined, 3, undefined, 1]);
});

Deno.test("IndexedDbIntervalStore.get() refuses garbage with the reason", async () => {
  await using store = new IndexedDbIntervalStore({ factory: new IDBFactory() });
  await store.set("home", { ...recordOf(), hiMs: 5 });
  await assertRejects(
    () => store.get("home"),
    TypeError,
    'Cannot use what is stored of the network "home": hiMs must be above loMs 330000, got 5',
  );
  await store.set("home", recordOf());
  assertEquals(await store.get("home"), recordOf());
});

Deno.test("IndexedDbIntervalStore keeps its databases apart, and says that there is no indexedDB", async () => {
  const factory = new IDBFactory();
  await using one = new IndexedDbIntervalStore({ factory });
  await using two = new IndexedDbIntervalStore({ factory, database: "two" });
  await one.set("home", recordOf());
  assertEquals(await two.get("home"), undefined);
  const none =
    'Cannot open the database "longlink-intervals": there is no indexedDB here, and no factory was given';
  await assertRejects(() => new IndexedDbIntervalStore().get("home"), TypeError, none);
  for (const maxNetworks of [0, 1.5, NaN, Infinity]) {
    assertThrows(() => new IndexedDbIntervalStore({ maxNetworks }), RangeError, `got ${maxNetworks}`);
  }
});
