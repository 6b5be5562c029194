/**
 * The real Chromium that the tests in this folder run in.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];
const path = Deno.env.get("CHROMIUM") ?? PLACES.find((place) => existsSync(place));

/** Whether there is one. */
export const hasChromium: boolean = path !== undefined && path !== "";

if (!hasChromium) {
  console.log(`skipped: no Chromium at ${PLACES.join(" or ")}; apt-get install chromium, or set CHROMIUM`);
}

/** What Playwright switches off, and people do not. */
const AS_PEOPLE_HAVE_IT = [
  "--disable-back-forward-cache",
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
];

/** Starts it, without a window. */
export function launch(args: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: path, args: [...args], ignoreDefaultArgs: AS_PEOPLE_HAVE_IT });
}

/** A test that needs it, and is skipped without. A browser's pipes and timers outlive a test. */
export function browserTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, ignore: !hasChromium, sanitizeOps: false, sanitizeResources: false });
}
