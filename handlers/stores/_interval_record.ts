/**
 * What makes a record usable.
 *
 * @module
 */

import { MAX_HEARTBEAT_TIME_MS } from "../heartbeat/heartbeat.ts";
import type { IntervalRecord } from "./interval_store.ts";

/** The last moment that a date can name, ms since 1970 (ECMA-262). */
const LAST_MOMENT_MS = 8.64e15;

/**
 * Says what is wrong with something read from a store.
 *
 * @param value What was read.
 * @returns The first thing that is wrong, or undefined if it is a record.
 */
export function problemOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return `it must be an object, got ${shown(value)}`;
  const { strategy, intervalMs, loMs, hiMs, isSettled, atMs, direction, confirmations } = value as Record<
    keyof IntervalRecord,
    unknown
  >;
  if (typeof strategy !== "string") return `strategy must be text, got ${shown(strategy)}`;
  if (typeof isSettled !== "boolean") return `isSettled must be true or false, got ${shown(isSettled)}`;
  if (direction !== "push" && direction !== "client") {
    return `direction must be "push" or "client", got ${shown(direction)}`;
  }
  if (!isFrom(0, confirmations, Number.MAX_SAFE_INTEGER) || !Number.isInteger(confirmations)) {
    return `confirmations must be a whole number of 0 or more, got ${shown(confirmations)}`;
  }
  if (!isFrom(0, atMs, LAST_MOMENT_MS)) return `atMs must be from 0 to ${LAST_MOMENT_MS}, got ${shown(atMs)}`;
  if (!isFrom(0, loMs, MAX_HEARTBEAT_TIME_MS)) return outOfRange("loMs", "from 0", loMs);
  if (!isFrom(0, intervalMs, MAX_HEARTBEAT_TIME_MS) || intervalMs === 0) {
    return outOfRange("intervalMs", "above 0 and up", intervalMs);
  }
  if (hiMs === null) return undefined;
  if (!isFrom(0, hiMs, MAX_HEARTBEAT_TIME_MS)) return outOfRange("hiMs", "null or from 0", hiMs);
  if (hiMs <= loMs) return `hiMs must be above loMs ${loMs}, got ${hiMs}`;
  return intervalMs < hiMs ? undefined : `intervalMs must be below hiMs ${hiMs}, got ${intervalMs}`;
}

/**
 * Takes what a store of text or foreign values has read for a record.
 *
 * @param network Whose record it is to be.
 * @param value What was read; undefined and null are no record.
 * @throws {TypeError} If it is something else.
 */
export function checkedRecord(network: string, value: unknown): IntervalRecord | undefined {
  if (value === undefined || value === null) return undefined;
  const problem = problemOf(value);
  if (problem !== undefined) throw cannotUse(network, problem);
  return value as IntervalRecord;
}

/** The error for a record that is of no use: its reason is for whoever looks after the store. */
export function cannotUse(network: string, problem: string, options?: ErrorOptions): TypeError {
  return new TypeError(
    `Cannot use what is stored of the network ${JSON.stringify(network)}: ${problem}`,
    options,
  );
}

function isFrom(least: number, value: unknown, most: number): value is number {
  return typeof value === "number" && value >= least && value <= most;
}

function outOfRange(name: string, from: string, value: unknown): string {
  return `${name} must be ${from} to ${MAX_HEARTBEAT_TIME_MS}, got ${shown(value)}`;
}

function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : String(value);
}
