import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLess,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type SessionRecord, SessionTakenError, StorageFullError } from "../../../handlers/mod.ts";
import { FileSessionStore, fileSessionStore } from "../../../handlers/stores/file.ts";
import { bytesOf, changeOf, sessionOf, sessionStoreSuite, textsOf } from "./_session_store_suite.ts";

sessionStoreSuite("FileSessionStore", async () => {
  const path = await Deno.makeTempDir();
  const stores: FileSessionStore[] = [];
  const open = () => {
    const store = new FileSessionStore({ path });
    stores.push(store);
    return store;
  };
  return {
    store: open(),
    reopen: open,
    dispose: async () => {
      for (const store of stores) await store.close();
      await Deno.remove(path, { recursive: true });
    },
  };
});

/** A test with a folder that is gone afterwards. */
function test(name: string, body: (folder: string) => Promise<void>): void {
  Deno.test(`FileSessionStore${name}`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await body(folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** All files below a folder. */
function filesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder)).flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    return isDirectory ? filesIn(path) : [path];
  }).sort();
}

/** The log of the only session in a folder. */
function logIn(folder: string): string {
  const [log, ...others] = filesIn(folder).filter((path) => !path.includes(".damaged"));
  assertEquals([others, basename(log!)], [[], "log"]);
  return log!;
}

test("() makes its folder with the first session and leaves one file, for its owner alone", async (folder) => {
  const path = join(folder, "deep", "er");
  const store = fileSessionStore({ path: pathToFileURL(path) });
  assertInstanceOf(store, FileSessionStore);
  assertEquals(store.path, path);
  assertEquals(await store.claim("phone"), undefined);
  assertEquals(await store.expire(1), 0);
  assertEquals(filesIn(folder), []);
  const claim = await store.create("../phone", sessionOf());
  const log = logIn(path);
  assertMatch(log.slice(path.length + 1), /^[0-9a-f]{2}.[0-9a-f]{62}\.\d+.log$/);
  if (Deno.build.os !== "windows") {
    assertEquals((await Deno.stat(log)).mode! & 0o777, 0o600);
    assertEquals((await Deno.stat(dirname(log))).mode! & 0o777, 0o700);
  }
  await store.remove("../phone", claim);
  assertEquals(filesIn(folder), []);
});

test(".claim() cuts off what a process wrote in part, wherever it was torn", async (folder) => {
  const path = join(folder, "made");
  const store = new FileSessionStore({ path });
  const claim = await store.create("phone", sessionOf({ messages: bytesOf("a") }));
  const before = Deno.statSync(logIn(path)).size;
  await store.update("phone", claim, changeOf({ messages: bytesOf("b", "c"), received: 1 }));
  const log = logIn(path);
  const whole = await Deno.readFile(log);
  for (let length = before; length < whole.length; length++) {
    await Deno.mkdir(dirname(log), { recursive: true });
    // What a power cut leaves may have the right length, and nothing in it.
    const torn = new Uint8Array(length % 2 === 0 ? length : whole.length);
    torn.set(whole.subarray(0, length));
    await Deno.writeFile(log, torn);
    const found = (await new FileSessionStore({ path }).claim("phone"))!;
    assertEquals([textsOf(found.record.messages), found.record.received], [["a"], 0], `${length}`);
    assertEquals(Deno.statSync(logIn(path)).size, before);
    await Deno.remove(path, { recursive: true });
  }
});

