/**
 * What happens to a link when its page is hidden, frozen, offline, or left and
 * come back to.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import type { Browser } from "playwright-core";
import { bundle } from "../../examples/demo/ui/_bundle.ts";
import { type BeatServer, startBeatServer } from "./_beat_server.ts";
import { browserTest, hasChromium, launch } from "./_chromium.ts";
import { serveSite, type Site } from "./_site.ts";
import { type Tab, Tabs } from "./_targets.ts";

interface Noted {
  readonly atMs: number;
  readonly type: string;
  readonly state?: string;
  readonly outcome?: string;
  readonly reason?: string;
  readonly persisted?: boolean;
}

/** A page asks its peer as soon as it may run again, not when the next beat is due, which is in a minute. */
const AT_ONCE_MS = 3_000;

let site: Site;
let browser: Browser;
let tabs: Tabs;

if (hasChromium) {
  Deno.test.beforeAll(async () => {
    site = serveSite({ script: await bundle(new URL("in_page/link.ts", import.meta.url)) });
    browser = await launch();
    tabs = await Tabs.of(browser);
  });
  Deno.test.afterAll(async () => {
    await browser.close();
    await site[Symbol.asyncDispose]();
  });
}

async function tabWithLink(server: BeatServer): Promise<Tab> {
  const tab = await tabs.open(`${site.url}?server=${server.address}&timers=worker`);
  await tab.until("globalThis.link?.snapshot()?.isValid === true");
  return tab;
}

const eventsOf = (tab: Tab) => tab.value<Noted[]>("link.events");

/** How long after one event the next of another kind came. */
function msBetween(
  events: readonly Noted[],
  first: (event: Noted) => boolean,
  then: (event: Noted) => boolean,
): number {
  const from = events.findLast(first)!;
  const to = events.find((event) => event.atMs >= from.atMs && then(event));
  assert(to !== undefined, `nothing came after ${JSON.stringify(from)} in ${JSON.stringify(events)}`);
  return to.atMs - from.atMs;
}

const LINKS_PROVEN = "link.events.filter(({ type }) => type === 'linkValid').length";
const isProven = ({ type }: Noted) => type === "linkValid";
const isAnswer = ({ type, outcome }: Noted) => type === "beat" && outcome === "answered";

browserTest("page lifecycle: hidden is background; shown again, the peer is asked at once", async () => {
  await using server = await startBeatServer();
  const tab = await tabWithLink(server);
  assert(await tab.value("link.has('appState', 'foreground')"));
  await tabs.open(`${site.url}blank`);
  await tab.until("link.has('appState', 'background')");
  await tab.show();
  await tab.until("link.events.at(-1).outcome === 'answered' && link.has('page visibilitychange')");
  const events = await eventsOf(tab);
  const shown = (event: Noted) => event.type === "appState" && event.state === "foreground";
  assertLess(msBetween(events, shown, isAnswer), AT_ONCE_MS);
  assertEquals(server.links, 1);
});

// Chromium ends the sockets of a page that it freezes, and tells it when it goes on: no link is left in doubt.
for (const isShown of [true, false]) {
  const how = isShown ? "and shown" : "and still hidden";
  browserTest(`page lifecycle: frozen, resumed ${how}, it has a link that works at once`, async () => {
    await using server = await startBeatServer();
    const tab = await tabWithLink(server);
    await tabs.open(`${site.url}blank`);
    await tab.until("document.visibilityState === 'hidden'");
    await tab.send("Page.setWebLifecycleState", { state: "frozen" });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await tab.send("Page.setWebLifecycleState", { state: "active" });
    if (isShown) await tab.show();
    await tab.until(`link.has("page resume") && ${LINKS_PROVEN} === 2`);
    const events = await eventsOf(tab);
    assert(events.some(({ type }) => type === "page freeze"), "the page was not frozen");
    assertLess(msBetween(events, ({ type }) => type === "page resume", isProven), AT_ONCE_MS);
    assertEquals(await tab.value("document.visibilityState"), isShown ? "visible" : "hidden");
  });
}

browserTest("page lifecycle: frozen while the network drops its link, it has another at once", async () => {
  await using server = await startBeatServer();
  const tab = await tabWithLink(server);
  await tabs.open(`${site.url}blank`);
  await tab.until("document.visibilityState === 'hidden'");
  await tab.send("Page.setWebLifecycleState", { state: "frozen" });
  server.dropAll();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await tab.send("Page.setWebLifecycleState", { state: "active" });
  await tab.show();
  await tab.until(`${LINKS_PROVEN} === 2`);
  assertLess(msBetween(await eventsOf(tab), ({ type }) => type === "page resume", isProven), AT_ONCE_MS);
});

browserTest("page lifecycle: offline and online are told, and the link is asked at once", async () => {
  await using server = await startBeatServer();
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${site.url}?server=${server.address}&timers=worker`);
  await page.waitForFunction("globalThis.link?.snapshot()?.isValid === true");
  await context.setOffline(true);
  await page.waitForFunction("link.has('network', 'offline')");
  await context.setOffline(false);
  await page.waitForFunction("link.has('network', 'online') && link.events.at(-1).outcome === 'answered'");
  const events = await page.evaluate<Noted[]>("link.events");
  const online = (event: Noted) => event.type === "network" && event.state === "online";
  assertLess(msBetween(events, online, isAnswer), AT_ONCE_MS);
  await context.close();
});

browserTest("page lifecycle: left and come back to, out of the cache, it has another link", async () => {
  await using server = await startBeatServer();
  const tab = await tabWithLink(server);
  await tab.value(`location.href = "${site.url}blank"`);
  await tab.until("location.pathname === '/blank'");
  await tab.value("history.back()");
  await tab.until(`globalThis.link !== undefined && ${LINKS_PROVEN} === 2`);
  const events = await eventsOf(tab);
  assert(
    events.some(({ type, persisted }) => type === "page pagehide" && persisted),
    "the page was not kept",
  );
  const isShown = ({ type, persisted }: Noted) => type === "page pageshow" && persisted === true;
  assertLess(msBetween(events, isShown, ({ type, state }) => type === "network" && state === "changed"), 100);
  assertLess(msBetween(events, isShown, isProven), AT_ONCE_MS);
});
