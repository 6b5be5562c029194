/**
 * Tells a store what became of a session, one call at a time.
 *
 * @module
 */

import type { EventLoop, Timer } from "../../pipeline/mod.ts";
import { SessionTakenError } from "../errors.ts";
import type { SessionChange, SessionRecord, SessionStore } from "../stores/session_store.ts";

/** Where a session is kept. */
export interface Keeping {
  readonly store: SessionStore;
  readonly key: string;
  readonly claim: number;
  /**
   * How often the store is told that the session is in use, ms, though nothing
   * happens: it would forget one that seems to be abandoned. Default: never.
   */
  readonly touchEveryMs?: number;
}

/** What a saver tells. */
export interface SaverOwner {
  readonly loop: EventLoop;
  /** The store knows more than before. */
  saved(): void;
  /** It failed, and is asked again later. Told once until it works again. */
  failed(error: unknown): void;
  taken(error: SessionTakenError): void;
}

/** An acknowledgement that is not kept costs a message sent twice at most: it waits for company. */
const MAX_UNKEPT_ACKNOWLEDGEMENTS = 64;
const RETRY_FIRST_MS = 250;
const RETRY_LAST_MS = 30_000;

/**
 * Gathers what changed while the store is busy, so that a slow store is told
 * many changes at once.
 */
export class SessionSaver {
  readonly #owner: SaverOwner;
  #keeping: Keeping | undefined = undefined;
  #isBusy = false;
  #retry: Timer | undefined = undefined;
  #failures = 0;
  #holders = 0;
  /** Messages that the store does not have yet. */
  #messages: Uint8Array[] = [];
  #received = 0;
  #acknowledged = 0;
  #links: number | undefined = undefined;
  /** Those who wait for the store to know of the last link. */
  #whenLinksKept: (() => void)[] = [];
  #storedMessages = 0;
  #storedReceived = 0;
  #storedAcknowledged = 0;
  #whenIdle: (() => void)[] = [];
  #touch: Timer | undefined = undefined;
  #isUntouched = false;
  #removeNext: Keeping | undefined = undefined;

  constructor(owner: SaverOwner) {
    this.#owner = owner;
  }

  get isKeeping(): boolean {
    return this.#keeping !== undefined;
  }

  /** The number of the last own message that the store has. */
  get storedMessages(): number {
    return this.#storedMessages;
  }

  /** The number of the peer's last message that the store knows to be done with. */
  get storedReceived(): number {
    return this.#storedReceived;
  }

  /** @param record What the store has. */
  start(keeping: Keeping, { acknowledged, messages, received }: SessionRecord): void {
    this.#keeping = keeping;
    this.#storedMessages = acknowledged + messages.length;
    this.#storedReceived = received;
    this.#received = Math.max(this.#received, received);
    this.#storedAcknowledged = acknowledged;
    this.#acknowledged = Math.max(this.#acknowledged, acknowledged);
    this.#waitToTouch();
  }

  addMessages(messages: readonly Uint8Array[]): void {
    this.#messages.push(...messages);
  }

  received(number: number): void {
    this.#received = number;
  }