test(".claim() puts a damaged session aside, says so and counts it as gone", async (folder) => {
  const store = new FileSessionStore({ path: folder });
  let claim = await store.create("phone", sessionOf({ messages: bytesOf("a") }));
  for (const text of ["b", "c"]) await store.update("phone", claim, changeOf({ messages: bytesOf(text) }));
  const whole = await Deno.readFile(logIn(folder));
  const last = whole.findLastIndex((_, i) => new TextDecoder().decode(whole.subarray(i, i + 4)) === "LLS1");
  for (let at = 0; at < last; at += 3) {
    const log = logIn(folder);
    const damaged = whole.with(at, whole[at]! ^ 0x10);
    await Deno.writeFile(log, damaged);
    const next = new FileSessionStore({ path: folder });
    const error = await assertRejects(() => next.claim("phone"), Error, "Cannot read the session in ");
    const aside = dirname(log).replace(/\d+$/, "damaged");
    assertStringIncludes(error.message, `; it is now ${aside}`);
    assertEquals(await Deno.readFile(join(aside, "log")), damaged);
    assertEquals(await next.claim("phone"), undefined);
    claim = await next.create("phone", sessionOf());
    await next.update("phone", claim, changeOf());
  }
});

test(".claim() says why it cannot read", async (folder) => {
  const cases: [string, (log: string) => unknown][] = [
    ["it does not begin with a session", (log) => Deno.writeTextFileSync(log, "")],
    ["it does not begin with a session", (log) => Deno.writeTextFileSync(log, "garbage".repeat(99))],
    ["there is no log", (log) => Deno.removeSync(log)],
  ];
  for (const [reason, spoil] of cases) {
    await new FileSessionStore({ path: folder }).create("phone", sessionOf());
    spoil(logIn(folder));
    await assertRejects(
      () => new FileSessionStore({ path: folder }).claim("phone"),
      Error,
      `: ${reason}; it is now`,
    );
    assertEquals(await new FileSessionStore({ path: folder }).claim("phone"), undefined);
  }
});

test(".expire() puts damaged sessions aside and does the others all the same", async (folder) => {
  const store = new FileSessionStore({ path: folder });
  await store.create("phone", sessionOf({ atMs: 1 }));
  await Deno.writeTextFile(logIn(folder), "garbage");
  await store.create("laptop", sessionOf({ atMs: 1 }));
  const next = new FileSessionStore({ path: folder });
  const error = await assertRejects(
    () => next.expire(2),
    AggregateError,
    "Cannot expire all sessions: 1 could not",
  );
  assertStringIncludes((error.errors[0] as Error).message, "it does not begin with a session");
  assertEquals([await next.claim("laptop"), await next.expire(2)], [undefined, 0]);
});

test(".expire() tidies up what killed processes left, which disturbs nobody before", async (folder) => {
  const store = new FileSessionStore({ path: folder });
  const claim = await store.create("phone", sessionOf());
  const session = dirname(logIn(folder));
  await Deno.writeTextFile(join(session, `${claim - 1}.new`), "half a l");
  for (const name of ["0b5c.new", "77e1.gone"]) {
    await Deno.mkdir(join(session, "..", name));
    await Deno.writeTextFile(join(session, "..", name, "log"), "half a l");
  }
  const next = new FileSessionStore({ path: folder });
  assertEquals((await next.claim("phone"))?.record, sessionOf());
  assertEquals(await next.expire(0), 0);
  assertEquals(basename(logIn(folder)), "log");
});

test(".update() keeps its log short", async (folder) => {
  const store = new FileSessionStore({ path: folder });
  let acknowledged = 0;
  const claim = await store.create("phone", sessionOf());
  for (let i = 0; i < 300; i++) {
    await store.update(
      "phone",
      claim,
      changeOf({ messages: [new Uint8Array(1_000)], acknowledged: acknowledged++ }),
    );
    assertLess(Deno.statSync(logIn(folder)).size, 67_000);
  }
  assertEquals((await store.claim("phone"))?.record.messages.length, 1);
});

