import type { Timer } from "./event_loop.ts";

/** Any task; the scheduler's signature has bound it to its argument's type. */
export type Task = (argument: unknown) => void;

// A level has 32 slots, so that one bitmap is one 32-bit integer. Times are
// whole milliseconds up to 2^53, more than bit operations can hold: they are
// split into 30 low bits (six levels, 12 days) and what is above (five levels).
const SLOT_BITS = 5;
const SLOTS = 1 << SLOT_BITS;
const LOW_LEVELS = 6;
const LEVELS = 11;
const LOW_RANGE = 2 ** (SLOT_BITS * LOW_LEVELS);

/** The task of a timer that ran or was cancelled: a kept handle must not keep the real one alive. */
const SPENT: Task = () => {};

/** Computes when a timer is due, a whole number of ms; rejects a delay that is none. */
export function deadline(nowMs: number, delayMs: number): number {
  // The negated form also catches NaN.
  if (!(delayMs >= 0 && delayMs < Infinity)) {
    throw new RangeError(
      `Cannot schedule a timer: delayMs is ${delayMs}, wanted a finite number of 0 or more`,
    );
  }
  // 2^53 ms are 285,000 years; a later deadline would never come either.
  return Math.min(Math.ceil(nowMs + delayMs), Number.MAX_SAFE_INTEGER);
}

/** The timers due in one stretch of time, in the order in which they were scheduled. */
class Slot {
  head: WheelTimer | undefined = undefined;
  tail: WheelTimer | undefined = undefined;
  readonly wheel: TimerWheel;
  readonly level: number;
  readonly index: number;

  constructor(wheel: TimerWheel, level: number, index: number) {
    this.wheel = wheel;
    this.level = level;
    this.index = index;
  }
}

/**
 * A timer and its place in the wheel. The links live in the timer itself:
 * with a million timers, list nodes of their own would double the memory.
 */
export class WheelTimer implements Timer {
  next: WheelTimer | undefined = undefined;
  prev: WheelTimer | undefined = undefined;
  slot: Slot | undefined = undefined;
  readonly dueMs: number;
  task: Task;
  argument: unknown;

  constructor(dueMs: number, task: Task, argument: unknown) {
    this.dueMs = dueMs;
    this.task = task;
    this.argument = argument;
  }

  get pending(): boolean {
    return this.slot !== undefined;
  }

  cancel(): void {
    if (this.slot === undefined) return;
    this.slot.wheel.remove(this, this.slot);
    this.task = SPENT;
    this.argument = undefined;
  }

  /** Runs the task of a timer that {@linkcode TimerWheel.takeDue} handed out. */
  run(): void {
    const { task, argument } = this;
    this.task = SPENT;
    this.argument = undefined;
    task(argument);
  }
}

/**
 * A hierarchical timer wheel (Varghese and Lauck, scheme 7) with 1 ms ticks.
 *
 * A timer's level is that of the highest bit in which its deadline differs
 * from the current tick. From this follows all the rest: within a level no
 * index is below the current one, so nothing wraps and the lowest set bit of
 * the lowest occupied level is the earliest slot; and a slot is cascaded at
 * the moment the current tick enters it, before any later timer can be put on
 * the levels beneath, so timers with equal deadlines stay in the order of
 * scheduling without a sequence number.
 */
export class TimerWheel {
  readonly #slots: Slot[] = [];
  /** Which slots of each level hold timers. */
  readonly #occupied = new Int32Array(LEVELS);
  /** Which levels hold timers. */
  #levels = 0;
  #size = 0;
  /** The current tick: never after the earliest deadline, never going back. */
  #high: number;
  #low: number;
  readonly #onEmpty: () => void;

  /**
   * @param startMs The first current tick, 0 to 2^53 - 1.
   * @param onEmpty Called when cancelling has taken the last timer out.
   */
  constructor(startMs: number, onEmpty: () => void = SPENT as () => void) {
    const tick = Math.floor(startMs);
    this.#high = Math.floor(tick / LOW_RANGE);
    this.#low = tick - this.#high * LOW_RANGE;
    this.#onEmpty = onEmpty;
    for (let level = 0; level < LEVELS; level++) {
      for (let index = 0; index < SLOTS; index++) this.#slots.push(new Slot(this, level, index));
    }
  }

  /** How many timers are pending. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds a timer.
   *
   * @param dueMs Whole ms, not before the latest time given to {@linkcode takeDue}.
   */
  schedule(dueMs: number, task: Task, argument: unknown): WheelTimer {
    const timer = new WheelTimer(dueMs, task, argument);
    this.#insert(timer);
    this.#size++;
    return timer;
  }

