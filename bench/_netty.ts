/** Compiles and runs the Netty programs of bench/netty, where Java and Netty are there. */

const JARS = ["netty-common", "netty-buffer", "netty-resolver", "netty-transport"].map((name) =>
  `/usr/share/java/${name}.jar`
);

/** Numbers of one hop in Netty, ns. */
export interface NettyHop {
  readonly inboundNs: number;
  readonly outboundNs: number;
  readonly version: string;
}

/** What is missing for running Netty, in words; undefined if nothing is. */
export async function missingForNetty(): Promise<string | undefined> {
  for (const command of ["java", "javac"]) {
    try {
      await run(command, ["-version"]);
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

/**
 * Measures one hop with one kind of message, each kind in a JVM of its own: what the JIT learned from one
 * must not colour the other.
 */
export async function nettyHop(message: "object" | "bytebuf"): Promise<NettyHop> {
  const classes = await Deno.makeTempDir({ prefix: "longlink-bench-" });
  try {
    const source = `${import.meta.dirname}/netty/HopBench.java`;
    await run("javac", ["-cp", JARS.join(":"), "-d", classes, source]);
    return JSON.parse(await run("java", ["-cp", [classes, ...JARS].join(":"), "HopBench", message]));
  } finally {
    await Deno.remove(classes, { recursive: true });
  }
}

async function run(command: string, args: string[]): Promise<string> {
  const quiet = args[0] === "-version";
  const child = new Deno.Command(command, { args, stdin: "null", stderr: quiet ? "null" : "inherit" });
  const { success, code, stdout } = await child.output();
  if (!success) throw new Error(`Cannot run ${command} ${args.join(" ")}: it ended with status ${code}`);
  return new TextDecoder().decode(stdout);
}
