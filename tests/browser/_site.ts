/**
 * Serves a page that a test is made of, on loopback.
 *
 * @module
 */

/** What is served. */
export interface SiteOptions {
  /** The page's script. */
  readonly script: string;
  /** Modules that the script imports, by their names. */
  readonly modules?: Readonly<Record<string, string>>;
  /** The page's policy. */
  readonly policy?: string;
}

/** A running site. */
export interface Site extends AsyncDisposable {
  readonly url: string;
}

/** Serves a page with the script, whatever is asked for; `/blank` is a page without it. */
export function serveSite({ script, modules = {}, policy }: SiteOptions): Site {
  const headers: Record<string, string> = policy === undefined ? {} : { "content-security-policy": policy };
  const names = Object.keys(modules);
  const imports = Object.fromEntries(names.map((name, i) => [name, `/modules/${i}.js`]));
  const map = names.length === 0 ? "" : `<script type="importmap">${JSON.stringify({ imports })}</script>`;
  const javascript = (code: string) => new Response(code, { headers: { "content-type": "text/javascript" } });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/main.js") return javascript(script);
    const [, module] = /^\/modules\/(\d+)\.js$/.exec(pathname) ?? [];
    if (module !== undefined) return javascript(modules[names[Number(module)]!]!);
    if (pathname === "/favicon.ico") return new Response(null, { status: 204 });
    const html = pathname === "/blank" ? "" : `${map}<script type="module" src="/main.js"></script>`;
    return new Response(`<!DOCTYPE html><title>${pathname}</title>${html}`, {
      headers: { ...headers, "content-type": "text/html; charset=utf-8" },
    });
  });
  return { url: `http://127.0.0.1:${server.addr.port}/`, [Symbol.asyncDispose]: () => server.shutdown() };
}
