/**
 * Heartbeats of a tab that is hidden for so long that the browser runs its
 * timers once a minute: late with the page's own timers, on time with a worker's.
 *
 * @module
 */

import { assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { bundle } from "../../examples/demo/ui/_bundle.ts";
import { startBeatServer } from "./_beat_server.ts";
import { browserTest, launch } from "./_chromium.ts";
import { serveSite } from "./_site.ts";
import { type Tab, Tabs } from "./_targets.ts";

const INTERVAL_MS = 4_000;
const HIDDEN_MS = 100_000;
/** After so long a hidden page counts as one that need not be on time; 5 minutes otherwise. */
const GRACE = "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/5";

const script = () => bundle(new URL("in_page/link.ts", import.meta.url));

browserTest("hidden tab: beats of a page's own timers are late, those of a worker's are not", async () => {
  await using site = serveSite({ script: await script() });
  await using withPage = await startBeatServer();
  await using withWorker = await startBeatServer();
  const browser = await launch([GRACE]);
  try {
    const tabs = await Tabs.of(browser);
    const opened: Tab[] = [];
    for (const [timers, { address }] of [["page", withPage], ["worker", withWorker]] as const) {
      const tab = await tabs.open(`${site.url}?server=${address}&timers=${timers}&interval=${INTERVAL_MS}`);
      await tab.until("globalThis.link?.snapshot()?.isValid === true");
      opened.push(tab);
    }
    await tabs.open(`${site.url}blank`);
    for (const tab of opened) await tab.until("document.visibilityState === 'hidden'");
    const sinceMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, HIDDEN_MS));
    assertEquals(await opened[1]!.value("link.isWorkerRunning()"), true);
    const [page, worker] = [withPage, withWorker].map(({ readsMs }) => latenessMs(readsMs, sinceMs));
    console.log(
      `beats every ${INTERVAL_MS / 1000} s, hidden for ${HIDDEN_MS / 1000} s, Chromium ${browser.version()}`,
    );
    console.log(`  page's own timers: ${figures(page!)}, ${withPage.links} links`);
    console.log(`  timers in a worker: ${figures(worker!)}, ${withWorker.links} link`);
    assertGreater(Math.max(...page!), 20_000);
    assertLess(Math.max(...worker!), 1_000);
    assertGreater(worker!.length, 15);
    // The other one is taken for dead by the server, which drops it.
    assertEquals(withWorker.links, 1);
  } finally {
    await browser.close();
  }
});

browserTest(
  "hidden tab: where policy forbids the worker, the page's timers go on, and it is said",
  async () => {
    await using server = await startBeatServer();
    await using site = serveSite({
      script: await script(),
      policy: "script-src 'self'; worker-src 'none'; connect-src *",
    });
    const browser = await launch();
    try {
      const tabs = await Tabs.of(browser);
      const tab = await tabs.open(`${site.url}?server=${server.address}&timers=worker&interval=300`);
      await tab.until("globalThis.link?.events.filter(({ type }) => type === 'beat').length > 5");
      const warnings = await tab.value<string[]>("link.warnings");
      assertEquals(warnings.length, 1);
      assertMatch(
        warnings[0]!,
        /^WorkerTimersError blocked: Cannot run timers in a worker: .*Content-Security-Policy/,
      );
      assertEquals(await tab.value("link.isWorkerRunning()"), false);
    } finally {
      await browser.close();
    }
  },
);

/** By how much each beat came later than wanted. */
function latenessMs(readsMs: readonly number[], sinceMs: number): number[] {
  const times = [...readsMs.filter((ms) => ms > sinceMs), performance.now()];
  return times.slice(1).map((ms, i) => Math.max(0, ms - times[i]! - INTERVAL_MS));
}

function figures(late: readonly number[]): string {
  const sorted = [...late].sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!);
  return `${late.length} silences, late by ${at(0.5)} ms in the middle, ${at(1)} ms at most`;
}
