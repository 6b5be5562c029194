/**
 * What the stores in IndexedDB share: one connection, and transactions as
 * promises.
 *
 * @module
 */

import type { IndexedDb } from "./indexed_db_interval_store.ts";

/** Raised when what the object stores hold is laid out anew. */
const VERSION = 1;

/** A database that is opened when it is first needed, and again when the browser has closed it. */
export class IndexedDatabase {
  readonly #name: string;
  readonly #objectStores: readonly string[];
  readonly #factory: IndexedDb | undefined;
  readonly #durability: IDBTransactionDurability;
  #connection: Promise<IDBDatabase> | undefined;

  constructor(
    name: string,
    objectStores: readonly string[],
    options: { readonly factory?: IndexedDb; readonly flushToDisk?: boolean },
  ) {
    this.#name = name;
    this.#objectStores = objectStores;
    this.#factory = options.factory;
    this.#durability = options.flushToDisk ? "strict" : "relaxed";
  }

  /**
   * Does something to all object stores, all of it or nothing. Transactions of
   * all tabs that write come one after the other, in the order of the calls.
   *
   * @param mode Whether it writes.
   * @param body What is done. It may await nothing but requests of the transaction.
   */
  async transact<T>(
    mode: IDBTransactionMode,
    body: (transaction: IDBTransaction) => Promise<T>,
  ): Promise<T> {
    const transaction = await this.#begin(mode);
    const ended = new Promise<void>((pass, fail) => {
      transaction.oncomplete = () => pass();
      transaction.onabort = () => fail(transaction.error ?? new Error(`Cannot write to ${this.#name}`));
    });
    // The body may fail first, and then that is the reason.
    ended.catch(() => {});
    let result: T;
    try {
      result = await body(transaction);
    } catch (error) {
      abort(transaction);
      throw error;
    }
    await ended;
    return result;
  }

  /** Closes the connection once what was begun is done. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    (await connection)?.close();
  }

  async #begin(mode: IDBTransactionMode): Promise<IDBTransaction> {
    const options = { durability: this.#durability };
    const connection = this.#connected();
    try {
      return (await connection).transaction([...this.#objectStores], mode, options);
    } catch (error) {
      // The browser has closed it while this call waited for it, or without saying so (Safari).
      if ((error as Error).name !== "InvalidStateError") throw error;
      if (this.#connection === connection) this.#connection = undefined;
      return (await this.#connected()).transaction([...this.#objectStores], mode, options);
    }
  }

  #connected(): Promise<IDBDatabase> {
    if (this.#connection !== undefined) return this.#connection;
    const connection = this.#open();
    const forget = () => {
      if (this.#connection === connection) this.#connection = undefined;
    };
    connection.then((database) => {
      database.onclose = forget;
      // Another tab wants to lay it out anew, or the user to delete it: both wait for this one.
      database.onversionchange = () => {
        forget();
        database.close();
      };
    }, forget);
    this.#connection = connection;
    return connection;
  }

  async #open(): Promise<IDBDatabase> {
    const cannot = `Cannot open the database ${JSON.stringify(this.#name)}`;
    const factory = this.#factory ?? factoryHere();
    if (factory === undefined) {
      throw new TypeError(`${cannot}: there is no indexedDB here, and no factory was given`);
    }
    const request = factory.open(this.#name, VERSION) as IDBOpenDBRequest;
    request.onupgradeneeded = () => {
      for (const name of this.#objectStores) request.result.createObjectStore(name);
    };
    try {
      return await answerOf(request);
    } catch (cause) {
      if ((cause as Error).name !== "VersionError") throw cause;
      throw new TypeError(`${cannot}: it is of a later version than ${VERSION}`, { cause });
    }
  }
}

/** What a request gives. */
export function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((pass, fail) => {
    request.onsuccess = () => pass(request.result);
    request.onerror = () => fail(request.error);
  });
}

/** Undoes a transaction, unless it has just ended by itself. */
function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch (error) {
    if ((error as Error).name !== "InvalidStateError") throw error;
  }
}

/** Reading the global can throw by itself, as that of `localStorage` can; then it counts as not there. */
function factoryHere(): IndexedDb | undefined {
  try {
    return globalThis.indexedDB;
  } catch {
    return undefined;
  }
}
