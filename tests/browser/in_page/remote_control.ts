/**
 * Lets the runner outside call a page's tests over a WebSocket, for browsers
 * that it has no driver of.
 *
 * @module
 */

/** What test_shim.ts puts into the page. */
declare const pageTests: { names(): string[]; run(name: string): Promise<string | undefined> };

/** Given by the runner in the page's address. */
const control = new URL(location.href).searchParams.get("control");
if (control !== null) {
  const socket = new WebSocket(control);
  const isOpen = new Promise((resolve) => socket.onopen = resolve);
  const tell = (message: unknown) => void isOpen.then(() => socket.send(JSON.stringify(message)));
  // Errors that belong to no test: a file that cannot be loaded, what nobody waited for.
  addEventListener("error", ({ message, filename, lineno }) => {
    tell({ pageError: `${message} (${filename}:${lineno})` });
  });
  // All modules have run by then.
  addEventListener("load", () => tell({ names: pageTests.names(), userAgent: navigator.userAgent }));
  socket.onmessage = async ({ data }) => tell({ error: await pageTests.run(data) });
}
