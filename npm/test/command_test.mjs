// The package's command, as `npx` finds it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);

test("longlink --help says what it can do", { timeout: 20_000 }, async () => {
  const { stdout } = await run("npm", ["exec", "--offline", "--", "longlink", "--help"]);
  for (const command of ["serve", "connect", "probe"]) {
    assert.match(stdout, new RegExp(`^ *${command} `, "m"));
  }
});

test("longlink ends with a status that says what went wrong", { timeout: 20_000 }, async () => {
  await assert.rejects(
    run("npm", ["exec", "--offline", "--", "longlink", "nonsense"]),
    ({ code }) => code > 0,
  );
});
