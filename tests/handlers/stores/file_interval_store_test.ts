import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { FileIntervalStore } from "../../../handlers/stores/file_interval_store.ts";
import { recordOf, storeSuite } from "./_store_suite.ts";

storeSuite("FileIntervalStore", async () => {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "intervals.json");
  return {
    store: new FileIntervalStore({ path }),
    reopen: () => new FileIntervalStore({ path }),
    dispose: () => Deno.remove(folder, { recursive: true }),
  };
});

/** A test with a folder that is gone afterwards. */
function test(name: string, body: (folder: string) => Promise<void>): void {
  Deno.test(`FileIntervalStore${name}`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await body(folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

function filesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

test("() makes its folder with the first record and leaves one file, for its owner alone", async (folder) => {
  const path = join(folder, "deep", "er", "intervals.json");
  const store = new FileIntervalStore({ path: pathToFileURL(path) });
  assertEquals(store.path, path);
  assertEquals(filesIn(folder), []);
  await store.set("home", recordOf());
  assertEquals(filesIn(join(folder, "deep", "er")), ["intervals.json"]);
  if (Deno.build.os !== "windows") assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
});

test(".set() forgets the network that was not written for longest", async (folder) => {
  const store = new FileIntervalStore({ path: join(folder, "i.json"), maxNetworks: 2 });
  for (const network of ["a", "b", "a", "c"]) await store.set(network, recordOf());
  const kept = await Promise.all(["a", "b", "c"].map((network) => store.get(network)));
  assertEquals(kept.map((record) => record !== undefined), [true, false, true]);
});

test(".set() of two stores of one file at once loses nothing", async (folder) => {
  const path = join(folder, "i.json");
  const stores = [
    new FileIntervalStore({ path }),
    new FileIntervalStore({ path: join(folder, ".", "i.json") }),
  ];
  const networks = Array.from({ length: 30 }, (_, i) => `n${i}`);
  await Promise.all(
    networks.map((network, i) => stores[i % 2]!.set(network, recordOf({ confirmations: i }))),
  );
  for (const [i, network] of networks.entries()) {
    assertEquals((await stores[(i + 1) % 2]!.get(network))?.confirmations, i);
  }
  assertEquals(filesIn(folder), ["i.json"]);
});

const DAMAGED = ["", "{", "null", "[]", '{"version":2,"networks":[]}', '{"version":1,"networks":{}}'];
DAMAGED.push('{"version":1,"networks":[["a"]]}', '{"version":1,"networks":[[1,{}]]}', "\0\0\0\0");

test(" puts a damaged file aside, says so once and goes on empty", async (folder) => {
  const path = join(folder, "i.json");
  for (const text of DAMAGED) {
    await Deno.writeTextFile(path, text);
    const store = new FileIntervalStore({ path });
    const error = await assertRejects(
      () => store.get("home"),
      Error,
      `Cannot read the intervals in ${path}: `,
    );
    assertStringIncludes(error.message, `it is now ${path}.damaged`);
    assertEquals(await store.get("home"), undefined);
    assertEquals(await Deno.readTextFile(`${path}.damaged`), text);
    assertEquals(filesIn(folder), ["i.json.damaged"]);
  }
});

test(".set() keeps the record although it found a damaged file", async (folder) => {
  const path = join(folder, "i.json");
  await Deno.writeTextFile(path, "garbage");
  const store = new FileIntervalStore({ path });
  await assertRejects(() => store.set("home", recordOf()), Error, "Cannot read the intervals");
  assertEquals(await store.get("home"), recordOf());
  assertEquals(await Deno.readTextFile(`${path}.damaged`), "garbage");
});

test(" survives a write that was torn at any byte", async (folder) => {
  // A rename is all or nothing, so a file torn where it stands comes from elsewhere: a full disk, a copy.
  const path = join(folder, "i.json");
  const store = new FileIntervalStore({ path });
  await store.set("home", recordOf());
  const whole = await Deno.readFile(path);
  // What follows the last brace is a line break, without which the file is whole.
  for (let length = 0; length < whole.length - 1; length += 7) {
    await Deno.writeFile(path, whole.subarray(0, length));
    await assertRejects(() => store.get("home"), Error, "Cannot read the intervals");
    await store.set("home", recordOf({ confirmations: length }));
    assertEquals((await store.get("home"))?.confirmations, length);
  }
});

test(" is not disturbed by what a process left that died while it wrote", async (folder) => {
  const path = join(folder, "i.json");
  const store = new FileIntervalStore({ path });
  await store.set("home", recordOf());
  await Deno.writeTextFile(`${path}.0b5cd1f4.tmp`, '{"version":1,"netw');
  assertEquals(await store.get("home"), recordOf());
});

test(".get() refuses one network's garbage and gives the others", async (folder) => {
  const path = join(folder, "i.json");
  const networks = [["home", recordOf()], ["train", { ...recordOf(), loMs: -1 }]];
  await Deno.writeTextFile(path, JSON.stringify({ version: 1, networks }));
  const store = new FileIntervalStore({ path });
  const wanted = 'Cannot use what is stored of the network "train": loMs must be from 0 to 13107100, got -1';
  await assertRejects(() => store.get("train"), TypeError, wanted);
  assertEquals(await store.get("home"), recordOf());
});

test(" fails, and goes on afterwards, where it cannot read or write", async (folder) => {
  const path = join(folder, "i.json");
  await Deno.mkdir(path);
  const store = new FileIntervalStore({ path });
  await assertRejects(() => store.get("home"), Error);
  await assertRejects(() => store.set("home", recordOf()), Error);
  assertEquals(filesIn(folder), ["i.json"]);
  await Deno.remove(path);
  await store.set("home", recordOf());
  assert(await store.get("home"));
});

test("() refuses what it cannot work with", (folder) => {
  for (const maxNetworks of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(
      () => new FileIntervalStore({ path: folder, maxNetworks }),
      RangeError,
      `got ${maxNetworks}`,
    );
  }
  assertThrows(() => new FileIntervalStore({ path: new URL("https://example.com/i.json") }), TypeError);
  return Promise.resolve();
});
