/**
 * Serves the page, tells it the news, and takes what its knobs say.
 *
 * @module
 */

import type { PageFile } from "./_bundle.ts";
import { type Begin, NAT_TIMEOUT_RANGE_MS, type NatSettings, type Told } from "./_messages.ts";

/** Options of {@linkcode servePage}. */
export interface PageServerOptions {
  readonly files: ReadonlyMap<string, PageFile>;
  /** What a page hears first. */
  readonly begin: () => Begin;
  /** The button was pressed. */
  readonly onCut: () => void;
  /** Knobs were turned. */
  readonly onSettings: (settings: NatSettings) => void;
}

/** The page's server. */
export interface PageServer extends AsyncDisposable {
  readonly url: string;
  /** Tells all pages that are open. */
  tell(message: Told): void;
}

const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; worker-src blob:; " +
    "connect-src 'self' ws://127.0.0.1:*; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
};

/** Serves on loopback, at any free port. */
export function servePage(options: PageServerOptions): PageServer {
  const listeners = new Set<ReadableStreamDefaultController<Uint8Array>>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => answer(request));
  const { port } = server.addr;
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];

  async function answer(request: Request): Promise<Response> {
    const { method, headers } = request;
    const { pathname } = new URL(request.url);
    // Another site whose name was made to point to this machine, or that posts here, is not the page.
    const origin = headers.get("origin");
    const isStranger = !hosts.includes(headers.get("host") ?? "") ||
      (origin !== null && !hosts.some((host) => origin === `http://${host}`));
    if (isStranger) return plain(403, "Not from here");
    if (method === "GET" && pathname === "/events") return events();
    const file = options.files.get(pathname);
    if (method === "GET" && file !== undefined) {
      return new Response(file.body, { headers: { ...HEADERS, "content-type": file.type } });
    }
    if (method === "POST" && pathname === "/cut") {
      options.onCut();
      return new Response(null, { status: 204 });
    }
    if (method === "POST" && pathname === "/settings") return await take(request);
    return plain(404, "Not found");
  }

  async function take(request: Request): Promise<Response> {
    const settings = settingsOf(await request.json().catch(() => undefined));
    if (settings === undefined) return plain(400, "Cannot change the NAT: no such settings");
    options.onSettings(settings);
    return new Response(null, { status: 204 });
  }

  function events(): Response {
    let own: ReadableStreamDefaultController<Uint8Array>;
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        listeners.add(own = controller);
        controller.enqueue(encoded(options.begin()));
      },
      cancel: () => void listeners.delete(own),
    });
    return new Response(stream, { headers: { ...HEADERS, "content-type": "text/event-stream" } });
  }

  return {
    url: `http://127.0.0.1:${port}/`,
    tell(message) {
      for (const listener of listeners) listener.enqueue(encoded(message));
    },
    [Symbol.asyncDispose]() {
      for (const listener of listeners) listener.close();
      listeners.clear();
      return server.shutdown();
    },
  };
}

/** Undefined if it makes no sense. */
function settingsOf(value: unknown): NatSettings | undefined {
  const { natTimeoutMs, mode } = (value ?? {}) as Partial<NatSettings>;
  const { min, max } = NAT_TIMEOUT_RANGE_MS;
  if (typeof natTimeoutMs !== "number" || !(natTimeoutMs >= min && natTimeoutMs <= max)) return undefined;
  return mode === "strict" || mode === "loose" ? { natTimeoutMs, mode } : undefined;
}

function encoded(message: Told): Uint8Array {
  return new TextEncoder().encode(`data: ${JSON.stringify(message)}\n\n`);
}

function plain(status: number, text: string): Response {
  return new Response(text, { status, headers: HEADERS });
}
