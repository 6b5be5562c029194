/**
 * The demo's page, as people use it: one page, from its opening on, so the
 * tests build on each other. With `LONGLINK_PICTURE` (a file) they leave a
 * picture there: `deno task demo:picture` makes that of the README.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "@std/assert";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { type RunningUi, startUi } from "../../examples/demo/ui/_ui_server.ts";
import { browserTest, hasChromium, launch } from "./_chromium.ts";

const NAT_TIMEOUT_S = 3;
const WIDE = { width: 1200, height: 900 };
const PHONE = { width: 360, height: 740 };
const PICTURE = Deno.env.get("LONGLINK_PICTURE");

let ui: RunningUi;
let browser: Browser;
let page: Page;
/** Console errors, page errors, requests that failed. */
const troubles: string[] = [];

if (hasChromium) {
  Deno.test.beforeAll(async () => {
    ui = await startUi({ natTimeoutMs: NAT_TIMEOUT_S * 1000, mode: "strict", strategy: "edge", seed: 1 });
    browser = await launch();
    page = await browser.newPage({ viewport: WIDE });
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") troubles.push(message.text());
    });
    page.on("pageerror", (error) => troubles.push(error.stack ?? error.message));
    page.on("requestfailed", (request) => troubles.push(request.url()));
    await page.addInitScript(() => {
      const moved: number[] = [];
      Object.assign(globalThis, { moved });
      new PerformanceObserver((list) => {
        // deno-lint-ignore no-explicit-any -- no type has it
        for (const entry of list.getEntries()) moved.push((entry as any).value);
      }).observe({ type: "layout-shift", buffered: true });
    });
    await page.goto(ui.url);
  });
  Deno.test.afterAll(async () => {
    await browser.close();
    await ui[Symbol.asyncDispose]();
  });
}

const text = async (id: string) => (await page.locator(`#${id}`).textContent())!.trim();
const number = async (id: string) => Number.parseFloat(await text(id));
const until = (id: string, wanted: string) =>
  page.locator(`#${id}`).filter({ hasText: wanted }).waitFor({ timeout: 90_000 });

/** Of "1.5 s" or "+ 40 ms". */
function secondsIn(text: string): number {
  const [, number, unit] = /([\d.]+) (m?s)$/.exec(text)!;
  return Number(number) / (unit === "ms" ? 1000 : 1);
}

browserTest("demo page: the interval ends just below the time after which the box forgets", async () => {
  await until("state", "up, the server answers");
  await until("phase", "found");
  const interval = await number("interval");
  assertLess(interval, NAT_TIMEOUT_S);
  assertGreater(interval, 0.75 * NAT_TIMEOUT_S);
  assertLess(await number("survived"), NAT_TIMEOUT_S);
  assertGreater(await number("failed"), NAT_TIMEOUT_S - 0.1);
  assertGreater(await number("beats-sent"), 5);
  const verdicts = await page.locator("#trials tr").allTextContents();
  assert(verdicts.some((row) => row.includes("survived")), verdicts.join());
  assert(verdicts.some((row) => row.includes("failed")), verdicts.join());
});

browserTest("demo page: a cut heals, and how long it took is shown", async () => {
  // Where a push meets the cut at once, so does the news of it: what stays is the row.
  await page.locator("#cut").click();
  await until("recoveries", "cut here");
  await page.locator("#recoveries tr:first-child td:last-child").filter({ hasText: /^\+ [\d.]+ m?s$/ })
    .waitFor();
  const [, , noticed, back] = await page.locator("#recoveries tr:first-child td").allTextContents();
  assertLess(secondsIn(noticed!), NAT_TIMEOUT_S + 2);
  assertLess(secondsIn(back!), 2);
  await until("state", "up, the server answers");
  assertEquals(await text("reconnects"), "once");
});

browserTest("demo page: no push is lost, and those that met a dead link are late", async () => {
  await until("pushes-under-way", "0");
  const sent = await number("pushes-sent");
  assertGreater(sent, 3);
  await page.waitForFunction(() => {
    const count = (id: string) => Number(document.getElementById(id)!.textContent);
    return count("pushes-sent") ===
      count("pushes-on-time") + count("pushes-late") + count("pushes-under-way");
  });
});

browserTest("demo page: nothing jumps while it works", async () => {
  const moved = await page.evaluate(() => (globalThis as unknown as { moved: number[] }).moved);
  assertLess(moved.reduce((sum, part) => sum + part, 0), 0.02);
});

