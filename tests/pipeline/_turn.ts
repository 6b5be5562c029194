import { VirtualEventLoop } from "../../pipeline/virtual_event_loop.ts";

/** Lets everything run that waits for promises. */
export function turn(): Promise<void> {
  return new VirtualEventLoop().runMicrotasks();
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