test(".update() says that the disk is full, keeps nothing of it, and goes on later", async (folder) => {
  if (Deno.build.os !== "linux") return;
  const store = new FileSessionStore({ path: folder });
  const claim = await store.create("phone", sessionOf());
  await store.update("phone", claim, changeOf({ messages: bytesOf("a") }));
  const log = logIn(folder);
  const whole = await Deno.readFile(log);
  await Deno.remove(log);
  await Deno.symlink("/dev/full", log);
  const error = await assertRejects(
    () => store.update("phone", claim, changeOf({ messages: bytesOf("no") })),
    StorageFullError,
    'Cannot keep the session "phone": there is no room left',
  );
  assertEquals((error.cause as { code?: string }).code, "ENOSPC");
  // As if half of it had been written: what comes next must not end up behind that.
  await Deno.remove(log);
  await Deno.writeFile(log, new Uint8Array([...whole, ...whole.subarray(0, 40)]));
  await store.update("phone", claim, changeOf({ messages: bytesOf("b") }));
  await store.update("phone", claim, changeOf({ messages: bytesOf("c") }));
  const found = await new FileSessionStore({ path: folder }).claim("phone");
  assertEquals(textsOf(found?.record.messages), ["a", "b", "c"]);
});

test(" fails, and goes on afterwards, where it cannot write", async (folder) => {
  const path = join(folder, "f");
  await Deno.writeTextFile(path, "");
  const store = new FileSessionStore({ path });
  await assertRejects(() => store.create("phone", sessionOf()), Error, "ENOTDIR");
  await assertRejects(() => store.claim("phone"), Error, "ENOTDIR");
  await Deno.remove(path);
  await store.update("phone", await store.create("phone", sessionOf()), changeOf());
});

test(".update() leaves no file open, however many sessions there are", async (folder) => {
  const openFiles = () =>
    Deno.build.os === "linux" ? Array.from(Deno.readDirSync("/proc/self/fd")).length : 0;
  const store = new FileSessionStore({ path: folder });
  const before = openFiles();
  const keys = Array.from({ length: 500 }, (_, i) => `session ${i}`);
  const claims = await Promise.all(keys.map((key) => store.create(key, sessionOf())));
  const updates = keys.map((key, i) => store.update(key, claims[i]!, changeOf({ received: i })));
  assertLess(openFiles(), before + 100);
  await Promise.all(updates);
  assertEquals(openFiles(), before);
  assertEquals(await new FileSessionStore({ path: folder }).expire(changeOf().atMs + 1), keys.length);
});

test("({ flushToDisk }) does the same, slower", async (folder) => {
  const path = join(folder, "sessions");
  const store = new FileSessionStore({ path, flushToDisk: true });
  const claim = await store.create("phone", sessionOf());
  for (let i = 0; i < 5; i++) await store.update("phone", claim, changeOf({ messages: bytesOf(i) }));
  const found = (await new FileSessionStore({ path, flushToDisk: true }).claim("phone"))!;
  assertEquals(textsOf(found.record.messages), ["0", "1", "2", "3", "4"]);
  await assertRejects(() => store.update("phone", claim, changeOf()), SessionTakenError);
});

test(".close() ends once all is done, and then refuses", async (folder) => {
  const store = new FileSessionStore({ path: folder });
  const claim = await store.create("phone", sessionOf());
  let done = 0;
  for (let i = 0; i < 10; i++) {
    store.update("phone", claim, changeOf({ messages: bytesOf(i) })).then(() => done++);
  }
  store.claim("phone").then(() => done++);
  await store.close();
  assertEquals(done, 11);
  const wanted = 'Cannot use the session "phone": the store is closed';
  await assertRejects(() => store.update("phone", claim, changeOf()), Error, wanted);
  await assertRejects(() => store.create("phone", sessionOf()), Error, wanted);
  await assertRejects(() => store.claim("phone"), Error, wanted);
  await assertRejects(() => store.remove("phone", claim), Error, wanted);
  await assertRejects(() => store.expire(0), Error, "the store is closed");
  await store.close();
  assertThrows(() => new FileSessionStore({ path: new URL("https://example.com/s") }), TypeError);
});

