/**
 * The project's own tests in a page of WebKit, which is what Safari is made of.
 *
 * @module
 */

import { defineSuitesIn } from "./_runtime_suite.ts";
import { webKit } from "./_started_browser.ts";

const NO_DISPOSAL = "it has no Symbol.asyncDispose";

await defineSuitesIn(
  webKit,
  new Map([
    ["keepAlive() and answerKeepAlive() exchange messages over memory()", NO_DISPOSAL],
    ["Channel closes at the end of an `await using` block", NO_DISPOSAL],
    ["ServerChannel closes at the end of an `await using` block", NO_DISPOSAL],
  ]),
);
