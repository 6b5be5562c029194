/** Lets everything run that waits for promises. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** The errors that nobody catches while the action and what follows it in the same turn run. */
export async function uncaught(action: () => void): Promise<unknown[]> {
  const errors: unknown[] = [];
  const listener = (event: ErrorEvent) => {
    event.preventDefault();
    errors.push(event.error);
  };
  globalThis.addEventListener("error", listener);
  try {
    action();
    await turn();
  } finally {
    globalThis.removeEventListener("error", listener);
  }
  return errors;
}
