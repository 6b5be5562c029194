/**
 * A live region that does not chatter.
 *
 * @module
 */

const QUIET_MS = 2_500;

/** Shows the latest news; a screen reader reads them out, so they come no faster than they can be heard. */
export class Newsreader {
  readonly #element: HTMLElement;
  #waiting: string | undefined = undefined;
  #isQuiet = false;

  constructor(element: HTMLElement) {
    this.#element = element;
  }

  /** What waits and is out of date by then is not said. */
  say(text: string): void {
    if (this.#isQuiet) this.#waiting = text;
    else this.#show(text);
  }

  #show(text: string): void {
    this.#element.textContent = text;
    this.#isQuiet = true;
    setTimeout(() => {
      this.#isQuiet = false;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting !== undefined && waiting !== text) this.#show(waiting);
    }, QUIET_MS);
  }
}
