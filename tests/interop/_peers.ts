/**
 * Which of the other projects' programs are there.
 *
 * @module
 */

/** A program and the Debian package that brings it. */
const PACKAGES: Readonly<Record<string, string>> = {
  java: "openjdk-17-jdk-headless",
  javac: "openjdk-17-jdk-headless",
  "/usr/share/java/netty-handler.jar": "libnetty-java",
  mosquitto: "mosquitto",
  "nats-server": "nats-server",
  prosody: "prosody",
};

const LIMIT_MS = 40_000;

/**
 * Registers the tests of one peer: ignored, with the missing packages in their
 * name, where it is not installed.
 *
 * @param needs What has to be there: commands, or files by their path.
 * @returns `Deno.test`, for this peer.
 */
export function testWith(...needs: string[]): (name: string, run: () => Promise<void>) => void {
  const missing = new Set(needs.filter((need) => !isThere(need)).map((need) => PACKAGES[need] ?? need));
  return (name, run) => {
    if (missing.size === 0) Deno.test(name, () => within(LIMIT_MS, run()));
    else Deno.test(`${name} (not installed: ${[...missing].join(", ")})`, { ignore: true }, run);
  };
}

/** A peer that never says what is waited for must not hold up all the others. */
async function within(ms: number, done: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`Cannot go on: not done within ${ms / 1000} s`)), ms);
  await Promise.race([done, late.promise]).finally(() => clearTimeout(timer));
}

function isThere(need: string): boolean {
  // Servers are in sbin, which not every user's path has.
  const folders = need.startsWith("/") ? [""] : `${Deno.env.get("PATH")}:/usr/sbin:/sbin`.split(":");
  return folders.some((folder) => {
    try {
      return Deno.statSync(need.startsWith("/") ? need : `${folder}/${need}`).isFile;
    } catch {
      return false;
    }
  });
}

/** The environment in which such a program is found. */
export const PEER_ENV: Readonly<Record<string, string>> = { PATH: `${Deno.env.get("PATH")}:/usr/sbin:/sbin` };
