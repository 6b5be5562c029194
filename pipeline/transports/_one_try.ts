/**
 * One try by a function that somebody else wrote.
 *
 * @module
 */

import { ConnectError } from "../errors.ts";
import type { Link } from "../transport.ts";
import { detailOf, givenUp } from "./_failure.ts";

/**
 * Gives up as soon as the signal says so, whether or not the function listens
 * to it: a link that comes after that is aborted. What it fails with becomes a
 * {@linkcode ConnectError} that names the address.
 *
 * @param make Makes the link.
 */
export function oneTry(address: string, signal: AbortSignal, make: () => Promise<Link>): Promise<Link> {
  if (signal.aborted) return Promise.reject(givenUp(address, signal));
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(givenUp(address, signal));
    signal.addEventListener("abort", onAbort, { once: true });
    make().then((link) => {
      if (signal.aborted) link.abort();
      resolve(link);
    }, (error) => {
      reject(
        error instanceof ConnectError ? error : new ConnectError(address, detailOf(error), { cause: error }),
      );
    }).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