  acknowledged(number: number): void {
    this.#acknowledged = number;
    if (number - this.#storedAcknowledged >= MAX_UNKEPT_ACKNOWLEDGEMENTS) this.save();
  }

  /** @param kept Called once the store knows, or will never. */
  links(count: number, kept: () => void): void {
    this.#links = count;
    this.#whenLinksKept.push(kept);
    this.save();
  }

  /** From now on changes are only gathered, until {@linkcode release}. */
  hold(): void {
    this.#holders++;
  }

  /** Tells the store what was gathered. */
  release(): void {
    if (--this.#holders === 0) this.save();
  }

  /** Tells the store, unless it is busy: then afterwards. */
  save(): void {
    if (this.#isBusy || this.#holders > 0 || this.#retry !== undefined) return;
    // A store that answers at once is done before the next round, without a stack that grows.
    while (!this.#isBusy && this.#retry === undefined && this.#hasNews()) this.#update();
    if (!this.#isBusy && this.#retry === undefined) this.#tellIdle();
  }

  whenIdle(): Promise<void> {
    if (!this.#isBusy && this.#retry === undefined) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Forgets the session in the store, after what the store is being told just now. */
  remove(): void {
    const keeping = this.#keeping;
    this.stop();
    if (keeping === undefined) return;
    if (this.#isBusy) this.#removeNext = keeping;
    else this.#remove(keeping);
  }

  /** Tells the store nothing more. What it is being told just now is still kept. */
  stop(): void {
    this.#keeping = undefined;
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#touch?.cancel();
    this.#touch = undefined;
    this.#messages = [];
    if (!this.#isBusy) this.#tellIdle();
    this.#tellLinksKept(this.#takeLinksKept());
  }

  #remove({ store, key, claim }: Keeping): void {
    const failed = (error: unknown) => this.#owner.failed(error);
    try {
      store.remove(key, claim)?.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  #waitToTouch(): void {
    const everyMs = this.#keeping?.touchEveryMs;
    if (everyMs === undefined) return;
    this.#touch = this.#owner.loop.schedule(everyMs, () => {
      this.#waitToTouch();
      this.#isUntouched = true;
      this.save();
    });
  }

  #hasNews(): boolean {
    return this.#keeping !== undefined &&
      (this.#isUntouched || this.#messages.length > 0 || this.#received > this.#storedReceived ||
        this.#links !== undefined ||
        this.#acknowledged - this.#storedAcknowledged >= MAX_UNKEPT_ACKNOWLEDGEMENTS);
  }

  #update(): void {
    const keeping = this.#keeping!;
    const messages = this.#messages;
    const links = this.#links;
    const [received, acknowledged] = [this.#received, this.#acknowledged];
    const kept = links === undefined ? [] : this.#takeLinksKept();
    this.#messages = [];
    this.#links = undefined;
    this.#isUntouched = false;
    const change: SessionChange = {
      atMs: this.#owner.loop.wallNow(),
      ...(links === undefined ? {} : { links }),
      ...(received > this.#storedReceived ? { received } : {}),
      ...(acknowledged > this.#storedAcknowledged ? { acknowledged } : {}),
      ...(messages.length > 0 ? { messages } : {}),
    };
    const done = () => {
      this.#failures = 0;
      this.#storedMessages += messages.length;
      this.#storedReceived = received;
      this.#storedAcknowledged = acknowledged;
    };
    const failed = (error: unknown) => {
      // All or nothing, so nothing was kept.
      this.#messages = [...messages, ...this.#messages];
      this.#links ??= links;
      this.#whenLinksKept = [...kept, ...this.#whenLinksKept];
      this.#failed(error, keeping);
    };
    this.#isBusy = true;
    try {
      const result = keeping.store.update(keeping.key, keeping.claim, change);
      if (result === undefined) {
        this.#isBusy = false;
        done();
        if (this.#keeping === keeping) this.#owner.saved();
        this.#tellLinksKept(kept);
        return;
      }
      result.then(
        () => {
          this.#isBusy = false;
          done();
          if (this.#keeping === keeping) this.#owner.saved();
          this.#tellLinksKept(kept);
          this.#next();
        },
        (error) => {
          this.#isBusy = false;
          failed(error);
          this.#next();
        },
      );
    } catch (error) {
      this.#isBusy = false;
      failed(error);
    }
  }

  #next(): void {
    const keeping = this.#removeNext;
    this.#removeNext = undefined;
    if (keeping !== undefined) this.#remove(keeping);
    this.save();
  }

  #failed(error: unknown, keeping: Keeping): void {
    if (this.#keeping !== keeping) {
      this.#tellLinksKept(this.#takeLinksKept());
      return;
    }
    if (error instanceof SessionTakenError || (error as Error)?.name === "SessionTakenError") {
      // Told last: by then the session is given up, and who waits sees that.
      const kept = this.#takeLinksKept();
      this.stop();
      this.#owner.taken(error as SessionTakenError);
      this.#tellLinksKept(kept);
      return;
    }
    const waitMs = Math.min(RETRY_FIRST_MS * 2 ** this.#failures, RETRY_LAST_MS);
    this.#retry = this.#owner.loop.schedule(waitMs, () => {
      this.#retry = undefined;
      this.save();
    });
    if (this.#failures++ === 0) this.#owner.failed(error);
  }

  #takeLinksKept(): (() => void)[] {
    const waiting = this.#whenLinksKept;
    if (waiting.length > 0) this.#whenLinksKept = [];
    return waiting;
  }

  #tellLinksKept(waiting: readonly (() => void)[]): void {
    for (const kept of waiting) kept();
  }

  #tellIdle(): void {
    const waiting = this.#whenIdle;
    if (waiting.length === 0) return;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }
}
