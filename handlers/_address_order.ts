/**
 * Which of several addresses to try first.
 *
 * @module
 */

import type { Remote, RemoteChoice, RemoteRace, RemoteSource } from "../pipeline/mod.ts";

/**
 * Remembers how a source's addresses have done: the one that gave the last link
 * comes first, those that have failed come last, the longest ago first of them.
 */
export class AddressOrder {
  #winner: string | undefined = undefined;
  /** Those that have failed since they last gave a link, the longest ago first. Made when one fails. */
  #failed: string[] | undefined = undefined;

  /**
   * The source for one try, with the addresses of its lists in this order.
   *
   * @param source What the application gave.
   * @param delayMs The race's delay where the source does not say; undefined: the pipeline's default.
   */
  arrange(source: RemoteSource, delayMs: number | undefined): RemoteSource {
    if (typeof source !== "function") return this.#arrange(source, delayMs);
    return (options) => {
      const choice = source(options);
      return typeof (choice as Promise<RemoteChoice>)?.then === "function"
        ? (choice as Promise<RemoteChoice>).then((choice) => this.#arrange(choice, delayMs))
        : this.#arrange(choice as RemoteChoice, delayMs);
    };
  }

  /** This address gave a link. */
  won(address: string): void {
    this.#winner = address;
    this.#failed = this.#failed?.filter((failed) => failed !== address);
  }

  /** This address gave no link, or one that came to nothing. */
  failed(address: string): void {
    if (this.#winner === address) this.#winner = undefined;
    this.#failed = [...(this.#failed ?? []).filter((failed) => failed !== address), address];
  }

  #arrange(choice: RemoteChoice, delayMs: number | undefined): RemoteChoice {
    const race = raceOf(choice);
    this.#forgetAllBut(race?.remotes.map(addressOf) ?? []);
    if (race === undefined) return choice;
    return {
      remotes: [...race.remotes].sort((a, b) => this.#rank(addressOf(a)) - this.#rank(addressOf(b))),
      delayMs: race.delayMs ?? delayMs,
      onFailed: (address) => {
        this.failed(address);
        race.onFailed?.(address);
      },
    };
  }

  /** A source that names other servers each time would be remembered without end. */
  #forgetAllBut(addresses: readonly string[]): void {
    if (this.#winner !== undefined && !addresses.includes(this.#winner)) this.#winner = undefined;
    this.#failed = this.#failed?.filter((failed) => addresses.includes(failed));
  }

  #rank(address: string): number {
    return address === this.#winner ? -1 : (this.#failed?.indexOf(address) ?? -1) + 1;
  }
}

/** Whether a source can name several addresses. */
export function mayBeSeveral(source: RemoteSource): boolean {
  return typeof source === "function" || raceOf(source) !== undefined;
}

function raceOf(choice: RemoteChoice): RemoteRace | undefined {
  if (Array.isArray(choice)) return { remotes: choice };
  return Array.isArray((choice as RemoteRace)?.remotes) ? choice as RemoteRace : undefined;
}

function addressOf(remote: string | Remote): string {
  return typeof remote === "string" ? remote : remote?.address;
}
