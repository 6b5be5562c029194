import { assert, assertEquals } from "@std/assert";
import { type IntervalRecord, type IntervalStore, isIntervalRecord } from "../../../handlers/mod.ts";

/** A store to test, and how to get rid of it. */
export interface StoreHarness {
  readonly store: IntervalStore;
  /** Opens the same store once more, as the next process would; absent where it does not outlive the object. */
  readonly reopen?: () => IntervalStore | Promise<IntervalStore>;
  readonly dispose?: () => void | Promise<void>;
}

/** A record as `stepwise()` makes it. */
export function recordOf(fields: Partial<IntervalRecord> = {}): IntervalRecord {
  return {
    strategy: "stepwise",
    intervalMs: 320_000,
    loMs: 330_000,
    hiMs: 390_000,
    isSettled: true,
    atMs: 1_767_225_600_000,
    direction: "client",
    confirmations: 0,
    ...fields,
  };
}

/** What every interval store has to do. */
export function storeSuite(name: string, make: () => StoreHarness | Promise<StoreHarness>): void {
  const test = (behaviour: string, body: (harness: StoreHarness) => Promise<void>) =>
    Deno.test(`${name}.${behaviour}`, async () => {
      const harness = await make();
      try {
        await body(harness);
      } finally {
        await harness.dispose?.();
      }
    });

  test("get() knows nothing of a network that was never met", async ({ store }) => {
    assertEquals(await store.get("nowhere"), undefined);
  });

  test("get() gives back what set() kept", async ({ store }) => {
    await store.set("home", recordOf());
    const record = await store.get("home");
    assertEquals(record, recordOf());
    assert(isIntervalRecord(record));
  });

  test("get() gives back values at their limits", async ({ store }) => {
    const records = [
      recordOf({ hiMs: null, isSettled: false }),
      recordOf({ intervalMs: 0.5, loMs: 0, atMs: 0 }),
    ];
    for (const record of records) {
      await store.set("home", record);
      assertEquals(await store.get("home"), record);
    }
  });

  test("set() takes the place of what was kept", async ({ store }) => {
    await store.set("home", recordOf());
    await store.set("home", recordOf({ intervalMs: 50_000 }));
    assertEquals(await store.get("home"), recordOf({ intervalMs: 50_000 }));
  });

  test("set() keeps networks apart, whatever they are called", async ({ store }) => {
    const networks = [
      "",
      "home",
      "Home",
      " home",
      "wlan:Café é",
      "../up",
      "a/b\\c",
      "__proto__",
      "constructor",
    ];
    networks.push("\u{1f4f6}", "x".repeat(300), "line\nbreak", "nul\0");
    for (const [i, network] of networks.entries()) await store.set(network, recordOf({ intervalMs: i + 1 }));
    const kept = await Promise.all(networks.map((network) => store.get(network)));
    assertEquals(kept.map((record) => record?.intervalMs), networks.map((_, i) => i + 1));
  });

  test("set() is not touched by what becomes of the record later", async ({ store }) => {
    const record = { ...recordOf() };
    await store.set("home", record);
    record.intervalMs = 1;
    assertEquals((await store.get("home"))?.intervalMs, 320_000);
  });

  test("set() keeps many networks at once that were not awaited", async ({ store }) => {
    const networks = Array.from({ length: 20 }, (_, i) => `n${i}`);
    await Promise.all(networks.map((network, i) => store.set(network, recordOf({ confirmations: i }))));
    const kept = await Promise.all(networks.map((network) => store.get(network)));
    assertEquals(kept.map((record) => record?.confirmations), networks.map((_, i) => i));
  });

  test("set() keeps the last of many that were not awaited", async ({ store }) => {
    const kept: unknown[] = [];
    for (let i = 1; i <= 20; i++) kept.push(store.set("home", recordOf({ intervalMs: i })));
    await Promise.all(kept);
    assertEquals((await store.get("home"))?.intervalMs, 20);
  });

  test("get() finds it in the next process", async ({ store, reopen }) => {
    if (reopen === undefined) return;
    await store.set("home", recordOf());
    assertEquals(await (await reopen()).get("home"), recordOf());
  });
}
