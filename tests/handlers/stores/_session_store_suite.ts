import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import fc from "fast-check";
import {
  type SessionChange,
  type SessionOutline,
  type SessionRecord,
  type SessionStore,
  SessionTakenError,
} from "../../../handlers/mod.ts";

/** A store to test, and how to get rid of it. */
export interface SessionStoreHarness {
  readonly store: SessionStore;
  /** Opens the same store once more, as another process or page would; absent where it does not outlive the object. */
  readonly reopen?: () => SessionStore;
  /** Whether it forgets what is too old without being told to. */
  readonly expiresItself?: boolean;
  readonly dispose?: () => void | Promise<void>;
}

/** A session that has just begun. */
export function sessionOf(fields: Partial<SessionRecord> = {}): SessionRecord {
  return {
    id: "00112233445566778899aabbccddeeff",
    token: "0123456789abcdef".repeat(4),
    links: 1,
    received: 0,
    acknowledged: 0,
    messages: [],
    atMs: 1_767_225_600_000,
    ...fields,
  };
}

/** Some messages, each of the bytes of its text. */
export function bytesOf(...texts: (string | number)[]): Uint8Array[] {
  return texts.map((text) => new TextEncoder().encode(String(text)));
}

/** The texts of some messages. */
export function textsOf(messages: readonly Uint8Array[] | undefined): string[] {
  return (messages ?? []).map((message) => new TextDecoder().decode(message));
}

/** A change a while after the session began. */
export function changeOf(fields: Partial<SessionChange> = {}): SessionChange {
  return { atMs: 1_767_225_660_000, ...fields };
}

