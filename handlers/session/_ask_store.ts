/**
 * A question to the store that decides about a client's session.
 *
 * @module
 */

import type { ArrivingLink, Preparing } from "./_arriving_link.ts";

/**
 * Asks the store for a client that waits. If it fails, that client is refused,
 * unless it has gone.
 *
 * @param answered Gets the answer, at once if the store has it at once.
 * @param finished Called afterwards, whatever came of it.
 */
export function askStore<T>(
  link: ArrivingLink,
  preparing: Preparing,
  question: () => T | Promise<T>,
  answered: (answer: T) => void,
  finished: () => void = () => {},
): void {
  const { context } = link;
  const go = (answer: T) => {
    try {
      answered(answer);
    } catch (error) {
      context.fireExceptionCaught(error);
    }
    finished();
  };
  const failed = (error: unknown) => {
    context.fireExceptionCaught(error);
    if (link.isAt(preparing)) {
      if ((error as Error)?.name === "UnusableSessionError") link.refuse("unknown", 0);
      else link.refuseForNow();
    }
    finished();
  };
  let answer: T | Promise<T>;
  try {
    answer = question();
  } catch (error) {
    return failed(error);
  }
  if (answer instanceof Promise) answer.then(go, failed);
  else go(answer);
}
