import { assert, assertEquals } from "@std/assert";
import manifest from "../deno.json" with { type: "json" };

/** The part of `deno doc --json` that is looked at. */
interface Documentation {
  readonly nodes: Record<string, { readonly symbols?: readonly DocumentedSymbol[] }>;
}

interface DocumentedSymbol {
  readonly name: string;
  readonly declarations?: readonly Declaration[];
}

interface Declaration {
  readonly kind: string;
  readonly declarationKind: string;
  readonly location: { readonly filename: string };
  readonly jsDoc?: { readonly tags?: readonly { readonly kind: string }[] };
}

const ROOT = new URL("..", import.meta.url);

Deno.test("Every exported symbol has an example of its own", async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...Object.values(manifest.exports)],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  assert(success, text.decode(stderr));
  const { nodes }: Documentation = JSON.parse(text.decode(stdout));
  const symbols = Object.values(nodes).flatMap(({ symbols = [] }) => symbols);
  assert(symbols.length > 250, `only ${symbols.length} symbols were found`);
  const without = new Set<string>();
  for (const { name, declarations = [] } of symbols) {
    for (const { kind, declarationKind, location, jsDoc } of declarations) {
      if (declarationKind === "private" || kind === "reference" || kind === "import") continue;
      if (jsDoc?.tags?.some((tag) => tag.kind === "example")) continue;
      without.add(`${name} (${location.filename.slice(ROOT.href.length)})`);
    }
  }
  assertEquals([...without].sort(), []);
});
