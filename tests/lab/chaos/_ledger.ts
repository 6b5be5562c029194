/**
 * What was sent, what arrived, and what of that is wrong.
 *
 * @module
 */

/** A message, from its write on. */
export interface Entry {
  readonly stream: string;
  readonly number: number;
  /** Whoever has written it. */
  readonly writer: object;
  /** When, ms. */
  readonly atMs: number;
  /** `pending`: write() has taken it and its promise is not settled. */
  state: "pending" | "accepted" | "failed";
  /** Its writer, or the place where it was kept, is gone, or it was listed as unconfirmed: it may be missing. */
  isExcused: boolean;
  isListed: boolean;
  hasArrived: boolean;
  /** The application that it reached is done with it. */
  isDone: boolean;
}

/** The sums of a run. */
export interface Totals {
  /** How many messages write() has accepted. */
  readonly sent: number;
  /** How many of them have arrived. */
  readonly delivered: number;
  /** How many have not, although nothing excuses it. */
  readonly lost: number;
  /** How many arrivals there were of messages that had arrived before. */
  readonly duplicated: number;
  /** How many arrived after a later one of the same stream. */
  readonly reordered: number;
}

interface Stream {
  readonly entries: Entry[];
  /** The highest number that has arrived. */
  last: number;
}

/**
 * Sees every write and every arrival of a run. A stream is one direction of
 * one client; its messages are numbered from 1.
 */
export class Ledger {
  /** What is wrong besides the sums: one sentence each. */
  readonly problems: string[] = [];
  readonly #streams = new Map<string, Stream>();
  #duplicated = 0;
  #reordered = 0;

  /** A message is about to be written. */
  write(stream: string, writer: object, atMs: number): Entry {
    const { entries } = this.#stream(stream);
    const entry: Entry = {
      stream,
      number: entries.length + 1,
      writer,
      atMs,
      state: "pending",
      isExcused: false,
      isListed: false,
      hasArrived: false,
      isDone: false,
    };
    entries.push(entry);
    return entry;
  }

  /** Its write is settled. */
  settled(entry: Entry, error: unknown): void {
    entry.state = error === undefined ? "accepted" : "failed";
  }

  /** Its write was to be settled only when the other application is done with it, and is. */
  acknowledged(entry: Entry): void {
    if (!entry.isDone) {
      this.problems.push(`${nameOf(entry)} was acknowledged before its receiver was done with it`);
    }
  }

  /** A message has arrived. */
  arrived(stream: string, number: number): Entry | undefined {
    const known = this.#stream(stream);
    const entry = known.entries[number - 1];
    if (entry === undefined) {
      this.problems.push(`${stream} ${number} arrived, and was never sent`);
      return undefined;
    }
    if (entry.hasArrived) {
      this.#duplicated++;
      this.problems.push(`${nameOf(entry)} arrived again`);
    } else if (number < known.last) {
      this.#reordered++;
      this.problems.push(`${nameOf(entry)} arrived after ${known.last}`);
    }
    known.last = Math.max(known.last, number);
    entry.hasArrived = true;
    return entry;
  }

  /** A message came again after the process died that had taken it: the next one knows that it is done. */
  taken(stream: string, number: number): void {
    const entry = this.#stream(stream).entries[number - 1];
    if (entry?.hasArrived) entry.isDone = true;
    else this.problems.push(`${stream} ${number} is known to be done, and never arrived`);
  }

  /** A lost session has listed this message as unconfirmed. */
  listed(stream: string, number: number): void {
    const entry = this.#stream(stream).entries[number - 1];
    if (entry === undefined) this.problems.push(`${stream} ${number} is listed, and was never sent`);
    else if (entry.isListed) this.problems.push(`${nameOf(entry)} is listed twice`);
    else entry.isListed = entry.isExcused = true;
  }

  /** A process is gone: whether what it was just writing was accepted nobody knows. */
  writerDied(writer: object): void {
    for (const entry of this.#all()) {
      if (entry.writer === writer && entry.state === "pending") entry.isExcused = true;
    }
  }

  /** What was kept of these streams is gone, with whoever could have listed it. */
  keptLost(streams: readonly string[]): void {
    for (const stream of streams) {
      for (const entry of this.#stream(stream).entries) if (!entry.hasArrived) entry.isExcused = true;
    }
  }

  /** Names what was written to this stream before this time, and should have arrived by now. */
  expectArrived(stream: string, beforeMs: number): void {
    for (const entry of this.#stream(stream).entries) {
      if (entry.atMs < beforeMs && isMissing(entry)) {
        this.problems.push(`${nameOf(entry)} is stuck, with nothing in its way`);
      }
    }
  }

  /** Whether everything has arrived that has to. */
  get isComplete(): boolean {
    for (const entry of this.#all()) if (isMissing(entry)) return false;
    return true;
  }

  /** How many writes of these writers are not settled. */
  unsettled(writers: ReadonlySet<object>): number {
    let sum = 0;
    for (const { state, writer } of this.#all()) if (state === "pending" && writers.has(writer)) sum++;
    return sum;
  }

  /** Adds up. Names each message that is lost among the problems. */
  totals(): Totals {
    let sent = 0, delivered = 0, lost = 0;
    for (const entry of this.#all()) {
      if (entry.state === "failed") continue;
      sent++;
      if (entry.hasArrived) delivered++;
      if (!isMissing(entry)) continue;
      lost++;
      this.problems.push(`${nameOf(entry)} is lost`);
    }
    return { sent, delivered, lost, duplicated: this.#duplicated, reordered: this.#reordered };
  }

  *#all(): Generator<Entry> {
    for (const { entries } of this.#streams.values()) yield* entries;
  }

  #stream(name: string): Stream {
    let stream = this.#streams.get(name);
    if (stream === undefined) this.#streams.set(name, stream = { entries: [], last: 0 });
    return stream;
  }
}

function isMissing({ state, hasArrived, isExcused }: Entry): boolean {
  return state !== "failed" && !hasArrived && !isExcused;
}

function nameOf({ stream, number }: Entry): string {
  return `${stream} ${number}`;
}
