import type { KeyValueStorage } from "../../../handlers/mod.ts";

/** A storage with room for so many characters. */
export class SmallStorage implements KeyValueStorage {
  readonly rows = new Map<string, string>();

  constructor(public room: number = Infinity) {}

  get length(): number {
    return this.rows.size;
  }

  key(index: number): string | null {
    return [...this.rows.keys()][index] ?? null;
  }

  getItem(key: string): string | null {
    return this.rows.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    let used = key.length + value.length;
    for (const [other, text] of this.rows) if (other !== key) used += other.length + text.length;
    if (used > this.room) throw new DOMException("no room", "QuotaExceededError");
    this.rows.set(key, value);
  }

  removeItem(key: string): void {
    this.rows.delete(key);
  }
}
