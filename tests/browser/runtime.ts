/**
 * The project's own tests in a page of Chromium.
 *
 * @module
 */

import { hasChromium, launch } from "./_chromium.ts";
import { defineSuites, type SuitePage } from "./_runtime_suite.ts";

/** What test_shim.ts puts into the page. */
declare const pageTests: { names(): string[]; run(name: string): Promise<string | undefined> };

if (hasChromium) await defineSuites(open);

async function open(url: string): Promise<SuitePage> {
  const browser = await launch();
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("requestfailed", (request) => errors.push(request.url()));
  await page.goto(url);
  return {
    name: `Chromium ${browser.version()}`,
    names: await page.evaluate(() => pageTests.names()),
    errors,
    run: (name) => page.evaluate((name) => pageTests.run(name), name),
    [Symbol.asyncDispose]: () => browser.close(),
  };
}
