import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DenoKvIntervalStore, type KvStorage } from "../../../handlers/mod.ts";
import { recordOf, storeSuite } from "./_store_suite.ts";

/** What a Deno KV keeps: copies, by key. With `writes`, each write waits to be let go. */
class FakeKv implements KvStorage {
  readonly rows = new Map<string, unknown>();
  readonly expiries: number[] = [];
  readonly begun: unknown[] = [];
  hold: Promise<unknown> = Promise.resolve();

  async get(key: readonly string[]): Promise<{ value: unknown }> {
    await Promise.resolve();
    return { value: structuredClone(this.rows.get(JSON.stringify(key)) ?? null) };
  }

  async set(key: readonly string[], value: unknown, { expireIn }: { expireIn: number }): Promise<unknown> {
    this.begun.push(value);
    this.expiries.push(expireIn);
    await this.hold;
    this.rows.set(JSON.stringify(key), structuredClone(value));
    return { ok: true };
  }
}

storeSuite("DenoKvIntervalStore", () => {
  const kv = new FakeKv();
  return { store: new DenoKvIntervalStore({ kv }), reopen: () => new DenoKvIntervalStore({ kv }) };
});

// With --unstable-kv the suite runs on a real database as well.
const { openKv } = Deno as unknown as { openKv?: (path: string) => Promise<KvStorage & { close(): void }> };
if (openKv !== undefined) {
  storeSuite("DenoKvIntervalStore(Deno.Kv)", async () => {
    const kv = await openKv(":memory:");
    const open = () => new DenoKvIntervalStore({ kv });
    return { store: open(), reopen: open, dispose: () => kv.close() };
  });
}

Deno.test("DenoKvIntervalStore keeps its keys under its prefix, for 90 days or as long as asked for", async () => {
  const kv = new FakeKv();
  await new DenoKvIntervalStore({ kv }).set("home", recordOf());
  await new DenoKvIntervalStore({ kv, prefix: ["app"], expireInMs: 5 }).set("home", recordOf());
  assertEquals([...kv.rows.keys()], ['["longlink","interval","home"]', '["app","home"]']);
  assertEquals(kv.expiries, [90 * 86_400_000, 5]);
  for (const expireInMs of [0, -1, NaN, Infinity]) {
    assertThrows(() => new DenoKvIntervalStore({ kv, expireInMs }), RangeError, `got ${expireInMs}`);
  }
});

Deno.test("DenoKvIntervalStore.set() begins one write when the one before has ended, also if that failed", async () => {
  const kv = new FakeKv();
  const store = new DenoKvIntervalStore({ kv });
  const { promise, reject } = Promise.withResolvers<void>();
  kv.hold = promise;
  const writes = [1, 2].map((confirmations) => store.set("home", recordOf({ confirmations })));
  await Promise.resolve();
  assertEquals(kv.begun, [recordOf({ confirmations: 1 })]);
  kv.hold = Promise.resolve();
  reject(new Error("no quorum"));
  await assertRejects(() => writes[0]!, Error, "no quorum");
  await writes[1];
  assertEquals(await store.get("home"), recordOf({ confirmations: 2 }));
});

Deno.test("DenoKvIntervalStore.get() refuses garbage with the reason", async () => {
  const kv = new FakeKv();
  kv.rows.set('["longlink","interval","home"]', { ...recordOf(), hiMs: 5 });
  await assertRejects(
    () => new DenoKvIntervalStore({ kv }).get("home"),
    TypeError,
    'Cannot use what is stored of the network "home": hiMs must be above loMs 330000, got 5',
  );
});