test(".create() of many stores at once leaves one session", async (folder) => {
  const stores = Array.from({ length: 8 }, () => new FileSessionStore({ path: folder }));
  const claims = await Promise.all(stores.map((store, i) => store.create("phone", sessionOf({ links: i }))));
  assertEquals(new Set(claims).size, stores.length);
  logIn(folder);
  const kept = await Promise.allSettled(
    stores.map((store, i) => store.update("phone", claims[i]!, changeOf())),
  );
  const holders = kept.flatMap(({ status }, i) => status === "fulfilled" ? [i] : []);
  const { record } = (await stores[0]!.claim("phone"))!;
  assertEquals(holders, [record.links]);
});

test(".update() of stores that take a session from each other loses nothing it passed for", async (folder) => {
  const stores = Array.from({ length: 3 }, () => new FileSessionStore({ path: folder }));
  await stores[0]!.create("phone", sessionOf());
  const passed: string[] = [];
  let refused = 0;
  await Promise.all(stores.map(async (store, who) => {
    for (let round = 0; round < 40; round++) {
      const { claim } = (await store.claim("phone"))!;
      const updates = Array.from({ length: 1 + round % 4 }, async (_, i) => {
        const text = `${who}.${round}.${i}`;
        try {
          // Each in a write of its own: those of one turn would be one.
          for (let turns = 0; turns < i; turns++) await Deno.stat(folder);
          await store.update("phone", claim, changeOf({ messages: bytesOf(text) }));
          passed.push(text);
        } catch (error) {
          assertInstanceOf(error, SessionTakenError);
          refused++;
        }
      });
      await Promise.all(updates);
    }
  }));
  const kept = textsOf((await stores[0]!.claim("phone"))?.record.messages);
  assertEquals(new Set(kept).size, kept.length);
  assertEquals(passed.filter((text) => !kept.includes(text)), []);
  assertGreater(refused, 0);
  assertGreater(passed.length, 0);
  logIn(folder);
});

/** Checks that a session is one of those the writer may have left, and gives the number of its last message. */
function checkedLast({ acknowledged, received, messages }: SessionRecord): number {
  for (const [i, text] of textsOf(messages).entries()) {
    const number = acknowledged + 1 + i;
    assertEquals(text, `${number} `.padEnd(8 + (number * 7_919) % 3_000, "."));
  }
  const last = acknowledged + messages.length;
  assertEquals([received, acknowledged], [last, Math.max(0, last - 4)]);
  return last;
}

test(" keeps what it passed for when its process is killed at any moment", async (folder) => {
  const script = new URL("_session_writer.ts", import.meta.url);
  const runs = Number(Deno.env.get("LONGLINK_KILLS") ?? 6);
  const reported = new Map<string, number>();
  for (let run = 1; run <= runs; run++) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "-A", script.href, folder, String(run)],
      stdout: "piped",
    }).spawn();
    // Killed once so many bytes were printed, which has nothing to do with where it is in its writing.
    const bytes = 1 + (run * 2_654_435_761) % 6_000;
    let output = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      if (output.length < bytes && output.length + text.length >= bytes) child.kill("SIGKILL");
      output += text;
    }
    assertEquals((await child.status).signal, "SIGKILL", output);
    for (const line of output.split("\n").slice(0, -1)) {
      const [key, last] = line.split(" ") as [string, string];
      reported.set(key, Number(last));
    }
    const store = new FileSessionStore({ path: folder });
    for (const [key, least] of reported) {
      const last = checkedLast((await store.claim(key))!.record);
      assertGreaterOrEqual(last, least, `run ${run}: ${key}`);
      reported.set(key, last);
    }
  }
  assertGreater(reported.get("a")!, runs);
  const store = new FileSessionStore({ path: folder });
  await store.expire(0);
  const left = filesIn(folder).filter((path) => basename(path) !== "log" || path.includes("damaged"));
  assertEquals(left, []);
  assert(filesIn(folder).length >= 3);
});
