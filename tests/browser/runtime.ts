/**
 * The project's own tests, as far as they need nothing of Deno, in a page with
 * the browser bundle. Each is a test here; its body runs over there.
 *
 * @module
 */

import { hasChromium, launch } from "./_chromium.ts";
import { serveBridge } from "./_bridge_server.ts";
import { bundleSuites, LEFT_OUT, nodeModules, pageSuites } from "./_page_suites.ts";
import { serveSite } from "./_site.ts";

/** What test_shim.ts puts into the page. */
declare const pageTests: { names(): string[]; run(name: string): Promise<string | undefined> };

if (hasChromium) await define();

async function define(): Promise<void> {
  const { files, others } = await pageSuites();
  const bridge = serveBridge();
  const site = serveSite({ script: await bundleSuites(files), modules: await nodeModules() });
  const browser = await launch();
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("requestfailed", (request) => errors.push(request.url()));
  await page.goto(`${site.url}?bridge=${encodeURIComponent(bridge.url)}`);
  if (errors.length > 0) throw new Error(`Cannot run the tests in a page: ${errors.join("; ")}`);
  const names = (await page.evaluate(() => pageTests.names())).filter((name) => !LEFT_OUT.has(name));
  console.log(
    `Chromium ${browser.version()}: ${names.length} tests of ${files.length} files; ` +
      `${others.length} files need more than a page`,
  );
  for (const name of names) {
    Deno.test({
      name,
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        const error = await page.evaluate((name) => pageTests.run(name), name);
        if (error !== undefined) throw new Error(error);
      },
    });
  }
  Deno.test.afterAll(async () => {
    await browser.close();
    await site[Symbol.asyncDispose]();
    await bridge[Symbol.asyncDispose]();
    if (errors.length > 0) throw new Error(`The page had errors: ${errors.join("; ")}`);
  });
}
