/**
 * Browsers that are started with a page's address: Firefox, and WebKit as
 * WebKitGTK's small browser shows it (Debian packages firefox-esr; xvfb and
 * webkit2gtk-driver).
 *
 * @module
 */

import { existsSync } from "node:fs";

/** How one is started. */
export interface StartedBrowser {
  readonly name: string;
  /** What has to be installed, by path, and the packages that bring it. */
  readonly needs: readonly string[];
  readonly packages: string;
  /** The command that shows a page; `folder` is empty and for this run alone. */
  command(url: string, folder: string): readonly [program: string, ...args: string[]];
}

/** Mozilla's. */
export const firefox: StartedBrowser = {
  name: "Firefox",
  needs: ["/usr/bin/firefox-esr"],
  packages: "firefox-esr",
  command: (url, folder) => ["/usr/bin/firefox-esr", "--headless", "--no-remote", "--profile", folder, url],
};

const MINI_BROWSERS = ["aarch64", "x86_64"].map((cpu) =>
  `/usr/lib/${cpu}-linux-gnu/webkit2gtk-4.1/MiniBrowser`
);
const miniBrowser = MINI_BROWSERS.find((path) => existsSync(path)) ?? MINI_BROWSERS[1]!;

/** The engine of Safari, as it is built for Linux. It has no mode without a screen. */
export const webKit: StartedBrowser = {
  name: "WebKit",
  needs: ["/usr/bin/Xvfb", "/usr/bin/xvfb-run", miniBrowser],
  packages: "xvfb xauth webkit2gtk-driver",
  command: (url) => ["/usr/bin/xvfb-run", "--auto-servernum", miniBrowser, "--private", url],
};

/** Whether all of it is there; says what is not. */
export function isInstalled({ name, needs, packages }: StartedBrowser): boolean {
  const missing = needs.find((path) => !existsSync(path));
  if (missing === undefined) return true;
  console.log(`skipped: no ${name}, as there is no ${missing}; apt-get install ${packages}`);
  return false;
}

/** Opens a page; the browser ends with what is returned. */
export function start(browser: StartedBrowser, url: string): AsyncDisposable {
  const folder = Deno.makeTempDirSync();
  const [program, ...args] = browser.command(url, folder);
  // A group of its own, since a browser is many processes, and xvfb-run leaves its screen behind.
  const child = new Deno.Command("setsid", {
    args: [program, ...args],
    // What is its own must not go into the home of whoever runs the tests.
    env: { HOME: folder, XDG_RUNTIME_DIR: folder, MOZ_CRASHREPORTER_DISABLE: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    async [Symbol.asyncDispose]() {
      await new Deno.Command("sh", { args: ["-c", `kill -s KILL -- -${child.pid}`], stderr: "null" })
        .output();
      await child.status;
      await Deno.remove(folder, { recursive: true }).catch(ignore); // one of the processes may still write there
    },
  };
}

function ignore(): void {}