browserTest("demo page: axe finds nothing, wide and on a phone, light and dark", async () => {
  await page.mouse.move(0, 0);
  for (const viewport of [WIDE, PHONE]) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(600); // one drawing of the charts
      // The page's policy forbids scripts of others; the debugger's are none.
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate(() =>
        (globalThis as unknown as { axe: typeof axe }).axe.run()
      );
      assertEquals(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join()}`), []);
      if (PICTURE !== undefined && viewport === WIDE && colorScheme === "light") {
        await page.screenshot({ path: PICTURE, fullPage: true });
      }
    }
  }
});

browserTest("demo page: at 360 px nothing sticks out, and what is touched is large enough", async () => {
  await page.setViewportSize(PHONE);
  assertEquals(await page.evaluate(() => document.documentElement.scrollWidth), PHONE.width);
  for (const control of await page.locator("button, input[type=range], fieldset label").all()) {
    assertGreater((await control.boundingBox())!.height, 24);
  }
  for (const chart of await page.locator(".chart canvas").all()) {
    assertLess((await chart.boundingBox())!.width, PHONE.width);
  }
});

browserTest("demo page: every control is reached and used with the keyboard alone", async () => {
  await page.setViewportSize(WIDE);
  const reached: string[] = [];
  await page.locator("body").click({ position: { x: 2, y: 2 } });
  for (let i = 0; i < 4; i++) {
    await page.keyboard.press("Tab");
    const [name, outline] = await page.evaluate(() => {
      const element = document.activeElement as HTMLInputElement;
      return [element.id || element.name || element.textContent!, getComputedStyle(element).outlineStyle];
    });
    reached.push(name!);
    assertEquals(outline, "solid", `${name} shows no focus`);
  }
  assertEquals(reached, ["nat-timeout", "mode", "Go to this network", "cut"]);

  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("ArrowRight");
  assertEquals(await text("nat-timeout-text"), `${NAT_TIMEOUT_S + 1} s`);
  await page.keyboard.press("Enter");
  await until("news", `Another network: it forgets after ${NAT_TIMEOUT_S + 1} s (loose).`);
  await until("phase", "searching");
});

browserTest("demo page: a second page has a client of its own, and the same knobs", async () => {
  const second = await browser.newPage();
  await second.goto(ui.url);
  await second.locator("#state").filter({ hasText: "up, the server answers" }).waitFor();
  assertEquals(await second.locator("#nat-timeout-text").textContent(), `${NAT_TIMEOUT_S + 1} s`);
  assert(await second.locator("input[value=loose]").isChecked());
  await second.close();
});

browserTest("demo page: nothing moves for those who do not want it", async () => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const names = await page.evaluate(() =>
    Array.from(document.querySelectorAll("*"), (element) => getComputedStyle(element).animationName)
  );
  assertEquals([...new Set(names)], ["none"]);
});

browserTest("demo page: has landmarks, names and one live region", async () => {
  const tree = await page.locator("body").ariaSnapshot();
  for (
    const part of [
      "banner",
      "main",
      "contentinfo",
      'region "Interval"',
      'region "Recoveries"',
      "status",
      'slider "Forgets a quiet connection after"',
      'group "A forgotten connection"',
      'button "Cut the connection"',
      'img "Chart of the interval over time: now',
      'table "Trials"',
    ]
  ) {
    assertStringIncludes(tree, part);
  }
  assertEquals(await page.locator("[aria-live], [role=status], [role=alert], output").count(), 2); // with the slider's own
});

browserTest("demo page: a stranger's requests are refused", async () => {
  const [origin, address] = ["http://evil.example", new URL(ui.url)];
  for (const path of ["cut", "settings"]) {
    const response = await fetch(new URL(path, address), { method: "POST", headers: { origin }, body: "{}" });
    assertEquals([response.status, await response.text()], [403, "Not from here"]);
  }
  const bad = await fetch(new URL("settings", address), {
    method: "POST",
    body: `{"natTimeoutMs":1,"mode":"odd"}`,
  });
  assertEquals([bad.status, await bad.text()], [400, "Cannot change the NAT: no such settings"]);
});

browserTest("demo page: the console stayed clean all the while", () => {
  assertEquals(troubles, []);
  return Promise.resolve();
});
