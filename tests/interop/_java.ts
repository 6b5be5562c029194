/**
 * The Java programs in `java/`.
 *
 * @module
 */

import { Program, temporaryFolder } from "./_program.ts";

const JARS = ["buffer", "codec", "common", "handler", "resolver", "transport", "transport-native-unix-common"]
  .map((name) => `/usr/share/java/netty-${name}.jar`);
/** Starts in half the time; what the JIT would gain takes longer than a test. */
const JVM_OPTIONS = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx256m"];

/** Compiled once, for as many programs as are started. */
export class JavaPrograms implements AsyncDisposable {
  readonly #folder: { readonly path: string } & AsyncDisposable;

  private constructor(folder: { readonly path: string } & AsyncDisposable) {
    this.#folder = folder;
  }

  /**
   * Compiles them.
   *
   * @param sources Files; default: all in `java/`.
   * @throws {Error} If they do not compile.
   */
  static async compile(sources?: readonly string[]): Promise<JavaPrograms> {
    const folder = await temporaryFolder();
    const files = sources ?? [...Deno.readDirSync(`${import.meta.dirname}/java`)]
      .map(({ name }) => `${import.meta.dirname}/java/${name}`);
    const { success, stderr } = await new Deno.Command("javac", {
      args: ["-Xlint:all", "-Werror", "-cp", JARS.join(":"), "-d", folder.path, ...files],
    }).output();
    if (!success) throw new Error(`Cannot compile: ${new TextDecoder().decode(stderr)}`);
    return new JavaPrograms(folder);
  }

  /** Starts one, by its class. */
  start(name: string, args: readonly string[], ready: RegExp): Promise<Program> {
    const path = [this.#folder.path, ...JARS].join(":");
    return Program.start({
      name,
      command: "java",
      args: [...JVM_OPTIONS, "-cp", path, name, ...args],
      ready,
    });
  }

  /** Starts a server, which says where it listens. */
  async serve(name: string, args: readonly string[]): Promise<{ server: Program; address: string }> {
    const server = await this.start(name, args, /listening/);
    const { port } = JSON.parse(server.output.all.find((line) => line.includes("listening"))!);
    return { server, address: `tcp://127.0.0.1:${port}` };
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#folder[Symbol.asyncDispose]();
  }
}
