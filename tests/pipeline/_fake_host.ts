import { assert, assertEquals } from "@std/assert";
import type { SystemHost } from "../../pipeline/system_event_loop.ts";

/** A platform whose clocks and timers the test moves. */
export class FakeHost implements SystemHost {
  monotonicMs = 7_000;
  wallMs = 1_767_225_600_000;
  /** How often a timer was armed. */
  arms = 0;
  readonly timers = new Map<number, { readonly dueMs: number; readonly callback: () => void }>();

  monotonicNow = () => this.monotonicMs;
  wallNow = () => this.wallMs;
  random = () => 0.5;

  setTimeout(callback: () => void, delayMs: number): number {
    assert(delayMs >= 0 && delayMs < 2 ** 31, `a host timer of ${delayMs} ms`);
    this.arms++;
    this.timers.set(this.arms, { dueMs: this.monotonicMs + delayMs, callback });
    assertEquals(this.timers.size, 1, "there is one host timer");
    return this.arms;
  }

  clearTimeout(handle: unknown): void {
    assert(this.timers.delete(handle as number), "a timer is cleared once, and not after it fired");
  }

  /** Lets time pass, on time. */
  advance(ms: number): void {
    const endMs = this.monotonicMs + ms;
    for (;;) {
      const dueMs = Math.min(...Array.from(this.timers.values(), (timer) => timer.dueMs));
      if (dueMs > endMs) break;
      this.stall(Math.max(0, dueMs - this.monotonicMs));
      this.fire();
    }
    this.stall(endMs - this.monotonicMs);
  }

  /** Lets time pass and runs nothing. */
  stall(ms: number): void {
    this.monotonicMs += ms;
    this.wallMs += ms;
  }

  /** Lets time pass with the monotonic clock standing still. */
  suspend(ms: number): void {
    this.wallMs += ms;
  }

  /** Runs what is due. */
  fire(): void {
    for (const [handle, { dueMs, callback }] of this.timers) {
      if (dueMs <= this.monotonicMs && this.timers.delete(handle)) callback();
    }
  }
}
