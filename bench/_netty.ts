/** Compiles and runs the Netty programs of bench/netty, where Java and Netty are there. */

import { output } from "./_programs.ts";

const JARS = ["netty-common", "netty-buffer", "netty-resolver", "netty-transport"].map((name) =>
  `/usr/share/java/${name}.jar`
);

/** Netty's programs, compiled; disposed of with their folder. */
export interface Netty extends AsyncDisposable {
  /** What a program prints as its last line. */
  run<T>(program: "HopBench" | "TimerBench", ...args: readonly string[]): Promise<T>;
}

/** Compiles Netty's programs, or says in words what is missing for that. */
export async function netty(): Promise<Netty | string> {
  const missing = await missingForNetty();
  if (missing !== undefined) return missing;
  const classes = await Deno.makeTempDir({ prefix: "longlink-bench-" });
  const sources = ["HopBench", "TimerBench"].map((name) => `${import.meta.dirname}/netty/${name}.java`);
  await output("javac", ["-cp", JARS.join(":"), "-d", classes, ...sources]);
  return {
    run: async (program, ...args) =>
      JSON.parse(await output("java", ["-cp", [classes, ...JARS].join(":"), program, ...args])),
    [Symbol.asyncDispose]: () => Deno.remove(classes, { recursive: true }),
  };
}

async function missingForNetty(): Promise<string | undefined> {
  for (const command of ["java", "javac"]) {
    try {
      await new Deno.Command(command, { args: ["-version"], stdout: "null", stderr: "null" }).output();
    } catch {
      return `${command} is not installed (Debian: default-jdk-headless)`;
    }
  }
  for (const jar of JARS) {
    try {
      await Deno.stat(jar);
    } catch {
      return `${jar} is not there (Debian: libnetty-java)`;
    }
  }
}
