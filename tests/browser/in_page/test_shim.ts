/**
 * Takes the place of `Deno` in test files that run in a page: collects what
 * they define, for the runner outside to call by name.
 *
 * @module
 */

type Body = () => void | Promise<void>;

const bodies = new Map<string, Body>();

Object.assign(globalThis, {
  pageTests: {
    /** What test files see as `Deno.test`. */
    define(
      first: string | { readonly name: string; readonly fn: Body; readonly ignore?: boolean },
      second?: Body,
    ) {
      const { name, fn, ignore = false } = typeof first === "string"
        ? { name: first, fn: second! }
        : { ignore: false, ...first };
      if (!ignore) bodies.set(name, fn);
    },
    names: () => [...bodies.keys()],
    /** Undefined, or what went wrong. */
    async run(name: string): Promise<string | undefined> {
      try {
        await bodies.get(name)!();
        return undefined;
      } catch (error) {
        return error instanceof Error ? error.stack ?? error.message : String(error);
      }
    },
  },
});
