import { assertEquals, assertFalse, assertThrows } from "@std/assert";
import { isIntervalRecord, MemoryIntervalStore } from "../../../handlers/mod.ts";
import { recordOf, storeSuite } from "./_store_suite.ts";

storeSuite("MemoryIntervalStore", () => ({ store: new MemoryIntervalStore() }));

Deno.test("MemoryIntervalStore.set() forgets the network that was not used for longest", () => {
  const store = new MemoryIntervalStore({ maxNetworks: 2 });
  store.set("a", recordOf());
  store.set("b", recordOf());
  store.get("a");
  store.set("c", recordOf());
  assertEquals(["a", "b", "c"].map((network) => store.get(network) !== undefined), [true, false, true]);
  store.set("a", recordOf());
  store.set("d", recordOf());
  assertEquals(["a", "c", "d"].map((network) => store.get(network) !== undefined), [true, false, true]);
  assertEquals(store.size, 2);
});

Deno.test("MemoryIntervalStore() keeps 100 networks by default and refuses to keep none", () => {
  const store = new MemoryIntervalStore();
  for (let i = 0; i < 150; i++) store.set(`n${i}`, recordOf());
  assertEquals([store.size, store.get("n49"), store.get("n50")], [100, undefined, recordOf()]);
  for (const maxNetworks of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => new MemoryIntervalStore({ maxNetworks }), RangeError, `got ${maxNetworks}`);
  }
});

Deno.test("isIntervalRecord() tells records from garbage", () => {
  const garbage: unknown[] = [undefined, null, 7, "text", [], {}];
  for (const field of ["intervalMs", "loMs", "atMs", "hiMs", "confirmations"]) {
    for (const value of [-1, NaN, Infinity, "9", undefined]) garbage.push({ ...recordOf(), [field]: value });
  }
  garbage.push({ ...recordOf(), intervalMs: 0 }, { ...recordOf(), loMs: null });
  garbage.push({ ...recordOf(), hiMs: recordOf().loMs }, { ...recordOf(), isSettled: 1 });
  garbage.push({ ...recordOf(), strategy: null }, { ...recordOf(), direction: "up" });
  for (const value of garbage) assertFalse(isIntervalRecord(value), JSON.stringify(value));
});