/** What every session store has to do. */
export function sessionStoreSuite(
  name: string,
  make: () => SessionStoreHarness | Promise<SessionStoreHarness>,
): void {
  const test = (behaviour: string, body: (harness: SessionStoreHarness) => Promise<void>) =>
    Deno.test(`${name}.${behaviour}`, async () => {
      const harness = await make();
      try {
        await body(harness);
      } finally {
        await harness.dispose?.();
      }
    });

  /** Whether a call was refused as that of an earlier holder. */
  const taken = async (call: () => unknown) => {
    const error = await assertRejects(async () => await call(), SessionTakenError);
    assertEquals(error.name, "SessionTakenError");
  };

  test("claim() knows nothing of a session that never was", async ({ store }) => {
    assertEquals(await store.claim("nobody"), undefined);
  });

  test("claim() gives what create() kept", async ({ store }) => {
    const record = sessionOf({ links: 3, received: 7, acknowledged: 41, messages: bytesOf("a", "", "c") });
    const first = await store.create("phone", record);
    const claimed = await store.claim("phone");
    assertEquals(claimed?.record, record);
    assertInstanceOf(claimed?.record.messages[0], Uint8Array);
    assertNotEquals(claimed?.claim, first);
  });

  test("create() takes the place of what is there, and of its holder", async ({ store }) => {
    const first = await store.create("phone", sessionOf({ messages: bytesOf("a", "b") }));
    const second = await store.create("phone", sessionOf({ acknowledged: 9, messages: bytesOf("x") }));
    await taken(() => store.update("phone", first, changeOf({ received: 1 })));
    await store.update("phone", second, changeOf({ messages: bytesOf("y") }));
    const { record } = (await store.claim("phone"))!;
    assertEquals([record.acknowledged, record.received, textsOf(record.messages)], [9, 0, ["x", "y"]]);
  });

  test("create() refuses what is no session, and leaves what is there", async ({ store }) => {
    await store.create("phone", sessionOf());
    const records = [{ id: "x" }, { token: "0" }, { links: -1 }, { received: 0.5 }, { acknowledged: NaN }];
    const others = [{ messages: [1] }, { messages: null }, { atMs: Infinity }] as unknown[];
    for (const fields of [...records, ...others]) {
      const record = sessionOf(fields as Partial<SessionRecord>);
      const error = await assertRejects(async () => await store.create("phone", record), TypeError);
      assertStringIncludes(error.message, 'Cannot keep the session "phone": ');
    }
    await assertRejects(
      async () => await store.create("", sessionOf()),
      TypeError,
      'text that is not empty, got ""',
    );
    assertEquals((await store.claim("phone"))?.record, sessionOf());
    assertEquals(await store.claim(""), undefined);
  });

  test("claim() ends an earlier claim for good", async ({ store }) => {
    const first = await store.create("phone", sessionOf());
    const second = (await store.claim("phone"))!.claim;
    const third = (await store.claim("phone"))!.claim;
    for (const claim of [first, second, third + 1, -1, NaN]) {
      await taken(() => store.update("phone", claim, changeOf({ received: 5, messages: bytesOf("no") })));
      await store.remove("phone", claim);
    }
    await store.update("phone", third, changeOf({ received: 1 }));
    const { record } = (await store.claim("phone"))!;
    assertEquals([record.received, record.messages], [1, []]);
  });

  test("claim() asks before it takes, and leaves the holder alone if it is not to", async ({ store, reopen }) => {
    const next = reopen?.() ?? store;
    const claim = await store.create("phone", sessionOf({ acknowledged: 4, messages: bytesOf("5", "6") }));
    await store.update("phone", claim, changeOf({ links: 3, received: 7 }));
    const seen: unknown[] = [];
    const refuse = (session: SessionOutline) => {
      seen.push(session);
      return false;
    };
    assertEquals(await next.claim("phone", refuse), undefined);
    const { messages: _, ...counts } = sessionOf({ links: 3, received: 7, acknowledged: 4, ...changeOf() });
    assertEquals(seen, [{ ...counts, last: 6 }]);
    await store.update("phone", claim, changeOf({ messages: bytesOf("7") }));
    const broken = () => {
      throw new RangeError("no idea");
    };
    await assertRejects(async () => await next.claim("phone", broken), RangeError, "no idea");
    await store.update("phone", claim, changeOf({ acknowledged: 5 }));
    const claimed = (await next.claim("phone", ({ last }) => last === 7))!;
    assertEquals(textsOf(claimed.record.messages), ["6", "7"]);
    await taken(() => store.update("phone", claim, changeOf()));
    assertEquals(await next.claim("nobody", refuse), undefined);
    assertEquals(seen.length, 1);
  });

  test("update() keeps what changed and leaves the rest", async ({ store }) => {
    const claim = await store.create("phone", sessionOf());
    await store.update("phone", claim, { links: 2, atMs: 1 });
    await store.update("phone", claim, { received: 4, messages: bytesOf("a"), atMs: 2 });
    await store.update("phone", claim, { messages: bytesOf("b", "c"), acknowledged: 1, atMs: 3 });
    const wanted = { links: 2, received: 4, acknowledged: 1, messages: bytesOf("b", "c"), atMs: 3 };
    assertEquals((await store.claim("phone"))?.record, sessionOf(wanted));
  });

  test("update() drops what is acknowledged, also what the same change adds", async ({ store }) => {
    const claim = await store.create("phone", sessionOf({ acknowledged: 10, messages: bytesOf("11", "12") }));
    await store.update("phone", claim, changeOf({ acknowledged: 13, messages: bytesOf("13", "14") }));
    await store.update("phone", claim, changeOf({ acknowledged: 13 }));
    const claimed = (await store.claim("phone"))!;
    assertEquals([claimed.record.acknowledged, textsOf(claimed.record.messages)], [13, ["14"]]);
    await store.update("phone", claimed.claim, changeOf({ acknowledged: 14 }));
    assertEquals((await store.claim("phone"))?.record.messages, []);
  });

  test("update() refuses numbers that go back or too far, and keeps nothing of the change", async ({ store }) => {
    const record = sessionOf({ links: 2, received: 5, acknowledged: 10, messages: bytesOf("11", "12") });
    const claim = await store.create("phone", record);
    const changes: Partial<SessionChange>[] = [{ links: 1 }, { received: 4 }, { received: 5.5 }, {
      links: NaN,
    }];
    changes.push({ acknowledged: 9 }, { acknowledged: 13 }, { acknowledged: 11.5 }, { atMs: -1 }, {
      atMs: NaN,
    });
    for (const change of changes) {
      const more = change.acknowledged === 13 ? {} : { messages: bytesOf("13") };
      await assertRejects(
        async () => await store.update("phone", claim, changeOf({ ...more, ...change })),
        RangeError,
        'Cannot update the session "phone": ',
      );
    }
    const error = await assertRejects(
      async () => await store.update("phone", claim, changeOf({ acknowledged: 13 })),
      RangeError,
    );
    assertStringIncludes(error.message, "acknowledged must be a whole number from 10 to 12, got 13");
    const messages = ["text"] as unknown as Uint8Array[];
    await assertRejects(
      async () => await store.update("phone", claim, changeOf({ received: 6, messages })),
      TypeError,
      'messages[0] must be bytes, got "text"',
    );
    const claimed = (await store.claim("phone"))!;
    assertEquals(claimed.record, record);
    await store.update("phone", claimed.claim, changeOf({ acknowledged: 12, received: 5 }));
  });

  test("update() refuses what is gone", async ({ store }) => {
    await taken(() => store.update("phone", 1, changeOf()));
    const claim = await store.create("phone", sessionOf());
    await store.remove("phone", claim);
    await taken(() => store.update("phone", claim, changeOf()));
    await store.create("phone", sessionOf());
    await taken(() => store.update("phone", claim, changeOf()));
  });

  test("remove() forgets a session, and only if it is held", async ({ store }) => {
    const claim = await store.create("phone", sessionOf({ messages: bytesOf("a") }));
    const other = await store.create("laptop", sessionOf());
    await store.remove("laptop", claim === other ? claim + 1 : claim);
    await store.remove("phone", claim);
    await store.remove("phone", claim);
    await store.remove("nobody", claim);
    assertEquals(await store.claim("phone"), undefined);
    assertEquals((await store.claim("laptop"))?.record, sessionOf());
  });

  test("expire() forgets what was last in use before a time, whoever holds it", async ({ store, expiresItself }) => {
    if (expiresItself) return;
    const claims: number[] = [];
    for (const atMs of [10, 20, 30]) {
      claims.push(await store.create(`s${atMs}`, sessionOf({ atMs, messages: bytesOf("a") })));
    }
    await store.update("s10", claims[0]!, { atMs: 40 });
    assertEquals(await store.expire(20), 0);
    assertEquals(await store.expire(31), 2);
    assertEquals(await store.expire(31), 0);
    await taken(() => store.update("s20", claims[1]!, changeOf()));
    assertEquals(await store.claim("s30"), undefined);
    await store.update("s10", claims[0]!, { atMs: 41 });
    assertEquals((await store.claim("s10"))?.record.atMs, 41);
  });

  test("create() keeps sessions apart, whatever they are called", async ({ store, expiresItself }) => {
    const keys = [".", "..", "../up", "a/b\\c", "/etc/passwd", "C:", "nul", "__proto__", "constructor", " "];
    keys.push(
      "phone",
      "Phone",
      "Café é",
      "Cafe\u0301",
      "\u{1f4f6}",
      "\ud800",
      "\udc00",
      "line\nbreak",
      "nul\0",
    );
    keys.push("x".repeat(300), "x".repeat(5_000), "phone.1", "phone:1", "%2e", "*", "?");
    const claims = await Promise.all(keys.map((key, i) => store.create(key, sessionOf({ links: i }))));
    await Promise.all(keys.map((key, i) => store.update(key, claims[i]!, changeOf({ received: i }))));
    for (const [i, key] of keys.entries()) {
      const { record } = (await store.claim(key))!;
      assertEquals([record.links, record.received], [i, i], JSON.stringify(key.slice(0, 20)));
    }
    assertEquals(await store.expire(Number.MAX_SAFE_INTEGER), expiresItself ? 0 : keys.length);
  });

  test("update() keeps big messages and many small ones", async ({ store }) => {
    const big = Uint8Array.from({ length: 1_000_003 }, (_, i) => i * 31 + (i >> 8));
    const small = Array.from({ length: 3_000 }, (_, i) => i);
    const claim = await store.create("phone", sessionOf({ messages: [big] }));
    await store.update("phone", claim, changeOf({ messages: bytesOf(...small) }));
    const { record } = (await store.claim("phone"))!;
    assertEquals(record.messages.length, 3_001);
    assert(record.messages[0]!.every((byte, i) => byte === big[i]));
    assertEquals(textsOf(record.messages.slice(1)), small.map(String));
  });

  test("update() keeps a part of a buffer, not all of it", async ({ store }) => {
    const claim = await store.create("phone", sessionOf());
    const buffer = new Uint8Array([1, 2, 3, 4]);
    await store.update("phone", claim, changeOf({ messages: [buffer.subarray(1, 3)] }));
    assertEquals((await store.claim("phone"))?.record.messages, [new Uint8Array([2, 3])]);
  });

  test("update() is not touched by what becomes of the lists later", async ({ store }) => {
    const messages = bytesOf("a");
    const created = store.create("phone", sessionOf({ messages }));
    messages.push(...bytesOf("no"));
    const claim = await created;
    const added = bytesOf("b");
    const updated = store.update("phone", claim, changeOf({ messages: added }));
    added.push(...bytesOf("no"));
    await updated;
    const claimed = (await store.claim("phone"))!;
    (claimed.record.messages as Uint8Array[]).length = 0;
    assertEquals(textsOf((await store.claim("phone"))?.record.messages), ["a", "b"]);
  });

  test("update() keeps the order of calls that were not awaited", async ({ store }) => {
    const claim = await store.create("phone", sessionOf());
    const calls: unknown[] = [];
    for (let i = 1; i <= 100; i++) {
      calls.push(
        store.update("phone", claim, {
          messages: bytesOf(i),
          received: i,
          acknowledged: Math.max(0, i - 5),
          atMs: i,
        }),
      );
    }
    await Promise.all(calls);
    const wanted = { received: 100, acknowledged: 95, messages: bytesOf(96, 97, 98, 99, 100), atMs: 100 };
    assertEquals((await store.claim("phone"))?.record, sessionOf(wanted));
  });

  test("update() that is refused takes no other with it", async ({ store }) => {
    const claim = await store.create("phone", sessionOf());
    const call = async (change: Partial<SessionChange>) =>
      await store.update("phone", claim, changeOf(change));
    const outcomes = await Promise.allSettled([
      call({ messages: bytesOf("1") }),
      call({ messages: bytesOf("no"), acknowledged: 3 }),
      call({ messages: bytesOf("2") }),
      call({ received: 3 }),
      call({ received: 2 }),
      call({ acknowledged: 1 }),
    ]);
    assertEquals(outcomes.map(({ status }) => status === "fulfilled"), [
      true,
      false,
      true,
      true,
      false,
      true,
    ]);
    const { record } = (await store.claim("phone"))!;
    assertEquals([record.acknowledged, record.received, textsOf(record.messages)], [1, 3, ["2"]]);
  });

  test("claim() that was not awaited refuses what is asked after it", async ({ store }) => {
    const first = await store.create("phone", sessionOf());
    const before = (async () => await store.update("phone", first, changeOf({ received: 1 })))();
    const claimed = store.claim("phone");
    await taken(() => store.update("phone", first, changeOf({ received: 2 })));
    await before;
    assertEquals((await claimed)?.record.received, 1);
  });

  test("update() of many sessions at once keeps each", async ({ store }) => {
    const keys = Array.from({ length: 300 }, (_, i) => `session ${i}`);
    const claims = await Promise.all(keys.map((key) => store.create(key, sessionOf())));
    for (const round of [1, 2, 3]) {
      await Promise.all(keys.map((key, i) => {
        const messages = bytesOf(`${i}.${round}`);
        return store.update(key, claims[i]!, changeOf({ received: round, messages }));
      }));
    }
    const claimed = await Promise.all(keys.map((key) => store.claim(key)));
    for (const [i, session] of claimed.entries()) {
      assertEquals(textsOf(session?.record.messages), [`${i}.1`, `${i}.2`, `${i}.3`]);
    }
  });

  test("update() forgets what was acknowledged long ago", async ({ store }) => {
    const claim = await store.create("phone", sessionOf());
    const filler = "x".repeat(1_000);
    for (let i = 1; i <= 400; i++) {
      const acknowledged = Math.max(0, i - 3);
      await store.update(
        "phone",
        claim,
        changeOf({ messages: bytesOf(i + filler), acknowledged, received: i }),
      );
    }
    const { record } = (await store.claim("phone"))!;
    assertEquals([record.acknowledged, record.received], [397, 400]);
    assertEquals(textsOf(record.messages), [398, 399, 400].map((i) => i + filler));
  });

  test("claim() finds it in the next process, and fences the one before", async ({ store, reopen }) => {
    if (reopen === undefined) return;
    const first = await store.create("phone", sessionOf());
    await store.update("phone", first, changeOf({ messages: bytesOf("a"), received: 1 }));
    const next = reopen();
    const claimed = (await next.claim("phone"))!;
    const wanted = { messages: bytesOf("a"), received: 1, atMs: changeOf().atMs };
    assertEquals(claimed.record, sessionOf(wanted));
    await taken(() => store.update("phone", first, changeOf({ received: 2 })));
    await store.remove("phone", first);
    await next.update("phone", claimed.claim, changeOf({ messages: bytesOf("b") }));
    const back = (await store.claim("phone"))!;
    assertEquals(textsOf(back.record.messages), ["a", "b"]);
    await taken(() => next.update("phone", claimed.claim, changeOf({ received: 2 })));
    await store.remove("phone", back.claim);
    assertEquals(await next.claim("phone"), undefined);
  });

  test("expire() of the next process sees what the one before kept", async ({ store, reopen, expiresItself }) => {
    if (reopen === undefined || expiresItself) return;
    const claim = await store.create("old", sessionOf({ atMs: 10 }));
    await store.create("new", sessionOf({ atMs: 30 }));
    const next = reopen();
    assertEquals(await next.expire(5), 0);
    await store.update("old", claim, { atMs: 20 });
    assertEquals(await next.expire(15), 0);
    assertEquals(await next.expire(25), 1);
    await taken(() => store.update("old", claim, { atMs: 40 }));
    assertEquals((await next.claim("new"))?.record.atMs, 30);
  });

  test("update() does what a plain list does, whatever the order of the calls", async ({ store, reopen }) => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant("update"), add: fc.nat(3), drop: fc.nat(4) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constantFrom("claim", "reopen", "create"),
          add: fc.nat(3),
          drop: fc.nat(2),
        }),
      },
    );
    let run = 0;
    const property = fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const key = `run ${run++}`;
      let current = store;
      let number = 0;
      let claim = await current.create(key, sessionOf());
      let model = sessionOf();
      for (const { kind, add, drop } of steps) {
        const added = bytesOf(...Array.from({ length: add }, () => number++));
        if (kind === "create") {
          model = sessionOf({ acknowledged: drop, messages: added });
          claim = await current.create(key, model);
        } else if (kind === "update") {
          const messages = [...model.messages, ...added];
          const acknowledged = model.acknowledged + drop;
          const change = { messages: added, acknowledged, received: model.received + 1, atMs: number };
          if (drop > messages.length) {
            await assertRejects(async () => await current.update(key, claim, change), RangeError);
          } else {
            await current.update(key, claim, change);
            model = { ...model, ...change, messages: messages.slice(drop) };
          }
        } else {
          if (kind === "reopen") current = reopen?.() ?? current;
          const claimed = await current.claim(key);
          assertEquals(claimed?.record, model);
          claim = claimed!.claim;
        }
      }
      assertEquals((await current.claim(key))?.record, model);
    });
    await fc.assert(property, { seed: 5, numRuns: 25 });
  });
}
