/**
 * Waiting for Ctrl-C.
 *
 * @module
 */

import process from "node:process";

/** Resolves at the first SIGINT or SIGTERM. A second one ends the process as usual. */
export function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
      resolve();
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  });
}
