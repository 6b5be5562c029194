/**
 * The project's own tests, as far as they need nothing of Deno, in a page with
 * the browser bundle. Each is a test here; its body runs over there.
 *
 * @module
 */

import { type BridgeServer, serveBridge } from "./_bridge_server.ts";
import { bundleSuites, LEFT_OUT, nodeModules, pageSuites } from "./_page_suites.ts";
import { RemotePage } from "./_remote_page.ts";
import { serveSite, type Site } from "./_site.ts";
import { isInstalled, start, type StartedBrowser } from "./_started_browser.ts";

/** A page that has the tests. */
export interface SuitePage extends AsyncDisposable {
  /** What is shown of it. */
  readonly name: string;
  readonly names: readonly string[];
  /** Errors of the page outside its tests. */
  readonly errors: readonly string[];
  /** Runs a test; undefined, or what went wrong. */
  run(name: string): Promise<string | undefined>;
}

/**
 * Defines all tests of a page, with the browser's name in front where there is one.
 *
 * @param open Opens the page at an address.
 * @param leftOut Names of tests that this browser cannot run, and why.
 */
export async function defineSuites(
  open: (url: string) => Promise<SuitePage>,
  prefix = "",
  leftOut: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  const { files, others } = await pageSuites();
  const bridge: BridgeServer = serveBridge();
  const site: Site = serveSite({ script: await bundleSuites(files), modules: await nodeModules() });
  const page = await open(`${site.url}?bridge=${encodeURIComponent(bridge.url)}`);
  if (page.errors.length > 0) throw new Error(`Cannot run the tests in a page: ${page.errors.join("; ")}`);
  const names = page.names.filter((name) => !LEFT_OUT.has(name) && !leftOut.has(name));
  console.log(
    `${page.name}: ${names.length} tests of ${files.length} files; ${others.length} files need more than a page`,
  );
  for (const name of names) {
    Deno.test({
      name: prefix + name,
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        const error = await page.run(name);
        if (error !== undefined) throw new Error(error);
      },
    });
  }
  Deno.test.afterAll(async () => {
    await page[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    await bridge[Symbol.asyncDispose]();
    if (page.errors.length > 0) throw new Error(`The page had errors: ${page.errors.join("; ")}`);
  });
}

/** The same for a browser that is only started; nothing where it is not installed. */
export async function defineSuitesIn(
  browser: StartedBrowser,
  leftOut: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  if (!isInstalled(browser)) return;
  const open = (url: string) => RemotePage.open((url) => start(browser, url), url);
  await defineSuites(open, `${browser.name}: `, leftOut);
}