  /** Takes a pending timer out. */
  remove(timer: WheelTimer, slot: Slot): void {
    this.#unlink(timer, slot);
    if (--this.#size === 0) this.#onEmpty();
  }

  /**
   * Hands out the next timer due at or before a time, in order of deadline,
   * then of scheduling. One at a time, so that the task of one may cancel or
   * schedule any other.
   */
  takeDue(nowMs: number): WheelTimer | undefined {
    while (this.#levels !== 0) {
      const slot = this.#earliestSlot();
      const startMs = this.#startOf(slot);
      if (startMs > nowMs) break;
      this.#moveTo(startMs);
      if (slot.level === 0) {
        const timer = slot.head!;
        this.#unlink(timer, slot);
        this.#size--;
        return timer;
      }
      this.#cascade(slot);
    }
    // Keeps the current tick close to the time, so that short delays go onto
    // the low levels. Nothing is due up to here, so no slot is passed.
    this.#moveTo(Math.floor(nowMs));
    return undefined;
  }

  /**
   * The earliest deadline, or undefined if there is none.
   *
   * @param scanLimit Where more timers than this share the earliest slot, the
   * answer is the slot's start instead: a time before which nothing is due.
   */
  nextDueMs(scanLimit: number): number | undefined {
    if (this.#levels === 0) return undefined;
    const slot = this.#earliestSlot();
    if (slot.level === 0) return this.#startOf(slot);
    let earliestMs = Infinity;
    let scanned = 0;
    for (let timer = slot.head; timer !== undefined; timer = timer.next) {
      if (++scanned > scanLimit) return this.#startOf(slot);
      if (timer.dueMs < earliestMs) earliestMs = timer.dueMs;
    }
    return earliestMs;
  }

  #insert(timer: WheelTimer): void {
    const high = Math.floor(timer.dueMs / LOW_RANGE);
    const low = timer.dueMs - high * LOW_RANGE;
    let level: number;
    let index: number;
    if (high === this.#high) {
      level = levelOf(low ^ this.#low);
      index = (low >>> (level * SLOT_BITS)) & (SLOTS - 1);
    } else {
      level = levelOf(high ^ this.#high);
      index = (high >>> (level * SLOT_BITS)) & (SLOTS - 1);
      level += LOW_LEVELS;
    }
    const slot = this.#slots[level * SLOTS + index]!;
    const tail = slot.tail;
    timer.slot = slot;
    timer.prev = tail;
    slot.tail = timer;
    if (tail !== undefined) tail.next = timer;
    else {
      slot.head = timer;
      this.#occupied[level]! |= 1 << index;
      this.#levels |= 1 << level;
    }
  }

  #unlink(timer: WheelTimer, slot: Slot): void {
    const { prev, next } = timer;
    if (prev !== undefined) prev.next = next;
    else slot.head = next;
    if (next !== undefined) next.prev = prev;
    else slot.tail = prev;
    timer.prev = timer.next = timer.slot = undefined;
    if (slot.head === undefined) this.#markEmpty(slot);
  }

  #markEmpty(slot: Slot): void {
    if ((this.#occupied[slot.level]! &= ~(1 << slot.index)) === 0) this.#levels &= ~(1 << slot.level);
  }

  /** Spreads a slot over the levels beneath it; the current tick has just reached its start. */
  #cascade(slot: Slot): void {
    let timer = slot.head;
    slot.head = slot.tail = undefined;
    this.#markEmpty(slot);
    while (timer !== undefined) {
      const next: WheelTimer | undefined = timer.next;
      timer.next = undefined;
      this.#insert(timer);
      timer = next;
    }
  }

  #earliestSlot(): Slot {
    const level = lowestBit(this.#levels);
    return this.#slots[level * SLOTS + lowestBit(this.#occupied[level]!)]!;
  }

  #startOf(slot: Slot): number {
    if (slot.level < LOW_LEVELS) {
      return this.#high * LOW_RANGE + replaceFrom(this.#low, slot.level, slot.index);
    }
    return replaceFrom(this.#high, slot.level - LOW_LEVELS, slot.index) * LOW_RANGE;
  }

  #moveTo(tick: number): void {
    const high = Math.floor(tick / LOW_RANGE);
    const low = tick - high * LOW_RANGE;
    if (high < this.#high || (high === this.#high && low < this.#low)) return;
    this.#high = high;
    this.#low = low;
  }
}

/** Level of the highest set bit. */
function levelOf(bits: number): number {
  return bits === 0 ? 0 : ((31 - Math.clz32(bits)) / SLOT_BITS) | 0;
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

/** Puts an index in at its level and zeros below. */
function replaceFrom(bits: number, level: number, index: number): number {
  const shift = level * SLOT_BITS;
  return (bits & ~((SLOTS << shift) - 1)) | (index << shift);
}
