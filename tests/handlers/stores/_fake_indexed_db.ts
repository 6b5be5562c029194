/** IndexedDB in memory, for runtimes that have none. */

// Only these tests need it, so it is no dependency of the project's.
export { IDBFactory } from "npm:fake-indexeddb@^6.2.5";
